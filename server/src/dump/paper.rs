//! How a dump is written down: lines for people, or one JSON object a line.

use std::io::{self, Write};
use std::net::SocketAddr;

use serde_json::{Value as Json, json};
use tokio::sync::mpsc;

/// For whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// People.
    Text,
    /// Programs: one JSON object a line.
    Json,
}

/// What happened, with a connection's number.
#[derive(Debug)]
pub(super) struct Line {
    ts: String,
    id: Option<u64>,
    told: Told,
}

/// What can happen.
#[derive(Debug)]
pub(super) enum Told {
    /// A port is watched from now on.
    Watching {
        /// In the pod.
        port: u16,
        /// How.
        by: String,
    },
    /// A client connected.
    Opened {
        /// It.
        client: SocketAddr,
        /// What it called.
        server: SocketAddr,
    },
    /// It sent something.
    Sent {
        /// It.
        client: SocketAddr,
        /// What.
        bytes: Vec<u8>,
    },
    /// Nothing more comes.
    Closed {
        /// It.
        client: SocketAddr,
        /// Why.
        reason: String,
    },
}

impl Line {
    /// Something that happens now.
    pub(super) fn now(id: Option<u64>, told: Told) -> Self {
        Line {
            ts: crate::events::now(),
            id,
            told,
        }
    }

    fn text(&self) -> String {
        let id = self.id.unwrap_or(0);
        let head = format!("{} ", self.ts);
        match &self.told {
            Told::Watching { port, by } => {
                format!("{head}watching port {port} of the pod ({by})\n")
            }
            Told::Opened { client, server } => format!("{head}[{id}] {client} > {server} opened\n"),
            Told::Closed { client, reason } => format!("{head}[{id}] {client} closed ({reason})\n"),
            Told::Sent { client, bytes } => {
                let head = format!("{head}[{id}] {client} > pod, {} bytes\n", bytes.len());
                // A terminal must not be told what to do by what a client sends.
                shown(bytes)
                    .lines()
                    .fold(head, |text, line| text + "    " + line + "\n")
            }
        }
    }

    fn json(&self) -> Json {
        let mut line = match &self.told {
            Told::Watching { port, by } => json!({ "kind": "watching", "port": port, "by": by }),
            Told::Opened { client, server } => {
                json!({ "kind": "opened", "client": client, "server": server })
            }
            Told::Closed { client, reason } => {
                json!({ "kind": "closed", "client": client, "reason": reason })
            }
            Told::Sent { client, bytes } => {
                let content = match std::str::from_utf8(bytes) {
                    Ok(text) => ("text", text.to_owned()),
                    Err(_) => ("hex", hex(bytes)),
                };
                let mut sent = json!({ "kind": "sent", "client": client, "to": "pod" });
                sent["bytes"] = json!(bytes.len());
                sent[content.0] = json!(content.1);
                sent
            }
        };
        line["ts"] = json!(self.ts);
        if let Some(id) = self.id {
            line["connection"] = json!(id);
        }
        line
    }
}

/// Writes lines until the last, or until nobody reads. It blocks with its reader, so it has a
/// thread of its own.
pub(super) fn print(mut line_rx: mpsc::Receiver<Line>, style: Style) {
    while let Some(line) = line_rx.blocking_recv() {
        let text = match style {
            Style::Text => line.text(),
            Style::Json => format!("{}\n", line.json()),
        };
        let mut out = io::stdout().lock();
        if out
            .write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .is_err()
        {
            // Dropping the receiver tells the others.
            return;
        }
    }
}

/// Text as it is but for what a terminal would obey; other bytes as `\xNN`.
fn shown(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\n' | '\t' => text.push(character),
                '\r' => {}
                other if other.is_control() => text.extend(other.escape_default()),
                other => text.push(other),
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_shown_text_and_obeys_nothing() {
        let bytes = b"GET / HTTP/1.1\r\nX: \x1b[31m\xff\tend";
        assert_eq!(shown(bytes), "GET / HTTP/1.1\nX: \\u{1b}[31m\\xff\tend");
    }

    #[test]
    fn json_has_text_where_it_is_text() {
        let client: SocketAddr = "10.0.0.9:4000".parse().unwrap();
        let sent = |bytes: &[u8]| {
            let bytes = bytes.to_vec();
            Line::now(Some(3), Told::Sent { client, bytes }).json()
        };
        let text = sent(b"hello");
        assert_eq!(
            (&text["text"], &text["bytes"]),
            (&json!("hello"), &json!(5))
        );
        assert_eq!(
            (&text["connection"], &text["to"]),
            (&json!(3), &json!("pod"))
        );
        assert_eq!(sent(b"\xff\x00")["hex"], "ff00");
    }
}
