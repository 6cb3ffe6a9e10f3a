//! The newest page of a room kept in memory: whole for the session that asked for it, and its talk for all who look. What is
//! kept holds for exactly as long as nothing it shows was changed (`db/changes.rs`): the session, the membership, the list
//! of rooms, the talk. So a page that is sent from here is one that would be made anew just so, and a right that was taken
//! away is gone with the commit that took it. On PostgreSQL nothing is kept. Called by `web/pages/chat.rs`.

use std::sync::{Arc, Mutex, PoisonError};

use askama::Template;
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::{Buf, Bytes};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::lines::{Line, first_new, lines, reacts};
use super::{LISTED, LISTED_TO_JOIN, RoomPage, SHOWN, Sidebar};
use crate::app::App;
use crate::auth::random_token;
use crate::db::changes::Moment;
use crate::error::{Error, Result};
use crate::i18n::{self, Language};
use crate::ids::{RoomId, UserId};
use crate::messages::talk::{Talk, newest_beside};
use crate::rooms::{self, Room};
use crate::users::{Person, Via};
use crate::web::pieces::{GAP, Piece, answer, tag, unchanged};

/// Ways in which one room's talk is kept rendered: for those to whom all of it is old, and some to whom some is new.
const MOST_WAYS: usize = 4;

/// Bytes around a message's own HTML.
const AROUND: usize = 640;

/// Pages and talk that were asked for lately.
pub struct Pages {
    whole: Cache<(Via, RoomId), Arc<Kept>, Weight>,
    talks: Cache<RoomId, Arc<KeptTalk>, Weight>,
}

struct Kept {
    since: Moment,
    /// The rooms that it shows, and whether the order of others may show, too. `None`: there are more than it shows, and
    /// any of them may come up.
    rooms: Option<Vec<RoomId>>,
    public: bool,
    person: Person,
    language: Language,
    site_name: String,
    present: Vec<String>,
    pieces: Pieces,
}

struct Pieces {
    head: Piece,
    log: Arc<Piece>,
    /// What follows, with room between two for the id of what is written in the page.
    tails: Vec<Piece>,
    tag: String,
}

/// To whom a talk looks the same: where the new begins, who is among those that react, and what they read.
type Way = (Option<i64>, Option<UserId>, Language);

struct KeptTalk {
    since: Option<Moment>,
    talk: Talk,
    logs: Mutex<Vec<(Way, Arc<Piece>)>>,
}

/// What an entry takes, roughly.
#[derive(Clone)]
struct Weight;

impl Weighter<(Via, RoomId), Arc<Kept>> for Weight {
    fn weight(&self, _: &(Via, RoomId), kept: &Arc<Kept>) -> u64 {
        // What is compressed comes on top. What is said may be shared, or be this page's alone by now.
        (1024 + kept.pieces.all(&Piece::default()).iter().map(|piece| piece.len()).sum::<usize>() * 3 / 2) as u64
    }
}

impl Weighter<RoomId, Arc<KeptTalk>> for Weight {
    fn weight(&self, _: &RoomId, kept: &Arc<KeptTalk>) -> u64 {
        let texts = kept.talk.messages.iter().map(|told| {
            let people: usize = told.message.reactions.iter().map(|reaction| reaction.user_ids.len()).sum();
            1500 + told.message.content.len() + told.message.html.len() + 64 * people
        });
        // As it was read, and in up to four ways, compressed or not; and who has read it, and pins.
        (16 * 1024 + texts.sum::<usize>() * 6) as u64
    }
}

#[derive(Template)]
#[template(path = "partials/messages.html")]
struct Log<'a> {
    lines: &'a [Line],
}

/// `lines` as HTML. Cost: O(length).
pub fn render(lines: &[Line]) -> Result<String> {
    let own = lines.iter().map(|line| line.message.html.len()).sum::<usize>();
    let mut html = String::with_capacity(own + AROUND * lines.len());
    Log { lines }.render_into(&mut html).map_err(Error::internal)?;
    Ok(html)
}

impl Pages {
    /// Keeps at most so many bytes, half of them of rooms' talk.
    pub fn new(most: u64) -> Self {
        let half = most / 2;
        Self { whole: Cache::with_weighter(2000, half, Weight), talks: Cache::with_weighter(200, half, Weight) }
    }

