//! The backup of each night: taken once by whichever node, kept in a number, and its failures told.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use switchboard::admin::dashboard;
use switchboard::app::{App, Seams};
use switchboard::archive::nightly;
use switchboard::clock::Clock;
use switchboard::config::{Config, Sources};
use switchboard::jobs::lease::Holder;

use crate::support::actors::Visitor;
use crate::support::app::{Database, Engine, Options, Site, both};
use crate::support::archive::{KEY, assert_same, dump, restored, settled};
use crate::support::process::Process;

const HOUR: i64 = 3600 * 1_000_000;
/// 2027-01-15T08:00:00Z.
const START: i64 = 1_800_000_000 * 1_000_000;

/// Two nodes on one database, whose jobs don't run by themselves; one clock.
struct Nodes {
    database: Database,
    apps: [App; 2],
    clock: Arc<AtomicI64>,
    holders: [Holder; 2],
}

impl Nodes {
    async fn new(engine: Engine) -> Self {
        let database = Database::new(engine).await;
        let folder = database.folder.path();
        let flags = [
            ("DATABASE_URL", database.url.clone()),
            ("SECRET_KEY", KEY.to_owned()),
            ("UPLOAD_DIR", folder.join("uploads").display().to_string()),
            ("BACKUP_DIR", folder.join("backups").display().to_string()),
            ("BACKUP_AT", "03:30".to_owned()),
            ("BACKUP_KEEP", "3".to_owned()),
        ];
        let flags = flags.map(|(key, value)| (key.to_owned(), value)).into();
        let config = Config::load(&Sources { folder: folder.into(), environment: false, flags }).unwrap();
        let clock = Arc::new(AtomicI64::new(START));
        let start = || App::start(config.clone(), Seams { clock: Clock::Fixed(clock.clone()), ..Seams::default() });
        let apps = [start().await.unwrap(), start().await.unwrap()];
        Self { database, apps, clock, holders: Default::default() }
    }

    /// Whether this node took one now.
    async fn take(&self, node: usize) -> bool {
        nightly::take_as(&self.apps[node], &self.holders[node]).await.unwrap().is_some()
    }

    fn pass(&self, hours: i64) {
        self.clock.fetch_add(hours * HOUR, Ordering::Relaxed);
    }

    fn kept(&self) -> Vec<String> {
        names(&self.database.folder.path().join("backups"))
    }

    async fn end(self) {
        for app in &self.apps {
            app.db.close().await;
        }
    }
}

fn names(folder: &Path) -> Vec<String> {
    let found = std::fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<String> = found.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

both! {
    async fn one_node_takes_it_once_a_night_and_the_oldest_go(engine: Engine) {
        let nodes = Nodes::new(engine).await;
        let (one, two) = tokio::join!(nodes.take(0), nodes.take(1));
        assert_eq!(u8::from(one) + u8::from(two), 1, "with a new setting at once, by one of them");
        assert!(!nodes.take(0).await && !nodes.take(1).await);
        let (at, bytes) = dashboard::stats(&nodes.apps[0]).await.unwrap().last_backup.unwrap();
        assert_eq!(at.to_string(), "2027-01-15T08:00:00.000Z", "the dashboard says so");
        assert!(bytes > 1000);
        assert_eq!(nodes.kept(), ["switchboard-2027-01-15T080000Z.tar.zst"]);
        nodes.pass(19);
        assert!(!nodes.take(1).await, "it is three at night");
        nodes.pass(1);
        assert!(nodes.take(1).await && !nodes.take(0).await);
        let folder = nodes.database.folder.path().join("backups");
        std::fs::write(folder.join("switchboard-before-the-move.tar.zst"), "the operator's own").unwrap();
        for day in 0..3 {
            nodes.pass(24);
            assert!(nodes.take(day % 2).await);
        }
        assert_eq!(nodes.kept(), [
            "switchboard-2027-01-17T040000Z.tar.zst",
            "switchboard-2027-01-18T040000Z.tar.zst",
            "switchboard-2027-01-19T040000Z.tar.zst",
            "switchboard-before-the-move.tar.zst",
        ]);
        let copy = restored(engine, &folder.join("switchboard-2027-01-19T040000Z.tar.zst")).await;
        assert_same(&settled(dump(&nodes.database.url).await), &settled(dump(&copy.url).await));
        nodes.end().await;
    }
}

both! {
    async fn one_that_fails_takes_no_older_one_away_and_is_tried_again_by_any_node(engine: Engine) {
        let nodes = Nodes::new(engine).await;
        assert!(nodes.take(0).await);
        nodes.pass(24);
        let folder = nodes.database.folder.path().join("backups");
        let away = nodes.database.folder.path().join("elsewhere");
        std::fs::rename(&folder, &away).unwrap();
        std::fs::write(&folder, "no folder").unwrap();
        let error = nightly::take_as(&nodes.apps[0], &nodes.holders[0]).await.err().unwrap().to_string();
        assert!(error.contains("BACKUP_DIR"), "{error}");
        std::fs::remove_file(&folder).unwrap();
        std::fs::rename(&away, &folder).unwrap();
        assert_eq!(nodes.kept(), ["switchboard-2027-01-15T080000Z.tar.zst"]);
        assert!(!nodes.take(1).await, "not in the same breath");
        nodes.pass(1);
        assert!(nodes.take(1).await);
        assert_eq!(nodes.kept().len(), 2);
        nodes.end().await;
    }
}

both! {
    async fn a_server_takes_it_by_itself_and_says_so(engine: Engine) {
        let environment = [("BACKUP_DIR", "backups"), ("RUST_LOG", "info")];
        let mut process = Process::with(Database::new(engine).await, "127.0.0.1:0", &environment).await;
        process.logs("the nightly backup was taken").await;
        assert_eq!(names(&process.database.folder.path().join("backups")).len(), 1);
        assert_eq!(process.terminate().await, 0);
    }
}

both! {
    async fn staff_are_told_that_there_is_none(engine: Engine) {
        // Where nobody can make a folder.
        let settings = vec![("BACKUP_DIR", "/proc/backups")];
        let site = Site::with(engine, Options { settings, ..Options::default() }).await;
        let ann = Visitor::admin(&site, "ann").await;
        assert!(ann.get("/admin/").await.text.contains("No nightly backup has been taken yet."));
        let now = site.app.clock.now();
        let held = |until: i64| format!("insert into leases (job, holder, until) values ('{}', 'x', {until})
            on conflict (job) do update set until = excluded.until", nightly::DONE);
        site.sql(&held(now.0 - HOUR)).await;
        assert!(!ann.get("/admin/").await.text.contains("nightly backup"));
        site.sql(&held(now.0 - 3 * HOUR)).await;
        assert!(ann.get("/admin/").await.text.contains("The nightly backup of "));
        site.stop().await;
    }
}
