//! What stands between a site and its PostgreSQL, and can be cut, closed and silenced ([`Proxy`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

use super::app::{Database, Engine, Options, Site};

/// How it treats connections, those that are open and those that come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mood {
    Open,
    /// Nobody listens, and what was open is cut.
    Refuses,
    /// Whoever comes is hung up on, and what was open is cut.
    HangsUp,
    /// Nothing is passed on, and nobody is told.
    Silent,
}

pub struct Proxy {
    /// The database's address through it.
    pub url: String,
    /// The same past it.
    pub direct: String,
    mood: watch::Sender<Mood>,
    turned_away: Arc<Notify>,
    loses_a_commit: Arc<AtomicBool>,
}

impl Proxy {
    pub async fn before(url: &str) -> Self {
        let (head, rest) = url.split_once('@').unwrap();
        let (target, tail) = rest.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap();
        let (mood, moods) = watch::channel(Mood::Open);
        let (turned_away, loses_a_commit) = (Arc::<Notify>::default(), Arc::<AtomicBool>::default());
        let door = Door {
            target: target.to_owned(),
            moods,
            turned_away: turned_away.clone(),
            loses_a_commit: loses_a_commit.clone(),
        };
        tokio::spawn(door.run(listener));
        Self { url: format!("{head}@{own}/{tail}"), direct: url.to_owned(), mood, turned_away, loses_a_commit }
    }

    /// A site whose database stands behind one.
    pub async fn site(options: Options) -> (Site, Self) {
        let mut database = Database::new(Engine::Postgres).await;
        let proxy = Self::before(&database.url).await;
        database.url = proxy.url.clone();
        (Site::over(database, 0, options).await, proxy)
    }

    pub fn set(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    /// Cuts every connection; new ones are welcome.
    pub fn cut(&self) {
        self.set(Mood::HangsUp);
        self.set(Mood::Open);
    }

    /// Returns when somebody was hung up on.
    pub async fn turned_away(&self) {
        self.turned_away.notified().await;
    }

    /// The next commit reaches the server, and the word that it has doesn't reach the site.
    pub fn lose_a_commit(&self) {
        self.loses_a_commit.store(true, Ordering::SeqCst);
    }
}

#[derive(Clone)]
struct Door {
    target: String,
    moods: watch::Receiver<Mood>,
    turned_away: Arc<Notify>,
    loses_a_commit: Arc<AtomicBool>,
}

impl Door {
    async fn run(mut self, listener: TcpListener) {
        let address = listener.local_addr().unwrap();
        let mut listener = Some(listener);
        loop {
            let mood = *self.moods.borrow_and_update();
            if mood == Mood::Refuses {
                listener = None;
            } else if listener.is_none() {
                listener = Some(TcpListener::bind(address).await.unwrap());
            }
            let accepted = async {
                match &listener {
                    Some(listener) => listener.accept().await.unwrap().0,
                    None => std::future::pending().await,
                }
            };
            let door = self.clone();
            tokio::select! {
                changed = self.moods.changed() => if changed.is_err() { return },
                client = accepted => door.open_to(client),
            }
        }
    }

    fn open_to(self, client: TcpStream) {
        if *self.moods.borrow() == Mood::HangsUp {
            self.turned_away.notify_one();
        } else {
            tokio::spawn(self.pass(client));
        }
    }

    /// Passes on until it is cut.
    async fn pass(mut self, client: TcpStream) {
        let server = TcpStream::connect(&self.target).await.unwrap();
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let (mut asked, mut told) = (vec![0; 1 << 16], vec![0; 1 << 16]);
        loop {
            let mood = *self.moods.borrow_and_update();
            match mood {
                Mood::Open => {}
                Mood::Silent if self.moods.changed().await.is_ok() => continue,
                _ => return,
            }
            tokio::select! {
                biased;
                changed = self.moods.changed() => {
                    let mood = *self.moods.borrow();
                    // Cut and open again at once is a change as well.
                    if changed.is_err() || mood != Mood::Silent {
                        return;
                    }
                }
                read = from_client.read(&mut asked) => {
                    let Ok(length @ 1..) = read else { return };
                    let is_commit = asked[..length].windows(6).any(|part| part == b"COMMIT");
                    if to_server.write_all(&asked[..length]).await.is_err() {
                        return;
                    }
                    if is_commit && self.loses_a_commit.swap(false, Ordering::SeqCst) {
                        let _ = from_server.read(&mut told).await;
                        return;
                    }
                }
                read = from_server.read(&mut told) => {
                    let Ok(length @ 1..) = read else { return };
                    if to_client.write_all(&told[..length]).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}
