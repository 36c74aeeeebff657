//! The handlers, with this process as the program: real sockets, addresses in its own memory, and
//! a session that is played.

mod messages;

use std::{
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::fd::{AsFd, AsRawFd, OwnedFd},
    sync::Arc,
    time::Duration,
};

use mirrord_net::peers::PeerTable;
use mirrord_protocol::{
    codec,
    control::AddressPair,
    local::{FromSupervisor, Relay, ToSupervisor},
};
use rustix::{
    event::{EventfdFlags, eventfd},
    net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, socketpair, sockopt},
};

use super::{address, *};
use crate::{
    call::{Cancelled, Outcome, Value},
    paths::roots::Roots,
};

struct Bed {
    net: Net,
    context: Context,
    peers: PeerTable,
    session: OwnedFd,
}

impl Bed {
    fn new() -> Bed {
        Bed::with(&mirrord_rules::RuleSource::default())
    }

    fn with(rules: &mirrord_rules::RuleSource) -> Bed {
        let flags = SocketFlags::CLOEXEC;
        let (session, ours) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
        let peers = PeerTable::create().unwrap();
        let rules = mirrord_rules::compile(rules).unwrap();
        let table = crate::shared_table::SharedTable::create(&rules, false).unwrap();
        let link = SessionLink::new(ours, 0, (false, false));
        let reader = link.clone();
        std::thread::spawn(move || reader.read_until_end());
        let context = Context {
            rules: LiveRules::new(table.rules()).unwrap(),
            table,
            session: link,
            hostname: None,
            generation: 0,
            files: None,
            peers: Arc::new(peers.as_fd().try_clone_to_owned().unwrap()),
            roots: Arc::new(Roots::new().unwrap()),
        };
        Bed {
            net: Net::new(&context).unwrap(),
            context,
            peers,
            session,
        }
    }

    /// The next question to the session.
    fn asked(&self) -> FromSupervisor {
        let mut packet = [0; 4096];
        let (size, _) =
            rustix::net::recv(&self.session, &mut packet[..], RecvFlags::empty()).unwrap();
        codec::decode(&packet[..size]).unwrap()
    }

    fn answer(&self, message: &ToSupervisor) {
        let packet = codec::encode(message).unwrap();
        rustix::net::send(&self.session, &packet, SendFlags::empty()).unwrap();
    }

    fn plan(&self, nr: i64, args: [u64; 6]) -> Plan {
        let tid = rustix::thread::gettid().as_raw_nonzero().get();
        self.net.plan(
            &Call {
                id: 1,
                tid,
                nr,
                args,
            },
            &Tracee::of_thread(tid),
        )
    }

    fn with_address(&self, nr: i64, socket: &impl AsRawFd, to: SocketAddr) -> Plan {
        let bytes = address::bytes_of(to, to.is_ipv6());
        let args = [
            socket.as_raw_fd() as u64,
            bytes.as_ptr() as u64,
            bytes.len() as u64,
            0,
            0,
            0,
        ];
        self.plan(nr, args)
    }

    fn bind(&self, socket: &impl AsRawFd, to: SocketAddr) -> Result<(), i32> {
        value(done(self.with_address(libc::SYS_bind, socket, to))).map(drop)
    }

    /// A call that fills in an address; `None` when the kernel's own answer stands.
    fn name(&self, nr: i64, socket: &impl AsRawFd) -> Option<SocketAddr> {
        let (room, length) = ([0u8; 128], 128i32.to_ne_bytes());
        let at = [room.as_ptr() as u64, length.as_ptr() as u64];
        match self.plan(nr, [socket.as_raw_fd() as u64, at[0], at[1], 0, 0, 0]) {
            Plan::Continue => None,
            plan => Some(written(&done(plan), at[0])),
        }
    }
}

