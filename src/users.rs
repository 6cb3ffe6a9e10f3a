//! People: the model `users`, making and finding accounts; who may act ([`Person`]) is in `users/person.rs`. Called by
//! pages, the command line and the live part. Changing them is in `users/change.rs`, their admin in `users/admin.rs`.
//! Passwords are hashed by `auth::password`; nothing here ever returns a hash but [`credentials`].

pub mod address;
pub mod admin;
pub mod authority;
pub mod avatar;
pub mod blocks;
pub mod change;
pub mod departure;
pub mod directory;
pub mod my_data;
mod person;
pub mod turns;

use std::collections::HashMap;

use serde::Deserialize;
use sqlx::FromRow;

use crate::app::App;
use crate::auth::{self, password};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, FieldErrors, Result, is_taken};
use crate::ids::UserId;
use crate::text::{fold, line, paragraphs};
use crate::work::Work;
use crate::{invitations, on_db, settings};

pub(crate) use person::Holder;
pub use person::{Person, Via};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Admin,
    Moderator,
    User,
}

impl Role {
    pub const CHOICES: &[(&str, &str)] =
        &[("admin", msgid!("Administrator")), ("moderator", msgid!("Moderator")), ("user", msgid!("User"))];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Moderator => "moderator",
            Self::User => "user",
        }
    }

    /// Whether whoever has this role stands above `other`: administrators above everyone but themselves.
    pub fn outranks(self, other: Self) -> bool {
        let rank = |role| match role {
            Self::Admin => 2,
            Self::Moderator => 1,
            Self::User => 0,
        };
        rank(self) > rank(other)
    }
}

impl TryFrom<String> for Role {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        match text.as_str() {
            "admin" => Ok(Self::Admin),
            "moderator" => Ok(Self::Moderator),
            "user" => Ok(Self::User),
            _ => Err(Error::field("role", tr!("\"{role}\" is no role. Use admin, moderator or user.", role = text))),
        }
    }
}

#[derive(Clone, Debug, FromRow)]
pub struct User {
    pub id: UserId,
    pub username: String,
    pub email: String,
    pub first_name: String,
    pub last_name: String,
    pub bio: String,
    /// The file of their picture, in the folder `avatars` of the uploads.
    pub avatar: Option<String>,
    #[sqlx(try_from = "String")]
    pub role: Role,
    pub is_active: bool,
    pub totp_enabled: bool,
    /// The code of the language they chose; empty: as their browser asks.
    pub language: String,
    pub last_seen_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

const COLUMNS: &str = "id, username, email, first_name, last_name, bio, avatar, role, is_active, totp_enabled, language, \
     last_seen_at, created_at";

impl User {
    /// What `avatar_url` is in the JSON API. Cost: O(length).
    pub fn avatar_url(&self) -> String {
        avatar::url(self.id, &self.username, &self.first_name, &self.last_name, self.avatar.as_deref())
    }

    /// Their picture, if they have one.
    pub fn picture(&self) -> Option<String> {
        self.avatar.as_deref().map(avatar::file_url)
    }
}

/// What a registration form holds; [`NewUser::parse`] makes it safe.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Registration {
    pub username: String,
    pub email: String,
    pub password: String,
    pub first_name: String,
    pub last_name: String,
}

/// An account that may be made: every field checked.
pub struct NewUser {
    username: String,
    email: String,
    password: String,
    first_name: String,
    last_name: String,
}

impl NewUser {
    /// Checks every field; the site's own name is no password there. Errors: [`Error::Invalid`] with a message for each
    /// bad one.
    pub fn parse(form: &Registration, site_name: &str) -> Result<Self> {
        let mut errors = FieldErrors::default();
        let Profile { username, email, first_name, last_name, .. } = Profile::checked(&mut errors, form, "");
        password::check(&mut errors, "password", &form.password, &[&username, &email, site_name]);
        errors.or(Self { username, email, password: form.password.clone(), first_name, last_name })
    }
}

/// What an account says of its owner, every field checked.
pub struct Profile {
    username: String,
    email: String,
    first_name: String,
    last_name: String,
    bio: String,
}

impl Profile {
    /// Checks all of it but the password. Errors: [`Error::Invalid`] with a message for each bad field.
    pub fn parse(form: &Registration, bio: &str) -> Result<Self> {
        let mut errors = FieldErrors::default();
        let profile = Self::checked(&mut errors, form, bio);
        errors.or(profile)
    }

    fn checked(errors: &mut FieldErrors, form: &Registration, bio: &str) -> Self {
        let username = form.username.trim().to_owned();
        let fits = username.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
        if !fits || !(3..=32).contains(&username.len()) {
            errors.add("username", tr!("3 to 32 characters of A–Z, a–z, 0–9, _, . and -."));
        }
        let email = address::check(errors, &form.email);
        let first_name = line(errors, "first_name", &form.first_name, 100);
        let last_name = line(errors, "last_name", &form.last_name, 100);
        let bio = paragraphs(errors, "bio", bio, 1000);
        Self { username, email, first_name, last_name, bio }
    }
}

