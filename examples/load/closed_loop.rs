//! HTTP over kept connections, each asking again as soon as it is answered: for `posts` and `pages`.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Fault;
use super::crowd::Poller;
use super::figures::{Times, micros_each, round};
use super::http::Answer;
use super::process::{Mark, Span};
use super::site::Site;

const CHUNK: usize = 128 * 1024;
const STALLED: Duration = Duration::from_secs(20);

/// What is asked, and what an answer must be.
pub trait Asking {
    /// The next request of a connection; `None` when there is nothing left to ask.
    fn next(&mut self, site: &Site, connection: usize) -> Option<Vec<u8>>;
    /// Checks an answer. Errors end the run.
    fn check(&mut self, site: &Site, connection: usize, answer: &Answer, bytes: &[u8]) -> Result<(), Fault>;
}

pub struct Outcome {
    pub count: u64,
    pub span: Span,
    times: Times,
}

impl Outcome {
    /// `what` was asked for: per second, CPU of the server each, and how long one took.
    pub fn report(mut self, scenario: &str) -> Value {
        let mut report = self.times.report();
        report["scenario"] = scenario.into();
        report["count"] = self.count.into();
        report["seconds"] = round(self.span.seconds).into();
        report["per_second"] = round(self.count as f64 / self.span.seconds).into();
        report["cpu_us_each"] = json!(micros_each(self.span.server, self.count));
        report["generator_busy"] = round(self.span.own / self.span.seconds).into();
        report
    }
}

struct Connection {
    stream: TcpStream,
    bytes: Vec<u8>,
    asked: Instant,
    busy: bool,
}

/// Asks over `count` connections for so long, or until there is nothing left to ask.
pub fn run(site: &Site, count: usize, seconds: f64, asking: &mut impl Asking) -> Result<Outcome, Fault> {
    let mut poller = Poller::new()?;
    let mut connections = Vec::with_capacity(count);
    for n in 0..count {
        let stream = TcpStream::connect(site.at)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        poller.add(&stream, n)?;
        connections.push(Connection { stream, bytes: Vec::new(), asked: Instant::now(), busy: false });
    }
    let mut chunk = vec![0; CHUNK];
    let mut times = Times::default();
    let mark = Mark::now(site.pid);
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    for (n, connection) in connections.iter_mut().enumerate() {
        connection.ask(asking.next(site, n))?;
    }
    while connections.iter().any(|connection| connection.busy) {
        let ready = if site.awake { poller.wait_awake(STALLED) } else { poller.wait(STALLED) }?;
        if ready == 0 {
            return Err("the server doesn't answer any more".into());
        }
        for at in 0..ready {
            let n = poller.ready(at);
            let connection = &mut connections[n];
            let Some(answer) = connection.listen(&mut chunk)? else { continue };
            times.add(connection.asked.elapsed().as_micros());
            asking.check(site, n, &answer, &connection.bytes)?;
            connection.bytes.clear();
            connection.busy = false;
            if Instant::now() < end {
                connection.ask(asking.next(site, n))?;
            }
        }
    }
    let span = mark.until(&Mark::now(site.pid));
    Ok(Outcome { count: times.len() as u64, span, times })
}

impl Connection {
    fn ask(&mut self, request: Option<Vec<u8>>) -> Result<(), Fault> {
        let Some(request) = request else { return Ok(()) };
        self.asked = Instant::now();
        self.busy = true;
        // A request is far shorter than what a socket takes at once.
        Ok(self.stream.write_all(&request)?)
    }

    /// The whole answer, once it is there.
    fn listen(&mut self, chunk: &mut [u8]) -> Result<Option<Answer>, Fault> {
        match self.stream.read(chunk) {
            Ok(0) => return Err("the server hung up".into()),
            Ok(got) => self.bytes.extend_from_slice(&chunk[..got]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let answer = Answer::parse(&self.bytes)?;
        match &answer {
            Some(answer) if answer.end != self.bytes.len() => Err("more came than was asked for".into()),
            _ => Ok(answer),
        }
    }
}
