//! The settings of one process: where they come from, what each accepts, and what is said when one is wrong.
//!
//! Sources, weakest first: [`SETTINGS`]' defaults, `switchboard.toml`, `.env`, the environment, command-line flags.
//! A name that isn't a setting is refused where all names are ours (the file, `.env`), as is a value of the wrong
//! kind, in one line. Choices of the running site are rows of the model `settings` instead: see `crate::settings`.

pub mod advice;
mod parse;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Format, Serialized, Toml};
use figment::value::Value;
use ipnet::IpNet;
use url::Url;

pub use parse::Rate;

use crate::db::postgres::Pooling;
use crate::error::{Error, Result};
use crate::i18n::Language;

/// One setting: its name in the environment, its default in words, and what it means.
pub struct Setting {
    pub key: &'static str,
    pub default: &'static str,
    pub secret: bool,
    pub meaning: &'static str,
}

impl Setting {
    /// The meaning without the marks of Markdown.
    pub fn plain(&self) -> String {
        self.meaning.replace('`', "")
    }
}

const fn setting(key: &'static str, default: &'static str, meaning: &'static str) -> Setting {
    Setting { key, default, secret: false, meaning }
}

const fn secret(key: &'static str, default: &'static str, meaning: &'static str) -> Setting {
    Setting { key, default, secret: true, meaning }
}

/// Every setting there is. Flags are the same names, `--like-this`; the file has them `like_this`.
pub const SETTINGS: &[Setting] = &[
    setting(
        "DEBUG",
        "false",
        "JSON API, pages for its addresses, `/docs`, `/redoc`, mail previews and detailed errors; not for a site that others can reach",
    ),
    setting("API", "", "serve `/api/v1` also without `DEBUG` (default: as `DEBUG`)"),
    setting("BIND", "127.0.0.1:8000", "address and port to listen on; what systemd hands over goes first"),
    setting(
        "BASE_URL",
        "",
        "the site's address as people type it (default: `http://` and `BIND`); `https` makes cookies `Secure` and sends HSTS",
    ),
    setting(
        "DATABASE_URL",
        "sqlite://data/switchboard.db",
        "`sqlite://PATH` or `postgres://USER:PASSWORD@HOST/NAME` (PostgreSQL 14 or later)",
    ),
    setting(
        "DATABASE_POOL",
        "16",
        "connections to PostgreSQL that a process has at most, 4 to 500; two of them are for messages alone",
    ),
    setting("PGBOUNCER", "false", "`true` when `DATABASE_URL` leads to PgBouncer in transaction mode"),
    setting(
        "REDIS_URL",
        "",
        "joins several nodes into one site: `redis://` or `rediss://HOST`, `redis+sentinel://HOST,HOST/SERVICE`, `redis+cluster://HOST,HOST`; with `USER:PASSWORD@` where it asks",
    ),
    secret(
        "SECRET_KEY",
        "",
        "signs tokens and cookies, at least 32 characters (default: generated into `data/`); the same for all nodes",
    ),
    setting(
        "SMTP_URL",
        "",
        "`smtp://`, `smtps://` or `smtp+starttls://USER:PASS@HOST:PORT`; without it mails wait in the backoffice, readable by administrators, and a new e-mail address counts at once. Certificates are checked against the system's store (`SSL_CERT_FILE` adds another)",
    ),
    setting("MAIL_FROM", "", "the sender of mails"),
    setting(
        "UPLOAD_DIR",
        "data/uploads",
        "where attachments are kept, readable by their owner only; the same for all nodes",
    ),
    setting("UPLOAD_MAX_BYTES", "25 MiB", "the largest attachment"),
    setting(
        "PAGE_CACHE",
        "64 MiB",
        "memory for pages of rooms that stay as they are until something on them changes, half of it for what is said; `off` makes each anew",
    ),
    setting(
        "SITE_LANGUAGE",
        "en",
        "`en`, `de` or `ar`: what is spoken to whoever chose no language and whose browser asks for none of these",
    ),
    setting("BACKUP_DIR", "", "a folder: a backup of the whole site is written there each night"),
    setting("BACKUP_AT", "03:30", "when that is, UTC"),
    setting("BACKUP_KEEP", "14", "how many of those are kept"),
    setting(
        "LOG_DIR",
        "",
        "write `switchboard.log` and `access.log` there, rotated daily, 14 kept; otherwise to standard output",
    ),
    setting("LOG_FORMAT", "text", "`text` or `json`"),
    setting("RUST_LOG", "info", "what is logged, as the tracing crate's filter says it"),
    setting("MESSAGE_RATE", "1/s burst 5", "messages per person and room; `off` disables"),
    setting(
        "LOGIN_RATE",
        "5/min",
        "failed log-ins per name and per address, and registrations, resets and second-factor codes per address; `off` disables",
    ),
    setting(
        "CORS_ORIGINS",
        "",
        "origins whose pages may call the API with a token, by commas; a cookie of theirs counts for nothing",
    ),
    setting("TRUSTED_PROXIES", "", "addresses or networks whose `X-Forwarded-For` is believed, by commas"),
    setting(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "",
        "`http://` or `https://` and a collector of OpenTelemetry: gets a span for each request and each commit (OTLP over HTTP); the other variables of that standard hold, too",
    ),
    secret(
        "METRICS_TOKEN",
        "",
        "who shows it as a Bearer token may read `/metrics`; without it and `DEBUG` that isn't there",
    ),
];

