//! Gives a taken connection to the pod's own program after all.
//!
//! The program is called at the very address that the client called, from the pod's own address:
//! never from loopback for a client from outside, for programs trust loopback. That the client's
//! own address is not seen then is a documented difference.

use std::io;
use std::net::SocketAddr;

use mirrord_protocol::control::AddressPair;
use tokio::net::TcpSocket;

use super::connection::Connection;
use super::taker::PortTaker;

/// Relays `client`, of which nothing has been read yet, until both sides are done.
pub(super) async fn pass_on(
    taker: &dyn PortTaker,
    client: Connection,
    addresses: AddressPair,
) -> io::Result<()> {
    let mut client = client;
    let socket = if addresses.server.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    let mut source = addresses.server;
    source.set_port(0);
    socket.bind(source)?;
    let source: SocketAddr = socket.local_addr()?;
    use std::os::fd::AsFd;
    let _exemption = taker.exempt(socket.as_fd(), source)?;
    // Refused here means that the pod has no program on that port; dropping the client's
    // connection resets it, which is what it would have met.
    let program = socket.connect(addresses.server).await?;
    program.set_nodelay(true)?;
    let mut program = Connection::new(program);
    tokio::io::copy_bidirectional(&mut client, &mut program).await?;
    Ok(())
}
