//! What people are told of: the model `notifications`. [`tell`] is a part of the act that somebody is told of; they
//! read their own by [`of`] and [`read`]. Called by the acts of the domain, the API and the admin.

pub mod admin;
pub mod digest;
pub mod list;

use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;

use crate::app::App;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::statement::Statement;
use crate::error::{Error, Result};
use crate::ids::{MessageId, NotificationId, RoomId, UserId};
use crate::live::event::Event;
use crate::live::hub::Hub;
use crate::messages::writer::Mark;
use crate::on_db;
use crate::push::Push;
use crate::users::Person;
use crate::work::Work;

/// Ids in one call to [`read`].
const MOST_AT_ONCE: usize = 1000;
/// Where [`unread`] stops counting.
pub const MOST_COUNTED: i64 = 100;
pub(crate) const COLUMNS: &str = "id, kind, room_id, message_id, actor_id, created_at, read_at";

/// Why somebody is told: their name was said, an interest was sent or decided, they were answered, or another put them
/// into a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = NotificationKind)]
pub enum Kind {
    Mention,
    Interest,
    Reply,
    Added,
}

impl Kind {
    pub const CHOICES: &[(&str, &str)] = &[
        ("mention", msgid!("Mention")),
        ("interest", msgid!("Interest")),
        ("reply", msgid!("Reply")),
        ("added", msgid!("Added to a room")),
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mention => "mention",
            Self::Interest => "interest",
            Self::Reply => "reply",
            Self::Added => "added",
        }
    }
}

impl TryFrom<String> for Kind {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        let all = [Self::Mention, Self::Interest, Self::Reply, Self::Added];
        let found = all.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| Error::field("kind", tr!("One is told of a mention, an interest, a reply or being added.")))
    }
}

/// One thing that somebody was told of, as the API and the `notification` frame show it to them.
#[derive(Clone, Debug, FromRow, Serialize, ToSchema)]
pub struct Notification {
    #[schema(example = 9)]
    pub id: NotificationId,
    #[sqlx(try_from = "String")]
    pub kind: Kind,
    #[schema(required = true, example = 7)]
    pub room_id: Option<RoomId>,
    #[schema(required = true)]
    pub message_id: Option<MessageId>,
    /// Who did it; null for the site itself, and for an account that is gone.
    #[schema(required = true, example = 1)]
    pub actor_id: Option<UserId>,
    pub created_at: Timestamp,
    #[schema(required = true)]
    pub read_at: Option<Timestamp>,
}

/// A notification that is stored, and whose it is.
#[derive(Clone, Debug, FromRow)]
pub struct Told {
    pub user_id: UserId,
    #[sqlx(flatten)]
    pub notification: Notification,
}

impl Told {
    /// Shows it to its person on each of their sockets, or pushes it where there is none; called once it is committed.
    /// Cost: O(their sockets).
    pub fn announce(&self, hub: &Hub, push: &Push) {
        if !hub.is_online(self.user_id) {
            return push.told(self);
        }
        hub.tell(self.user_id, &Event::Notification(&self.notification).frame());
    }
}

/// What somebody is told of.
#[derive(Clone, Copy, Debug)]
pub struct News {
    pub kind: Kind,
    pub room: Option<RoomId>,
    pub message: Option<MessageId>,
}

/// Tells `user` what whoever does the work has done: a row now, and a frame on each of their sockets once the work is
/// committed. Nobody is told of what they do themselves. Cost: 1 statement.
pub async fn tell(work: &mut Work, user: UserId, news: News) -> Result<()> {
    let actor = work.by.as_ref().map(|by| by.id);
    tell_of(work, user, actor, news).await
}

/// The same of what somebody else has done, or is taken to have: staff act in others' names.
pub async fn tell_of(work: &mut Work, user: UserId, actor: Option<UserId>, news: News) -> Result<()> {
    if work.by.as_ref().is_some_and(|by| by.id == user) {
        return Ok(());
    }
    let now = work.now();
    let sql = format!(
        "insert into notifications (user_id, kind, room_id, message_id, actor_id, created_at)
         values ($1, $2, $3, $4, $5, $6) returning user_id, {COLUMNS}"
    );
    let told: Told = on_db!(work, c => sqlx::query_as(&sql).bind(user).bind(news.kind.as_str())
        .bind(news.room).bind(news.message).bind(actor).bind(now).fetch_one(c).await)?;
    work.then(move |app| told.announce(&app.hub, &app.push));
    Ok(())
}

/// Takes back what whoever does the work has told `user` of this kind, as far as it isn't read. Cost: 1 statement, O(what
/// `user` hasn't read).
pub async fn withdraw(work: &mut Work, user: UserId, kind: Kind) -> Result<()> {
    let actor = work.by.as_ref().map(|by| by.id);
    withdraw_of(work, user, actor, kind).await
}

