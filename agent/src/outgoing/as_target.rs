//! Runs a closure on a thread that has the target's ids.
//!
//! A Unix socket's server sees who connected (`SO_PEERCRED`) and may trust root; and the socket
//! file's permissions are to be checked as for the target. Raw system calls change one thread
//! only, unlike libc's wrappers (nptl(7)), and the thread ends afterwards.
#![allow(unsafe_code)]

use std::io;

use mirrord_protocol::creds::Creds;

/// Runs `work` as the target. Fails, rather than go on as ourselves, when we may not change.
pub(super) fn as_target<T: Send>(
    creds: &Creds,
    work: impl FnOnce() -> io::Result<T> + Send,
) -> io::Result<T> {
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("as-target".into())
            .spawn_scoped(scope, || {
                become_target(creds)?;
                work()
            })?
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the connecting thread failed")))
    })
}

fn become_target(creds: &Creds) -> io::Result<()> {
    let (uid, gid) = (
        rustix::process::geteuid().as_raw(),
        rustix::process::getegid().as_raw(),
    );
    if (uid, gid) == (creds.uid, creds.gid) && uid != 0 {
        return Ok(());
    }
    let groups: &[u32] = &creds.groups;
    let result = change(
        libc::SYS_setgroups,
        [groups.len() as u64, groups.as_ptr() as u64, 0],
    );
    // A rootless agent in the target's user namespace may be kept from changing groups
    // (user_namespaces(7), /proc/PID/setgroups); it then has no others than the target's.
    if let Err(error) = result
        && (error.raw_os_error() != Some(libc::EPERM) || uid == 0 && !rootless())
    {
        return Err(error);
    }
    let gid = u64::from(creds.gid);
    change(libc::SYS_setresgid, [gid, gid, gid])?;
    let uid = u64::from(creds.uid);
    change(libc::SYS_setresuid, [uid, uid, uid])
}

/// Whether we live in a user namespace where `setgroups` is denied.
fn rootless() -> bool {
    std::fs::read("/proc/thread-self/setgroups").is_ok_and(|text| text.starts_with(b"deny"))
}

fn change(number: libc::c_long, args: [u64; 3]) -> io::Result<()> {
    // SAFETY: set*id system calls read at most the group list, which outlives the call, and
    // change nothing but this thread's credentials.
    let result = unsafe { libc::syscall(number, args[0], args[1], args[2]) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
