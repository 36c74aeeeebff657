//! The mutual proof: each way in which the other side can be the wrong one fails closed.

mod common;

use std::time::Duration;

use common::Pair;
use mirrord_link::{AgentIdentity, Endpoint, LinkError, SessionIdentity, accept, dial};
use mirrord_protocol::hello::{Purpose, VersionRange};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixListener},
};

#[tokio::test]
async fn both_sides_learn_who_the_other_is() {
    let pair = Pair::new().await;
    let endpoint = pair.endpoint();
    let accepting = async {
        let (io, _) = pair.listener.accept().await.unwrap();
        accept(io, &pair.agent).await
    };
    let (accepted, dialled) =
        tokio::join!(accepting, dial(&endpoint, &pair.session, Purpose::Files));
    let (hello, _) = accepted.unwrap();
    let (answer, _) = dialled.unwrap();
    assert_eq!(
        (hello.session.as_str(), hello.purpose),
        ("s1", Purpose::Files)
    );
    assert_eq!((answer.version, answer.agent_version.as_str()), (1, "test"));
}

#[tokio::test]
async fn a_unix_socket_carries_a_link_too() {
    let pair = Pair::new().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent");
    let listener = UnixListener::bind(&path).unwrap();
    let accepting = async {
        let (io, _) = listener.accept().await.unwrap();
        accept(io, &pair.agent).await
    };
    let endpoint = Endpoint::Unix(path);
    let (accepted, dialled) =
        tokio::join!(accepting, dial(&endpoint, &pair.session, Purpose::Control));
    assert!(accepted.is_ok() && dialled.is_ok());
}

#[tokio::test]
async fn an_identity_survives_the_way_to_another_process() {
    let pair = Pair::new().await;
    let bytes = pair.session.to_bytes().unwrap();
    let pair = Pair {
        session: SessionIdentity::from_bytes(&bytes).unwrap(),
        ..pair
    };
    pair.link(Purpose::Files).await;
}

#[tokio::test]
async fn a_session_with_another_key_is_refused() {
    let pair = Pair::new().await;
    let thief = SessionIdentity {
        key: SessionIdentity::new_key().unwrap(),
        ..pair.session.clone()
    };
    let endpoint = pair.endpoint();
    let (accepted, dialled) =
        tokio::join!(pair.accept(), dial(&endpoint, &thief, Purpose::Control));
    assert!(matches!(accepted, Err(LinkError::WrongSession)));
    assert!(
        matches!(dialled, Err(LinkError::Refused { .. })),
        "{dialled:?}"
    );
}

#[tokio::test]
async fn a_process_that_took_the_agents_address_is_not_believed() {
    let pair = Pair::new().await;
    let public = SessionIdentity::public_hex(&pair.session.key);
    // It even knows the session's public key, but not the agent's secret one.
    let squatter = Pair {
        agent: AgentIdentity::new(&public, "test").unwrap(),
        ..pair
    };
    let endpoint = squatter.endpoint();
    let (accepted, dialled) = tokio::join!(
        squatter.accept(),
        dial(&endpoint, &squatter.session, Purpose::Control)
    );
    // The session's proof is bound to the agent it meant.
    assert!(matches!(accepted, Err(LinkError::WrongSession)));
    assert!(dialled.is_err());
}

#[tokio::test]
async fn an_answer_without_the_agents_proof_is_not_believed() {
    let pair = Pair::new().await;
    let endpoint = pair.endpoint();
    let squatting = async {
        let (io, _) = pair.listener.accept().await.unwrap();
        // An ordinary WebSocket server that agrees to anything.
        let websocket = tokio_tungstenite::accept_async(io).await;
        websocket.is_ok()
    };
    let (upgraded, dialled) =
        tokio::join!(squatting, dial(&endpoint, &pair.session, Purpose::Control));
    assert!(upgraded);
    assert!(
        matches!(dialled, Err(LinkError::WrongAgent { .. })),
        "{dialled:?}"
    );
}

#[tokio::test]
async fn a_recorded_hello_cannot_be_used_again() {
    let pair = Pair::new().await;
    let tap = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let recording = async {
        let (mut session, _) = tap.accept().await.unwrap();
        let mut agent = TcpStream::connect(pair.listener.local_addr().unwrap())
            .await
            .unwrap();
        let mut request = vec![0; 4096];
        let size = session.read(&mut request).await.unwrap();
        request.truncate(size);
        agent.write_all(&request).await.unwrap();
        tokio::spawn(async move { tokio::io::copy_bidirectional(&mut session, &mut agent).await });
        request
    };
    let endpoint = Endpoint::Tcp(tap.local_addr().unwrap());
    let (request, accepted, dialled) = tokio::join!(
        recording,
        pair.accept(),
        dial(&endpoint, &pair.session, Purpose::Control)
    );
    assert!(accepted.is_ok() && dialled.is_ok());

    let mut replay = TcpStream::connect(pair.listener.local_addr().unwrap())
        .await
        .unwrap();
    replay.write_all(&request).await.unwrap();
    assert!(matches!(pair.accept().await, Err(LinkError::Replayed)));
    let mut answer = String::new();
    replay.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
}

#[tokio::test]
async fn versions_without_overlap_say_which_they_are() {
    let mut pair = Pair::new().await;
    pair.agent = pair.agent.with_versions(VersionRange { min: 7, max: 9 });
    let endpoint = pair.endpoint();
    let (accepted, dialled) = tokio::join!(
        pair.accept(),
        dial(&endpoint, &pair.session, Purpose::Control)
    );
    assert!(matches!(accepted, Err(LinkError::Version { .. })));
    let text = dialled.unwrap_err().to_string();
    assert!(text.contains("1 to 1") && text.contains("7 to 9"), "{text}");
}

#[tokio::test]
async fn what_is_no_agent_gives_a_clear_error() {
    let pair = Pair::new().await;
    let endpoint = pair.endpoint();
    let other = async {
        let (mut io, _) = pair.listener.accept().await.unwrap();
        io.write_all(b"SSH-2.0-OpenSSH\r\n").await.unwrap();
        io.shutdown().await.unwrap();
    };
    let ((), dialled) = tokio::join!(other, dial(&endpoint, &pair.session, Purpose::Control));
    assert!(
        matches!(dialled, Err(LinkError::BadHello { .. })),
        "{dialled:?}"
    );
    drop(pair);
    let gone = Pair::new().await;
    let (endpoint, session) = (gone.endpoint(), gone.session.clone());
    drop(gone);
    let dialled = dial(&endpoint, &session, Purpose::Control).await;
    assert!(
        matches!(dialled, Err(LinkError::Connect { .. })),
        "{dialled:?}"
    );
}

#[tokio::test]
async fn a_silent_caller_does_not_hold_the_agent() {
    let mut pair = Pair::new().await;
    pair.agent = pair.agent.with_hello_limit(Duration::from_millis(100));
    let _caller = TcpStream::connect(pair.listener.local_addr().unwrap())
        .await
        .unwrap();
    let accepted = tokio::time::timeout(Duration::from_secs(5), pair.accept())
        .await
        .unwrap();
    assert!(matches!(accepted, Err(LinkError::Timeout { .. })));
}
