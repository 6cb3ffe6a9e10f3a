//! Where mails go: a tiny SMTP server in this process that can be told to misbehave ([`Sink`]), and what a mail says once
//! it is taken apart ([`Mail`]).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use switchboard::emails::{self, NewEmail};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::app::Site;

/// What the server does with the next mails.
#[derive(Clone, Debug, PartialEq)]
pub enum Mood {
    Take,
    /// Answers the recipient with this line.
    Refuse(String),
    /// Takes all of it and says nothing more.
    Hang,
    /// Takes all of it and is gone without a word.
    Cut,
}

/// What happened at the server.
#[derive(Debug, PartialEq)]
pub enum Event {
    Taken(String),
    Refused,
    Hung(String),
    Cut(String),
}

pub struct Sink {
    pub url: String,
    mood: Arc<Mutex<Mood>>,
    events: UnboundedReceiver<Event>,
}

impl Sink {
    pub async fn new(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let mood = Arc::new(Mutex::new(mood));
        let (told, events) = unbounded_channel();
        let current = mood.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mood = current.lock().unwrap().clone();
                tokio::spawn(talk(stream, mood, told.clone()));
            }
        });
        Self { url, mood, events }
    }

    /// From the next connection on.
    pub fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// What happens next; fails when nothing does.
    pub async fn next(&mut self) -> Event {
        let next = tokio::time::timeout(Duration::from_secs(20), self.events.recv()).await;
        next.expect("something happens at the SMTP server").unwrap()
    }

    /// The next mail, which is taken.
    pub async fn mail(&mut self) -> Mail {
        match self.next().await {
            Event::Taken(raw) => Mail::parse(&raw),
            other => panic!("{other:?}"),
        }
    }

    /// Whether nothing has happened that wasn't asked for.
    pub fn is_quiet(&mut self) -> bool {
        self.events.try_recv().is_err()
    }
}

async fn talk(stream: TcpStream, mood: Mood, told: UnboundedSender<Event>) -> Option<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    writer.write_all(b"220 sink\r\n").await.ok()?;
    while let Ok(Some(line)) = lines.next_line().await {
        let answer = match line.get(..4).unwrap_or_default().to_uppercase().as_str() {
            "EHLO" => "250-sink\r\n250 8BITMIME".to_owned(),
            "RCPT" => match &mood {
                Mood::Refuse(answer) => {
                    told.send(Event::Refused).ok()?;
                    answer.clone()
                }
                _ => "250 OK".to_owned(),
            },
            "DATA" => {
                writer.write_all(b"354 Go on\r\n").await.ok()?;
                let mut raw = String::new();
                loop {
                    let line = lines.next_line().await.ok()??;
                    if line == "." {
                        break;
                    }
                    raw += line.strip_prefix('.').unwrap_or(&line);
                    raw += "\n";
                }
                match mood {
                    Mood::Cut => {
                        told.send(Event::Cut(raw)).ok()?;
                        return None;
                    }
                    Mood::Hang => {
                        told.send(Event::Hung(raw)).ok()?;
                        std::future::pending::<()>().await;
                        return None;
                    }
                    _ => told.send(Event::Taken(raw)).ok()?,
                }
                "250 Taken".to_owned()
            }
            "QUIT" => "221 Bye".to_owned(),
            _ => "250 OK".to_owned(),
        };
        writer.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
    }
    Some(())
}

/// A mail taken apart.
#[derive(Clone, Debug)]
pub struct Mail {
    headers: Vec<(String, String)>,
    /// Empty where there is no such part.
    pub text: String,
    pub html: String,
}

impl Mail {
    pub fn parse(raw: &str) -> Self {
        let raw = raw.replace("\r\n", "\n");
        let (headers, body) = part(&raw);
        let mut mail = Self { headers, text: String::new(), html: String::new() };
        let kind = mail.header("content-type").to_owned();
        match kind.split_once("boundary=\"").and_then(|(_, rest)| rest.split_once('"')) {
            Some((boundary, _)) => {
                assert!(kind.starts_with("multipart/alternative"), "{kind}");
                body.split(&format!("--{boundary}")).skip(1).filter(|part| !part.starts_with("--")).for_each(|inner| {
                    let (headers, body) = part(inner.trim_start_matches('\n'));
                    mail.take(&headers, body);
                });
            }
            None => mail.take(&mail.headers.clone(), body),
        }
        mail
    }

    fn take(&mut self, headers: &[(String, String)], body: &str) {
        let kind = find(headers, "content-type");
        assert!(kind.contains("utf-8"), "{kind}");
        let text = decoded(find(headers, "content-transfer-encoding"), body);
        match kind.split(';').next().unwrap() {
            "text/plain" => self.text = text,
            "text/html" => self.html = text,
            other => panic!("a part of the type {other}"),
        }
    }

    /// The header of this name in lower case; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        find(&self.headers, name)
    }
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> &'a str {
    headers.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
}

/// Headers, unfolded, and what comes after them.
fn part(raw: &str) -> (Vec<(String, String)>, &str) {
    let (head, body) = raw.split_once("\n\n").unwrap();
    let head = head.replace("\n ", " ").replace("\n\t", " ");
    let headers = head.lines().filter_map(|line| line.split_once(": "));
    (headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect(), body)
}

fn decoded(encoding: &str, body: &str) -> String {
    match encoding {
        "base64" => String::from_utf8(STANDARD.decode(body.replace('\n', "")).unwrap()).unwrap(),
        "quoted-printable" => {
            let body = body.replace("=\n", "");
            let (mut bytes, mut rest) = (Vec::new(), body.as_bytes());
            while let Some((byte, after)) = rest.split_first() {
                if *byte == b'=' {
                    bytes.push(u8::from_str_radix(std::str::from_utf8(&after[..2]).unwrap(), 16).unwrap());
                    rest = &after[2..];
                } else {
                    bytes.push(*byte);
                    rest = after;
                }
            }
            String::from_utf8(bytes).unwrap()
        }
        _ => body.to_owned(),
    }
}

impl Site {
    /// Queues a mail to bob, as an act of the domain does; returns its id.
    pub async fn queue_mail(&self, subject: &str) -> i64 {
        let mut work = switchboard::work::Work::begin(&self.app, None).await.unwrap();
        let new = NewEmail::parse("bob@example.org", subject, "Hello Bob").unwrap();
        let id = emails::queue(&mut work, &new, None).await.unwrap();
        work.commit().await.unwrap();
        id.0
    }
}
