//! Outgoing sockets from the session's loopback to servers in a pod: real namespaces, a real
//! link and the agent's own code; only the supervisor is played. Each test runs in a user and
//! network namespace of its own (`unshare -Urnu`), so no rights are needed. Needs iproute2.

#[path = "outgoing/names.rs"]
mod names;
#[path = "outgoing/pod.rs"]
mod pod;
#[path = "outgoing/program.rs"]
mod program;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use mirrord_net::peers::Kind;
use mirrord_protocol::local::Loopback;
use program::{Session, inside};

const ECHO_V4: &str = "10.77.0.5:9001";
const ECHO_V6: &str = "[fd77::5]:9001";
const CLOSED: &str = "10.77.0.5:9";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn a_blocking_connect_reaches_the_pod_and_shows_its_addresses() {
    inside(
        "a_blocking_connect_reaches_the_pod_and_shows_its_addresses",
        |session| {
            for (to, loopback) in [
                (ECHO_V4, Loopback::V4),
                (ECHO_V6, Loopback::V6),
                (ECHO_V4, Loopback::Mapped),
            ] {
                let (mut socket, relay) = session.connect(address(to), loopback).unwrap();
                assert_eq!(relay.peer, Some(address(to)));
                assert_eq!(relay.local.unwrap().ip(), address(to).ip());
                socket.write_all(b"there and back").unwrap();
                socket.shutdown(Shutdown::Write).unwrap();
                let mut all = String::new();
                socket.read_to_string(&mut all).unwrap();
                assert_eq!(all, "there and back.");
            }
        },
    );
}

#[test]
fn failures_are_the_pods_own_errnos() {
    inside("failures_are_the_pods_own_errnos", |session| {
        let mut errno = |to| session.connect(address(to), Loopback::V4).unwrap_err();
        assert_eq!(errno(CLOSED), libc::ECONNREFUSED);
        assert_eq!(errno("10.98.0.1:80"), libc::EHOSTUNREACH);
        assert_eq!(errno("8.8.8.8:80"), libc::ENETUNREACH);
    });
}

#[test]
fn a_nonblocking_connect_succeeds_only_when_the_pods_stands() {
    inside(
        "a_nonblocking_connect_succeeds_only_when_the_pods_stands",
        |session| {
            for (to, loopback) in [(ECHO_V4, Loopback::V4), (ECHO_V6, Loopback::V6)] {
                let pending = session.begin(address(to), loopback);
                let mut socket = pending.completed().unwrap();
                let own = socket.local_addr().unwrap();
                let behind = session.peers.find(Kind::Tcp, own).unwrap();
                assert_eq!(behind.server, address(to));
                assert_eq!(behind.client.ip(), address(to).ip());
                socket.write_all(b"x").unwrap();
                let mut byte = [0];
                socket.read_exact(&mut byte).unwrap();
                drop(socket);
                let deadline = Instant::now() + Duration::from_secs(5);
                while session.peers.find(Kind::Tcp, own).is_some() {
                    assert!(
                        Instant::now() < deadline,
                        "the entry outlives its connection"
                    );
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
        },
    );
}

#[test]
fn a_nonblocking_connect_stays_pending_while_the_pod_waits() {
    inside(
        "a_nonblocking_connect_stays_pending_while_the_pod_waits",
        |session| {
            let began = Instant::now();
            let pending = session.begin(address("10.97.0.1:80"), Loopback::V4);
            assert!(
                began.elapsed() < Duration::from_millis(500),
                "it waited for the network"
            );
            assert!(!pending.is_over(Duration::from_millis(300)));
        },
    );
}

#[test]
fn a_refused_nonblocking_connect_is_told_and_its_address_refuses() {
    inside(
        "a_refused_nonblocking_connect_is_told_and_its_address_refuses",
        |session| {
            let pending = session.begin(address(CLOSED), Loopback::V4);
            let via = pending.via;
            assert_eq!(pending.completed().unwrap_err(), libc::ECONNREFUSED);
            let error = TcpStream::connect(via).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::ECONNREFUSED));
        },
    );
}

#[test]
fn a_stranger_is_reset_and_gets_no_connection_of_the_pod() {
    inside(
        "a_stranger_is_reset_and_gets_no_connection_of_the_pod",
        |session| {
            let (_socket, relay) = session.connect(address(ECHO_V4), Loopback::V4).unwrap();
            let mut stranger = TcpStream::connect(relay.via).unwrap();
            stranger.write_all(b"anybody there?").unwrap();
            stranger
                .set_read_timeout(Some(Duration::from_secs(10)))
                .unwrap();
            let error = stranger.read(&mut [0; 16]).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::ECONNRESET));
        },
    );
}

