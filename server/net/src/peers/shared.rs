//! The memory behind the table: a memfd mapped for reading and writing, seen as atomic words.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::mm::{MapFlags, ProtFlags};

use super::{ENTRIES, Entry};

/// A mapping that lives as long as this value.
pub(super) struct Shared {
    fd: OwnedFd,
    base: NonNull<c_void>,
    size: usize,
}

// SAFETY: the memory is only ever touched through atomics (see `entry`), by any thread.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    /// A new, zeroed memfd whose size is sealed, so that no holder can shrink it under a reader
    /// (memfd_create(2): access past the end of a shrunk file is SIGBUS).
    pub(super) fn create(size: usize) -> std::io::Result<Self> {
        let fd = rustix::fs::memfd_create(
            "mirrord-peers",
            MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING,
        )?;
        rustix::fs::ftruncate(&fd, size as u64)?;
        rustix::fs::fcntl_add_seals(&fd, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        Shared::map(fd, size)
    }

    /// Maps what another process created; refuses anything of another size.
    pub(super) fn map(fd: OwnedFd, size: usize) -> std::io::Result<Self> {
        let found = rustix::fs::fstat(&fd)?.st_size;
        if found != size as i64 {
            return Err(std::io::Error::other(format!(
                "the address table has {found} bytes where {size} were expected (are session and \
                 supervisor of the same version?)"
            )));
        }
        // SAFETY: a fresh shared mapping at an address of the kernel's choice; nothing else uses
        // that range, and the file's size is checked above and sealed by its creator.
        let base = unsafe {
            rustix::mm::mmap(
                std::ptr::null_mut(),
                size,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED | MapFlags::NORESERVE,
                &fd,
                0,
            )?
        };
        let base = NonNull::new(base).ok_or_else(|| std::io::Error::other("mapped at zero"))?;
        Ok(Shared { fd, base, size })
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// One entry of the table.
    pub(super) fn entry(&self, index: usize) -> &Entry {
        assert!(index < ENTRIES && self.size == ENTRIES * size_of::<Entry>());
        // SAFETY: in bounds by the line above, page-aligned base, zero-initialised, and atomics
        // may be shared with other processes' mappings of the same file.
        unsafe {
            &*self
                .base
                .as_ptr()
                .cast::<[AtomicU64; super::WORDS]>()
                .add(index)
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: our own mapping; references into it cannot outlive `self`.
        let _ = unsafe { rustix::mm::munmap(self.base.as_ptr(), self.size) };
    }
}
