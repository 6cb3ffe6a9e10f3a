//! Changes to accounts, each a part of a [`Work`]: role, access, password, profile, deletion. Called by the admin and
//! the command line. What must not happen to the last administrator, or to oneself, is refused here.

use super::authority::{self, Act, may_to};
use super::{COLUMNS, Description, Person, Profile, Registration, Role, User, address, avatar, count_admins};
use crate::app::App;
use crate::auth::{self, api_tokens, devices, password, reset_tokens, session};
use crate::clock::Timestamp;
use crate::emails::letter::{self, Letter};
use crate::error::{Error, FieldErrors, Result, is_taken};
use crate::i18n::{self, Language, gettext};
use crate::ids::{RoomId, UserId};
use crate::rooms::members;
use crate::text::fold;
use crate::work::Work;
use crate::{on_db, revocations, settings};

/// The account, held until the work ends: two who change it at once go one after the other. Cost: 2 statements.
pub async fn hold(work: &mut Work, id: UserId) -> Result<User> {
    let sql = format!("update users set id = id where id = $1 returning {COLUMNS}");
    let user = on_db!(work, c => sqlx::query_as(&sql).bind(id).fetch_optional(c).await)?;
    user.ok_or(Error::NotFound(msgid!("There is no such account.")))
}

/// Gives `user` another role. Errors: [`Error::Conflict`] for the last administrator and for oneself,
/// [`Error::Forbidden`] for all but administrators. Cost: 2 statements.
pub async fn set_role(work: &mut Work, user: &User, role: Role) -> Result<()> {
    if role == user.role {
        return Ok(());
    }
    may_to(work.by.as_ref(), Act::ChangeRole, user)?;
    keep_an_admin(work, user, role == Role::Admin).await?;
    let now = work.now();
    Ok(on_db!(work, c => sqlx::query("update users set role = $2, updated_at = $3 where id = $1")
        .bind(user.id).bind(role.as_str()).bind(now).execute(c).await.map(|_| ()))?)
}

/// The language that `user` reads from now on; `None`: as their browser asks. Cost: 1 statement.
pub async fn set_language(work: &mut Work, user: UserId, language: Option<Language>) -> Result<()> {
    let (code, now) = (language.map_or("", Language::code), work.now());
    Ok(on_db!(work, c => sqlx::query("update users set language = $2, updated_at = $3 where id = $1")
        .bind(user).bind(code).bind(now).execute(c).await.map(|_| ()))?)
}

/// Lets `user` log in, or not; then every session and socket of theirs ends, within a second on every node.
/// Errors: [`Error::Conflict`] for the last administrator and for oneself, [`Error::Forbidden`] for moderators who
/// don't stand above `user`. Cost: 2 to 5 statements.
pub async fn set_active(work: &mut Work, user: &User, active: bool) -> Result<()> {
    if active == user.is_active {
        return Ok(());
    }
    may_to(work.by.as_ref(), Act::Disable, user)?;
    keep_an_admin(work, user, active).await?;
    let now = work.now();
    on_db!(work, c => sqlx::query("update users set is_active = $2, updated_at = $3 where id = $1")
        .bind(user.id).bind(active).bind(now).execute(c).await.map(|_| ()))?;
    if active {
        return Ok(());
    }
    // For good: let in again, they begin anew.
    end_sessions(work, user).await?;
    api_tokens::revoke_all(work, user.id).await?;
    reset_tokens::end_all(work, user.id).await
}

/// Sets a new password and ends everything that `user` is signed in by, who is told by mail. Errors: [`Error::Invalid`]
/// at `password`. Cost: 1 argon2 hash, 8 statements.
pub async fn set_password(work: &mut Work, user: &User, new: String) -> Result<()> {
    let hash = hashed(&work.app, user, "password", new).await?;
    store_password(work, user, &hash).await
}

async fn hashed(app: &App, user: &User, field: &'static str, new: String) -> Result<String> {
    let mut errors = FieldErrors::default();
    let site_name = app.settings().site_name.clone();
    password::check(&mut errors, field, &new, &[&user.username, &user.email, &site_name]);
    errors.or(())?;
    password::hash_at_once(new).await
}

/// The same with a password that was checked and hashed before. Cost: 7 statements.
pub async fn store_password(work: &mut Work, user: &User, hash: &str) -> Result<()> {
    // Sessions first: what was begun under one, and holds it, is done by then, and ended by what follows.
    end_sessions(work, user).await?;
    api_tokens::revoke_all(work, user.id).await?;
    replace_hash(work, user, hash).await?;
    let rest = msgid!("You were logged out everywhere, and your personal tokens are revoked.");
    tell_of_password(work, user, rest).await
}

