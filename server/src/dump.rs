//! `dump`: what clients of the pod's ports send, as it comes. The ports are mirrored, so the pod
//! answers as ever and what it answers is not seen here.

mod paper;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use mirrord_link::Stream;
use mirrord_protocol::control::{Answer, IncomingMode, Request, Subscribe};
use mirrord_protocol::streams::StreamHeader;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::provider::ClusterTerms;
use crate::session::direct::{Direct, Happened};
use crate::session::signals::Signals;
use mirrord_target::Target;
use paper::{Line, Told};

pub use paper::Style;

/// Lines that may wait to be printed; then connections wait.
const WAITING: usize = 64;
/// How long the last lines may take to be read.
const LAST_LINES: Duration = Duration::from_secs(1);
/// The most that one line shows.
const PIECE: usize = 16 << 10;

/// Prints until a signal, until nobody reads, or until it cannot go on; the result is the signal's
/// number, 0 when nobody reads any more.
pub async fn run(
    target: Target,
    cluster: ClusterTerms,
    ports: &[u16],
    style: Style,
) -> Result<i32> {
    let signals = Signals::listen()?;
    let mut direct = tokio::select! {
        direct = Direct::open(target, cluster) => direct?,
        signal = signals.next() => return Ok(signal?.number),
    };
    let (line_tx, line_rx) = mpsc::channel(WAITING);
    // Of its own, since it blocks with whoever reads, and nobody waits for it for ever.
    let (done_tx, done_rx) = tokio::sync::oneshot::channel();
    let writer = std::thread::Builder::new().name("dump".into());
    writer
        .spawn(move || {
            paper::print(line_rx, style);
            // Whoever waited may have given up.
            let _ = done_tx.send(());
        })
        .context("could not start a thread that prints")?;
    let ended = serve(&mut direct, &signals, ports, line_tx).await;
    let reason = match &ended {
        Ok(_) => "the dump was ended".to_owned(),
        Err(error) => format!("{error:#}"),
    };
    direct.close(&reason).await;
    if tokio::time::timeout(LAST_LINES, done_rx).await.is_err() {
        tracing::warn!("nobody reads; the last lines are lost");
    }
    ended
}

async fn serve(
    direct: &mut Direct,
    signals: &Signals,
    ports: &[u16],
    line_tx: mpsc::Sender<Line>,
) -> Result<i32> {
    for &port in ports {
        let mode = IncomingMode::Mirror;
        let request = Request::Subscribe(Subscribe { port, mode });
        match direct.agent.ask(request).await {
            Ok(Answer::Subscribed { by, .. }) => {
                let line = Line::now(None, Told::Watching { port, by });
                line_tx.send(line).await.ok();
            }
            Ok(other) => bail!("the agent answered {other:?}"),
            Err(error) => bail!("port {port} of the pod cannot be watched: {error}"),
        }
    }
    let last_id = Arc::new(AtomicU64::new(0));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            happened = direct.happened(signals) => match happened? {
                Happened::Signal(number) => return Ok(number),
                Happened::Lost(reason) => bail!("the pod is out of reach: {reason}"),
                Happened::Client(header, stream) => {
                    let id = last_id.fetch_add(1, Ordering::Relaxed) + 1;
                    connections.spawn(watch(id, header, stream, line_tx.clone()));
                }
            },
            Some(_) = connections.join_next() => {}
            () = line_tx.closed() => return Ok(0),
        }
    }
}

/// One connection. Whoever cannot be told any more ends everything.
async fn watch(id: u64, header: StreamHeader, mut stream: Stream, line_tx: mpsc::Sender<Line>) {
    let StreamHeader::Incoming { addresses, .. } = header else {
        return tracing::warn!("the agent opened a stream that only a session opens");
    };
    let tell = async |told| line_tx.send(Line::now(Some(id), told)).await.ok();
    let (client, server) = (addresses.client, addresses.server);
    tell(Told::Opened { client, server }).await;
    // Nothing goes back; so the stream is complete, and no reset, when the client has ended.
    let mut result = stream.shutdown().await;
    let mut buffer = vec![0; PIECE];
    while result.is_ok() {
        match stream.read(&mut buffer).await {
            Ok(0) => break,
            Ok(size) => {
                let bytes = buffer[..size].to_vec();
                tell(Told::Sent { client, bytes }).await;
            }
            Err(error) => result = Err(error),
        }
    }
    let reason = match result {
        Ok(()) => "the client ended it".to_owned(),
        Err(error) => format!("cut off: {error}"),
    };
    tell(Told::Closed { client, reason }).await;
}