/// The same of what `actor` has told.
pub async fn withdraw_of(work: &mut Work, user: UserId, actor: Option<UserId>, kind: Kind) -> Result<()> {
    Ok(on_db!(work, c => sqlx::query(
        "delete from notifications where user_id = $1 and read_at is null and actor_id = $2 and kind = $3")
        .bind(user).bind(actor).bind(kind.as_str()).execute(c).await.map(|_| ()))?)
}

/// Takes back what anybody was told of a message, as far as it isn't read. Cost: 1 indexed statement, O(people told).
pub async fn withdraw_message(work: &mut Work, message: MessageId) -> Result<()> {
    Ok(on_db!(work, c => sqlx::query("delete from notifications where message_id = $1 and read_at is null")
        .bind(message).execute(c).await.map(|_| ()))?)
}

/// Each person, if they are in it, has read a room up to the message numbered so, and so what they were told of those
/// messages. At most one mark a person and room. Run by the writer. Cost: 1 statement, O(what these people haven't read).
pub(crate) fn read_in_rooms(marks: &[Mark], now: Timestamp) -> Statement {
    // The plus keeps SQLite from going along all that was ever told in the room.
    let after = ") update notifications set read_at = ? from marks
         where user_id = marks.person and +room_id = marks.room and read_at is null and kind in ('mention', 'reply')
           and exists (select 1 from messages m where m.id = message_id and m.seq <= marks.seq)
           and exists (select 1 from memberships o where o.room_id = marks.room and o.user_id = marks.person)";
    Mark::over(marks, after).and([now.into()])
}

/// What `user` was told of before `before`, newest first, or only what they haven't read of it; at most `limit`.
/// Cost: 1 indexed query, O(limit).
pub async fn of(
    conn: &mut Conn,
    user: UserId,
    unread: bool,
    before: Option<NotificationId>,
    limit: i64,
) -> Result<Vec<Notification>> {
    let narrowed = if unread { "and read_at is null " } else { "" };
    let sql = format!(
        "select {COLUMNS} from notifications where user_id = $1 and id < $2 {narrowed}order by id desc limit $3"
    );
    let before = before.unwrap_or(NotificationId(i64::MAX));
    Ok(on_db!(conn, c => sqlx::query_as(&sql).bind(user).bind(before).bind(limit).fetch_all(c).await)?)
}

/// How much of what `$1` was told they haven't read, counted up to 100, as an expression in SQL.
pub(crate) const UNREAD: &str =
    "(select count(*) from (select 1 from notifications where user_id = $1 and read_at is null
     limit 100) as counted)";

/// How much of what `user` was told they haven't read, counted up to 100. Cost: 1 indexed query, O(100).
pub async fn unread(conn: &mut Conn, user: UserId) -> Result<i64> {
    let sql = format!("select {UNREAD}");
    Ok(on_db!(conn, c => sqlx::query_scalar(&sql).bind(user).fetch_one(c).await)?)
}

/// Marks notifications of `person` as read: all, or those of `ids`, at most 1000, passing over what isn't theirs.
/// Errors: [`Error::Invalid`] at `ids`. Cost: 1 write transaction, O(what wasn't read).
pub async fn read(app: &App, person: &Person, ids: Option<&[NotificationId]>) -> Result<()> {
    // Numbers, so there is nothing to escape; an empty list matches nothing.
    let which = match ids {
        Some(ids) if ids.len() > MOST_AT_ONCE => {
            return Err(Error::field("ids", tr!("At most {most} at once.", most = MOST_AT_ONCE)));
        }
        Some(ids) => {
            let list: Vec<String> = ids.iter().map(NotificationId::to_string).chain(["-1".into()]).collect();
            format!(" and id in ({})", list.join(", "))
        }
        None => String::new(),
    };
    let mut work = Work::begin(app, Some(person)).await?;
    let now = work.now();
    let sql = format!("update notifications set read_at = $2 where user_id = $1 and read_at is null{which}");
    on_db!(work, c => sqlx::query(&sql).persistent(ids.is_none()).bind(person.id).bind(now)
        .execute(c).await.map(|_| ()))?;
    work.commit().await
}

/// Deletes a notification. Errors: [`Error::NotFound`]. Cost: 1 statement.
pub async fn delete(work: &mut Work, id: NotificationId) -> Result<()> {
    let gone = on_db!(work, c => sqlx::query("delete from notifications where id = $1")
        .bind(id).execute(c).await.map(|done| done.rows_affected()))?;
    if gone == 0 { Err(Error::NotFound(msgid!("There is no such notification."))) } else { Ok(()) }
}
