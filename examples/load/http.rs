//! As much of HTTP/1.1 (RFC 9112) as a client of two known servers needs: requests written at once, answers by length
//! or in chunks, and a blocking connection for what is set up before anything is measured.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::time::Duration;

use super::Fault;

/// An answer's place in a buffer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    head: Range<usize>,
    /// Bytes of the body, chunk after chunk.
    chunks: Vec<Range<usize>>,
    /// Where the next answer begins.
    pub end: usize,
}

impl Answer {
    /// The answer at the start of `bytes`, once it is all there. Errors: what isn't HTTP.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, String> {
        let Some(head) = find(bytes, b"\r\n\r\n").map(|at| at + 4) else { return Ok(None) };
        let status = bytes.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        let status = status.ok_or("an answer without a status")?;
        let mut answer = Self { status, head: 0..head, chunks: Vec::new(), end: head };
        if matches!(status, 101 | 204 | 304) {
            return Ok(Some(answer));
        }
        if let Some(length) = answer.header(bytes, "content-length") {
            let length: usize = length.parse().map_err(|_| "a length that is no number")?;
            answer.chunks.push(head..head + length);
            answer.end = head + length;
            return Ok((bytes.len() >= answer.end).then_some(answer));
        }
        if answer.header(bytes, "transfer-encoding").is_none() {
            return Err("an answer without a length".into());
        }
        while let Some(line) = find(&bytes[answer.end..], b"\r\n") {
            let size = std::str::from_utf8(&bytes[answer.end..answer.end + line]).unwrap_or_default();
            let size = usize::from_str_radix(size, 16).map_err(|_| "a chunk without a size")?;
            let from = answer.end + line + 2;
            if bytes.len() < from + size + 2 {
                return Ok(None);
            }
            answer.end = from + size + 2;
            if size == 0 {
                return Ok(Some(answer));
            }
            answer.chunks.push(from..from + size);
        }
        Ok(None)
    }

    /// The first header of this name, in lower case.
    pub fn header<'a>(&self, bytes: &'a [u8], name: &str) -> Option<&'a str> {
        let head = std::str::from_utf8(&bytes[self.head.clone()]).ok()?;
        head.split("\r\n").skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    pub fn length(&self) -> usize {
        self.chunks.iter().map(Range::len).sum()
    }

    /// The body in one piece.
    pub fn body(&self, bytes: &[u8]) -> Vec<u8> {
        self.chunks.iter().flat_map(|chunk| &bytes[chunk.clone()]).copied().collect()
    }
}

/// Where `needle` begins.
pub fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

/// A request as it goes out; `headers` are whole lines, each with its end.
pub fn request(method: &str, path: &str, host: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = match (method, body.len()) {
        ("GET", _) => String::new(),
        (_, length) => format!("Content-Length: {length}\r\n"),
    };
    format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{headers}{length}\r\n{body}").into_bytes()
}

/// One request and its whole answer at a time.
pub struct Connection {
    stream: TcpStream,
    bytes: Vec<u8>,
}

impl Connection {
    pub fn open(at: SocketAddr) -> Result<Self, Fault> {
        let stream = TcpStream::connect(at).map_err(|error| format!("nothing answers at {at}: {error}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self { stream, bytes: Vec::new() })
    }

    /// Sends `request`; the answer stays readable with [`Connection::bytes`] until the next.
    pub fn ask(&mut self, request: &[u8]) -> Result<Answer, Fault> {
        self.stream.write_all(request)?;
        self.bytes.clear();
        let mut chunk = [0; 64 * 1024];
        loop {
            let got = self.stream.read(&mut chunk)?;
            if got == 0 {
                return Err("the server hung up".into());
            }
            self.bytes.extend_from_slice(&chunk[..got]);
            if let Some(answer) = Answer::parse(&self.bytes)? {
                return Ok(answer);
            }
        }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_by_length_is_whole_when_its_last_byte_is_there() {
        let bytes = b"HTTP/1.1 201 Created\r\nContent-Length: 3\r\nX: y\r\n\r\nabcHTTP";
        assert!(Answer::parse(&bytes[..51]).unwrap().is_none());
        let answer = Answer::parse(bytes).unwrap().unwrap();
        assert_eq!((answer.status, answer.body(bytes), answer.header(bytes, "x")), (201, b"abc".to_vec(), Some("y")));
        assert_eq!(&bytes[answer.end..], b"HTTP");
    }

    #[test]
    fn an_answer_in_chunks_ends_with_the_empty_one() {
        let bytes = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\na\r\n0123456789\r\n0\r\n\r\n";
        assert!((0..bytes.len()).all(|end| Answer::parse(&bytes[..end]).unwrap().is_none()));
        let answer = Answer::parse(bytes).unwrap().unwrap();
        assert_eq!((answer.body(bytes), answer.length(), answer.end), (b"abc0123456789".to_vec(), 13, bytes.len()));
    }
}
