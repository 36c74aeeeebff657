//! The session's end of the packet socket to the supervisor.

use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use mirrord_protocol::codec;
use mirrord_protocol::local::{FromSupervisor, ToSupervisor};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, socketpair};
use tokio::io::unix::AsyncFd;

/// No message is longer: paths are at most 4 KiB, reasons are sentences.
const LONGEST: usize = 64 * 1024;

/// Our end.
pub struct SupervisorChannel {
    socket: AsyncFd<OwnedFd>,
    /// Messages are received here; held only where nothing waits.
    buffer: Mutex<Vec<u8>>,
}

impl SupervisorChannel {
    /// A connected pair: our end, and the descriptor that the supervisor inherits.
    pub fn pair() -> Result<(Self, OwnedFd)> {
        let (ours, theirs) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .context("could not make a socket pair for the supervisor")?;
        rustix::io::ioctl_fionbio(&ours, true).context("could not make a socket non-blocking")?;
        // SAFETY: the AsyncFd owns the descriptor, so its number stays ours until it is dropped.
        let socket = unsafe { AsyncFd::register(ours)? };
        let buffer = Mutex::new(vec![0; LONGEST]);
        Ok((SupervisorChannel { socket, buffer }, theirs))
    }

    /// The next message; `None` when the supervisor is gone.
    pub async fn receive(&self) -> Result<Option<FromSupervisor>> {
        loop {
            let mut ready = self.socket.readable().await?;
            let mut buffer = self.buffer.lock().unwrap_or_else(PoisonError::into_inner);
            let received = ready.try_io(|socket| {
                Ok(rustix::net::recv(
                    socket.get_ref(),
                    &mut buffer[..],
                    RecvFlags::empty(),
                )?)
            });
            match received {
                Err(_would_block) => {}
                Ok(Ok((0, _))) => return Ok(None),
                Ok(Ok((length, _))) => return Ok(Some(codec::decode(&buffer[..length])?)),
                Ok(Err(error)) if error.raw_os_error() == Some(libc::ECONNRESET) => {
                    return Ok(None);
                }
                Ok(Err(error)) => return Err(error).context("could not hear the supervisor"),
            }
        }
    }

    /// Sends one message. A supervisor that is gone is noticed by [`Self::receive`].
    pub async fn send(&self, message: &ToSupervisor) -> Result<()> {
        let packet = codec::encode(message)?;
        loop {
            let mut ready = self.socket.writable().await?;
            let sent = ready.try_io(|socket| {
                Ok(rustix::net::send(
                    socket.get_ref(),
                    &packet,
                    SendFlags::NOSIGNAL,
                )?)
            });
            match sent {
                Err(_would_block) => {}
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(error))
                    if matches!(error.raw_os_error(), Some(libc::EPIPE | libc::ECONNRESET)) =>
                {
                    return Ok(());
                }
                Ok(Err(error)) => return Err(error).context("could not tell the supervisor"),
            }
        }
    }
}
