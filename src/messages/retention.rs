//! Messages that are older than the site keeps them (the setting `retention_days`) are deleted for good: their rows with
//! all that refers to them, the text index, their files, what history says of their text, and the text of mails as old.
//! Called by the sweep in `crate::jobs`.
//!
//! Rooms go on as they are: no number is used again, and nobody's mark of what they have read moves. Nobody is told, so a
//! page that is open goes on showing what it has.

use std::time::Duration;

use super::list;
use crate::app::App;
use crate::attachments;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::Result;
use crate::ids::{EmailId, MessageId, RoomId};
use crate::jobs::lease::Lease;
use crate::on_db;
use crate::work::Work;

/// Messages that are deleted in one work: while it stands, nobody else can write.
const BATCH: i64 = 200;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Deletes every message that is too old by now, a batch of one room at a time, while `lease`, if there is one, holds; between two batches
/// others write. Two nodes that do it at once do each batch once. Cost: 2 indexed queries, O(old entries of history); a batch 1 query and 1 write
/// transaction of some 8 statements, O(what refers to its messages).
pub async fn sweep(app: &App, mut lease: Option<&mut Lease>) -> Result<()> {
    let mut deleted = 0;
    // Asked for anew each time: a choice that is taken back stops it.
    while let Some(before) = oldest_kept(app) {
        if !Lease::holds(lease.as_deref_mut(), app).await? {
            break;
        }
        let Some(room) = next_room(&mut app.db.read().await?, before).await? else { break };
        let mut work = Work::begin(app, None).await?;
        deleted += erase(&mut work, room, before).await?;
        work.commit().await?;
    }
    if deleted > 0 {
        tracing::info!(messages = deleted, "messages older than the site keeps them were deleted");
    }
    forget_erased(app).await?;
    forget_mails(app).await
}

/// Messages made before that go.
fn oldest_kept(app: &App) -> Option<Timestamp> {
    app.settings().retention_days.map(|days| app.clock.now().minus(DAY * days))
}

/// The room of the oldest message, if it was made before that moment.
async fn next_room(conn: &mut Conn, before: Timestamp) -> Result<Option<RoomId>> {
    Ok(on_db!(conn, c => sqlx::query_scalar(
        "select room_id from messages where created_at < $1 order by created_at, id limit 1")
        .bind(before).fetch_optional(c).await)?)
}

/// Deletes the first messages of `room` made before that moment, at most a batch; how many there were.
async fn erase(work: &mut Work, room: RoomId, before: Timestamp) -> Result<usize> {
    // The room's row first, and no other's, as whoever changes a message takes them: two nodes can't wait for each other.
    on_db!(work, c => sqlx::query("update rooms set id = id where id = $1").bind(room).execute(c).await.map(|_| ()))?;
    let ids: Vec<MessageId> = on_db!(work, c => sqlx::query_scalar(
        "select id from messages where room_id = $1 and created_at < $2 order by seq limit $3")
        .bind(room).bind(before).bind(BATCH).fetch_all(c).await)?;
    // Another node may have been quicker.
    if ids.is_empty() {
        return Ok(0);
    }
    let files: Vec<_> = attachments::of(work, &ids).await?.into_values().flatten().collect();
    forget(work, "messages", &ids).await?;
    forget(work, "attachments", &files.iter().map(|file| file.id).collect::<Vec<_>>()).await?;
    let sql = format!("delete from messages where id in ({})", list(&ids));
    on_db!(work, c => sqlx::query(&sql).persistent(false).execute(c).await.map(|_| ()))?;
    attachments::let_go(work, &files);
    Ok(ids.len())
}

/// History keeps who did what to these rows and when, but not what they said. Cost: 1 indexed statement.
async fn forget(work: &mut Work, model: &str, ids: &[impl ToString]) -> Result<()> {
    // Numbers of ours, which history keeps as text.
    let ids: Vec<String> = ids.iter().map(|id| format!("'{}'", id.to_string())).collect();
    blank(work, model, &format!("object_id in ({})", ids.join(", "))).await
}

/// The same for rows that are gone already, by staff or with a file's message: an entry that is too old tells of one that
/// was older. Cost: 1 query, O(old entries); 1 write transaction a batch.
async fn forget_erased(app: &App) -> Result<()> {
    while let Some(before) = oldest_kept(app) {
        let old: Vec<(i64, String)> = {
            let mut conn = app.db.read().await?;
            on_db!(conn, c => sqlx::query_as(
                "select id, model from audit_entries
                 where model in ('messages', 'attachments') and created_at < $1 and changes <> '{}' limit $2")
                .bind(before).bind(BATCH).fetch_all(c).await)?
        };
        if old.is_empty() {
            break;
        }
        let mut work = Work::begin(app, None).await?;
        for model in ["messages", "attachments"] {
            let ids: Vec<i64> = old.iter().filter(|(_, own)| own == model).map(|(id, _)| *id).collect();
            blank(&mut work, model, &format!("id in ({})", list(&ids))).await?;
        }
        work.commit().await?;
    }
    Ok(())
}

/// Mails quote messages: those that are sent or given up lose their text. Cost: 1 query, O(old mails); 1 write transaction a
/// batch.
async fn forget_mails(app: &App) -> Result<()> {
    while let Some(before) = oldest_kept(app) {
        let old: Vec<EmailId> = {
            let mut conn = app.db.read().await?;
            on_db!(conn, c => sqlx::query_scalar(
                "select id from emails where created_at < $1 and status <> 'queued' and text <> '' limit $2")
                .bind(before).bind(BATCH).fetch_all(c).await)?
        };
        if old.is_empty() {
            break;
        }
        let mut work = Work::begin(app, None).await?;
        let sql = format!("update emails set text = '', html = '' where id in ({})", list(&old));
        on_db!(work, c => sqlx::query(&sql).persistent(false).execute(c).await.map(|_| ()))?;
        work.commit().await?;
    }
    Ok(())
}

async fn blank(work: &mut Work, model: &str, which: &str) -> Result<()> {
    if which.ends_with("in ()") {
        return Ok(());
    }
    // A file is called by its name, which its owner gave it; a message by who wrote it where.
    let label = (model == "attachments").then_some("A file");
    let sql = format!(
        "update audit_entries set changes = '{{}}', object_label = coalesce($2, object_label) where model = $1 and {which}"
    );
    Ok(on_db!(work, c => sqlx::query(&sql).persistent(false).bind(model).bind(label).execute(c).await.map(|_| ()))?)
}
