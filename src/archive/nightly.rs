//! A backup each night, where `BACKUP_DIR` says a folder: taken at `BACKUP_AT` (UTC) or, when nobody served then, as soon as
//! somebody does, and at once when the setting is new. Of several nodes one takes it, into its own folder or one that they
//! share ([`crate::jobs::lease`]). Started by `jobs`.
//!
//! Backups beyond `BACKUP_KEEP` go once the new one was read back, never before. One that fails is an error in the log, is
//! tried again in an hour, and takes none of those away.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{PrimitiveDateTime, Time};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::interval;

use super::backup::{self, Taken};
use super::progress::Progress;
use super::restore::stamp;
use super::scratch::private_folder;
use crate::admin::dashboard::warning::bytes;
use crate::app::App;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::i18n;
use crate::jobs::lease::{self, Holder, Lease};

const LOOK_EVERY: Duration = Duration::from_secs(30);
/// A node that dies at it, or fails, holds up the next try for so long.
const LASTS: Duration = Duration::from_secs(3600);
/// Between two signs that it goes on.
const KEPT_EVERY: Duration = Duration::from_secs(600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// One that isn't there so long after it was due has failed, and once more.
const LATE: Duration = Duration::from_secs(2 * 3600);
/// Held from one backup until the next is due: how all nodes know.
pub const DONE: &str = "nightly backup done";
const BEGINNING: &str = "switchboard-";
const ENDING: &str = ".tar.zst";
const STAMP: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]T[hour][minute][second]Z");

/// The job.
pub async fn run(app: App) {
    if app.config.backup_dir.is_none() {
        return;
    }
    let (mut every, holder) = (interval(LOOK_EVERY), Holder::default());
    loop {
        every.tick().await;
        if let Err(error) = take_as(&app, &holder).await {
            tracing::error!(%error, "the nightly backup has failed; it is tried again in an hour");
            // By this node: another one may when the lease has run out.
            every.reset_after(LASTS);
        }
    }
}

/// Takes the backup that is due, unless there is none or another node does; the file. Errors: as [`backup::take`]. Cost: 1
/// query; with one due 3 write transactions besides the backup.
pub async fn take_as(app: &App, holder: &Holder) -> Result<Option<PathBuf>> {
    let Some(folder) = app.config.backup_dir.clone() else { return Ok(None) };
    if lease::is_held(app, DONE, DAY).await? {
        return Ok(None);
    }
    let Some(mut lease) = Lease::take(app, holder, "nightly backup", LASTS).await? else { return Ok(None) };
    // Whoever had it before may have just done it.
    if lease::is_held(app, DONE, DAY).await? {
        return lease.give_up(app).await.map(|()| None);
    }
    private_folder(&folder)
        .map_err(|error| Error::startup(format!("BACKUP_DIR = \"{}\" can't be made: {error}", folder.display())))?;
    let now = app.clock.now();
    let file = folder.join(format!("{BEGINNING}{}{ENDING}", stamp(now)));
    let taken = held(app, &mut lease, file.clone(), now).await?;
    Lease::take(app, holder, DONE, until_next(app.clock.now(), app.config.backup_at)).await?;
    report(&taken, &file);
    let keep = app.config.backup_keep;
    let swept = spawn_blocking(move || sweep(&folder, keep)).await.map_err(Error::internal)?;
    if let Err(error) = swept {
        tracing::error!(%error, "old backups can't be deleted");
    }
    lease.give_up(app).await?;
    Ok(Some(file))
}

/// What is to be said of backups that should have been taken and weren't; nothing where none is asked for. Cost: 1 indexed
/// query.
pub async fn overdue(app: &App) -> Result<Option<String>> {
    if app.config.backup_dir.is_none() {
        return Ok(None);
    }
    Ok(match lease::held_until(app, DONE).await? {
        None => Some(tr!("No nightly backup has been taken yet.").into_owned()),
        Some(due) if due.plus(LATE) < app.clock.now() => {
            Some(tr!("The nightly backup of {}, {} UTC hasn't been taken.", i18n::date(due), i18n::time_of_day(due)))
        }
        Some(_) => None,
    })
}

/// The newest backup that lies where this node puts them: when it was taken, and its size in bytes. Cost: a look at the
/// folder.
pub async fn latest(app: &App) -> Option<(Timestamp, u64)> {
    let folder = app.config.backup_dir.clone()?;
    spawn_blocking(move || {
        let name = ours(&folder).ok()?.pop()?;
        let at = PrimitiveDateTime::parse(middle(name.to_str()?)?, STAMP).ok()?;
        Some((Timestamp::of(at.assume_utc()), std::fs::metadata(folder.join(name)).ok()?.len()))
    })
    .await
    .ok()
    .flatten()
}

