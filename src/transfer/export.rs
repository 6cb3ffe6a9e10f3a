//! All of a site into a folder, as it was at one moment, while it is served. Called by `cli::export`.
//!
//! Rows are read by their keys, some hundred at a time, in one transaction that reads; memory is that of such a page. Files
//! are copied behind them, by what the lines say: one that was deleted meanwhile is left out, and counted.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::manifest::{FILES, FOLDER, FORMAT, Manifest, Upload, VERSION};
use super::models::{MODELS, Model};
use super::outlet::{Outlet, Part, copy, digest, private, private_folder};
use crate::admin::export::Record;
use crate::admin::record::{self, Columns};
use crate::admin::sql::Sql;
use crate::admin::value::{Row, Value};
use crate::app::App;
use crate::db::{Conn, Db};
use crate::error::{Error, Result};
use crate::users::avatar;
use crate::{attachments, on_db};

/// Rows read at once.
const PAGE: usize = 500;
/// The folder of people's pictures, among the files.
pub const PICTURES: &str = "avatars";

/// What an export came to.
pub struct Exported {
    pub manifest: Manifest,
    pub uploads: u64,
    pub upload_bytes: u64,
    /// Files of rows that weren't there any more.
    pub missing: u64,
}

/// How far it is.
pub enum Step {
    /// So many rows are to be written.
    Rows(u64),
    /// So many more are.
    Written(u64),
    /// From now on files are copied; so many messages have one.
    Files(u64),
    /// One more was looked at.
    Copied,
}

/// Writes the site into `folder`, which must be empty or not there. `told` hears how far it is. Errors: [`Error::Startup`] in
/// words; what is in the folder then has no manifest, and is taken for no export. Cost: O(rows) time, 1 query for each 500 rows,
/// 1 flush of the file system.
pub async fn write(app: &App, folder: &Path, told: impl Fn(Step)) -> Result<Exported> {
    let unwritten = |error: io::Error| {
        Error::startup(format!(
            "The export can't be written to {}: {error}. What is there is none; delete it.",
            folder.display()
        ))
    };
    prepare(folder)?;
    let mut conn = app.db.snapshot().await?;
    let mut manifest = begin(app, &mut conn).await?;
    told(Step::Rows(count(&mut conn).await?));
    for model in MODELS {
        let part = rows(&mut conn, model, folder, &unwritten, &told).await?;
        manifest.files.insert(model.file(), part);
        if model.has_ids() {
            manifest.last_ids.insert(model.slug().to_owned(), conn.last_id(model.table()).await?);
        }
    }
    drop(conn);
    let with_files = manifest.files.get("attachments.jsonl").map_or(0, |part| part.rows);
    told(Step::Files(with_files));
    let mut uploads = Uploads::begin(app, folder).map_err(unwritten)?;
    uploads.all(&told).map_err(unwritten)?;
    let Uploads { list, bytes, missing, .. } = uploads;
    let part = list.finish().map_err(unwritten)?;
    let exported = |manifest| Exported { manifest, uploads: part.rows, upload_bytes: bytes, missing };
    manifest.files.insert(FILES.to_owned(), part.clone());
    // One flush for all files, then the manifest, which says that they are whole.
    File::open(folder).and_then(|folder| Ok(rustix::fs::syncfs(folder)?)).map_err(unwritten)?;
    manifest.write(folder).map_err(unwritten)?;
    Ok(exported(manifest))
}

/// Errors: [`Error::Startup`] for a folder that has something in it.
fn prepare(folder: &Path) -> Result<()> {
    let fault = |error: io::Error| Error::startup(format!("{} can't be made: {error}", folder.display()));
    private_folder(folder).map_err(fault)?;
    if fs::read_dir(folder).map_err(fault)?.next().is_some() {
        return Err(Error::startup(format!(
            "{} isn't empty: an export takes a new or an empty folder.",
            folder.display()
        )));
    }
    fs::set_permissions(folder, Permissions::from_mode(0o700)).map_err(fault)?;
    private_folder(&folder.join(FOLDER).join(PICTURES)).map_err(fault)
}

async fn begin(app: &App, conn: &mut Conn) -> Result<Manifest> {
    let site_name: String = on_db!(conn, c => sqlx::query_scalar("select value from settings where key = 'site_name'")
        .fetch_one(c).await)?;
    Ok(Manifest {
        format: FORMAT.to_owned(),
        version: VERSION,
        made_by: format!("Switchboard {}", env!("CARGO_PKG_VERSION")),
        made_at: app.clock.now().to_string(),
        site: site(&app.db).await?,
        site_name,
        files: BTreeMap::new(),
        last_ids: BTreeMap::new(),
    })
}

