//! The session's end of a real link, in place of the local program.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use mirrord_link::{
    AgentIdentity, Endpoint, IncomingStreams, SessionIdentity, Side, Stream, Streams, accept, dial,
    write_frame,
};
use mirrord_protocol::control::{AddressPair, IncomingMode, Notice, RemoteError};
use mirrord_protocol::hello::Purpose;
use mirrord_protocol::streams::{StreamHeader, StreamReply};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::incoming::Incoming;
use crate::incoming::taker::Taken;

/// What the session does with a stolen connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// Greets and echoes, as the pod's server does.
    Takes,
    /// Says that nobody listens.
    Refuses,
    /// Takes the stream and breaks it without a word.
    Breaks,
}

/// A mirrored connection as it came.
pub(super) struct Copied {
    pub(super) addresses: AddressPair,
    pub(super) bytes: Vec<u8>,
    /// A clean end, or a cut.
    pub(super) ended: bool,
}

/// What mirrored connections brought.
#[derive(Default)]
pub(super) struct Copies {
    /// Those that are over.
    pub(super) over: Mutex<Vec<Copied>>,
    /// Bytes of all so far.
    pub(super) bytes: AtomicUsize,
}

/// An agent's incoming side and the session at the other end of its link.
pub(super) struct Session {
    pub(super) incoming: Incoming,
    pub(super) notice_rx: mpsc::Receiver<Notice>,
    pub(super) copies: Arc<Copies>,
    serving: JoinHandle<()>,
}

impl Session {
    pub(super) async fn start(choose: fn() -> std::io::Result<Taken>, manner: Manner) -> Session {
        let (streams, incoming_streams) = link().await;
        let (notice_tx, notice_rx) = mpsc::channel(64);
        let copies = Arc::default();
        Session {
            incoming: Incoming::choosing(choose, streams, notice_tx),
            notice_rx,
            copies: Arc::clone(&copies),
            serving: tokio::spawn(serve(incoming_streams, manner, copies)),
        }
    }

    /// The link breaks.
    pub(super) fn lose(&self) {
        self.serving.abort();
    }
}

/// The agent's streams and the session's end of them, over a Unix socket.
async fn link() -> (Streams, IncomingStreams) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let key = SessionIdentity::new_key().unwrap();
    let agent = AgentIdentity::new(&SessionIdentity::public_hex(&key), "test").unwrap();
    let session = SessionIdentity {
        session: "test".to_owned(),
        key,
        agent: agent.fingerprint(),
    };
    let endpoint = Endpoint::Unix(path);
    let (accepted, dialled) = tokio::join!(
        async { accept(listener.accept().await.unwrap().0, &agent).await },
        dial(&endpoint, &session, Purpose::Streams),
    );
    let (streams, _) = accepted.unwrap().1.into_streams(Side::Agent);
    let (_, incoming) = dialled.unwrap().1.into_streams(Side::Session);
    (streams, incoming)
}

async fn serve(mut incoming: IncomingStreams, manner: Manner, copies: Arc<Copies>) {
    let mut tasks = tokio::task::JoinSet::new();
    while let Some((header, stream)) = incoming.next().await {
        let StreamHeader::Incoming {
            mode, addresses, ..
        } = header
        else {
            panic!("{header:?}");
        };
        let copies = copies.clone();
        tasks.spawn(async move {
            match (mode, manner) {
                (IncomingMode::Mirror, _) => keep(stream, addresses, &copies).await,
                (IncomingMode::Steal, Manner::Takes) => {
                    // Connections that a test tears end in an error here.
                    let _ = echo(stream, addresses).await;
                }
                (IncomingMode::Steal, Manner::Refuses) => refuse(stream).await,
                (IncomingMode::Steal, Manner::Breaks) => drop(stream),
            }
        });
    }
}

async fn echo(mut stream: Stream, addresses: AddressPair) -> std::io::Result<()> {
    let reply = StreamReply::Connected {
        local: None,
        peer: None,
    };
    write_frame(&mut stream, &reply).await?;
    let AddressPair { client, server } = addresses;
    let greeting = format!("stolen {client} {server}\n");
    stream.write_all(greeting.as_bytes()).await?;
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return stream.shutdown().await,
            size => stream.write_all(&buffer[..size]).await?,
        }
    }
}

async fn refuse(mut stream: Stream) {
    let reply = StreamReply::Failed(RemoteError {
        errno: libc::ECONNREFUSED,
        message: "nobody listens".to_owned(),
    });
    write_frame(&mut stream, &reply).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
}

async fn keep(mut stream: Stream, addresses: AddressPair, copies: &Copies) {
    stream.shutdown().await.unwrap();
    let mut bytes = Vec::new();
    let ended = loop {
        match stream.read_buf(&mut bytes).await {
            Ok(0) => break true,
            Ok(size) => copies.bytes.fetch_add(size, Ordering::Relaxed),
            Err(_) => break false,
        };
    };
    copies.over.lock().unwrap().push(Copied {
        addresses,
        bytes,
        ended,
    });
}
