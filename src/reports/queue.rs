//! The open reports as staff settle them, oldest first: each with the talk around the message, and what can be done.
//! A report is settled once: of two who settle it at the same time, the second is told so.

use std::borrow::Cow;
use std::collections::BTreeSet;

use sqlx::FromRow;

use super::{Status, admin};
use crate::admin::resource::{Act, Resource};
use crate::admin::value::{Key, Row};
use crate::admin::{change, permission, record};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::emails::{self, NewEmail, letter};
use crate::error::{Error, Result};
use crate::i18n;
use crate::ids::{MessageId, ReportId, RoomId, UserId};
use crate::messages::{self, Message};
use crate::rooms::Kind;
use crate::users::authority;
use crate::users::{Person, Role};
use crate::work::Work;
use crate::{on_db, users};

/// Reports on a page.
pub const MOST_SHOWN: usize = 10;
/// Messages shown before and after the one reported.
const REACH: i64 = 3;
/// Other reports counted of one message.
const MOST_OTHERS: i64 = 100;
/// Characters of a message that a warning quotes.
const MOST_QUOTED: usize = 300;

/// One open report.
#[derive(Clone, Debug, FromRow)]
pub struct Case {
    pub id: ReportId,
    pub reason: String,
    pub created_at: Timestamp,
    pub reporter_id: Option<UserId>,
    pub reporter: Option<String>,
    pub message_id: MessageId,
    pub room_id: RoomId,
    pub room: String,
    pub seq: i64,
    /// Whether whoever looks may see the room itself; what stands around the message is shown to staff in any case.
    pub is_open: bool,
    pub author_id: Option<UserId>,
    pub author: Option<String>,
    pub author_role: Option<String>,
    pub author_is_active: Option<bool>,
    /// Other open reports of the same message, up to [`MOST_OTHERS`].
    pub others: i64,
}

impl Case {
    /// Whether `person` may disable the author: not oneself, not staff beside or above.
    pub fn may_disable(&self, person: &Person) -> bool {
        let role = self.author_role.clone().and_then(|role| Role::try_from(role).ok());
        let author = self.author_id.zip(role).filter(|_| self.author_is_active == Some(true));
        author.is_some_and(|(author, role)| authority::may(Some(person), authority::Act::Disable, author, role).is_ok())
    }
}

/// A report with the talk that its message stands in.
pub struct Shown {
    pub case: Case,
    pub talk: Vec<Message>,
}

/// Open reports after the one made at `after`, as `viewer` is led to them, oldest first; one more than [`MOST_SHOWN`]
/// if there are more. Cost: 2 indexed queries.
pub async fn open(conn: &mut Conn, viewer: UserId, after: (i64, i64)) -> Result<Vec<Shown>> {
    let sql = format!(
        "select r.id, r.reason, r.created_at, r.reporter_id, p.username as reporter, r.message_id, m.room_id,
                case when o.name = '' then o.kind || ' chat' else o.name end as room, m.seq, m.sender_id as author_id,
                (o.kind = 'public' or exists (select 1 from memberships v where v.room_id = o.id and v.user_id = $3))
                as is_open,
                a.username as author, a.role as author_role, a.is_active as author_is_active,
                (select count(*) from (select 1 from reports s where s.message_id = r.message_id and s.status = 'open'
                 and s.id <> r.id limit {MOST_OTHERS}) as counted) as others
         from reports r join messages m on m.id = r.message_id join rooms o on o.id = m.room_id
              left join users p on p.id = r.reporter_id left join users a on a.id = m.sender_id
         where r.status = 'open' and (r.created_at, r.id) > ($1, $2) order by r.created_at, r.id limit {}",
        MOST_SHOWN + 1
    );
    let cases: Vec<Case> =
        on_db!(conn, c => sqlx::query_as(&sql).bind(after.0).bind(after.1).bind(viewer).fetch_all(c).await)?;
    let places: BTreeSet<(RoomId, i64)> = cases.iter().map(|case| (case.room_id, case.seq)).collect();
    let talk = messages::around(conn, &places.into_iter().collect::<Vec<_>>(), REACH).await?;
    let near =
        |case: &Case, message: &&Message| message.room_id == case.room_id && (message.seq - case.seq).abs() <= REACH;
    let shown =
        |case: Case| Shown { talk: talk.iter().filter(|message| near(&case, message)).cloned().collect(), case };
    Ok(cases.into_iter().map(shown).collect())
}

/// What becomes of a report. Each settles every open report of the message but [`Settlement::Dismiss`], which settles one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The message's text is gone for all.
    Hide,
    /// The author gets a mail; the message may go, too.
    Warn { hide: bool },
    /// The author is out; the message may go, too.
    Disable { hide: bool },
    /// Nothing was wrong.
    Dismiss,
}