/// What people may say of themselves; what is `None` stays.
#[derive(Clone, Default)]
pub struct Description {
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub bio: Option<String>,
}

/// Makes an ordinary account, when the setting `registration` lets strangers do that; `token` is an invitation's, which is
/// used up. Errors: [`Error::Forbidden`], or [`Error::Invalid`] when name or address is taken.
/// Cost: 1 argon2 hash, 1 write transaction, with a token 1 query.
pub async fn register(app: &App, new: NewUser, token: Option<&str>) -> Result<UserId> {
    let invitation = invitations::admit(app, token).await?;
    let hash = password::hash(new.password.clone()).await?;
    let mut work = Work::begin(app, None).await?;
    let now = work.now();
    let id = insert(&mut work, &new, &hash, Role::User, now).await?;
    if let (Some(invitation), Some(token)) = (invitation, token) {
        invitations::accept(&mut work, invitation.id, token, id).await?;
    }
    work.commit().await?;
    Ok(id)
}

/// Makes an account with `role`; asks nobody. Cost: 1 argon2 hash, 1 write transaction.
pub async fn add(app: &App, new: NewUser, role: Role) -> Result<UserId> {
    // Before the transaction: on SQLite nobody else could write while the hash is made.
    let hash = password::hash(new.password.clone()).await?;
    let mut tx = app.db.write().await?;
    let id = insert(&mut tx, &new, &hash, role, app.clock.now()).await?;
    tx.commit().await?;
    Ok(id)
}

/// Makes an account with `role` as a part of `work`; asks nobody. Cost: 1 argon2 hash, 2 statements.
pub async fn add_in(work: &mut Work, new: NewUser, role: Role) -> Result<UserId> {
    let hash = password::hash_at_once(new.password.clone()).await?;
    let now = work.now();
    insert(work, &new, &hash, role, now).await
}

/// Makes the first administrator. Of two who race, one gets [`Error::Conflict`], whichever node they ask.
/// Cost: 1 argon2 hash, 1 write transaction.
pub async fn add_first_admin(app: &App, new: NewUser) -> Result<UserId> {
    let hash = password::hash(new.password.clone()).await?;
    let mut tx = app.db.write().await?;
    settings::lock(&mut tx).await?;
    if count_admins(&mut tx).await? > 0 {
        return Err(Error::Conflict(msgid!("This site has its administrator already. Log in instead.")));
    }
    let id = insert(&mut tx, &new, &hash, Role::Admin, app.clock.now()).await?;
    tx.commit().await?;
    Ok(id)
}

async fn insert(conn: &mut Conn, new: &NewUser, hash: &str, role: Role, now: Timestamp) -> Result<UserId> {
    taken(conn, new).await?;
    on_db!(conn, c => sqlx::query_scalar(
        "insert into users (username, username_folded, email, email_folded, password_hash, first_name, last_name,
                            role, created_at, updated_at, first_name_folded, last_name_folded)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, $11) returning id")
        .bind(&new.username).bind(fold(&new.username)).bind(&new.email).bind(fold(&new.email)).bind(hash)
        .bind(&new.first_name).bind(&new.last_name).bind(role.as_str()).bind(now)
        .bind(fold(&new.first_name)).bind(fold(&new.last_name)).fetch_one(c).await)
    // Somebody took one of the two between the look and the write.
    .map_err(|e| {
        if is_taken(&e) { Error::field("username", tr!("This name or address is already taken.")) } else { e.into() }
    })
}

/// Errors: [`Error::Invalid`] with a message at each of name and address that another account has.
async fn taken(conn: &mut Conn, new: &NewUser) -> Result<()> {
    let (username, email) = (fold(&new.username), fold(&new.email));
    let rows: Vec<(String, String)> = on_db!(conn, c => sqlx::query_as(
        "select username_folded, email_folded from users where username_folded = $1 or email_folded = $2")
        .bind(&username).bind(&email).fetch_all(c).await)?;
    let mut errors = FieldErrors::default();
    if rows.iter().any(|row| row.0 == username) {
        errors.add("username", tr!("This name is already taken."));
    }
    if rows.iter().any(|row| row.1 == email) {
        errors.add("email", tr!("This address is already taken."));
    }
    errors.or(())
}

/// The account called `name` (a user name or an address, in any case), if there is one. Cost: 1 indexed query.
pub async fn find(conn: &mut Conn, name: &str) -> Result<Option<User>> {
    // PostgreSQL takes no text with a NUL, so nobody is called by one.
    if name.contains('\0') {
        return Ok(None);
    }
    let sql = format!("select {COLUMNS} from users where username_folded = $1 or email_folded = $1");
    let name = fold(name.trim());
    Ok(on_db!(conn, c => sqlx::query_as(&sql).bind(name).fetch_optional(c).await)?)
}

