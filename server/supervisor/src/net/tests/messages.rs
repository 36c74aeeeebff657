//! `sendmsg(2)` and its relatives: which are the kernel's, and what the others do.

use std::{net::UdpSocket, os::fd::AsRawFd};

use mirrord_net::peers::{Kind, relay_tag};
use mirrord_protocol::{
    control::AddressPair,
    local::{FromSupervisor, Relay, ToSupervisor},
};

use super::{Bed, about, address, done, pod, socket, value, work, written};
use crate::call::{Outcome, Plan};

/// `struct mmsghdr`, which begins with a `struct msghdr`.
type Header = [u64; 8];

/// A message with these addresses of arrays: name, vectors, control messages.
fn header(name: &[u8], vectors: &[[u64; 2]], control: &[u8]) -> Header {
    let mut header = [0; 8];
    for (at, (address, length)) in [
        (0, (name.as_ptr() as u64, name.len())),
        (2, (vectors.as_ptr() as u64, vectors.len())),
        (4, (control.as_ptr() as u64, control.len())),
    ] {
        if length > 0 {
            (header[at], header[at + 1]) = (address, length as u64);
        }
    }
    header
}

fn vector(bytes: &[u8]) -> [u64; 2] {
    [bytes.as_ptr() as u64, bytes.len() as u64]
}

fn bytes_at(outcome: &Outcome, at: u64) -> Option<&[u8]> {
    let mut writes = outcome.writes.iter();
    writes
        .find(|(to, _)| *to == at)
        .map(|(_, bytes)| &bytes[..])
}

/// A relay to `behind` that stands, with a socket of the session's at its end.
fn relay(bed: &Bed, behind: &str) -> UdpSocket {
    let relay = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addresses = AddressPair {
        client: pod("0.0.0.0:0"),
        server: pod(behind),
    };
    let via = relay.local_addr().unwrap();
    bed.peers.enter(Kind::UdpRelay, via, addresses, 1);
    relay
}

/// Lets the bed open a relay for one destination of this socket.
fn opens_a_relay(bed: &Bed, plan: Plan, relay: &UdpSocket, to: &str) -> Outcome {
    let via = relay.local_addr().unwrap();
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let FromSupervisor::Connect { ticket, .. } = bed.asked() else {
                panic!("asked for something else");
            };
            let addresses = AddressPair {
                client: pod("0.0.0.0:0"),
                server: pod(to),
            };
            let tag = relay_tag(ticket, via);
            bed.peers.enter(Kind::UdpRelay, via, addresses, tag);
            let result = Ok(Relay {
                via,
                local: None,
                peer: Some(pod(to)),
            });
            bed.answer(&ToSupervisor::Connected { ticket, result });
        });
        let outcome = work(plan);
        asking.join().unwrap();
        outcome
    })
}

