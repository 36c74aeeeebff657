//! Questions over TCP, where names are told apart: each message goes to the pod's name server or
//! is answered here (RFC 1035, 4.2.2; RFC 7766 lets answers come in any order).

use std::io;

use mirrord_link::Stream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use super::NameRules;
use super::here::Over;

/// Carries a connection of the program's to a name server, until either end is done.
pub(crate) async fn over_tcp(rules: &NameRules, program: TcpStream, pod: Stream) -> io::Result<()> {
    let (mut questions, program) = program.into_split();
    let (mut answers, mut pod) = tokio::io::split(pod);
    let program = Mutex::new(program);
    let from_pod = async {
        while let Some(answer) = read_message(&mut answers).await? {
            write_message(&mut *program.lock().await, &answer).await?;
        }
        io::Result::Ok(())
    };
    let from_program = async {
        while let Some(message) = read_message(&mut questions).await? {
            let Some(question) = rules.is_for_here(&message) else {
                write_message(&mut pod, &message).await?;
                continue;
            };
            if let Some(answer) = question.answer(Over::Tcp).await {
                write_message(&mut *program.lock().await, &answer).await?;
            }
        }
        pod.shutdown().await
    };
    tokio::pin!(from_pod);
    tokio::select! {
        result = &mut from_pod => return result,
        result = from_program => result?,
    }
    from_pod.await
}

/// The next message; `None` at the end.
pub(super) async fn read_message(
    from: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<Vec<u8>>> {
    let length = match from.read_u16().await {
        Ok(length) => length,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut message = vec![0; length.into()];
    from.read_exact(&mut message).await?;
    Ok(Some(message))
}

/// Writes a message in one piece.
pub(super) async fn write_message(
    to: &mut (impl AsyncWrite + Unpin),
    message: &[u8],
) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(io::Error::other)?;
    let mut framed = length.to_be_bytes().to_vec();
    framed.extend_from_slice(message);
    to.write_all(&framed).await
}
