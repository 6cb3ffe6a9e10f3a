//! The browsers that are told when no page is open: the table `push_subscriptions`. Each belongs to the session in which it
//! was made and goes with it; else only the push service's word that it is over takes it away. Called by the page of
//! settings and by `push/note.rs` and `push/delivery.rs`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::PublicKey;
use sqlx::FromRow;
use web_push_native::Auth;

use super::network::{self, Reach};
use crate::app::App;
use crate::auth::session::IDLE;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, FieldErrors, Result};
use crate::ids::{PushSubscriptionId, UserId};
use crate::messages::list;
use crate::on_db;
use crate::users::Person;
use crate::work::Work;

/// Browsers of one person.
const MOST: i64 = 20;
/// How exact `last_used_at` is: writing it on every push would cost a disk flush each.
const USED_EVERY: std::time::Duration = std::time::Duration::from_secs(3600);

/// A browser as it says how to reach it, every field checked.
pub struct NewSubscription {
    endpoint: String,
    p256dh: String,
    auth: String,
}

impl NewSubscription {
    /// Errors: [`Error::Invalid`] with a message for each bad field: an endpoint that pushes don't go to, a `p256dh` that
    /// is no point of P-256, an `auth` that isn't 16 bytes, all in base64url.
    pub fn parse(app: &App, endpoint: &str, p256dh: &str, auth: &str) -> Result<Self> {
        let mut errors = FieldErrors::default();
        let (endpoint, p256dh, auth) = (endpoint.trim(), unpadded(p256dh), unpadded(auth));
        if let Err(Error::Invalid(wrong)) = network::endpoint(endpoint, app.push.outbox().reach()) {
            errors.0.extend(wrong.0);
        }
        if point(p256dh).is_none() {
            errors.add("p256dh", tr!("This is no public key of a browser."));
        }
        if secret(auth).is_none() {
            errors.add("auth", tr!("This is no secret of a browser: those have 16 bytes."));
        }
        errors.or(Self { endpoint: endpoint.to_owned(), p256dh: p256dh.to_owned(), auth: auth.to_owned() })
    }
}

fn unpadded(text: &str) -> &str {
    text.trim().trim_end_matches('=')
}

/// The uncompressed point that browsers give.
fn point(text: &str) -> Option<PublicKey> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() == 65)?;
    PublicKey::from_sec1_bytes(&bytes).ok()
}

fn secret(text: &str) -> Option<Auth> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() == 16)?;
    Some(Auth::clone_from_slice(&bytes))
}

/// A browser that can be told. Never logged: whoever has it can push to it.
#[derive(Clone, FromRow)]
pub struct Subscription {
    pub id: PushSubscriptionId,
    pub user_id: UserId,
    endpoint: String,
    p256dh: String,
    auth: String,
}

impl Subscription {
    /// Where it is reached. Errors: [`Error::Invalid`] for an address that pushes don't go to.
    pub fn endpoint(&self, reach: Reach) -> Result<url::Url> {
        network::endpoint(&self.endpoint, reach)
    }

    /// `text`, readable for this browser only (RFC 8291). Cost: O(length), 1 key agreement.
    pub fn seal(&self, text: &str) -> Result<Vec<u8>> {
        let unreadable = || Error::internal("a browser's keys can't be read");
        let (point, secret) = (point(&self.p256dh).ok_or_else(unreadable)?, secret(&self.auth).ok_or_else(unreadable)?);
        web_push_native::encrypt(text.as_bytes().to_vec(), &point, &secret).map_err(Error::internal)
    }
}

