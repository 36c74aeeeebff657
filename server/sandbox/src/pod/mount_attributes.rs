//! mount_setattr(2) (Linux 5.12), which rustix does not have: the one way to make a bind mount
//! read-only together with everything mounted below it.

use std::ffi::CStr;
use std::io;

const MOUNT_ATTR_RDONLY: u64 = 1;
const AT_RECURSIVE: libc::c_int = 0x8000;

/// `struct mount_attr` of linux/mount.h.
#[repr(C)]
struct MountAttributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace_fd: u64,
}

/// Makes a mount and all below it read-only.
pub(super) fn set_read_only(path: &CStr) -> io::Result<()> {
    let attributes = MountAttributes {
        set: MOUNT_ATTR_RDONLY,
        clear: 0,
        propagation: 0,
        user_namespace_fd: 0,
    };
    // SAFETY: the path is NUL-terminated and the structure lives through the call, which reads as
    // many bytes of it as the last argument says.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            AT_RECURSIVE,
            &raw const attributes,
            size_of::<MountAttributes>(),
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
