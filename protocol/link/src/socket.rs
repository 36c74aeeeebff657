//! A WebSocket whose two ends proved themselves, before it is known what it carries.

use std::time::Duration;

use mirrord_protocol::hello::Purpose;
use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::WebSocketConfig};

use crate::{
    IncomingStreams, MessageReceiver, MessageSender, Side, Streams, Transport, messages, streams,
};

/// How often a side that keeps a link alive pings it.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// How long a pinged peer may stay silent before it counts as dead.
pub const KEEPALIVE_DEADLINE: Duration = Duration::from_secs(30);

/// The largest message, and so the most memory a peer can make us take at once.
const MAX_MESSAGE: usize = 4 << 20;

/// The WebSocket inside.
pub(crate) type WebSocket = WebSocketStream<Transport>;

/// An authenticated link that has not been given its use yet.
#[derive(Debug)]
pub struct Socket {
    websocket: WebSocket,
}

impl Socket {
    pub(crate) fn new(websocket: WebSocket) -> Self {
        Socket { websocket }
    }

    /// Whole messages, for control and file calls.
    pub fn into_messages(self) -> (MessageSender, MessageReceiver) {
        messages::split(self.websocket)
    }

    /// Multiplexed byte streams. Spawns the task that drives them, so it must be called inside a
    /// tokio runtime.
    pub fn into_streams(self, side: Side) -> (Streams, IncomingStreams) {
        streams::start(self.websocket, side)
    }
}

pub(crate) fn websocket_config(purpose: Purpose) -> WebSocketConfig {
    // tungstenite clears the whole read buffer before each read, so a larger one costs small
    // messages more than it saves large ones.
    let read_buffer = match purpose {
        Purpose::Streams | Purpose::FileContent => 32 << 10,
        Purpose::Control | Purpose::Files => 16 << 10,
    };
    WebSocketConfig::default()
        .read_buffer_size(read_buffer)
        .write_buffer_size(64 << 10)
        .max_write_buffer_size(4 * MAX_MESSAGE)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
}