#[test]
fn what_names_no_address_of_the_pod_is_the_kernels() {
    let bed = Bed::new();
    let (udp, tcp) = (UdpSocket::bind("127.0.0.1:0").unwrap(), socket(false));
    let (unix, _other) = std::os::unix::net::UnixDatagram::pair().unwrap();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let connected = UdpSocket::bind("127.0.0.1:0").unwrap();
    connected.connect(peer.local_addr().unwrap()).unwrap();
    let here = address::bytes_of(peer.local_addr().unwrap(), false);
    let payload = [vector(b"payload")];
    let nameless = header(&[], &payload, &[]);
    let local = header(&here, &payload, &[]);
    let row = [nameless, local];
    let errors = libc::MSG_ERRQUEUE as u64;
    for (what, nr, fd, header, flags) in [
        ("no name", libc::SYS_sendmsg, udp.as_raw_fd(), &nameless, 0),
        ("no room", libc::SYS_recvmsg, udp.as_raw_fd(), &nameless, 0),
        ("local", libc::SYS_sendmsg, udp.as_raw_fd(), &local, 0),
        ("errors", libc::SYS_recvmsg, udp.as_raw_fd(), &local, errors),
        ("tcp", libc::SYS_sendmsg, tcp.as_raw_fd(), &local, 0),
        ("tcp", libc::SYS_recvmsg, tcp.as_raw_fd(), &local, 0),
        ("unix", libc::SYS_recvmsg, unix.as_raw_fd(), &local, 0),
        (
            "connected here",
            libc::SYS_recvmsg,
            connected.as_raw_fd(),
            &local,
            0,
        ),
        ("closed", libc::SYS_recvmsg, -1, &local, 0),
    ] {
        let args = [fd as u64, header.as_ptr() as u64, flags, 0, 0, 0];
        let plan = bed.plan(nr, args);
        assert!(matches!(plan, Plan::Continue), "{what}: {plan:?}");
    }
    for (what, nr, at, count) in [
        ("local", libc::SYS_sendmmsg, row.as_ptr() as u64, 2),
        ("no names", libc::SYS_recvmmsg, row.as_ptr() as u64, 1),
        ("nothing", libc::SYS_sendmmsg, row.as_ptr() as u64, 0),
        ("nowhere", libc::SYS_sendmmsg, 0, 2),
    ] {
        let plan = bed.plan(nr, [udp.as_raw_fd() as u64, at, count, 0, 0, 0]);
        assert!(matches!(plan, Plan::Continue), "{what}: {plan:?}");
    }
}

#[test]
fn a_row_of_messages_goes_each_its_own_way() {
    let bed = Bed::new();
    let program = UdpSocket::bind("127.0.0.1:0").unwrap();
    let local = UdpSocket::bind("127.0.0.1:0").unwrap();
    let session = UdpSocket::bind("127.0.0.1:0").unwrap();
    let here = address::bytes_of(local.local_addr().unwrap(), false);
    let there = address::bytes_of(pod("10.0.0.9:7000"), false);
    let parts = [vector(b"in two "), vector(b"parts")];
    let (second, long) = ([vector(b"here")], vec![0; 65_536]);
    let too_long = [vector(&long)];
    // What says how to leave this machine is not for a relay: this address is not loopback's.
    let source = [
        &28u64.to_ne_bytes()[..],
        &libc::IPPROTO_IP.to_ne_bytes(),
        &libc::IP_PKTINFO.to_ne_bytes(),
        &[0, 0, 0, 0, 203, 0, 113, 7, 0, 0, 0, 0, 0, 0, 0, 0],
    ]
    .concat();
    let row = [
        header(&there, &parts, &source),
        header(&here, &second, &[]),
        header(&there, &parts, &[]),
        header(&there, &too_long, &[]),
    ];
    let args = [program.as_raw_fd() as u64, row.as_ptr() as u64, 4, 0, 0, 0];
    let plan = bed.plan(libc::SYS_sendmmsg, args);
    let outcome = opens_a_relay(&bed, plan, &session, "10.0.0.9:7000");
    // The last cannot be sent, which the next call says.
    let lengths: Vec<_> = (0..4u64)
        .map(|i| bytes_at(&outcome, args[1] + 64 * i + 56).map(<[u8]>::to_vec))
        .collect();
    let length = |length: u32| Some(length.to_ne_bytes().to_vec());
    assert_eq!(lengths, [length(12), length(4), length(12), None]);
    assert_eq!(value(outcome), Ok(3));
    let mut buffer = [0; 64];
    for (socket, text) in [
        (&session, &b"in two parts"[..]),
        (&session, b"in two parts"),
        (&local, b"here"),
    ] {
        let (size, from) = socket.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..size], text);
        assert_eq!(from, program.local_addr().unwrap());
    }
    let args = [args[0], row[3..].as_ptr() as u64, 0, 0, 0, 0];
    let refused = done(bed.plan(libc::SYS_sendmsg, args));
    assert_eq!(value(refused), Err(libc::EMSGSIZE));
}

