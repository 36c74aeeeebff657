//! All calls in work, by calling thread, and the watcher that looks after them.
//!
//! The watcher is one thread. It sleeps while nothing is in work, and otherwise looks whether
//! callers still live and whether signals are due for them: after some milliseconds first (most
//! work is done by then), then less often.

use std::{
    collections::HashMap,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    call::{Call, Outcome},
    flight::{Flight, Waiting, Watched},
};

/// The first look and the further ones; a debugger's pause waits for two of them at most. Not
/// sooner: each time a caller is sent away it must be received again, and a signal before that
/// ends its call with EINTR (see `docs/architecture.md`, signals).
const STEPS: [Duration; 3] = [
    Duration::from_millis(6),
    Duration::from_millis(8),
    Duration::from_millis(15),
];

/// How often a thread that was sent away is looked for.
const AWAY: Duration = Duration::from_millis(100);

/// An interrupted call that may end with EINTR comes back within this or never.
const RETURN: Duration = Duration::from_secs(2);

/// So many sent-away calls are kept of a thread: signal handlers inside signal handlers.
const KEPT: usize = 8;

/// The calls in work.
#[derive(Default)]
pub(crate) struct Flights {
    by_thread: Mutex<HashMap<i32, Vec<Arc<Flight>>>>,
    len: AtomicUsize,
    watched: Mutex<WatchList>,
    changed: Condvar,
}

#[derive(Default)]
struct WatchList {
    entries: Vec<Entry>,
    wakes: Option<Instant>,
}

struct Entry {
    next: Instant,
    looks: usize,
    flight: Arc<Flight>,
}

/// A caller was recognised.
pub(crate) enum Returned {
    /// Its work goes on, it waits again.
    Waits,
    /// Its work is done.
    Done(Waiting, Outcome),
    /// It is a new call.
    New(Waiting),
}

impl Flights {
    /// Enters a call whose work begins.
    pub fn add(&self, flight: &Arc<Flight>) {
        let mut by_thread = lock(&self.by_thread);
        let flights = by_thread.entry(flight.call.tid).or_default();
        let oldest = (flights.len() >= KEPT).then(|| flights.remove(0));
        flights.push(flight.clone());
        drop(by_thread);
        match oldest {
            Some(oldest) => oldest.abandon(),
            None => _ = self.len.fetch_add(1, Ordering::Relaxed),
        }
        self.watch(flight.clone());
    }

    /// Looks whether a call is one that was sent away.
    pub fn returned(&self, call: &Call, waiting: Waiting) -> Returned {
        if self.len.load(Ordering::Relaxed) == 0 {
            return Returned::New(waiting);
        }
        let flights = lock(&self.by_thread)
            .get(&call.tid)
            .cloned()
            .unwrap_or_default();
        let mut waiting = waiting;
        for flight in flights.iter().rev() {
            match flight.rejoin(call, waiting) {
                Ok(None) => return Returned::Waits,
                Ok(Some((waiting, outcome))) => {
                    self.remove(flight);
                    return Returned::Done(waiting, outcome);
                }
                Err(back) => waiting = back,
            }
        }
        Returned::New(waiting)
    }

    /// Forgets a flight that is over.
    pub fn remove(&self, flight: &Arc<Flight>) {
        let mut by_thread = lock(&self.by_thread);
        let Some(flights) = by_thread.get_mut(&flight.call.tid) else {
            return;
        };
        let before = flights.len();
        flights.retain(|other| !Arc::ptr_eq(other, flight));
        let removed = before - flights.len();
        if flights.is_empty() {
            by_thread.remove(&flight.call.tid);
        }
        self.len.fetch_sub(removed, Ordering::Relaxed);
    }

    fn watch(&self, flight: Arc<Flight>) {
        let next = Instant::now() + STEPS[0];
        let mut watched = lock(&self.watched);
        watched.entries.push(Entry {
            next,
            looks: 0,
            flight,
        });
        // A quarter of a step late is early enough, and saves a wake for each call of a busy time.
        if watched
            .wakes
            .is_none_or(|wakes| wakes > next + STEPS[0] / 4)
        {
            watched.wakes = Some(next);
            self.changed.notify_one();
        }
    }

    /// The watcher's thread.
    pub fn watch_for_ever(&self) -> ! {
        let mut watched = lock(&self.watched);
        loop {
            watched.wakes = watched.entries.iter().map(|entry| entry.next).min();
            watched = match watched.wakes {
                None => self
                    .changed
                    .wait(watched)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(wakes) => {
                    let left = wakes.saturating_duration_since(Instant::now());
                    let waited = self.changed.wait_timeout(watched, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
            let now = Instant::now();
            let due: Vec<Entry> = watched.entries.extract_if(.., |e| e.next <= now).collect();
            drop(watched);
            let again: Vec<Entry> = due
                .into_iter()
                .filter_map(|entry| self.look(entry))
                .collect();
            watched = lock(&self.watched);
            watched.entries.extend(again);
        }
    }

    /// One look; gives the entry back when another is needed.
    fn look(&self, entry: Entry) -> Option<Entry> {
        let Entry { looks, flight, .. } = entry;
        let after = match flight.watch() {
            Watched::Waits => STEPS[(looks + 1).min(STEPS.len() - 1)],
            Watched::SentAway if self.gave_up(&flight) => {
                flight.abandon();
                self.remove(&flight);
                return None;
            }
            Watched::SentAway => AWAY,
            Watched::Over => {
                self.remove(&flight);
                return None;
            }
        };
        Some(Entry {
            next: Instant::now() + after,
            looks: looks + 1,
            flight,
        })
    }

    fn gave_up(&self, flight: &Flight) -> bool {
        let late = flight.interrupt.is_by_flags()
            && flight
                .sent_away()
                .is_some_and(|since| since.elapsed() > RETURN);
        late || !flight.caller_lives()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
