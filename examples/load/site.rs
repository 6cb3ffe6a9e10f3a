//! The target: who signs in, which room, how to say something there, and what is stored of it in the end. All that is
//! different between Switchboard and the bare server stands here.

use std::collections::HashMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::http::{Connection, request};
use super::websocket::HANDSHAKE;
use super::{Common, Fault, Kind};

const PASSWORD: &str = "seven-blue-horses-run-late";
/// People who are made members before anything is measured; sockets join by themselves.
const JOINED_AT_FIRST: usize = 64;

pub struct Site {
    pub at: SocketAddr,
    pub host: String,
    pub kind: Kind,
    pub pid: Option<u32>,
    pub room: i64,
    pub people: Vec<Person>,
    /// Never sleeps while it waits for an answer.
    pub awake: bool,
    /// Tells the messages of this run from all others.
    pub run: String,
    length: usize,
    setup: Connection,
    owner: Person,
}

/// Somebody signed in, as header lines.
#[derive(Clone, Default)]
pub struct Person {
    /// A program's: for the API.
    pub bearer: String,
    /// A browser's, with the `Origin` that goes with it: for pages and sockets.
    pub cookie: String,
}

impl Person {
    fn at_socket(&self) -> &str {
        if self.cookie.is_empty() { &self.bearer } else { &self.cookie }
    }
}

/// What reading back came to.
pub struct Audit {
    pub stored: u64,
    pub missing: u64,
    pub doubled: u64,
    /// Microseconds of a transaction with one message, where the server tells.
    pub lone_commit_us: Value,
}

impl Site {
    pub fn prepare(common: &Common) -> Result<Self, Fault> {
        let host = common.target.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let at = host.to_socket_addrs()?.next().ok_or("the target is no address")?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros();
        let mut site = Self {
            at,
            host,
            kind: common.kind,
            pid: common.pid,
            room: common.room.unwrap_or(1),
            people: vec![Person::default()],
            awake: common.awake,
            // Begins with a letter, as most of what people write.
            run: format!("m{:x}", now & 0xffff_ffff_ffff),
            length: common.length,
            setup: Connection::open(at)?,
            owner: Person::default(),
        };
        if common.kind == Kind::Switchboard {
            site.sign_in(common)?;
        }
        Ok(site)
    }

    fn sign_in(&mut self, common: &Common) -> Result<(), Fault> {
        let account = common.account.as_deref().and_then(|account| account.split_once(':'));
        let (name, password) = account.ok_or("say --as name:password of an account that may make rooms")?;
        self.owner = self.log_in(name, password)?;
        let owner = self.owner.clone();
        if common.room.is_none() {
            self.room = self.make_room(&format!("Load {}", self.run))?;
        }
        self.people = match &common.tokens {
            Some(file) => std::fs::read_to_string(file)?.lines().map(bearer).collect(),
            None => (0..common.accounts).map(|n| self.account(n)).collect::<Result<_, _>>()?,
        };
        self.people.push(owner);
        self.people.rotate_right(1);
        self.enter(self.room)
    }

    /// Makes the first people members of a public room.
    pub fn enter(&mut self, room: i64) -> Result<(), Fault> {
        for person in self.people.iter().take(JOINED_AT_FIRST).cloned().collect::<Vec<_>>() {
            self.call(&person, "POST", &format!("/chat/rooms/{room}/members"), &json!({}))?;
        }
        Ok(())
    }

    /// Makes a public room and says its id.
    pub fn make_room(&mut self, name: &str) -> Result<i64, Fault> {
        let owner = self.owner.clone();
        let (status, room) = self.call(&owner, "POST", "/chat/rooms", &json!({"name": name}))?;
        room["id"].as_i64().ok_or_else(|| format!("no room: {status} {room}").into())
    }

    /// Logs in as the `n`th account of load, which is made at its first use.
    fn account(&mut self, n: usize) -> Result<Person, Fault> {
        let name = format!("load{n}");
        if let Ok(person) = self.log_in(&name, PASSWORD) {
            return Ok(person);
        }
        let new = json!({"username": name, "email": format!("{name}@example.org"), "password": PASSWORD});
        let (status, told) = self.call(&Person::default(), "POST", "/auth/register", &new)?;
        if status != 201 {
            return Err(format!("no account: {status} {told}").into());
        }
        self.log_in(&name, PASSWORD)
    }

    fn log_in(&mut self, name: &str, password: &str) -> Result<Person, Fault> {
        let body = json!({"username": name, "password": password}).to_string();
        let headers = "Content-Type: application/json\r\n";
        let answer = self.setup.ask(&request("POST", "/api/v1/auth/login", &self.host, headers, &body))?;
        let told: Value = serde_json::from_slice(&answer.body(self.setup.bytes())).unwrap_or_default();
        let cookie = answer.header(self.setup.bytes(), "set-cookie").unwrap_or_default();
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        match told["access"].as_str() {
            Some(access) => {
                Ok(Person { cookie: format!("Cookie: {cookie}\r\nOrigin: http://{}\r\n", self.host), ..bearer(access) })
            }
            None => Err(format!("{name} can't log in: {} {told} (API=true, LOGIN_RATE=off?)", answer.status).into()),
        }
    }

    fn call(&mut self, person: &Person, method: &str, path: &str, body: &Value) -> Result<(u16, Value), Fault> {
        let headers = format!("{}Content-Type: application/json\r\n", person.bearer);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.setup.ask(&request(method, &format!("/api/v1{path}"), &self.host, &headers, &body))?;
        let body = answer.body(self.setup.bytes());
        Ok((answer.status, serde_json::from_slice(&body).unwrap_or_default()))
    }

