//! The way to Redis, which every part that uses it takes: one server, the master that Sentinels name, or a Cluster. Called
//! by `live/bus/talk.rs`, `auth/throttle/shared.rs`, `messages/recent.rs`, `/health` and `check`.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};

use redis::aio::{AsyncPushSender, ConnectionLike, MultiplexedConnection, SendError};
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, FromRedisValue, Pipeline, ProtocolVersion, PushInfo,
    RedisError, RedisFuture, RedisResult, TlsMode, Value,
};
use tokio::sync::Mutex;
use url::Url;

use crate::config::mask_password;
use crate::error::{Error, Result};

/// How long a connection may take to be made, and an answer to come.
const PATIENCE: Duration = Duration::from_secs(2);
/// Questions to the servers of a cluster that are open at a time.
const AT_ONCE: usize = 64;

/// Where Redis is, as REDIS_URL says it.
#[derive(Clone, Debug)]
pub struct Server {
    kind: Kind,
    shown: String,
}

#[derive(Clone, Debug)]
enum Kind {
    One(Url),
    Sentinel { hosts: Hosts, service: String, db: i64 },
    Cluster(Hosts),
}

/// `user:password@host:port,host:port`.
#[derive(Clone, Debug)]
struct Hosts {
    user: Option<String>,
    password: Option<String>,
    places: Vec<(String, u16)>,
    tls: bool,
}

/// Takes what is said on channels; never waits.
#[derive(Clone)]
pub struct Ear(Arc<dyn Fn(PushInfo) + Send + Sync>);

impl Ear {
    pub fn new(take: impl Fn(PushInfo) + Send + Sync + 'static) -> Self {
        Self(Arc::new(take))
    }
}

impl AsyncPushSender for Ear {
    fn send(&self, said: PushInfo) -> Result<(), SendError> {
        (self.0)(said);
        Ok(())
    }
}

/// A connection. Cloning shares it.
#[derive(Clone)]
pub enum Link {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Server {
    /// `redis://…` or `rediss://…` of one server; with `+sentinel`, hosts by commas and `/service` or `/service/db`; with
    /// `+cluster`, hosts by commas. Errors: what isn't such an address.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || {
            Error::startup(format!(
                "REDIS_URL = \"{}\" can't be used: redis://HOST, redis+sentinel://HOST,HOST/SERVICE or \
                 redis+cluster://HOST,HOST",
                mask_password(text)
            ))
        };
        let kind = match text.split_once("://") {
            Some(("redis" | "rediss" | "unix" | "redis+unix", _)) => {
                let mut url = Url::parse(text).map_err(|_| wrong())?;
                if !url.query_pairs().any(|(name, _)| name == "protocol") {
                    url.query_pairs_mut().append_pair("protocol", "resp3");
                }
                Client::open(url.as_str()).map_err(|_| wrong())?;
                Kind::One(url)
            }
            Some((scheme @ ("redis+sentinel" | "rediss+sentinel"), rest)) => {
                let (hosts, path) = rest.split_once('/').ok_or_else(wrong)?;
                let (service, db) = path.split_once('/').unwrap_or((path, "0"));
                let hosts = Hosts::parse(hosts, 26379, scheme.starts_with("rediss")).ok_or_else(wrong)?;
                let db = db.parse().map_err(|_| wrong())?;
                Kind::Sentinel {
                    hosts,
                    service: Some(service.to_owned()).filter(|s| !s.is_empty()).ok_or_else(wrong)?,
                    db,
                }
            }
            Some((scheme @ ("redis+cluster" | "rediss+cluster"), rest)) => Kind::Cluster(
                Hosts::parse(rest.trim_end_matches('/'), 6379, scheme.starts_with("rediss")).ok_or_else(wrong)?,
            ),
            _ => return Err(wrong()),
        };
        Ok(Self { kind, shown: mask_password(text) })
    }

    /// The address without its password.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Whether channels belong to slots, as a cluster's do.
    pub fn is_cluster(&self) -> bool {
        matches!(self.kind, Kind::Cluster(_))
    }

    /// Connects; what is said on channels goes to `heard`. Errors: Redis isn't there within two seconds.
    pub async fn connect(&self, heard: Option<Ear>) -> RedisResult<Link> {
        tokio::time::timeout(2 * PATIENCE, self.connect_at_last(heard))
            .await
            .unwrap_or_else(|_| Err(RedisError::from((redis::ErrorKind::Io, "no answer"))))
    }

    async fn connect_at_last(&self, heard: Option<Ear>) -> RedisResult<Link> {
        let mut config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENCE)).set_response_timeout(Some(PATIENCE));
        match &self.kind {
            Kind::One(url) => {
                config = heard.into_iter().fold(config, AsyncConnectionConfig::set_push_sender);
                let client = Client::open(url.as_str())?;
                Ok(Link::One(client.get_multiplexed_async_connection_with_config(&config).await?))
            }
            Kind::Sentinel { hosts, service, db } => {
                config = heard.into_iter().fold(config, AsyncConnectionConfig::set_push_sender);
                let mut client = hosts.sentinel(service, *db)?;
                Ok(Link::One(client.get_async_connection_with_config(&config).await?))
            }
            Kind::Cluster(hosts) => {
                let mut builder = hosts.cluster();
                if let Some(heard) = heard {
                    builder = builder.push_sender(heard);
                }
                Ok(Link::Cluster(builder.build()?.get_async_connection().await?))
            }
        }
    }

    /// Asks one trivial question. Errors: what is wrong, with the address.
    pub async fn ping(&self) -> Result<()> {
        let asked = async { self.connect(None).await?.ask::<String>(&redis::cmd("PING")).await };
        let fault = |e: RedisError| Error::Startup(format!("Redis at {} doesn't answer: {e}", self.shown));
        asked.await.map(|_| ()).map_err(fault)
    }
}

