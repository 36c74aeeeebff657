//! A client's connection in the agent's hands: its end is never made up.
//!
//! A connection that is let go before both directions ended is reset, whatever let it go (a link
//! that broke, an agent that shuts down): a plain close would look like the end of an answer
//! that was cut.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use mirrord_link::RelaySocket;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A TCP connection that is reset when it is dropped too early.
pub(super) struct Connection {
    socket: TcpStream,
    read_ended: bool,
    write_ended: bool,
}

impl Connection {
    /// Takes over a connection.
    pub(super) fn new(socket: TcpStream) -> Connection {
        Connection {
            socket,
            read_ended: false,
            write_ended: false,
        }
    }

    /// The socket, for looking at it.
    pub(super) fn socket(&self) -> &TcpStream {
        &self.socket
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if !(self.read_ended && self.write_ended) {
            self.socket.reset_on_close();
        }
    }
}

impl RelaySocket for Connection {
    fn reset_on_close(&self) {
        self.socket.reset_on_close();
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let room = buffer.remaining() > 0;
        let polled = Pin::new(&mut self.socket).poll_read(cx, buffer);
        if matches!(polled, Poll::Ready(Ok(()))) && room && buffer.filled().len() == before {
            self.read_ended = true;
        }
        polled
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.socket).poll_shutdown(cx);
        if matches!(polled, Poll::Ready(Ok(()))) {
            self.write_ended = true;
        }
        polled
    }
}
