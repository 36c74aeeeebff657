//! Rules that came into force while the program ran: read once each, without a lock or an
//! allocation, for it may be a signal handler that comes upon them.

use std::{
    cell::UnsafeCell,
    mem::MaybeUninit,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use mirrord_filter::table::{Place, Table};
use mirrord_rules::Rules;

/// More changes than that, and the process asks the supervisor about every call.
const MOST: usize = 32;

/// Rules at one place of the table.
struct Slot {
    /// [`Place::to_bits`]; 0: the slot is free. Whoever writes it may fill the slot.
    place: AtomicU64,
    is_ready: AtomicBool,
    rules: UnsafeCell<MaybeUninit<Rules<'static>>>,
}

// SAFETY: the cell is written once, by who claimed the slot, before `is_ready` is set; it is read
// only afterwards.
unsafe impl Sync for Slot {}

static SLOTS: [Slot; MOST] = [const {
    Slot {
        place: AtomicU64::new(0),
        is_ready: AtomicBool::new(false),
        rules: UnsafeCell::new(MaybeUninit::uninit()),
    }
}; MOST];

/// The rules at a place; `None` while another thread reads them, or when they are damaged, or too
/// many were read already.
pub fn rules(table: &Table, place: Place) -> Option<&'static Rules<'static>> {
    let bits = place.to_bits();
    for slot in &SLOTS {
        match slot.place.load(Ordering::Relaxed) {
            found if found == bits => return slot.get(),
            0 => {}
            _ => continue,
        }
        match slot
            .place
            .compare_exchange(0, bits, Ordering::Relaxed, Ordering::Relaxed)
        {
            Ok(_) => {
                let rules = Rules::from_bytes(table.rules(place)?).ok()?;
                // SAFETY: the exchange made this slot ours, and nobody reads before it is ready.
                unsafe { (*slot.rules.get()).write(rules) };
                slot.is_ready.store(true, Ordering::Release);
                return slot.get();
            }
            Err(found) if found == bits => return slot.get(),
            Err(_) => {}
        }
    }
    None
}

impl Slot {
    fn get(&'static self) -> Option<&'static Rules<'static>> {
        // SAFETY: it is ready, so it was written, and it is not written again.
        self.is_ready
            .load(Ordering::Acquire)
            .then(|| unsafe { (*self.rules.get()).assume_init_ref() })
    }
}
