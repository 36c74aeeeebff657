//! One relay to a name server for all sockets of the program.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use mirrord_net::peers::Kind;

use super::address;
use super::program::{Session, inside};

const SERVER: &str = "10.77.0.5:9002";

fn socket(port: u16) -> UdpSocket {
    let socket = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    socket
}

/// A socket that may ask, connected to its relay.
fn connected(session: &mut Session, port: u16) -> UdpSocket {
    let via = session.name_relay(address(SERVER));
    let socket = socket(port);
    session.admit(&socket, address(SERVER));
    socket.connect(via).unwrap();
    socket
}

fn ask(socket: &UdpSocket, question: &str) -> String {
    socket.send(question.as_bytes()).unwrap();
    answer(socket)
}

fn answer(socket: &UdpSocket) -> String {
    let mut buffer = [0; 100];
    let size = socket.recv(&mut buffer).unwrap();
    String::from_utf8_lossy(&buffer[..size]).into_owned()
}

#[test]
fn sockets_share_a_relay_and_have_the_pods_address_and_sockets_of_their_own() {
    let name = "names::sockets_share_a_relay_and_have_the_pods_address_and_sockets_of_their_own";
    inside(name, |session| {
        let first = connected(session, 0);
        let second = connected(session, 0);
        assert_eq!(first.peer_addr().unwrap(), second.peer_addr().unwrap());
        assert_eq!(ask(&first, "one"), "one");
        assert_eq!(ask(&second, "two"), "two");
        let behind = session
            .peers
            .find(Kind::UdpRelay, first.peer_addr().unwrap());
        let behind = behind.unwrap();
        assert_eq!(behind.server, address(SERVER));
        assert_eq!(behind.client.ip(), address(SERVER).ip());
        let (line, other) = (ask(&first, "WHO"), ask(&second, "WHO"));
        assert_ne!(line, other, "both live");
        // The next one takes a line over whose socket is gone.
        drop(first);
        assert_eq!(ask(&connected(session, 0), "WHO"), line);
    });
}

#[test]
fn a_late_answer_does_not_reach_the_next_socket_on_its_port() {
    let name = "names::a_late_answer_does_not_reach_the_next_socket_on_its_port";
    inside(name, |session| {
        let first = connected(session, 0);
        let line = ask(&first, "WHO");
        first.send(b"LATE").unwrap();
        let port = first.local_addr().unwrap().port();
        // Until the question was taken it waits in the relay's socket, and belongs to nobody
        // once its own is gone.
        std::thread::sleep(Duration::from_millis(50));
        drop(first);
        let second = connected(session, port);
        assert_ne!(ask(&second, "WHO"), line, "a line with an open question");
        second
            .set_read_timeout(Some(Duration::from_millis(500)))
            .unwrap();
        assert!(
            second.recv(&mut [0; 100]).is_err(),
            "somebody else's answer"
        );
    });
}

#[test]
fn a_socket_that_nobody_entered_gets_no_answer() {
    let name = "names::a_socket_that_nobody_entered_gets_no_answer";
    inside(name, |session| {
        let known = connected(session, 0);
        let via: SocketAddr = known.peer_addr().unwrap();
        assert_eq!(ask(&known, "hello"), "hello");
        let port = known.local_addr().unwrap().port();
        drop(known);
        // A stranger, and one who took the port of a socket that was known.
        for port in [0, port] {
            let stranger = socket(port);
            stranger
                .set_read_timeout(Some(Duration::from_millis(300)))
                .unwrap();
            stranger.send_to(b"anybody there?", via).unwrap();
            assert!(stranger.recv(&mut [0; 100]).is_err());
        }
    });
}
