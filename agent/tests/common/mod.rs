//! Real targets in namespaces of their own, and the real agent binary beside them.

#![allow(dead_code, missing_docs)]

use std::{
    io::{BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use bytes::Bytes;
use mirrord_link::{Endpoint, MessageReceiver, MessageSender, SessionIdentity, dial};
use mirrord_protocol::{
    codec,
    control::{Answer, FromAgent, Notice, TargetFacts, ToAgent},
    hello::Purpose,
};

/// Under whom a target and its agent run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum User {
    /// Whoever runs the tests.
    Caller,
    /// An ordinary user; the caller itself where that is one.
    Ordinary,
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A command that runs as the user.
pub fn command(user: User, program: &str) -> Command {
    let mut command = Command::new(program);
    if user == User::Ordinary && is_root() {
        // The groups of the caller are dropped by the standard library when the uid is set.
        command.uid(1000).gid(1000);
    }
    command
}

/// A process that is killed when the test ends.
pub struct Running(pub Child);

impl Running {
    pub fn pid(&self) -> i32 {
        self.0.id() as i32
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits, but not for ever.
    pub fn wait(&mut self) -> ExitStatus {
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "process {} does not end", self.pid());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A sleeping process in its own network and UTS namespace (and user namespace, for an ordinary
/// user), whose environment is `GREETING=hello world` and `EMPTY=`.
pub fn target(user: User) -> Running {
    let rootless = user == User::Ordinary || !is_root();
    let flags: &[&str] = if rootless {
        &["--user", "--map-root-user"]
    } else {
        &[]
    };
    let script = "hostname pod-7 && cd /usr && echo ready && \
                  exec env -i 'GREETING=hello world' EMPTY= sleep 1000";
    let mut child = command(user, "unshare")
        .args(flags)
        .args(["--net", "--uts", "sh", "-c", script])
        .stdout(Stdio::piped())
        .spawn()
        .expect("unshare(1) of util-linux must be there");
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(
        line, "ready\n",
        "namespaces for {user:?} cannot be made on this machine"
    );
    let running = Running(child);
    // `ready` comes before the last exec; the environment is the target's own once it is `sleep`.
    let end = Instant::now() + Duration::from_secs(5);
    while std::fs::read_to_string(format!("/proc/{}/comm", running.pid())).unwrap() != "sleep\n" {
        assert!(Instant::now() < end, "the target does not start");
        std::thread::sleep(Duration::from_millis(2));
    }
    running
}

/// A running agent.
pub struct Agent {
    pub process: Running,
    pub endpoint: Endpoint,
    pub identity: SessionIdentity,
    pub socket: PathBuf,
    _folder: tempfile::TempDir,
}

pub fn agent_command(user: User, pid: i32, listen: &str, key: &str) -> Command {
    let mut command = command(user, env!("CARGO_BIN_EXE_mirrord-agent"));
    command
        .args([
            "--target-pid",
            &pid.to_string(),
            "--listen",
            listen,
            "--session-key",
            key,
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

impl Agent {
    /// Starts an agent for a target at a Unix socket.
    pub fn start(user: User, target: &Running, options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        if user == User::Ordinary && is_root() {
            std::os::unix::fs::chown(folder.path(), Some(1000), Some(1000)).unwrap();
        }
        let socket = folder.path().join("agent");
        let key = SessionIdentity::new_key().unwrap();
        let listen = format!("unix:{}", socket.display());
        let public = SessionIdentity::public_hex(&key);
        let mut child = agent_command(user, target.pid(), &listen, &public)
            .args(options)
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words.len(), 6, "{line}");
        assert_eq!(
            (words[0], words[2], words[4]),
            ("mirrord-agent", "fingerprint", "listening")
        );
        let identity = SessionIdentity {
            session: "s1".to_owned(),
            key,
            agent: words[3].parse().unwrap(),
        };
        Agent {
            process: Running(child),
            endpoint: words[5].parse().unwrap(),
            identity,
            socket,
            _folder: folder,
        }
    }

    /// Opens a control link and takes what comes first: the facts, and how names are resolved.
    pub async fn control(&self) -> (Control, TargetFacts) {
        let (_, socket) = dial(&self.endpoint, &self.identity, Purpose::Control)
            .await
            .unwrap();
        let (sender, receiver) = socket.into_messages();
        let mut control = Control { sender, receiver };
        let facts = match control.next().await {
            Some(FromAgent::Answer(0, Ok(Answer::Target(facts)))) => facts,
            other => panic!("{other:?}"),
        };
        match control.next().await {
            Some(FromAgent::Notice(Notice::Resolver { .. })) => (control, facts),
            other => panic!("{other:?}"),
        }
    }
}

/// The session's end of a control link.
pub struct Control {
    pub sender: MessageSender,
    pub receiver: MessageReceiver,
}

impl Control {
    pub async fn send(&mut self, message: &ToAgent) {
        self.sender
            .send(Bytes::from(codec::encode(message).unwrap()))
            .await
            .unwrap();
    }

    /// The next message within ten seconds, or `None` when the link was closed.
    pub async fn next(&mut self) -> Option<FromAgent> {
        let next = tokio::time::timeout(Duration::from_secs(10), self.receiver.next());
        let message = next.await.expect("the agent says nothing")?;
        Some(codec::decode(&message.unwrap()).unwrap())
    }
}

/// Runs an agent that must fail, and returns what it said.
pub fn failing(mut command: Command) -> String {
    let mut process = Running(command.spawn().unwrap());
    let status = process.wait();
    let mut text = String::new();
    process
        .0
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(status.code(), Some(1), "{text}");
    text
}
