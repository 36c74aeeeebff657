//! The session under test on a thread of its own, and the supervisor's part, played by the test.

use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc as blocking;
use std::time::Duration;

use mirrord_link::{AgentIdentity, Endpoint, SessionIdentity, Side, dial};
use mirrord_net::{
    outgoing::OutgoingRelays,
    peers::{Kind, PeerTable},
};
use mirrord_protocol::control::AddressPair;
use mirrord_protocol::hello::Purpose;
use mirrord_protocol::local::{FromSupervisor, Loopback, Outgoing, Relay, Ticket, ToSupervisor};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use tokio::sync::{mpsc, watch};

use super::pod::Pod;

const INSIDE: &str = "MIRRORD_TEST_INSIDE";

/// Runs `body` in a child inside a user and network namespace; passes when the child does.
pub fn inside(name: &str, body: impl FnOnce(&mut Session)) {
    if std::env::var_os(INSIDE).is_some() {
        let up = Command::new("ip")
            .args(["link", "set", "lo", "up"])
            .status();
        assert!(up.expect("iproute2").success());
        return body(&mut Session::start());
    }
    let output = Command::new("timeout")
        .args(["100", "unshare", "-Urnu"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .output()
        .expect("unshare(1) from util-linux");
    let (text, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    let passed = output.status.success() && text.contains("1 passed");
    assert!(
        passed,
        "inside namespaces (are user namespaces allowed?):\n{text}\n{errors}"
    );
}

/// A session with its pod.
pub struct Session {
    pub peers: Arc<PeerTable>,
    message_tx: mpsc::UnboundedSender<FromSupervisor>,
    answer_rx: blocking::Receiver<ToSupervisor>,
    ticket: Ticket,
    _pod: Pod,
    _folder: tempfile::TempDir,
}

impl Session {
    fn start() -> Session {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent");
        let key = SessionIdentity::new_key().unwrap();
        let agent = AgentIdentity::new(&SessionIdentity::public_hex(&key), "test").unwrap();
        let identity = SessionIdentity {
            session: "test".to_owned(),
            key,
            agent: agent.fingerprint(),
        };
        let pod = Pod::start(&path, agent);
        let peers = Arc::new(PeerTable::create().unwrap());
        let (message_tx, message_rx) = mpsc::unbounded_channel();
        let (answer_tx, answer_rx) = blocking::channel();
        let table = peers.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let endpoint = Endpoint::Unix(path);
            runtime
                .unwrap()
                .block_on(run(endpoint, identity, table, message_rx, answer_tx));
        });
        Session {
            peers,
            message_tx,
            answer_rx,
            ticket: 0,
            _pod: pod,
            _folder: folder,
        }
    }

    fn ask(&mut self, to: Outgoing, loopback: Loopback, nonblocking: bool) -> Ticket {
        self.ticket += 1;
        let ticket = self.ticket;
        self.tell(FromSupervisor::Connect {
            ticket,
            to,
            loopback,
            nonblocking,
        });
        ticket
    }

    fn tell(&self, message: FromSupervisor) {
        self.message_tx.send(message).unwrap();
    }

    fn answer(&self) -> ToSupervisor {
        self.answer_rx
            .recv_timeout(Duration::from_secs(20))
            .expect("an answer")
    }

    fn connected(&self, expected: Ticket) -> Result<Relay, i32> {
        match self.answer() {
            ToSupervisor::Connected { ticket, result } if ticket == expected => result,
            other => panic!("{other:?}"),
        }
    }

    /// What the supervisor does for a blocking connect.
    pub fn connect(
        &mut self,
        to: SocketAddr,
        loopback: Loopback,
    ) -> Result<(TcpStream, Relay), i32> {
        let ticket = self.ask(Outgoing::Tcp(to), loopback, false);
        let relay = self.connected(ticket)?;
        let socket = TcpStream::connect(relay.via).unwrap();
        let program = socket.local_addr().unwrap();
        self.tell(FromSupervisor::Joined { ticket, program });
        Ok((socket, relay))
    }

    /// What the supervisor does for a non-blocking connect.
    pub fn begin(&mut self, to: SocketAddr, loopback: Loopback) -> Pending<'_> {
        let ticket = self.ask(Outgoing::Tcp(to), loopback, true);
        let via = match self.answer() {
            ToSupervisor::Connecting { ticket: same, via } if same == ticket => via,
            other => panic!("{other:?}"),
        };
        let family = if via.is_ipv4() {
            AddressFamily::INET
        } else {
            AddressFamily::INET6
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None).unwrap();
        let error = rustix::net::connect(&socket, &via).unwrap_err();
        assert_eq!(error, rustix::io::Errno::INPROGRESS);
        let program = rustix::net::getsockname(&socket).unwrap();
        let program = SocketAddr::try_from(program).unwrap();
        self.tell(FromSupervisor::Joined { ticket, program });
        Pending {
            session: self,
            ticket,
            socket,
            via,
        }
    }

    /// What the supervisor does for a datagram socket.
    pub fn relay(
        &mut self,
        program: &UdpSocket,
        to: SocketAddr,
        connected: bool,
    ) -> Result<Relay, i32> {
        let socket = rustix::net::sockopt::socket_cookie(program).unwrap();
        let port = program.local_addr().unwrap().port();
        let program = SocketAddr::from(([127, 0, 0, 1], port));
        let to = Outgoing::Udp {
            to,
            socket,
            program,
            connected,
            wait: connected,
        };
        let ticket = self.ask(to, Loopback::V4, false);
        self.connected(ticket)
    }

    /// What the supervisor does for a socket that asks a name server.
    pub fn name_relay(&mut self, to: SocketAddr) -> SocketAddr {
        let ticket = self.ask(Outgoing::NameServer(to), Loopback::V4, true);
        let relay = self.connected(ticket).unwrap();
        assert_eq!(relay.peer, Some(to));
        relay.via
    }

    /// Lets a socket use a relay to a name server.
    pub fn admit(&self, program: &UdpSocket, to: SocketAddr) {
        let cookie = rustix::net::sockopt::socket_cookie(program).unwrap();
        let own = program.local_addr().unwrap();
        let pair = AddressPair {
            client: own,
            server: to,
        };
        self.peers.enter(Kind::NameClient, own, pair, cookie);
    }
}

