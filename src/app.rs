//! [`App`], what every handler and domain function is given: the settings, the database, the hub, the writer.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::Notify;

use crate::admin::dashboard::tally::Tallies;
use crate::admin::import::pending::Imports;
use crate::attachments::disk::Files;
use crate::auth::api_tokens::ShownTokens;
use crate::auth::keys::Keys;
use crate::auth::last_use::LastUses;
use crate::auth::session::kept::Sessions;
use crate::auth::throttle::Throttle;
use crate::auth::token::Verified;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::Db;
use crate::error::Result;
use crate::link::{Lasting, Server};
use crate::live::bus::Bus;
use crate::live::hub::Hub;
use crate::mail::Mail;
use crate::messages::limit::MessageLimit;
use crate::messages::recent::Recent;
use crate::messages::writer::{AfterCommit, Writer};
use crate::metrics::Metrics;
use crate::push::Push;
use crate::push::keys::SiteKey;
use crate::push::network::Reach;
use crate::rooms::Rooms;
use crate::rooms::members::joining::Waiting;
use crate::settings::{self, Settings};
use crate::users::turns::Turns;
use crate::users::{self, Via};
use crate::web::pages::chat::kept::Pages;
use crate::{admin, auth, config};

/// Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

pub struct Parts {
    pub config: Config,
    pub db: Db,
    pub hub: Hub,
    /// The newest messages of rooms, kept for all nodes.
    pub recent: Option<Recent>,
    /// Where Redis is.
    pub redis: Option<Server>,
    pub writer: Writer,
    pub keys: Keys,
    pub throttle: Throttle,
    /// Sessions that were asked for lately.
    pub sessions: Sessions,
    pub access_tokens: Verified,
    /// Who waits for whose a token is.
    pub api_tokens: ShownTokens,
    /// Sessions and tokens whose time of last use is being written.
    pub last_uses: LastUses,
    /// Who waits for a room as they see it; nothing is kept.
    pub rooms: Rooms,
    /// Pages of rooms, likewise.
    pub pages: Pages,
    pub metrics: Arc<Metrics>,
    pub mail: Mail,
    pub push: Push,
    pub clock: Clock,
    pub message_limit: MessageLimit,
    /// Those who wait to be put into a room.
    pub joining: Waiting,
    /// What the dashboard counted last.
    pub tallies: Tallies,
    pub imports: Imports,
    /// Who is taking their data away.
    pub exports: Turns,
    /// Who is uploading a picture: each takes megabytes while it waits to be decoded.
    pub uploads: Turns,
    /// Uploaded files on disk.
    pub files: Files,
    /// Rung when somebody's messages are to be erased.
    pub departures: Notify,
    settings: RwLock<Held>,
    setup_token: Mutex<Option<String>>,
    /// Wrong passwords where the password was asked for again.
    guesses: Mutex<HashMap<Via, u32>>,
}

/// The site's choices, and how often they were put here: what was read before others came in is older than they are.
struct Held {
    settings: Arc<Settings>,
    times: u64,
}

/// What a test may put in the place of the real thing.
#[derive(Clone, Default)]
pub struct Seams {
    pub clock: Clock,
    pub after_commit: Option<AfterCommit>,
    pub push_reach: Reach,
}

impl Deref for App {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    /// Opens and migrates the database and starts the writer. Errors: what stops the start, in one line.
    pub async fn start(config: Config, seams: Seams) -> Result<Self> {
        let db = Db::open_with(config.database_url.reveal(), config.pooling).await?;
        db.migrate().await?;
        let mut conn = db.read().await?;
        admin::schema::check_all(&mut conn).await?;
        let settings = settings::load(&mut conn).await?;
        let setup_token = (!users::exist(&mut conn).await?).then(auth::random_token);
        drop(conn);
        let keys = Keys::new(&config::secret_key(&config)?);
        let push = Push::new(SiteKey::load(&db, &keys, seams.clock.now()).await?, seams.push_reach)?;
        let redis = config.redis_url.as_ref().map(|url| Server::parse(url.reveal())).transpose()?;
        let site = format!("switchboard:{}", &auth::token_hash(&db.site_name().await?)[..16]);
        let hub = Hub::new(match &redis {
            // One process serves on SQLite.
            Some(server) if db.has_other_writers() => Bus::redis(server.clone(), site.clone()),
            _ => Bus::Local,
        });
        let metrics = Arc::new(Metrics::new()?);
        let (clock, after_commit) = (seams.clock.clone(), seams.after_commit);
        Ok(Self(Arc::new(Parts {
            writer: Writer::start(db.clone(), hub.clone(), push.clone(), metrics.clone(), clock, after_commit),
            metrics,
            message_limit: MessageLimit::new(config.message_rate),
            joining: Waiting::default(),
            sessions: Sessions::default(),
            access_tokens: Verified::default(),
            api_tokens: ShownTokens::default(),
            last_uses: LastUses::default(),
            rooms: Rooms::default(),
            pages: Pages::new(config.page_cache),
            tallies: Tallies::default(),
            imports: Imports::default(),
            throttle: Throttle::new(&config, seams.clock.clone(), &keys, redis.clone().map(Lasting::new))?,
            recent: redis.clone().map(|server| Recent::new(Lasting::new(server), site)),
            redis,
            exports: Turns::default(),
            uploads: Turns::default(),
            files: Files::default(),
            departures: Notify::new(),
            clock: seams.clock,
            settings: RwLock::new(Held { settings: Arc::new(settings), times: 0 }),
            setup_token: Mutex::new(setup_token),
            guesses: Mutex::default(),
            mail: Mail::new(&config)?,
            keys,
            push,
            config,
            db,
            hub,
        })))
    }

    /// The site's choices, at most a second old.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).settings.clone()
    }

    /// Reads the site's choices anew. Cost: 1 query of a handful of rows.
    pub async fn refresh_settings(&self) -> Result<()> {
        loop {
            let before = self.settings.read().unwrap_or_else(PoisonError::into_inner).times;
            let settings = settings::load(&mut self.db.read().await?).await?;
            let mut held = self.settings.write().unwrap_or_else(PoisonError::into_inner);
            if held.times == before {
                *held = Held { settings: Arc::new(settings), times: before + 1 };
                return Ok(());
            }
        }
    }

    /// The site's choices from now on, as they were just stored.
    pub fn hold_settings(&self, settings: Settings) {
        let mut held = self.settings.write().unwrap_or_else(PoisonError::into_inner);
        *held = Held { settings: Arc::new(settings), times: held.times + 1 };
    }

    /// Counts a wrong password of whoever is signed in so; says how many there were.
    pub fn count_guess(&self, via: Via) -> u32 {
        let mut guesses = self.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        let count = guesses.entry(via).or_default();
        *count += 1;
        *count
    }

    pub fn forget_guesses(&self, via: Via) {
        self.guesses.lock().unwrap_or_else(PoisonError::into_inner).remove(&via);
    }

    /// The one-time token of the setup link, while the site has nobody.
    pub fn setup_token(&self) -> Option<String> {
        self.setup_token.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The setup link is worth nothing from now on.
    pub fn end_setup(&self) {
        self.setup_token.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}