/// What this site is called by others that take in what it has: no other was first migrated at that moment, in so many
/// nanoseconds. Cost: 1 query.
pub async fn site(db: &Db) -> Result<String> {
    let mut conn = db.read().await?;
    let first = "select cast(installed_on as text) || ' ' || cast(execution_time as text) from _sqlx_migrations where version = 1";
    let first: String = on_db!(conn, c => sqlx::query_scalar(first).fetch_one(c).await)?;
    Ok(digest(first.as_bytes())[..32].to_owned())
}

async fn count(conn: &mut Conn) -> Result<u64> {
    let mut all = 0;
    for model in MODELS {
        let count = Sql::new(format!("select count(*) from {}", model.table())).number(conn).await?;
        all += u64::try_from(count).unwrap_or(0);
    }
    Ok(all)
}

async fn rows(
    conn: &mut Conn,
    model: &Model,
    folder: &Path,
    unwritten: &impl Fn(io::Error) -> Error,
    told: &impl Fn(Step),
) -> Result<Part> {
    let mut outlet = Outlet::create(&folder.join(model.file())).map_err(unwritten)?;
    let columns = model.columns();
    // Before every row: ids are positive, and names aren't empty.
    let mut after = if model.resource.key == "key" { Value::Text(String::new()) } else { Value::Int(i64::MIN) };
    let mut line = Vec::new();
    loop {
        let rows = page(conn, model, &columns, after).await?;
        let Some(last) = rows.last() else { break };
        after = last.key.value();
        for row in &rows {
            line.clear();
            let record = Record { key: model.resource.key, row, exact: true };
            serde_json::to_writer(&mut line, &record).map_err(Error::internal)?;
            outlet.line(&line).map_err(unwritten)?;
        }
        told(Step::Written(rows.len() as u64));
    }
    outlet.finish().map_err(unwritten)
}

async fn page(conn: &mut Conn, model: &Model, columns: &Columns, after: Value) -> Result<Vec<Row>> {
    let (resource, key) = (model.resource, model.resource.key);
    let selected = record::selected(resource, columns);
    let mut sql = Sql::new(format!("select {selected} from {} where \"{key}\" > ", resource.table));
    sql.bind(after).push(&format!(" order by \"{key}\" limit {PAGE}"));
    let rows = sql.rows(conn, &record::reads(resource, columns)).await?;
    Ok(rows.into_iter().map(|mut values| record::row(columns, &mut values)).collect())
}

/// The files on their way.
struct Uploads<'a> {
    app: &'a App,
    folder: &'a Path,
    list: Outlet,
    bytes: u64,
    missing: u64,
}

/// What of a line names a file.
#[derive(Deserialize)]
struct Named {
    sha256: Option<String>,
    avatar: Option<String>,
}

impl<'a> Uploads<'a> {
    fn begin(app: &'a App, folder: &'a Path) -> io::Result<Self> {
        Ok(Self { app, folder, list: Outlet::create(&folder.join(FILES))?, bytes: 0, missing: 0 })
    }

    /// By the lines that were just written.
    fn all(&mut self, told: &impl Fn(Step)) -> io::Result<()> {
        for name in ["users.jsonl", "attachments.jsonl"] {
            let mut lines = BufReader::new(File::open(self.folder.join(name))?);
            let mut line = String::new();
            while lines.read_line(&mut line)? > 0 {
                let named: Named = serde_json::from_str(&line)?;
                if let Some(file) = named.avatar {
                    self.one(avatar::path(&self.app.config, &file), &format!("{FOLDER}/{PICTURES}/{file}"))?;
                } else if let Some(sha256) = named.sha256 {
                    self.one(attachments::path(&self.app.config, &sha256), &format!("{FOLDER}/{sha256}"))?;
                    told(Step::Copied);
                }
                line.clear();
            }
        }
        Ok(())
    }

    /// Copies one file, unless it was copied for another row already.
    fn one(&mut self, from: Option<PathBuf>, path: &str) -> io::Result<()> {
        let Some(from) = from else { return Ok(()) };
        let to = self.folder.join(path);
        if to.exists() {
            return Ok(());
        }
        let from = match File::open(from) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.missing += 1;
                return Ok(());
            }
            from => from?,
        };
        let (bytes, sha256) = copy(from, private(&to)?)?;
        self.bytes += bytes;
        let line = serde_json::to_vec(&Upload { path: path.to_owned(), bytes, sha256 })?;
        self.list.line(&line)
    }
}
