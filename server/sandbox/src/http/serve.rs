//! A small HTTP/1.1 server: one thread for each connection, kept alive, requests one after the
//! other.

use std::io::{self, ErrorKind, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::MOST_HEADERS;
use super::body::{Buffered, Framing, framing};

/// Most connections at a time; more are closed at once.
const MOST_CONNECTIONS: usize = 2000;
/// How long a connection may be idle, or a client refuse to read.
const IDLE: Duration = Duration::from_secs(120);
/// Enough for the deepest handler in a debug build.
const STACK: usize = 256 * 1024;

/// A request.
pub(crate) struct Request {
    pub method: String,
    /// Path and query as they came.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub peer: SocketAddr,
    pub local: SocketAddr,
    keep_alive: bool,
}

impl Request {
    /// The path without the query.
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// A number from the query.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        let query = self.target.split_once('?')?.1;
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(known, _)| *known == name)?.1.parse().ok()
    }

    /// The first header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

/// An answer.
pub(crate) struct Response {
    pub status: &'static str,
    pub content_type: &'static str,
    pub body: Vec<u8>,
}

impl Response {
    /// A good answer with text.
    pub(crate) fn text(body: impl Into<Vec<u8>>) -> Self {
        Response {
            status: "200 OK",
            content_type: "text/plain; charset=utf-8",
            body: body.into(),
        }
    }
}

/// Accepts connections on a thread of its own, for ever. `server` is what the answers' `Server`
/// header says.
pub(crate) fn serve(
    listener: TcpListener,
    server: &str,
    answer: impl Fn(&Request) -> Response + Send + Sync + 'static,
) -> io::Result<()> {
    let shared = Arc::new((server.to_owned(), answer, AtomicUsize::new(0)));
    thread::Builder::new()
        .name("accept".into())
        .stack_size(STACK)
        .spawn(move || {
            loop {
                let (stream, peer) = match listener.accept() {
                    Ok(accepted) => accepted,
                    // The connection was gone before it was accepted, or descriptors are short for a while.
                    Err(error) => {
                        eprintln!("a connection could not be accepted: {error}");
                        thread::sleep(Duration::from_millis(10));
                        continue;
                    }
                };
                if shared.2.fetch_add(1, Ordering::Relaxed) >= MOST_CONNECTIONS {
                    shared.2.fetch_sub(1, Ordering::Relaxed);
                    continue;
                }
                let shared_here = shared.clone();
                let spawned = thread::Builder::new()
                    .name("http".into())
                    .stack_size(STACK)
                    .spawn(move || {
                        // A client that breaks off or talks nonsense is its own affair.
                        let _ = converse(stream, peer, &shared_here.0, &shared_here.1);
                        shared_here.2.fetch_sub(1, Ordering::Relaxed);
                    });
                if let Err(error) = spawned {
                    shared.2.fetch_sub(1, Ordering::Relaxed);
                    eprintln!("no thread for a connection: {error}");
                }
            }
        })?;
    Ok(())
}

fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    server: &str,
    answer: &dyn Fn(&Request) -> Response,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(IDLE))?;
    stream.set_write_timeout(Some(IDLE))?;
    let local = stream.local_addr()?;
    let mut stream = Buffered::new(stream);
    loop {
        let request = match read_request(&mut stream, peer, local) {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(()),
            Err(error) => {
                if error.kind() == ErrorKind::InvalidData {
                    let told = Response {
                        status: "400 Bad Request",
                        content_type: "text/plain",
                        body: format!("{error}\n").into_bytes(),
                    };
                    write_response(&mut stream.stream, &told, server, false, false)?;
                    // Closing with unread bytes would reset the connection and lose the answer.
                    stream.stream.shutdown(Shutdown::Write)?;
                }
                return Err(error);
            }
        };
        let response = answer(&request);
        let head_only = request.method == "HEAD";
        write_response(
            &mut stream.stream,
            &response,
            server,
            request.keep_alive,
            head_only,
        )?;
        if !request.keep_alive {
            return stream.stream.shutdown(Shutdown::Write);
        }
    }
}

fn read_request(
    stream: &mut Buffered<TcpStream>,
    peer: SocketAddr,
    local: SocketAddr,
) -> io::Result<Option<Request>> {
    let Some((length, mut request)) = stream.read_head(|bytes| parse_head(bytes, peer, local))?
    else {
        return Ok(None);
    };
    stream.advance(length);
    let framing = framing(&request.headers)?.unwrap_or(Framing::Length(0));
    let waits = request
        .header("expect")
        .is_some_and(|value| value.eq_ignore_ascii_case("100-continue"));
    if waits && stream.unused().is_empty() {
        stream.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    request.body = stream.read_body(framing)?;
    Ok(Some(request))
}

fn parse_head(
    bytes: &[u8],
    peer: SocketAddr,
    local: SocketAddr,
) -> io::Result<Option<(usize, Request)>> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let status = parsed.parse(bytes).map_err(|error| {
        io::Error::new(
            ErrorKind::InvalidData,
            format!("this is no HTTP/1.1: {error}"),
        )
    })?;
    let httparse::Status::Complete(length) = status else {
        return Ok(None);
    };
    let headers = owned(parsed.headers);
    let connection = header(&headers, "connection")
        .unwrap_or_default()
        .to_ascii_lowercase();
    let keep_alive = if parsed.version == Some(1) {
        !connection.contains("close")
    } else {
        connection.contains("keep-alive")
    };
    let request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        target: parsed.path.unwrap_or_default().to_owned(),
        headers,
        body: Vec::new(),
        peer,
        local,
        keep_alive,
    };
    Ok(Some((length, request)))
}

fn write_response(
    stream: &mut TcpStream,
    response: &Response,
    server: &str,
    keep_alive: bool,
    head_only: bool,
) -> io::Result<()> {
    let connection = if keep_alive { "keep-alive" } else { "close" };
    let (status, kind, length) = (response.status, response.content_type, response.body.len());
    let mut bytes = format!(
        "HTTP/1.1 {status}\r\nServer: {server}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Connection: {connection}\r\n\r\n"
    )
    .into_bytes();
    if !head_only {
        bytes.extend_from_slice(&response.body);
    }
    stream.write_all(&bytes)
}

/// Headers as text; bytes that are none are replaced.
pub(super) fn owned(headers: &[httparse::Header<'_>]) -> Vec<(String, String)> {
    let text = |header: &httparse::Header<'_>| {
        (
            header.name.to_owned(),
            String::from_utf8_lossy(header.value).into_owned(),
        )
    };
    headers.iter().map(text).collect()
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests;
