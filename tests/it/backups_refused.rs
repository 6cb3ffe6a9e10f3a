//! What isn't a sound backup of this program's is refused in one line, before anything of the site is touched.

use std::io::Read;
use std::path::{Path, PathBuf};

use tar::EntryType;

use crate::support::app::{Database, Engine, both};
use crate::support::archive::{Forged, KEY, assert_same, backup, command, dump, entries, files, furnished, refused};
use crate::support::process::texts;

/// A sound archive, and the site that it is of, stopped.
async fn saved(engine: Engine) -> (Database, PathBuf) {
    let (site, _) = furnished(engine).await;
    let database = site.stop().await;
    let archive = backup(&database, "site.tar.zst").await;
    (database, archive)
}

/// `archive` with its entries changed.
fn altered(archive: &Path, change: impl FnOnce(&mut Vec<(String, Vec<u8>)>)) -> PathBuf {
    let mut entries = entries(archive);
    change(&mut entries);
    let path = archive.with_file_name(format!("altered-{}", rand::random::<u32>()));
    let mut forged = Forged::new(&path);
    for (name, bytes) in &entries {
        forged.add(name, bytes);
    }
    forged.end();
    path
}

fn text(entries: &mut [(String, Vec<u8>)], name: &str, change: impl FnOnce(&str) -> String) {
    let (_, bytes) = entries.iter_mut().find(|(entry, _)| entry == name).unwrap();
    *bytes = change(std::str::from_utf8(bytes).unwrap()).into_bytes();
}

