//! A link on a socket, of which the test has a descriptor of the agent's end.

use std::os::fd::AsFd;

use mirrord_link::{AgentIdentity, Endpoint, SessionIdentity, SigningKey, accept, dial};
use mirrord_protocol::hello::Purpose;
use rustix::net::{RecvFlags, Shutdown, recv, shutdown};
use tokio::net::UnixListener;

use super::*;

#[tokio::test]
async fn a_lost_link_is_closed_before_the_next_one_is_sought() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent");
    let listener = UnixListener::bind(&path).unwrap();
    let key = SigningKey::from_bytes(&[7; 32]);
    let identity = AgentIdentity::new(&SessionIdentity::public_hex(&key), "test").unwrap();
    let session = SessionIdentity {
        session: "test".to_owned(),
        key,
        agent: identity.fingerprint(),
    };
    let answer = async {
        let (io, _) = listener.accept().await.unwrap();
        let end = io.as_fd().try_clone_to_owned().unwrap();
        (end, accept(io, &identity).await.unwrap().1)
    };
    let endpoint = Endpoint::Unix(path);
    let ((end, _kept), dialled) = tokio::join!(answer, dial(&endpoint, &session, Purpose::Files));
    let halves = dialled.unwrap().1.into_messages();

    shutdown(&end, Shutdown::Write).unwrap();
    let agent = Agent::new(Duration::from_secs(5));
    let seek = || {
        let mut goodbye = [0; 64];
        let closed = loop {
            match recv(&end, &mut goodbye, RecvFlags::DONTWAIT) {
                Ok((0, _)) => break true,
                Ok(_) => {}
                Err(_) => break false,
            }
        };
        let reason = format!("closed: {closed}");
        async { Err(LinkError::Refused { reason }) }
    };
    let result = (agent.keep(&agent.names, halves, Duration::from_secs(1), seek)).await;
    let Err(LinkError::Refused { reason }) = result else {
        panic!("{result:?}");
    };
    assert_eq!(reason, "closed: true");
}
