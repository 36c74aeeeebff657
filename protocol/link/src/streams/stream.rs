//! One byte stream of a link.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures::{AsyncRead as _, AsyncWrite as _, Stream as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{driver::Shared, wire::lock};

/// A byte stream to the other side. Shutting down ends this direction and leaves the other open;
/// dropping it before both directions have ended resets what has not.
pub struct Stream {
    inner: yamux::Stream,
    shared: Arc<Shared>,
    id: u32,
    finished: bool,
}

impl Stream {
    pub(super) fn new(inner: yamux::Stream, shared: Arc<Shared>) -> Self {
        let id = inner.id().val();
        Stream {
            inner,
            shared,
            id,
            finished: false,
        }
    }

    /// The next bytes as they came, without a copy; `None` is the clean end.
    pub(crate) fn poll_packet(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<yamux::Packet>>> {
        match ready!(Pin::new(&mut self.inner).poll_next(cx)) {
            Some(packet) => Poll::Ready(Some(packet)),
            None => Poll::Ready(self.check_end().err().map(Err)),
        }
    }

    /// Ready once the other side has reset the stream or the link is gone. Only needed where
    /// nothing is being read any more; reads and writes tell it by themselves.
    pub(crate) fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if lock(&self.shared.ledger).was_reset(self.id, cx.waker()) {
            Poll::Ready(reset_error())
        } else {
            Poll::Pending
        }
    }

    /// yamux says that nothing more will come: fine if the other side said so.
    fn check_end(&self) -> io::Result<()> {
        if lock(&self.shared.ledger).ended_cleanly(self.id) {
            Ok(())
        } else {
            Err(reset_error())
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let size = ready!(Pin::new(&mut this.inner).poll_read(cx, buffer.initialize_unfilled()))?;
        if size == 0 {
            return Poll::Ready(this.check_end());
        }
        buffer.advance(size);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.finished {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        Pin::new(&mut this.inner)
            .poll_write(cx, bytes)
            .map_err(|_| reset_error())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The driver sends everything as soon as it has nothing else to do.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.finished {
            ready!(Pin::new(&mut this.inner).poll_close(cx)).map_err(|_| reset_error())?;
            this.finished = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let to_send = lock(&self.shared.ledger).dropped(self.id, self.finished);
        if to_send {
            self.shared.wake();
        }
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

fn reset_error() -> io::Error {
    let text = "the other side reset the stream, or its link ended";
    io::Error::new(io::ErrorKind::ConnectionReset, text)
}
