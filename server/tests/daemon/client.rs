//! A small client and a home of its own for each test: its daemon, its sockets, its state.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

/// Nothing here takes longer, also on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A user's folders. Its daemon ends with it.
pub struct Home {
    folder: tempfile::TempDir,
    idle: u64,
}

impl Home {
    pub fn new() -> Self {
        Self::with_idle(600)
    }

    /// Its daemon ends after so many seconds without clients.
    pub fn with_idle(idle: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["run", "state", "work"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        Home { folder, idle }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn socket(&self) -> PathBuf {
        self.path("run/mirrord/daemon.sock")
    }

    /// `mirrord-server` in this home.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(crate::server());
        command
            .args(arguments)
            .env("HOME", self.folder.path())
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env("XDG_STATE_HOME", self.path("state"))
            .env("MIRRORD_DAEMON_IDLE", self.idle.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs it to its end: exit status and output.
    pub fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self
            .command(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        (output.status.code(), text)
    }

    /// A forwarder.
    pub fn forwarder(&self) -> Client {
        self.client(&["--stdio"])
    }

    /// A client of this process.
    pub fn client(&self, arguments: &[&str]) -> Client {
        let mut child = self.command(arguments).spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        let stdout = child.stdout.take().unwrap();
        Client::new(Box::new(stdin), Box::new(stdout), Some(child))
    }

    /// A client that speaks LSP on the daemon's socket at once.
    pub fn direct(&self) -> Client {
        let stream = UnixStream::connect(self.socket()).unwrap();
        let read = stream.try_clone().unwrap();
        Client::new(Box::new(stream), Box::new(read), None)
    }

    pub fn status(&self) -> Value {
        let (code, text) = self.run(&["daemon", "status", "--json"]);
        assert_eq!(code, Some(0), "{text}");
        serde_json::from_str(&text).unwrap()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let (code, text) = self.run(&["daemon", "stop"]);
        if !std::thread::panicking() {
            assert_eq!(code, Some(0), "{text}");
        }
    }
}

/// A client; what it hears comes from a thread, so that waiting has an end.
pub struct Client {
    writer: Option<Box<dyn Write>>,
    heard_rx: Receiver<Value>,
    /// Messages that nobody has looked at yet.
    waiting: Vec<Value>,
    pub child: Option<Child>,
    next_id: i64,
}

impl Client {
    fn new(writer: Box<dyn Write>, reader: Box<dyn Read + Send>, child: Option<Child>) -> Self {
        let (heard_tx, heard_rx) = channel();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(reader);
            while let Some(message) = read_message(&mut reader) {
                if heard_tx.send(message).is_err() {
                    return;
                }
            }
        });
        Client {
            writer: Some(writer),
            heard_rx,
            waiting: Vec::new(),
            child,
            next_id: 1,
        }
    }

    pub fn raw(&mut self, bytes: &[u8]) {
        let writer = self.writer.as_mut().unwrap();
        writer.write_all(bytes).unwrap();
        writer.flush().unwrap();
    }

    pub fn send(&mut self, message: &Value) {
        let body = message.to_string();
        self.raw(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    }

    pub fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    /// Sends a request; its id.
    pub fn begin(&mut self, method: &str, params: Value) -> i64 {
        let id = self.next_id;
        self.next_id += 1;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        id
    }

    /// The answer to a request, `result` or `error` and all.
    pub fn answer(&mut self, id: i64) -> Value {
        self.wait(&format!("the answer to {id}"), |message| {
            message.get("method").is_none() && message["id"] == id
        })
    }

    /// A request's result.
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.begin(method, params);
        let mut answer = self.answer(id);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].take()
    }

    /// A request's error.
    pub fn fail(&mut self, method: &str, params: Value) -> Value {
        let id = self.begin(method, params);
        let mut answer = self.answer(id);
        assert!(answer.get("error").is_some(), "{method}: {answer}");
        answer["error"].take()
    }

    /// A notification's params.
    pub fn told(&mut self, method: &str) -> Value {
        self.wait(method, |message| message["method"] == method)["params"].take()
    }

    fn wait(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.waiting.iter().position(&is_it) {
            return self.waiting.remove(at);
        }
        loop {
            match self.heard_rx.recv_timeout(PATIENCE) {
                Ok(message) if is_it(&message) => return message,
                Ok(message) => self.waiting.push(message),
                Err(error) => panic!("waited for {what}: {error}; heard {:?}", self.waiting),
            }
        }
    }

    /// Everything that is heard until the other end hangs up.
    pub fn until_the_end(&mut self) -> Vec<Value> {
        let mut all = std::mem::take(&mut self.waiting);
        loop {
            match self.heard_rx.recv_timeout(PATIENCE) {
                Ok(message) => all.push(message),
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return all,
                Err(error) => panic!("{error}; heard {all:?}"),
            }
        }
    }

    pub fn initialize(&mut self, folder: &Path) -> Value {
        let uri = format!("file://{}", folder.display());
        let result = self.ask(
            "initialize",
            json!({
                "processId": null,
                "rootUri": null,
                "capabilities": {},
                "workspaceFolders": [{ "uri": uri, "name": "work" }],
                "initializationOptions": {
                    "editor": { "name": "test", "version": "1" },
                    "capabilities": { "notifications": true, "sessionsView": true },
                },
            }),
        );
        self.notify("initialized", json!({}));
        result
    }

    pub fn hang_up(&mut self) {
        self.writer = None;
    }

    /// The forwarder's exit status.
    pub fn exit_status(&mut self) -> Option<i32> {
        self.child.as_mut().unwrap().wait().unwrap().code()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.writer = None;
        if let Some(child) = &mut self.child {
            if std::thread::panicking() {
                let _ = child.kill();
            }
            let _ = child.wait();
        }
    }
}

fn read_message(reader: &mut impl BufRead) -> Option<Value> {
    let mut length = None;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => {
                length = line
                    .strip_prefix("Content-Length: ")
                    .and_then(|length| length.parse().ok())
                    .or(length);
            }
        }
    }
    let mut body = vec![0; length?];
    reader.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}
