//! Invitations: the model `invitations`. An administrator invites an address, which gets a letter with a link to register
//! by, once, within seven days; only a hash of its token is stored. [`admit`] says who may register at all. Called by
//! `users`, the page of registration and the admin.

pub mod admin;

use std::borrow::Cow;
use std::time::Duration;

use sqlx::FromRow;

use crate::app::App;
use crate::auth::{random_token, token_hash};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::emails::letter::{self, Letter};
use crate::error::{Error, FieldErrors, Result};
use crate::i18n;
use crate::ids::{InvitationId, UserId};
use crate::on_db;
use crate::settings::{self, Registration};
use crate::text::{fold, line};
use crate::work::Work;

pub const LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);

const CLOSED: Error =
    Error::Forbidden(msgid!("Registration is closed on this site. Ask an administrator for an account."));
const UNINVITED: Error =
    Error::Forbidden(msgid!("Registration on this site is by invitation only. Ask an administrator to invite you."));
const BAD_LINK: Error =
    Error::Forbidden(msgid!("This invitation isn't valid any more. Ask whoever invited you to send another one."));
const NO_INVITATION: Error = Error::NotFound(msgid!("There is no such invitation."));

/// An invitation that nobody has used and that hasn't run out.
#[derive(Clone, Debug, FromRow)]
pub struct Invitation {
    pub id: InvitationId,
    pub email: String,
}

/// Whether a stranger may register now, with the token of an invitation or without; and by which invitation. Errors:
/// [`Error::Forbidden`] in words. Cost: 1 indexed query with a token, else none.
pub async fn admit(app: &App, token: Option<&str>) -> Result<Option<Invitation>> {
    let registration = app.settings().registration;
    if registration == Registration::Closed {
        return Err(CLOSED);
    }
    let token = token.filter(|token| !token.is_empty());
    let invitation = match token {
        Some(token) => find(app, token).await?,
        None => None,
    };
    match (registration, token, &invitation) {
        (Registration::Invite, None, _) => Err(UNINVITED),
        (Registration::Invite, Some(_), None) => Err(BAD_LINK),
        _ => Ok(invitation),
    }
}

async fn find(app: &App, token: &str) -> Result<Option<Invitation>> {
    let (mut conn, now) = (app.db.read().await?, app.clock.now());
    Ok(on_db!(conn, c => sqlx::query_as(
        "select id, email from invitations where token_hash = $1 and used_at is null and expires_at > $2")
        .bind(token_hash(token)).bind(now).fetch_optional(c).await)?)
}

