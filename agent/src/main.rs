//! `mirrord-agent`: see the library for what it does. This file only orders the start: arguments,
//! listener, namespaces, then the runtime, because namespaces are entered before any thread is.

use std::{io::Write, os::fd::AsFd, process::ExitCode, sync::Arc};

use anyhow::Context;
use clap::Parser;
use mirrord_agent::{
    args::Args,
    listener::Listener,
    memory,
    probes::Probes,
    serve,
    target::{self, Doors},
};
use mirrord_link::AgentIdentity;

fn main() -> ExitCode {
    let args = Args::parse();
    let filter = match tracing_subscriber::EnvFilter::try_new(&args.log) {
        Ok(filter) => filter,
        Err(error) => {
            let log = &args.log;
            let _ = writeln!(
                std::io::stderr(),
                "mirrord-agent: {log:?} is no log filter ({error}); write a level, as `info`, or \
                 levels by target, as `warn,mirrord_agent=trace`"
            );
            return ExitCode::FAILURE;
        }
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        // Its reader, the session, may have been killed: the pod is to get its traffic back then,
        // and no panic in between.
        .log_internal_errors(false)
        .init();
    memory::keep_small();
    match run(&args) {
        Ok(reason) => {
            tracing::info!(%reason, "the agent ended");
            ExitCode::SUCCESS
        }
        Err(error) => {
            // The provider shows this line to the user.
            let _ = writeln!(std::io::stderr(), "mirrord-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// clap sees to it that one of the three is there.
fn target_pid(args: &Args) -> anyhow::Result<i32> {
    if args.targetless {
        return Ok(rustix::process::getpid().as_raw_nonzero().get());
    }
    match (args.target_pid, &args.target_container) {
        (Some(pid), _) => Ok(pid),
        (None, Some(id)) => Ok(target::main_process(id)?),
        (None, None) => anyhow::bail!("there is no target"),
    }
}

fn run(args: &Args) -> anyhow::Result<String> {
    let version = env!("CARGO_PKG_VERSION");
    let identity = AgentIdentity::new(&args.session_key, version)?.with_grace(args.grace());
    let pid = target_pid(args)?;
    if args.as_target {
        target::become_its_user(pid)?;
    }
    let doors = Doors::open(pid)?;
    let listener = Listener::bind(&args.listen)?;
    let probes = Probes::of(&args.probe_ports);
    doors.enter()?;
    let mut target = doors.look_around()?;
    target.probes = probes.with_commands(&args.probe_commands.0);
    if args.as_target {
        target.keep_to_own_groups()?;
    }
    let target = Arc::new(target);
    // One thread for links and network: fewer wake-ups, and the target's processors are not ours.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("could not start the event loop (epoll_create1, eventfd)")?;
    let mut stdout = std::io::stdout().lock();
    writeln!(
        stdout,
        "mirrord-agent {version} fingerprint {} listening {}",
        identity.fingerprint(),
        listener.endpoint()
    )
    .and_then(|()| stdout.flush())
    .context("could not print the fingerprint on standard output, where the session reads it")?;
    drop(stdout);
    let lifeline = match args.end_with_stdin {
        true => {
            Some((std::io::stdin().as_fd().try_clone_to_owned()).context("could not keep stdin")?)
        }
        false => None,
    };
    let reason = runtime.block_on(serve::run(
        listener,
        identity,
        target,
        args.grace(),
        lifeline,
        args.first_call(),
    ))?;
    // File calls that hang in the target's file systems must not keep the process.
    runtime.shutdown_background();
    Ok(reason.to_string())
}