both! {
    async fn what_is_damaged_cut_short_foreign_or_newer_is_refused_and_nothing_is_touched(engine: Engine) {
        let (database, archive) = saved(engine).await;
        let before = (dump(&database.url).await, files(&database.folder.path().join("uploads")));
        let folder = database.folder.path();
        let write = |name: &str, bytes: &[u8]| {
            std::fs::write(folder.join(name), bytes).unwrap();
            folder.join(name)
        };
        let bytes = std::fs::read(&archive).unwrap();
        let mut flipped = bytes.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 1;
        let mut cases = vec![
            (write("flipped", &flipped), "site"),
            (write("short", &bytes[..bytes.len() - 20]), "cut short"),
            (write("shorter", &bytes[..bytes.len() / 3]), "cut short"),
            (write("empty", b""), "isn't a backup"),
            (write("foreign", b"PK\x03\x04 a zip of something else"), "isn't a backup"),
            (write("sqlite", b"SQLite format 3\0"), "isn't a backup"),
            (write("longer", &[bytes.as_slice(), b"more"].concat()), "damaged"),
            (folder.join("nowhere"), "can't be read"),
        ];
        cases[0].1 = "";
        for (change, says) in [
            (Box::new(|all: &mut Vec<(String, Vec<u8>)>| text(all, "about.json", |old| old.replace("\"migration\": ", "\"migration\": 99"))) as Box<dyn Fn(&mut Vec<_>)>, "newer Switchboard"),
            (Box::new(|all: &mut Vec<_>| text(all, "about.json", |old| old.replace("\"format\": 1", "\"format\": 2"))), "newer Switchboard"),
            (Box::new(|all: &mut Vec<_>| text(all, "manifest.json", |old| old.replace("\"files\": 2", "\"files\": 3"))), "isn't what was written"),
            (Box::new(|all: &mut Vec<_>| text(all, "manifest.json", |_| "{".to_owned())), "can't be read"),
            (Box::new(|all: &mut Vec<_>| text(all, "secret_key", |old| old.replace("for", "FOR"))), "isn't what was written"),
            (Box::new(|all: &mut Vec<_>| { all.pop(); }), "cut short"),
            (Box::new(|all: &mut Vec<_>| { all.remove(2); }), "missing"),
            (Box::new(|all: &mut Vec<_>| { all.remove(0); }), "doesn't begin"),
            (Box::new(|all: &mut Vec<_>| { all.remove(3); }), "isn't what was written"),
            (Box::new(|all: &mut Vec<_>| all.swap(1, 2)), "out of order"),
            (Box::new(|all: &mut Vec<_>| { let again = all[3].clone(); all.insert(4, again); }), "out of order"),
            (Box::new(|all: &mut Vec<_>| all[2].1[5000] ^= 1), "database in it is damaged"),
            (Box::new(|all: &mut Vec<_>| all[3].1[0] ^= 1), "is damaged"),
        ] {
            cases.push((altered(&archive, change), says));
        }
        for (path, says) in cases {
            let error = refused(&database, &path, &["--force"]).await;
            assert!(error.contains(says), "{}: {error} and not “{says}”", path.display());
        }
        assert_same(&before.0, &dump(&database.url).await);
        assert_eq!(before.1, files(&database.folder.path().join("uploads")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_leads_out_of_the_folder_that_it_is_unpacked_into() {
    let (database, archive) = saved(Engine::Sqlite).await;
    let folder = database.folder.path();
    let about = entries(&archive).swap_remove(0).1;
    let digest = "0".repeat(64);
    for name in [
        "../escaped",
        "/tmp/escaped",
        "uploads/files/../../escaped",
        "uploads/avatars/../escaped",
        "./about.json",
        "uploads/files/x",
        "uploads",
        "uploads/files/",
        "about.json",
    ] {
        let path = folder.join("tricky");
        let mut forged = Forged::new(&path);
        forged.add("about.json", &about).add(name, b"x");
        forged.end();
        let error = refused(&database, &path, &["--force"]).await;
        assert!(error.contains("which no backup has") || error.contains("out of order"), "{name}: {error}");
    }
    for kind in [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Char,
        EntryType::Block,
        EntryType::Fifo,
        EntryType::Directory,
        EntryType::GNULongName,
        EntryType::XHeader,
        EntryType::GNUSparse,
    ] {
        let path = folder.join("tricky");
        let mut forged = Forged::new(&path);
        forged.add("about.json", &about).add_as(kind, &format!("uploads/files/{digest}"), 0, std::io::empty());
        forged.end();
        let error = refused(&database, &path, &["--force"]).await;
        assert!(error.contains("no plain file"), "{kind:?}: {error}");
    }
    assert!(!folder.join("escaped").exists() && !Path::new("/tmp/escaped").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bomb_is_refused_before_it_takes_any_room() {
    let (database, archive) = saved(Engine::Sqlite).await;
    let folder = database.folder.path();
    let about = entries(&archive).swap_remove(0).1;
    // Says that it is a petabyte, and ends soon.
    let path = folder.join("petabyte");
    let mut forged = Forged::new(&path);
    forged.add("about.json", &about).add_as(
        EntryType::Regular,
        "switchboard.db",
        1 << 50,
        std::io::repeat(0).take(1 << 20),
    );
    forged.end();
    assert!(refused(&database, &path, &["--force"]).await.contains("isn't room"));
    // Short entries that aren't, and a manifest nobody could hold.
    for name in ["secret_key", "manifest.json"] {
        let mut forged = Forged::new(&path);
        forged.add("about.json", &about).add_as(EntryType::Regular, name, 1 << 30, std::io::repeat(b' ').take(1 << 30));
        forged.end();
        assert!(refused(&database, &path, &["--force"]).await.contains("larger than it may be"));
    }
    let left = std::fs::read_dir(folder.join("uploads")).unwrap().map(|file| file.unwrap().file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().starts_with(".restore")));
}

both! {
    async fn a_site_that_is_there_stays_without_force(engine: Engine) {
        let (database, archive) = saved(engine).await;
        // A database that was only begun, and uploads alone, are a site too.
        let begun = Database::new(engine).await;
        assert!(command(&begun, &["migrate"], None).await.status.success());
        assert!(refused(&begun, &archive, &[]).await.contains("site in this database"));
        let uploads = Database::new(engine).await;
        std::fs::create_dir_all(uploads.folder.path().join("uploads/files")).unwrap();
        std::fs::write(uploads.folder.path().join("uploads/files").join("a".repeat(64)), "x").unwrap();
        assert!(refused(&uploads, &archive, &[]).await.contains("uploads in"));
        drop(database);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_broken_is_replaced_all_the_same() {
    let (database, archive) = saved(Engine::Sqlite).await;
    let before = dump(&database.url).await;
    let file = database.folder.path().join("test.db");
    std::fs::write(&file, "this was a database once").unwrap();
    std::fs::write(database.folder.path().join("test.db-wal"), "what a crash left of it").unwrap();
    let broken = command(&database, &["backup", "other.tar.zst"], Some(KEY)).await;
    assert!(!broken.status.success() && !database.folder.path().join("other.tar.zst").exists(), "{:?}", texts(&broken));
    assert!(refused(&database, &archive, &[]).await.contains("--force"));
    let done = command(&database, &["restore", "site.tar.zst", "--force"], Some(KEY)).await;
    assert!(done.status.success(), "{:?}", texts(&done));
    let now = dump(&database.url).await;
    assert_eq!((&before["messages"], &before["reactions"]), (&now["messages"], &now["reactions"]));
}

both! {
    async fn a_database_of_a_newer_version_is_not_saved_halfway(engine: Engine) {
        let (site, _) = furnished(engine).await;
        let newer = "insert into _sqlx_migrations (version, description, success, checksum, execution_time) values (9999, 'later', true, '', 0)";
        site.sql(newer).await;
        let done = command(&site.database, &["backup", "site.tar.zst"], Some(KEY)).await;
        assert!(!done.status.success() && texts(&done).1.contains("newer Switchboard"), "{:?}", texts(&done));
        assert!(!site.database.folder.path().join("site.tar.zst").exists());
        site.stop().await;
    }
}
