//! Backups from a shell's point of view, and what there is to compare before and after: every row of a database whatever its
//! engine, every file of a folder.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Output;

use image::{ImageFormat, RgbImage};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use switchboard::db::copy::LEFT_OUT;
use switchboard::db::{Conn, Db, Engine as Driver};
use switchboard::on_db;
use tar::{Builder, EntryType, Header};

use super::actors::Visitor;
use super::app::{Database, Engine, Options, Site};
use super::process::{run, texts};
use super::program::Program;

/// The key that sites of tests have.
pub const KEY: &str = "for tests only, and for nothing else";

/// By table: its rows, each as one text.
pub type Dump = BTreeMap<String, Vec<String>>;

/// Every row of every table but those that a backup leaves out and what is made from the others.
pub async fn dump(url: &str) -> Dump {
    let db = Db::open(url).await.unwrap();
    let mut conn = db.read().await.unwrap();
    let is_sqlite = matches!(conn.engine(), Driver::Sqlite(_));
    let catalogue = match is_sqlite {
        true => {
            "select t.name, c.name, lower(c.type) from sqlite_master t join pragma_table_info(t.name) c
                 where t.type = 'table' and t.name not like 'sqlite%' order by 1, 2"
        }
        false => {
            "select table_name::text, column_name::text, data_type::text from information_schema.columns
                  where table_schema = current_schema() order by 1, 2"
        }
    };
    let columns: Vec<(String, String, String)> = all(&mut conn, catalogue).await;
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (table, column, kind) in columns {
        let shown = match kind.as_str() {
            "boolean" => format!("case when \"{column}\" then '1' when not \"{column}\" then '0' end"),
            _ => format!("cast(\"{column}\" as text)"),
        };
        tables.entry(table).or_default().push(format!("'{column}=' || coalesce({shown}, 'null!')"));
    }
    let is_compared =
        |table: &str| !table.starts_with("messages_text") && table != "_sqlx_migrations" && !LEFT_OUT.contains(&table);
    let mut found = Dump::new();
    for (table, columns) in tables.into_iter().filter(|(table, _)| is_compared(table)) {
        let rows: Vec<(String,)> =
            all(&mut conn, &format!("select {} from {table}", columns.join(" || ' ' || "))).await;
        let mut rows: Vec<String> = rows.into_iter().map(|(row,)| row).collect();
        rows.sort_unstable();
        found.insert(table, rows);
    }
    drop(conn);
    db.close().await;
    found
}

async fn all<T>(conn: &mut Conn, sql: &str) -> Vec<T>
where
    T: Send
        + Unpin
        + for<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow>
        + for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>,
{
    on_db!(conn, c => sqlx::query_as(sql).persistent(false).fetch_all(c).await).unwrap()
}

/// What a dump is after a restore: nothing that waited is sent again, nobody is told twice of what they missed.
pub fn settled(mut dump: Dump) -> Dump {
    let strip = |row: &mut String, name: &str| {
        let (before, rest) = row.split_once(&format!("{name}=")).unwrap();
        let after = rest.find(' ').map_or("", |end| &rest[end..]);
        *row = format!("{before}{name}=*{after}");
    };
    for row in dump.get_mut("users").unwrap() {
        strip(row, "digested_at");
    }
    dump.remove("emails");
    dump
}

#[track_caller]
pub fn assert_same(one: &Dump, other: &Dump) {
    assert!(one.keys().eq(other.keys()), "{:?} and {:?}", one.keys(), other.keys());
    for (table, rows) in one {
        assert_eq!(rows, &other[table], "{table}");
    }
}

/// Files of a folder and those below it, with what is in them; none that begins with a dot.
pub fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let entry = entry.unwrap();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            found.extend(
                files(&entry.path()).into_iter().map(|(path, bytes)| (Path::new(&entry.file_name()).join(path), bytes)),
            );
        } else {
            found.insert(entry.file_name().into(), std::fs::read(entry.path()).unwrap());
        }
    }
    found
}

/// Runs a command with the uploads where sites of tests have them.
pub async fn command(database: &Database, arguments: &[&str], key: Option<&str>) -> Output {
    let mut environment = vec![("UPLOAD_DIR", "uploads")];
    environment.extend(key.map(|key| ("SECRET_KEY", key)));
    run(database, arguments, "", &environment).await
}

/// A backup of `database`, taken by the command.
pub async fn backup(database: &Database, name: &str) -> PathBuf {
    let done = command(database, &["backup", name], Some(KEY)).await;
    assert!(done.status.success(), "{:?}", texts(&done));
    database.folder.path().join(name)
}

/// A database that `archive` was restored into, by the command, without a key in its settings.
pub async fn restored(engine: Engine, archive: &Path) -> Database {
    let database = Database::new(engine).await;
    let done = command(&database, &["restore", archive.to_str().unwrap()], None).await;
    assert!(done.status.success(), "{:?}", texts(&done));
    database
}

