//! Calls the program's listener, from an address that is known before it can see the call.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};

use super::Announcement;

/// A full accept queue drops the first packet, and the kernel tries again after one second, then
/// two: a busy program gets a few chances before the pod's own takes the connection.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// Connects to `listener`, an address that the program is bound to; `client` is the real caller.
pub(super) async fn dial(
    listener: SocketAddr,
    client: SocketAddr,
    announced: &Announcement,
) -> io::Result<TcpStream> {
    let mut refused = io::Error::from(io::ErrorKind::ConnectionRefused);
    for to in candidates(listener, client) {
        match dial_one(to, announced).await {
            Ok(socket) => return Ok(socket),
            // An IPv6-only listener refuses the IPv4 loopback; the next may do.
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

async fn dial_one(to: SocketAddr, announced: &Announcement) -> io::Result<TcpStream> {
    let socket = match to {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // From the address that is called, which is local: it always reaches itself.
    let mut source = to;
    source.set_port(0);
    socket.bind(source)?;
    announced.enter(socket.local_addr()?);
    let connecting = tokio::time::timeout(CONNECT_TIME, socket.connect(to));
    let socket = connecting
        .await
        .map_err(|_| io::Error::from_raw_os_error(libc::ETIMEDOUT))??;
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// Where a listener can be reached, the client's own family first: a dual-stack program then sees
/// an IPv4 client as the mapped address that it would see in the pod.
fn candidates(listener: SocketAddr, client: SocketAddr) -> Vec<SocketAddr> {
    let port = listener.port();
    let ip = listener.ip().to_canonical();
    if !ip.is_unspecified() {
        let mut to = listener;
        if ip.is_ipv4() {
            to.set_ip(ip);
        }
        return vec![to];
    }
    let v4 = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let v6 = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), port);
    match (ip, client.ip().to_canonical()) {
        (IpAddr::V4(_), _) => vec![v4],
        (IpAddr::V6(_), IpAddr::V4(_)) => vec![v4, v6],
        (IpAddr::V6(_), IpAddr::V6(_)) => vec![v6, v4],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_called_in_the_clients_family_where_it_can_be() {
        let to = |listener: &str, client: &str| {
            candidates(listener.parse().unwrap(), client.parse().unwrap())
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(to("0.0.0.0:80", "1.2.3.4:5"), "127.0.0.1:80");
        assert_eq!(to("0.0.0.0:80", "[fd00::1]:5"), "127.0.0.1:80");
        assert_eq!(to("[::]:80", "1.2.3.4:5"), "127.0.0.1:80 [::1]:80");
        assert_eq!(to("[::]:80", "[fd00::1]:5"), "[::1]:80 127.0.0.1:80");
        assert_eq!(to("[::1]:80", "1.2.3.4:5"), "[::1]:80");
        assert_eq!(to("10.0.0.1:80", "1.2.3.4:5"), "10.0.0.1:80");
        assert_eq!(to("[::ffff:127.0.0.1]:80", "1.2.3.4:5"), "127.0.0.1:80");
    }
}