/// Sets the password of whoever is signed in, in a work of its own, ends all their other sessions and their sockets, and
/// tells them by mail. Personal tokens stay, and the mail says so. Doesn't ask for the current one: [`auth::ask_again`]
/// does. Errors: [`Error::Invalid`] at `new_password`. Cost: 1 query, 1 argon2 hash, 1 write transaction.
pub async fn set_own_password(app: &App, person: &Person, ip: &str, current: &str, new: String) -> Result<()> {
    if current == new {
        return Err(Error::field("new_password", tr!("This is your password already.")));
    }
    let user = super::by_id(&mut app.db.read().await?, person.id).await?.ok_or(Error::SignedOut)?;
    // Before the work: nobody could write while the hash is made.
    let hash = hashed(app, &user, "new_password", new).await?;
    let mut work = Work::begin(app, Some(person)).await?;
    work.ip = ip.to_owned();
    let user = hold(&mut work, person.id).await?;
    session::end_others(&mut work, person).await?;
    replace_hash(&mut work, &user, &hash).await?;
    let rest = msgid!(
        "Everywhere else you were logged out. Your personal tokens still work; you revoke them in your settings."
    );
    tell_of_password(&mut work, &user, rest).await?;
    work.commit().await
}

/// Links in letters, to a new password or address, end with the password that they were asked for under.
async fn replace_hash(work: &mut Work, user: &User, hash: &str) -> Result<()> {
    let now = work.now();
    on_db!(work, c => sqlx::query("update users set password_hash = $2, updated_at = $3 where id = $1")
        .bind(user.id).bind(hash).bind(now).execute(c).await.map(|_| ()))?;
    reset_tokens::end_all(work, user.id).await?;
    address::forget(work, user.id).await
}

async fn tell_of_password(work: &mut Work, user: &User, rest: &'static str) -> Result<()> {
    let letter = i18n::said_in(letter::language(work, user), || Letter {
        subject: tr!("Your password at {site} was changed", site = work.app.settings().site_name),
        name: user.username.clone(),
        says: vec![tr!("Your account has a new password.").into(), gettext(rest).into()],
        button: Some((tr!("If this wasn't you, set another one").into(), letter::link(&work.app, "/password-reset"))),
        then: vec![tr!("An administrator can help you if that doesn't.").into()],
        ..Letter::default()
    });
    letter::send(work, &user.email, &letter).await.map(|_| ())
}

/// Ends every session and socket of `user`, and forgets where they signed in from. Cost: 3 statements.
pub async fn end_sessions(work: &mut Work, user: &User) -> Result<()> {
    let (id, now) = (user.id, work.now());
    revocations::end_sessions(work, id, now).await?;
    devices::forget(work, id).await?;
    work.then(move |app| app.hub.end_user(id, &[]));
    Ok(())
}