#[test]
fn an_upload_with_a_slow_reader_arrives_whole() {
    inside("an_upload_with_a_slow_reader_arrives_whole", |session| {
        const SIZE: usize = 100 << 20;
        let (mut socket, _) = session
            .connect(address("10.77.0.5:9003"), Loopback::V4)
            .unwrap();
        let block: Vec<u8> = (0..1 << 16).map(|i| (i * 31 % 251) as u8).collect();
        let mut expected = 0u64;
        for round in 0..SIZE / block.len() {
            let mut block = block.clone();
            block[0] = round as u8;
            expected = block.iter().fold(expected, |sum, b| pod::digest(sum, *b));
            socket.write_all(&block).unwrap();
        }
        socket.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, format!("{SIZE} {expected}"));
    });
}

#[test]
fn fifty_connections_at_once_keep_their_bytes_apart() {
    inside(
        "fifty_connections_at_once_keep_their_bytes_apart",
        |session| {
            let sockets: Vec<TcpStream> = (0..50)
                .map(|_| session.connect(address(ECHO_V4), Loopback::V4).unwrap().0)
                .collect();
            std::thread::scope(|scope| {
                for (number, mut socket) in sockets.into_iter().enumerate() {
                    scope.spawn(move || {
                        let sent: Vec<u8> =
                            (0..300_000).map(|i| (i * (number + 3)) as u8).collect();
                        let mut copy = socket.try_clone().unwrap();
                        let writing = sent.clone();
                        let writer = std::thread::spawn(move || {
                            copy.write_all(&writing).unwrap();
                            copy.shutdown(Shutdown::Write).unwrap();
                        });
                        let mut got = Vec::new();
                        socket.read_to_end(&mut got).unwrap();
                        writer.join().unwrap();
                        assert_eq!(got.pop(), Some(b'.'));
                        assert!(got == sent, "connection {number} got other bytes");
                    });
                }
            });
        },
    );
}

#[test]
fn datagrams_of_one_socket_leave_the_pod_from_one_port_and_answers_come_from_their_peers() {
    let name =
        "datagrams_of_one_socket_leave_the_pod_from_one_port_and_answers_come_from_their_peers";
    inside(name, |session| {
        let program = UdpSocket::bind("0.0.0.0:0").unwrap();
        program
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        let mut sources = Vec::new();
        for peer in ["10.77.0.5:9002", "10.77.0.6:9002"] {
            let relay = session.relay(&program, address(peer), false).unwrap();
            program.send_to(b"WHO", relay.via).unwrap();
            let mut buffer = [0; 100];
            let (size, from) = program.recv_from(&mut buffer).unwrap();
            let behind = session.peers.find(Kind::UdpRelay, from).unwrap();
            assert_eq!(behind.server, address(peer));
            sources.push(String::from_utf8_lossy(&buffer[..size]).into_owned());
        }
        assert_eq!(sources[0], sources[1]);
    });
}

#[test]
fn a_connected_datagram_socket_has_the_pods_address_and_carries_big_datagrams() {
    let name = "a_connected_datagram_socket_has_the_pods_address_and_carries_big_datagrams";
    inside(name, |session| {
        let program = UdpSocket::bind("0.0.0.0:0").unwrap();
        program
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        let relay = session
            .relay(&program, address("10.77.0.5:9002"), true)
            .unwrap();
        let local = relay.local.unwrap();
        program.connect(relay.via).unwrap();
        let own = program.local_addr().unwrap();
        assert_eq!(
            session.peers.find(Kind::UdpProgram, own).unwrap().client,
            local
        );
        program.send(b"WHO").unwrap();
        let mut buffer = vec![0; 65_536];
        let size = program.recv(&mut buffer).unwrap();
        assert_eq!(String::from_utf8_lossy(&buffer[..size]), local.to_string());
        let big: Vec<u8> = (0..60_000).map(|i| (i % 253) as u8).collect();
        program.send(&big).unwrap();
        let size = program.recv(&mut buffer).unwrap();
        assert!(buffer[..size] == big);
    });
}

#[test]
fn unreachable_datagram_peers_fail_at_connect() {
    inside(
        "unreachable_datagram_peers_fail_at_connect",
        |session: &mut Session| {
            let program = UdpSocket::bind("0.0.0.0:0").unwrap();
            let result = session.relay(&program, address("8.8.8.8:80"), true);
            assert_eq!(result.unwrap_err(), libc::ENETUNREACH);
        },
    );
}
