//! Takes a bundle in, whatever it comes from: model by model, each behind those that it refers to, some thousand rows and what
//! they are called elsewhere in one transaction. Called by `cli::import`.
//!
//! An import that was cut off goes on where it was, since rows that came are passed over; so does one of a newer bundle. Into
//! an empty site an export's ids are kept. Into one with people or rooms rows get ids of their own, and people are who has the
//! same address here (`take/people.rs`, `take/rooms.rs`); the numbers of messages are told in `take/messages.rs`.

mod files;
mod messages;
mod people;
mod rest;
mod rooms;
mod row;

use super::bundle::Bundle;
use super::check::{Survey, survey};
use super::export;
use super::lines::{Line, Lines};
use super::mapping::{self, Source, WHOLE};
use super::models::{MODELS, Model, Taken};
use super::report::Report;
use crate::app::App;
use crate::auth::{self, password};
use crate::db::Conn;
use crate::db::company::Company;
use crate::demo::store::is_empty;
use crate::error::{Error, Result};
use crate::{settings, users};

/// Rows in one transaction: while it stands, nobody else writes on SQLite.
pub const TOGETHER: usize = 2000;

/// How it is to be done.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Only says what would come.
    pub dry_run: bool,
    /// Rows in one transaction.
    pub together: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { dry_run: false, together: TOGETHER }
    }
}

/// How far it is.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// So many files and rows are read first.
    Reading(u64),
    Read(u64),
    /// So many rows are to be taken in.
    Taking(u64),
    Taken(u64),
}

/// Takes `bundle` in, and says what came of it. `told` hears how far it is. Errors: [`Error::Startup`] for a bundle that isn't
/// sound, before anything is touched. Dropped on the way, or failed, what was committed stays, and the next one goes on there.
/// Cost: O(bytes) time; a batch some statements for each 64 of its rows.
pub async fn take(app: &App, bundle: Bundle, options: Options, told: impl Fn(Step)) -> Result<Report> {
    let rows = bundle.rows();
    told(Step::Reading(rows.values().sum()));
    let survey = survey(&bundle, |count| told(Step::Read(count)))?;
    refuse_own(app, &bundle).await?;
    let mut taking = Taking::begin(app, bundle, survey, options).await?;
    told(Step::Taking(rows.iter().filter(|(name, _)| *name != "files").map(|(_, rows)| rows).sum()));
    for model in MODELS {
        taking.model(model, &told).await?;
    }
    taking.finish().await
}

/// A site that takes in itself would have everything twice.
async fn refuse_own(app: &App, bundle: &Bundle) -> Result<()> {
    let Some(manifest) = &bundle.manifest else { return Ok(()) };
    match manifest.site == export::site(&app.db).await? {
        true => Err(Error::startup(
            "This export is of this very site: there is nothing to take in. To put back what it had, restore a backup.",
        )),
        false => Ok(()),
    }
}

/// An import on its way.
struct Taking<'a> {
    app: &'a App,
    bundle: Bundle,
    survey: Survey,
    options: Options,
    /// None in a dry run of what never came before.
    source: Option<Source>,
    keeps_ids: bool,
    /// The hash of a password that nobody knows, for people who come without one.
    closed: String,
    company: Company,
    report: Report,
}

impl<'a> Taking<'a> {
    async fn begin(app: &'a App, mut bundle: Bundle, survey: Survey, options: Options) -> Result<Self> {
        let report = std::mem::take(&mut bundle.report);
        let closed = password::hash(auth::random_token()).await?;
        let company = Company::of(&app.db);
        let mut taking = Self { app, bundle, survey, options, source: None, keeps_ids: false, closed, company, report };
        if options.dry_run {
            let mut conn = app.db.read().await?;
            taking.source = mapping::find(&mut conn, &taking.bundle.source).await?;
            taking.keeps_ids = taking.is_whole(&mut conn).await?;
        } else {
            taking.announce().await?;
        }
        Ok(taking)
    }

    /// Whether the bundle's ids are ours: it comes into an empty site, or began to.
    async fn is_whole(&self, conn: &mut Conn) -> Result<bool> {
        let began = match &self.source {
            Some(source) => !source.came(conn, WHOLE, &[&self.bundle.mark]).await?.is_empty(),
            None => false,
        };
        Ok(began || (self.bundle.manifest.is_some() && self.source.is_none() && is_empty(conn).await?))
    }

    /// Writes down where it comes from, and in an empty site that it keeps its ids: no other row gets one of them from then on.
    async fn announce(&mut self) -> Result<()> {
        let mut tx = self.app.db.write().await?;
        settings::lock(&mut tx).await?;
        self.source = mapping::find(&mut tx, &self.bundle.source).await?;
        self.keeps_ids = self.is_whole(&mut tx).await?;
        let source = match self.source {
            Some(source) => source,
            None => mapping::add(&mut tx, &self.bundle.source, self.app.clock.now()).await?,
        };
        self.source = Some(source);
        if self.keeps_ids {
            source.remember(&mut tx, WHOLE, [(self.bundle.mark.clone(), 1)]).await?;
            for model in MODELS.iter().filter(|model| model.has_ids()) {
                let last = self.bundle.manifest.as_ref().and_then(|manifest| manifest.last_ids.get(model.slug()));
                tx.keep_ids_free(model.table(), last.copied().unwrap_or(0)).await?;
            }
        }
        tx.commit().await
    }

