//! Imports: a file of rows, made or changed all together or not at all. Called by `web::pages::admin::imports`.
//!
//! 1. [`file::parse`] takes the text apart; what isn't a file of this model is refused as a whole.
//! 2. [`check`] compares each line with what is stored, and tries what differs: for real, in one [`Work`] that is then
//!    dropped, so that every rule of the model speaks. What comes of it is a [`Report`] and a plan.
//! 3. [`run`] does the plan in one [`Work`]: exactly what was shown. A row that somebody saved meanwhile, by the mark
//!    that forms use too, stops it, and nothing is stored.
//!
//! A [`Work`] keeps other writers waiting. So all that only reads is done before it begins, lines that differ in
//! nothing have no part in it, and a file has its limits.

pub mod file;
pub mod pending;
pub mod report;

use std::collections::HashMap;

use super::change::{self, Saved};
use super::form::{self, Sent};
use super::input::Input;
use super::record;
use super::resource::{Act, Column, Kind, Resource};
use super::value::{Key, Row, Value};
use crate::app::App;
use crate::audit::Change;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::i18n::gettext;
use crate::users::Person;
use crate::work::Work;
use file::{File, Line};
use pending::Progress;
use report::{Report, Shown};

/// Lines of a file; a refusal says it in words. More would keep everybody who writes waiting.
pub const MOST_LINES: usize = 20_000;
/// Lines that make or change a record. Measured with 20,000 of them, the one transaction stood 15 to 40 seconds: those
/// whose rows were in it waited, then everybody who needed a connection. This many take 2 or 3, which all can wait.
pub const MOST_STORED: usize = 2_000;
/// Lines that set a password: each is hashed, which takes a while by intent.
pub const MOST_PASSWORDS: usize = 100;
/// Lines compared on one connection.
const TOGETHER: usize = 500;

/// Whether making or changing these asks for the password again.
pub fn needs_sudo(resource: &Resource) -> bool {
    resource.export_sudo || !resource.passwords.is_empty() || resource.columns.iter().any(|column| column.sudo)
}

/// What a line is going to do.
pub struct Deed {
    line: usize,
    input: Input,
    /// The row that is changed, as it stands, and the mark of that; none for one that is made.
    stands: Option<(Row, String)>,
}

impl Deed {
    async fn run(&self, work: &mut Work, resource: &'static Resource) -> Result<Key> {
        let Some((row, version)) = &self.stands else {
            return change::create(work, resource, &self.input, None).await;
        };
        match change::update(work, resource, &row.key, &self.input, Some(version), "import").await? {
            Saved::Yes | Saved::Unchanged => Ok(row.key.clone()),
            Saved::Stale(_) => Err(Error::Conflict(msgid!("Somebody changed this record meanwhile."))),
        }
    }
}

/// What the file would do, with every line that can't be, and the plan. Stores nothing. Errors: only what keeps all of
/// it from being found out. Cost: 2 queries a line, and 1 and its rollback of what differs.
pub async fn check(
    app: &App,
    person: &Person,
    resource: &'static Resource,
    file: File,
    progress: &Progress,
) -> Result<(Report, Vec<Deed>)> {
    let mut report = Report { unit: file.unit, ..Report::default() };
    let deeds = compare(app, person, resource, &file.lines, &mut report, progress).await?;
    drop(file);
    if deeds.len() > MOST_STORED {
        return Err(Error::Malformed(tr!(
            "This would make or change {} records; one import stores at most 2,000, since others wait for it. \
             Split the file into several.",
            deeds.len()
        )));
    }
    progress.begin(msgid!("Trying"), deeds.len());
    let mut work = Work::begin(app, Some(person)).await?;
    for deed in &deeds {
        match work.attempt(async |work: &mut Work| deed.run(work, resource).await).await {
            Ok(key) => {
                *(if deed.stands.is_some() { &mut report.changed } else { &mut report.made }) += 1;
                if report.shown.len() < report::MOST_SHOWN {
                    report.shown.push(shown(&mut work, resource, person, deed, &key).await?);
                }
            }
            Err(error) => report.bad(deed.line, reason(resource, error)?),
        }
        progress.step();
    }
    // Dropped, not committed: nothing of it was done.
    drop(work);
    Ok((report, deeds))
}

/// Why an import was given up, of which nothing is stored.
pub struct Stopped {
    pub line: usize,
    pub why: String,
}

/// Does what was planned, all of it or nothing. Cost: each act's own, in 1 transaction.
pub async fn run(
    app: &App,
    (person, ip): (&Person, &str),
    resource: &'static Resource,
    deeds: &[Deed],
    progress: &Progress,
) -> Result<Option<Stopped>> {
    let mut work = Work::begin(app, Some(person)).await?;
    work.ip = ip.to_owned();
    for deed in deeds {
        if let Err(error) = deed.run(&mut work, resource).await {
            return Ok(Some(Stopped { line: deed.line, why: reason(resource, error)? }));
        }
        progress.step();
    }
    work.commit().await?;
    Ok(None)
}

/// Each line beside what is stored.
async fn compare(
    app: &App,
    person: &Person,
    resource: &'static Resource,
    lines: &[Line],
    report: &mut Report,
    progress: &Progress,
) -> Result<Vec<Deed>> {
    let (mut deeds, mut keys) = (Vec::new(), HashMap::new());
    for some in lines.chunks(TOGETHER) {
        let mut conn = app.db.read().await?;
        for line in some {
            match deed(&mut conn, person, resource, line, &mut keys, report).await {
                Ok(Some(deed)) => deeds.push(deed),
                Ok(None) => report.unchanged += 1,
                Err(error) => report.bad(line.number, reason(resource, error)?),
            }
            progress.step();
        }
    }
    Ok(deeds)
}

