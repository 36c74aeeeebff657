//! Bytes between the editor's pipes and the daemon's socket, by two threads.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::BytesMut;
use serde_json::{Value, json};
use tokio_util::codec::Decoder;

use super::EXIT_DAEMON_GONE;
use crate::daemon::failure::Failure;
use crate::daemon::framing::{Frame, Framing};

/// Bytes of one step.
const STEP: usize = 64 << 10;

/// The client's last bytes, enough for an `exit` with its headers.
const TAIL: usize = 256;

/// A client that waits for the answer to `initialize` sends it soon.
const REFUSAL_DEADLINE: Duration = Duration::from_secs(5);

/// Forwards to the end; the result is the exit status.
pub fn run(daemon: UnixStream) -> Result<i32> {
    let tail = Arc::new(Mutex::new(Tail::default()));
    let to_daemon = daemon
        .try_clone()
        .context("could not use the daemon's socket")?;
    let said = Arc::clone(&tail);
    // Reading stdin cannot be interrupted; the process's end ends this thread.
    std::thread::spawn(move || {
        if let Err(error) = from_client(to_daemon, &said) {
            tracing::debug!("the way to the daemon ended: {error}");
        }
    });
    to_client(daemon);
    let tail = tail.lock().unwrap_or_else(|broken| broken.into_inner());
    Ok(if tail.is_over() { 0 } else { EXIT_DAEMON_GONE })
}

/// What the client said last.
#[derive(Default)]
struct Tail {
    bytes: Vec<u8>,
    closed: bool,
}

impl Tail {
    fn add(&mut self, bytes: &[u8]) {
        self.bytes
            .extend_from_slice(&bytes[bytes.len().saturating_sub(TAIL)..]);
        let surplus = self.bytes.len().saturating_sub(TAIL);
        self.bytes.drain(..surplus);
    }

    /// The client ended the connection: it closed its end, or its last message is `exit`.
    fn is_over(&self) -> bool {
        let body = self
            .bytes
            .windows(4)
            .rposition(|window| window == b"\r\n\r\n");
        let exit = body.is_some_and(|at| {
            serde_json::from_slice::<Value>(&self.bytes[at + 4..])
                .is_ok_and(|message| message["method"] == "exit")
        });
        self.closed || exit
    }
}

fn from_client(mut daemon: UnixStream, tail: &Mutex<Tail>) -> std::io::Result<()> {
    let mut buffer = vec![0; STEP];
    let mut stdin = std::io::stdin().lock();
    loop {
        let count = stdin.read(&mut buffer)?;
        {
            // Before it is sent: the daemon may hang up at once.
            let mut tail = tail.lock().unwrap_or_else(|broken| broken.into_inner());
            tail.closed = count == 0;
            tail.add(&buffer[..count]);
        }
        if count == 0 {
            return daemon.shutdown(Shutdown::Write);
        }
        daemon.write_all(&buffer[..count])?;
    }
}

/// Until the daemon hangs up, or nobody reads us any more.
fn to_client(mut daemon: UnixStream) {
    let mut buffer = vec![0; STEP];
    let mut stdout = std::io::stdout().lock();
    loop {
        match daemon.read(&mut buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return,
            Ok(count) => {
                let written = stdout
                    .write_all(&buffer[..count])
                    .and_then(|()| stdout.flush());
                if written.is_err() {
                    return;
                }
            }
        }
    }
}

/// There is no daemon to speak to: answers the client's `initialize` with the reason, so that
/// the editor shows it.
pub fn refuse(failure: &Failure) {
    // A thread, for a client that never says it.
    let failure = failure.clone();
    let (done_tx, done_rx) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        if let Some(id) = id_of_initialize() {
            let _ = write_refusal(&id, failure);
        }
        let _ = done_tx.send(());
    });
    let _ = done_rx.recv_timeout(REFUSAL_DEADLINE);
}

fn id_of_initialize() -> Option<Value> {
    let mut framing = Framing::default();
    let mut bytes = BytesMut::new();
    let mut buffer = vec![0; STEP];
    let mut stdin = std::io::stdin().lock();
    loop {
        if let Some(Frame::Json(message)) = framing.decode(&mut bytes).ok()? {
            return message.get("id").cloned();
        }
        let count = stdin.read(&mut buffer).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&buffer[..count]);
    }
}

fn write_refusal(id: &Value, failure: Failure) -> std::io::Result<()> {
    let error = tower_lsp::jsonrpc::Error::from(failure);
    let body = json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string();
    let mut stdout = std::io::stdout().lock();
    write!(stdout, "Content-Length: {}\r\n\r\n{body}", body.len())?;
    stdout.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_exit_at_the_very_end_is_an_orderly_end() {
        let message = |method: &str| {
            let body = json!({"jsonrpc": "2.0", "method": method}).to_string();
            format!("Content-Length: {}\r\n\r\n{body}", body.len())
        };
        for (said, over) in [
            (message("exit"), true),
            (message("shutdown") + &message("exit"), true),
            (message("exit") + &message("initialized"), false),
            ("x".repeat(1000), false),
            (String::new(), false),
        ] {
            let mut tail = Tail::default();
            for part in said.as_bytes().chunks(7) {
                tail.add(part);
            }
            assert_eq!(tail.is_over(), over, "{said}");
        }
    }
}
