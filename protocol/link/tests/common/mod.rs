//! A real agent's and a real session's end of a link, over loopback TCP.

#![allow(dead_code, missing_docs)]

use mirrord_link::{
    AgentIdentity, Endpoint, IncomingStreams, SessionIdentity, Side, Socket, Streams, accept, dial,
};
use mirrord_protocol::hello::Purpose;
use tokio::net::TcpListener;

/// An agent's listener with its key, and what the session it was started for knows.
pub struct Pair {
    pub listener: TcpListener,
    pub agent: AgentIdentity,
    pub session: SessionIdentity,
}

impl Pair {
    pub async fn new() -> Self {
        let key = SessionIdentity::new_key().unwrap();
        let agent = AgentIdentity::new(&SessionIdentity::public_hex(&key), "test").unwrap();
        let session = SessionIdentity {
            session: "s1".to_owned(),
            key,
            agent: agent.fingerprint(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Pair {
            listener,
            agent,
            session,
        }
    }

    pub fn endpoint(&self) -> Endpoint {
        Endpoint::Tcp(self.listener.local_addr().unwrap())
    }

    /// The agent's and the session's end.
    pub async fn link(&self, purpose: Purpose) -> (Socket, Socket) {
        let endpoint = self.endpoint();
        let (agent, session) = tokio::join!(self.accept(), dial(&endpoint, &self.session, purpose));
        (agent.unwrap(), session.unwrap().1)
    }

    pub async fn accept(&self) -> Result<Socket, mirrord_link::LinkError> {
        let (io, _) = self.listener.accept().await.unwrap();
        accept(io, &self.agent).await.map(|(_, socket)| socket)
    }
}

/// Both ends of a streams link: the agent's, then the session's.
pub async fn streams() -> ((Streams, IncomingStreams), (Streams, IncomingStreams)) {
    let (agent, session) = Pair::new().await.link(Purpose::Streams).await;
    (
        agent.into_streams(Side::Agent),
        session.into_streams(Side::Session),
    )
}

/// Bytes that differ everywhere, so that loss, doubling and swapping all show.
pub fn pattern(size: usize) -> Vec<u8> {
    (0..size.div_ceil(8) as u64)
        .flat_map(|word| word.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes())
        .take(size)
        .collect()
}
