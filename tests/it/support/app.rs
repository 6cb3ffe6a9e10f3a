//! A server of a test's own, in this process: real router, real sockets, a database nobody else sees.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::Connection;
use switchboard::app::{App, Seams};
use switchboard::cli::serve::serve;
use switchboard::config::{Config, Sources};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Runs one test on each engine.
macro_rules! both {
    ($(#[$doc:meta])* async fn $name:ident($engine:ident: Engine) $body:block) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            $(#[$doc])*
            async fn test($engine: $crate::support::app::Engine) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                test($crate::support::app::Engine::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                if $crate::support::app::postgres_url().is_some() {
                    test($crate::support::app::Engine::Postgres).await;
                } else {
                    eprintln!("skipped: TEST_POSTGRES_URL isn't set; tests/run sets it");
                }
            }
        }
    };
}
pub(crate) use both;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

pub fn postgres_url() -> Option<String> {
    std::env::var("TEST_POSTGRES_URL").ok()
}

/// A database nobody else sees; gone when dropped (SQLite) or with the throwaway cluster (PostgreSQL).
pub struct Database {
    pub url: String,
    pub folder: TempDir,
}

impl Database {
    pub async fn new(engine: Engine) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let folder = tempfile::tempdir().unwrap();
        let url = match engine {
            Engine::Sqlite => format!("sqlite://{}", folder.path().join("test.db").display()),
            Engine::Postgres => {
                let schema = format!("t{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
                let base = postgres_url().unwrap();
                let mut conn = sqlx::PgConnection::connect(&base).await.unwrap();
                sqlx::query(&format!("create schema {schema}")).execute(&mut conn).await.unwrap();
                conn.close().await.unwrap();
                format!("{base}?options=-csearch_path%3D{schema}")
            }
        };
        Self { url, folder }
    }
}

/// A running server.
pub struct Site {
    pub app: App,
    pub address: SocketAddr,
    pub database: Database,
    stop: Option<oneshot::Sender<()>>,
    served: Option<JoinHandle<()>>,
}

/// How a test's server differs from the default one.
#[derive(Clone, Default)]
pub struct Options {
    pub settings: Vec<(&'static str, &'static str)>,
    pub seams: Seams,
}

impl Site {
    pub async fn new(engine: Engine) -> Self {
        Self::with(engine, Options::default()).await
    }

    pub async fn with(engine: Engine, options: Options) -> Self {
        Self::over(Database::new(engine).await, 0, options).await
    }

    /// A server over a database that is there already, on `port` (0: any).
    pub async fn over(database: Database, port: u16, options: Options) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let config = config(&database, address, &options.settings);
        let app = App::start(config, options.seams).await.unwrap();
        let (stop, stopped) = oneshot::channel();
        let running = app.clone();
        let served = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            serve(running, listener, stopped).await.unwrap();
        });
        Self { app, address, database, stop: Some(stop), served: Some(served) }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Stops the server as SIGTERM would, and gives its database back.
    pub async fn stop(mut self) -> Database {
        drop(self.stop.take());
        self.served.take().unwrap().await.unwrap();
        self.database
    }

    /// Runs one statement, for what no page does yet.
    pub async fn sql(&self, sql: &str) {
        let mut tx = self.app.db.write().await.unwrap();
        switchboard::on_db!(tx, c => sqlx::query(sql).execute(c).await.map(|_| ())).unwrap();
        tx.commit().await.unwrap();
    }

    /// Disables an account, as the command line does.
    pub async fn disable(&self, user: &switchboard::users::User) {
        let mut work = switchboard::work::Work::begin(&self.app, None).await.unwrap();
        switchboard::users::change::set_active(&mut work, user, false).await.unwrap();
        work.commit().await.unwrap();
    }

    /// One number from the database.
    pub async fn number(&self, sql: &str) -> i64 {
        let mut conn = self.app.db.read().await.unwrap();
        switchboard::on_db!(conn, c => sqlx::query_scalar(sql).fetch_one(c).await).unwrap()
    }
}

fn config(database: &Database, address: SocketAddr, settings: &[(&'static str, &'static str)]) -> Config {
    let mut flags = BTreeMap::from([
        ("BIND".to_owned(), address.to_string()),
        ("DATABASE_URL".to_owned(), database.url.clone()),
        ("MESSAGE_RATE".to_owned(), "off".to_owned()),
        ("LOGIN_RATE".to_owned(), "off".to_owned()),
        ("SECRET_KEY".to_owned(), "for tests only, and for nothing else".to_owned()),
        ("UPLOAD_DIR".to_owned(), database.folder.path().join("uploads").display().to_string()),
    ]);
    flags.extend(settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    Config::load(&Sources { folder: database.folder.path().into(), environment: false, flags }).unwrap()
}
