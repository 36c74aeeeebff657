//! Processes whose session ended before them: an agent that serves the next session, or whatever a
//! killed session left. They become ours instead of process 1's, which in many containers is no
//! `init` and waits for nobody, and would leave them in the process table for ever.

use std::collections::BTreeSet;
use std::time::Duration;

use rustix::process::{Pid, WaitOptions, getpid, set_child_subreaper, waitpid};
use tokio::signal::unix::{SignalKind, signal};

/// Whoever starts a process of ours waits for it and is told of its end long before that, so what
/// is still there then was started by somebody else.
const WAITED_FOR_BY_THEN: Duration = Duration::from_secs(2);

/// Takes them in, and waits for each. Runs as long as the daemon, and only when a child ends.
pub async fn wait() {
    let mut child = match set_child_subreaper(Some(getpid())).map_err(std::io::Error::from) {
        Ok(()) => match signal(SignalKind::child()) {
            Ok(child) => child,
            Err(error) => return tracing::warn!("nobody hears of processes that end: {error}"),
        },
        Err(error) => return tracing::warn!("orphans stay with process 1: {error}"),
    };
    let mut seen = BTreeSet::new();
    loop {
        if seen.is_empty() {
            if child.recv().await.is_none() {
                return;
            }
        } else {
            tokio::time::sleep(WAITED_FOR_BY_THEN).await;
        }
        let ended = match ended_children() {
            Ok(ended) => ended,
            Err(error) => {
                tracing::warn!("could not look for processes that ended: {error}");
                BTreeSet::new()
            }
        };
        for pid in ended.intersection(&seen) {
            let waited = Pid::from_raw(*pid).map(|pid| waitpid(Some(pid), WaitOptions::NOHANG));
            tracing::debug!("process {pid} was left to us and ended: {waited:?}");
        }
        seen = ended.difference(&seen).copied().collect();
    }
}

/// Children that ended and that nobody has waited for yet.
fn ended_children() -> std::io::Result<BTreeSet<i32>> {
    let us = std::process::id().to_string();
    let mut ended = BTreeSet::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // One that is gone by now has been waited for.
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The name in brackets may hold anything (proc(5)).
        let mut fields = stat
            .rsplit_once(") ")
            .map_or("", |(_, fields)| fields)
            .split(' ');
        if fields.next() == Some("Z") && fields.next() == Some(&us) {
            ended.insert(pid);
        }
    }
    Ok(ended)
}