fn done(plan: Plan) -> Outcome {
    match plan {
        Plan::Done(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

fn work(plan: Plan) -> Outcome {
    match plan {
        Plan::Blocking { work, .. } | Plan::Asking { work, .. } => work(&Cancelled::new(event())),
        other => panic!("{other:?}"),
    }
}

fn event() -> OwnedFd {
    eventfd(0, EventfdFlags::CLOEXEC).unwrap()
}

fn value(outcome: Outcome) -> Result<i64, i32> {
    match outcome.value {
        Value::Number(number) => Ok(number),
        Value::Errno(errno) => Err(errno),
        other => panic!("{other:?}"),
    }
}

fn written(outcome: &Outcome, at: u64) -> SocketAddr {
    let (_, bytes) = outcome
        .writes
        .iter()
        .find(|(address, _)| *address == at)
        .unwrap();
    match address::parse(bytes) {
        Some(address::Address::Inet(address)) => address,
        other => panic!("{other:?}"),
    }
}

fn socket(nonblocking: bool) -> OwnedFd {
    let flags = if nonblocking {
        SocketFlags::NONBLOCK
    } else {
        SocketFlags::empty()
    };
    let flags = flags | SocketFlags::CLOEXEC;
    rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap()
}

fn pod(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn a_taken_port_is_replaced_and_the_program_sees_the_one_it_asked_for() {
    let bed = Bed::new();
    let taken = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let holder = TcpListener::bind(taken).unwrap();
    let program = socket(false);
    assert_eq!(bed.bind(&program, taken), Ok(()));
    assert_eq!(bed.name(libc::SYS_getsockname, &program), Some(taken));
    rustix::net::listen(&program, 8).unwrap();
    // The port is one of this session's now, so a second bind fails as it would in the pod …
    assert_eq!(bed.bind(&socket(false), taken), Err(libc::EADDRINUSE));
    // … and once it is closed it may be had again.
    drop(program);
    assert_eq!(bed.bind(&socket(false), taken), Ok(()));
    drop(holder);
}

#[test]
fn an_address_of_the_pod_is_bound_on_loopback() {
    let bed = Bed::new();
    let program = socket(false);
    let asked = pod("203.0.113.7:0");
    assert_eq!(bed.bind(&program, asked), Ok(()));
    let real = SocketAddr::try_from(rustix::net::getsockname(&program).unwrap()).unwrap();
    assert!(real.ip().is_loopback());
    let shown = bed.name(libc::SYS_getsockname, &program).unwrap();
    assert_eq!(shown, SocketAddr::new(asked.ip(), real.port()));
}

#[test]
fn an_accepted_client_is_the_real_one() {
    let bed = Bed::new();
    let program = socket(true);
    bed.bind(&program, pod("127.0.0.1:0")).unwrap();
    rustix::net::listen(&program, 8).unwrap();
    let real = SocketAddr::try_from(rustix::net::getsockname(&program).unwrap()).unwrap();
    let (room, length) = ([0u8; 128], 128i32.to_ne_bytes());
    let args = [
        program.as_raw_fd() as u64,
        room.as_ptr() as u64,
        length.as_ptr() as u64,
        SocketFlags::CLOEXEC.bits().into(),
        0,
        0,
    ];
    assert_eq!(
        value(done(bed.plan(libc::SYS_accept4, args))).unwrap_err(),
        libc::EAGAIN
    );
    let client = TcpStream::connect(real).unwrap();
    let addresses = AddressPair {
        client: pod("10.1.2.3:4567"),
        server: pod("10.9.9.9:80"),
    };
    bed.peers.announce(client.local_addr().unwrap(), addresses);
    let outcome = done(bed.plan(libc::SYS_accept4, args));
    assert_eq!(written(&outcome, args[1]), addresses.client);
    let Value::Fd { fd, cloexec: true } = outcome.value else {
        panic!("no descriptor")
    };
    assert_eq!(bed.name(libc::SYS_getpeername, &fd), Some(addresses.client));
    assert_eq!(bed.name(libc::SYS_getsockname, &fd), Some(addresses.server));
}

#[test]
fn a_connection_whose_caller_is_gone_goes_to_the_next_accept() {
    let bed = Bed::new();
    let program = socket(true);
    bed.bind(&program, pod("127.0.0.1:0")).unwrap();
    rustix::net::listen(&program, 8).unwrap();
    let real = SocketAddr::try_from(rustix::net::getsockname(&program).unwrap()).unwrap();
    let client = TcpStream::connect(real).unwrap();
    let (room, length) = ([0u8; 128], 128i32.to_ne_bytes());
    let at = [
        program.as_raw_fd() as u64,
        room.as_ptr() as u64,
        length.as_ptr() as u64,
        0,
        0,
        0,
    ];
    let lost = done(bed.plan(libc::SYS_accept4, at));
    (lost.delivered.unwrap())(false);
    drop(lost.value);
    let outcome = done(bed.plan(libc::SYS_accept4, at));
    assert_eq!(written(&outcome, at[1]), client.local_addr().unwrap());
}

#[test]
fn a_blocking_connect_joins_the_session_and_shows_the_pods_addresses() {
    let bed = Bed::new();
    let meeting = TcpListener::bind("127.0.0.1:0").unwrap();
    let relay = Relay {
        via: meeting.local_addr().unwrap(),
        local: Some(pod("10.0.0.7:5555")),
        peer: Some(pod("10.0.0.9:80")),
    };
    let program = socket(false);
    let plan = bed.with_address(libc::SYS_connect, &program, pod("10.0.0.9:80"));
    std::thread::scope(|scope| {
        let connecting = scope.spawn(|| value(work(plan)));
        let FromSupervisor::Connect {
            ticket,
            nonblocking: false,
            ..
        } = bed.asked()
        else {
            panic!("no question");
        };
        bed.answer(&ToSupervisor::Connected {
            ticket,
            result: Ok(relay),
        });
        assert_eq!(connecting.join().unwrap(), Ok(0));
        let (_, from) = meeting.accept().unwrap();
        assert_eq!(
            bed.asked(),
            FromSupervisor::Joined {
                ticket,
                program: from
            }
        );
    });
    assert_eq!(bed.name(libc::SYS_getsockname, &program), relay.local);
    assert_eq!(bed.name(libc::SYS_getpeername, &program), relay.peer);
    // A copy is the same socket.
    assert_eq!(
        bed.name(libc::SYS_getpeername, &program.try_clone().unwrap()),
        relay.peer
    );
    // Connecting again is the kernel's to refuse (EISCONN).
    let again = bed.with_address(libc::SYS_connect, &program, pod("10.0.0.9:80"));
    assert!(matches!(again, Plan::Continue));
}

#[test]
fn a_failed_nonblocking_connect_shows_the_pods_errno_once() {
    let bed = Bed::new();
    let pending = TcpListener::bind("127.0.0.1:0").unwrap();
    let via = pending.local_addr().unwrap();
    // Full, so that the program's connect stays pending.
    rustix::net::listen(&pending, 0).unwrap();
    let _filler = TcpStream::connect(via).unwrap();
    let program = socket(true);
    let plan = bed.with_address(libc::SYS_connect, &program, pod("10.0.0.9:80"));
    let ticket = std::thread::scope(|scope| {
        let connecting = scope.spawn(|| value(work(plan)));
        let FromSupervisor::Connect {
            ticket,
            nonblocking: true,
            ..
        } = bed.asked()
        else {
            panic!("no question");
        };
        bed.answer(&ToSupervisor::Connecting { ticket, via });
        assert_eq!(connecting.join().unwrap(), Err(libc::EINPROGRESS));
        assert!(matches!(bed.asked(), FromSupervisor::Joined { .. }));
        ticket
    });
    drop(pending);
    bed.answer(&ToSupervisor::Connected {
        ticket,
        result: Err(libc::EHOSTUNREACH),
    });
    let mut fds = [rustix::event::PollFd::new(
        &program,
        rustix::event::PollFlags::OUT,
    )];
    let limit = rustix::event::Timespec {
        tv_sec: 0,
        tv_nsec: 500_000_000,
    };
    assert_eq!(
        rustix::event::poll(&mut fds, Some(&limit)).unwrap(),
        1,
        "nothing to see"
    );
    let (room, length) = ([0u8; 4], 4i32.to_ne_bytes());
    let args = [
        program.as_raw_fd() as u64,
        libc::SOL_SOCKET as u64,
        libc::SO_ERROR as u64,
        room.as_ptr() as u64,
        length.as_ptr() as u64,
        0,
    ];
    let outcome = done(bed.plan(libc::SYS_getsockopt, args));
    assert_eq!(outcome.writes[0].1, libc::EHOSTUNREACH.to_ne_bytes());
    assert!(matches!(
        bed.plan(libc::SYS_getsockopt, args),
        Plan::Continue
    ));
    assert_eq!(sockopt::socket_error(&program).unwrap(), Ok(()));
}

#[test]
fn what_listens_on_this_machines_loopback_is_local() {
    let bed = Bed::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap();
    let plan = |socket: &OwnedFd| bed.with_address(libc::SYS_connect, socket, to);
    assert!(matches!(plan(&socket(false)), Plan::Continue));
    drop(listener);
    assert!(
        matches!(plan(&socket(false)), Plan::Asking { .. }),
        "the pod's loopback is meant"
    );
}

#[test]
fn local_name_services_are_not_there() {
    let bed = Bed::new();
    let flags = SocketFlags::CLOEXEC;
    let socket =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
    let errno = |path: &[u8]| {
        let bytes = address::unix_bytes(path);
        let (at, length) = (bytes.as_ptr() as u64, bytes.len() as u64);
        let args = [socket.as_raw_fd() as u64, at, length, 0, 0, 0];
        match bed.plan(libc::SYS_connect, args) {
            Plan::Continue => 0,
            plan => value(done(plan)).unwrap_err(),
        }
    };
    assert_eq!(errno(b"/var/run/nscd/socket"), libc::ENOENT);
    assert_eq!(errno(b"/run/other.sock"), 0);
}

#[test]
fn an_answers_source_is_the_peer_behind_the_relay() {
    let bed = Bed::new();
    let program = UdpSocket::bind("127.0.0.1:0").unwrap();
    let relay = UdpSocket::bind("127.0.0.1:0").unwrap();
    let behind = pod("10.0.0.53:53");
    let addresses = AddressPair {
        client: pod("0.0.0.0:0"),
        server: behind,
    };
    let via = relay.local_addr().unwrap();
    bed.peers
        .enter(mirrord_net::peers::Kind::UdpRelay, via, addresses, 1);
    relay
        .send_to(b"answer", program.local_addr().unwrap())
        .unwrap();
    std::thread::sleep(Duration::from_millis(10));
    let (buffer, room, length) = ([0u8; 64], [0u8; 128], 16i32.to_ne_bytes());
    let args = [
        program.as_raw_fd() as u64,
        buffer.as_ptr() as u64,
        64,
        0,
        room.as_ptr() as u64,
        length.as_ptr() as u64,
    ];
    let outcome = done(bed.plan(libc::SYS_recvfrom, args));
    assert_eq!(written(&outcome, args[4]), behind);
    assert_eq!(outcome.writes[0], (args[1], b"answer".to_vec()));
    assert_eq!(value(outcome), Ok(6));
}

/// The arguments of a question about an address alone.
fn about(fd: i32, address: &[u8], length: u64) -> [u64; 6] {
    let buffer = mirrord_filter::control::ADDRESS_ONLY;
    [fd as u64, buffer, 1, 0, address.as_ptr() as u64, length]
}

#[test]
fn the_relay_for_a_message_is_opened_once_and_named() {
    let bed = Bed::new();
    let program = UdpSocket::bind("[::]:0").unwrap();
    let (to, via) = (pod("10.0.0.53:53"), pod("127.0.0.1:4053"));
    let bytes = address::bytes_of(to, true);
    let args = about(program.as_raw_fd(), &bytes, 28);
    let plan = bed.plan(libc::SYS_sendto, args);
    let session = || {
        let FromSupervisor::Connect { ticket, .. } = bed.asked() else {
            panic!("asked for something else");
        };
        let addresses = AddressPair {
            client: pod("0.0.0.0:0"),
            server: to,
        };
        let tag = mirrord_net::peers::relay_tag(ticket, via);
        bed.peers
            .enter(mirrord_net::peers::Kind::UdpRelay, via, addresses, tag);
        let mapped = pod("[::ffff:127.0.0.1]:4053");
        let relay = Relay {
            via: mapped,
            local: None,
            peer: Some(to),
        };
        let result = Ok(relay);
        bed.answer(&ToSupervisor::Connected { ticket, result });
    };
    let opened = std::thread::scope(|scope| {
        scope.spawn(session);
        work(plan)
    });
    for outcome in [opened, done(bed.plan(libc::SYS_sendto, args))] {
        assert_eq!(written(&outcome, args[4]), pod("[::ffff:127.0.0.1]:4053"));
        assert_eq!(value(outcome), Ok(28));
    }
    // Local destinations are the kernel's, which refuses the question.
    let local = address::bytes_of(program.local_addr().unwrap(), true);
    let args = about(program.as_raw_fd(), &local, 28);
    assert!(matches!(bed.plan(libc::SYS_sendto, args), Plan::Continue));
}

#[test]
fn only_the_first_socket_that_asks_a_name_server_waits_for_the_session() {
    let bed = Bed::new();
    let (to, via) = (pod("10.0.0.53:53"), pod("127.0.0.1:4053"));
    let first = UdpSocket::bind("0.0.0.0:0").unwrap();
    let plan = bed.with_address(libc::SYS_connect, &first, to);
    let session = || {
        let FromSupervisor::Connect {
            ticket, to: asked, ..
        } = bed.asked()
        else {
            panic!("asked for something else");
        };
        assert_eq!(asked, mirrord_protocol::local::Outgoing::NameServer(to));
        let addresses = AddressPair {
            client: pod("10.0.0.7:0"),
            server: to,
        };
        let kind = mirrord_net::peers::Kind::UdpRelay;
        bed.peers.enter(kind, via, addresses, 1);
        let relay = Relay {
            via,
            local: None,
            peer: Some(to),
        };
        let result = Ok(relay);
        bed.answer(&ToSupervisor::Connected { ticket, result });
    };
    let opened = std::thread::scope(|scope| {
        scope.spawn(session);
        work(plan)
    });
    assert_eq!(value(opened), Ok(0));
    let second = UdpSocket::bind("0.0.0.0:0").unwrap();
    let at_once = done(bed.with_address(libc::SYS_connect, &second, to));
    assert_eq!(value(at_once), Ok(0));
    for socket in [first, second] {
        assert_eq!(socket.peer_addr().unwrap(), via);
        let own = socket.local_addr().unwrap();
        let kind = mirrord_net::peers::Kind::NameClient;
        let (_, tag) = bed.peers.find_tagged(kind, own).unwrap();
        assert_eq!(tag, sockopt::socket_cookie(&socket).unwrap());
        // The pod's address, with the socket's own port.
        let shown = bed.name(libc::SYS_getsockname, &socket).unwrap();
        assert_eq!(shown, SocketAddr::new(pod("10.0.0.7:0").ip(), own.port()));
        assert_eq!(bed.name(libc::SYS_getpeername, &socket), Some(to));
    }
}

#[test]
fn only_a_relay_on_loopback_has_somebody_behind_it() {
    let bed = Bed::new();
    let addresses = AddressPair {
        client: pod("0.0.0.0:0"),
        server: pod("10.0.0.53:53"),
    };
    let kind = mirrord_net::peers::Kind::UdpRelay;
    bed.peers.enter(kind, pod("127.0.0.1:4053"), addresses, 1);
    let ask = |source: SocketAddr, ipv6| {
        let bytes = address::bytes_of(source, ipv6);
        let length = (bytes.len() as u32).to_ne_bytes();
        let args = about(-1, &bytes, length.as_ptr() as u64);
        match bed.plan(libc::SYS_recvfrom, args) {
            Plan::Continue => None,
            plan => Some(written(&done(plan), args[4])),
        }
    };
    assert_eq!(ask(pod("127.0.0.1:4053"), false), Some(pod("10.0.0.53:53")));
    let mapped = pod("[::ffff:10.0.0.53]:53");
    assert_eq!(ask(pod("127.0.0.1:4053"), true), Some(mapped));
    assert_eq!(ask(pod("127.0.0.1:4054"), false), None);
    assert_eq!(
        ask(pod("192.0.2.1:4053"), false),
        None,
        "the same port elsewhere"
    );
}

#[test]
fn a_filter_by_name_speaks_of_what_the_name_resolves_to() {
    let mut rules = mirrord_rules::RuleSource::default();
    rules.outgoing.filter = Some((mirrord_rules::Side::Local, vec!["db.corp".to_owned()]));
    let bed = Bed::with(&rules);
    let resolve = |addresses: Result<Vec<std::net::IpAddr>, String>| {
        let FromSupervisor::Resolve {
            ticket,
            name,
            here_too,
        } = bed.asked()
        else {
            panic!("asked for something else");
        };
        assert_eq!((name.as_str(), here_too), ("db.corp", true));
        let result = addresses;
        bed.answer(&ToSupervisor::Resolved { ticket, result });
    };
    let (ours, another) = (pod("127.0.0.9:1"), pod("10.0.0.5:5432"));
    let datagrams = || UdpSocket::bind("0.0.0.0:0").unwrap();
    // The first destination that no other filter decides about asks; its address is the name's.
    let plan = bed.with_address(libc::SYS_connect, &datagrams(), ours);
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| resolve(Ok(vec![ours.ip()])));
        work(plan)
    });
    assert!(matches!(outcome.value, Value::Continue), "it stays here");
    // From here on it is known, for this address and for others.
    let plan = bed.with_address(libc::SYS_connect, &datagrams(), ours);
    assert!(matches!(plan, Plan::Continue));
    let plan = bed.with_address(libc::SYS_connect, &socket(true), another);
    assert!(matches!(plan, Plan::Asking { .. }), "the pod's");
}

#[test]
fn a_listener_is_moved_aside_when_another_program_listens_first() {
    let mut rules = mirrord_rules::RuleSource::default();
    rules.incoming.mode = mirrord_rules::IncomingMode::Off;
    let bed = Bed::with(&rules);
    let reusable = |socket: &OwnedFd| sockopt::set_socket_reuseaddr(socket, true).unwrap();
    let listen = |socket: &OwnedFd| {
        let args = [socket.as_raw_fd() as u64, 8, 0, 0, 0, 0];
        let plan = bed.plan(libc::SYS_listen, args);
        if let Plan::Done(refused) = plan {
            return refused;
        }
        let listening = std::thread::spawn(move || work(plan));
        let FromSupervisor::Listen { ticket, .. } = bed.asked() else {
            panic!("the session is asked");
        };
        let result = Ok("off".to_owned());
        bed.answer(&ToSupervisor::Listening { ticket, result });
        listening.join().unwrap()
    };
    let (stranger, program) = (socket(false), socket(true));
    reusable(&stranger);
    reusable(&program);
    sockopt::set_tcp_nodelay(&program, true).unwrap();
    rustix::net::bind(&stranger, &pod("127.0.0.1:0")).unwrap();
    let name = rustix::net::getsockname(&stranger).unwrap();
    let asked = SocketAddr::try_from(name).unwrap();
    assert_eq!(bed.bind(&program, asked), Ok(()));
    rustix::net::listen(&stranger, 8).unwrap();
    let number = program.as_raw_fd();
    let Value::Replace { fd, at, cloexec } = listen(&program).value else {
        panic!("not replaced");
    };
    assert_eq!((at, cloexec), (number, true));
    assert!(
        rustix::fs::fcntl_getfl(&fd)
            .unwrap()
            .contains(rustix::fs::OFlags::NONBLOCK)
    );
    assert!(sockopt::tcp_nodelay(&fd).unwrap());
    assert_eq!(bed.name(libc::SYS_getsockname, &fd), Some(asked));
    let real = SocketAddr::try_from(rustix::net::getsockname(&fd).unwrap()).unwrap();
    TcpStream::connect(real).unwrap();
    // Two of this session meet as they would in the pod.
    drop(stranger);
    let (first, second) = (socket(false), socket(false));
    for socket in [&first, &second] {
        reusable(socket);
    }
    let free = pod("127.0.0.1:0");
    rustix::net::bind(&first, &free).unwrap();
    let name = rustix::net::getsockname(&first).unwrap();
    assert_eq!(
        bed.bind(&second, SocketAddr::try_from(name).unwrap()),
        Ok(())
    );
    assert_eq!(value(listen(&first)), Ok(0));
    assert_eq!(value(listen(&second)), Err(libc::EADDRINUSE));
}

#[test]
fn the_worker_after_a_crash_knows_the_ports_that_were_asked_for() {
    let mut bed = Bed::new();
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap();
    let (program, any) = (socket(false), socket(false));
    assert_eq!(bed.bind(&program, taken), Ok(()));
    assert_eq!(bed.bind(&any, pod("127.0.0.1:0")), Ok(()));
    rustix::net::listen(&program, 8).unwrap();
    bed.context.generation = 1;
    bed.net = Net::new(&bed.context).unwrap();
    // The port is one of this session's still.
    assert_eq!(bed.bind(&socket(false), taken), Err(libc::EADDRINUSE));
    // A port that the kernel chose is not one of the pod's still: nobody is asked for it.
    let args = [any.as_raw_fd() as u64, 8, 0, 0, 0, 0];
    assert_eq!(value(done(bed.plan(libc::SYS_listen, args))), Ok(0));
}

#[test]
fn the_worker_after_a_crash_knows_the_datagram_ports_too() {
    let mut bed = Bed::new();
    let holder = UdpSocket::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap();
    let datagrams = || -> OwnedFd {
        let flags = SocketFlags::CLOEXEC;
        rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None).unwrap()
    };
    let program = datagrams();
    assert_eq!(bed.bind(&program, taken), Ok(()));
    bed.context.generation = 1;
    bed.net = Net::new(&bed.context).unwrap();
    assert_eq!(bed.bind(&datagrams(), taken), Err(libc::EADDRINUSE));
    drop(program);
    assert_eq!(bed.bind(&datagrams(), taken), Ok(()));
}