/// Tells `person` in this browser from now on; one with the same endpoint is replaced, whoever had it. Errors:
/// [`Error::Forbidden`] for who is in no session, [`Error::Invalid`] at `endpoint` for a 21st browser. Cost: 1 write
/// transaction of 3 statements.
pub async fn add(app: &App, person: &Person, new: &NewSubscription) -> Result<()> {
    let session =
        person.session().ok_or(Error::Forbidden(msgid!("A browser is told in a session; this is a token.")))?;
    let mut work = Work::begin(app, Some(person)).await?;
    let now = work.now();
    // The person's row first: of two browsers at once, one counts the other.
    on_db!(work, c => sqlx::query("update users set id = id where id = $1").bind(person.id).execute(c).await.map(|_| ()))?;
    let others: i64 = on_db!(work, c => sqlx::query_scalar(
        "select count(*) from push_subscriptions where user_id = $1 and endpoint <> $2")
        .bind(person.id).bind(&new.endpoint).fetch_one(c).await)?;
    if others >= MOST {
        return Err(Error::field(
            "endpoint",
            tr!("{most} browsers are told already: turn it off in another first.", most = MOST),
        ));
    }
    on_db!(work, c => sqlx::query(
        "insert into push_subscriptions (user_id, session_id, endpoint, p256dh, auth, created_at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (endpoint) do update set user_id = excluded.user_id, session_id = excluded.session_id,
            p256dh = excluded.p256dh, auth = excluded.auth, created_at = excluded.created_at, last_used_at = null")
        .bind(person.id).bind(session).bind(&new.endpoint).bind(&new.p256dh).bind(&new.auth).bind(now)
        .execute(c).await.map(|_| ()))?;
    work.commit().await
}

/// Stops telling `person` in the browser with this endpoint; one that isn't theirs, or isn't there, is left at that.
/// Cost: 1 write transaction.
pub async fn remove(app: &App, person: &Person, endpoint: &str) -> Result<()> {
    // PostgreSQL takes no text with a NUL, and no endpoint has one.
    if endpoint.contains('\0') {
        return Ok(());
    }
    let mut work = Work::begin(app, Some(person)).await?;
    on_db!(work, c => sqlx::query("delete from push_subscriptions where user_id = $1 and endpoint = $2")
        .bind(person.id).bind(endpoint.trim()).execute(c).await.map(|_| ()))?;
    work.commit().await
}

/// Whether there is any. Cost: 1 query, O(1).
pub(super) async fn exist(conn: &mut Conn) -> Result<bool> {
    let one: Option<i64> = on_db!(conn, c => sqlx::query_scalar("select id from push_subscriptions limit 1")
        .fetch_optional(c).await)?;
    Ok(one.is_some())
}

/// The condition under which the subscription `s` of the session `e` of the user `u` counts; `$1` is now, `$2` the time
/// since which a session must have been used.
const STANDS: &str = "from push_subscriptions s join sessions e on e.id = s.session_id join users u on u.id = s.user_id \
     where e.user_id = s.user_id and e.expires_at > $1 and e.last_seen_at > $2 and u.is_active";

/// A browser's id, whose it is, and the code of the language that they chose.
pub(super) type Browser = (PushSubscriptionId, UserId, String);

/// The browsers of `people`. Cost: no query without people, else 1 indexed one, O(people).
pub(super) async fn of(conn: &mut Conn, people: &[UserId], now: Timestamp) -> Result<Vec<Browser>> {
    if people.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("select s.id, s.user_id, u.language {STANDS} and s.user_id in ({}) order by s.id", list(people));
    Ok(on_db!(conn, c => sqlx::query_as(&sql).persistent(false).bind(now).bind(now.minus(IDLE)).fetch_all(c).await)?)
}

/// One that still counts. Cost: 1 indexed query.
pub(super) async fn find(conn: &mut Conn, id: PushSubscriptionId, now: Timestamp) -> Result<Option<Subscription>> {
    let sql = format!("select s.id, s.user_id, s.endpoint, s.p256dh, s.auth {STANDS} and s.id = $3");
    Ok(on_db!(conn, c => sqlx::query_as(&sql).bind(now).bind(now.minus(IDLE)).bind(id).fetch_optional(c).await)?)
}

/// Takes away one that its push service calls over, unless the browser has subscribed anew meanwhile.
/// Cost: 1 write transaction.
pub(super) async fn end(app: &App, over: &Subscription) -> Result<()> {
    let mut tx = app.db.write().await?;
    on_db!(tx, c => sqlx::query("delete from push_subscriptions where id = $1 and p256dh = $2 and auth = $3")
        .bind(over.id).bind(&over.p256dh).bind(&over.auth).execute(c).await.map(|_| ()))?;
    tx.commit().await
}

/// One was told. Cost: 1 query, and at most once an hour 1 write transaction.
pub(super) async fn used(app: &App, id: PushSubscriptionId) -> Result<()> {
    let now = app.clock.now();
    let last: Option<i64> = {
        let mut conn = app.db.read().await?;
        on_db!(conn, c => sqlx::query_scalar(
            "select coalesce(last_used_at, 0) from push_subscriptions where id = $1").bind(id).fetch_optional(c).await)?
    };
    if last.is_none_or(|last| Timestamp(last).plus(USED_EVERY) > now) {
        return Ok(());
    }
    let mut tx = app.db.write().await?;
    on_db!(tx, c => sqlx::query("update push_subscriptions set last_used_at = $2 where id = $1")
        .bind(id).bind(now).execute(c).await.map(|_| ()))?;
    tx.commit().await
}
