//! What is set so that it is unsafe or won't do what it is for, each with what to do about it. Shown by
//! `switchboard check` and on the dashboard.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::Config;
use crate::db::Db;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// A sentence.
    pub what: String,
    /// What to do.
    pub advice: String,
}

fn advice(what: impl Into<String>, advice: impl Into<String>) -> Advice {
    Advice { what: what.into(), advice: advice.into() }
}

/// Everything to be said of the settings, the worst first; the database, Redis and the mail server aren't asked. Cost: a
/// look at four files.
pub fn all(config: &Config) -> Vec<Advice> {
    let folders = [
        ("UPLOAD_DIR", Some(&config.upload_dir)),
        ("LOG_DIR", config.log_dir.as_ref()),
        ("BACKUP_DIR", config.backup_dir.as_ref()),
    ];
    let folders = folders.into_iter().filter_map(|(key, folder)| closed(key, folder?));
    let files = [Some(PathBuf::from(super::KEY_FILE)), Db::file(config.database_url.reveal())];
    let files = files.into_iter().flatten().filter_map(|file| open_to_others(&file));
    folders.chain(files).chain(safety(config)).chain(purpose(config)).collect()
}

/// What others may abuse.
fn safety(config: &Config) -> impl Iterator<Item = Advice> {
    let debug = config.debug.then(|| {
        let done = tr!("Turn it off on a site that others can reach: it shows details of errors and mails.");
        advice(tr!("DEBUG is on."), done)
    });
    let plain = (!config.is_https() && !config.bind.ip().is_loopback()).then(|| {
        let done = tr!(
            "BASE_URL is {url} and the server listens on {address}: put a proxy with a certificate before it and set BASE_URL \
             to its https address.",
            url = config.origin(),
            address = config.bind
        );
        advice(tr!("Passwords travel unencrypted."), done)
    });
    let unthrottled = (config.is_https() && config.login_rate.is_none()).then(|| {
        let done = tr!("Passwords can be guessed as fast as the server answers: set it, 5/min say.");
        advice(tr!("LOGIN_RATE is off."), done)
    });
    [debug, plain, unthrottled].into_iter().flatten()
}

/// What won't do what it was set for.
fn purpose(config: &Config) -> impl Iterator<Item = Advice> {
    // The certificate is a proxy's: this program has none.
    let blind = (config.is_https() && config.trusted_proxies.is_empty()).then(|| {
        advice(
            tr!("Everybody seems to come from the proxy's address."),
            tr!("Name it in TRUSTED_PROXIES: until then, wrong passwords of one person hold up all others."),
        )
    });
    let mute = config.smtp_url.is_none().then(no_mail_server);
    let alone = (config.redis_url.is_some() && Db::file(config.database_url.reveal()).is_some()).then(|| {
        advice(
            tr!("REDIS_URL joins nodes, and SQLite serves one."),
            tr!("For several nodes set DATABASE_URL to a PostgreSQL; for one, REDIS_URL can go."),
        )
    });
    [blind, mute, alone].into_iter().flatten()
}

pub fn no_mail_server() -> Advice {
    advice(
        tr!("No mail server is set."),
        tr!("Set SMTP_URL and MAIL_FROM and restart; until then, mails can be read in the outbox."),
    )
}

/// A folder that is there and can't be written to.
fn closed(key: &str, folder: &Path) -> Option<Advice> {
    let is_closed = folder.exists() && access(folder, Access::WRITE_OK | Access::EXEC_OK).is_err();
    is_closed.then(|| {
        advice(
            tr!("{name}, {folder}, can't be written to.", name = key, folder = folder.display()),
            tr!("Give it to the user whom the server runs as."),
        )
    })
}

/// A file with secrets in it that other users of the machine can read.
fn open_to_others(file: &Path) -> Option<Advice> {
    let mode = file.metadata().ok()?.mode();
    (mode & 0o077 != 0).then(|| {
        let done = format!("chmod 600 {}", file.display());
        advice(tr!("{} can be read by other users of this machine.", file.display()), done)
    })
}