/// A UDP socket of the program that is connected to the pod through a relay.
fn connected_datagrams(bed: &Bed, own: &str, to: &str) -> (UdpSocket, UdpSocket) {
    let relay = UdpSocket::bind(own).unwrap();
    let via = relay.local_addr().unwrap();
    let program = UdpSocket::bind(own).unwrap();
    let patience = Some(Duration::from_secs(10));
    program.set_read_timeout(patience).unwrap();
    relay.set_read_timeout(patience).unwrap();
    let plan = bed.with_address(libc::SYS_connect, &program, pod(to));
    std::thread::scope(|scope| {
        let connecting = scope.spawn(|| value(work(plan)));
        let FromSupervisor::Connect { ticket, .. } = bed.asked() else {
            panic!("no question");
        };
        let result = Ok(Relay {
            via,
            local: None,
            peer: Some(pod(to)),
        });
        bed.answer(&ToSupervisor::Connected { ticket, result });
        assert_eq!(connecting.join().unwrap(), Ok(0));
    });
    (program, relay)
}

#[test]
fn a_refusal_reaches_the_copy_of_a_socket_whose_first_descriptor_is_closed() {
    let bed = Bed::new();
    let (first, relay) = connected_datagrams(&bed, "127.0.0.1:0", "10.0.0.9:80");
    let copy = first.try_clone().unwrap();
    drop(first);
    let socket = sockopt::socket_cookie(&copy).unwrap();
    // The second is found where the first was.
    for _ in 0..2 {
        bed.answer(&ToSupervisor::Refused { socket });
        let refused = copy.recv(&mut [0; 8]).unwrap_err().kind();
        assert_eq!(refused, std::io::ErrorKind::ConnectionRefused);
    }
    drop(relay);
}

