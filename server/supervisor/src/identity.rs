//! Tells a caller that comes back with an interrupted call from one that makes another call with
//! the same registers: by the thread's start time and by what its pointers point to.

mod messages;

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher},
};

use crate::{call::Call, memory, status::read_proc, tracee::Tracee};

/// A thread in the middle of a certain call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    tid: i32,
    start_time: u64,
    content: u64,
}

impl Identity {
    /// Reads it; `None` when the thread is gone.
    pub fn read(call: &Call) -> Option<Identity> {
        let start_time = start_time(call.tid)?;
        Some(Identity {
            tid: call.tid,
            start_time,
            content: content(call),
        })
    }

    /// Whether the thread is still the same.
    pub fn thread_lives(&self) -> bool {
        start_time(self.tid) == Some(self.start_time)
    }
}

/// Field 22 of proc_pid_stat(5); the name before it may contain anything but ends with the last
/// parenthesis.
fn start_time(tid: i32) -> Option<u64> {
    let mut buf = [0; 1024];
    let text = read_proc(&format!("/proc/{tid}/stat"), &mut buf).ok()?;
    let after_name = text.iter().rposition(|b| *b == b')')? + 2;
    let fields = std::str::from_utf8(text.get(after_name..)?).ok()?;
    let mut fields = fields.split(' ');
    // A zombie is over, though it still has a start time.
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// A digest of the paths or the addresses that the call names.
fn content(call: &Call) -> u64 {
    let tracee = Tracee::of_thread(call.tid);
    let mut hasher = DefaultHasher::new();
    if messages::hash(call, &mut hasher) {
        return hasher.finish();
    }
    if let Some((address, len)) = socket_address(call) {
        let mut bytes = [0; 128];
        let len = (len as usize).min(bytes.len());
        let got = memory::read_some(call.tid, address, &mut bytes[..len]).unwrap_or(0);
        bytes[..got].hash(&mut hasher);
        if call.nr == libc::SYS_connect {
            // One that must not wait now is another call.
            waits(call.tid, call.args[0] as i32).hash(&mut hasher);
        }
        return hasher.finish();
    }
    for pointer in paths(call).into_iter().flatten() {
        tracee.read_path(pointer).ok().hash(&mut hasher);
    }
    hasher.finish()
}

/// Whether calls on a descriptor wait (`O_NONBLOCK` in proc_pid_fdinfo(5)); `None` without it.
fn waits(tid: i32, fd: i32) -> Option<bool> {
    let mut buf = [0; 1024];
    let text = read_proc(&format!("/proc/{tid}/fdinfo/{fd}"), &mut buf).ok()?;
    let text = std::str::from_utf8(text).ok()?;
    let flags = text.lines().find_map(|line| line.strip_prefix("flags:"))?;
    let flags = i32::from_str_radix(flags.trim(), 8).ok()?;
    Some(flags & libc::O_NONBLOCK == 0)
}

/// Where a socket address is and how long.
fn socket_address(call: &Call) -> Option<(u64, u64)> {
    match call.nr {
        libc::SYS_connect | libc::SYS_bind => Some((call.args[1], call.args[2])),
        libc::SYS_sendto => Some((call.args[4], call.args[5])),
        _ => None,
    }
}

/// The path arguments; all `*at` calls have the (first) path second.
fn paths(call: &Call) -> [Option<u64>; 2] {
    let args = &call.args;
    match call.nr {
        libc::SYS_accept
        | libc::SYS_accept4
        | libc::SYS_listen
        | libc::SYS_getsockname
        | libc::SYS_getpeername
        | libc::SYS_recvfrom
        | libc::SYS_getcwd
        | libc::SYS_uname => [None, None],
        libc::SYS_renameat2 | libc::SYS_linkat => [Some(args[1]), Some(args[3])],
        libc::SYS_symlinkat => [Some(args[0]), Some(args[2])],
        libc::SYS_chdir
        | libc::SYS_truncate
        | libc::SYS_statfs
        | libc::SYS_execve
        | libc::SYS_getxattr
        | libc::SYS_lgetxattr
        | libc::SYS_setxattr
        | libc::SYS_lsetxattr
        | libc::SYS_listxattr
        | libc::SYS_llistxattr
        | libc::SYS_removexattr
        | libc::SYS_lremovexattr => [Some(args[0]), None],
        #[cfg(target_arch = "x86_64")]
        libc::SYS_rename | libc::SYS_link | libc::SYS_symlink => [Some(args[0]), Some(args[1])],
        #[cfg(target_arch = "x86_64")]
        libc::SYS_open
        | libc::SYS_creat
        | libc::SYS_stat
        | libc::SYS_lstat
        | libc::SYS_access
        | libc::SYS_readlink
        | libc::SYS_mkdir
        | libc::SYS_rmdir
        | libc::SYS_unlink
        | libc::SYS_mknod
        | libc::SYS_chmod
        | libc::SYS_chown
        | libc::SYS_lchown
        | libc::SYS_utime
        | libc::SYS_utimes => [Some(args[0]), None],
        _ => [Some(args[1]), None],
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;

    use super::*;

    #[test]
    fn the_same_registers_with_another_path_are_another_call() {
        let path = CString::new("/data/a").unwrap().into_raw();
        let call = Call {
            id: 1,
            tid: rustix::thread::gettid().as_raw_nonzero().get(),
            nr: libc::SYS_openat,
            args: [0, path as u64, 0, 0, 0, 0],
        };
        let before = Identity::read(&call).unwrap();
        assert_eq!(Identity::read(&call), Some(before));
        // SAFETY: the string is ours and has a seventh byte.
        unsafe { *path.add(6) = b'b' as _ };
        assert_ne!(Identity::read(&call), Some(before));
        assert!(before.thread_lives());
        // SAFETY: made by `into_raw` above; its length is unchanged.
        drop(unsafe { CString::from_raw(path) });
    }

    #[test]
    fn the_same_message_with_other_content_is_another_call() {
        let mut payload = *b"a payload";
        let mut name = [2u8, 0, 0, 53, 10, 0, 0, 53, 0, 0, 0, 0, 0, 0, 0, 0];
        let mut vector = [payload.as_mut_ptr() as u64, payload.len() as u64];
        // `struct mmsghdr`, whose length the answer fills in.
        let mut header = [0u64; 8];
        header[0] = name.as_mut_ptr() as u64;
        header[1] = name.len() as u64;
        header[2] = vector.as_mut_ptr() as u64;
        header[3] = 1;
        let at = header.as_mut_ptr();
        let read = |nr| {
            let call = Call {
                id: 1,
                tid: rustix::thread::gettid().as_raw_nonzero().get(),
                nr,
                args: [3, at as u64, 1, 0, 0, 0],
            };
            Identity::read(&call).unwrap()
        };
        for nr in [libc::SYS_sendmsg, libc::SYS_sendmmsg] {
            let changed = |what: *mut u8| {
                let before = read(nr);
                // SAFETY: one of the arrays above, which live on.
                unsafe { what.write_volatile(what.read_volatile() ^ 1) };
                read(nr) != before
            };
            assert!(changed(payload.as_mut_ptr()), "{nr}");
            assert!(changed(name.as_mut_ptr().wrapping_add(7)), "{nr}");
            assert!(changed(at.wrapping_add(5).cast()), "{nr}");
            assert!(!changed(at.wrapping_add(7).cast()), "{nr}");
        }
        // What a receiving call fills in is no part of it.
        let before = read(libc::SYS_recvmsg);
        payload[0] ^= 1;
        std::hint::black_box(&payload);
        assert_eq!(read(libc::SYS_recvmsg), before);
    }
}
