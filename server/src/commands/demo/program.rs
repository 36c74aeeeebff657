//! The demo's sample program while it runs, plain or through `exec`.

use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::{DEADLINE, Seen};

/// How long a program has to end when the demo does.
const END_POLITELY: Duration = Duration::from_secs(5);

/// A started program; asked to end when this is dropped, and waited for, so that what it uses can
/// be taken away.
pub struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Program {
    /// Starts it and reads what it saw. It gets a process group of its own: the terminal's Ctrl-C
    /// is the demo's, which ends everything in its order.
    pub async fn start(command: &mut Command) -> Result<(Seen, Program)> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .with_context(|| format!("could not start {:?}", command.as_std()))?;
        let stdout = child.stdout.take().context("the program has no stdout")?;
        let lines = BufReader::new(stdout).lines();
        let mut program = Program { child, lines };
        let Some(line) = program.line().await? else {
            let status = program.end().await?;
            bail!("the sample program ended at once ({status}); is python3 installed?");
        };
        let seen = serde_json::from_str(&line)
            .with_context(|| format!("the sample program said something else: {line}"))?;
        Ok((seen, program))
    }

    /// The next line that it prints.
    pub async fn line(&mut self) -> Result<Option<String>> {
        tokio::time::timeout(DEADLINE, self.lines.next_line())
            .await
            .context("the sample program said nothing")?
            .context("could not read what the sample program said")
    }

    /// Waits for its end.
    pub async fn end(&mut self) -> Result<ExitStatus> {
        tokio::time::timeout(DEADLINE, self.child.wait())
            .await
            .context("the sample program did not end")?
            .context("could not wait for the sample program")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let pid = self
            .child
            .id()
            .and_then(|pid| rustix::process::Pid::from_raw(pid as i32));
        let Some(pid) = pid else { return };
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let asked = Instant::now();
        while asked.elapsed() < END_POLITELY {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.start_kill();
    }
}
