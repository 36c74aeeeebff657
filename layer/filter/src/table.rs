//! The shared table: what every supervised process needs to decide by itself.
//!
//! One read-only page range (a sealed memfd) with this header, the compiled rules behind it, and
//! room for others. The supervisor may change the header's flags while programs run. Rules that
//! were in force are never overwritten: new ones are put behind them, and the header names these
//! from then on.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::sys::{self, Errno};

/// "mirrord\0".
pub const MAGIC: u64 = u64::from_le_bytes(*b"mirrord\0");
/// Layout version.
pub const VERSION: u32 = 2;

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
    /// Where the rules in force are, as [`Place::to_bits`] gives it.
    pub rules: AtomicU64,
}

/// Where rules are in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Where they begin, 64-byte aligned.
    pub offset: u32,
    /// How long they are.
    pub len: u32,
}

impl Place {
    /// One number, for it must be changed as one; never 0.
    pub fn to_bits(self) -> u64 {
        (u64::from(self.offset) << 32) | u64::from(self.len)
    }

    /// The way back.
    pub fn from_bits(bits: u64) -> Place {
        Place {
            offset: (bits >> 32) as u32,
            len: bits as u32,
        }
    }

    fn ends_within(self, len: u64) -> bool {
        u64::from(self.offset) + u64::from(self.len) <= len
    }
}

/// A table, mapped for as long as the process lives.
#[derive(Clone, Copy)]
pub struct Table {
    header: &'static Header,
    /// Of the whole mapping.
    address: u64,
    len: u64,
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
        let table = Table {
            header,
            address,
            len,
        };
        if header.magic != MAGIC
            || header.version != VERSION
            || table.rules(table.place()).is_none()
        {
            // SAFETY: nothing refers to the mapping but `header`, which is not used again.
            let _ = unsafe { sys::call(libc::SYS_munmap, [address, len, 0, 0, 0, 0]) };
            return Err(Errno(libc::ENOEXEC));
        }
        Ok(table)
    }

    /// Where the rules in force are; another place than before means other rules.
    pub fn place(&self) -> Place {
        // What is there was written before its place was named.
        Place::from_bits(self.header.rules.load(Ordering::Acquire))
    }

    /// The compiled rules at a place that [`Table::place`] named.
    pub fn rules(&self, place: Place) -> Option<&'static [u8]> {
        if !place.ends_within(self.len) {
            return None;
        }
        let start = (self.address + u64::from(place.offset)) as *const u8;
        // SAFETY: inside the mapping, which stays; what was named once is never written again.
        Some(unsafe { std::slice::from_raw_parts(start, place.len as usize) })
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
