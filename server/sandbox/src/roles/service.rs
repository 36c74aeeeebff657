//! `sandbox-service`: the service that only the pod reaches, in a network namespace of its
//! own: HTTP on port 80, TCP and UDP echo on port 7000, and an echo on the pod's Unix socket
//! `/run/app.sock`.

use std::fs::Permissions;
use std::io::{self, Read, Write};
use std::net::{IpAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{Role, sockets, web};
use crate::addresses::*;
use crate::http::serve;
use crate::report::{self, Ready};

/// The variable with the pod's name.
pub(super) const POD_NAME: &str = "POD_NAME";
const ADDRESSES: [IpAddr; 2] = [IpAddr::V4(SERVICE_V4), IpAddr::V6(SERVICE_V6)];
const STACK: usize = 256 * 1024;

pub(super) fn run() -> Result<i32> {
    let pod = std::env::var(POD_NAME).unwrap_or_default();
    let name = format!("orders of {pod}");
    for listener in sockets::listen_on(ADDRESSES, SERVICE_HTTP_PORT)? {
        let who = name.clone();
        serve(listener, "orders", move |request| {
            web::answer(&who, request)
        })?;
    }
    for listener in sockets::listen_on(ADDRESSES, ECHO_PORT)? {
        echo_connections(move || {
            let (stream, _) = listener.accept()?;
            stream.set_nodelay(true)?;
            Ok(stream)
        })?;
    }
    for socket in sockets::receive_on(ADDRESSES, ECHO_PORT)? {
        thread::Builder::new()
            .name("udp-echo".into())
            .spawn(move || echo_datagrams(&socket))?;
    }
    let app = UnixListener::bind(APP_SOCKET)
        .with_context(|| format!("could not listen on {APP_SOCKET}"))?;
    // Connecting takes write permission (unix(7)), and the target may have another uid.
    std::fs::set_permissions(APP_SOCKET, Permissions::from_mode(0o666))?;
    echo_connections(move || Ok(app.accept()?.0))?;
    report::ready(Ready::of(Role::Service))?;
    loop {
        thread::park();
    }
}

/// Echoes every connection on a thread of its own; the end of a client's bytes ends ours.
fn echo_connections<S: Read + Write + Send + 'static>(
    accept: impl Fn() -> io::Result<S> + Send + 'static,
) -> Result<()> {
    thread::Builder::new()
        .name("echo-accept".into())
        .stack_size(STACK)
        .spawn(move || {
            loop {
                let stream = match accept() {
                    Ok(stream) => stream,
                    Err(error) => {
                        eprintln!("a connection could not be accepted: {error}");
                        thread::sleep(Duration::from_millis(10));
                        continue;
                    }
                };
                let echo = thread::Builder::new().name("echo".into()).stack_size(STACK);
                if let Err(error) = echo.spawn(move || echo_bytes(stream)) {
                    eprintln!("no thread for a connection: {error}");
                }
            }
        })?;
    Ok(())
}

fn echo_bytes(mut stream: impl Read + Write) {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        match stream.read(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(count) if count > 0 && stream.write_all(&bytes[..count]).is_ok() => {}
            _ => return,
        }
    }
}

fn echo_datagrams(socket: &UdpSocket) {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let sent = socket
            .recv_from(&mut bytes)
            .and_then(|(count, peer)| socket.send_to(&bytes[..count], peer));
        if let Err(error) = sent {
            // An ICMP error for an earlier answer, or a peer that cannot be reached.
            eprintln!("a datagram could not be echoed: {error}");
        }
    }
}
