//! Memory that outlives a worker: which calls were received and not answered yet, and which
//! processes are supervised. The keeper makes it, workers write to it, and the worker after a
//! crash takes it up, so that no caller waits for ever.

use std::{
    cell::Cell,
    io,
    sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering},
};

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};

use crate::call::Call;

const SLOTS: usize = 2048;
const PROCESSES: usize = 4096;

const FREE: u32 = 0;
const FILLING: u32 = 1;
const WAITING: u32 = 2;

#[repr(C)]
struct Memory {
    slots: [Slot; SLOTS],
    processes: [AtomicI32; PROCESSES],
}

/// One call that waits for its answer.
#[repr(C)]
struct Slot {
    state: AtomicU32,
    listener: AtomicU32,
    attempts: AtomicU32,
    tid: AtomicI32,
    id: AtomicU64,
    nr: AtomicU64,
    args: [AtomicU64; 6],
}

/// Shared between keeper and workers by fork(2).
#[derive(Clone, Copy)]
pub(crate) struct Shared(&'static Memory);

/// A call noted as waiting; dropping it forgets it.
pub(crate) struct Noted(Option<&'static Slot>);

/// A call that a dead worker had received.
pub(crate) struct Orphan {
    pub call: Call,
    pub listener: u32,
    /// How many workers died over it.
    pub attempts: u32,
    pub noted: Noted,
}

impl Shared {
    /// Maps fresh memory that children share.
    pub fn new() -> io::Result<Shared> {
        let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
        // SAFETY: a new mapping at an address of the kernel's choice replaces nothing.
        let address =
            unsafe { mmap_anonymous(std::ptr::null_mut(), size_of::<Memory>(), access, flags) }?;
        // SAFETY: page aligned, never unmapped, zero-filled, and zeros are valid for the atomics
        // that it consists of.
        Ok(Shared(unsafe { &*address.cast::<Memory>() }))
    }

    /// Notes a call until the result is dropped. With thousands waiting it is not noted.
    pub fn note(&self, listener: u32, call: &Call) -> Noted {
        thread_local!(static LAST: Cell<usize> = const { Cell::new(0) });
        let start = LAST.get();
        for at in (start..SLOTS).chain(0..start) {
            let slot = &self.0.slots[at];
            let (free, filling) = (FREE, FILLING);
            if slot
                .state
                .compare_exchange(free, filling, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
            {
                LAST.set(at);
                slot.fill(listener, call);
                return Noted(Some(slot));
            }
        }
        Noted(None)
    }

    /// Takes up what a dead worker left: calls that wait, with the number of attempts raised.
    pub fn orphans(&self) -> Vec<Orphan> {
        let mut orphans = Vec::new();
        for slot in &self.0.slots {
            match slot.state.load(Ordering::Acquire) {
                FREE => {}
                // Died while it wrote this down; the call was not begun, but is not known either.
                FILLING => slot.state.store(FREE, Ordering::Release),
                _ => {
                    let attempts = slot.attempts.fetch_add(1, Ordering::Relaxed) + 1;
                    let listener = slot.listener.load(Ordering::Relaxed);
                    let noted = Noted(Some(slot));
                    orphans.push(Orphan {
                        call: slot.call(),
                        listener,
                        attempts,
                        noted,
                    });
                }
            }
        }
        orphans
    }

    /// Remembers a supervised process for the case that no worker can be kept alive.
    pub fn process_started(&self, tgid: i32) {
        self.replace(0, tgid);
    }

    /// Forgets it.
    pub fn process_ended(&self, tgid: i32) {
        self.replace(tgid, 0);
    }

    /// All supervised processes.
    pub fn processes(&self) -> Vec<i32> {
        let all = self
            .0
            .processes
            .iter()
            .map(|tgid| tgid.load(Ordering::Relaxed));
        all.filter(|tgid| *tgid != 0).collect()
    }

    fn replace(&self, from: i32, to: i32) {
        let order = Ordering::Relaxed;
        self.0
            .processes
            .iter()
            .find(|p| p.compare_exchange(from, to, order, order).is_ok());
    }
}

impl Slot {
    fn fill(&self, listener: u32, call: &Call) {
        let order = Ordering::Relaxed;
        self.listener.store(listener, order);
        self.attempts.store(0, order);
        self.tid.store(call.tid, order);
        self.id.store(call.id, order);
        self.nr.store(call.nr as u64, order);
        for (slot, value) in self.args.iter().zip(call.args) {
            slot.store(value, order);
        }
        self.state.store(WAITING, Ordering::Release);
    }

    fn call(&self) -> Call {
        let order = Ordering::Relaxed;
        let mut args = [0; 6];
        for (value, slot) in args.iter_mut().zip(&self.args) {
            *value = slot.load(order);
        }
        Call {
            id: self.id.load(order),
            tid: self.tid.load(order),
            nr: self.nr.load(order) as i64,
            args,
        }
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        if let Some(slot) = self.0 {
            slot.state.store(FREE, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unanswered_calls_are_found_and_answered_ones_are_not() {
        let shared = Shared::new().unwrap();
        let call = |id| Call {
            id,
            tid: 7,
            nr: 257,
            args: [1, 2, 3, 4, 5, 6],
        };
        let answered = shared.note(0, &call(1));
        let waiting = shared.note(3, &call(2));
        drop(answered);
        // A crash runs no destructors.
        std::mem::forget(waiting);
        let orphans = shared.orphans();
        assert_eq!(orphans.len(), 1);
        assert_eq!((orphans[0].call, orphans[0].listener), (call(2), 3));
        assert_eq!(orphans[0].attempts, 1);
        drop(orphans);
        assert!(shared.orphans().is_empty());
    }

    #[test]
    fn processes_are_remembered_until_they_end() {
        let shared = Shared::new().unwrap();
        shared.process_started(10);
        shared.process_started(11);
        shared.process_ended(10);
        assert_eq!(shared.processes(), [11]);
    }
}