/// Uses an invitation up, in the work that makes the account `user`. Of two who race, one gets [`Error::Forbidden`].
/// Cost: 1 statement.
pub async fn accept(work: &mut Work, invitation: InvitationId, token: &str, user: UserId) -> Result<()> {
    let now = work.now();
    let used = on_db!(work, c => sqlx::query(
        "update invitations set used_at = $3, user_id = $4
         where id = $1 and token_hash = $2 and used_at is null and expires_at > $3")
        .bind(invitation).bind(token_hash(token)).bind(now).bind(user).execute(c).await
        .map(|done| done.rows_affected()))?;
    if used == 0 { Err(BAD_LINK) } else { Ok(()) }
}

/// Invites an address and queues its letter. Errors: [`Error::Invalid`] at `email` for what is no address, one that has an
/// account, or one that has an open invitation. Cost: 5 statements.
pub async fn invite(work: &mut Work, email: &str) -> Result<InvitationId> {
    let mut errors = FieldErrors::default();
    let email = line(&mut errors, "email", email, 254);
    if email.parse::<lettre::Address>().is_err() {
        errors.add("email", tr!("This is not an e-mail address."));
    }
    errors.or(())?;
    // Two who invite one address at once go one after the other.
    settings::lock(work).await?;
    refuse_known(work, &email).await?;
    let (token, now) = (random_token(), work.now());
    let by = work.by.as_ref().map(|by| by.id);
    let id: InvitationId = on_db!(work, c => sqlx::query_scalar(
        "insert into invitations (email, token_hash, invited_by, created_at, expires_at)
         values ($1, $2, $3, $4, $5) returning id")
        .bind(&email).bind(token_hash(&token)).bind(by).bind(now).bind(now.plus(LIFETIME)).fetch_one(c).await)?;
    write(work, &email, &token).await?;
    Ok(id)
}

async fn refuse_known(work: &mut Work, email: &str) -> Result<()> {
    let now = work.now();
    let member: Option<i64> = on_db!(work, c => sqlx::query_scalar("select id from users where email_folded = $1")
        .bind(fold(email)).fetch_optional(c).await)?;
    if member.is_some() {
        return Err(Error::field("email", tr!("Somebody with this address has an account already.")));
    }
    let open: Option<i64> = on_db!(work, c => sqlx::query_scalar(
        "select id from invitations where lower(email) = lower($1) and used_at is null and expires_at > $2 limit 1")
        .bind(email).bind(now).fetch_optional(c).await)?;
    match open {
        Some(_) => {
            Err(Error::field("email", tr!("This address is invited already: send that invitation again instead.")))
        }
        None => Ok(()),
    }
}

/// Sends an invitation once more, with a new link that works for seven days; the one before doesn't any longer. Errors:
/// [`Error::NotFound`], [`Error::Conflict`] for one that was used. Cost: 2 statements, 2 when refused.
pub async fn send_again(work: &mut Work, id: InvitationId) -> Result<()> {
    let (token, now) = (random_token(), work.now());
    let email: Option<String> = on_db!(work, c => sqlx::query_scalar(
        "update invitations set token_hash = $2, expires_at = $3 where id = $1 and used_at is null returning email")
        .bind(id).bind(token_hash(&token)).bind(now.plus(LIFETIME)).fetch_optional(c).await)?;
    if let Some(email) = email {
        return write(work, &email, &token).await;
    }
    let found: Option<i64> = on_db!(work, c => sqlx::query_scalar("select id from invitations where id = $1")
        .bind(id).fetch_optional(c).await)?;
    Err(found.map_or(NO_INVITATION, |_| Error::Conflict(msgid!("Somebody has registered by this invitation already."))))
}

/// Withdraws an invitation: its link is worth nothing from now on. Errors: [`Error::NotFound`]. Cost: 1 statement.
pub async fn delete(work: &mut Work, id: InvitationId) -> Result<()> {
    let gone = on_db!(work, c => sqlx::query("delete from invitations where id = $1")
        .bind(id).execute(c).await.map(|done| done.rows_affected()))?;
    if gone == 0 { Err(NO_INVITATION) } else { Ok(()) }
}

/// Deletes invitations that ran out a year ago, used or not, at most 500, and says how many: until then the admin shows
/// them. Cost: 1 indexed statement.
pub async fn sweep(conn: &mut Conn, now: Timestamp) -> Result<u64> {
    const KEPT: Duration = Duration::from_secs(365 * 24 * 3600);
    Ok(on_db!(conn, c => sqlx::query(
        "delete from invitations where id in (select id from invitations where expires_at < $1 order by expires_at limit 500)")
        .bind(now.minus(KEPT)).execute(c).await.map(|done| done.rows_affected()))?)
}

async fn write(work: &mut Work, email: &str, token: &str) -> Result<()> {
    let site = work.app.settings().site_name.clone();
    let url = letter::link(&work.app, &format!("/register?token={token}"));
    let by = work.by.as_ref().map(|by| by.username.as_str());
    // Nobody knows yet what they speak.
    let letter = i18n::said_in(work.app.config.site_language, || {
        let by = by.map_or_else(|| tr!("An administrator"), Cow::from);
        let why = tr!(
            "{by} would like to have you on {site}, and invites you to make an account there.",
            by = by,
            site = site
        );
        let then = tr!("The link works once, within seven days. If you don't know what this is about, leave it be.");
        Letter {
            subject: tr!("{by} invites you to {site}", by = by, site = site),
            says: vec![why],
            button: Some((tr!("Make an account").into(), url)),
            then: vec![then.into()],
            lasts: Some(LIFETIME),
            ..Letter::default()
        }
    });
    letter::send(work, email, &letter).await?;
    Ok(())
}
