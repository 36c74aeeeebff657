//! Keeps the allocator from giving memory back to the kernel after every burst.
//!
//! Each frame of a stream is an allocation of up to 64 KiB, made by yamux and freed a moment
//! later. glibc gives the top of its heap back as soon as 128 KiB there are free, so a download
//! spent more time in `brk(2)` and in clearing new pages (200,000 page faults a gigabyte) than in
//! copying.

use std::{hint::black_box, sync::Once};

/// Freeing a block of this size raises glibc's trim threshold to twice of it (mallopt(3),
/// `M_MMAP_THRESHOLD`: the dynamic threshold). Other allocators do not mind.
const BLOCK: usize = 2 << 20;

/// Does it once for the process.
pub(super) fn keep_freed_memory() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| drop(black_box(Vec::<u8>::with_capacity(BLOCK))));
}
