//! `/dev/fuse`: requests in, answers out.

use std::{
    io::{self, IoSlice},
    os::fd::OwnedFd,
};

use bytes::Bytes;
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;

use crate::{
    abi::{OUT_HEADER, Writer},
    watched::watch,
};

/// An open FUSE connection.
#[derive(Debug)]
pub(crate) struct Device {
    fd: AsyncFd<OwnedFd>,
}

/// What an answer carries.
#[derive(Debug)]
pub(crate) enum Body {
    /// Structures.
    Bytes(Vec<u8>),
    /// Content, as it came from the link.
    Content(Vec<Bytes>),
}

impl Device {
    /// Takes a non-blocking `/dev/fuse` that a file system was made with.
    pub(crate) fn new(fd: OwnedFd) -> io::Result<Device> {
        Ok(Device { fd: watch(fd)? })
    }

    /// The next request; `None`: the file system is gone.
    pub(crate) async fn next(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            let mut ready = self.fd.readable().await?;
            let read = ready.try_io(|fd| Ok(rustix::io::read(fd.get_ref(), &mut *buffer)?));
            let Ok(read) = read else { continue };
            match read.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO)) {
                Ok(len) => return Ok(Some(len)),
                // ENOENT: the request was interrupted before we took it.
                Err(Errno::INTR | Errno::NOENT) => {}
                Err(Errno::NODEV) => return Ok(None),
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Answers a request.
    pub(crate) fn answer(&self, unique: u64, result: Result<Body, i32>) {
        let mut header = Writer::default();
        let (error, body) = match result {
            Ok(body) => (0, body),
            Err(errno) => (-errno, Body::Bytes(Vec::new())),
        };
        let len = match &body {
            Body::Bytes(bytes) => bytes.len(),
            Body::Content(parts) => parts.iter().map(Bytes::len).sum(),
        };
        header
            .u32((OUT_HEADER + len) as u32)
            .u32(error as u32)
            .u64(unique);
        let mut slices = vec![IoSlice::new(&header.bytes)];
        match &body {
            Body::Bytes(bytes) => slices.push(IoSlice::new(bytes)),
            Body::Content(parts) => slices.extend(parts.iter().map(|part| IoSlice::new(part))),
        }
        match rustix::io::writev(self.fd.get_ref(), &slices) {
            // ENOENT: nobody waits for it any more. ENODEV: the file system is gone, which the
            // reader learns too.
            Ok(_) | Err(Errno::NOENT | Errno::NODEV) => {}
            Err(error) => tracing::error!(%error, unique, "the kernel refused an answer"),
        }
    }
}