impl Hosts {
    fn parse(text: &str, port: u16, tls: bool) -> Option<Self> {
        let (login, hosts) = text.rsplit_once('@').map_or((None, text), |(login, hosts)| (Some(login), hosts));
        let plain = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        let (user, password) = match login.map(|login| login.split_once(':').unwrap_or((login, ""))) {
            Some((user, password)) => (Some(plain(user)), Some(plain(password))),
            None => (None, None),
        };
        let place = |host: &str| match host.rsplit_once(':') {
            Some((host, port)) => Some((host.to_owned(), port.parse().ok()?)),
            None => Some((host.to_owned(), port)),
        };
        let places: Option<Vec<_>> = hosts.split(',').map(place).collect();
        let filled = |text: &String| !text.is_empty();
        let places = places.filter(|places| places.iter().all(|(host, _)| filled(host)))?;
        Some(Self { user: user.filter(filled), password: password.filter(filled), places, tls })
    }

    fn sentinel(&self, service: &str, db: i64) -> RedisResult<redis::sentinel::SentinelClient> {
        let place = |(host, port): &(String, u16)| match self.tls {
            true => ConnectionAddr::TcpTls { host: host.clone(), port: *port, insecure: false, tls_params: None },
            false => ConnectionAddr::Tcp(host.clone(), *port),
        };
        let places = self.places.iter().map(place);
        let mut builder = SentinelClientBuilder::new(places, service, SentinelServerType::Master)?
            .set_client_to_redis_protocol(ProtocolVersion::RESP3)
            .set_client_to_redis_db(db);
        if let Some(user) = &self.user {
            builder = builder.set_client_to_redis_username(user);
        }
        if let Some(password) = &self.password {
            builder = builder.set_client_to_redis_password(password);
        }
        if self.tls {
            builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
        }
        builder.build()
    }

    fn cluster(&self) -> ClusterClientBuilder {
        let scheme = if self.tls { "rediss" } else { "redis" };
        let places = self.places.iter().map(|(host, port)| format!("{scheme}://{host}:{port}/"));
        let mut builder = ClusterClientBuilder::new(places)
            .use_protocol(ProtocolVersion::RESP3)
            .connection_timeout(PATIENCE)
            .response_timeout(PATIENCE);
        if let Some(user) = &self.user {
            builder = builder.username(user);
        }
        if let Some(password) = &self.password {
            builder = builder.password(password);
        }
        builder
    }
}

impl Link {
    /// Cost: 1 round trip.
    pub async fn ask<T: FromRedisValue>(&mut self, command: &Cmd) -> RedisResult<T> {
        command.query_async(self).await
    }

