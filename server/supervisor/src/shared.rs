//! Memory that outlives a worker: which calls were received and not answered yet, and which
//! processes are supervised. The keeper makes it, workers write to it, and the worker after a
//! crash takes it up, so that no caller waits for ever.

use std::{
    cell::{Cell, UnsafeCell},
    io, mem,
    sync::atomic::{AtomicI32, AtomicU32, Ordering},
};

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};

use crate::call::Call;

const SLOTS: usize = 2048;
const PROCESSES: usize = 4096;

const FREE: u32 = 0;
const TAKEN: u32 = 1;

#[repr(C)]
struct Memory {
    slots: [Slot; SLOTS],
    processes: [AtomicI32; PROCESSES],
}

/// One call that waits for its answer. The kernel itself writes the notification here, so that
/// a worker that is killed on its way back from receiving has noted it all the same.
#[repr(C)]
struct Slot {
    state: AtomicU32,
    listener: AtomicU32,
    attempts: AtomicU32,
    notification: UnsafeCell<libc::seccomp_notif>,
}

// SAFETY: the cell is touched only by who holds the slot: the thread that took it by an atomic
// exchange, or the one worker that takes up what a dead worker held.
unsafe impl Sync for Slot {}

/// Shared between keeper and workers by fork(2).
#[derive(Clone, Copy)]
pub(crate) struct Shared(&'static Memory);

/// A place for a call, and then the call noted as waiting; dropping it forgets it.
pub(crate) struct Noted(Place);

enum Place {
    Shared(&'static Slot),
    /// All slots are taken: this call would be lost with the worker.
    Own(Box<libc::seccomp_notif>),
}

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

    /// Takes a place to receive a call of this listener into.
    pub fn place(&self, listener: u32) -> Noted {
        thread_local!(static LAST: Cell<usize> = const { Cell::new(0) });
        let start = LAST.get();
        for at in (start..SLOTS).chain(0..start) {
            let slot = &self.0.slots[at];
            let taken =
                slot.state
                    .compare_exchange(FREE, TAKEN, Ordering::Acquire, Ordering::Relaxed);
            if taken.is_ok() {
                LAST.set(at);
                slot.listener.store(listener, Ordering::Relaxed);
                slot.attempts.store(0, Ordering::Relaxed);
                return Noted(Place::Shared(slot));
            }
        }
        // SAFETY: zeros are a valid notification.
        Noted(Place::Own(Box::new(unsafe { mem::zeroed() })))
    }

    /// Takes up what a dead worker left: calls that wait, with the number of attempts raised.
    pub fn orphans(&self) -> Vec<Orphan> {
        let mut orphans = Vec::new();
        for slot in &self.0.slots {
            if slot.state.load(Ordering::Acquire) == FREE {
                continue;
            }
            // Free again when dropped: so also a place into which nothing was received.
            let mut noted = Noted(Place::Shared(slot));
            let call = noted.call();
            if call.id != 0 {
                let attempts = slot.attempts.fetch_add(1, Ordering::Relaxed) + 1;
                let listener = slot.listener.load(Ordering::Relaxed);
                orphans.push(Orphan {
                    call,
                    listener,
                    attempts,
                    noted,
                });
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

impl Noted {
    /// Where the kernel writes a notification.
    pub fn notification(&mut self) -> &mut libc::seccomp_notif {
        match &mut self.0 {
            // SAFETY: we hold the slot, and `self` is borrowed exclusively.
            Place::Shared(slot) => unsafe { &mut *slot.notification.get() },
            Place::Own(notification) => notification,
        }
    }

    /// The call that was received.
    pub fn call(&mut self) -> Call {
        let notification = self.notification();
        Call {
            id: notification.id,
            tid: notification.pid as i32,
            nr: notification.data.nr.into(),
            args: notification.data.args,
        }
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        if let Place::Shared(slot) = &self.0 {
            // SAFETY: we hold the slot. The kernel wants zeros to receive into, and zeros tell
            // "nothing received".
            unsafe { slot.notification.get().write(mem::zeroed()) };
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
        let received = |listener, id| {
            let mut place = shared.place(listener);
            place.notification().id = id;
            place.notification().data.nr = 257;
            place
        };
        drop(received(0, 1));
        // A crash runs no destructors.
        mem::forget(received(3, 2));
        mem::forget(shared.place(3));
        let orphans = shared.orphans();
        assert_eq!(orphans.len(), 1);
        let call = orphans[0].call;
        assert_eq!((call.id, call.nr, orphans[0].listener), (2, 257, 3));
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