    async fn model(&mut self, model: &'static Model, told: &impl Fn(Step)) -> Result<()> {
        let mut lines = Lines::open(&self.bundle.folder, model)?;
        loop {
            let batch = lines.batch(self.options.together)?;
            if batch.is_empty() {
                return Ok(());
            }
            let count = batch.len() as u64;
            match self.why_not(model) {
                Some(why) => self.report.left(model.slug(), why, count),
                None if self.options.dry_run => self.try_out(&lines, batch).await?,
                None => self.batch(&lines, batch).await?,
            }
            told(Step::Taken(count));
        }
    }

    /// Why nothing of a model is taken in.
    fn why_not(&self, model: &Model) -> Option<&'static str> {
        match model.taken {
            Taken::Never(why) => Some(why),
            Taken::Whole if !self.keeps_ids => Some("they are another site's own"),
            Taken::Whole | Taken::Always => None,
        }
    }

    async fn try_out(&mut self, lines: &Lines, batch: Vec<Line>) -> Result<()> {
        let mut conn = self.app.db.read().await?;
        let fresh = self.fresh(&mut conn, lines.model, batch).await?;
        let fresh = match lines.model.slug() {
            "users" => self.meet(&mut conn, lines, fresh).await?.0,
            "rooms" => self.name_rooms(&mut conn, lines, fresh).await?,
            _ => fresh,
        };
        self.report.new_rows(lines.model.slug(), fresh.len() as u64);
        Ok(())
    }

    async fn batch(&mut self, lines: &Lines, mut batch: Vec<Line>) -> Result<()> {
        // Their files come first, and nobody takes them away until their rows are there.
        let kept = match lines.model.slug() {
            "attachments" => Some(self.put_files(lines, &mut batch).await?),
            "users" => {
                self.put_pictures(lines, &batch).await?;
                None
            }
            _ => None,
        };
        let mut tx = self.app.db.write().await?;
        // Another import waits here, and then sees what this one brought.
        settings::lock(&mut tx).await?;
        let fresh = self.fresh(&mut tx, lines.model, batch).await?;
        if !fresh.is_empty() {
            self.store(&mut tx, lines, fresh).await?;
        }
        tx.commit().await?;
        drop(kept);
        self.app.db.checkpoint_alone(&self.company).await
    }

    /// Those that never came before.
    async fn fresh(&mut self, conn: &mut Conn, model: &Model, mut batch: Vec<Line>) -> Result<Vec<Line>> {
        let Some(source) = self.source else { return Ok(batch) };
        let theirs: Vec<&str> = batch.iter().map(|line| line.theirs.as_str()).collect();
        let came = source.came(conn, model.slug(), &theirs).await?;
        batch.retain(|line| !came.contains_key(&line.theirs));
        self.report.here(model.slug(), came.len() as u64);
        Ok(batch)
    }

    async fn store(&mut self, conn: &mut Conn, lines: &Lines, fresh: Vec<Line>) -> Result<()> {
        match lines.model.slug() {
            "users" => self.store_people(conn, lines, fresh).await,
            "rooms" => self.store_rooms(conn, lines, fresh).await,
            "messages" => self.store_messages(conn, lines, fresh).await,
            "memberships" => self.store_memberships(conn, lines, fresh).await,
            "two-factors" | "recovery-codes" | "departures" => self.store_of_new_people(conn, lines, fresh).await,
            "emails" => self.store_mails(conn, lines, fresh).await,
            "settings" => self.store_settings(conn, lines, fresh).await,
            _ => self.store_plainly(conn, lines, fresh).await.map(|_| ()),
        }
    }

    /// What it came from, which is written down before the first row.
    fn source(&self) -> Result<Source> {
        self.source.ok_or_else(|| Error::internal("an import without a source"))
    }

    async fn finish(mut self) -> Result<Report> {
        if self.bundle.manifest.is_none() && self.report.count_new("users") > 0 {
            self.report.note(
                "Passwords don't come along",
                "everybody has to set a password first: by the link on the log-in page, or switchboard user password NAME",
            );
        }
        let admins = users::count_admins(&mut self.app.db.read().await?).await?;
        let brings = self.keeps_ids && self.options.dry_run;
        if admins == 0 && !brings {
            self.report.note(
                "Nobody is an administrator here yet",
                "switchboard user role NAME admin, and switchboard user password NAME for one who has none",
            );
        }
        Ok(self.report)
    }
}
