//! Mails that sum up what somebody missed while they were away, for those who chose to get them: unread mentions and
//! replies, and the rooms with unread messages. The choice is made in the settings; [`run`] is a job of one node at a time,
//! and each digest is claimed in the transaction that queues it, so that it is sent once even if two are at it.

use std::time::Duration;

use sqlx::FromRow;

use super::Kind;
use crate::app::App;
use crate::clock::Timestamp;
use crate::db::{Conn, rows};
use crate::emails::letter::{self, Letter};
use crate::error::{Error, Result};
use crate::i18n;
use crate::ids::{MessageId, UserId};
use crate::jobs::lease::{Holder, Lease};
use crate::messages::acts::with_room;
use crate::messages::{Message, excerpt};
use crate::on_db;
use crate::rooms::{self, Room};
use crate::users::Person;
use crate::work::Work;

const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Over before the next look: a node that dies holds up none.
const LOOK_LASTS: Duration = Duration::from_secs(50);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Whoever was seen since isn't away.
const AWAY_FOR: Duration = HOUR;
/// People looked at in one query.
const TOGETHER: i64 = 100;
/// Mentions and replies, and rooms, in one mail.
const MOST: usize = 20;
/// Characters of a message.
const LONGEST: usize = 120;

/// How often somebody gets one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digest {
    Never,
    Hourly,
    Daily,
}

impl Digest {
    /// Each as the form and the table write it, and in words.
    pub const CHOICES: &[(&str, &str)] =
        &[("never", msgid!("Never")), ("hourly", msgid!("Once an hour")), ("daily", msgid!("Once a day"))];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Hourly => "hourly",
            Self::Daily => "daily",
        }
    }
}

impl TryFrom<String> for Digest {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        let found = [Self::Never, Self::Hourly, Self::Daily].into_iter().find(|choice| choice.as_str() == text.trim());
        found.ok_or_else(|| Error::field("digest", tr!("Choose one: never, hourly or daily.")))
    }
}

/// What `user` chose. Cost: 1 indexed query.
pub async fn chosen(conn: &mut Conn, user: UserId) -> Result<Digest> {
    let text: Option<String> = on_db!(conn, c => sqlx::query_scalar("select digest from users where id = $1")
        .bind(user).fetch_optional(c).await)?;
    text.map_or(Ok(Digest::Never), Digest::try_from)
}

/// Chooses for `person`. Cost: 1 write transaction.
pub async fn choose(app: &App, person: &Person, digest: Digest) -> Result<()> {
    let mut work = Work::begin(app, Some(person)).await?;
    on_db!(work, c => sqlx::query("update users set digest = $2 where id = $1")
        .bind(person.id).bind(digest.as_str()).execute(c).await.map(|_| ()))?;
    work.commit().await
}

/// The job: sends what is due each minute, until it is dropped.
pub async fn run(app: App) {
    let (mut every, holder) = (tokio::time::interval(LOOK_EVERY), Holder::default());
    loop {
        every.tick().await;
        if let Err(error) = send_as(&app, &holder).await {
            tracing::warn!(%error, "digests can't be sent");
        }
    }
}

/// Queues what is due, unless another node does; whether it did. Cost: 1 write transaction, and those of [`send_due`].
pub async fn send_as(app: &App, holder: &Holder) -> Result<bool> {
    let Some(mut lease) = Lease::take(app, holder, "digests", LOOK_LASTS).await? else { return Ok(false) };
    send_while(app, Some(&mut lease)).await?;
    Ok(true)
}

/// Somebody who is away and whose last digest is long enough ago.
#[derive(FromRow)]
struct Reader {
    id: UserId,
    username: String,
    email: String,
    #[sqlx(try_from = "String")]
    digest: Digest,
    digested_at: Option<Timestamp>,
    /// The code of the language that they chose, or nothing.
    language: String,
    /// When they were last here, or came.
    seen_at: Timestamp,
}

/// Queues a digest for everyone who is due one and has missed something, whoever else does so. Tests, whose clock leaps,
/// call it. Cost: 1 query for each 100 who are due, and for each of them 2 queries, some 3 for each mention, and 1 write
/// transaction.
pub async fn send_due(app: &App) -> Result<()> {
    send_while(app, None).await
}

async fn send_while(app: &App, mut lease: Option<&mut Lease>) -> Result<()> {
    let mut after = UserId(0);
    loop {
        let due = due(&mut app.db.read().await?, app.clock.now(), after).await?;
        let Some(last) = due.last() else { return Ok(()) };
        after = last.id;
        for reader in due.iter().filter(|reader| !app.hub.is_online(reader.id)) {
            if !Lease::holds(lease.as_deref_mut(), app).await? {
                return Ok(());
            }
            if let Err(error) = sum_up(app, reader).await {
                tracing::warn!(%error, user = reader.id.0, "a digest can't be sent");
            }
        }
    }
}

