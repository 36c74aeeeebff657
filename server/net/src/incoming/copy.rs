//! A mirrored connection: the program gets the client's bytes, and what it answers is dropped.
//!
//! The client has the pod's own answer already. The connection to the program ends as the
//! client's did: a clean end of the stream is a FIN, a cut one is a reset.

use std::io;

use mirrord_link::{RelaySocket, Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::ReadHalf;

const BUFFER: usize = 64 * 1024;

/// Serves one mirrored connection until the program has closed its side.
pub(super) async fn copy(mut socket: TcpStream, mut stream: Stream) -> io::Result<()> {
    // Nothing goes back; so the stream is complete, and no reset, when the client has ended.
    stream.shutdown().await?;
    let result = both(&mut socket, &mut stream).await;
    if result.is_err() {
        socket.reset_on_close();
    }
    result
}

async fn both(socket: &mut TcpStream, stream: &mut Stream) -> io::Result<()> {
    let (mut answers, mut program) = socket.split();
    let forward = async {
        let mut buffer = vec![0; BUFFER];
        loop {
            match stream.read(&mut buffer).await? {
                0 => return program.shutdown().await,
                size => program.write_all(&buffer[..size]).await?,
            }
        }
    };
    // A program that has closed its reading side makes the next write fail, so the first error
    // of either side ends both.
    tokio::try_join!(forward, drop_answers(&mut answers))?;
    Ok(())
}

/// Reads what nobody needs, so that the program never waits for it to be read.
async fn drop_answers(answers: &mut ReadHalf<'_>) -> io::Result<()> {
    let mut buffer = vec![0; 4096];
    while answers.read(&mut buffer).await? > 0 {}
    Ok(())
}
