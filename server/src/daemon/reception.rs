//! A new connection on the daemon's socket: who it is, what it wants, and whether it gets it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::greeting::{Answer, Ask, LONGEST_LINE, Status, VERSION};
use super::state::Daemon;
use super::{connection, sessions, socket};

/// Who says nothing for that long is hung up on.
const GREETING_DEADLINE: Duration = Duration::from_secs(60);

/// Serves a connection to its end.
pub async fn receive(stream: UnixStream, daemon: Arc<Daemon>) {
    if let Err(error) = greet(stream, daemon).await {
        tracing::warn!("hung up on a connection: {error:#}");
    }
}

async fn greet(stream: UnixStream, daemon: Arc<Daemon>) -> Result<()> {
    socket::check_peer(&stream)?;
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    let first = tokio::time::timeout(GREETING_DEADLINE, first_line(&mut read))
        .await
        .context("it said nothing")??;
    let Some(line) = first else {
        // LSP at once.
        let _connected = daemon.connected();
        connection::serve(read, write, Arc::clone(&daemon)).await;
        return Ok(());
    };
    let ask = serde_json::from_str(&line).context("its first line cannot be understood")?;
    match ask {
        Ask::Status => answer(&mut write, &Answer::Status(status(&daemon))).await,
        Ask::Stop => {
            answer(&mut write, &Answer::Stopping).await?;
            daemon.stopping().cancel();
            // Held open until the daemon is gone, which is what the other end waits for.
            std::future::pending().await
        }
        Ask::Serve { version } if version == VERSION => {
            let _connected = daemon.connected();
            answer(&mut write, &Answer::Welcome).await?;
            connection::serve(read, write, Arc::clone(&daemon)).await;
            Ok(())
        }
        Ask::Serve { version } => {
            tracing::info!("a client of version {version} came");
            let told = hand_over(&daemon);
            answer(&mut write, &told).await?;
            if matches!(told, Answer::HandedOver { .. }) {
                daemon.stopping().cancel();
            }
            Ok(())
        }
    }
}

/// The line in front of LSP; none when LSP begins at once.
async fn first_line(read: &mut BufReader<OwnedReadHalf>) -> Result<Option<String>> {
    if read.fill_buf().await?.first() != Some(&b'{') {
        return Ok(None);
    }
    let mut line = String::new();
    read.take(LONGEST_LINE).read_line(&mut line).await?;
    Ok(Some(line))
}

async fn answer(write: &mut OwnedWriteHalf, answer: &Answer) -> Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    write
        .write_all(&line)
        .await
        .context("it did not hear the answer")
}

/// Gives up the socket if nobody needs this daemon.
fn hand_over(daemon: &Daemon) -> Answer {
    let status = status(daemon);
    let version = VERSION.to_owned();
    if status.clients == 0 && status.sessions == 0 {
        // At once: the other end starts its own daemon as soon as it hears the answer.
        leave_socket();
        return Answer::HandedOver { version };
    }
    let count = |number: usize, word: &str| match number {
        1 => format!("1 {word}"),
        number => format!("{number} {word}s"),
    };
    Answer::OtherVersion {
        version,
        busy: format!(
            "{} and {}",
            count(status.clients, "client"),
            count(status.sessions, "session")
        ),
    }
}

fn status(daemon: &Daemon) -> Status {
    Status {
        version: VERSION.to_owned(),
        pid: std::process::id(),
        started_at: daemon.started_at.clone(),
        clients: *daemon.connections().borrow(),
        sessions: sessions::count(),
        logs: daemon.state_folder.display().to_string(),
    }
}

/// Removes the socket, if it is still this daemon's: it may have been replaced by that of a
/// daemon that came after.
pub fn leave_socket() {
    use std::sync::atomic::{AtomicBool, Ordering};
    static LEFT: AtomicBool = AtomicBool::new(false);
    if LEFT.swap(true, Ordering::AcqRel) {
        return;
    }
    let removed = socket::path().and_then(|path| Ok(std::fs::remove_file(path)?));
    if let Err(error) = removed {
        tracing::debug!("the socket is gone already: {error:#}");
    }
}
