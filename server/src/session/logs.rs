//! A session's log files in its folder: its own, to which all its processes write, and its
//! agent's. Neither grows for ever.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use mirrord_protocol::session_control::SessionAnswer;

use super::control::Answered;
use super::refusal;
use crate::events::redacted;

/// The log of the session and its processes.
pub const SESSION_LOG: &str = "log";
/// The agent's.
pub const AGENT_LOG: &str = "agent-log";

/// A file that is larger is begun again, the old one beside it.
const LARGEST: u64 = 4 << 20;
/// How often is looked.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// No more of a file is read for an answer.
const TAIL: u64 = 256 << 10;

/// Makes our standard output and error, and those of all processes that we start, the log file.
pub fn write_to(folder: &Path) -> Result<()> {
    let path = folder.join(SESSION_LOG);
    let what = || format!("could not make the log {}", path.display());
    // Appending: several processes write, and a file that is cut is gone on with at its start.
    let file = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(what)?;
    for number in [libc::STDOUT_FILENO, libc::STDERR_FILENO] {
        // SAFETY: both are plain descriptor numbers; nothing here owns the standard ones.
        if unsafe { libc::dup2(file.as_raw_fd(), number) } < 0 {
            return Err(std::io::Error::last_os_error()).with_context(what);
        }
    }
    Ok(())
}

/// Keeps the logs small for as long as the session lives.
pub async fn keep_small(folder: std::path::PathBuf) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        for name in [SESSION_LOG, AGENT_LOG] {
            let path = folder.join(name);
            let is_large = std::fs::metadata(&path).is_ok_and(|found| found.len() > LARGEST);
            if is_large && let Err(error) = begin_again(&path) {
                tracing::warn!(
                    "could not begin the log {} again: {error:#}",
                    path.display()
                );
            }
        }
    }
}

/// Others hold the file open, so it is copied and cut rather than renamed.
fn begin_again(path: &Path) -> Result<()> {
    std::fs::copy(path, path.with_extension("old"))?;
    File::options().write(true).open(path)?.set_len(0)?;
    Ok(())
}

/// The last lines of both logs.
pub fn last(folder: &Path, lines: u32) -> Answered {
    let read = |name| {
        tail(&folder.join(name), lines as usize).map_err(|error| refusal::of("internal", &error))
    };
    Ok(SessionAnswer::Logs {
        session: read(SESSION_LOG)?,
        agent: read(AGENT_LOG)?,
    })
}

fn tail(path: &Path, lines: usize) -> Result<Vec<String>> {
    let what = || format!("could not read the log {}", path.display());
    let mut file = match File::open(path) {
        Ok(file) => file,
        // A program in the foreground has its log on the terminal.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(what),
    };
    let length = file.metadata().with_context(what)?.len();
    let start = length.saturating_sub(TAIL);
    file.seek(SeekFrom::Start(start)).with_context(what)?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes).with_context(what)?;
    let text = String::from_utf8_lossy(&bytes);
    // The first line is a part of one when the file is longer than what was read.
    let all: Vec<&str> = text.lines().skip(usize::from(start > 0)).collect();
    let from = all.len().saturating_sub(lines);
    Ok(all[from..]
        .iter()
        .map(|line| redacted(line).into_owned())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_without_secrets() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(SESSION_LOG), "one\nx_token=abc\nthree\n").unwrap();
        let answer = last(folder.path(), 2).unwrap();
        let SessionAnswer::Logs { session, agent } = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(session, ["x_token=***", "three"]);
        assert!(agent.is_empty());
    }

    #[test]
    fn a_large_log_is_begun_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SESSION_LOG);
        std::fs::write(&path, "old").unwrap();
        let mut writer = File::options().append(true).open(&path).unwrap();
        begin_again(&path).unwrap();
        std::io::Write::write_all(&mut writer, b"new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        let old = path.with_extension("old");
        assert_eq!(std::fs::read_to_string(old).unwrap(), "old");
    }
}
