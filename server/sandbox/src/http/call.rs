//! One HTTP call on a new connection.

use std::io::{self, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result};

use super::body::{Buffered, Framing, framing};
use super::{HttpAnswer, HttpCall, MOST_HEADERS};

pub(super) fn make(call: &HttpCall) -> Result<HttpAnswer> {
    let limit = Duration::from_millis(call.limit_ms.max(1));
    let address = call.address;
    let mut stream = TcpStream::connect_timeout(&address, limit)
        .with_context(|| format!("could not connect to {address}"))?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    let local_address = stream.local_addr()?;
    stream
        .write_all(&request(call))
        .with_context(|| format!("could not send to {address}"))?;
    let mut stream = Buffered::new(stream);
    let read = read_answer(&mut stream, call.method == "HEAD");
    let (status, headers, body) =
        read.with_context(|| format!("could not read the answer of {address}"))?;
    Ok(HttpAnswer {
        status,
        headers,
        body,
        local_address,
    })
}

fn request(call: &HttpCall) -> Vec<u8> {
    let mut head = format!(
        "{} {} HTTP/1.1\r\nConnection: close\r\n",
        call.method, call.path
    );
    if !call
        .headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("host"))
    {
        head += &format!("Host: {}\r\n", call.address);
    }
    if !call.body.is_empty() || call.method != "GET" {
        head += &format!("Content-Length: {}\r\n", call.body.len());
    }
    for (name, value) in &call.headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += "\r\n";
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(&call.body);
    bytes
}

type Answer = (u16, Vec<(String, String)>, Vec<u8>);

fn read_answer(stream: &mut Buffered<TcpStream>, head_only: bool) -> io::Result<Answer> {
    loop {
        let head = stream
            .read_head(parse_head)?
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        let (length, status, headers) = head;
        stream.advance(length);
        if (100..200).contains(&status) && status != 101 {
            continue;
        }
        let framing = if head_only || matches!(status, 101 | 204 | 304) {
            Framing::Length(0)
        } else {
            framing(&headers)?.unwrap_or(Framing::UntilClosed)
        };
        let body = stream.read_body(framing)?;
        return Ok((status, headers, body));
    }
}

type Head = (usize, u16, Vec<(String, String)>);

fn parse_head(bytes: &[u8]) -> io::Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut answer = httparse::Response::new(&mut headers);
    match answer.parse(bytes).map_err(io::Error::other)? {
        httparse::Status::Partial => Ok(None),
        httparse::Status::Complete(length) => Ok(Some((
            length,
            answer.code.unwrap_or_default(),
            super::serve::owned(answer.headers),
        ))),
    }
}