    /// The handshake of a socket in the room, of one of the people.
    pub fn handshake(&self, person: usize, after: Option<i64>) -> Vec<u8> {
        let who = self.people[person % self.people.len()].at_socket();
        let path = match (self.kind, after) {
            (Kind::Bare, _) => "/ws".to_owned(),
            (Kind::Switchboard, None) => format!("/ws/chat/{}", self.room),
            (Kind::Switchboard, Some(after)) => format!("/ws/chat/{}?after={after}", self.room),
        };
        request("GET", &path, &self.host, &format!("{HANDSHAKE}{who}"), "")
    }

    /// What the `n`th message of this run says.
    pub fn text(&self, n: u64) -> String {
        let mut text = format!("{}-{n} ", self.run);
        for word in ["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog"].iter().cycle() {
            if text.len() + word.len() > self.length {
                break;
            }
            text.push_str(word);
            text.push(' ');
        }
        text.truncate(text.trim_end().len());
        text
    }

    /// Which message of this run has this text.
    pub fn number(&self, text: &str) -> Option<u64> {
        let n = text.strip_prefix(&self.run)?.strip_prefix('-')?.split(' ').next()?.parse().ok()?;
        (self.text(n) == text).then_some(n)
    }

    /// The `n`th message as a frame's text.
    pub fn said(&self, n: u64) -> String {
        format!(r#"{{"type":"message","content":"{}","client_id":"{}-{n}"}}"#, self.text(n), self.run)
    }

    /// The `n`th message as a request, of one of the people.
    pub fn post(&self, n: u64, person: usize, room: i64) -> Vec<u8> {
        if self.kind == Kind::Bare {
            return request("POST", "/post", &self.host, "Content-Type: text/plain\r\n", &self.text(n));
        }
        let who = &self.people[person % self.people.len().min(JOINED_AT_FIRST)].bearer;
        let body = format!(r#"{{"content":"{}","client_id":"{}-{n}"}}"#, self.text(n), self.run);
        let path = format!("/api/v1/chat/rooms/{room}/messages");
        request("POST", &path, &self.host, &format!("{who}Content-Type: application/json\r\n"), &body)
    }

    /// Says something by a request of its own and waits for the answer.
    pub fn say(&mut self, n: u64, room: i64) -> Result<(), Fault> {
        let request = self.post(n, 0, room);
        match self.setup.ask(&request)?.status {
            201 => Ok(()),
            status => Err(format!("a message was refused: {status}").into()),
        }
    }

    /// The room's last `seq` (and `rev`: nothing is changed here).
    pub fn last_seq(&mut self) -> Result<i64, Fault> {
        if self.kind == Kind::Bare {
            return Ok(self.bare_audit(0)?["last_seq"].as_i64().unwrap_or_default());
        }
        let (owner, path) = (self.owner.clone(), format!("/chat/rooms/{}/messages?limit=1", self.room));
        let (status, told) = self.call(&owner, "GET", &path, &Value::Null)?;
        told["rev"].as_i64().ok_or_else(|| format!("no messages: {status} {told}").into())
    }

    fn bare_audit(&mut self, after: i64) -> Result<Value, Fault> {
        let answer = self.setup.ask(&request("GET", &format!("/audit?after={after}"), &self.host, "", ""))?;
        Ok(serde_json::from_slice(&answer.body(self.setup.bytes()))?)
    }

    /// Reads back all after `base`: the messages in `acknowledged`, each once, and no other.
    pub fn audit(&mut self, base: i64, acknowledged: impl Iterator<Item = u64>) -> Result<Audit, Fault> {
        if self.kind == Kind::Bare {
            return self.audit_bare(base, acknowledged);
        }
        let mut found: HashMap<u64, u64> = acknowledged.map(|n| (n, 0)).collect();
        let (mut since, mut stored, mut foreign) = (base, 0, 0);
        loop {
            let path = format!("/chat/rooms/{}/messages?since_rev={since}&limit=100", self.room);
            let (status, page) = self.call(&self.owner.clone(), "GET", &path, &Value::Null)?;
            let messages = page["messages"].as_array().ok_or_else(|| format!("no messages: {status} {page}"))?;
            for message in messages {
                let rev = message["rev"].as_i64().unwrap_or_default();
                if rev != since + 1 {
                    return Err(format!("after revision {since} stands {rev}").into());
                }
                (since, stored) = (rev, stored + 1);
                let number = message["content"].as_str().and_then(|text| self.number(text));
                match number.and_then(|n| found.get_mut(&n)) {
                    Some(times) => *times += 1,
                    None => foreign += 1,
                }
            }
            if page["has_more"] != true {
                break;
            }
        }
        let missing = found.values().filter(|times| **times == 0).count() as u64;
        let doubled = found.values().map(|times| times.saturating_sub(1)).sum::<u64>() + foreign;
        Ok(Audit { stored, missing, doubled, lone_commit_us: Value::Null })
    }

    /// By count and sum of hashes.
    fn audit_bare(&mut self, base: i64, acknowledged: impl Iterator<Item = u64>) -> Result<Audit, Fault> {
        let told = self.bare_audit(base)?;
        let (mut count, mut sum) = (0_u64, 0_u64);
        for n in acknowledged {
            count += 1;
            sum = sum.wrapping_add(fnv(self.text(n).as_bytes()));
        }
        let stored = told["count"].as_u64().unwrap_or_default();
        let differs = told["sum"].as_u64() != Some(sum);
        Ok(Audit {
            stored,
            missing: count.saturating_sub(stored).max(u64::from(differs)),
            doubled: stored.saturating_sub(count),
            lone_commit_us: told["lone_commit_us"].clone(),
        })
    }
}

fn bearer(token: &str) -> Person {
    Person { bearer: format!("Authorization: Bearer {}\r\n", token.trim()), cookie: String::new() }
}

/// FNV-1a, 64 bits.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
