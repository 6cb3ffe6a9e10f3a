//! What comes as it stands, and what changes a little on its way: mails and settings. Called by `transfer::take`.

use super::Taking;
use super::row::{set, text};
use crate::admin::value::Value;
use crate::db::Conn;
use crate::error::Result;
use crate::transfer::lines::{Line, Lines};
use crate::{on_db, settings};

const UNSENT: &str = "It waited to be sent when the site was exported. Send it again if it is still wanted.";

impl Taking<'_> {
    /// Rows without anything of their own; how many were stored.
    pub(super) async fn store_plainly(&mut self, conn: &mut Conn, lines: &Lines, fresh: Vec<Line>) -> Result<u64> {
        let rows = self.rows(conn, lines, fresh).await?;
        self.insert(conn, lines, rows, &[], true).await
    }

    /// A mail that waits isn't sent from here: the site that it comes from may be sending it, or this one be a copy to try
    /// things with.
    pub(super) async fn store_mails(&mut self, conn: &mut Conn, lines: &Lines, mut fresh: Vec<Line>) -> Result<()> {
        for line in fresh.iter_mut().filter(|line| text(lines, line, "status") == "queued") {
            set(lines, line, "status", Value::Text("failed".to_owned()));
            set(lines, line, "last_error", Value::Text(UNSENT.to_owned()));
            set(lines, line, "next_attempt_at", Value::Null);
            self.report.note(
                "Mails that waited, and wait now for somebody to send them again",
                text(lines, line, "subject").to_owned(),
            );
        }
        self.store_plainly(conn, lines, fresh).await.map(|_| ())
    }

    /// The site's choices, as they were there.
    pub(super) async fn store_settings(&mut self, conn: &mut Conn, lines: &Lines, fresh: Vec<Line>) -> Result<()> {
        let mut came = Vec::new();
        for line in fresh {
            let value = text(lines, &line, "value").to_owned();
            if settings::check(&line.theirs, &value).is_err() {
                self.report.left("settings", "this version doesn't know them", 1);
                continue;
            }
            let Some(Value::Time(at)) = line.values.get(lines.place("updated_at")) else { continue };
            on_db!(conn, c => sqlx::query("update settings set value = $2, updated_at = $3 where key = $1")
                .bind(&line.theirs).bind(value).bind(*at).execute(c).await.map(|_| ()))?;
            came.push((line.theirs, 1));
        }
        self.report.new_rows("settings", came.len() as u64);
        self.source()?.remember(conn, "settings", came).await
    }
}
