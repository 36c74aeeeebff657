//! `mirrord-server --stdio`: a thin forwarder between an editor's pipes and the daemon, which it
//! starts when there is none. It looks at nothing that passes.

mod forward;
mod start;

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use mirrord_editor_protocol::ErrorKind;

use crate::daemon::failure::Failure;
use crate::daemon::greeting::{Answer, Ask, LONGEST_LINE, VERSION};
use crate::daemon::socket;

/// The daemon went away: the client starts the forwarder again.
pub const EXIT_DAEMON_GONE: i32 = 75;

/// A daemon that ends in the very moment is tried again so often.
const ATTEMPTS: usize = 5;

/// A daemon that does not greet for so long is stuck.
const GREETING_DEADLINE: Duration = Duration::from_secs(10);

/// Forwards until either side ends; the result is the exit status.
pub fn run(log: &str) -> Result<i32> {
    match connect(log) {
        Ok(stream) => forward::run(stream),
        Err(error) => {
            // An editor shows the answer to `initialize` rather than what stands on stderr.
            let failure = Failure::from(error);
            forward::refuse(&failure);
            Err(failure.into())
        }
    }
}

/// A connection on which LSP can begin.
fn connect(log: &str) -> Result<UnixStream> {
    let path = socket::path()?;
    for _ in 0..ATTEMPTS {
        let stream = match socket::connect(&path)? {
            Some(stream) => stream,
            None => start::start(&path, log)?,
        };
        match greet(&stream)? {
            Some(Answer::Welcome) => {
                stream.set_read_timeout(None)?;
                return Ok(stream);
            }
            Some(Answer::OtherVersion { version, busy }) => {
                let message = format!(
                    "the daemon that runs is of version {version}, and this is {VERSION}; it \
                     cannot hand over because of {busy}"
                );
                return Err(Failure::new(ErrorKind::VersionMismatch, message)
                    .help("end them, or run `mirrord-server daemon stop` (sessions go on)")
                    .into());
            }
            // It ended just now, or gave up its socket for us.
            Some(Answer::HandedOver { .. }) | None => {}
            Some(other) => bail!("the daemon answered {other:?} to a greeting"),
        }
    }
    bail!(
        "the daemon ends as soon as it is started; see its log in {}",
        crate::daemon::log::state_folder()?.display()
    )
}

/// Says who we are; none when the daemon hung up, because it was about to end.
fn greet(stream: &UnixStream) -> Result<Option<Answer>> {
    let version = VERSION.to_owned();
    ask(stream, &Ask::Serve { version })
}

/// Asks one line and reads the answer; none when the daemon hung up.
pub fn ask(mut stream: &UnixStream, ask: &Ask) -> Result<Option<Answer>> {
    let mut line = serde_json::to_vec(ask)?;
    line.push(b'\n');
    stream.set_read_timeout(Some(GREETING_DEADLINE))?;
    if stream.write_all(&line).is_err() {
        return Ok(None);
    }
    // The daemon says nothing behind its answer before we speak, so nothing is read too much.
    let mut answer = String::new();
    match BufReader::new(stream.take(LONGEST_LINE)).read_line(&mut answer) {
        Ok(0) => Ok(None),
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Ok(None),
        Err(error) => Err(error).context("the daemon does not answer; stop it and try again"),
        Ok(_) => serde_json::from_str(&answer)
            .map(Some)
            .with_context(|| format!("the daemon's answer cannot be understood: {answer:?}")),
    }
}
