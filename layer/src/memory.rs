//! Memory from the kernel, for what is needed before the program's own allocator is.

use mirrord_filter::{Errno, sys};

/// Maps a descriptor's content; changes stay in this process. It is closed, whatever happens.
pub fn map_and_close(fd: i32) -> Result<&'static mut [u8], Errno> {
    let mapped = map(fd);
    sys::close(fd);
    mapped
}

fn map(fd: i32) -> Result<&'static mut [u8], Errno> {
    const END: u64 = libc::SEEK_END as u64;
    // SAFETY: moves a file offset that nobody reads by.
    let len = unsafe { sys::call(libc::SYS_lseek, [fd as u64, 0, END, 0, 0, 0]) }?;
    if len == 0 {
        return Ok(&mut []);
    }
    let access = (libc::PROT_READ | libc::PROT_WRITE) as u64;
    let private = libc::MAP_PRIVATE as u64;
    // SAFETY: a fresh mapping wherever the kernel likes.
    let address = unsafe { sys::call(libc::SYS_mmap, [0, len, access, private, fd as u64, 0]) }?;
    // SAFETY: just mapped, private, writable, and so long; a memory file is sealed, and a program
    // that is being executed cannot be cut short (ETXTBSY).
    Ok(unsafe { std::slice::from_raw_parts_mut(address as *mut u8, len as usize) })
}

/// Fresh zeros, page aligned.
pub fn zeros(len: usize) -> Result<&'static mut [u8], Errno> {
    let access = (libc::PROT_READ | libc::PROT_WRITE) as u64;
    let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE) as u64;
    let args = [0, len as u64, access, flags, u64::MAX, 0];
    // SAFETY: a fresh mapping wherever the kernel likes.
    let address = unsafe { sys::call(libc::SYS_mmap, args) }?;
    // SAFETY: just mapped, private, writable, zeroed, and so long.
    Ok(unsafe { std::slice::from_raw_parts_mut(address as *mut u8, len) })
}

/// Gives memory back.
pub fn unmap(memory: &'static mut [u8]) {
    if !memory.is_empty() {
        let args = [memory.as_ptr() as u64, memory.len() as u64, 0, 0, 0, 0];
        // SAFETY: a whole mapping of this module's, which its only holder gives up.
        let _ = unsafe { sys::call(libc::SYS_munmap, args) };
    }
}
