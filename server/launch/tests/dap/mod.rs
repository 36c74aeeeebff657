//! A small client of the Debug Adapter Protocol, as much as a launch and one breakpoint need.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

/// Building a Go program on a busy machine takes longest.
const DEADLINE: Duration = Duration::from_secs(120);

/// A connection to a debug adapter, which is killed when dropped.
pub struct Dap {
    adapter: Child,
    output: Box<dyn Write>,
    messages: Receiver<Value>,
    seen: Vec<Value>,
    seq: u64,
}

impl Dap {
    /// An adapter that speaks on its standard input and output.
    pub fn over_stdio(command: &mut Command) -> Dap {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut adapter = command.spawn().expect("the adapter starts");
        let output = adapter.stdin.take().expect("piped");
        let input = adapter.stdout.take().expect("piped");
        Dap::new(adapter, Box::new(output), input)
    }

    /// An adapter that prints where it listens.
    pub fn over_tcp(command: &mut Command) -> Dap {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut adapter = command.spawn().expect("the adapter starts");
        let mut lines = BufReader::new(adapter.stdout.take().expect("piped")).lines();
        let line = lines.next().expect("a line").expect("text");
        let address = line.rsplit(' ').next().expect("an address").to_owned();
        // It goes on printing, and must not be stopped by a full pipe.
        std::thread::spawn(move || lines.count());
        let stream = TcpStream::connect(&address).unwrap_or_else(|error| panic!("{line}: {error}"));
        let input = stream.try_clone().expect("a second handle");
        Dap::new(adapter, Box::new(stream), input)
    }

    fn new(adapter: Child, output: Box<dyn Write>, input: impl Read + Send + 'static) -> Dap {
        let (message_tx, messages) = channel();
        std::thread::spawn(move || {
            let mut input = BufReader::new(input);
            while let Some(message) = read(&mut input) {
                if message_tx.send(message).is_err() {
                    break;
                }
            }
        });
        Dap {
            adapter,
            output,
            messages,
            seen: Vec::new(),
            seq: 0,
        }
    }

    /// Launches with `arguments` and waits until the program stands at the breakpoint.
    pub fn launch(&mut self, arguments: &Value, file: &str, line: u32) {
        self.request(
            "initialize",
            json!({"adapterID": "test", "linesStartAt1": true}),
        );
        self.answer("initialize");
        self.request("launch", arguments.clone());
        self.wait(|message| message["event"] == "initialized");
        let breakpoint = json!({"source": {"path": file}, "breakpoints": [{"line": line}]});
        self.request("setBreakpoints", breakpoint);
        self.answer("setBreakpoints");
        self.request("configurationDone", json!({}));
        self.wait(|message| message["event"] == "stopped");
    }

    /// The value of a variable where the program stands.
    pub fn evaluate(&mut self, expression: &str) -> String {
        self.request("threads", json!({}));
        let threads = self.answer("threads");
        let thread = threads["body"]["threads"][0]["id"].clone();
        self.request("stackTrace", json!({"threadId": thread, "levels": 1}));
        let frame = self.answer("stackTrace")["body"]["stackFrames"][0]["id"].clone();
        let arguments = json!({"expression": expression, "frameId": frame, "context": "watch"});
        self.request("evaluate", arguments);
        let answer = self.answer("evaluate");
        answer["body"]["result"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Lets the program run to its end.
    pub fn finish(mut self) {
        self.request("continue", json!({"threadId": 1}));
        self.wait(|message| message["event"] == "terminated");
        self.request("disconnect", json!({"terminateDebuggee": true}));
        self.answer("disconnect");
    }

    fn request(&mut self, command: &str, arguments: Value) {
        self.seq += 1;
        let body = json!({
            "seq": self.seq, "type": "request", "command": command, "arguments": arguments,
        })
        .to_string();
        write!(self.output, "Content-Length: {}\r\n\r\n{body}", body.len()).expect("sent");
        self.output.flush().expect("sent");
    }

    /// The answer to a command's last request.
    fn answer(&mut self, command: &str) -> Value {
        let seq = self.seq;
        let answer = self.wait(|message| message["request_seq"] == seq);
        assert_eq!(answer["success"], true, "{command}: {answer}");
        answer
    }

    fn wait(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.seen.iter().position(&wanted) {
            return self.seen.remove(at);
        }
        loop {
            let Ok(message) = self.messages.recv_timeout(DEADLINE) else {
                panic!(
                    "the awaited message did not come; there were {:#?}",
                    self.seen
                );
            };
            if wanted(&message) {
                return message;
            }
            assert_ne!(message["success"], false, "{message:#}");
            self.seen.push(message);
        }
    }
}

impl Drop for Dap {
    fn drop(&mut self) {
        let _ = self.adapter.kill();
        let _ = self.adapter.wait();
    }
}

fn read(input: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if input.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.parse().ok()?;
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    input.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}

/// A conversation in lines.
pub struct Lines {
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Lines {
    /// With a process whose both ends are pipes.
    pub fn of(child: &mut Child) -> Lines {
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let (line_tx, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if line_tx.send(line).is_err() {
                    break;
                }
            }
        });
        Lines {
            input: child.stdin.take().expect("piped"),
            lines,
        }
    }

    /// Says a line.
    pub fn say(&mut self, line: &str) {
        writeln!(self.input, "{line}").expect("said");
    }

    /// All that was said until a line has `words`.
    pub fn wait_for(&mut self, words: &str) -> String {
        let mut all = String::new();
        loop {
            let Ok(line) = self.lines.recv_timeout(DEADLINE) else {
                panic!("no {words:?} in:\n{all}");
            };
            all.push_str(&line);
            all.push('\n');
            if line.contains(words) {
                return all;
            }
        }
    }
}
