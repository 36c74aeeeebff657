//! The session's events: numbered and stamped once, then kept in a ring for those who come later,
//! sent to those who listen, and written to the file that `--events` names.
//!
//! Nobody who reads slowly holds up the session: what does not fit is counted, and the reader is
//! told how much is missing.

mod file;
mod redact;
pub mod touched;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use mirrord_protocol::event::{Event, EventKind};
use mirrord_protocol::session_control::FromSession;
use tokio::sync::{mpsc, watch};

use file::EventFile;
pub use redact::redacted;
use touched::Touched;

/// Events that are kept for who subscribes later.
const KEPT: usize = 2_000;
/// Events that may wait for one subscriber.
const WAITING: usize = 1_024;

/// Which decisions are wanted as events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    /// None.
    Nothing,
    /// Those that lead to the pod, or nowhere.
    Remote,
    /// All. Local calls are slower then, for each is asked about.
    All,
}

/// A session's events. Cheap to clone.
#[derive(Clone)]
pub struct EventLog {
    inner: Arc<Mutex<Inner>>,
    wanted_tx: Arc<watch::Sender<Wanted>>,
}

struct Inner {
    next_seq: u64,
    kept: VecDeque<Event>,
    file: Option<EventFile>,
    readers: Vec<Reader>,
    touched: Touched,
    /// What is wanted when nobody listens.
    at_least: Wanted,
}

struct Reader {
    told_tx: mpsc::Sender<FromSession>,
    dropped: u64,
    wanted: Wanted,
}

/// What a new reader begins with.
pub struct Subscription {
    /// The number of the next new event.
    pub next_seq: u64,
    /// What is kept of the past; first, how much of it is not.
    pub past: Vec<FromSession>,
    /// What comes.
    pub told_rx: mpsc::Receiver<FromSession>,
}

impl EventLog {
    /// A log that is kept for readers to come; until then `at_least` is wanted.
    pub fn kept(at_least: Wanted) -> Self {
        Self::new(at_least, None)
    }

    /// A log into a file too, which is made or emptied now.
    pub fn to_file(path: &Path) -> Result<Self> {
        Ok(Self::new(Wanted::All, Some(EventFile::create(path)?)))
    }

    fn new(at_least: Wanted, file: Option<EventFile>) -> Self {
        let inner = Inner {
            next_seq: 0,
            kept: VecDeque::new(),
            file,
            readers: Vec::new(),
            touched: Touched::default(),
            at_least,
        };
        EventLog {
            inner: Arc::new(Mutex::new(inner)),
            wanted_tx: Arc::new(watch::Sender::new(at_least)),
        }
    }

    /// Which decisions somebody wants, now and after each change.
    pub fn wanted(&self) -> watch::Receiver<Wanted> {
        self.wanted_tx.subscribe()
    }

    /// The number that the next event will have.
    pub fn next_seq(&self) -> u64 {
        self.lock().next_seq
    }

    /// Adds one event.
    pub fn add(&self, mut kind: EventKind) {
        redact::event(&mut kind);
        let mut inner = self.lock();
        inner.touched.note(&kind);
        let event = Event {
            seq: inner.next_seq,
            ts: now(),
            kind,
        };
        inner.next_seq += 1;
        if let Some(file) = &mut inner.file {
            file.add(event.clone());
        }
        let before = inner.readers.len();
        inner.readers.retain_mut(|reader| reader.tell(&event));
        if inner.readers.len() != before {
            self.set_wanted(&inner);
        }
        if inner.kept.len() == KEPT {
            inner.kept.pop_front();
        }
        inner.kept.push_back(event);
    }

    /// A new reader, from event `since` on.
    pub fn subscribe(&self, since: u64, local: bool) -> Subscription {
        let (told_tx, told_rx) = mpsc::channel(WAITING);
        let mut inner = self.lock();
        let oldest = inner.kept.front().map_or(inner.next_seq, |event| event.seq);
        let missing = oldest.saturating_sub(since);
        let missing = (missing > 0).then_some(FromSession::Dropped { count: missing });
        let kept = inner.kept.iter().filter(|event| event.seq >= since);
        let past = missing
            .into_iter()
            .chain(kept.cloned().map(FromSession::Event))
            .collect();
        let wanted = if local { Wanted::All } else { Wanted::Remote };
        inner.readers.push(Reader {
            told_tx,
            dropped: 0,
            wanted,
        });
        self.set_wanted(&inner);
        Subscription {
            next_seq: inner.next_seq,
            past,
            told_rx,
        }
    }