/// The settings as the README has them: a table in Markdown, made of [`SETTINGS`].
pub fn table() -> String {
    let mut table = String::from("| setting | default | meaning |\n|---|---|---|\n");
    for Setting { key, default, meaning, .. } in SETTINGS {
        let default = if default.is_empty() { "none".into() } else { format!("`{default}`") };
        table.push_str(&format!("| `{key}` | {default} | {meaning} |\n"));
    }
    table
}

/// Names that may stand in `.env` beside the settings, because tools around the program read them.
const FOREIGN_IN_DOTENV: &[&str] = &["RUST_BACKTRACE", "TZ", "LANG", "PATH"];

/// A text that never shows itself in a log, an error or a debug print.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("********")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

/// The settings, parsed. Lists are empty and options `None` when nothing was set.
#[derive(Clone, Debug)]
pub struct Config {
    pub debug: bool,
    pub api: bool,
    pub bind: SocketAddr,
    pub base_url: Url,
    pub database_url: Secret,
    pub pooling: Pooling,
    pub redis_url: Option<Secret>,
    pub secret_key: Option<Secret>,
    pub smtp_url: Option<Secret>,
    pub mail_from: Option<String>,
    pub upload_dir: PathBuf,
    pub upload_max_bytes: u64,
    pub backup_dir: Option<PathBuf>,
    pub backup_at: time::Time,
    pub backup_keep: usize,
    /// Bytes of pages that are kept.
    pub page_cache: u64,
    pub site_language: Language,
    /// Where traces go.
    pub telemetry: Option<Url>,
    pub log_dir: Option<PathBuf>,
    pub log_format: LogFormat,
    pub rust_log: String,
    pub message_rate: Option<Rate>,
    pub login_rate: Option<Rate>,
    pub cors_origins: Vec<String>,
    pub trusted_proxies: Vec<IpNet>,
    pub metrics_token: Option<Secret>,
    /// The text of every setting as given or by default, for `check`.
    pub texts: BTreeMap<&'static str, String>,
}

/// Where settings are looked for; tests give their own.
pub struct Sources {
    pub folder: PathBuf,
    pub environment: bool,
    /// Flags by setting name (`BIND`).
    pub flags: BTreeMap<String, String>,
}

impl Config {
    /// Reads and checks all sources. Errors: one line naming the key, its value and what is accepted.
    pub fn load(sources: &Sources) -> Result<Self> {
        let mut texts: BTreeMap<&'static str, String> =
            SETTINGS.iter().map(|s| (s.key, s.default.to_owned())).collect();
        for (key, value) in gather(sources)? {
            let Some(setting) = SETTINGS.iter().find(|s| s.key.eq_ignore_ascii_case(&key)) else {
                return Err(unknown(&key, &value));
            };
            texts.insert(setting.key, value.trim().to_owned());
        }
        parse::config(texts)
    }

    /// Whether the site is reached by https: cookies are `Secure` then.
    pub fn is_https(&self) -> bool {
        self.base_url.scheme() == "https"
    }

    /// The site's own origin, `https://chat.example.org`.
    pub fn origin(&self) -> String {
        self.base_url.origin().ascii_serialization()
    }

    /// The settings as `check` prints them: names and values, secrets and passwords masked.
    pub fn masked(&self) -> Vec<(&'static str, String)> {
        SETTINGS.iter().map(|s| (s.key, mask(s, self.texts.get(s.key).map_or("", String::as_str)))).collect()
    }
}

/// The key that signs tokens and cookies: the setting, or a file in `data/`, made at first start (0600).
pub fn secret_key(config: &Config) -> Result<Secret> {
    if let Some(key) = &config.secret_key {
        return Ok(key.clone());
    }
    let path = Path::new(KEY_FILE);
    let fault = |e: std::io::Error| Error::startup(format!("The secret key {} can't be kept: {e}", path.display()));
    crate::db::create_private_file(path).map_err(fault)?;
    let mut key = std::fs::read_to_string(path).map_err(fault)?;
    if key.trim().is_empty() {
        key = crate::auth::random_token();
        std::fs::write(path, &key).map_err(fault)?;
    }
    Ok(Secret(key.trim().to_owned()))
}

/// Where the key lies that isn't a setting; from the folder that the program is started in.
pub const KEY_FILE: &str = "data/secret_key";