/// Changes what the account says of its owner. Errors: [`Error::Invalid`] when name or address is taken.
/// Cost: 1 statement.
pub async fn set_profile(work: &mut Work, user: &User, new: &Profile) -> Result<()> {
    let now = work.now();
    on_db!(work, c => sqlx::query(
        "update users set username = $2, username_folded = $3, email = $4, email_folded = $5, first_name = $6,
                          last_name = $7, bio = $8, updated_at = $9, first_name_folded = $10,
                          last_name_folded = $11 where id = $1")
        .bind(user.id).bind(&new.username).bind(fold(&new.username)).bind(&new.email).bind(fold(&new.email))
        .bind(&new.first_name).bind(&new.last_name).bind(&new.bio).bind(now)
        .bind(fold(&new.first_name)).bind(fold(&new.last_name)).execute(c).await.map(|_| ()))
    .map_err(|error| {
        let which = if fold(&new.username) == fold(&user.username) { "email" } else { "username" };
        match is_taken(&error) {
            true => Error::field(which, tr!("Another account has this name or address.")),
            false => error.into(),
        }
    })?;
    if fold(&new.email) == fold(&user.email) { Ok(()) } else { address::moved(work, user, &new.email).await }
}

/// Changes what people say of themselves. Errors: [`Error::Invalid`] with a message for each bad field.
/// Cost: 3 statements.
pub async fn describe(work: &mut Work, id: UserId, new: &Description) -> Result<()> {
    let user = hold(work, id).await?;
    let form = Registration {
        username: user.username.clone(),
        email: user.email.clone(),
        first_name: new.first_name.as_ref().unwrap_or(&user.first_name).clone(),
        last_name: new.last_name.as_ref().unwrap_or(&user.last_name).clone(),
        password: String::new(),
    };
    let profile = Profile::parse(&form, new.bio.as_ref().unwrap_or(&user.bio))?;
    set_profile(work, &user, &profile).await
}

/// Deletes an account with its memberships, sessions, tokens and picture; what it wrote stays, as by a deleted account.
/// Errors: [`Error::Conflict`] for the last administrator and for oneself. Cost: 6 statements, O(what refers to it).
pub async fn delete(work: &mut Work, user: &User) -> Result<()> {
    may_delete(work, user).await?;
    take_out(work, user).await
}

/// Deletes the account of whoever asks for that, as [`delete`] does. Errors: [`Error::Conflict`] for the last
/// administrator. Cost: 8 statements, O(what refers to it).
pub async fn leave(work: &mut Work, user: &User) -> Result<()> {
    may_leave(work, user).await?;
    take_out(work, user).await
}

/// Errors: [`Error::Conflict`] for the last administrator. Cost: 2 statements.
pub async fn may_leave(work: &mut Work, user: &User) -> Result<()> {
    keep_an_admin(work, user, false).await
}

async fn take_out(work: &mut Work, user: &User) -> Result<()> {
    members::remove_everywhere(work, user.id).await?;
    end_sessions(work, user).await?;
    if let Some(file) = user.avatar.clone() {
        work.then(move |app| avatar::discard(app, file));
    }
    Ok(on_db!(work, c => sqlx::query("delete from users where id = $1").bind(user.id).execute(c).await.map(|_| ()))?)
}

/// Errors: [`Error::Conflict`] or [`Error::Forbidden`] with the reason why `user` can't be deleted. Cost: 2 statements.
pub async fn may_delete(work: &mut Work, user: &User) -> Result<()> {
    may_to(work.by.as_ref(), Act::Delete, user)?;
    keep_an_admin(work, user, false).await
}

/// Puts a deleted account back under its old id: without a password that anyone knows, and in no room. Errors:
/// [`Error::Invalid`] when its name or address was taken meanwhile. Cost: 1 argon2 hash, 1 statement.
pub async fn restore(work: &mut Work, id: UserId, profile: &Profile, role: Role, created_at: Timestamp) -> Result<()> {
    authority::may(work.by.as_ref(), Act::Restore, id, role)?;
    let hash = password::hash_at_once(auth::random_token()).await?;
    let now = work.now();
    on_db!(work, c => sqlx::query(
        "insert into users (id, username, username_folded, email, email_folded, password_hash, first_name, last_name,
                            bio, role, is_active, created_at, updated_at, first_name_folded, last_name_folded)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)")
        .bind(id).bind(&profile.username).bind(fold(&profile.username)).bind(&profile.email)
        .bind(fold(&profile.email)).bind(hash).bind(&profile.first_name).bind(&profile.last_name).bind(&profile.bio)
        .bind(role.as_str()).bind(true).bind(created_at).bind(now).bind(fold(&profile.first_name))
        .bind(fold(&profile.last_name)).execute(c).await.map(|_| ()))
    .map_err(|e| {
        if is_taken(&e) {
            Error::Conflict(msgid!("Another account has this name or address by now."))
        } else {
            e.into()
        }
    })
}

/// The rooms that `user` alone owns. Cost: 1 indexed query.
pub async fn owned_alone(work: &mut Work, user: UserId) -> Result<Vec<RoomId>> {
    Ok(on_db!(work, c => sqlx::query_scalar(
        "select m.room_id from memberships m where m.user_id = $1 and m.role = 'owner' and not exists
         (select 1 from memberships o where o.room_id = m.room_id and o.role = 'owner' and o.user_id <> $1)")
        .bind(user).fetch_all(c).await)?)
}

/// Refuses what would leave the site without an administrator. Two who demote each other at once are told apart by
/// the site's lock.
async fn keep_an_admin(work: &mut Work, user: &User, stays: bool) -> Result<()> {
    settings::lock(work).await?;
    let was = user.role == Role::Admin && user.is_active;
    if was && !stays && count_admins(work).await? <= 1 {
        return Err(Error::Conflict(msgid!("This is the last administrator: make another one first.")));
    }
    Ok(())
}