#[test]
fn a_refusal_in_the_pod_is_the_error_of_a_connected_datagram_socket() {
    for (own, to) in [("127.0.0.1:0", "10.0.0.9:80"), ("[::1]:0", "[fd00::9]:80")] {
        let bed = Bed::new();
        let (program, relay) = connected_datagrams(&bed, own, to);
        let via = relay.local_addr().unwrap();
        let socket = sockopt::socket_cookie(&program).unwrap();
        let refused = || program.recv(&mut [0; 8]).unwrap_err().kind();
        // A program that waits, and one that asks later.
        std::thread::scope(|scope| {
            let waiting = scope.spawn(refused);
            std::thread::sleep(Duration::from_millis(50));
            bed.answer(&ToSupervisor::Refused { socket });
            assert_eq!(
                waiting.join().unwrap(),
                std::io::ErrorKind::ConnectionRefused
            );
        });
        bed.answer(&ToSupervisor::Refused { socket });
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(refused(), std::io::ErrorKind::ConnectionRefused);
        // It is connected to its relay again.
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(program.peer_addr().unwrap(), via);
        program.send(b"again").unwrap();
        let mut buffer = [0; 8];
        let (size, from) = relay.recv_from(&mut buffer).unwrap();
        assert_eq!(
            (&buffer[..size], from),
            (&b"again"[..], program.local_addr().unwrap())
        );
        relay.send_to(b"answer", from).unwrap();
        assert_eq!(program.recv(&mut buffer).unwrap(), 6);
    }
}
