//! Connections that the local program does not take reach the pod's own program, whole.

use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use super::in_pod;
use super::namespace::{Outside, POD_V4, POD_V6, elsewhere};
use super::pod::{self, Client, PORT, visit};
use super::session::{Manner, Session};
use super::stolen::STEAL;
use crate::incoming::taker::{self, Taken};

in_pod!(by_sk_lookup, Root, async |outside| {
    refused(&outside, taker::sk_lookup, Manner::Refuses).await;
});
in_pod!(by_nftables, Rootless, async |outside| {
    refused(&outside, taker::nftables, Manner::Refuses).await;
});
in_pod!(
    when_the_session_breaks_the_stream,
    Rootless,
    async |outside| {
        refused(&outside, taker::nftables, Manner::Breaks).await;
    }
);

async fn refused(outside: &Outside, choose: fn() -> std::io::Result<Taken>, manner: Manner) {
    pod::serve("pod", PORT);
    let session = Session::start(choose, manner).await;
    session.incoming.subscribe(STEAL).await.unwrap();
    for ip in [POD_V4, POD_V6] {
        let (greeting, _) = outside.run(move || visit(ip, PORT)).await.unwrap();
        // From the pod's own address, never from loopback.
        let source: std::net::SocketAddr = greeting["pod ".len()..].parse().unwrap();
        assert_eq!(source.ip().to_string(), ip);
    }
    let (greeting, _) = elsewhere(|| visit("127.0.0.1", PORT)).await.unwrap();
    assert!(greeting.starts_with("pod 127.0.0.1:"), "{greeting}");
    // A client that speaks at once loses nothing: these bytes went to the session first.
    outside
        .run(|| {
            let mut client = Client::call(POD_V4, PORT).unwrap();
            let bytes: Vec<u8> = (0..300_000u32).flat_map(u32::to_le_bytes).collect();
            let mut sender = client.socket.try_clone().unwrap();
            let sent = bytes.clone();
            let sending = std::thread::spawn(move || {
                sender.write_all(&sent).unwrap();
                sender.shutdown(std::net::Shutdown::Write).unwrap();
            });
            client.greeting().unwrap();
            let mut back = Vec::new();
            client.socket.read_to_end(&mut back).unwrap();
            sending.join().unwrap();
            assert!(back == bytes, "bytes were lost or changed");
        })
        .await;
    session.incoming.shutdown().await;
}

in_pod!(a_refusal_by_both_is_a_refusal, Root, async |outside| {
    let session = Session::start(taker::sk_lookup, Manner::Refuses).await;
    session.incoming.subscribe(STEAL).await.unwrap();
    let error = outside.run(|| visit(POD_V4, PORT)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
});

in_pod!(
    a_lost_link_gives_connections_to_the_pod,
    Root,
    async |outside| {
        lost_link(&outside, taker::sk_lookup).await;
    }
);
in_pod!(a_lost_link_rootless, Rootless, async |outside| {
    lost_link(&outside, taker::nftables).await;
});

async fn lost_link(outside: &Outside, choose: fn() -> std::io::Result<Taken>) {
    pod::serve("pod", PORT);
    let session = Session::start(choose, Manner::Takes).await;
    session.incoming.subscribe(STEAL).await.unwrap();
    let mut client = outside.run(|| Client::call(POD_V4, PORT)).await.unwrap();
    let mut client = elsewhere(move || client.greeting().map(|_| client))
        .await
        .unwrap();
    session.lose();
    // Before anybody has given the port back.
    let (greeting, _) = outside.run(|| visit(POD_V6, PORT)).await.unwrap();
    assert!(greeting.starts_with("pod "), "{greeting}");
    // The standing one is cut, and does not look finished.
    let read = elsewhere(move || client.socket.read(&mut [0])).await;
    assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
    session.incoming.shutdown().await;
}

in_pod!(
    the_end_of_the_agent_resets_what_stands,
    Rootless,
    async |outside| {
        pod::serve("pod", PORT);
        let session = Session::start(taker::nftables, Manner::Takes).await;
        session.incoming.subscribe(STEAL).await.unwrap();
        let mut client = outside.run(|| Client::call(POD_V4, PORT)).await.unwrap();
        let mut client = elsewhere(move || client.greeting().map(|_| client))
            .await
            .unwrap();
        let reading = elsewhere(move || client.socket.read(&mut [0]));
        let ending = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            session.incoming.shutdown().await;
        };
        let (read, ()) = tokio::join!(reading, ending);
        assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
    }
);