/// Asks a backup to end when the job is dropped: a server that is told to go doesn't wait for it.
struct Ended(Progress);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Takes it on a thread of its own, and says meanwhile that it goes on.
async fn held(app: &App, lease: &mut Lease, file: PathBuf, now: Timestamp) -> Result<Taken> {
    let (ended, runtime, config) = (Ended(Progress::default()), Handle::current(), app.config.clone());
    let progress = ended.0.clone();
    let mut work = spawn_blocking(move || {
        runtime.block_on(async {
            tokio::select! {
                // One that bears the same second in its name is the same one again.
                taken = backup::take(&config, &file, true, now, &progress) => taken,
                () = progress.stopped() => Err(Error::startup("The server was told to stop.")),
            }
        })
    });
    let mut every = interval(KEPT_EVERY);
    loop {
        tokio::select! {
            taken = &mut work => return taken.map_err(Error::internal)?,
            // Two at once are a waste, and no harm.
            _ = every.tick() => lease.keep(app).await.map(|_| ())?,
        }
    }
}

fn report(taken: &Taken, file: &Path) {
    let (file, size) = (file.display(), bytes(taken.bytes));
    let missing = taken.manifest.missing;
    if missing > 0 {
        let files = taken.missing.join(", ");
        tracing::error!(%file, size, missing, files, "the nightly backup was taken, but files of the site are missing");
    } else {
        tracing::info!(%file, size, "the nightly backup was taken");
    }
}

/// From `now` until the next time that it is `at` (UTC).
fn until_next(now: Timestamp, at: Time) -> Duration {
    let now = now.date_time();
    let today = now.replace_time(at);
    let next = if today > now { today } else { today + DAY };
    (next - now).try_into().unwrap_or(DAY)
}

/// The names of those that are there, the oldest first. Blocks.
fn ours(folder: &Path) -> std::io::Result<Vec<OsString>> {
    let mut ours = Vec::new();
    for file in std::fs::read_dir(folder)? {
        let name = file?.file_name();
        if name.to_str().is_some_and(is_ours) {
            ours.push(name);
        }
    }
    ours.sort_unstable();
    Ok(ours)
}

/// Deletes the oldest beyond `keep`, by their names, and nothing that isn't named like one of ours. Blocks.
fn sweep(folder: &Path, keep: usize) -> std::io::Result<()> {
    let ours = ours(folder)?;
    let beyond = ours.len().saturating_sub(keep);
    ours[..beyond].iter().try_for_each(|name| std::fs::remove_file(folder.join(name)))
}

/// `switchboard-2026-11-22T033000Z.tar.zst`.
fn is_ours(name: &str) -> bool {
    let shape = |letter: char| if letter.is_ascii_digit() { '0' } else { letter };
    middle(name).is_some_and(|middle| middle.chars().map(shape).eq("0000-00-00T000000Z".chars()))
}

/// When it was taken, as its name says.
fn middle(name: &str) -> Option<&str> {
    name.strip_prefix(BEGINNING)?.strip_suffix(ENDING)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::{datetime, time};

    #[test]
    fn the_next_one_is_due_within_a_day() {
        let at = time!(3:30);
        for (now, hours) in [
            (datetime!(2026-11-22 03:30 UTC), 24.0),
            (datetime!(2026-11-22 03:29:59 UTC), 1.0 / 3600.0),
            (datetime!(2026-11-22 00:00 UTC), 3.5),
            (datetime!(2026-12-31 23:30 UTC), 4.0),
        ] {
            let until = until_next(Timestamp::of(now), at).as_secs_f64() / 3600.0;
            assert!((until - hours).abs() < 1e-9, "{now}: {until}");
        }
    }

    #[test]
    fn only_what_is_named_like_ours_is_ours() {
        assert!(is_ours("switchboard-2026-11-22T033000Z.tar.zst"));
        assert_eq!(stamp(Timestamp::of(datetime!(2026-11-22 03:30:00.5 UTC))), "2026-11-22T033000Z");
        for other in
            ["switchboard-before-upgrade.tar.zst", "switchboard-2026-11-22T033000Z.tar.zst.old", "notes.txt", ""]
        {
            assert!(!is_ours(other), "{other}");
        }
    }
}
