//! Whole files in memory: what is left without FUSE, and for files that have no size.
//!
//! A snapshot is the content of one moment. It cannot be written, a later change in the pod is
//! not seen in it, `/proc/self/fd` shows `memfd:` in place of a path, and directories cannot be
//! listed or entered that way.

use std::{os::fd::OwnedFd, rc::Rc};

use mirrord_protocol::{creds::Creds, files::Want};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

use crate::{clients, content::REQUEST, fs::Fs};

/// What a session without a mount cannot do, for the user.
pub(crate) const LIMITS: &str = "remote files are read whole into memory when they are opened \
    (at most 256 MiB each), they cannot be written, later changes in the pod are not seen through \
    an open file, and remote directories cannot be listed or entered";

/// The biggest file that is taken.
const BIGGEST: u64 = 256 << 20;

/// The content of a regular file as it is now, sealed.
pub(crate) async fn take(fs: &Rc<Fs>, path: Vec<u8>, creds: Option<Creds>) -> Result<OwnedFd, i32> {
    let walked = clients::walk(fs, path.clone(), true, Want::Data, creds.clone()).await?;
    let end = walked.end?;
    match end.attr.mode & libc::S_IFMT {
        libc::S_IFREG => {}
        libc::S_IFDIR => return Err(libc::EISDIR),
        _ => return Err(libc::ENXIO),
    }
    if end.attr.size > BIGGEST {
        return Err(libc::EFBIG);
    }
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    // The name is only shown, and bounded (memfd_create(2)).
    let name = &name[..name.len().min(200)];
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = memfd_create(name, flags).map_err(|errno| errno.raw_os_error())?;
    let _held = fs.hold(end.node);
    let mut offset = 0;
    while offset < BIGGEST {
        let parts = fs.read(end.node, offset, REQUEST, creds.clone()).await?;
        let mut len = 0;
        for part in &parts {
            let mut rest = &part[..];
            while !rest.is_empty() {
                let written = rustix::io::pwrite(&file, rest, offset + len)
                    .map_err(|errno| errno.raw_os_error())?;
                rest = &rest[written..];
                len += written as u64;
            }
        }
        offset += len;
        if len < REQUEST {
            break;
        }
    }
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    fcntl_add_seals(&file, seals).map_err(|errno| errno.raw_os_error())?;
    read_only(&file)
}

/// The same file, opened for reading only, as the program would have it.
fn read_only(file: &OwnedFd) -> Result<OwnedFd, i32> {
    use rustix::fs::{Mode, OFlags};
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(file));
    rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| errno.raw_os_error())
}
