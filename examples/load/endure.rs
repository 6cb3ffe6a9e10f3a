//! `endure`: load that goes on while things break, for `tests/faults`. Writers post over HTTP and over sockets, one
//! message after the other, and send each again under the same `client_id` until it is acknowledged, at another target
//! when theirs is away. Listeners come back with the revision they have. In the end everything is read back.
//!
//! It talks to who runs it: one JSON object a line says how it goes, ten times a second, and the last one is the
//! report. Lines on standard input: `mark` (a fault is over: from here recovery is timed) and `stop`.
//!
//! Unlike the other scenarios it has a thread for each writer and listener: nothing is timed to the microsecond here, and
//! what waits, gives up and comes back reads best as a loop of its own.

mod audit;
mod book;
mod line;
mod listener;
mod order;
mod writer;

use std::io::BufRead;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;

use super::Fault;
use super::site::Site;
use book::Book;

/// How often it says how it goes.
const BEAT: Duration = Duration::from_millis(100);
/// How long what is under way at the end may take.
const LAST_WORDS: Duration = Duration::from_secs(40);

#[derive(Args)]
pub struct Options {
    /// Other nodes of the same site
    #[arg(long = "also", value_name = "URL")]
    also: Vec<String>,
    /// Half of them over HTTP, half over sockets
    #[arg(long, default_value_t = 12)]
    writers: usize,
    #[arg(long, default_value_t = 18)]
    listeners: usize,
    /// In the last one messages are edited, too
    #[arg(long, default_value_t = 3)]
    rooms: usize,
    /// Milliseconds that a writer rests after an acknowledgement
    #[arg(long, default_value_t = 20)]
    rest: u64,
    /// Seconds without an answer until a writer turns to another target
    #[arg(long, default_value_t = 7.0)]
    patience: f64,
    /// Until it stops by itself
    #[arg(long, default_value_t = 600.0)]
    seconds: f64,
}

/// One of the nodes.
pub struct Target {
    pub host: String,
    pub at: SocketAddr,
}

/// What all threads share.
pub struct Run<'a> {
    pub site: &'a Site,
    pub targets: Vec<Target>,
    pub rooms: Vec<i64>,
    pub rest: Duration,
    pub patience: Duration,
    pub book: Book,
    /// Writers end with the message they have under way.
    pub stop: AtomicBool,
    /// The revision at which a listener of each room has everything: known at the end.
    pub goals: Vec<AtomicI64>,
    /// When who still waits gives up, in milliseconds after the start.
    deadline: AtomicI64,
    begun: Instant,
}

impl Run<'_> {
    pub fn given_up(&self) -> bool {
        self.begun.elapsed().as_millis() as i64 > self.deadline.load(Ordering::Relaxed)
    }

    fn give_up_after(&self, patience: Duration) {
        let deadline = (self.begun.elapsed() + patience).as_millis() as i64;
        self.deadline.store(deadline, Ordering::Relaxed);
    }

    /// Whether messages of this room (its place) are edited.
    pub fn is_edited(&self, room: usize) -> bool {
        room + 1 == self.rooms.len() && room > 0
    }

    /// The header lines of one of the people at a target: the cookie, which outlives an access token.
    pub fn credentials(&self, person: usize, target: usize) -> String {
        let person = &self.site.people[person % self.site.people.len()];
        let cookie = person.cookie.split("\r\n").next().unwrap_or_default();
        format!("{cookie}\r\nOrigin: http://{}\r\n", self.targets[target].host)
    }
}

pub fn run(site: &mut Site, options: &Options) -> Result<Value, Fault> {
    let mut rooms = vec![site.room];
    for n in 1..options.rooms.max(1) {
        rooms.push(site.make_room(&format!("Load {} {n}", site.run))?);
        site.enter(rooms[n])?;
    }
    let mut targets = vec![Target { host: site.host.clone(), at: site.at }];
    for url in &options.also {
        let host = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let at = host.to_socket_addrs()?.next().ok_or("a target is no address")?;
        targets.push(Target { host, at });
    }
    let run = Run {
        site,
        targets,
        goals: rooms.iter().map(|_| AtomicI64::new(i64::MAX)).collect(),
        book: Book::new(options.writers, options.listeners, rooms.len()),
        rooms,
        rest: Duration::from_millis(options.rest),
        patience: Duration::from_secs_f64(options.patience),
        stop: AtomicBool::new(false),
        deadline: AtomicI64::new(i64::MAX),
        begun: Instant::now(),
    };
    Ok(endure(&run, options))
}

fn endure(run: &Run<'_>, options: &Options) -> Value {
    std::thread::scope(|threads| {
        let listeners: Vec<_> =
            (0..options.listeners).map(|n| threads.spawn(move || listener::listen(run, n))).collect();
        let writers: Vec<_> = (0..options.writers).map(|n| threads.spawn(move || writer::write(run, n))).collect();
        // Standard input can't be waited for with a deadline, so this one thread isn't among those that are joined.
        let (said, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            std::io::stdin().lock().lines().map_while(Result::ok).try_for_each(|l| said.send(l))
        });
        let end = run.begun + Duration::from_secs_f64(options.seconds);
        while Instant::now() < end {
            match told.recv_timeout(BEAT) {
                Ok(line) if line.trim() == "mark" => run.book.mark(),
                Ok(_) | Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
            }
            let mut state = run.book.state();
            state["rooms"] = run.rooms.clone().into();
            println!("{state}");
        }
        run.stop.store(true, Ordering::Relaxed);
        run.give_up_after(LAST_WORDS);
        writers.into_iter().for_each(|writer| drop(writer.join()));
        let audit = audit::audit(run);
        run.give_up_after(LAST_WORDS);
        for (goal, rev) in run.goals.iter().zip(&audit.revs) {
            goal.store(*rev, Ordering::Relaxed);
        }
        listeners.into_iter().for_each(|listener| drop(listener.join()));
        run.book.report(&audit)
    })
}
