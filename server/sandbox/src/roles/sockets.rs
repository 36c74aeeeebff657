//! Listening sockets of the sandbox's services: one for each address family, as the agent's
//! stealing has it too, instead of one for both.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;

use anyhow::{Context, Result};
use rustix::net::{
    AddressFamily, SocketFlags, SocketType, bind, ipproto, listen, socket_with, sockopt,
};

/// Listens on each of these addresses; those of IPv6 are left out where this machine has none.
pub(super) fn listen_on(addresses: [IpAddr; 2], port: u16) -> Result<Vec<TcpListener>> {
    each(addresses, port, |address| {
        let socket = bound(address, SocketType::STREAM)?;
        listen(&socket, 1024)?;
        Ok(TcpListener::from(socket))
    })
}

/// UDP sockets at each of these addresses, as [`listen_on`].
pub(super) fn receive_on(addresses: [IpAddr; 2], port: u16) -> Result<Vec<UdpSocket>> {
    each(addresses, port, |address| {
        Ok(UdpSocket::from(bound(address, SocketType::DGRAM)?))
    })
}

fn each<T>(
    addresses: [IpAddr; 2],
    port: u16,
    open: impl Fn(SocketAddr) -> io::Result<T>,
) -> Result<Vec<T>> {
    let mut opened = Vec::new();
    for address in addresses {
        let address = SocketAddr::new(address, port);
        match open(address) {
            Ok(socket) => opened.push(socket),
            Err(error) if address.is_ipv6() && means_no_ipv6(&error) => {}
            Err(error) => {
                return Err(error).with_context(|| format!("could not listen on {address}"));
            }
        }
    }
    Ok(opened)
}

fn means_no_ipv6(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL)
    )
}

fn bound(address: SocketAddr, kind: SocketType) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let protocol = if kind == SocketType::STREAM {
        ipproto::TCP
    } else {
        ipproto::UDP
    };
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC, Some(protocol))?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    if kind == SocketType::STREAM {
        sockopt::set_socket_reuseaddr(&socket, true)?;
    }
    bind(&socket, &address)?;
    Ok(socket)
}