#[test]
fn the_size_of_segments_reaches_the_relay() {
    let bed = Bed::new();
    let program = UdpSocket::bind("127.0.0.1:0").unwrap();
    let session = UdpSocket::bind("127.0.0.1:0").unwrap();
    let there = address::bytes_of(pod("10.0.0.9:7000"), false);
    let (payload, control) = (
        [vector(b"firstsecond")],
        mirrord_filter::segment::message(5),
    );
    let message = header(&there, &payload, &control);
    let args = [
        program.as_raw_fd() as u64,
        message.as_ptr() as u64,
        0,
        0,
        0,
        0,
    ];
    let plan = bed.plan(libc::SYS_sendmsg, args);
    let outcome = opens_a_relay(&bed, plan, &session, "10.0.0.9:7000");
    assert_eq!(value(outcome), Ok(11));
    let mut buffer = [0; 64];
    let size = session.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..size], b"first");
}

#[test]
fn a_received_message_has_its_parts_flags_and_peer() {
    let bed = Bed::new();
    // A connected socket and one that is not, over IPv4 and as an IPv6 socket sees it.
    for (own, connects) in [
        ("127.0.0.1:0", false),
        ("127.0.0.1:0", true),
        ("[::]:0", false),
    ] {
        let program = UdpSocket::bind(own).unwrap();
        let relay = relay(&bed, "10.0.0.53:53");
        let port = program.local_addr().unwrap().port();
        if connects {
            program.connect(relay.local_addr().unwrap()).unwrap();
        }
        relay
            .send_to(b"more than fits", ("127.0.0.1", port))
            .unwrap();
        let (first, second, room) = ([0u8; 4], [0u8; 6], [0u8; 40]);
        let vectors = [vector(&first), vector(&second)];
        let message = header(&room, &vectors, &[]);
        let at = message.as_ptr() as u64;
        program.set_nonblocking(true).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(10));
        let args = [program.as_raw_fd() as u64, at, 0, 0, 0, 0];
        let outcome = done(bed.plan(libc::SYS_recvmsg, args));
        let peer = if own.starts_with('[') {
            pod("[::ffff:10.0.0.53]:53")
        } else {
            pod("10.0.0.53:53")
        };
        assert_eq!(written(&outcome, room.as_ptr() as u64), peer);
        assert_eq!(
            bytes_at(&outcome, first.as_ptr() as u64),
            Some(&b"more"[..])
        );
        assert_eq!(
            bytes_at(&outcome, second.as_ptr() as u64),
            Some(&b" than "[..])
        );
        let flags = libc::MSG_TRUNC.to_ne_bytes();
        assert_eq!(bytes_at(&outcome, at + 48), Some(&flags[..]));
        let length = if own.starts_with('[') { 28u32 } else { 16 };
        assert_eq!(bytes_at(&outcome, at + 8), Some(&length.to_ne_bytes()[..]));
        assert_eq!(value(outcome), Ok(10));
        let nothing = done(bed.plan(libc::SYS_recvmsg, args));
        assert_eq!(value(nothing), Err(libc::EAGAIN));
    }
}

