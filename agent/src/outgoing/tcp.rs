//! TCP connections.

use std::io;
use std::net::SocketAddr;

use mirrord_link::{Stream, relay, write_frame};
use mirrord_protocol::streams::StreamReply;
use tokio::net::TcpStream;

use super::{given_up, refuse, remote_error};

pub(super) async fn serve(to: SocketAddr, mut stream: Stream) -> io::Result<()> {
    let connected = tokio::select! {
        connected = TcpStream::connect(to) => connected,
        // The program gave up (a time-out of its own, or it ended): the half-open connection
        // goes away with the socket.
        error = given_up(&mut stream) => return Err(error),
    };
    let socket = match connected {
        Ok(socket) => socket,
        Err(error) => {
            return refuse(stream, remote_error(&error, format!("connect to {to}"))).await;
        }
    };
    // The program's own kernel batched small writes already, if it wanted that.
    socket.set_nodelay(true)?;
    let reply = StreamReply::Connected {
        local: socket.local_addr().ok(),
        peer: socket.peer_addr().ok(),
    };
    write_frame(&mut stream, &reply).await?;
    relay(socket, stream).await
}
