//! A small client of `mirrord-server --stdio`, for the daemon's figures: JSON-RPC messages behind
//! `Content-Length` headers, one question at a time.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

/// A client that has been answered `initialize`.
pub struct Client {
    forwarder: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    next_id: u64,
}

impl Client {
    /// Starts the forwarder and waits for the answer to `initialize`.
    pub fn initialize(forwarder: &mut Command) -> Result<Client> {
        let mut forwarder = forwarder
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("could not start {forwarder:?}"))?;
        let stdin = forwarder.stdin.take().context("piped")?;
        let stdout = BufReader::new(forwarder.stdout.take().context("piped")?);
        let mut client = Client {
            forwarder,
            stdin,
            stdout,
            next_id: 1,
        };
        let params = json!({
            "processId": null,
            "rootUri": null,
            "capabilities": {},
            "initializationOptions": { "editor": { "name": "bench", "version": "1" } },
        });
        client.request("initialize", &params)?;
        Ok(client)
    }

    /// Asks, and waits for the answer.
    pub fn request(&mut self, method: &str, params: &Value) -> Result<Value> {
        let id = self.next_id;
        self.next_id += 1;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))?;
        loop {
            let mut message = self.receive()?;
            // What the daemon tells or asks meanwhile is not looked at.
            if message["id"] != id || message.get("method").is_some() {
                continue;
            }
            if let Some(error) = message.get("error") {
                bail!("{method}: {error}");
            }
            return Ok(message["result"].take());
        }
    }

    /// Tells.
    pub fn notify(&mut self, method: &str, params: &Value) -> Result<()> {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }))
    }

    /// Ends the connection in order; the daemon stays.
    pub fn end(mut self) -> Result<()> {
        self.request("shutdown", &Value::Null)?;
        self.notify("exit", &Value::Null)?;
        let status = self.forwarder.wait()?;
        ensure!(status.success(), "the forwarder ended with {status}");
        Ok(())
    }

    fn send(&mut self, message: &Value) -> Result<()> {
        let text = message.to_string();
        write!(self.stdin, "Content-Length: {}\r\n\r\n{text}", text.len())?;
        Ok(self.stdin.flush()?)
    }

    fn receive(&mut self) -> Result<Value> {
        let mut length = None;
        loop {
            let mut line = String::new();
            ensure!(self.stdout.read_line(&mut line)? > 0, "the daemon hung up");
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("Content-Length: ") {
                length = Some(value.parse()?);
            }
        }
        let mut body = vec![0; length.context("a message without Content-Length")?];
        self.stdout.read_exact(&mut body)?;
        Ok(serde_json::from_slice(&body)?)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // Of a measurement that failed; after `end` it is gone already.
        let _ = self.forwarder.kill();
        let _ = self.forwarder.wait();
    }
}
