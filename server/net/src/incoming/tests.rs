//! Relays between a real link and a local program's listener on loopback.

use std::net::{Ipv4Addr, Ipv6Addr};

use mirrord_link::{
    AgentIdentity, Endpoint, IncomingStreams, SessionIdentity, Side, Streams, accept,
};
use mirrord_protocol::hello::Purpose;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// The agent's end of a link whose streams the relays serve.
struct Agent {
    streams: Streams,
    relays: IncomingRelays,
    peers: Arc<PeerTable>,
    news_rx: mpsc::Receiver<IncomingNews>,
}

impl Agent {
    async fn start() -> Agent {
        let (streams, incoming) = link().await;
        let peers = Arc::new(PeerTable::create().unwrap());
        let (news_tx, news_rx) = mpsc::channel(16);
        let relays = IncomingRelays::new(peers.clone(), news_tx);
        tokio::spawn(serve_all(relays.clone(), incoming));
        Agent {
            streams,
            relays,
            peers,
            news_rx,
        }
    }

    /// A client's connection, as the agent brings it.
    async fn brings(&self, mode: IncomingMode) -> Stream {
        let header = StreamHeader::Incoming {
            subscription: 7,
            mode,
            addresses: real(),
        };
        self.streams.open(&header).await.unwrap()
    }

    async fn news(&mut self) -> IncomingNews {
        let waited = tokio::time::timeout(Duration::from_secs(5), self.news_rx.recv());
        waited.await.expect("news").unwrap()
    }
}

fn real() -> AddressPair {
    AddressPair {
        client: "203.0.113.9:5555".parse().unwrap(),
        server: "10.1.2.3:80".parse().unwrap(),
    }
}

async fn serve_all(relays: IncomingRelays, mut incoming: IncomingStreams) {
    while let Some((header, stream)) = incoming.next().await {
        let relays = relays.clone();
        tokio::spawn(async move {
            if let Err(error) = relays.serve(header, stream).await {
                eprintln!("a relay ended: {error}");
            }
        });
    }
}

async fn link() -> (Streams, IncomingStreams) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let endpoint = Endpoint::Tcp(listener.local_addr().unwrap());
    let key = SessionIdentity::new_key().unwrap();
    let agent = AgentIdentity::new(&SessionIdentity::public_hex(&key), "test").unwrap();
    let session = SessionIdentity {
        session: "test".to_owned(),
        key,
        agent: agent.fingerprint(),
    };
    let (accepted, dialled) = tokio::join!(
        async { accept(listener.accept().await.unwrap().0, &agent).await },
        mirrord_link::dial(&endpoint, &session, Purpose::Streams),
    );
    let (streams, _) = accepted.unwrap().1.into_streams(Side::Agent);
    let (_, incoming) = dialled.unwrap().1.into_streams(Side::Session);
    (streams, incoming)
}

#[tokio::test]
async fn a_stolen_connection_reaches_the_program_with_its_real_addresses() {
    let mut agent = Agent::start().await;
    let program = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).await.unwrap();
    // It comes before the answer to the subscription does.
    let mut stream = agent.brings(IncomingMode::Steal).await;
    stream.write_all(b"request").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    agent.relays.subscribe(7, 80, program.local_addr().unwrap());
    assert_eq!(agent.relays.subscription(80), Some(7));

    let (mut socket, peer) = program.accept().await.unwrap();
    assert_eq!(agent.peers.lookup(peer), Some(real()));
    assert!(peer.ip().to_canonical().is_ipv4(), "mapped, as in the pod");
    let reply: StreamReply = read_frame(&mut stream).await.unwrap();
    assert!(matches!(reply, StreamReply::Connected { .. }));
    let expected = EventKind::Incoming {
        port: 80,
        mode: "steal".to_owned(),
        client: real().client,
        pod: None,
    };
    assert_eq!(agent.news().await, IncomingNews::Event(expected));

    stream.shutdown().await.unwrap();
    let mut request = String::new();
    socket.read_to_string(&mut request).await.unwrap();
    assert_eq!(request, "request");
    socket.write_all(b"answer").await.unwrap();
    drop(socket);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "answer");
}

#[tokio::test]
async fn addresses_are_kept_a_little_longer_than_the_connection() {
    let agent = Agent::start().await;
    let announced = agent.relays.shared.announcement(real());
    let local = "127.0.0.1:9".parse().unwrap();
    announced.enter(local);
    announced.end();
    tokio::time::sleep(announcement::KEPT / 2).await;
    assert_eq!(agent.peers.lookup(local), Some(real()));
    tokio::time::sleep(announcement::KEPT).await;
    assert_eq!(agent.peers.lookup(local), None);
}

