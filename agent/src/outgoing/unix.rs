//! Unix stream sockets below the target's root, and abstract ones of its network namespace.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use mirrord_link::{Stream, relay, write_frame};
use mirrord_protocol::streams::StreamReply;
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use tokio::net::UnixStream;

use crate::target::Target;

use super::{as_target::as_target, given_up, refuse, remote_error};

pub(super) async fn serve(
    path: Vec<u8>,
    mut stream: Stream,
    target: Arc<Target>,
) -> io::Result<()> {
    let shown = String::from_utf8_lossy(&path).replace('\0', "@");
    // On a thread of its own: the ids are changed for it, and a full backlog makes it wait.
    let connecting =
        tokio::task::spawn_blocking(move || as_target(&target.creds, || connect(&path, &target)));
    let connected = tokio::select! {
        connected = connecting => connected.map_err(io::Error::other)?,
        error = given_up(&mut stream) => return Err(error),
    };
    let socket = match connected {
        Ok(socket) => socket,
        Err(error) => {
            return refuse(stream, remote_error(&error, format!("connect to {shown}"))).await;
        }
    };
    rustix::io::ioctl_fionbio(&socket, true)?;
    let socket = UnixStream::from_std(socket.into())?;
    write_frame(
        &mut stream,
        &StreamReply::Connected {
            local: None,
            peer: None,
        },
    )
    .await?;
    relay(socket, stream).await
}

fn connect(path: &[u8], target: &Target) -> io::Result<OwnedFd> {
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    // A backlog that stays full must not hold the thread for ever.
    rustix::net::sockopt::set_socket_timeout(
        &socket,
        rustix::net::sockopt::Timeout::Send,
        Some(std::time::Duration::from_secs(60)),
    )?;
    if let Some(name) = path.strip_prefix(b"\0") {
        rustix::net::connect(&socket, &SocketAddrUnix::new_abstract_name(name)?)?;
        return Ok(socket);
    }
    // connect(2) has no way to stay below a directory; an O_PATH descriptor found inside the
    // root, named through /proc, has (the link leads to the inode, whatever the path is here).
    let node = rustix::fs::openat2(
        &target.root,
        Path::new(std::ffi::OsStr::from_bytes(path)),
        OFlags::PATH | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
    )?;
    let through = format!("/proc/thread-self/fd/{}", node.as_raw_fd());
    rustix::net::connect(&socket, &SocketAddrUnix::new(through)?)?;
    Ok(socket)
}
