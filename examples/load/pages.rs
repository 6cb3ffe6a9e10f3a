//! Pages over HTTP: a room's, or any other. Each must be whole and say what the room's last message says. `fill` makes
//! rooms that are each asked for once after a restart: pages that nothing is kept of.

use std::io::Read;

use clap::Args;
use flate2::read::GzDecoder;
use serde_json::{Value, json};

use super::closed_loop::{self, Asking};
use super::http::{Answer, find, request};
use super::site::Site;
use super::{Fault, Kind};

/// One in so many is unpacked and read in full; the length of each is checked.
const READ_ONE_IN: u64 = 32;
/// Seconds; however long it takes.
const ALL_ROOMS_WITHIN: f64 = 600.0;
const MARKER: u64 = 1_000_000;

#[derive(Args)]
pub struct Options {
    #[arg(long, default_value_t = 8)]
    connections: usize,
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    #[arg(long, default_value_t = 0.5)]
    warm_up: f64,
    #[arg(long)]
    gzip: bool,
    /// With the ETag of the page that one has: answered by 304
    #[arg(long)]
    revalidate: bool,
    /// Another address than the room's page
    #[arg(long)]
    path: Option<String>,
    /// How many people ask
    #[arg(long, default_value_t = 1)]
    distinct: usize,
    /// Each of these rooms once: FIRST-LAST
    #[arg(long)]
    rooms: Option<String>,
    /// Messages that are written into the room first
    #[arg(long, default_value_t = 50)]
    messages: u64,
}

#[derive(Args)]
pub struct Fill {
    #[arg(long, default_value_t = 400)]
    count: usize,
    #[arg(long, default_value_t = 50)]
    messages: u64,
}

pub fn run(site: &mut Site, options: &Options) -> Result<Value, Fault> {
    let mut pages = Pages::new(site, options)?;
    if options.rooms.is_none() {
        if site.kind == Kind::Switchboard && options.path.is_none() && options.messages > 0 {
            (0..options.messages).try_for_each(|n| site.say(MARKER + n, site.room))?;
            pages.marker = Some(site.text(MARKER + options.messages - 1));
        }
        // Everybody's first visit also makes them a member, and gets the tag to ask again with.
        pages.first = true;
        closed_loop::run(site, 1, 60.0, &mut pages)?;
        pages.first = false;
        closed_loop::run(site, options.connections, options.warm_up, &mut pages)?;
    }
    let seconds = if options.rooms.is_some() { ALL_ROOMS_WITHIN } else { options.seconds };
    let outcome = closed_loop::run(site, options.connections, seconds, &mut pages)?;
    let mut report = outcome.report("pages");
    report["connections"] = options.connections.into();
    report["bytes"] = pages.bytes.into();
    report["read_in_full"] = pages.read.into();
    Ok(report)
}

/// Fills `count` rooms and says which they are.
pub fn fill(site: &mut Site, options: &Fill) -> Result<Value, Fault> {
    let mut rooms = Vec::new();
    for n in 0..options.count {
        rooms.push(site.make_room(&format!("Load {} {n}", site.run))?);
    }
    let all = options.count as u64 * options.messages;
    let mut filling = Filling { rooms: &rooms, said: 0, all };
    closed_loop::run(site, 32, f64::from(u32::MAX), &mut filling)?;
    let (first, last) = (rooms.first(), rooms.last());
    Ok(json!({"scenario": "fill", "first": first, "last": last, "messages": all}))
}

struct Filling<'a> {
    rooms: &'a [i64],
    said: u64,
    all: u64,
}

impl Asking for Filling<'_> {
    fn next(&mut self, site: &Site, _: usize) -> Option<Vec<u8>> {
        let n = self.said;
        self.said += 1;
        // The owner is a member of all.
        (n < self.all).then(|| site.post(n, 0, self.rooms[n as usize % self.rooms.len()]))
    }

    fn check(&mut self, _: &Site, _: usize, answer: &Answer, _: &[u8]) -> Result<(), Fault> {
        match answer.status {
            201 => Ok(()),
            status => Err(format!("a post was answered by {status}").into()),
        }
    }
}

struct Pages {
    options: Plan,
    /// Of each person: the tag, and how long the page was.
    tags: Vec<String>,
    lengths: Vec<usize>,
    first: bool,
    asked: u64,
    people: Vec<usize>,
    marker: Option<String>,
    bytes: usize,
    read: u64,
    answered: u64,
}