async fn due(conn: &mut Conn, now: Timestamp, after: UserId) -> Result<Vec<Reader>> {
    Ok(on_db!(conn, c => sqlx::query_as(
        "select id, username, email, digest, digested_at, language, coalesce(last_seen_at, created_at) as seen_at from users
         where digest <> 'never' and is_active and coalesce(last_seen_at, created_at) <= $1
           and (digested_at is null or digested_at <= case digest when 'daily' then $3 else $2 end) and id > $4
         order by id limit $5")
        .bind(now.minus(AWAY_FOR)).bind(now.minus(HOUR)).bind(now.minus(DAY)).bind(after).bind(TOGETHER)
        .fetch_all(c).await)?)
}

/// Claims the digest of `reader` and queues it, if there is anything in it.
async fn sum_up(app: &App, reader: &Reader) -> Result<()> {
    // What comes in from here on is the next one's.
    let now = app.clock.now();
    let language = letter::language_of(app, &reader.language);
    let letter = i18n::within(language, letter_to(app, reader)).await?;
    let mut work = Work::begin(app, None).await?;
    let claimed = on_db!(work, c => sqlx::query(
        "update users set digested_at = $2 where id = $1 and is_active and digest = $4 and coalesce(digested_at, 0) = $3")
        .bind(reader.id).bind(now).bind(reader.digested_at.unwrap_or(Timestamp(0))).bind(reader.digest.as_str())
        .execute(c).await.map(|done| done.rows_affected()))?;
    if let (1, Some(letter)) = (claimed, letter) {
        letter::send(&mut work, &reader.email, &letter).await?;
    }
    work.commit().await
}

/// What they missed since the last digest or since they were last here, whichever is later; `None` for nothing.
async fn letter_to(app: &App, reader: &Reader) -> Result<Option<Letter>> {
    let since = reader.digested_at.map_or(reader.seen_at, |digested_at| digested_at.max(reader.seen_at));
    let mut conn = app.db.read().await?;
    let mut says = calls(&mut conn, reader.id, since).await?;
    let rooms = unread(&mut conn, reader.id, since).await?;
    if says.is_empty() && rooms.is_empty() {
        return Ok(None);
    }
    says.extend(in_rooms(&rooms));
    let site = app.settings().site_name.clone();
    let link = letter::link(app, "/settings#notices");
    let stop = match reader.digest {
        Digest::Daily => {
            tr!("You asked for this mail, at most once a day while you are away. To stop it: {link}", link = link)
        }
        _ => tr!("You asked for this mail, at most once an hour while you are away. To stop it: {link}", link = link),
    };
    Ok(Some(Letter {
        subject: tr!("What you missed at {site}", site = site),
        name: reader.username.clone(),
        says,
        button: Some((tr!("Open the chat").into(), letter::link(app, "/chat"))),
        then: vec![stop],
        ..Letter::default()
    }))
}

/// A sentence for each unread mention and reply, newest first.
async fn calls(conn: &mut Conn, user: UserId, since: Timestamp) -> Result<Vec<String>> {
    let missed: Vec<(String, MessageId)> = on_db!(conn, c => sqlx::query_as(
        "select n.kind, n.message_id from notifications n
         where n.user_id = $1 and n.read_at is null and n.kind in ('mention', 'reply') and n.message_id is not null
           and n.created_at > $2
           and not exists (select 1 from blocks b where b.user_id = n.user_id and b.blocked_id = n.actor_id)
         order by n.id desc limit $3")
        .bind(user).bind(since).bind(MOST as i64 + 1).fetch_all(c).await)?;
    let mut says = Vec::new();
    for (kind, message) in missed.iter().take(MOST) {
        let (room, message) = match with_room(conn, user, *message).await {
            // They left the room.
            Err(Error::NotFound(_)) => continue,
            found => found?,
        };
        if message.deleted_at.is_some() {
            continue;
        }
        says.push(call(*kind == Kind::Mention.as_str(), &room, &message));
    }
    if missed.len() > MOST {
        says.push(tr!("There are more mentions and replies.").into());
    }
    Ok(says)
}

/// One such sentence.
fn call(is_mention: bool, room: &Room, message: &Message) -> String {
    let (who, place, words) = (message.author(), room.title(), excerpt::of(message, LONGEST));
    match (is_mention, room.is_direct()) {
        (true, true) => tr!("{who} mentioned you: “{words}”", who = who, words = words),
        (true, false) => {
            tr!("{who} mentioned you in {room}: “{words}”", who = who, room = place, words = words)
        }
        (false, true) => tr!("{who} answered you: “{words}”", who = who, words = words),
        (false, false) => tr!("{who} answered you in {room}: “{words}”", who = who, room = place, words = words),
    }
}

/// Their rooms with news that they haven't muted, newest talk first.
async fn unread(conn: &mut Conn, user: UserId, since: Timestamp) -> Result<Vec<Room>> {
    let sql = rooms::select(
        conn,
        "from memberships m join rooms r on r.id = m.room_id
         where m.user_id = $1 and not m.muted and r.last_seq > m.last_read_seq and r.last_message_at > $2
         order by r.last_message_at desc, r.id desc limit $3",
    );
    let found: String = on_db!(conn, c => sqlx::query_scalar(&sql)
        .bind(user).bind(since).bind(MOST as i64 + 1).fetch_one(c).await)?;
    rows::read(&found)
}

fn in_rooms(rooms: &[Room]) -> Option<String> {
    let told = rooms.iter().take(MOST).map(|room| match room.is_direct() {
        true => tr!("{count} from {person}", count = room.unread(), person = room.title()),
        false => tr!("{count} in {room}", count = room.unread(), room = room.title()),
    });
    let told: Vec<String> = told.chain((rooms.len() > MOST).then(|| tr!("more elsewhere").into())).collect();
    (!told.is_empty()).then(|| tr!("Unread messages: {rooms}.", rooms = told.join(&tr!("list" => ", "))))
}