    /// Forgets readers that are gone.
    pub fn forget_gone(&self) {
        let mut inner = self.lock();
        inner.readers.retain(|reader| !reader.told_tx.is_closed());
        self.set_wanted(&inner);
    }

    /// What was touched since the session's beginning; `None` where decisions were not always
    /// wanted, so that nobody knows all of it.
    pub fn touched(&self) -> Option<Touched> {
        let inner = self.lock();
        (inner.at_least >= Wanted::Remote).then(|| inner.touched.clone())
    }

    /// Writes what waits and closes the file. An error of the disk comes out here, once.
    pub fn close(&self) -> Result<()> {
        let file = self.lock().file.take();
        file.map_or(Ok(()), EventFile::close)
    }

    fn set_wanted(&self, inner: &Inner) {
        let readers = inner.readers.iter().map(|reader| reader.wanted);
        let wanted = readers.fold(inner.at_least, Wanted::max);
        self.wanted_tx.send_if_modified(|before| {
            let changed = *before != wanted;
            *before = wanted;
            changed
        });
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader {
    /// Whether it is still there.
    fn tell(&mut self, event: &Event) -> bool {
        use mpsc::error::TrySendError::Closed;
        if self.dropped > 0 {
            let count = self.dropped;
            match self.told_tx.try_send(FromSession::Dropped { count }) {
                Ok(()) => self.dropped = 0,
                Err(Closed(_)) => return false,
                Err(_full) => {
                    self.dropped += 1;
                    return true;
                }
            }
        }
        match self.told_tx.try_send(FromSession::Event(event.clone())) {
            Ok(()) => true,
            Err(Closed(_)) => false,
            Err(_full) => {
                self.dropped += 1;
                true
            }
        }
    }
}

/// Now, as RFC 3339 in UTC with milliseconds.
pub fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}

/// That much later, in the same form.
pub fn after(duration: std::time::Duration) -> String {
    let at = jiff::Timestamp::now()
        .saturating_add(jiff::SignedDuration::try_from(duration).unwrap_or_default());
    format!("{:.3}", at.unwrap_or(jiff::Timestamp::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(text: &str) -> EventKind {
        EventKind::Notice {
            level: "info".into(),
            text: text.into(),
        }
    }

    #[test]
    fn instants_are_rfc_3339_with_milliseconds() {
        let text = now();
        assert_eq!(text.len(), "2000-02-29T12:34:56.789Z".len(), "{text}");
        assert!(text.ends_with('Z'));
        assert!(after(std::time::Duration::from_secs(60)) > text);
    }

    #[test]
    fn events_are_numbered_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events");
        let log = EventLog::to_file(&path).unwrap();
        log.add(notice("one"));
        log.add(notice("two"));
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

    #[test]
    fn who_comes_later_gets_what_is_kept_and_hears_what_is_not() {
        let log = EventLog::kept(Wanted::Nothing);
        for number in 0..KEPT + 3 {
            log.add(notice(&number.to_string()));
        }
        let all = log.subscribe(0, false);
        assert_eq!(all.next_seq, KEPT as u64 + 3);
        assert_eq!(all.past.len(), KEPT + 1);
        assert_eq!(all.past[0], FromSession::Dropped { count: 3 });
        let last = log.subscribe(all.next_seq - 1, false);
        assert!(
            matches!(&last.past[..], [FromSession::Event(event)] if event.seq + 1 == all.next_seq)
        );
        assert_eq!(log.lock().kept.len(), KEPT);
    }

    #[test]
    fn a_slow_reader_is_told_how_much_it_missed() {
        let log = EventLog::kept(Wanted::Nothing);
        let mut slow = log.subscribe(0, false);
        for number in 0..WAITING + 5 {
            log.add(notice(&number.to_string()));
        }
        for _ in 0..WAITING {
            assert!(matches!(slow.told_rx.try_recv(), Ok(FromSession::Event(_))));
        }
        log.add(notice("again"));
        assert_eq!(
            slow.told_rx.try_recv(),
            Ok(FromSession::Dropped { count: 5 })
        );
        assert!(matches!(slow.told_rx.try_recv(), Ok(FromSession::Event(_))));
    }

    #[test]
    fn decisions_are_wanted_while_somebody_listens() {
        let log = EventLog::kept(Wanted::Nothing);
        let wanted = log.wanted();
        let reader = log.subscribe(0, false);
        assert_eq!(*wanted.borrow(), Wanted::Remote);
        let close = log.subscribe(0, true);
        assert_eq!(*wanted.borrow(), Wanted::All);
        drop((reader, close));
        log.forget_gone();
        assert_eq!(*wanted.borrow(), Wanted::Nothing);
    }
}
