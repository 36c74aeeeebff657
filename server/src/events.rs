//! The session's events: numbered, stamped, written to the file that `--events` names.
//!
//! The file is written by a thread of its own from a bounded queue, so that a slow disk never
//! holds up the session; what does not fit is counted and told.

use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use mirrord_protocol::event::{Event, EventKind};

/// Events that may wait for the disk.
const QUEUE: usize = 16_384;

/// Where a session's events go.
pub struct EventLog {
    seq: u64,
    dropped: u64,
    writer: Option<(SyncSender<Event>, JoinHandle<std::io::Result<()>>)>,
}

impl EventLog {
    /// A log that keeps nothing.
    pub fn nowhere() -> Self {
        EventLog {
            seq: 0,
            dropped: 0,
            writer: None,
        }
    }

    /// A log into a file, which is made or emptied now.
    pub fn to_file(path: &Path) -> Result<Self> {
        let file = std::fs::File::create(path)
            .with_context(|| format!("could not write the events file {}", path.display()))?;
        let (event_tx, event_rx) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("events".into())
            .spawn(move || write_all(file, &event_rx))
            .context("could not start a thread for the events file")?;
        Ok(EventLog {
            seq: 0,
            dropped: 0,
            writer: Some((event_tx, thread)),
        })
    }

    /// Whether anybody reads the decisions (if not, the layer need not report them).
    pub fn is_wanted(&self) -> bool {
        self.writer.is_some()
    }

    /// Adds one event.
    pub fn add(&mut self, kind: EventKind) {
        if self.writer.is_none() {
            return;
        }
        if self.dropped > 0 {
            let count = self.dropped;
            if self.send(EventKind::Dropped { count }) {
                self.dropped = 0;
            }
        }
        if !self.send(kind) {
            self.dropped += 1;
        }
    }

    fn send(&mut self, kind: EventKind) -> bool {
        let Some((event_tx, _)) = &self.writer else {
            return true;
        };
        let event = Event {
            seq: self.seq,
            ts: now(),
            kind,
        };
        match event_tx.try_send(event) {
            Ok(()) => {
                self.seq += 1;
                true
            }
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }

    /// Writes what waits and closes the file. An error of the disk comes out here, once.
    pub fn close(mut self) -> Result<()> {
        let Some((event_tx, thread)) = self.writer.take() else {
            return Ok(());
        };
        if self.dropped > 0 {
            let last = Event {
                seq: self.seq,
                ts: now(),
                kind: EventKind::Dropped {
                    count: self.dropped,
                },
            };
            // Blocking is right here: nothing else is left to do.
            let _ = event_tx.send(last);
        }
        drop(event_tx);
        match thread.join() {
            Ok(written) => written.context("could not write the events file; it is not complete"),
            Err(_) => anyhow::bail!("the events thread failed; the events file is not complete"),
        }
    }
}

fn write_all(file: std::fs::File, event_rx: &Receiver<Event>) -> std::io::Result<()> {
    let mut out = std::io::BufWriter::new(file);
    while let Ok(first) = event_rx.recv() {
        let mut next = Some(first);
        while let Some(event) = next {
            serde_json::to_writer(&mut out, &event)?;
            out.write_all(b"\n")?;
            next = event_rx.try_recv().ok();
        }
        // A reader that follows the file sees whole lines as soon as there is a pause.
        out.flush()?;
    }
    out.flush()
}

/// Now, as RFC 3339 in UTC with milliseconds.
pub fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_rfc_3339_with_milliseconds() {
        let text = now();
        assert_eq!(text.len(), "2000-02-29T12:34:56.789Z".len(), "{text}");
        assert!(text.ends_with('Z'));
    }

    #[test]
    fn events_are_numbered_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events");
        let mut log = EventLog::to_file(&path).unwrap();
        for text in ["one", "two"] {
            log.add(EventKind::Notice {
                level: "info".into(),
                text: text.into(),
            });
        }
        log.close().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let events: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(events.len(), 2);
        assert_eq!(events[1]["seq"], 1);
        assert_eq!(events[1]["kind"], "notice");
        assert_eq!(events[1]["text"], "two");
    }
}
