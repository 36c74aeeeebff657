//! A session's log files in its folder: its own, to which all its processes write, and its
//! agent's. Neither grows for ever.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
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

/// That of the agent in another pod of the workload.
pub fn of_pod(folder: &Path, pod: &str) -> PathBuf {
    folder.join(format!("{AGENT_LOG}-{pod}"))
}

/// The pods whose agents have logs of their own, and those.
fn of_pods(folder: &Path) -> Vec<(String, PathBuf)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let pod = name.strip_prefix(AGENT_LOG)?.strip_prefix('-')?;
            // What was cut stands beside it.
            let is_log = entry.path().extension() != Some("old".as_ref());
            is_log.then(|| (pod.to_owned(), entry.path()))
        })
        .collect();
    found.sort();
    found
}

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
        let own = [SESSION_LOG, AGENT_LOG].map(|name| folder.join(name));
        let others = of_pods(&folder).into_iter().map(|(_, path)| path);
        for path in own.into_iter().chain(others) {
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

/// The last lines of all logs; those of agents in other pods begin with the pod.
pub fn last(folder: &Path, lines: u32) -> Answered {
    let read =
        |path: &Path| tail(path, lines as usize).map_err(|error| refusal::of("internal", &error));
    let mut agent = read(&folder.join(AGENT_LOG))?;
    for (pod, path) in of_pods(folder) {
        let lines = read(&path)?.into_iter();
        agent.extend(lines.map(|line| format!("{pod}: {line}")));
    }
    Ok(SessionAnswer::Logs {
        session: read(&folder.join(SESSION_LOG))?,
        agent,
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
        std::fs::write(of_pod(folder.path(), "web-2"), "two\n").unwrap();
        std::fs::write(folder.path().join(AGENT_LOG), "one\n").unwrap();
        let answer = last(folder.path(), 2).unwrap();
        let SessionAnswer::Logs { agent, .. } = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(agent, ["one", "web-2: two"]);
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
