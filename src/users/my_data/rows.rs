//! What is told of a person, a struct a file of the archive, with the query that reads its rows: those of `$1` after
//! the time `$2` and the id `$3`, at most `$4`.

use serde::Serialize;
use sqlx::FromRow;

use crate::clock::Timestamp;

#[derive(FromRow, Serialize)]
pub struct Profile {
    pub id: i64,
    pub username: String,
    pub email: String,
    pub first_name: String,
    pub last_name: String,
    pub bio: String,
    /// In the folder `files`.
    pub avatar: Option<String>,
    pub role: String,
    pub totp_enabled: bool,
    /// How often they get a mail with what they missed.
    pub digest: String,
    pub language: String,
    pub last_seen_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Profile {
    pub const SQL: &str = "select id, username, email, first_name, last_name, bio, avatar, role, totp_enabled, \
        digest, language, last_seen_at, created_at, updated_at from users where id = $1";
}

#[derive(FromRow, Serialize)]
pub struct Membership {
    #[serde(rename = "room_id")]
    pub id: i64,
    pub kind: String,
    /// In a direct room, the other one's.
    pub name: Option<String>,
    pub description: String,
    pub role: String,
    pub last_read_seq: i64,
    pub muted: bool,
    pub notify_all: bool,
    #[serde(rename = "joined_at")]
    pub created_at: Timestamp,
}

impl Membership {
    pub const SQL: &str = "select r.id, r.kind, r.description, m.role, m.last_read_seq, m.muted, m.notify_all, \
        m.joined_at as created_at, case when r.kind = 'direct' then (select u.username from memberships o \
        join users u on u.id = o.user_id where o.room_id = r.id and o.user_id <> $1 limit 1) else r.name end as name \
        from memberships m join rooms r on r.id = m.room_id \
        where m.user_id = $1 and (m.joined_at, r.id) > ($2, $3) order by m.joined_at, r.id limit $4";
}

#[derive(FromRow, Serialize)]
pub struct Message {
    pub id: i64,
    pub room_id: i64,
    pub seq: i64,
    pub content: String,
    pub reply_to: Option<i64>,
    pub edited_at: Option<Timestamp>,
    pub deleted_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

impl Message {
    pub const SQL: &str = "select id, room_id, seq, content, reply_to, edited_at, deleted_at, created_at \
        from messages where sender_id = $1 and (created_at, id) > ($2, $3) order by created_at, id limit $4";
}

#[derive(FromRow, Serialize)]
pub struct Reaction {
    pub id: i64,
    pub message_id: i64,
    pub emoji: String,
    pub created_at: Timestamp,
}

impl Reaction {
    pub const SQL: &str = "select id, message_id, emoji, created_at from reactions \
        where user_id = $1 and (created_at, id) > ($2, $3) order by created_at, id limit $4";
}

#[derive(FromRow, Serialize)]
pub struct Interest {
    pub id: i64,
    pub sender: String,
    pub recipient: String,
    pub note: String,
    pub status: String,
    pub created_at: Timestamp,
    pub decided_at: Option<Timestamp>,
}

impl Interest {
    pub const SQL: &str = "select i.id, s.username as sender, r.username as recipient, i.note, i.status, \
        i.created_at, i.decided_at from interests i join users s on s.id = i.sender_id \
        join users r on r.id = i.recipient_id where (i.sender_id = $1 or i.recipient_id = $1) \
        and (i.created_at, i.id) > ($2, $3) order by i.created_at, i.id limit $4";
}

#[derive(FromRow, Serialize)]
pub struct Block {
    pub id: i64,
    pub blocked: String,
    pub created_at: Timestamp,
}

impl Block {
    pub const SQL: &str = "select b.id, u.username as blocked, b.created_at from blocks b \
        join users u on u.id = b.blocked_id where b.user_id = $1 \
        and (b.created_at, b.id) > ($2, $3) order by b.created_at, b.id limit $4";
}

#[derive(FromRow, Serialize)]
pub struct Notification {
    pub id: i64,
    pub kind: String,
    pub room_id: Option<i64>,
    pub message_id: Option<i64>,
    pub actor: Option<String>,
    pub read_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

impl Notification {
    pub const SQL: &str = "select n.id, n.kind, n.room_id, n.message_id, u.username as actor, n.read_at, n.created_at \
        from notifications n left join users u on u.id = n.actor_id where n.user_id = $1 \
        and (n.created_at, n.id) > ($2, $3) order by n.created_at, n.id limit $4";
}

#[derive(FromRow, Serialize)]
pub struct Session {
    pub id: i64,
    pub ip: String,
    pub user_agent: String,
    pub created_at: Timestamp,
    pub last_seen_at: Timestamp,
    pub expires_at: Timestamp,
}

impl Session {
    pub const SQL: &str = "select id, ip, user_agent, created_at, last_seen_at, expires_at from sessions \
        where user_id = $1 and (created_at, id) > ($2, $3) order by created_at, id limit $4";
}

#[derive(FromRow, Serialize)]
pub struct Token {
    pub id: i64,
    pub name: String,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

impl Token {
    pub const SQL: &str = "select id, name, created_at, last_used_at, expires_at, revoked_at from api_tokens \
        where user_id = $1 and (created_at, id) > ($2, $3) order by created_at, id limit $4";
}

/// Without who settled it: that is the staff's.
#[derive(FromRow, Serialize)]
pub struct Report {
    pub id: i64,
    pub message_id: i64,
    pub reason: String,
    pub status: String,
    pub created_at: Timestamp,
}

impl Report {
    pub const SQL: &str = "select id, message_id, reason, status, created_at from reports \
        where reporter_id = $1 and (created_at, id) > ($2, $3) order by created_at, id limit $4";
}

#[derive(FromRow, Serialize)]
pub struct Attachment {
    pub id: i64,
    pub message_id: i64,
    pub filename: String,
    pub content_type: String,
    pub size: i64,
    pub sha256: String,
    pub width: Option<i64>,
    pub height: Option<i64>,
    pub created_at: Timestamp,
}

impl Attachment {
    pub const SQL: &str = "select id, message_id, filename, content_type, size, sha256, width, height, created_at \
        from attachments where uploader_id = $1 and (created_at, id) > ($2, $3) order by created_at, id limit $4";
    const LONGEST_NAME: usize = 100;

    /// Where it is in the archive. A name like `../x` would be unpacked elsewhere.
    pub fn file(&self) -> String {
        let is_plain = |c: char| c.is_alphanumeric() || "._- ".contains(c);
        let name: String = self.filename.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
        let skipped = name.chars().count().saturating_sub(Self::LONGEST_NAME);
        format!("files/{}-{}", self.id, name.chars().skip(skipped).collect::<String>())
    }
}
