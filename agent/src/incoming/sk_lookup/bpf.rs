//! The four bpf(2) commands that stealing needs, and nothing more.
//!
//! A BPF library would be larger than this file and brings a loader for object files that this
//! agent has no use for: its one program is assembled in [`super::program`]. Descriptors made by
//! bpf(2) are close-on-exec by themselves.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::program::Instruction;

const BPF_MAP_CREATE: c_int = 0;
const BPF_MAP_UPDATE_ELEM: c_int = 2;
const BPF_MAP_DELETE_ELEM: c_int = 3;
const BPF_PROG_LOAD: c_int = 5;
const BPF_LINK_CREATE: c_int = 28;

const BPF_PROG_TYPE_SK_LOOKUP: u32 = 30;
/// As an attach type, from the same header (linux/bpf.h).
const BPF_SK_LOOKUP: u32 = 36;

const BPF_F_NO_PREALLOC: u32 = 1;

/// Kinds of maps in use.
#[derive(Debug, Clone, Copy)]
#[repr(u32)]
pub(super) enum MapKind {
    /// Any key to any value.
    Hash = 1,
    /// Small index to a socket, written as a descriptor.
    Sockets = 15,
}

/// A BPF map; its descriptor may be handed to another agent of the same target.
pub(super) struct Map {
    descriptor: OwnedFd,
    key_size: usize,
    value_size: usize,
}

impl Map {
    /// Makes an empty map.
    pub(super) fn create(
        kind: MapKind,
        key_size: usize,
        value_size: usize,
        max_entries: u32,
    ) -> io::Result<Map> {
        #[repr(C)]
        struct Attr {
            map_type: u32,
            key_size: u32,
            value_size: u32,
            max_entries: u32,
            map_flags: u32,
        }
        let attr = Attr {
            map_type: kind as u32,
            key_size: key_size as u32,
            value_size: value_size as u32,
            max_entries,
            map_flags: match kind {
                // Most of its entries are never used.
                MapKind::Hash => BPF_F_NO_PREALLOC,
                MapKind::Sockets => 0,
            },
        };
        Ok(Map {
            descriptor: bpf_descriptor(BPF_MAP_CREATE, &attr)?,
            key_size,
            value_size,
        })
    }

    /// Enters or replaces one element.
    pub(super) fn update(&self, key: &[u8], value: &[u8]) -> io::Result<()> {
        assert_eq!(
            (key.len(), value.len()),
            (self.key_size, self.value_size),
            "map sizes"
        );
        self.element(BPF_MAP_UPDATE_ELEM, key, value.as_ptr() as u64)
    }

    /// Removes one element; one that is not there is an error (ENOENT).
    pub(super) fn delete(&self, key: &[u8]) -> io::Result<()> {
        assert_eq!(key.len(), self.key_size, "map key size");
        self.element(BPF_MAP_DELETE_ELEM, key, 0)
    }

    /// The descriptor's number, which a program names the map by.
    pub(super) fn number(&self) -> i32 {
        self.descriptor.as_raw_fd()
    }

    fn element(&self, command: c_int, key: &[u8], value: u64) -> io::Result<()> {
        #[repr(C)]
        struct Attr {
            map_fd: u32,
            padding: u32,
            key: u64,
            value: u64,
            flags: u64,
        }
        let attr = Attr {
            map_fd: self.descriptor.as_raw_fd() as u32,
            padding: 0,
            key: key.as_ptr() as u64,
            value,
            flags: 0,
        };
        // SAFETY: key and value point to as many bytes as the map's sizes say (checked by the
        // callers above) and outlive the call; the kernel only reads them.
        unsafe { bpf(command, &attr) }.map(drop)
    }
}

/// Loads a socket look-up program; the verifier's words are in the error.
pub(super) fn load(program: &[Instruction]) -> io::Result<OwnedFd> {
    match load_with_log(program, &mut []) {
        Err(error) if error.raw_os_error() != Some(libc::EPERM) => {
            // Only a program that the verifier refused is loaded twice: with a log the load is
            // slower, and a log that is too small fails it (ENOSPC).
            let mut log = vec![0u8; 64 * 1024];
            load_with_log(program, &mut log).map_err(|error| {
                let end = log.iter().position(|&byte| byte == 0).unwrap_or(log.len());
                let text = String::from_utf8_lossy(&log[..end]);
                let last = text.trim_end().lines().next_back().unwrap_or_default();
                io::Error::new(error.kind(), format!("{error} ({last})"))
            })
        }
        other => other,
    }
}

fn load_with_log(program: &[Instruction], log: &mut [u8]) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Attr {
        prog_type: u32,
        insn_cnt: u32,
        insns: u64,
        license: u64,
        log_level: u32,
        log_size: u32,
        log_buf: u64,
        kern_version: u32,
        prog_flags: u32,
        prog_name: [u8; 16],
        prog_ifindex: u32,
        expected_attach_type: u32,
    }
    let mut prog_name = [0; 16];
    prog_name[..7].copy_from_slice(b"mirrord");
    let attr = Attr {
        prog_type: BPF_PROG_TYPE_SK_LOOKUP,
        insn_cnt: program.len() as u32,
        insns: program.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        log_level: u32::from(!log.is_empty()),
        log_size: log.len() as u32,
        log_buf: if log.is_empty() {
            0
        } else {
            log.as_mut_ptr() as u64
        },
        kern_version: 0,
        prog_flags: 0,
        prog_name,
        prog_ifindex: 0,
        expected_attach_type: BPF_SK_LOOKUP,
    };
    bpf_descriptor(BPF_PROG_LOAD, &attr)
}

/// Attaches a program to a network namespace for as long as the returned link is open: the
/// kernel detaches it when the last descriptor closes, however the process ends.
pub(super) fn attach(program: BorrowedFd<'_>, namespace: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Attr {
        prog_fd: u32,
        target_fd: u32,
        attach_type: u32,
        flags: u32,
    }
    let attr = Attr {
        prog_fd: program.as_fd().as_raw_fd() as u32,
        target_fd: namespace.as_fd().as_raw_fd() as u32,
        attach_type: BPF_SK_LOOKUP,
        flags: 0,
    };
    bpf_descriptor(BPF_LINK_CREATE, &attr)
}

fn bpf_descriptor<T>(command: c_int, attr: &T) -> io::Result<OwnedFd> {
    // SAFETY: the attributes' pointers are null or point to live buffers of the sizes given
    // beside them; each caller above builds them from slices that it holds.
    let number = unsafe { bpf(command, attr)? };
    // SAFETY: these commands return a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// # Safety
/// Pointers inside `attr` must be valid for what `command` does with them (bpf(2)).
unsafe fn bpf<T>(command: c_int, attr: &T) -> io::Result<c_int> {
    // SAFETY: the kernel reads `size_of::<T>()` bytes of `attr`; the rest is the caller's promise.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attr, size_of::<T>()) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result as c_int)
}
