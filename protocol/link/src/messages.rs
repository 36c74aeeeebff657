//! A link that carries whole messages. There is no flow control above TCP's: who asks bounds what
//! is outstanding, and who answers may await [`MessageSender::send`].

use std::time::Duration;

use bytes::Bytes;
use futures::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use tokio_tungstenite::tungstenite::{
    Error, Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use crate::{LinkError, socket::WebSocket};

/// RFC 6455, 5.5: a control frame holds 125 bytes, two of them the close code.
const MAX_CLOSE_REASON: usize = 123;

/// How long a close waits for the other side to say goodbye too.
const GOODBYE_LIMIT: Duration = Duration::from_secs(1);

/// The sending half.
#[derive(Debug)]
pub struct MessageSender {
    sink: SplitSink<WebSocket, Message>,
}

/// The receiving half. Keep calling [`MessageReceiver::next`]: pings are answered by it.
#[derive(Debug)]
pub struct MessageReceiver {
    stream: SplitStream<WebSocket>,
    deadline: Option<Duration>,
    closed: Option<String>,
}

pub(crate) fn split(websocket: WebSocket) -> (MessageSender, MessageReceiver) {
    let (sink, stream) = websocket.split();
    (
        MessageSender { sink },
        MessageReceiver {
            stream,
            deadline: None,
            closed: None,
        },
    )
}

impl MessageSender {
    /// Sends one message now.
    pub async fn send(&mut self, message: Bytes) -> Result<(), LinkError> {
        Ok(self.sink.send(Message::Binary(message)).await?)
    }

    /// Adds a message to what the next [`MessageSender::flush`] sends in one piece; sends by
    /// itself when much has gathered.
    pub async fn feed(&mut self, message: Bytes) -> Result<(), LinkError> {
        Ok(self.sink.feed(Message::Binary(message)).await?)
    }

    /// Sends what was fed.
    pub async fn flush(&mut self) -> Result<(), LinkError> {
        Ok(self.sink.flush().await?)
    }

    /// Asks the other side for a sign of life, which its receiving half gives by itself.
    pub async fn ping(&mut self) -> Result<(), LinkError> {
        Ok(self.sink.send(Message::Ping(Bytes::new())).await?)
    }

    /// Ends the link on purpose; the other side reads `reason` (its first 123 bytes).
    pub async fn close(&mut self, reason: &str) -> Result<(), LinkError> {
        match self.sink.send(close_message(reason)).await {
            // Closed by the other side in the meantime: closed is what was wanted.
            Ok(()) | Err(Error::ConnectionClosed | Error::AlreadyClosed) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl MessageReceiver {
    /// From now on `next` fails when nothing, not even the answer to a ping, came for so long.
    /// Only useful where this side pings more often than that.
    pub fn set_deadline(&mut self, deadline: Duration) {
        self.deadline = Some(deadline);
    }

    /// The next message; `None` after a clean close, whose reason is in
    /// [`MessageReceiver::close_reason`]. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<Bytes, LinkError>> {
        if self.closed.is_some() {
            return None;
        }
        loop {
            let received = match self.deadline {
                None => self.stream.next().await,
                Some(after) => match tokio::time::timeout(after, self.stream.next()).await {
                    Ok(received) => received,
                    Err(_) => return Some(Err(LinkError::Dead { after })),
                },
            };
            match received? {
                Ok(Message::Binary(message)) => return Some(Ok(message)),
                Ok(Message::Close(frame)) => {
                    self.closed = Some(reason_of(frame));
                    // Our goodbye leaves with the next read. A peer that is gone already is as
                    // good as one that reads it.
                    let _ = tokio::time::timeout(GOODBYE_LIMIT, self.stream.next()).await;
                    return None;
                }
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
                Ok(Message::Text(_)) => {
                    let what = "a text message came where only binary ones are sent".to_owned();
                    return Some(Err(LinkError::BadHello { what }));
                }
                Err(error) => return Some(Err(error.into())),
            }
        }
    }

    /// Why the other side closed the link, once `next` returned `None`.
    pub fn close_reason(&self) -> Option<&str> {
        self.closed.as_deref()
    }
}

/// A close frame with as much of the reason as fits.
pub(crate) fn close_message(reason: &str) -> Message {
    let reason = &reason[..reason.floor_char_boundary(MAX_CLOSE_REASON)];
    Message::Close(Some(CloseFrame {
        code: CloseCode::Normal,
        reason: reason.into(),
    }))
}

/// The words of a close frame.
pub(crate) fn reason_of(frame: Option<CloseFrame>) -> String {
    frame
        .map(|frame| frame.reason.to_string())
        .unwrap_or_default()
}