    /// Says what follows on each of `channels`. Cost: 1 round trip, in a cluster one each.
    pub async fn publish(&mut self, said: &[(String, Vec<u8>)]) -> RedisResult<()> {
        match self {
            Self::One(link) => {
                let mut all = redis::pipe();
                for (channel, text) in said {
                    all.cmd("PUBLISH").arg(channel).arg(text).ignore();
                }
                all.query_async(link).await
            }
            Self::Cluster(link) => {
                let one = |(channel, text): &(String, Vec<u8>)| {
                    let mut command = redis::cmd("SPUBLISH");
                    command.arg(channel).arg(text);
                    let mut link = link.clone();
                    async move { command.query_async::<i64>(&mut link).await }
                };
                // Of two on one channel the later may come first: revisions don't mind, and who is where is told again.
                futures_util::future::try_join_all(said.iter().map(one)).await.map(|_| ())
            }
        }
    }

    /// Follows `channels`. Cost: 1 round trip, in a cluster one each.
    pub async fn follow(&mut self, channels: &[String]) -> RedisResult<()> {
        match self {
            Self::One(link) => link.subscribe(channels).await,
            Self::Cluster(link) => on_each(link, channels, true).await,
        }
    }

    /// Follows them no longer.
    pub async fn unfollow(&mut self, channels: &[String]) -> RedisResult<()> {
        match self {
            Self::One(link) => link.unsubscribe(channels).await,
            Self::Cluster(link) => on_each(link, channels, false).await,
        }
    }
}

async fn on_each(link: &ClusterConnection, channels: &[String], follows: bool) -> RedisResult<()> {
    let ask = |channel: &String| {
        let (mut link, channel) = (link.clone(), channel.clone());
        async move {
            match follows {
                true => link.ssubscribe(channel).await,
                false => link.sunsubscribe(channel).await,
            }
        }
    };
    stream::iter(channels.iter().map(ask)).buffer_unordered(AT_ONCE).try_collect().await
}

impl ConnectionLike for Link {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::One(link) => link.req_packed_command(command),
            Self::Cluster(link) => link.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::One(link) => link.req_packed_commands(commands, offset, count),
            Self::Cluster(link) => link.req_packed_commands(commands, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::One(link) => link.get_db(),
            Self::Cluster(link) => link.get_db(),
        }
    }
}

/// A connection that is made when it is needed, and anew after a fault. Who has no patience finds it made the next time.
pub struct Lasting {
    server: Server,
    link: Arc<Mutex<Option<Link>>>,
}

impl Lasting {
    pub fn new(server: Server) -> Self {
        Self { server, link: Arc::default() }
    }

    /// The connection; while somebody makes it, this waits. Errors: Redis isn't there.
    pub async fn get(&self) -> RedisResult<Link> {
        let mut place = self.link.clone().lock_owned().await;
        if let Some(link) = &*place {
            return Ok(link.clone());
        }
        let server = self.server.clone();
        // It goes on when whoever asked has given up.
        let made = tokio::spawn(async move { Ok(place.insert(server.connect(None).await?).clone()) });
        made.await.unwrap_or_else(|_| Err(RedisError::from((redis::ErrorKind::Io, "the connection can't be made"))))
    }

    /// What went wrong on it; when it is broken the next caller makes another.
    pub fn blame(&self, error: &RedisError) {
        if error.is_io_error() || error.is_unrecoverable_error() {
            self.forget();
        }
    }

    fn forget(&self) {
        if let Ok(mut link) = self.link.try_lock() {
            link.take();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_servers_sentinels_and_clusters_are_read() {
        for good in [
            "redis://localhost",
            "rediss://user:secret@cache.example.org:6380/2",
            "redis+sentinel://one,two:26380/main",
            "rediss+sentinel://:secret@one/main/3",
            "redis+cluster://:secret@one:7000,two:7001",
        ] {
            assert!(Server::parse(good).is_ok(), "{good}");
        }
        for bad in
            ["http://localhost", "redis+sentinel://one", "redis+sentinel://one/", "redis+cluster://", "localhost"]
        {
            let error = Server::parse(bad).unwrap_err().to_string();
            assert!(error.contains("REDIS_URL"), "{error}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        for address in ["rediss://:hush@one", "redis+sentinel://:hush@one,two/main", "redis+cluster://:hush@one:x"] {
            let shown = match Server::parse(address) {
                Ok(server) => server.shown().to_owned(),
                Err(error) => error.to_string(),
            };
            assert!(!shown.contains("hush"), "{shown}");
        }
    }
}
