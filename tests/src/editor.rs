//! An editor's side of the daemon: `mirrord-server --stdio`, one question at a time.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::{Value, json};

use crate::run::server;

/// A connected editor; its daemon ends with it.
pub struct Editor {
    runtime: std::path::PathBuf,
    forwarder: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    asked: u64,
}

impl Editor {
    /// Connects as a user with this runtime folder, which is the home, too.
    pub fn start(runtime: &Path) -> Editor {
        let mut forwarder = server(runtime, &["--stdio"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the product is built");
        let stdin = forwarder.stdin.take().expect("piped");
        let stdout = BufReader::new(forwarder.stdout.take().expect("piped"));
        let mut editor = Editor {
            runtime: runtime.to_owned(),
            forwarder,
            stdin,
            stdout,
            asked: 0,
        };
        let params = json!({ "processId": null, "rootUri": null, "capabilities": {} });
        editor.ask("initialize", params).expect("initialize");
        editor
    }

    /// Asks; the result, or the error.
    pub fn ask(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        self.asked += 1;
        let id = self.asked;
        let text = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let text = text.to_string();
        write!(self.stdin, "Content-Length: {}\r\n\r\n{text}", text.len())
            .and_then(|()| self.stdin.flush())
            .expect("the daemon listens");
        loop {
            let mut message = self.message();
            if message["id"] == id && message.get("method").is_none() {
                return match message.get_mut("error") {
                    Some(error) => Err(error.take()),
                    None => Ok(message["result"].take()),
                };
            }
        }
    }

    fn message(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            let read = self.stdout.read_line(&mut line).expect("UTF-8");
            assert!(read > 0, "the daemon hung up");
            match line.trim_end().split_once(": ") {
                Some(("Content-Length", value)) => length = value.parse().expect("a number"),
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.stdout.read_exact(&mut body).expect("a whole message");
        serde_json::from_slice(&body).expect("JSON")
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        let _ = server(&self.runtime, &["daemon", "stop"]).output();
        let _ = self.forwarder.kill();
        let _ = self.forwarder.wait();
    }
}