#[test]
fn a_row_is_received_up_to_what_is_there_or_the_time() {
    let bed = Bed::new();
    let program = UdpSocket::bind("127.0.0.1:0").unwrap();
    let relay = relay(&bed, "10.0.0.53:53");
    let to = program.local_addr().unwrap();
    let (names, buffers) = ([[0u8; 16]; 3], [[0u8; 8]; 3]);
    let vectors = buffers.each_ref().map(|buffer| [vector(buffer)]);
    let row = [0, 1, 2].map(|i| header(&names[i], &vectors[i], &[]));
    let time = [10u64, 0];
    let plan = |flags: i32, time: Option<&[u64; 2]>| {
        let time = time.map_or(0, |time| time.as_ptr() as u64);
        let args = [
            program.as_raw_fd() as u64,
            row.as_ptr() as u64,
            3,
            flags as u64,
            time,
            0,
        ];
        bed.plan(libc::SYS_recvmmsg, args)
    };
    // Two of three are there: enough for one that waits for the first only.
    for text in ["one", "three"] {
        relay.send_to(text.as_bytes(), to).unwrap();
    }
    std::thread::sleep(std::time::Duration::from_millis(10));
    let outcome = done(plan(libc::MSG_WAITFORONE, None));
    let at = row.as_ptr() as u64;
    for (i, length) in [(0, 3u32), (1, 5)] {
        let place = at + 64 * i as u64 + 56;
        assert_eq!(bytes_at(&outcome, place), Some(&length.to_ne_bytes()[..]));
        assert_eq!(
            written(&outcome, names[i].as_ptr() as u64),
            pod("10.0.0.53:53")
        );
    }
    assert_eq!(value(outcome), Ok(2));
    // One that waits for all is planned to wait, and gets all.
    relay.send_to(b"first", to).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(10));
    let waiting = plan(0, Some(&time));
    assert!(matches!(waiting, Plan::Blocking { .. }), "{waiting:?}");
    for text in ["second", "third"] {
        relay.send_to(text.as_bytes(), to).unwrap();
    }
    let outcome = work(waiting);
    let left = bytes_at(&outcome, time.as_ptr() as u64).unwrap();
    assert!(u64::from_ne_bytes(*left.first_chunk().unwrap()) < 10);
    assert_eq!(value(outcome), Ok(3));
    // A time that is over ends it after the next datagram.
    relay.send_to(b"late", to).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(10));
    assert_eq!(value(done(plan(0, Some(&[0, 0])))), Ok(1));
    let never = done(plan(0, Some(&[0, 1_000_000_000])));
    assert_eq!(value(never), Err(libc::EINVAL));
}

#[test]
fn a_caller_whom_a_signal_calls_away_gets_the_messages_that_are_there() {
    let bed = Bed::new();
    let program = UdpSocket::bind("127.0.0.1:0").unwrap();
    let relay = relay(&bed, "10.0.0.53:53");
    let (names, buffers) = ([[0u8; 16]; 2], [[0u8; 8]; 2]);
    let vectors = buffers.each_ref().map(|buffer| [vector(buffer)]);
    let row = [0, 1].map(|i| header(&names[i], &vectors[i], &[]));
    relay
        .send_to(b"one", program.local_addr().unwrap())
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(10));
    let args = [program.as_raw_fd() as u64, row.as_ptr() as u64, 2, 0, 0, 0];
    let Plan::Blocking { work, .. } = bed.plan(libc::SYS_recvmmsg, args) else {
        panic!("it waits for the second");
    };
    let word = std::sync::Arc::new(crate::call::Word::new(super::event()));
    word.say(crate::call::Word::LET_GO);
    let outcome = work(&crate::call::Cancelled::shared(word));
    assert_eq!(value(outcome), Ok(1));
}

#[test]
fn the_questions_of_the_layer_are_answered_beside() {
    let bed = Bed::new();
    let program = UdpSocket::bind("127.0.0.1:0").unwrap();
    let there = address::bytes_of(pod("10.0.0.9:7000"), false);
    let args = about(program.as_raw_fd(), &there, there.len() as u64);
    let session = UdpSocket::bind("127.0.0.1:0").unwrap();
    let plan = bed.plan(libc::SYS_sendto, args);
    let outcome = opens_a_relay(&bed, plan, &session, "10.0.0.9:7000");
    assert_eq!(written(&outcome, args[4]), session.local_addr().unwrap());
    // From here on the relay is known to messages too.
    let payload = [vector(b"known")];
    let message = header(&there, &payload, &[]);
    let args = [
        program.as_raw_fd() as u64,
        message.as_ptr() as u64,
        0,
        0,
        0,
        0,
    ];
    assert_eq!(value(done(bed.plan(libc::SYS_sendmsg, args))), Ok(5));
    assert_eq!(session.recv(&mut [0; 8]).unwrap(), 5);
}
