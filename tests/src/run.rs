//! Running a program inside the pod and through us, both with the same arguments.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use mirrord_sandbox::Place;

use crate::pod::Pod;
use crate::product;
use crate::programs::Program;

/// Nothing that a test starts takes longer; what does is killed and fails.
const DEADLINE: Duration = Duration::from_secs(60);

/// Debian's, without what this machine's user has added.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a program printed and how it ended.
#[derive(Debug)]
pub struct Ended {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Exit status.
    pub status: ExitStatus,
}

/// Runs a probe really inside the pod.
pub fn inside(pod: &Pod, program: &Program, arguments: &[&str]) -> Ended {
    let mut command = pod.sandbox.command(Place::Pod, &program.argv[0]);
    command.args(&program.argv[1..]).args(arguments);
    finish(&mut command)
}

/// Runs a probe on this machine, through us.
pub fn through_us(pod: &Pod, options: &[&str], program: &Program, arguments: &[&str]) -> Ended {
    finish(exec(pod, options, &program.argv).args(arguments))
}

/// `mirrord-server exec` on this pod with a small environment of its own.
pub fn exec<S: AsRef<OsStr>>(pod: &Pod, options: &[&str], argv: &[S]) -> Command {
    let mut command = Command::new(product::server());
    command
        .env_clear()
        .env("PATH", PATH)
        .env(
            "HOME",
            std::env::var_os("HOME").unwrap_or_else(|| "/".into()),
        )
        .env("XDG_RUNTIME_DIR", pod.runtime())
        .current_dir(pod.runtime())
        .args(["exec", "--target", &pod.target()])
        .args(options)
        .arg("--")
        .args(argv);
    if let Some(log) = std::env::var_os("MIRRORD_LOG") {
        command.env("MIRRORD_LOG", log);
    }
    command
}

/// The product as a user starts it whose home and runtime folder is `runtime`, from there.
pub fn server(runtime: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(product::server());
    command
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", runtime)
        .env("XDG_RUNTIME_DIR", runtime)
        .current_dir(runtime)
        .args(arguments);
    command
}

/// Runs a command to its end, with nothing on stdin.
pub fn finish(command: &mut Command) -> Ended {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("could not start {command:?}: {error}"));
    Running::of(child).finish()
}

/// A program that runs; killed when dropped.
pub struct Running {
    /// Its process.
    pub child: Child,
    /// What was read of its output behind the awaited line.
    ahead: Vec<u8>,
}

impl Running {
    /// A process of which nothing was read yet.
    pub fn of(child: Child) -> Running {
        let ahead = Vec::new();
        Running { child, ahead }
    }

    /// Starts a command and waits until it has printed a line that begins with `word`.
    pub fn start(command: &mut Command, word: &str) -> (Running, String) {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("could not start {command:?}: {error}"));
        let mut running = Running::of(child);
        let stdout = running.child.stdout.take().expect("piped");
        let (line_tx, line_rx) = std::sync::mpsc::channel();
        let (rest_tx, rest_rx) = std::sync::mpsc::channel();
        let word = word.to_owned();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(stdout);
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|length| length > 0) {
                if line.starts_with(&word) {
                    let _ = line_tx.send(line.trim_end().to_owned());
                    break;
                }
                line.clear();
            }
            drop(line_tx);
            // Whoever wants the rest asks for the pipe back; nobody reads meanwhile, which is
            // right for the few lines a probe prints.
            let ahead = reader.buffer().to_vec();
            let _ = rest_tx.send((ahead, reader.into_inner()));
        });
        match line_rx.recv_timeout(DEADLINE) {
            Ok(line) => {
                if let Ok((ahead, stdout)) = rest_rx.recv() {
                    running.ahead = ahead;
                    running.child.stdout = Some(stdout);
                }
                (running, line)
            }
            Err(_) => {
                let _ = running.child.kill();
                let ended = running.finish();
                panic!("it ended without the awaited line: {ended:?}");
            }
        }
    }

    /// Waits for the end and takes what was printed.
    pub fn finish(mut self) -> Ended {
        let stdout = self.child.stdout.take().map(drain);
        let stderr = self.child.stderr.take().map(drain);
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("wait") {
                break status;
            }
            if started.elapsed() > DEADLINE {
                let _ = self.child.kill();
                let _ = self.child.wait();
                let text = |reader: Option<std::thread::JoinHandle<String>>| {
                    reader
                        .map(|reader| reader.join().unwrap_or_default())
                        .unwrap_or_default()
                };
                panic!(
                    "not ended in time; printed {:?} and {:?}",
                    text(stdout),
                    text(stderr)
                );
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let text = |reader: Option<std::thread::JoinHandle<String>>| {
            reader
                .map(|reader| reader.join().expect("read"))
                .unwrap_or_default()
        };
        let ahead = String::from_utf8_lossy(&self.ahead).into_owned();
        Ended {
            stdout: ahead + &text(stdout),
            stderr: text(stderr),
            status,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn drain(mut pipe: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