struct Plan {
    gzip: bool,
    revalidate: bool,
    path: Option<String>,
    rooms: Option<(i64, i64)>,
}

impl Pages {
    fn new(site: &Site, options: &Options) -> Result<Self, Fault> {
        let range = |text: &str| -> Option<(i64, i64)> {
            let (first, last) = text.split_once('-')?;
            Some((first.parse().ok()?, last.parse().ok()?))
        };
        let rooms = match &options.rooms {
            Some(text) => Some(range(text).ok_or("--rooms is FIRST-LAST")?),
            None => None,
        };
        let people = options.distinct.clamp(1, site.people.len());
        let Options { gzip, revalidate, path, .. } = options;
        Ok(Self {
            options: Plan { gzip: *gzip, revalidate: *revalidate, path: path.clone(), rooms },
            tags: vec![String::new(); people],
            lengths: vec![0; people],
            first: false,
            asked: 0,
            people: vec![0; options.connections.max(1)],
            marker: None,
            bytes: 0,
            read: 0,
            answered: 0,
        })
    }

    fn address(&self, site: &Site, n: u64) -> Option<String> {
        match (&self.options.path, self.options.rooms, site.kind) {
            (Some(path), ..) => Some(path.clone()),
            (None, _, Kind::Bare) => Some("/page".to_owned()),
            (None, Some((first, last)), _) => {
                let room = first + n as i64;
                (room <= last).then(|| format!("/chat/rooms/{room}"))
            }
            (None, None, _) => Some(format!("/chat/rooms/{}", site.room)),
        }
    }
}

impl Asking for Pages {
    fn next(&mut self, site: &Site, connection: usize) -> Option<Vec<u8>> {
        let person = (self.asked % self.tags.len() as u64) as usize;
        if self.first && self.lengths[person] > 0 {
            self.asked = 0;
            return None;
        }
        let path = self.address(site, self.asked)?;
        self.asked += 1;
        self.people[connection] = person;
        let who = &site.people[person].cookie;
        let gzip = if self.options.gzip { "Accept-Encoding: gzip\r\n" } else { "" };
        let tag = match self.options.revalidate && !self.first {
            true => format!("If-None-Match: {}\r\n", self.tags[person]),
            false => String::new(),
        };
        Some(request("GET", &path, &site.host, &format!("{who}{gzip}{tag}"), ""))
    }

    fn check(&mut self, _: &Site, connection: usize, answer: &Answer, bytes: &[u8]) -> Result<(), Fault> {
        let person = self.people[connection];
        self.answered += 1;
        if self.options.revalidate && !self.first {
            let fine = answer.status == 304 && answer.length() == 0;
            return if fine { Ok(()) } else { Err(format!("revalidated by {}", answer.status).into()) };
        }
        if answer.status != 200 {
            return Err(format!("a page was answered by {}", answer.status).into());
        }
        let packed = answer.header(bytes, "content-encoding") == Some("gzip");
        if packed != self.options.gzip {
            return Err("the page isn't packed as it was asked for".into());
        }
        let length = answer.length();
        let usual = self.lengths[person];
        if self.options.rooms.is_none() && usual > 0 && length.abs_diff(usual) > usual / 20 {
            return Err(format!("a page of {length} bytes, where {usual} are usual").into());
        }
        if self.first {
            self.lengths[person] = length;
            self.tags[person] = answer.header(bytes, "etag").unwrap_or_default().to_owned();
            if self.options.revalidate && self.tags[person].is_empty() {
                return Err("the page has no ETag".into());
            }
        }
        self.bytes = length;
        if self.first || self.answered.is_multiple_of(READ_ONE_IN) {
            self.read_in_full(answer.body(bytes), packed)?;
        }
        Ok(())
    }
}

impl Pages {
    fn read_in_full(&mut self, body: Vec<u8>, packed: bool) -> Result<(), Fault> {
        let mut page = body;
        if packed {
            let mut plain = Vec::new();
            GzDecoder::new(&*page).read_to_end(&mut plain)?;
            page = plain;
        }
        self.read += 1;
        let is_page = self.options.path.is_none();
        let whole = !is_page || page.trim_ascii_end().ends_with(b"</html>");
        let last = self.marker.as_ref().is_none_or(|marker| find(&page, marker.as_bytes()).is_some());
        if whole && last { Ok(()) } else { Err("a page isn't whole, or lacks the last message".into()) }
    }
}
