//! N sockets over one `epoll`. All read into the same buffer; what is no whole frame yet is kept by its socket.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

use super::Fault;
use super::http::Answer;
use super::ledger::{Ledger, number_of};
use super::site::Site;
use super::websocket::{self, ACCEPT, CLOSE, PING, TEXT};

/// One read. A frame is at most this long.
const BUFFER: usize = 256 * 1024;
/// Sockets of one source address: what lies between the system's first and last port of its own choice.
const AN_ADDRESS: usize = 20_000;
/// Handshakes under way at once.
const AT_ONCE: usize = 256;
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Crowd {
    pub sockets: Vec<Socket>,
    poller: Poller,
    buffer: Vec<u8>,
    joined: usize,
    closed: u64,
}

pub struct Socket {
    stream: TcpStream,
    partial: Vec<u8>,
    state: State,
    /// Messages it has had (`ledger`).
    pub place: usize,
    /// Frames that came before `connected`.
    early: u64,
    /// The room's revision when it joined, where the server says it.
    pub joined_at: Option<i64>,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Handshake,
    /// The first frame is due.
    Greeting,
    Joined,
    Gone,
}

/// `epoll` and what it told last.
pub struct Poller {
    epoll: OwnedFd,
    events: Vec<Event>,
}

impl Poller {
    pub fn new() -> Result<Self, Fault> {
        Ok(Self { epoll: epoll::create(CreateFlags::CLOEXEC)?, events: Vec::with_capacity(1024) })
    }

    /// Tells of `stream`, as number `n`, whenever it can be read.
    pub fn add(&self, stream: &TcpStream, n: usize) -> Result<(), Fault> {
        Ok(epoll::add(&self.epoll, stream, EventData::new_u64(n as u64), EventFlags::IN)?)
    }

    pub fn remove(&self, stream: &TcpStream) {
        let _ = epoll::delete(&self.epoll, stream);
    }

    /// The numbers of those that can be read now; empty when none can within `patience`.
    pub fn wait(&mut self, patience: Duration) -> Result<usize, Fault> {
        let patience = Timespec { tv_sec: patience.as_secs() as i64, tv_nsec: i64::from(patience.subsec_nanos()) };
        self.events.clear();
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut self.events), Some(&patience)) {
            Err(rustix::io::Errno::INTR) => Ok(0),
            count => Ok(count?),
        }
    }

    /// The same without sleeping.
    pub fn wait_awake(&mut self, patience: Duration) -> Result<usize, Fault> {
        let since = Instant::now();
        loop {
            let ready = self.wait(Duration::ZERO)?;
            if ready > 0 || since.elapsed() > patience {
                return Ok(ready);
            }
        }
    }

    pub fn ready(&self, at: usize) -> usize {
        let Event { data, .. } = self.events[at];
        data.u64() as usize
    }
}

impl Crowd {
    pub fn new() -> Result<Self, Fault> {
        Ok(Self { sockets: Vec::new(), poller: Poller::new()?, buffer: vec![0; BUFFER], joined: 0, closed: 0 })
    }

    /// Opens `count` sockets, signed in and joined: returns when each has its first frame. What comes meanwhile goes to
    /// `take`, as in [`Crowd::turn`].
    pub fn open(
        &mut self,
        site: &Site,
        count: usize,
        after: Option<i64>,
        mut take: impl FnMut(&mut usize, &[u8]),
    ) -> Result<(), Fault> {
        let all = self.sockets.len() + count;
        let mut heard = Instant::now();
        while self.joined < all {
            while self.sockets.len() < all && self.sockets.len() - self.joined < AT_ONCE {
                self.begin(site, self.sockets.len(), after)?;
            }
            if self.turn(Duration::from_secs(1), &mut take)? {
                heard = Instant::now();
            } else if heard.elapsed() > PATIENCE {
                return Err(format!("{} of {all} sockets have joined, and no more do", self.joined).into());
            }
        }
        Ok(())
    }

    fn begin(&mut self, site: &Site, n: usize, after: Option<i64>) -> Result<(), Fault> {
        let mut stream = connect_from(source(n), site.at)?;
        stream.set_nodelay(true)?;
        stream.write_all(&site.handshake(n, after))?;
        stream.set_nonblocking(true)?;
        self.poller.add(&stream, n)?;
        self.sockets.push(Socket {
            stream,
            partial: Vec::new(),
            state: State::Handshake,
            place: 0,
            early: 0,
            joined_at: None,
        });
        Ok(())
    }

