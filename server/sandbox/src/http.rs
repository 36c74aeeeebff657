//! HTTP/1.1 for the sandbox's own services and for calls from its client: what those need and no
//! more, on threads and blocking sockets, with `httparse` for the heads.

mod body;
mod call;
mod serve;

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

pub(crate) use serve::{Request, Response, serve};

/// Longest head of a request or an answer.
const LONGEST_HEAD: usize = 64 * 1024;
/// Most headers in it.
const MOST_HEADERS: usize = 100;
/// Longest body.
const LONGEST_BODY: usize = 64 * 1024 * 1024;

/// A request to make from inside a sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpCall {
    /// Whom to call.
    pub address: SocketAddr,
    /// `GET`, `POST`, …
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Headers besides `Host`, `Content-Length` and `Connection`.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// How long connecting and each wait for bytes may take, in milliseconds.
    pub limit_ms: u64,
}

impl HttpCall {
    /// A `GET` with a limit of five seconds.
    pub fn get(address: impl Into<SocketAddr>, path: impl Into<String>) -> Self {
        HttpCall {
            address: address.into(),
            method: "GET".to_owned(),
            path: path.into(),
            headers: Vec::new(),
            body: Vec::new(),
            limit_ms: 5000,
        }
    }

    /// A `POST` of a body.
    pub fn post(
        address: impl Into<SocketAddr>,
        path: impl Into<String>,
        body: impl Into<Vec<u8>>,
    ) -> Self {
        HttpCall {
            method: "POST".to_owned(),
            body: body.into(),
            ..Self::get(address, path)
        }
    }

    /// Adds a header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Makes the call from the network namespace of this thread.
    pub(crate) fn make(&self) -> anyhow::Result<HttpAnswer> {
        call::make(self)
    }
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpAnswer {
    /// Status code.
    pub status: u16,
    /// Headers as they came.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The caller's own address, to compare with the one that the server saw.
    pub local_address: SocketAddr,
}

impl HttpAnswer {
    /// The body as text, with replacement characters for what is none.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}
