//! `mirrord-server daemon`: run it here, ask how it is, end it.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cli::DaemonCommand;
use crate::daemon::greeting::{Answer, Ask, Status};
use crate::daemon::socket::{self, StarterLock};
use crate::daemon::{self, Options};
use crate::stdio::ask;

/// How long the daemon may take to end.
const STOP_DEADLINE: Duration = Duration::from_secs(30);

/// Exit status of `daemon status` when there is none, as init scripts have it.
const EXIT_NOT_RUNNING: i32 = 3;

/// Does what is asked for.
pub fn run(command: Option<DaemonCommand>, idle: u64, log: String) -> Result<i32> {
    match command {
        None => foreground(Duration::from_secs(idle), log),
        Some(DaemonCommand::Status { json }) => status(json),
        Some(DaemonCommand::Stop) => stop(),
    }
}

fn foreground(idle: Duration, log: String) -> Result<i32> {
    let path = socket::path()?;
    let listener = {
        let lock = StarterLock::take()?;
        if socket::connect(&path)?.is_some() {
            bail!(
                "a daemon of yours runs already (see `mirrord-server daemon status`); one is \
                 enough for all editors"
            );
        }
        socket::listen(&path, &lock)?
    };
    daemon::run(Options {
        listener,
        idle,
        log,
    })?;
    Ok(0)
}

fn connect() -> Result<Option<UnixStream>> {
    socket::connect(&socket::path()?)
}

fn status(json: bool) -> Result<i32> {
    let answer = match connect()? {
        Some(stream) => ask(&stream, &Ask::Status)?,
        None => None,
    };
    let status = match answer {
        Some(Answer::Status(status)) => status,
        None => {
            println!("no daemon runs; the first editor starts one");
            return Ok(EXIT_NOT_RUNNING);
        }
        Some(other) => bail!("the daemon answered {other:?}"),
    };
    if json {
        println!("{}", serde_json::to_string_pretty(&status)?);
        return Ok(0);
    }
    let Status {
        version,
        pid,
        started_at,
        clients,
        sessions,
        logs,
    } = status;
    println!("version   {version}");
    println!("process   {pid}, since {started_at}");
    println!("clients   {clients}");
    println!("sessions  {sessions}");
    println!("logs      {logs}");
    Ok(0)
}

fn stop() -> Result<i32> {
    let Some(mut stream) = connect()? else {
        println!("no daemon runs");
        return Ok(0);
    };
    match ask(&stream, &Ask::Stop)? {
        Some(Answer::Stopping) | None => {}
        Some(other) => bail!("the daemon answered {other:?}"),
    }
    // It hangs up with its end.
    stream.set_read_timeout(Some(STOP_DEADLINE))?;
    stream.read_to_end(&mut Vec::new()).with_context(|| {
        format!(
            "the daemon did not end within {} s",
            STOP_DEADLINE.as_secs()
        )
    })?;
    println!("the daemon ended; sessions go on");
    Ok(0)
}
