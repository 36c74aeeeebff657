//! The pod's own server, and clients of it.
//!
//! The server says at once who called it (so it speaks first) and then returns every byte.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The port that is taken in most tests.
pub(super) const PORT: u16 = 8080;

/// Connections that the pod's server ended because its client was done.
pub(super) static SERVED: AtomicUsize = AtomicUsize::new(0);

/// Starts a server on all addresses of the namespace that the calling thread is in.
pub(super) fn serve(name: &'static str, port: u16) {
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            std::thread::spawn(move || serve_one(name, client));
        }
    });
}

fn serve_one(name: &str, mut client: TcpStream) {
    let peer = canonical(client.peer_addr().unwrap());
    // A client that goes away early is a test's own doing.
    let served = writeln!(client, "{name} {peer}").and_then(|()| {
        let mut buffer = vec![0; 256 * 1024];
        loop {
            match client.read(&mut buffer)? {
                0 => return client.shutdown(Shutdown::Write),
                size => client.write_all(&buffer[..size])?,
            }
        }
    });
    if served.is_ok() {
        SERVED.fetch_add(1, Ordering::Relaxed);
    }
}

/// Writes IPv4 addresses as such.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// A client's connection; every wait has an end.
pub(super) struct Client {
    pub(super) socket: TcpStream,
    pub(super) local: SocketAddr,
    pub(super) server: SocketAddr,
}

impl Client {
    pub(super) fn call(ip: &str, port: u16) -> std::io::Result<Client> {
        let server = SocketAddr::new(ip.parse::<IpAddr>().unwrap(), port);
        let socket = TcpStream::connect_timeout(&server, Duration::from_secs(5))?;
        socket.set_read_timeout(Some(Duration::from_secs(10)))?;
        socket.set_write_timeout(Some(Duration::from_secs(10)))?;
        Ok(Client {
            local: socket.local_addr()?,
            server,
            socket,
        })
    }

    /// The server's first line.
    pub(super) fn greeting(&mut self) -> std::io::Result<String> {
        let mut line = Vec::new();
        loop {
            let mut byte = [0];
            self.socket.read_exact(&mut byte)?;
            if byte[0] == b'\n' {
                return Ok(String::from_utf8(line).unwrap());
            }
            line.push(byte[0]);
        }
    }

    /// Sends bytes and expects them back.
    pub(super) fn echo(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let mut sender = self.socket.try_clone()?;
        std::thread::scope(|scope| {
            let sending = scope.spawn(move || sender.write_all(bytes));
            let mut back = vec![0; bytes.len()];
            self.socket.read_exact(&mut back)?;
            assert!(back == bytes, "the echo differs");
            sending.join().unwrap()
        })
    }

    /// Ends this direction and expects the other one to end cleanly.
    pub(super) fn finish(mut self) -> std::io::Result<()> {
        self.socket.shutdown(Shutdown::Write)?;
        let mut rest = Vec::new();
        self.socket.read_to_end(&mut rest)?;
        assert_eq!(rest, b"");
        Ok(())
    }
}

/// Calls, checks an echo and ends; returns the greeting and the client's own address.
pub(super) fn visit(ip: &str, port: u16) -> std::io::Result<(String, SocketAddr)> {
    let mut client = Client::call(ip, port)?;
    let greeting = client.greeting()?;
    client.echo(b"some bytes")?;
    let local = client.local;
    client.finish()?;
    Ok((greeting, local))
}
