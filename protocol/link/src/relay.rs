//! Bytes both ways between a socket and a stream, with half-close and resets passed on.
//!
//! An idle connection holds no buffer: what is read goes through one scratch buffer of the thread,
//! and what comes from the link is written as it came. Only what one side could not take at once
//! is kept.

use std::{
    cell::RefCell,
    collections::VecDeque,
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use rustix::net::sockopt;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
};

use crate::Stream;

/// The most one read takes from a socket.
const SCRATCH_SIZE: usize = 256 << 10;

/// Packets of the link that one system call writes, and bytes that are taken from it ahead.
const MAX_SLICES: usize = 16;
const MAX_AHEAD: usize = 256 << 10;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A socket that can be relayed.
pub trait RelaySocket: AsyncRead + AsyncWrite + Unpin {
    /// Makes the coming close a reset, where the socket's kind knows one.
    fn reset_on_close(&self);
}

impl RelaySocket for TcpStream {
    fn reset_on_close(&self) {
        // A zero linger time turns close(2) into a RST (socket(7)). Failing leaves a plain FIN,
        // and the socket is about to be closed in any case.
        if let Err(error) = sockopt::set_socket_linger(self, Some(Duration::ZERO)) {
            tracing::debug!(%error, "could not make a close a reset");
        }
    }
}

impl RelaySocket for UnixStream {
    fn reset_on_close(&self) {}
}

/// Relays until both directions have ended, or one side broke; then the other is reset.
pub async fn relay<S: RelaySocket>(mut socket: S, mut stream: Stream) -> io::Result<()> {
    let mut up = Up::default();
    let mut down = Down::default();
    let result = poll_fn(|cx| {
        let up_done = up.poll(cx, &mut socket, &mut stream)?;
        let down_done = down.poll(cx, &mut socket, &mut stream)?;
        match (up_done, down_done) {
            (Poll::Ready(()), Poll::Ready(())) => Poll::Ready(Ok(())),
            // Nobody reads the stream any more, so a reset must be asked for.
            (Poll::Pending, Poll::Ready(())) => stream.poll_reset(cx).map(Err),
            _ => Poll::Pending,
        }
    })
    .await;
    if result.is_err() {
        socket.reset_on_close();
    }
    result
}

/// Socket to stream.
#[derive(Default)]
struct Up {
    /// Read from the socket, not yet taken by the stream.
    held: Vec<u8>,
    sent: usize,
    end_seen: bool,
    done: bool,
}

impl Up {
    fn poll<S: RelaySocket>(
        &mut self,
        cx: &mut Context<'_>,
        socket: &mut S,
        stream: &mut Stream,
    ) -> io::Result<Poll<()>> {
        while !self.done {
            if self.sent < self.held.len() {
                match write_some(cx, stream, &self.held[self.sent..])? {
                    0 => return Ok(Poll::Pending),
                    size => self.sent += size,
                }
                continue;
            }
            // Back to no memory at all.
            (self.held, self.sent) = (Vec::new(), 0);
            if self.end_seen {
                match Pin::new(&mut *stream).poll_shutdown(cx)? {
                    Poll::Pending => return Ok(Poll::Pending),
                    Poll::Ready(()) => self.done = true,
                }
                continue;
            }
            if self.read(cx, socket, stream)?.is_pending() {
                return Ok(Poll::Pending);
            }
        }
        Ok(Poll::Ready(()))
    }

    fn read<S: RelaySocket>(
        &mut self,
        cx: &mut Context<'_>,
        socket: &mut S,
        stream: &mut Stream,
    ) -> io::Result<Poll<()>> {
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.resize(SCRATCH_SIZE, 0);
            let mut buffer = ReadBuf::new(scratch);
            match Pin::new(socket).poll_read(cx, &mut buffer)? {
                Poll::Pending => return Ok(Poll::Pending),
                Poll::Ready(()) => {}
            }
            let bytes = buffer.filled();
            if bytes.is_empty() {
                self.end_seen = true;
                return Ok(Poll::Ready(()));
            }
            let taken = write_some(cx, stream, bytes)?;
            self.held.extend_from_slice(&bytes[taken..]);
            Ok(Poll::Ready(()))
        })
    }
}

/// Writes what the stream takes now; 0 when it takes nothing and will wake us.
fn write_some(cx: &mut Context<'_>, stream: &mut Stream, bytes: &[u8]) -> io::Result<usize> {
    let mut taken = 0;
    while taken < bytes.len() {
        match Pin::new(&mut *stream).poll_write(cx, &bytes[taken..])? {
            Poll::Pending => break,
            Poll::Ready(size) => taken += size,
        }
    }
    Ok(taken)
}

/// Stream to socket.
#[derive(Default)]
struct Down {
    packets: VecDeque<yamux::Packet>,
    /// Bytes of all packets, and those of the first that were written already.
    ahead: usize,
    written: usize,
    end_seen: bool,
    done: bool,
}

impl Down {
    fn poll<S: RelaySocket>(
        &mut self,
        cx: &mut Context<'_>,
        socket: &mut S,
        stream: &mut Stream,
    ) -> io::Result<Poll<()>> {
        while !self.done {
            self.take_packets(cx, stream)?;
            if self.packets.is_empty() {
                if !self.end_seen {
                    return Ok(Poll::Pending);
                }
                match Pin::new(&mut *socket).poll_shutdown(cx) {
                    Poll::Pending => return Ok(Poll::Pending),
                    // The socket's other end may be gone already; then there is nobody to tell.
                    Poll::Ready(_) => self.done = true,
                }
                continue;
            }
            match self.poll_write(cx, socket) {
                Poll::Pending => return Ok(Poll::Pending),
                Poll::Ready(result) => result?,
            }
        }
        Ok(Poll::Ready(()))
    }

    fn take_packets(&mut self, cx: &mut Context<'_>, stream: &mut Stream) -> io::Result<()> {
        while !self.end_seen && self.ahead < MAX_AHEAD && self.packets.len() < MAX_SLICES {
            match stream.poll_packet(cx) {
                Poll::Pending => break,
                Poll::Ready(None) => self.end_seen = true,
                Poll::Ready(Some(packet)) => {
                    let packet = packet?;
                    let size = packet.as_ref().len();
                    if size > 0 {
                        self.ahead += size;
                        self.packets.push_back(packet);
                    }
                }
            }
        }
        Ok(())
    }

    fn poll_write<S: RelaySocket>(
        &mut self,
        cx: &mut Context<'_>,
        socket: &mut S,
    ) -> Poll<io::Result<()>> {
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        for (slice, packet) in slices.iter_mut().zip(&self.packets) {
            *slice = IoSlice::new(packet.as_ref());
        }
        slices[0].advance(self.written);
        let count = self.packets.len().min(MAX_SLICES);
        let mut size = ready!(Pin::new(socket).poll_write_vectored(cx, &slices[..count]))?;
        if size == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        while let Some(first) = self.packets.front() {
            let left = first.as_ref().len() - self.written;
            if size < left {
                self.written += size;
                break;
            }
            size -= left;
            self.ahead -= first.as_ref().len();
            self.written = 0;
            self.packets.pop_front();
            if size == 0 {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}