/// What `restore` said, which refused.
pub async fn refused(database: &Database, archive: &Path, more: &[&str]) -> String {
    let arguments = [&["restore", archive.to_str().unwrap()], more].concat();
    let done = command(database, &arguments, None).await;
    let (said, error) = texts(&done);
    assert!(!done.status.success() && said.is_empty(), "{said} {error}");
    assert_eq!(error.trim_end().lines().count(), 1, "{error}");
    error
}

/// A site with some of everything, ann's, and what she is signed in with.
pub async fn furnished(engine: Engine) -> (Site, Program) {
    let options = Options { settings: vec![("API", "true")], ..Options::default() };
    let site = Site::with(engine, options).await;
    let [ann, bob, _] = Program::three(&site).await;
    let hall = ann.room(json!({"name": "Hall"})).await;
    bob.post(&format!("/chat/rooms/{hall}/members"), json!({})).await.is(201);
    let says = |who: &Program, content: &str| {
        let (who, body) = (who.clone(), json!({"content": content}));
        async move { who.post(&format!("/chat/rooms/{hall}/messages"), body).await.is(201).json()["id"].as_i64().unwrap() }
    };
    for content in ["plain words", "tab\there\nand a second line\\n", "\\N", "Größe 𝄞 \u{202e} \u{1}", "@bob look"]
    {
        says(&ann, content).await;
    }
    let edited = says(&bob, "first thoughts").await;
    bob.patch(&format!("/chat/messages/{edited}"), json!({"content": "second thoughts"})).await.is(200);
    let gone = says(&bob, "gone").await;
    bob.delete(&format!("/chat/messages/{gone}"), json!({})).await.is(204);
    ann.send("PUT", &format!("/chat/messages/{edited}/reactions/👍"), None, "").await.is(200);
    ann.post(&format!("/chat/messages/{edited}/report"), json!({"reason": "Too clever"})).await.is(201);
    for (name, bytes) in [("a.txt", b"hello".to_vec()), ("b.txt", b"hello".to_vec()), ("c.bin", vec![7; 300_000])] {
        upload(&ann, hall, name, bytes).await;
    }
    picture(&site, "ann").await;
    site.sql("update users set digest = 'daily', digested_at = 5 where id = 2").await;
    site.sql("insert into two_factors (user_id, secret, confirmed_at, created_at) values (3, 'x', 1, 1)").await;
    site.sql("insert into emails (\"to\", subject, text, status, next_attempt_at, created_at) values ('a@example.org', 'waits', '', 'queued', 1, 1)").await;
    site.sql("insert into password_reset_tokens (user_id, token_hash, created_at, expires_at) values (1, 'h', 1, 9000000000000000)").await;
    (site, ann)
}

pub async fn upload(who: &Program, room: i64, name: &str, bytes: Vec<u8>) -> Value {
    let form = Form::new().part("file", Part::bytes(bytes).file_name(name.to_owned()));
    let request = who.client.post(format!("{}/api/v1/chat/rooms/{room}/messages", who.base)).multipart(form);
    let answer = request.bearer_auth(who.access.as_deref().unwrap()).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    answer.json().await.unwrap()
}

/// Gives somebody a picture.
async fn picture(site: &Site, name: &str) {
    let mut bytes = std::io::Cursor::new(Vec::new());
    RgbImage::new(40, 30).write_to(&mut bytes, ImageFormat::Png).unwrap();
    let form = Form::new().part("avatar", Part::bytes(bytes.into_inner()).file_name("me.png"));
    let page = Visitor::logged_in(site, name).await.post_multipart("/settings/avatar", form).await;
    assert_eq!(page.status.as_u16(), 303, "{}", page.text);
}

/// The entries of an archive, to be put together otherwise.
pub fn entries(archive: &Path) -> Vec<(String, Vec<u8>)> {
    let frame = zstd::Decoder::new(std::fs::File::open(archive).unwrap()).unwrap();
    let mut tar = tar::Archive::new(frame);
    let read = |entry: std::io::Result<tar::Entry<_>>| {
        let mut entry = entry.unwrap();
        let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
        (name, bytes)
    };
    tar.entries().unwrap().map(read).collect()
}

/// An archive made by hand, of anything.
pub struct Forged(Builder<zstd::Encoder<'static, std::fs::File>>);

impl Forged {
    pub fn new(path: &Path) -> Self {
        Self(Builder::new(zstd::Encoder::new(std::fs::File::create(path).unwrap(), 1).unwrap()))
    }

    pub fn add(&mut self, name: &str, bytes: &[u8]) -> &mut Self {
        self.add_as(EntryType::Regular, name, bytes.len() as u64, bytes)
    }

    /// Whatever the header is to say.
    pub fn add_as(&mut self, kind: EntryType, name: &str, size: u64, bytes: impl std::io::Read) -> &mut Self {
        let mut header = Header::new_gnu();
        // The library's own way refuses names that lead out of a folder.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(0o644);
        header.set_cksum();
        self.0.append(&header, bytes).unwrap();
        self
    }

    pub fn end(self) {
        self.0.into_inner().unwrap().finish().unwrap().flush().unwrap();
    }
}
