//! Lines: sockets in the pod that questions leave from.
//!
//! Each socket of the program has a line to itself while it lives. A line whose socket is gone
//! serves the next one when every question on it was answered, for then nothing can come on it
//! that belongs to somebody else; and not for long, so that the source port of questions goes on
//! being hard to guess.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mirrord_link::{Stream, read_frame, write_frame};
use mirrord_protocol::streams::{Datagram, StreamHeader, StreamReply};
use tokio::io::{AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::ahead::Heard;
use super::{Client, NameServer};

/// How long a line is given to further sockets.
const SHARED_FOR: Duration = Duration::from_secs(5);
/// Questions that may wait for the link; more are dropped, as a full queue drops them anywhere.
const QUEUE: usize = 64;
/// More lines than this are kept only while their sockets live.
const KEPT: usize = 8;
/// And more than this at no time: the oldest is given up.
const MOST: usize = 512;

/// The lines to one name server; the task of its relay holds them.
pub(super) struct Lines {
    server: Arc<NameServer>,
    lines: Vec<Line>,
}

struct Line {
    opened: Instant,
    question_tx: mpsc::Sender<Datagram>,
    state: Arc<Mutex<State>>,
    task: AbortHandle,
}

/// Who uses a line.
#[derive(Default)]
struct State {
    client: Option<Client>,
    asked: usize,
    answered: usize,
}

impl Lines {
    /// The first line is opened at once, so that the first question need not wait for it.
    pub(super) fn of(server: &Arc<NameServer>) -> Lines {
        Lines {
            server: server.clone(),
            lines: vec![Line::open(server)],
        }
    }

    /// Sends a question of this socket, and with it those that the agent may ask after it.
    pub(super) fn send(&mut self, client: Client, question: Vec<u8>, next: Vec<Vec<u8>>) {
        let index = self.line_of(client);
        let line = &self.lines[index];
        lock(&line.state).asked += 1;
        let question = if next.is_empty() {
            Datagram::Data {
                peer: self.server.to,
                payload: question,
            }
        } else {
            Datagram::Ask { question, next }
        };
        if line.question_tx.try_send(question).is_err() {
            tracing::debug!(to = %self.server.to, "dropped a question: the link is slower than the program");
        }
    }

    fn line_of(&mut self, client: Client) -> usize {
        self.lines.retain(|line| !line.question_tx.is_closed());
        let uses = |line: &Line| lock(&line.state).client == Some(client);
        if let Some(index) = self.lines.iter().position(uses) {
            return index;
        }
        let server = &self.server;
        let free = self.lines.iter().position(|line| line.is_free(server));
        let index = free.unwrap_or_else(|| {
            if self.lines.len() >= KEPT {
                self.lines.retain(|line| line.is_used(&self.server));
            }
            if self.lines.len() >= MOST {
                self.lines.remove(0);
            }
            self.lines.push(Line::open(&self.server));
            self.lines.len() - 1
        });
        *lock(&self.lines[index].state) = State {
            client: Some(client),
            ..State::default()
        };
        index
    }
}

impl Line {
    fn open(server: &Arc<NameServer>) -> Line {
        let (question_tx, question_rx) = mpsc::channel(QUEUE);
        let state = Arc::new(Mutex::new(State::default()));
        let task = tokio::spawn(run(server.clone(), state.clone(), question_rx));
        Line {
            opened: Instant::now(),
            question_tx,
            state,
            task: task.abort_handle(),
        }
    }

    /// Whether another socket may have it.
    fn is_free(&self, server: &NameServer) -> bool {
        let (client, quiet) = {
            let state = lock(&self.state);
            (state.client, state.answered >= state.asked)
        };
        quiet && self.opened.elapsed() < SHARED_FOR && client.is_none_or(|old| !server.lives(old))
    }

    fn is_used(&self, server: &NameServer) -> bool {
        let client = lock(&self.state).client;
        client.is_some_and(|client| server.lives(client))
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Carries questions and answers until the line is given up, idle in the pod, or broken.
async fn run(
    server: Arc<NameServer>,
    state: Arc<Mutex<State>>,
    question_rx: mpsc::Receiver<Datagram>,
) {
    let Ok(streams) = server.shared.streams().await else {
        tracing::debug!(to = %server.to, "no link to a name server");
        return;
    };
    let header = StreamHeader::Udp {
        peer: Some(server.to),
        ipv6: server.to.is_ipv6(),
    };
    let result = async {
        // No waiting for the reply: the first question travels right behind the header.
        let (reader, writer) = tokio::io::split(streams.open(&header).await?);
        tokio::select! {
            result = answers(reader, &server, &state) => result,
            result = questions(writer, question_rx) => result,
        }
    }
    .await;
    if let Err(error) = result {
        tracing::debug!(%error, to = %server.to, "a line to a name server ended");
    }
}

async fn questions(
    mut writer: WriteHalf<Stream>,
    mut question_rx: mpsc::Receiver<Datagram>,
) -> io::Result<()> {
    while let Some(question) = question_rx.recv().await {
        match write_frame(&mut writer, &question).await {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                tracing::debug!(%error, "dropped a datagram that no frame holds");
            }
            result => result?,
        }
    }
    writer.shutdown().await
}

async fn answers(
    mut reader: ReadHalf<Stream>,
    server: &NameServer,
    state: &Mutex<State>,
) -> io::Result<()> {
    match read_frame(&mut reader).await? {
        StreamReply::Connected { local, .. } => {
            if let Some(local) = local {
                server.announce(SocketAddr::new(local.ip(), 0));
            }
        }
        StreamReply::Failed(error) => {
            tracing::debug!(%error, "no socket to a name server");
            return Ok(());
        }
    }
    loop {
        match read_frame(&mut reader).await {
            Ok(Datagram::Data { payload, .. }) => {
                match server.ahead().heard(&payload, Instant::now()) {
                    Heard::Programs => {
                        let client = {
                            let mut state = lock(state);
                            state.answered += 1;
                            state.client
                        };
                        deliver(server, client, &payload);
                    }
                    Heard::Ahead(Some((client, answer))) => deliver(server, Some(client), &answer),
                    Heard::Ahead(None) => {}
                }
            }
            Ok(Datagram::Ask { .. }) => return Err(io::ErrorKind::InvalidData.into()),
            Ok(Datagram::Error(error)) => {
                tracing::debug!(%error, "a name server's socket has an error");
                lock(state).answered += 1;
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Hands an answer to the socket that asked, if it is there still.
pub(super) fn deliver(server: &NameServer, client: Option<Client>, payload: &[u8]) {
    let Some(client) = client.filter(|client| server.lives(*client)) else {
        tracing::debug!("an answer came after its socket was closed");
        return;
    };
    // A full buffer of the program drops it, as it would in the pod.
    if let Err(error) = server.socket.get_ref().send_to(payload, client.address) {
        tracing::debug!(%error, "an answer did not reach the program");
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
