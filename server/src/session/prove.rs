//! Proving that the pod's traffic arrives: a request is made from inside the pod to the pod's own
//! address, as a client would make it, and it is seen who got it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use mirrord_link::Streams;
use mirrord_protocol::control::{Answer, Request};
use mirrord_protocol::event::EventKind;
use mirrord_protocol::session_control::{FromSession, PortMode, Proof, SessionAnswer};
use mirrord_protocol::streams::{StreamHeader, StreamReply};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::agent_link::AgentLink;
use super::control::Answered;
use super::parts::Parts;
use super::refusal;

/// Answers come within this time, or count as none.
const ANSWERED_WITHIN: Duration = Duration::from_secs(3);
/// The event that tells of a connection is a little behind the answer.
const SEEN_WITHIN: Duration = Duration::from_millis(500);
/// So much of an answer is read, and so much shown.
const READ: usize = 2048;
const SHOWN: usize = 120;

/// What the proof needs of the session.
pub struct Prover {
    agent: AgentLink,
    streams: Option<Streams>,
    told_rx: mpsc::Receiver<FromSession>,
    hostname: String,
    port: u16,
    mode: PortMode,
}

impl Parts {
    /// Prepares a proof for a port of the pod; events are watched from now on.
    pub fn prover(&self, port: u16) -> Prover {
        let status = self.board.status();
        let mode = status.ports.iter().find(|known| known.port == port);
        Prover {
            agent: self.agent.clone(),
            streams: self.streams_tx.borrow().clone(),
            told_rx: self.board.events.subscribe(status.next_seq, false).told_rx,
            hostname: self.hostname.clone(),
            port,
            mode: mode.map_or(PortMode::Off, |known| known.mode),
        }
    }
}

impl Prover {
    /// Makes the request and says who answered.
    pub async fn prove(mut self) -> Answered {
        let Some(streams) = self.streams.take() else {
            return Err(refusal::plain("agent", "the agent is out of reach"));
        };
        let to = SocketAddr::new(self.pods_address().await, self.port);
        let (local_answered, answer) = match call(&streams, to).await {
            Ok((client, answer)) => {
                let arrived = match client {
                    Some(client) => self.arrived(client).await,
                    None => false,
                };
                (arrived, Ok(answer))
            }
            Err(error) => (false, Err(error)),
        };
        let answered_by = match (&answer, local_answered, self.mode) {
            (Ok(_), true, PortMode::Mirror) => "both",
            (Ok(_), true, _) => "local",
            (Ok(answer), false, _) if !answer.is_empty() => "pod",
            _ => "nobody",
        };
        let detail = match answer {
            Ok(answer) if answer.is_empty() => {
                "the connection stood, and nothing was said on it".to_owned()
            }
            Ok(answer) => shortened(&answer),
            Err(error) => error,
        };
        let proof = Proof {
            request: format!("GET http://{to}/ from inside the pod"),
            matches: self.mode != PortMode::Off,
            answered_by: answered_by.to_owned(),
            detail,
        };
        let requests = vec![proof];
        Ok(SessionAnswer::Proof { requests })
    }

    /// What the pod itself says its name means, which its clients call; its loopback otherwise.
    async fn pods_address(&self) -> IpAddr {
        let host = self.hostname.clone();
        let found = match self.agent.ask(Request::Resolve { host }).await {
            Ok(Answer::Resolved(found)) => found,
            _ => Vec::new(),
        };
        let outside = found.into_iter().find(|address| !address.is_loopback());
        outside.unwrap_or(Ipv4Addr::LOCALHOST.into())
    }

    /// Whether our program was handed the connection of this client.
    async fn arrived(&mut self, wanted: SocketAddr) -> bool {
        let same = |client: SocketAddr| {
            (client.ip().to_canonical(), client.port())
                == (wanted.ip().to_canonical(), wanted.port())
        };
        let deadline = Instant::now() + SEEN_WITHIN;
        while let Ok(Some(told)) = timeout_at(deadline, self.told_rx.recv()).await {
            if let FromSession::Event(event) = told
                && let EventKind::Incoming { port, client, .. } = event.kind
                && port == self.port
                && same(client)
            {
                return true;
            }
        }
        false
    }
}

/// One request: the client's address as the pod sees it, and the beginning of the answer.
async fn call(streams: &Streams, to: SocketAddr) -> Result<(Option<SocketAddr>, Vec<u8>), String> {
    let cannot = |error: std::io::Error| format!("{to} could not be called: {error}");
    let header = StreamHeader::ConnectTcp { to };
    let (reply, mut stream) = timeout(ANSWERED_WITHIN, streams.open_with_reply(&header))
        .await
        .map_err(|_| format!("{to} could not be called within {ANSWERED_WITHIN:?}"))?
        .map_err(cannot)?;
    let local = match reply {
        StreamReply::Connected { local, .. } => local,
        StreamReply::Failed(error) => return Err(format!("{to} could not be called: {error}")),
    };
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {to}\r\nUser-Agent: mirrord-proof\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.map_err(cannot)?;
    stream.flush().await.map_err(cannot)?;
    let mut answer = Vec::new();
    let mut beginning = stream.take(READ as u64);
    let reading = beginning.read_to_end(&mut answer);
    // Not every service speaks HTTP, and not every one ends the connection.
    if let Ok(Err(error)) = timeout(ANSWERED_WITHIN, reading).await {
        tracing::debug!("the answer of {to} ended with an error: {error}");
    }
    Ok((local, answer))
}

/// The first line, and the last, which is mostly the body.
fn shortened(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    let mut lines = text.lines().filter(|line| !line.is_empty());
    let mut shown = lines.next().unwrap_or_default().to_owned();
    if let Some(last) = lines.next_back() {
        shown = format!("{shown} … {last}");
    }
    shown
        .chars()
        .filter(|c| !c.is_control())
        .take(SHOWN)
        .collect()
}