/// The key that a server started here uses; `None` when it would make one. Errors: a file that can't be read.
pub fn kept_key(config: &Config) -> Result<Option<Secret>> {
    if let Some(key) = &config.secret_key {
        return Ok(Some(key.clone()));
    }
    match std::fs::read_to_string(KEY_FILE) {
        Ok(key) => Ok(Some(key.trim().to_owned()).filter(|key| !key.is_empty()).map(Secret)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::startup(format!("The secret key {KEY_FILE} can't be read: {error}"))),
    }
}

/// All names and values of all sources, stronger ones over weaker.
fn gather(sources: &Sources) -> Result<BTreeMap<String, String>> {
    let file = sources.folder.join("switchboard.toml");
    let mut figment = Figment::from(Toml::file_exact(&file));
    if !file.exists() {
        figment = Figment::new();
    }
    figment = figment.merge(Serialized::defaults(dotenv(&sources.folder.join(".env"))?));
    if sources.environment {
        let given = SETTINGS.iter().filter_map(|s| Some((s.key.to_owned(), std::env::var(s.key).ok()?)));
        figment = figment.merge(Serialized::defaults(lower(given.collect())));
    }
    figment = figment.merge(Serialized::defaults(lower(sources.flags.clone())));
    let values: BTreeMap<String, Value> = figment.extract().map_err(|e| {
        // Its first line says where; the others show the line itself, which may be a secret's.
        let told = e.to_string();
        Error::startup(format!("{} can't be read: {}", file.display(), told.lines().next().unwrap_or_default()))
    })?;
    values.into_iter().map(|(key, value)| Ok((key.clone(), text(&key, value)?))).collect()
}

/// As the file spells them, without those that are empty: that is how compose files and shells say "not set".
fn lower(values: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let set = values.into_iter().filter(|(_, value)| !value.trim().is_empty());
    set.map(|(key, value)| (key.to_lowercase(), value)).collect()
}

fn dotenv(path: &Path) -> Result<BTreeMap<String, String>> {
    if !path.exists() {
        return Ok(BTreeMap::new());
    }
    let fault = |e: dotenvy::Error| match e {
        // The line itself may be a secret's.
        dotenvy::Error::LineParse(_, at) => {
            Error::startup(format!("{} has a mistake near character {at}", path.display()))
        }
        e => Error::startup(format!("{} can't be read: {e}", path.display())),
    };
    let mut values = BTreeMap::new();
    for line in dotenvy::from_path_iter(path).map_err(fault)? {
        let (key, value) = line.map_err(fault)?;
        if !FOREIGN_IN_DOTENV.contains(&key.as_str()) {
            values.insert(key, value);
        }
    }
    Ok(lower(values))
}

/// A value as the text it was written as; lists by commas.
fn text(key: &str, value: Value) -> Result<String> {
    match value {
        Value::String(_, text) => Ok(text),
        Value::Bool(_, yes) => Ok(yes.to_string()),
        Value::Num(_, number) => Ok(number
            .to_i128()
            .map(|n| n.to_string())
            .or_else(|| number.to_u128().map(|n| n.to_string()))
            .or_else(|| number.to_f64().map(|n| n.to_string()))
            .unwrap_or_default()),
        Value::Array(_, items) => {
            Ok(items.into_iter().map(|item| text(key, item)).collect::<Result<Vec<_>>>()?.join(","))
        }
        Value::Empty(..) => Ok(String::new()),
        Value::Char(_, c) => Ok(c.to_string()),
        Value::Dict(..) => Err(unknown(key, "a section")),
    }
}

fn unknown(key: &str, value: &str) -> Error {
    let names: Vec<_> = SETTINGS.iter().map(|s| s.key).collect();
    // A misspelt secret, or another program's.
    let words = ["KEY", "PASS", "PWD", "TOKEN", "SECRET", "AUTH", "CRED", "URL", "DSN"];
    let is_secret = value.contains('@') || words.iter().any(|word| key.to_uppercase().contains(word));
    let shown = if is_secret { "********" } else { value };
    let shown = if shown.len() > 80 { "…" } else { shown };
    Error::startup(format!("{key} = \"{shown}\": there is no such setting. Accepted: {}", names.join(", ")))
}

fn mask(setting: &Setting, value: &str) -> String {
    if setting.secret && !value.is_empty() {
        return "********".to_owned();
    }
    mask_password(value)
}

/// `postgres://ann:secret@host/db` as `postgres://ann:********@host/db`; other texts as they are.
pub fn mask_password(value: &str) -> String {
    match Url::parse(value) {
        Ok(mut url) if url.query_pairs().any(|(name, _)| name.contains("pass")) => {
            url.set_query(Some("********"));
            mask_password(url.as_str())
        }
        Ok(mut url) if url.password().is_some_and(|password| password != "********") => {
            match url.set_password(Some("********")) {
                Ok(()) => url.to_string(),
                Err(()) => "********".to_owned(),
            }
        }
        Ok(_) => value.to_owned(),
        // Not an address that can be taken apart, but it may still hold a password before an `@`.
        Err(_) => match value.rsplit_once('@') {
            Some((_, host)) if value.contains("://") => format!("********@{host}"),
            _ => value.to_owned(),
        },
    }
}