/// What one line comes to; nothing, when it says what is stored.
async fn deed(
    conn: &mut Conn,
    person: &Person,
    resource: &'static Resource,
    line: &Line,
    keys: &mut HashMap<Key, usize>,
    report: &mut Report,
) -> Result<Option<Deed>> {
    let fields = line.fields.as_ref().map_err(|why| Error::Malformed(why.clone()))?;
    let key = fields.iter().find(|(name, _)| *name == resource.key).map_or("", |(_, text)| text.trim());
    let row = if key.is_empty() { None } else { Some(stored(conn, person, resource, key).await?) };
    if let Some(earlier) = row.as_ref().and_then(|row| keys.insert(row.key.clone(), line.number)) {
        return Err(Error::Malformed(tr!(
            "{name} {key} is on line {line} already.",
            name = resource.key,
            key = key,
            line = earlier
        )));
    }
    let mut sent = Sent::default();
    for (name, text) in fields.iter().filter(|(name, _)| *name != resource.key) {
        let Some(column) = resource.column(name) else {
            sent.0.push(((*name).to_owned(), text.clone()));
            continue;
        };
        let before = row.as_ref().map_or(&Value::Null, |row| row.get(name));
        if says(column, text, before) {
            // As it is: for a new row, empty.
        } else if form::takes(person, column, row.is_none()) {
            sent.0.push(((*name).to_owned(), usual(column, text)));
        } else {
            report.left(column, line.number);
        }
    }
    let input = form::read(conn, resource, person, row.as_ref(), &sent).await?;
    if row.is_some() && input.0.is_empty() {
        return Ok(None);
    }
    let stands = row.map(|row| {
        let version = form::version(resource, &row);
        (row, version)
    });
    Ok(Some(Deed { line: line.number, input, stands }))
}

/// The whole row of this key, when `person` sees it.
async fn stored(conn: &mut Conn, person: &Person, resource: &'static Resource, text: &str) -> Result<Row> {
    let missing = || {
        let short = super::query::shortened(text);
        Error::Malformed(tr!(
            "There is no {model} with the {name} “{key}”.",
            model = resource.singular(),
            name = resource.key,
            key = short
        ))
    };
    let key = resource.parse_key(text).filter(|_| !text.contains('\0')).ok_or_else(missing)?;
    match record::read(conn, resource, person, &key).await {
        Ok(_) => record::find(conn, resource, &key).await?.ok_or_else(missing),
        Err(Error::NotFound(_)) => Err(missing()),
        Err(error) => Err(error),
    }
}

/// Whether `text` is how a file says `value`: times in it are of milliseconds.
fn says(column: &Column, text: &str, value: &Value) -> bool {
    if value.plain() == text {
        return true;
    }
    match (column.kind, value) {
        (Kind::Text | Kind::Long, Value::Text(stored)) => *stored == text.replace("\r\n", "\n"),
        (Kind::Time, Value::Time(time)) => {
            super::query::span(text.trim()).is_some_and(|span| span.start.to_string() == time.to_string())
        }
        (_, stored) => stored.plain() == usual(column, text),
    }
}

/// `text` as forms have it: spreadsheets write TRUE and FALSE.
fn usual(column: &Column, text: &str) -> String {
    match column.kind {
        Kind::Text | Kind::Long => text.to_owned(),
        Kind::Flag => text.trim().to_ascii_lowercase(),
        _ => text.trim().to_owned(),
    }
}

/// Why a line can't be, in words. Errors: what is no fault of the line's.
fn reason(resource: &Resource, error: Error) -> Result<String> {
    match error {
        Error::Internal(_) | Error::Unavailable | Error::Startup(_) => Err(error),
        Error::Invalid(errors) => {
            let titled = errors.0.iter().map(|(name, why)| match resource.column(name) {
                Some(column) => format!("{}: {}", column.heading(), why.join(" ")),
                None => format!("{name}: {}", why.join(" ")),
            });
            Ok(titled.collect::<Vec<_>>().join(" "))
        }
        other => Ok(other.to_string()),
    }
}

/// What a line did, read back: as it would be stored, not as it was typed.
async fn shown(work: &mut Work, resource: &'static Resource, person: &Person, deed: &Deed, key: &Key) -> Result<Shown> {
    let after = record::find(work, resource, key).await?;
    let before = deed.stands.as_ref().map(|(row, _)| row);
    let changes = change::difference(resource, before, after.as_ref(), &deed.input);
    let mut name = String::new();
    if let Some(row) = before.or(after.as_ref()) {
        let labels = super::label::Labels::of(work, std::slice::from_ref(row)).await?;
        name = labels.name(resource, row);
    }
    let field = |(name, Change { before, after }): (&String, &Change)| match resource.column(name) {
        Some(column) if !form::takes(person, column, deed.stands.is_none()) => None,
        Some(column) => Some((column.heading(), report::short(before), report::short(after))),
        // A password: only that it is set.
        None => Some((gettext(name).into_owned(), String::new(), tr!("set").into_owned())),
    };
    let fields = changes.iter().filter_map(field).collect();
    let href = before.map_or(String::new(), |row| format!("/admin/{}/{}/", resource.slug, row.key));
    Ok(Shown { line: deed.line, name, href, fields })
}

/// Errors: [`Error::Forbidden`] unless `person` may both make and change these.
pub fn require(resource: &Resource, person: &Person) -> Result<()> {
    super::permission::require(resource, person, Act::Add)?;
    super::permission::require(resource, person, Act::Change)
}
