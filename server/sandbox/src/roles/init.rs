//! `sandbox-init FOLDER`: makes the namespaces and becomes the pod's first process, which starts
//! the others, takes care of orphans, and ends everything on SIGTERM. When it ends in any way the
//! kernel ends all processes of the pod, and the namespaces with their mounts go with them.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Signal, WaitOptions};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::{EXIT_FAILED, Role, dns, service};
use crate::pod::{data, files, mounts, names, namespaces, network};
use crate::report::{self, Ready, Report};
use crate::spec::{RunAs, SandboxSpec};
use crate::{fork, process, signals, start};

/// How long the pod's processes have to end by themselves.
const END_POLITELY: Duration = Duration::from_millis(500);

pub(super) fn run(arguments: &[OsString]) -> Result<i32> {
    make(arguments).or_else(|error| {
        let failed = Report::Failed(format!("{error:#}"));
        report::send(&failed).with_context(|| format!("could not report a failure ({error:#})"))?;
        Ok(EXIT_FAILED)
    })
}

fn make(arguments: &[OsString]) -> Result<i32> {
    let [folder] = arguments else {
        return Err(anyhow!("expected one folder as argument"));
    };
    let folder = Path::new(folder);
    let spec = fs::read(folder.join(start::SPEC_FILE))
        .context("could not read the sandbox's spec.json")?;
    let spec: SandboxSpec =
        serde_json::from_slice(&spec).context("could not understand spec.json")?;
    // Whatever the starter leaves open would stay open as long as the sandbox lives.
    fork::close_inherited().context("could not close inherited descriptors")?;
    // Away from the starter's terminal: its Ctrl-C and its hangup are not for the sandbox.
    rustix::process::setsid().context("could not leave the terminal (setsid)")?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let user_namespace = namespaces::enter(spec.isolation)?;
    if fork::fork()
        .context("could not start the pod's first process")?
        .is_some()
    {
        return Ok(0);
    }
    let signals = signals::take(&[libc::SIGCHLD, libc::SIGTERM, libc::SIGINT, libc::SIGHUP])?;
    let neighbours = build(folder, &spec, user_namespace)?;
    serve(&signals)?;
    drop(neighbours);
    Ok(0)
}

/// Builds the pod from inside and starts its processes. The result must be kept: others enter the
/// neighbours' network namespaces through this process's descriptors.
fn build(folder: &Path, spec: &SandboxSpec, user_namespace: bool) -> Result<network::Neighbours> {
    rustix::system::sethostname(spec.pod_name.as_bytes())
        .context("could not set the pod's host name")?;
    let base = folder.join("root");
    fs::create_dir_all(&base).context("could not make the folder for the pod's root")?;
    let root = mounts::Root::make(&base)?;
    files::write(&root, spec)?;
    data::write(&root, spec.huge_directory)?;
    root.show_binds(spec)?;
    root.enter()?;
    let neighbours = network::build()?;
    start_service(
        Role::Service,
        &neighbours.service,
        (service::POD_NAME, &spec.pod_name),
    )?;
    let zone = serde_json::to_string(&names::zone(spec, neighbours.ipv6))?;
    start_service(Role::Dns, &neighbours.service, (dns::ZONE, &zone))?;
    start_target(spec)?;
    let ready = Ready {
        client_namespace: Some(neighbours.client.as_raw_fd()),
        service_namespace: Some(neighbours.service.as_raw_fd()),
        ipv6: neighbours.ipv6,
        user_namespace,
        ..Ready::of(Role::Init)
    };
    report::send(&Report::Ready(ready)).context("could not report that the pod is ready")?;
    Ok(neighbours)
}

/// Starts a process in the service's network namespace.
fn start_service(role: Role, namespace: &Arc<OwnedFd>, variable: (&str, &str)) -> Result<()> {
    let namespace = namespace.clone();
    let mut command = role_command(role);
    command.env(variable.0, variable.1);
    fork::before_exec(&mut command, move || {
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
        signals::unblock_all()
    });
    command
        .spawn()
        .with_context(|| format!("could not start {role}"))?;
    Ok(())
}

/// Starts the pod's own program with the pod's environment and the wished ids.
fn start_target(spec: &SandboxSpec) -> Result<()> {
    let mut command = role_command(Role::Web);
    command
        .envs(names::environment(spec))
        .current_dir(&spec.working_directory);
    let run_as = spec.run_as.clone();
    fork::before_exec(&mut command, move || {
        signals::unblock_all()?;
        match &run_as {
            Some(ids) => become_user(ids),
            None => Ok(()),
        }
    });
    command.spawn().with_context(|| match &spec.run_as {
        Some(ids) => format!(
            "could not start the target as user {} (without root there is only 0)",
            ids.uid
        ),
        None => "could not start the target".to_owned(),
    })?;
    Ok(())
}

/// Takes the ids of a user, supplementary groups first, while that is still allowed.
pub(super) fn become_user(ids: &RunAs) -> io::Result<()> {
    use rustix::process::{Gid, Uid};
    let groups: [Gid; 0] = [];
    let gid = Gid::from_raw(ids.gid);
    if ids.groups.is_empty() {
        rustix::thread::set_thread_groups(&groups)?;
    } else {
        // Bounded by NGROUPS in practice; a fixed array keeps the allocator out of the child.
        let mut array = [gid; 64];
        let used = array
            .iter_mut()
            .zip(&ids.groups)
            .map(|(slot, &raw)| *slot = Gid::from_raw(raw))
            .count();
        rustix::thread::set_thread_groups(&array[..used])?;
    }
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    let uid = Uid::from_raw(ids.uid);
    rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    Ok(())
}

fn role_command(role: Role) -> Command {
    let mut command = Command::new(mounts::PROGRAM);
    // The report socket is the standard input of all processes until they are ready.
    command
        .arg0("shop")
        .arg(role.argument())
        .env_clear()
        .stdin(Stdio::inherit())
        .stdout(Stdio::null());
    command
}

/// Waits for orphans, for the starter's word and for the end.
fn serve(signals: &OwnedFd) -> Result<()> {
    let mut kept = false;
    loop {
        let stdin = io::stdin();
        let mut wait_for = [
            PollFd::new(signals, PollFlags::IN),
            PollFd::new(&stdin, PollFlags::IN),
        ];
        let count = if kept { 1 } else { 2 };
        rustix::io::retry_on_intr(|| poll(&mut wait_for[..count], None))?;
        let (signal, word) = (
            !wait_for[0].revents().is_empty(),
            !wait_for[1].revents().is_empty(),
        );
        if signal && signals::next(signals)?.number != libc::SIGCHLD {
            return end(signals);
        }
        if signal {
            reap()?;
        }
        if !kept && word {
            // The starter is gone or gave up: nobody would know of this sandbox.
            if !report::kept().unwrap_or(false) {
                return Ok(());
            }
            kept = true;
            report::unlock()?;
            report::leave()?;
        }
    }
}

/// Takes the exit statuses of ended children; false when there is no child left.
fn reap() -> io::Result<bool> {
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some(_)) => {}
            Ok(None) => return Ok(true),
            Err(rustix::io::Errno::CHILD) => return Ok(false),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Asks all processes to end, gives them a moment, and leaves the rest to the kernel.
fn end(signals: &OwnedFd) -> Result<()> {
    // In a pid namespace of its own this reaches all its processes and no other.
    match fork::signal_all(Signal::TERM) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => {}
        Err(error) => return Err(error.into()),
    }
    let deadline = Instant::now() + END_POLITELY;
    while reap()? && process::readable_before(signals, deadline)? {
        signals::next(signals)?;
    }
    Ok(())
}
