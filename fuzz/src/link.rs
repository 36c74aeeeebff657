//! An agent's end of a link: a stranger's bytes before the hello, and a session's bytes behind it,
//! as messages and as multiplexed streams. Whatever they are, the link ends, and in time.

use std::cell::RefCell;
use std::time::Duration;

use bytes::Bytes;
use mirrord_link::{
    AgentIdentity, Endpoint, SessionIdentity, Side, SigningKey, Socket, accept, dial, read_frame,
};
use mirrord_protocol::hello::Purpose;
use mirrord_protocol::streams::{StreamHeader, StreamReply};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// An agent that is not done by then hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// An identity remembers the hellos that it has seen, so it is made anew now and then.
const HELLOS: usize = 1000;

/// Tries them: the first byte says in which of the three places the others arrive.
pub fn run(bytes: &[u8]) {
    let Some((place, bytes)) = bytes.split_first() else {
        return;
    };
    STAGE.with_borrow_mut(|stage| {
        let stage = match stage {
            Some(stage) if stage.hellos < HELLOS => stage,
            _ => stage.insert(Stage::new()),
        };
        stage.hellos += 1;
        let work = async {
            frames(bytes).await;
            match place % 3 {
                0 => stage.before_hello(bytes).await,
                1 => stage.messages(bytes).await,
                _ => stage.streams(bytes).await,
            }
        };
        let done = stage
            .runtime
            .block_on(async { tokio::time::timeout(PATIENCE, work).await });
        done.expect("the agent's end does not hang");
    });
}

thread_local! {
    static STAGE: RefCell<Option<Stage>> = const { RefCell::new(None) };
}

/// The small messages at the front of a stream.
async fn frames(mut bytes: &[u8]) {
    let _: Result<StreamReply, _> = read_frame(&mut &*bytes).await;
    while read_frame::<_, StreamHeader>(&mut bytes).await.is_ok() {}
}

struct Stage {
    runtime: tokio::runtime::Runtime,
    agent: AgentIdentity,
    session: SessionIdentity,
    folder: tempfile::TempDir,
    hellos: usize,
}

impl Stage {
    fn new() -> Self {
        // Always the same keys, so that a finding can be repeated.
        let key = SigningKey::from_bytes(&[7; 32]);
        let public = SessionIdentity::public_hex(&key);
        let agent = AgentIdentity::new(&public, "fuzz").expect("an identity");
        let session = SessionIdentity {
            session: "fuzz".to_owned(),
            key,
            agent: agent.fingerprint(),
        };
        Stage {
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("an event loop"),
            agent,
            session,
            folder: tempfile::tempdir().expect("a folder"),
            hellos: 0,
        }
    }

    async fn before_hello(&self, bytes: &[u8]) {
        let (mut stranger, agent) = UnixStream::pair().expect("a pair of sockets");
        let speak = async {
            // The agent may hang up in the middle.
            if stranger.write_all(bytes).await.is_ok() && stranger.shutdown().await.is_ok() {
                let _ = stranger.read_to_end(&mut Vec::new()).await;
            }
        };
        let (accepted, ()) = tokio::join!(accept(agent, &self.agent), speak);
        assert!(accepted.is_err(), "nobody proved anything");
    }

    async fn messages(&self, bytes: &[u8]) {
        let (agent, session) = self.link(Purpose::Control).await;
        let (_agent_sender, mut agent_receiver) = agent.into_messages();
        let (mut sender, _receiver) = session.into_messages();
        let sent = Bytes::copy_from_slice(bytes);
        let speak = async {
            sender.send(sent.clone()).await.expect("a whole message");
            sender.close("done").await.expect("a close");
        };
        let hear = async {
            let message = agent_receiver.next().await.expect("a message");
            assert_eq!(message.expect("a whole message"), sent);
            assert!(agent_receiver.next().await.is_none());
        };
        tokio::join!(speak, hear);
    }

    /// What comes behind a hello is a multiplexer's frames: these may be any.
    async fn streams(&self, bytes: &[u8]) {
        let (agent, session) = self.link(Purpose::Streams).await;
        let (streams, mut incoming) = agent.into_streams(Side::Agent);
        let (mut sender, mut receiver) = session.into_messages();
        let speak = async {
            for part in bytes.chunks(64) {
                if sender.send(Bytes::copy_from_slice(part)).await.is_err() {
                    return;
                }
            }
            let _ = sender.close("done").await;
        };
        let hear = async { while receiver.next().await.is_some_and(|read| read.is_ok()) {} };
        let serve = async {
            let mut opened = Vec::new();
            while let Some((_, stream)) = incoming.next().await {
                opened.push(stream);
            }
            for mut stream in opened {
                // Its data, or how it was cut off.
                let _ = stream.read_to_end(&mut Vec::new()).await;
            }
            streams.ended().await;
        };
        tokio::join!(speak, hear, serve);
    }

    /// A link of which both ends have proved themselves.
    async fn link(&self, purpose: Purpose) -> (Socket, Socket) {
        let path = self.folder.path().join("agent");
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).expect("a socket");
        let endpoint = Endpoint::Unix(path);
        let answer = async {
            let (io, _) = listener.accept().await.expect("a caller");
            accept(io, &self.agent).await.expect("a known session").1
        };
        let (agent, session) = tokio::join!(answer, dial(&endpoint, &self.session, purpose));
        (agent, session.expect("a known agent").1)
    }
}
