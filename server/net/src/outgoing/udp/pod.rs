//! The association's socket in the pod: one stream, both ways.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use mirrord_link::{Stream, read_frame, write_frame};
use mirrord_protocol::control::RemoteError;
use mirrord_protocol::streams::{Datagram, StreamHeader, StreamReply};
use tokio::io::{AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::association::Input;
use crate::outgoing::Shared;

/// Datagrams that may wait for the link; more are dropped, as a full queue drops them anywhere.
const QUEUE: usize = 256;

/// A socket in the pod, perhaps still on its way.
pub(super) struct PodSocket {
    datagram_tx: mpsc::Sender<Datagram>,
    task: JoinHandle<()>,
}

/// What the association hears of it.
pub(super) enum PodEvent {
    /// It stands, with this local address.
    Stands(Option<SocketAddr>),
    /// A datagram or an ICMP error.
    Datagram(Datagram),
    /// It could not be made.
    Failed(RemoteError),
    /// It is gone: idle in the pod, or the link was lost.
    Ended,
}

impl PodSocket {
    pub(super) fn open(
        shared: Arc<Shared>,
        header: StreamHeader,
        input_tx: mpsc::Sender<Input>,
    ) -> Self {
        let (datagram_tx, datagram_rx) = mpsc::channel(QUEUE);
        let task = tokio::spawn(async move {
            let end = match run(&shared, &header, datagram_rx, &input_tx).await {
                Ok(()) => PodEvent::Ended,
                Err(error) => {
                    tracing::debug!(%error, "a UDP stream ended with an error");
                    PodEvent::Ended
                }
            };
            // Nobody listens when the association has ended before us.
            let _ = input_tx.send(Input::Pod(end)).await;
        });
        PodSocket { datagram_tx, task }
    }

    /// Sends if there is room.
    pub(super) fn send(&self, peer: SocketAddr, payload: Vec<u8>) {
        if self
            .datagram_tx
            .try_send(Datagram::Data { peer, payload })
            .is_err()
        {
            tracing::debug!(%peer, "dropped a datagram: the link is slower than the program");
        }
    }
}

impl Drop for PodSocket {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(
    shared: &Shared,
    header: &StreamHeader,
    datagram_rx: mpsc::Receiver<Datagram>,
    input_tx: &mpsc::Sender<Input>,
) -> io::Result<()> {
    let failed = |errno| RemoteError {
        errno,
        message: "the link to the agent does not stand".to_owned(),
    };
    let streams = match shared.streams().await {
        Ok(streams) => streams,
        Err(errno) => {
            let _ = input_tx
                .send(Input::Pod(PodEvent::Failed(failed(errno))))
                .await;
            return Ok(());
        }
    };
    // No waiting for the reply: the first datagram travels right behind the header.
    let (reader, writer) = tokio::io::split(streams.open(header).await?);
    tokio::select! {
        result = read(reader, input_tx) => result,
        result = write(writer, datagram_rx) => result,
    }
}

async fn read(mut reader: ReadHalf<Stream>, input_tx: &mpsc::Sender<Input>) -> io::Result<()> {
    let first = match read_frame(&mut reader).await? {
        StreamReply::Connected { local, .. } => PodEvent::Stands(local),
        StreamReply::Failed(error) => PodEvent::Failed(error),
    };
    let mut event = first;
    while input_tx.send(Input::Pod(event)).await.is_ok() {
        event = match read_frame(&mut reader).await {
            Ok(datagram) => PodEvent::Datagram(datagram),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        };
    }
    Ok(())
}

async fn write(
    mut writer: WriteHalf<Stream>,
    mut datagram_rx: mpsc::Receiver<Datagram>,
) -> io::Result<()> {
    while let Some(datagram) = datagram_rx.recv().await {
        match write_frame(&mut writer, &datagram).await {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                tracing::debug!(%error, "dropped a datagram that no frame holds");
            }
            result => result?,
        }
    }
    writer.shutdown().await
}
