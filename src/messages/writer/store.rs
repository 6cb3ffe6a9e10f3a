//! What a batch of the writer does in the database, within the one transaction of `messages/writer.rs`.

use super::super::mentions;
use super::super::{Message, Posted, stored};
use super::{Job, Outcome, Post};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::ids::{MessageId, RoomId, UserId};
use crate::notifications::{self, Told};
use crate::rooms::{NO_ROOM, NOT_JOINED};
use crate::users::blocks::{self, LETS_WRITE};
use crate::{attachments, auth, on_db};

pub(super) async fn apply(conn: &mut Conn, job: &Job, now: Timestamp) -> Result<Outcome> {
    match job {
        Job::Post(post) => store_message(conn, post, now).await,
        Job::Read { room, user, seq } => mark_read(conn, *room, *user, *seq, now).await,
        Job::Flush(_) => Ok(Outcome::Nothing),
    }
}

/// Numbers and stores one message. Raising the room's counters locks its row until the commit, which makes commit
/// order equal to `seq` and `rev` order on both engines; whether the sender is in it, still signed in, and not kept
/// out by a block, is asked in the same statement.
async fn store_message(conn: &mut Conn, post: &Post, now: Timestamp) -> Result<Outcome> {
    let Post { room, sender, via, new, .. } = post;
    let (stands, by) = auth::standing_of(*via);
    let sql = format!(
        "update rooms set last_seq = last_seq + 1, last_rev = last_rev + 1, last_message_at = $3
         where id = $1 and exists (select 1 from memberships where room_id = $1 and user_id = $2) and {stands}
            and {LETS_WRITE}
         returning last_seq, last_rev, kind"
    );
    let numbers: Option<(i64, i64, String)> = on_db!(conn, c => sqlx::query_as(&sql)
        .bind(room).bind(sender).bind(now).bind(by).fetch_optional(c).await)?;
    let Some((seq, rev, kind)) = numbers else { return Err(outside(conn, post).await?) };
    let inserted = insert(conn, post, seq, rev, now).await?;
    let Some(id) = inserted else {
        give_back(conn, *room).await?;
        let client_id = new.client_id.as_deref().unwrap_or_default();
        let first = stored::by_client_id(conn, *room, *sender, client_id).await?;
        let refused = || Error::field("reply_to", "There is no such message in this room.");
        return first.map(|message| posted(message, false, Vec::new())).ok_or_else(refused);
    };
    on_db!(conn, c => sqlx::query("update memberships set last_read_seq = $3 where room_id = $1 and user_id = $2")
        .bind(room).bind(sender).bind(seq).execute(c).await.map(|_| ()))?;
    let attachments = attachments::insert(conn, id, *sender, &new.files, now).await?;
    let said = mentions::Said { room: *room, id, sender: *sender, reply_to: new.reply_to, in_direct: kind == "direct" };
    let told = mentions::tell(conn, &said, &post.named, now).await?;
    let message = Message {
        id,
        room_id: *room,
        seq,
        rev,
        user_id: Some(*sender),
        username: Some(post.username.clone()),
        content: new.content.clone(),
        html: post.html.clone(),
        client_id: new.client_id.clone(),
        reply_to: new.reply_to,
        attachments,
        reactions: Vec::new(),
        edited_at: None,
        deleted_at: None,
        created_at: now,
    };
    Ok(posted(message, true, told))
}

fn posted(message: Message, new: bool, told: Vec<Told>) -> Outcome {
    Outcome::Posted(Box::new(Posted { message, new }), told)
}

/// `None` when this sender has used the `client_id` here before, or `reply_to` is no message of the room.
async fn insert(conn: &mut Conn, post: &Post, seq: i64, rev: i64, now: Timestamp) -> Result<Option<MessageId>> {
    let Post { room, sender, new, .. } = post;
    Ok(on_db!(conn, c => sqlx::query_scalar(
        "insert into messages (room_id, seq, rev, sender_id, content, html, client_id, reply_to, created_at)
         select r.id, $2, $3, $4, $5, $6, $7, $8, $9 from rooms r
         where r.id = $1 and (cast($8 as bigint) is null or exists (select 1 from messages where id = $8 and room_id = $1))
         on conflict (room_id, sender_id, client_id) where client_id is not null do nothing returning id")
        .bind(room).bind(seq).bind(rev).bind(sender).bind(&new.content).bind(&post.html).bind(&new.client_id)
        .bind(new.reply_to).bind(now).fetch_optional(c).await)?)
}

/// Takes back the numbers and the time of a message that wasn't stored: the row is still locked, so nobody saw them.
async fn give_back(conn: &mut Conn, room: RoomId) -> Result<()> {
    Ok(on_db!(conn, c => sqlx::query(
        "update rooms set last_seq = last_seq - 1, last_rev = last_rev - 1, last_message_at = coalesce(
            (select created_at from messages where room_id = $1 and seq < last_seq order by seq desc limit 1),
            created_at) where id = $1")
        .bind(room).execute(c).await.map(|_| ()))?)
}

/// Why somebody can't write: one of the two in a direct room has blocked the other, or they were signed out while the
/// message waited, or aren't in the room, which is private to
/// others (or gone), or public and not joined.
async fn outside(conn: &mut Conn, post: &Post) -> Result<Error> {
    let member: Option<i64> = on_db!(conn, c => sqlx::query_scalar(
        "select id from memberships where room_id = $1 and user_id = $2")
        .bind(post.room).bind(post.sender).fetch_optional(c).await)?;
    if member.is_some() {
        let block = blocks::in_room(conn, post.sender, post.room).await?;
        return Ok(block.map_or(Error::SignedOut, blocks::Block::refusal));
    }
    let public: Option<i64> = on_db!(conn, c => sqlx::query_scalar(
        "select id from rooms where id = $1 and kind = 'public'").bind(post.room).fetch_optional(c).await)?;
    Ok(if public.is_some() { NOT_JOINED } else { NO_ROOM })
}

async fn mark_read(conn: &mut Conn, room: RoomId, user: UserId, seq: i64, now: Timestamp) -> Result<Outcome> {
    // Where the mark stands further already, too: who writes in a room has read it, and was told of something there.
    notifications::read_in_room(conn, user, room, seq, now).await?;
    let read: Option<(i64,)> = on_db!(conn, c => sqlx::query_as(
        "update memberships set last_read_seq = (select case when last_seq < $3 then last_seq else $3 end
                                                 from rooms where id = $1)
         where room_id = $1 and user_id = $2 and last_read_seq < $3
           and last_read_seq < (select last_seq from rooms where id = $1)
         returning last_read_seq")
        .bind(room).bind(user).bind(seq).fetch_optional(c).await)?;
    let Some((seq,)) = read else { return Ok(Outcome::Nothing) };
    let (members, last_seq): (i64, i64) = on_db!(conn, c => sqlx::query_as(
        "select member_count, last_seq from rooms where id = $1").bind(room).fetch_one(c).await)?;
    Ok(Outcome::Read { members, seq, last_seq })
}
