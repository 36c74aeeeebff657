//! Events in a file, one JSON object a line, written by a thread of its own from a bounded queue,
//! so that a slow disk never holds up the session.

use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use mirrord_protocol::event::{Event, EventKind};

/// Events that may wait for the disk.
const QUEUE: usize = 16_384;

/// A file of events.
pub struct EventFile {
    event_tx: SyncSender<Event>,
    thread: JoinHandle<std::io::Result<()>>,
    /// The first event that is missing, and how many are.
    dropped: Option<(Event, u64)>,
}

impl EventFile {
    /// Makes or empties the file.
    pub fn create(path: &Path) -> Result<Self> {
        let file = std::fs::File::create(path)
            .with_context(|| format!("could not write the events file {}", path.display()))?;
        let (event_tx, event_rx) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("events".into())
            .spawn(move || write_all(file, &event_rx))
            .context("could not start a thread for the events file")?;
        Ok(EventFile {
            event_tx,
            thread,
            dropped: None,
        })
    }

    /// Adds one.
    pub fn add(&mut self, event: Event) {
        if let Some((first, count)) = &mut self.dropped {
            if self.event_tx.try_send(told(first, *count)).is_err() {
                *count += 1;
                return;
            }
            self.dropped = None;
        }
        if let Err(error) = self.event_tx.try_send(event) {
            use std::sync::mpsc::TrySendError::{Disconnected, Full};
            let (Full(event) | Disconnected(event)) = error;
            self.dropped = Some((event, 1));
        }
    }

    /// Writes what waits and closes the file.
    pub fn close(self) -> Result<()> {
        if let Some((first, count)) = &self.dropped {
            // Blocking is right here: nothing else is left to do.
            let _ = self.event_tx.send(told(first, *count));
        }
        drop(self.event_tx);
        match self.thread.join() {
            Ok(written) => written.context("could not write the events file; it is not complete"),
            Err(_) => anyhow::bail!("the events thread failed; the events file is not complete"),
        }
    }
}

/// In the place of the first that is missing.
fn told(first: &Event, count: u64) -> Event {
    Event {
        kind: EventKind::Dropped { count },
        ..first.clone()
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