/// A program's socket that connects.
pub struct Pending<'a> {
    session: &'a mut Session,
    ticket: Ticket,
    socket: OwnedFd,
    pub via: SocketAddr,
}

impl Pending<'_> {
    /// Whether anything happened to the socket within this time.
    pub fn is_over(&self, within: Duration) -> bool {
        let mut fds = [PollFd::from_borrowed_fd(
            self.socket.as_fd(),
            PollFlags::OUT,
        )];
        let timeout = Timespec {
            tv_sec: 0,
            tv_nsec: within.as_nanos() as i64,
        };
        poll(&mut fds, Some(&timeout)).unwrap() != 0
    }

    /// Waits for the end.
    pub fn completed(self) -> Result<TcpStream, i32> {
        self.session.connected(self.ticket)?;
        assert!(
            self.is_over(Duration::from_millis(900)),
            "the socket does not show it"
        );
        rustix::net::sockopt::socket_error(&self.socket)
            .unwrap()
            .unwrap();
        rustix::io::ioctl_fionbio(&self.socket, false).unwrap();
        Ok(self.socket.into())
    }
}

async fn run(
    endpoint: Endpoint,
    identity: SessionIdentity,
    peers: Arc<PeerTable>,
    mut message_rx: mpsc::UnboundedReceiver<FromSupervisor>,
    answer_tx: blocking::Sender<ToSupervisor>,
) {
    let (_, link) = dial(&endpoint, &identity, Purpose::Streams).await.unwrap();
    let (streams, _incoming) = link.into_streams(Side::Session);
    let (_streams_tx, streams_rx) = watch::channel(Some(streams));
    let (tx, mut rx) = mpsc::unbounded_channel();
    let relays = OutgoingRelays::new(streams_rx, peers, tx, None).unwrap();
    loop {
        tokio::select! {
            Some(message) = message_rx.recv() => assert!(relays.handle(message).is_none()),
            Some(answer) = rx.recv() => answer_tx.send(answer).unwrap(),
            else => return,
        }
    }
}
