//! Reading heads and bodies (RFC 9112) from a stream with a buffer that keeps what came too early.

use std::io::{self, ErrorKind, Read};

use super::{LONGEST_BODY, LONGEST_HEAD};

/// A stream and the bytes read from it that nobody has used yet.
pub(super) struct Buffered<R> {
    pub stream: R,
    unused: Vec<u8>,
}

/// How long a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes.
    Length(usize),
    /// In chunks.
    Chunked,
    /// As long as the connection lives.
    UntilClosed,
}

impl<R: Read> Buffered<R> {
    pub(super) fn new(stream: R) -> Self {
        Buffered {
            stream,
            unused: Vec::new(),
        }
    }

    /// What is read but not used.
    pub(super) fn unused(&self) -> &[u8] {
        &self.unused
    }

    /// Uses up the first bytes.
    pub(super) fn advance(&mut self, count: usize) {
        self.unused.drain(..count);
    }

    /// Reads more; the number of new bytes, 0 at the end of the stream.
    pub(super) fn read_more(&mut self) -> io::Result<usize> {
        let mut chunk = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(count) => {
                    self.unused.extend_from_slice(&chunk[..count]);
                    return Ok(count);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads until `parse` has what it wants from the unused bytes; `None` if the stream ended
    /// before the first byte.
    pub(super) fn read_head<T>(
        &mut self,
        mut parse: impl FnMut(&[u8]) -> io::Result<Option<T>>,
    ) -> io::Result<Option<T>> {
        loop {
            if !self.unused.is_empty()
                && let Some(parsed) = parse(&self.unused)?
            {
                return Ok(Some(parsed));
            }
            if self.unused.len() > LONGEST_HEAD {
                return Err(io::Error::new(
                    ErrorKind::InvalidData,
                    "the head is too long",
                ));
            }
            if self.read_more()? == 0 {
                return if self.unused.is_empty() {
                    Ok(None)
                } else {
                    Err(ErrorKind::UnexpectedEof.into())
                };
            }
        }
    }

    /// Reads a whole body.
    pub(super) fn read_body(&mut self, framing: Framing) -> io::Result<Vec<u8>> {
        match framing {
            Framing::Length(length) => self.read_exactly(length),
            Framing::Chunked => self.read_chunks(),
            Framing::UntilClosed => {
                while self.read_more()? > 0 {
                    check_length(self.unused.len())?;
                }
                Ok(std::mem::take(&mut self.unused))
            }
        }
    }

    fn read_exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        check_length(length)?;
        while self.unused.len() < length {
            if self.read_more()? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.unused.drain(..length).collect())
    }

    fn read_chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let (used, length) = self
                .read_head(|bytes| match httparse::parse_chunk_size(bytes) {
                    Ok(httparse::Status::Complete(size)) => Ok(Some(size)),
                    Ok(httparse::Status::Partial) => Ok(None),
                    Err(_) => Err(io::Error::new(
                        ErrorKind::InvalidData,
                        "a chunk has no valid size",
                    )),
                })?
                .ok_or(ErrorKind::UnexpectedEof)?;
            self.advance(used);
            if length == 0 {
                break;
            }
            let length = usize::try_from(length).map_err(io::Error::other)?;
            check_length(body.len().saturating_add(length))?;
            body.extend(self.read_exactly(length)?);
            self.read_exactly(2)?;
        }
        self.skip_trailers()?;
        Ok(body)
    }

    fn skip_trailers(&mut self) -> io::Result<()> {
        loop {
            let line = self.read_head(|bytes| Ok(bytes.iter().position(|&byte| byte == b'\n')))?;
            let line = line.ok_or(ErrorKind::UnexpectedEof)?;
            let empty = self.unused[..line].trim_ascii().is_empty();
            self.advance(line + 1);
            if empty {
                return Ok(());
            }
        }
    }
}

fn check_length(length: usize) -> io::Result<()> {
    if length > LONGEST_BODY {
        return Err(io::Error::new(
            ErrorKind::InvalidData,
            "the body is too long",
        ));
    }
    Ok(())
}

/// How long the body behind these headers is; `None` if they say nothing.
pub(super) fn framing(headers: &[(String, String)]) -> io::Result<Option<Framing>> {
    let wrong = |what| io::Error::new(ErrorKind::InvalidData, what);
    if let Some(coding) = values(headers, "transfer-encoding").last() {
        let chunked = coding.trim().eq_ignore_ascii_case("chunked");
        return if chunked {
            Ok(Some(Framing::Chunked))
        } else {
            Err(wrong("only chunked bodies are understood"))
        };
    }
    let mut lengths = values(headers, "content-length");
    let Some(length) = lengths.next() else {
        return Ok(None);
    };
    if lengths.any(|other| other != length) {
        return Err(wrong("there are several lengths"));
    }
    length
        .trim()
        .parse()
        .map(|length| Some(Framing::Length(length)))
        .map_err(|_| wrong("the length is no number"))
}

fn values<'a>(headers: &'a [(String, String)], name: &'a str) -> impl Iterator<Item = &'a String> {
    headers
        .iter()
        .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunked(text: &[u8]) -> io::Result<(Vec<u8>, Vec<u8>)> {
        let mut stream = Buffered::new(text);
        let body = stream.read_body(Framing::Chunked)?;
        Ok((body, stream.unused))
    }

    #[test]
    fn chunks_and_trailers_are_taken_and_nothing_more() {
        let (body, rest) =
            chunked(b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: 1\r\n\r\nGET /").unwrap();
        assert_eq!(
            (body.as_slice(), rest.as_slice()),
            (b"abcde".as_slice(), b"GET /".as_slice())
        );
    }

    #[test]
    fn a_body_that_ends_early_is_an_error() {
        assert_eq!(
            chunked(b"3\r\nab").unwrap_err().kind(),
            ErrorKind::UnexpectedEof
        );
        let short = Buffered::new(b"ab".as_slice()).read_body(Framing::Length(3));
        assert_eq!(short.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn lengths_that_disagree_are_refused() {
        let header = |value: &str| ("Content-Length".to_owned(), value.to_owned());
        assert_eq!(framing(&[header("5")]).unwrap(), Some(Framing::Length(5)));
        assert!(framing(&[header("5"), header("6")]).is_err());
        assert!(framing(&[header("five")]).is_err());
        assert_eq!(framing(&[]).unwrap(), None);
    }
}