/// The account with this user name, in any case. Addresses find nobody: who may look for people by name mustn't learn
/// whose an address is. Cost: 1 indexed query.
pub async fn by_name(conn: &mut Conn, name: &str) -> Result<Option<User>> {
    // No user name has an @ in it, and every address has.
    if name.contains('@') { Ok(None) } else { find(conn, name).await }
}

/// The account that `text` names as somebody types it: by its user name, or else its id; a name may be all digits. `finds_all`
/// is for who may know addresses: those find too. Cost: 1 or 2 indexed queries.
pub async fn by_typed(conn: &mut Conn, text: &str, finds_all: bool) -> Result<Option<User>> {
    let named = if finds_all { find(conn, text).await? } else { by_name(conn, text).await? };
    match (named, text.trim().parse()) {
        (None, Ok(id)) => by_id(conn, UserId(id)).await,
        (found, _) => Ok(found),
    }
}

/// The account with this id. Cost: 1 indexed query.
pub async fn by_id(conn: &mut Conn, id: UserId) -> Result<Option<User>> {
    let sql = format!("select {COLUMNS} from users where id = $1");
    Ok(on_db!(conn, c => sqlx::query_as(&sql).bind(id).fetch_optional(c).await)?)
}

/// Those of `ids` that are active accounts, by name. Cost: 1 indexed query, O(ids).
pub async fn active(conn: &mut Conn, ids: &[UserId]) -> Result<Vec<User>> {
    // Numbers, so there is nothing to escape; an empty list matches nothing.
    let list: Vec<String> = ids.iter().map(UserId::to_string).chain(["-1".into()]).collect();
    let list = list.join(", ");
    let sql = format!("select {COLUMNS} from users where id in ({list}) and is_active order by username_folded");
    Ok(on_db!(conn, c => sqlx::query_as(&sql).persistent(false).fetch_all(c).await)?)
}

/// The names of those of `ids` that are there, disabled accounts too. Cost: no query without ids, else 1 indexed query,
/// O(ids).
pub async fn names(conn: &mut Conn, ids: &[UserId]) -> Result<HashMap<UserId, String>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = format!("select id, username from users where id in ({})", crate::messages::list(ids));
    let rows: Vec<(UserId, String)> = on_db!(conn, c => sqlx::query_as(&sql).persistent(false).fetch_all(c).await)?;
    Ok(rows.into_iter().collect())
}

/// Id and password hash of an active account, for `auth` to verify. Cost: 1 indexed query.
pub(crate) async fn credentials(conn: &mut Conn, name: &str) -> Result<Option<(UserId, String)>> {
    // PostgreSQL takes no text with a NUL, so nobody is called by one.
    if name.contains('\0') {
        return Ok(None);
    }
    Ok(on_db!(conn, c => sqlx::query_as(
        "select id, password_hash from users where (username_folded = $1 or email_folded = $1) and is_active")
        .bind(fold(name.trim())).fetch_optional(c).await)?)
}

/// Puts the hash of a password that was just right in the place of `before`, unless another was set meanwhile.
/// Cost: 1 write transaction.
pub(crate) async fn rehash(app: &App, id: UserId, before: &str, hash: &str) -> Result<()> {
    let mut tx = app.db.write().await?;
    on_db!(tx, c => sqlx::query("update users set password_hash = $3 where id = $1 and password_hash = $2")
        .bind(id).bind(before).bind(hash).execute(c).await.map(|_| ()))?;
    tx.commit().await
}

/// A mark of the password of an active account: another one once the password is set anew. Cost: 1 indexed query.
pub(crate) async fn password_mark(conn: &mut Conn, id: UserId) -> Result<Option<String>> {
    let hash: Option<String> = on_db!(conn, c => sqlx::query_scalar(
        "select password_hash from users where id = $1 and is_active").bind(id).fetch_optional(c).await)?;
    Ok(hash.map(|hash| auth::token_hash(&hash)))
}

/// Accounts by id, a page after `after`; at most `limit`. Cost: 1 indexed query, O(limit).
pub async fn page(conn: &mut Conn, after: UserId, limit: i64) -> Result<Vec<User>> {
    let sql = format!("select {COLUMNS} from users where id > $1 order by id limit $2");
    Ok(on_db!(conn, c => sqlx::query_as(&sql).bind(after).bind(limit).fetch_all(c).await)?)
}

/// Whether there is any account. Cost: 1 query, O(1).
pub async fn exist(conn: &mut Conn) -> Result<bool> {
    let one: Option<i64> = on_db!(conn, c => sqlx::query_scalar("select id from users limit 1")
        .fetch_optional(c).await)?;
    Ok(one.is_some())
}

/// Administrators that can log in. Cost: 1 indexed query, O(administrators).
pub async fn count_admins(conn: &mut Conn) -> Result<i64> {
    Ok(on_db!(conn, c => sqlx::query_scalar("select count(*) from users where role = 'admin' and is_active")
        .fetch_one(c).await)?)
}