#[tokio::test]
async fn a_program_that_stopped_listening_is_told_of_once_and_nothing_is_lost() {
    let mut agent = Agent::start().await;
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    agent.relays.subscribe(7, 80, address);
    let mut stream = agent.brings(IncomingMode::Steal).await;
    stream.write_all(b"request").await.unwrap();
    let reply: StreamReply = read_frame(&mut stream).await.unwrap();
    let StreamReply::Failed(error) = reply else {
        panic!("{reply:?}");
    };
    assert_eq!(error.errno, libc::ECONNREFUSED);
    assert!(error.message.contains(&address.to_string()), "{error}");
    let gone = IncomingNews::ListenerGone {
        subscription: 7,
        port: 80,
    };
    assert_eq!(agent.news().await, gone);
    assert_eq!(agent.relays.subscription(80), None);
    assert!(agent.news_rx.try_recv().is_err());
}

#[tokio::test]
async fn a_mirrored_program_gets_the_bytes_and_its_answers_go_nowhere() {
    let agent = Agent::start().await;
    let program = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    agent.relays.subscribe(7, 80, program.local_addr().unwrap());
    let mut stream = agent.brings(IncomingMode::Mirror).await;
    let bytes: Vec<u8> = (0..500_000u32).flat_map(u32::to_le_bytes).collect();
    let mut sender = async || {
        stream.write_all(&bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answers = Vec::new();
        stream.read_to_end(&mut answers).await.unwrap();
        answers
    };
    let receiver = async {
        let (mut socket, peer) = program.accept().await.unwrap();
        assert_eq!(agent.peers.lookup(peer), Some(real()));
        // More answers than any buffer on the way holds, before anything is read.
        socket.write_all(&vec![1; 20_000_000]).await.unwrap();
        let mut request = Vec::new();
        socket.read_to_end(&mut request).await.unwrap();
        request
    };
    let (answers, request) = tokio::join!(sender(), receiver);
    assert!(request == bytes && answers.is_empty());
}

#[tokio::test]
async fn a_cut_copy_is_a_reset_for_the_program() {
    let agent = Agent::start().await;
    let program = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    agent.relays.subscribe(7, 80, program.local_addr().unwrap());
    let mut stream = agent.brings(IncomingMode::Mirror).await;
    stream.write_all(b"begin").await.unwrap();
    let (mut socket, _) = program.accept().await.unwrap();
    let mut begin = [0; 5];
    socket.read_exact(&mut begin).await.unwrap();
    drop(stream);
    let error = socket.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn an_ipv6_only_program_gets_ipv4_clients_too() {
    let agent = Agent::start().await;
    let socket = tokio::net::TcpSocket::new_v6().unwrap();
    rustix::net::sockopt::set_ipv6_v6only(&socket, true).unwrap();
    socket.bind((Ipv6Addr::UNSPECIFIED, 0).into()).unwrap();
    let program = socket.listen(8).unwrap();
    agent.relays.subscribe(7, 80, program.local_addr().unwrap());
    let mut stream = agent.brings(IncomingMode::Steal).await;
    let (_socket, peer) = program.accept().await.unwrap();
    assert_eq!(agent.peers.lookup(peer), Some(real()));
    let reply: StreamReply = read_frame(&mut stream).await.unwrap();
    assert!(matches!(reply, StreamReply::Connected { .. }));
}

#[tokio::test]
async fn two_pods_number_their_subscriptions_alike_and_each_connection_names_its_pod() {
    let mut agent = Agent::start().await;
    agent.relays.name_pod(Some("web-1".into()));
    let (streams, incoming) = link().await;
    let others = agent.relays.beside("web-2".into());
    tokio::spawn(serve_all(others.clone(), incoming));
    let program = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = program.local_addr().unwrap();
    // The same number, of two agents, for two ports.
    agent.relays.subscribe(7, 80, address);
    others.subscribe(7, 8080, address);
    let header = StreamHeader::Incoming {
        subscription: 7,
        mode: IncomingMode::Steal,
        addresses: real(),
    };
    let (mut open, mut open_here) = (Vec::new(), Vec::new());
    for (streams, expected) in [
        (agent.streams.clone(), ("web-1", 80)),
        (streams, ("web-2", 8080)),
    ] {
        open.push(streams.open(&header).await.unwrap());
        open_here.push(program.accept().await.unwrap());
        let IncomingNews::Event(EventKind::Incoming { pod, port, .. }) = agent.news().await else {
            panic!("other news");
        };
        assert_eq!((pod.as_deref().unwrap(), port), expected);
    }
    assert_eq!((agent.relays.serving(), others.serving()), (1, 1));
    others.forget(7);
    assert_eq!(agent.relays.subscription(80), Some(7));
}