/// Settles a report, with an entry in history for each row that it changes. Errors: [`Error::NotFound`],
/// [`Error::Conflict`] when it was settled before or there is no author any more, [`Error::Forbidden`] without the
/// right, or for an author who stands above. Cost: 8 to 30 statements.
pub async fn settle(work: &mut Work, id: ReportId, how: Settlement) -> Result<()> {
    let person = work.by.clone().ok_or(Error::SignedOut)?;
    let key = Key::Id(id.0);
    // Held from here on: nobody else settles it meanwhile.
    let report = record::hold(work, &admin::RESOURCE, &key).await?;
    permission::require_row(&admin::RESOURCE, &person, Act::Change, &report)?;
    if report.text("status") != Status::Open.as_str() {
        return Err(Error::Conflict(msgid!("This report is settled already; nothing was done a second time.")));
    }
    let message = MessageId(report.int("message_id").unwrap_or(-1));
    match how {
        Settlement::Dismiss => act(work, &admin::RESOURCE, &key, "dismiss").await,
        Settlement::Hide => hide(work, &key, message).await,
        Settlement::Warn { hide: too } => {
            let mail = warning(work, message, report.text("reason")).await?;
            hide_too(work, message, too).await?;
            change::recorded(work, &admin::RESOURCE, &key, Act::Change, "warn", async |work: &mut Work, _: &Row| {
                emails::queue(work, &mail, None).await?;
                settle_all(work, message).await
            })
            .await
        }
        Settlement::Disable { hide: too } => {
            let author = author(work, message).await?;
            act(work, &users::admin::RESOURCE, &Key::Id(author.id.0), "disable").await?;
            hide_too(work, message, too).await?;
            change::recorded(work, &admin::RESOURCE, &key, Act::Change, "disable", async |work: &mut Work, _: &Row| {
                settle_all(work, message).await
            })
            .await
        }
    }
}

/// One of a model's own actions, by name.
async fn act(work: &mut Work, resource: &'static Resource, key: &Key, name: &str) -> Result<()> {
    let action = resource.action(name).ok_or(Error::NotFound(msgid!("There is no such act.")))?;
    change::act(work, resource, key, action).await
}

async fn hide(work: &mut Work, report: &Key, message: MessageId) -> Result<()> {
    hide_too(work, message, true).await?;
    act(work, &admin::RESOURCE, report, "hide").await
}

/// Hides the message, if that is asked and its text isn't gone already.
async fn hide_too(work: &mut Work, message: MessageId, hide: bool) -> Result<()> {
    if !hide || messages::change::hold(work, message).await?.deleted_at.is_some() {
        return Ok(());
    }
    act(work, &messages::admin::RESOURCE, &Key::Id(message.0), "hide").await
}

async fn settle_all(work: &mut Work, message: MessageId) -> Result<()> {
    let by = work.by.as_ref().map(|by| by.id);
    Ok(on_db!(work, c => sqlx::query(
        "update reports set status = 'resolved', handled_by = $2 where message_id = $1 and status = 'open'")
        .bind(message).bind(by).execute(c).await.map(|_| ()))?)
}

/// Who wrote a message, and what and where.
#[derive(FromRow)]
struct Author {
    id: UserId,
    username: String,
    email: String,
    /// The code of the language that they chose, or nothing.
    language: String,
    content: String,
    room: String,
    #[sqlx(try_from = "String")]
    kind: Kind,
}

async fn author(work: &mut Work, message: MessageId) -> Result<Author> {
    let found = on_db!(work, c => sqlx::query_as(
        "select u.id, u.username, u.email, u.language, m.content, o.name as room, o.kind
         from messages m join users u on u.id = m.sender_id join rooms o on o.id = m.room_id where m.id = $1")
        .bind(message).fetch_optional(c).await)?;
    found.ok_or(Error::Conflict(msgid!("Its author's account is gone: hide the message or dismiss the report.")))
}

/// The mail that warns the author, in their language. It doesn't say who reported.
async fn warning(work: &mut Work, message: MessageId, reason: &str) -> Result<NewEmail> {
    let author = author(work, message).await?;
    let (site, origin) = (work.app.settings().site_name.clone(), work.app.config.origin());
    i18n::said_in(letter::language_of(&work.app, &author.language), || {
        let parts = [
            tr!("Hello {name},", name = author.username),
            accusation(&author, &site),
            format!(
                "{}\n{}",
                quote(reason),
                tr!(
                    "The staff looked at it and asks you not to write such messages. Accounts that go on are disabled."
                )
            ),
            origin,
        ];
        let subject = tr!("{site}: a warning about a message of yours", site = site);
        NewEmail::parse(&author.email, &subject, &parts.join("\n\n"))
    })
}

/// That what they wrote was reported: the sentence before the reason.
fn accusation(author: &Author, site: &str) -> String {
    let mut quoted: String = author.content.chars().take(MOST_QUOTED).collect();
    if quoted.is_empty() {
        return tr!("A message of yours was reported to the staff of {site}, for this reason:", site = site);
    }
    if quoted.len() < author.content.len() {
        quoted.push('…');
    }
    let room = match (author.room.as_str(), author.kind) {
        ("", Kind::Public) => tr!("a public chat"),
        ("", Kind::Group) => tr!("a group chat"),
        ("", Kind::Direct) => tr!("a direct chat"),
        (name, _) => Cow::from(name),
    };
    tr!(
        "What you wrote in {room}\n\n{words}\n was reported to the staff of {site}, for this reason:",
        room = room,
        words = quote(&quoted),
        site = site
    )
}

fn quote(text: &str) -> String {
    text.lines().map(|line| format!("> {line}\n")).collect()
}