    /// The newest page of room `id`, to whoever sent `headers`. What is new and on it counts as read. Errors:
    /// [`Error::NotFound`]. Cost: no query where the page is kept, else 1, on SQLite perhaps 2 shorter ones; O(50).
    pub async fn newest(&self, app: &App, person: &Person, id: RoomId, headers: &HeaderMap) -> Result<Response> {
        let moment = app.db.moment().await;
        let key = (person.via, id);
        if let (Some(_), Some(kept)) = (moment, self.whole.get(&key))
            && kept.holds(app, person, id)
        {
            return Ok(kept.pieces.answer(headers));
        }
        let (sidebar, room, talk) = self.read(app, person.id, id, moment).await?;
        let (is_all, public) = ((sidebar.rooms.len() as i64) < LISTED, sidebar.to_join.len() > 1);
        let rooms = is_all.then(|| sidebar.rooms.iter().map(|room| room.id).chain([id]).collect());
        let (shown, log) = RoomPage::newest(app, person, sidebar, room, &talk)?;
        let present = shown.present.clone();
        let pieces = Pieces::new(&shown, log)?;
        let reads = shown.mark_read(app).await?;
        let response = pieces.answer(headers);
        if let Some(since) = moment.filter(|_| !reads) {
            let (site_name, person) = (shown.chrome.site_name.clone(), person.clone());
            self.whole.insert(
                key,
                Arc::new(Kept { since, rooms, public, person, language: i18n::current(), site_name, present, pieces }),
            );
        }
        Ok(response)
    }

    /// What the newest page of room `id` is made of: what stands beside it, the room, its talk. Cost: 1 query, 2 if another
    /// commit is seen between them.
    async fn read(
        &self,
        app: &App,
        person: UserId,
        id: RoomId,
        moment: Option<Moment>,
    ) -> Result<(Sidebar, Room, Arc<KeptTalk>)> {
        let holds = |kept: &Arc<KeptTalk>| kept.since.is_some_and(|since| app.db.holds(since, Some(&[id]), false));
        let kept = moment.and_then(|_| self.talks.get(&id)).filter(holds);
        if let Some(kept) = kept {
            let mut conn = app.db.read().await?;
            let (sidebar, room) = Sidebar::load(&mut conn, person, Some(id)).await?;
            let room = rooms::open(room)?;
            // A commit is seen a moment before it is counted.
            if kept.talk.rev >= room.last_rev {
                return Ok((sidebar, room, kept));
            }
        }
        let (side, talk) = newest_beside(&app.db, person, (LISTED, LISTED_TO_JOIN), id, SHOWN + 1).await?;
        let (sidebar, room) = Sidebar::of(side, Some(id));
        let kept = Arc::new(KeptTalk { since: moment, talk, logs: Mutex::default() });
        let room = rooms::open(room)?;
        if moment.is_some() {
            self.talks.insert(id, kept.clone());
        }
        Ok((sidebar, room, kept))
    }
}

impl Kept {
    fn holds(&self, app: &App, person: &Person, room: RoomId) -> bool {
        app.db.holds(self.since, self.rooms.as_deref(), self.public)
            && self.person == *person
            && self.language == i18n::current()
            && self.site_name == app.settings().site_name
            && self.present == app.hub.present(room)
    }
}

impl RoomPage {
    /// The newest page of `room`, without what it says: that is put between; and what it says.
    fn newest(
        app: &App,
        person: &Person,
        sidebar: Sidebar,
        room: rooms::Room,
        kept: &KeptTalk,
    ) -> Result<(Self, Arc<Piece>)> {
        let mut shown = Self::around(app, person, sidebar, room);
        let (messages, seen) = shown.arrange(&kept.talk, None);
        shown.log = GAP.into();
        shown.client_id = GAP.into();
        let way =
            (first_new(messages, person.id, seen), reacts(messages, person.id).then_some(person.id), i18n::current());
        let mut logs = kept.logs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, log)) = logs.iter().find(|(other, _)| *other == way) {
            return Ok((shown, log.clone()));
        }
        let log = Arc::new(Piece::new(render(&lines(messages, person.id, way.0))?));
        if logs.len() >= MOST_WAYS {
            logs.remove(0);
        }
        logs.push((way, log.clone()));
        Ok((shown, log))
    }
}

impl Pieces {
    /// The page with `log` in its place.
    fn new(shown: &RoomPage, log: Arc<Piece>) -> Result<Self> {
        let html = shown.render().map_err(Error::internal)?;
        let lengths: Vec<usize> = html.split(GAP).map(str::len).collect();
        let mut rest = Bytes::from(html);
        let mut parts = lengths.into_iter().map(|length| {
            let part = rest.split_to(length);
            rest.advance(rest.len().min(GAP.len_utf8()));
            Piece::new(part)
        });
        let head = parts.next().unwrap_or_default();
        let mut pieces = Self { head, log, tails: parts.collect(), tag: String::new() };
        pieces.tag = tag(&pieces.all(&Piece::default()));
        Ok(pieces)
    }

    /// In their order, with `id` in its place.
    fn all<'a>(&'a self, id: &'a Piece) -> Vec<&'a Piece> {
        let mut all = vec![&self.head, &*self.log];
        for (n, tail) in self.tails.iter().enumerate() {
            all.extend((n > 0).then_some(id));
            all.push(tail);
        }
        all
    }

    /// Each time with another id for what is written in it: two pages that look the same may be open.
    fn answer(&self, headers: &HeaderMap) -> Response {
        if let Some(response) = unchanged(&self.tag, headers) {
            return response;
        }
        let id = Piece::new(random_token()[..32].to_owned());
        answer(&self.all(&id), &self.tag, headers)
    }
}
