//! Reading and writing another process's memory (process_vm_readv(2)).

use rustix::io::Errno;

/// Reads as much of `buf` as is mapped at `address`; `EFAULT` when nothing is.
pub(crate) fn read_some(tid: i32, address: u64, buf: &mut [u8]) -> Result<usize, Errno> {
    if buf.is_empty() {
        return Ok(0);
    }
    let local = libc::iovec {
        iov_base: buf.as_mut_ptr().cast(),
        iov_len: buf.len(),
    };
    let remote = libc::iovec {
        iov_base: address as *mut _,
        iov_len: buf.len(),
    };
    // SAFETY: `local` describes `buf`, which outlives the call; `remote` is only meaningful in
    // the other process, where the kernel checks it.
    let done = unsafe { libc::process_vm_readv(tid, &local, 1, &remote, 1, 0) };
    if done < 0 {
        Err(last_errno())
    } else {
        Ok(done as usize)
    }
}

/// Reads what lies at these places, in a row; `EFAULT` when it is not all there. There are at most
/// `IOV_MAX` places, which together are as long as `buf`.
pub(crate) fn read_scattered(
    tid: i32,
    places: &[(u64, usize)],
    buf: &mut [u8],
) -> Result<(), Errno> {
    if buf.is_empty() {
        return Ok(());
    }
    let local = libc::iovec {
        iov_base: buf.as_mut_ptr().cast(),
        iov_len: buf.len(),
    };
    let remote: Vec<libc::iovec> = places
        .iter()
        .map(|(address, len)| libc::iovec {
            iov_base: *address as *mut _,
            iov_len: *len,
        })
        .collect();
    // SAFETY: `local` describes `buf`, which outlives the call; `remote` is only meaningful in
    // the other process, where the kernel checks it.
    let done = unsafe {
        let (remote, count) = (remote.as_ptr(), remote.len() as libc::c_ulong);
        libc::process_vm_readv(tid, &local, 1, remote, count, 0)
    };
    match usize::try_from(done) {
        Ok(done) if done == buf.len() => Ok(()),
        Ok(_) => Err(Errno::FAULT),
        Err(_) => Err(last_errno()),
    }
}

/// Writes all of `bytes` at `address`, or fails.
pub(crate) fn write_all(tid: i32, address: u64, bytes: &[u8]) -> Result<(), Errno> {
    let mut done = 0;
    while done < bytes.len() {
        let rest = &bytes[done..];
        let local = libc::iovec {
            iov_base: rest.as_ptr() as *mut _,
            iov_len: rest.len(),
        };
        let remote = libc::iovec {
            iov_base: (address + done as u64) as *mut _,
            iov_len: rest.len(),
        };
        // SAFETY: `local` describes `rest`, which is only read; `remote` is checked by the kernel
        // against the other process's mappings.
        let n = unsafe { libc::process_vm_writev(tid, &local, 1, &remote, 1, 0) };
        match n {
            n if n > 0 => done += n as usize,
            0 => return Err(Errno::FAULT),
            _ => return Err(last_errno()),
        }
    }
    Ok(())
}

fn last_errno() -> Errno {
    let code = std::io::Error::last_os_error()
        .raw_os_error()
        .unwrap_or(libc::EIO);
    Errno::from_raw_os_error(code)
}
