//! One blocking connection to a target: requests and their answers, or a socket's frames, each with a deadline.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::Target;
use crate::http::{Answer, request};
use crate::websocket::{self, ACCEPT, CLOSE, HANDSHAKE, PING};

/// Until a target must have taken a connection.
const CONNECT: Duration = Duration::from_secs(2);

pub struct Line {
    stream: TcpStream,
    bytes: Vec<u8>,
}

/// Why a connection is of no more use, or what was said instead of a welcome.
#[derive(Debug)]
pub enum Broken {
    /// Closed, reset, silent or not HTTP.
    Gone,
    /// A socket's handshake was answered by this status.
    Refused(u16),
    /// A socket was closed with this code (RFC 6455, section 7.4; 1005 for none).
    Closed(u16),
}

impl From<io::Error> for Broken {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

impl Line {
    pub fn open(target: &Target) -> Result<Self, Broken> {
        let stream = TcpStream::connect_timeout(&target.at, CONNECT)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(CONNECT))?;
        Ok(Self { stream, bytes: Vec::new() })
    }

    /// Opens a socket at `path` and waits for its handshake's answer.
    pub fn socket(target: &Target, path: &str, credentials: &str, until: Instant) -> Result<Self, Broken> {
        let mut line = Self::open(target)?;
        line.send(&request("GET", path, &target.host, &format!("{HANDSHAKE}{credentials}"), ""))?;
        let (answer, _) = line.answer(until)?;
        match answer.status {
            101 if answer.header(&line.bytes, "sec-websocket-accept") == Some(ACCEPT) => {
                line.bytes.drain(..answer.end);
                Ok(line)
            }
            status => Err(Broken::Refused(status)),
        }
    }

    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        Ok(self.stream.write_all(bytes)?)
    }

    /// Sends a request and waits for its answer: status and body.
    pub fn ask(&mut self, request: &[u8], until: Instant) -> Result<(u16, Vec<u8>), Broken> {
        self.send(request)?;
        let (answer, body) = self.answer(until)?;
        self.bytes.drain(..answer.end);
        Ok((answer.status, body))
    }

    fn answer(&mut self, until: Instant) -> Result<(Answer, Vec<u8>), Broken> {
        loop {
            match Answer::parse(&self.bytes) {
                Ok(Some(answer)) => {
                    let body = answer.body(&self.bytes);
                    return Ok((answer, body));
                }
                Ok(None) if self.read(until)? => {}
                Ok(None) | Err(_) => return Err(Broken::Gone),
            }
        }
    }

    /// The next text frame; `None` when there is none by then. Pings are answered on the way.
    pub fn frame(&mut self, until: Instant) -> Result<Option<Vec<u8>>, Broken> {
        loop {
            let Some(frame) = websocket::next(&self.bytes).map_err(|_| Broken::Gone)? else {
                if self.read(until)? {
                    continue;
                }
                return Ok(None);
            };
            let (opcode, size, payload) = (frame.opcode, frame.size, frame.payload.to_vec());
            self.bytes.drain(..size);
            match opcode {
                PING => self.send(&websocket::pong(&payload))?,
                CLOSE => {
                    let code = payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
                    return Err(Broken::Closed(code));
                }
                _ => return Ok(Some(payload)),
            }
        }
    }

    /// Reads once; `false` when nothing came by then.
    fn read(&mut self, until: Instant) -> Result<bool, Broken> {
        let patience = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        self.stream.set_read_timeout(Some(patience))?;
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk) {
            Ok(0) => Err(Broken::Gone),
            Ok(got) => {
                self.bytes.extend_from_slice(&chunk[..got]);
                Ok(true)
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(error.into()),
        }
    }
}
