//! The shared table: what every supervised process needs to decide by itself.
//!
//! One read-only page range (a sealed memfd) with this header and the compiled rules behind it.
//! The supervisor may change the header's flags while programs run; the rules never change.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::sys::{self, Errno};

/// "mirrord\0".
pub const MAGIC: u64 = u64::from_le_bytes(*b"mirrord\0");
/// Layout version.
pub const VERSION: u32 = 1;

/// Every decision is wanted as an event: the layer asks the supervisor about everything.
pub const REPORT_ALL: u32 = 1;

/// Decisions that lead to the pod are wanted as events; for the supervisor's own memory.
pub const REPORT_REMOTE: u32 = 2;

/// First bytes of the table.
#[repr(C)]
pub struct Header {
    /// [`MAGIC`].
    pub magic: u64,
    /// [`VERSION`].
    pub version: u32,
    /// [`REPORT_ALL`], [`REPORT_REMOTE`] and, later, others; unknown bits are ignored.
    pub flags: AtomicU32,
    /// `st_dev` of the pod's mount as `stat(2)` gives it; 0: there is none.
    pub device: AtomicU64,
    /// Process id of the keeper, for `PR_SET_PTRACER`; 0: not known.
    pub keeper: AtomicU32,
    /// Where the rules begin in the table, 64-byte aligned.
    pub rules_offset: u32,
    /// How long they are.
    pub rules_len: u32,
}

/// A table, mapped for as long as the process lives.
#[derive(Clone, Copy)]
pub struct Table {
    header: &'static Header,
    rules: &'static [u8],
}

impl Table {
    /// Maps a table and checks its header. The descriptor is not needed afterwards.
    pub fn map(fd: i32) -> Result<Table, Errno> {
        const END: u64 = libc::SEEK_END as u64;
        // SAFETY: moves a file offset.
        let len = unsafe { sys::call(libc::SYS_lseek, [fd as u64, 0, END, 0, 0, 0]) }?;
        if len < size_of::<Header>() as u64 {
            return Err(Errno(libc::ENOEXEC));
        }
        let (read, shared) = (libc::PROT_READ as u64, libc::MAP_SHARED as u64);
        // SAFETY: a fresh mapping wherever the kernel likes.
        let address = unsafe { sys::call(libc::SYS_mmap, [0, len, read, shared, fd as u64, 0]) }?;
        // SAFETY: `len` bytes are mapped there for good, page aligned; all bit patterns are
        // valid; fields that others write are atomic.
        let header = unsafe { &*(address as *const Header) };
        let (offset, rules) = (u64::from(header.rules_offset), u64::from(header.rules_len));
        if header.magic != MAGIC || header.version != VERSION || offset + rules > len {
            // SAFETY: nothing refers to the mapping but `header`, which is not used again.
            let _ = unsafe { sys::call(libc::SYS_munmap, [address, len, 0, 0, 0, 0]) };
            return Err(Errno(libc::ENOEXEC));
        }
        // SAFETY: inside the mapping, which nobody can write to (it is sealed).
        let rules =
            unsafe { std::slice::from_raw_parts((address + offset) as *const u8, rules as usize) };
        Ok(Table { header, rules })
    }

    /// The compiled rules.
    pub fn rules(&self) -> &'static [u8] {
        self.rules
    }

    /// Whether every call must be asked about.
    pub fn report_all(&self) -> bool {
        self.header.flags.load(Ordering::Relaxed) & REPORT_ALL != 0
    }

    /// Whose descendants may read this process's memory, under Yama.
    pub fn keeper(&self) -> u32 {
        self.header.keeper.load(Ordering::Relaxed)
    }

    /// `st_dev` of the pod's mount, when there is one.
    pub fn device(&self) -> Option<u64> {
        let device = self.header.device.load(Ordering::Relaxed);
        (device != 0).then_some(device)
    }
}