    /// Waits for what comes and hands each text frame to `take`, with its socket's place. The first frame of each is
    /// kept back. Says whether anything came.
    pub fn turn(&mut self, patience: Duration, mut take: impl FnMut(&mut usize, &[u8])) -> Result<bool, Fault> {
        let count = self.poller.wait(patience)?;
        for at in 0..count {
            let n = self.poller.ready(at);
            let socket = &mut self.sockets[n];
            let was = socket.state;
            if !socket.read(&mut self.buffer, &mut take)? {
                self.poller.remove(&socket.stream);
                socket.state = State::Gone;
                self.closed += 1;
            }
            self.joined += usize::from(was != State::Joined && socket.state == State::Joined);
        }
        Ok(count > 0)
    }

    /// Puts into `ledger` what each socket lacks, and what became of the sockets themselves.
    pub fn settle(&self, ledger: &mut Ledger) {
        ledger.close(self.sockets.iter().map(|socket| socket.place));
        ledger.faults.closed = self.closed;
        ledger.faults.before_connected = self.sockets.iter().map(|socket| socket.early).sum();
    }

    /// Sends `frame` as it is.
    pub fn send(&mut self, n: usize, frame: &[u8]) -> Result<(), Fault> {
        self.sockets[n].send(frame)
    }
}

impl Socket {
    fn send(&mut self, mut frame: &[u8]) -> Result<(), Fault> {
        while !frame.is_empty() {
            match self.stream.write(frame) {
                Ok(sent) => frame = &frame[sent..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    poll(&mut [PollFd::new(&self.stream, PollFlags::OUT)], None)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Reads once. `false` when the other side has closed. Errors: what breaks the protocol.
    fn read(&mut self, buffer: &mut [u8], mut take: impl FnMut(&mut usize, &[u8])) -> Result<bool, Fault> {
        let held = self.partial.len();
        buffer[..held].copy_from_slice(&self.partial);
        let got = match self.stream.read(&mut buffer[held..]) {
            Ok(0) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(false),
            got => got?,
        };
        let mut rest = &buffer[..held + got];
        if self.state == State::Handshake {
            let Some(answer) = Answer::parse(rest)? else {
                self.partial = rest.to_vec();
                return Ok(true);
            };
            if answer.status != 101 || answer.header(rest, "sec-websocket-accept") != Some(ACCEPT) {
                return Err(format!("a handshake was answered by {}", answer.status).into());
            }
            rest = &rest[answer.end..];
            self.state = State::Greeting;
        }
        while let Some(frame) = websocket::next(rest)? {
            rest = &rest[frame.size..];
            match (frame.opcode, self.state) {
                (TEXT, State::Greeting) => self.greet(frame.payload),
                (TEXT, _) => take(&mut self.place, frame.payload),
                (PING, _) => self.send(&websocket::pong(frame.payload))?,
                (CLOSE, _) => return Ok(false),
                (opcode, _) => return Err(format!("a frame of kind {opcode}").into()),
            }
        }
        self.partial.clear();
        self.partial.extend_from_slice(rest);
        Ok(true)
    }

    fn greet(&mut self, frame: &[u8]) {
        if !frame.starts_with(br#"{"type":"connected""#) {
            self.early += 1;
            return;
        }
        self.joined_at = number_of(frame, "rev");
        self.state = State::Joined;
    }
}

/// The loopback address that the `n`th socket comes from.
fn source(n: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, u8::try_from(1 + n / AN_ADDRESS).unwrap_or(u8::MAX))
}

fn connect_from(source: Ipv4Addr, to: SocketAddr) -> Result<TcpStream, Fault> {
    let made = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    if source != Ipv4Addr::LOCALHOST {
        bind(&made, &SocketAddrV4::new(source, 0))?;
    }
    connect(&made, &to)?;
    Ok(made.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_sockets_than_an_address_has_ports_come_from_several() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        for n in [0, AN_ADDRESS, 49_999] {
            let stream = connect_from(source(n), listener.local_addr().unwrap()).unwrap();
            let (_, from) = listener.accept().unwrap();
            assert_eq!((from, from.ip()), (stream.local_addr().unwrap(), source(n).into()));
        }
        assert_eq!(source(49_999), Ipv4Addr::new(127, 0, 0, 3));
    }
}
