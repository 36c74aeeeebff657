//! The task that drives a link of streams, and what it shares with their owners.

use std::{
    future::poll_fn,
    io,
    sync::{Arc, Mutex, Weak},
    task::{Context, Poll},
};

use futures::task::AtomicWaker;
use tokio::{
    sync::{mpsc, watch},
    time::MissedTickBehavior,
};
use yamux::{Config, Connection, ConnectionError, Mode};

use super::{
    MAX_OPEN, Side, Stream,
    ledger::Ledger,
    memory::keep_freed_memory,
    wire::{Wire, lock},
};
use crate::{KEEPALIVE_INTERVAL, LinkError, socket::WebSocket};

/// Streams that yamux tolerates; well above what both sides allow themselves, because it ends the
/// link when it is exceeded.
const YAMUX_STREAMS: usize = 4 * MAX_OPEN;

/// Bodies larger than this are split into several frames. Larger frames copy and allocate less;
/// the default of 16 KiB is meant for links where one frame takes noticeable time.
const SPLIT_SIZE: usize = 64 << 10;

/// Memory by which all receive windows together may grow beyond their initial 256 KiB, to fill a
/// path with a long delay. It bounds what a reader who is too slow can make this process hold.
const fn window_growth(side: Side) -> usize {
    match side {
        Side::Session => 16 << 20,
        Side::Agent => 4 << 20,
    }
}

/// What the driver and the owners of streams share.
pub(super) struct Shared {
    connection: Mutex<Connection<Wire>>,
    pub(super) ledger: Arc<Mutex<Ledger>>,
    /// How the link ended, when not by us.
    pub(super) end: Mutex<Option<LinkError>>,
    /// yamux keeps one waker for those who wait to open a stream, so they wait in line here.
    opening: tokio::sync::Mutex<()>,
    driver: AtomicWaker,
    ended_tx: watch::Sender<bool>,
}

/// Builds a link of streams and spawns its driver.
pub(super) fn start(
    websocket: WebSocket,
    side: Side,
) -> (Arc<Shared>, mpsc::UnboundedReceiver<Stream>) {
    keep_freed_memory();
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let mut config = Config::default();
    // The first call lifts a limit that the second would run into.
    config.set_max_connection_receive_window(None);
    config.set_max_num_streams(YAMUX_STREAMS);
    let window = YAMUX_STREAMS * yamux::DEFAULT_CREDIT as usize + window_growth(side);
    config.set_max_connection_receive_window(Some(window));
    config.set_split_send_size(SPLIT_SIZE);
    let mode = match side {
        Side::Session => Mode::Client,
        Side::Agent => Mode::Server,
    };
    let connection = Connection::new(Wire::new(websocket, ledger.clone()), config, mode);
    let shared = Arc::new(Shared {
        connection: Mutex::new(connection),
        ledger,
        end: Mutex::default(),
        opening: tokio::sync::Mutex::default(),
        driver: AtomicWaker::new(),
        ended_tx: watch::Sender::new(false),
    });
    let (accepted_tx, accepted_rx) = mpsc::unbounded_channel();
    tokio::spawn(drive(Arc::downgrade(&shared), accepted_tx));
    (shared, accepted_rx)
}

impl Shared {
    /// A new stream; nothing is sent before its first byte.
    pub(super) async fn open(self: &Arc<Self>) -> io::Result<Stream> {
        let _turn = self.opening.lock().await;
        if lock(&self.ledger).held() >= MAX_OPEN {
            // Asking yamux now could end the link for everybody.
            return Err(io::Error::from_raw_os_error(24));
        }
        let opened = poll_fn(|cx| lock(&self.connection).poll_new_outbound(cx)).await;
        let stream = opened.map_err(|error| {
            io::Error::new(
                io::ErrorKind::NotConnected,
                format!("the link has ended: {error}"),
            )
        })?;
        lock(&self.ledger).opened(stream.id().val());
        // The driver does not know the new stream's queue yet.
        self.wake();
        Ok(Stream::new(stream, self.clone()))
    }

    /// Ends the link with a reason.
    pub(super) fn close(&self, reason: &str) {
        lock(&self.ledger).close = Some(reason.to_owned());
        self.wake();
    }

    /// Completes when the driver has ended.
    pub(super) async fn ended(&self) {
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = self.ended_tx.subscribe().wait_for(|ended| *ended).await;
    }

    /// Whether the driver has ended.
    pub(super) fn has_ended(&self) -> bool {
        *self.ended_tx.borrow()
    }

    /// Lets the driver run once more.
    pub(super) fn wake(&self) {
        self.driver.wake();
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<Option<Result<yamux::Stream, LinkError>>> {
        self.driver.register(cx.waker());
        lock(&self.connection)
            .poll_next_inbound(cx)
            .map(|polled| polled.map(|result| result.map_err(to_link_error)))
    }

    fn finish(&self, error: Option<LinkError>) {
        let closed = lock(&self.ledger).closed_by_peer.take();
        let closed = closed.map(|reason| LinkError::Closed { reason });
        *lock(&self.end) = closed.or(error);
        lock(&self.ledger).end();
        self.ended_tx.send_replace(true);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.driver.wake();
    }
}

/// Runs until the link ends or nobody holds it any more.
async fn drive(shared: Weak<Shared>, accepted_tx: mpsc::UnboundedSender<Stream>) {
    let mut ping = tokio::time::interval_at(
        tokio::time::Instant::now() + KEEPALIVE_INTERVAL,
        KEEPALIVE_INTERVAL,
    );
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let error = poll_fn(|cx| {
        let Some(shared) = shared.upgrade() else {
            return Poll::Ready(None);
        };
        while ping.poll_tick(cx).is_ready() {
            lock(&shared.ledger).ping = true;
        }
        loop {
            match shared.poll_accept(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(error)),
                Poll::Ready(Some(Ok(stream))) => {
                    // Nobody accepts any more: dropped, which resets it.
                    let _ = accepted_tx.send(Stream::new(stream, shared.clone()));
                }
            }
        }
    })
    .await;
    if let Some(shared) = shared.upgrade() {
        shared.finish(error);
    }
}

fn to_link_error(error: ConnectionError) -> LinkError {
    match error {
        ConnectionError::Io(error) if error.kind() == io::ErrorKind::TimedOut => LinkError::Dead {
            after: crate::KEEPALIVE_DEADLINE,
        },
        other => LinkError::Streams(Box::new(other)),
    }
}
