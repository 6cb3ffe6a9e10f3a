//! From the texts of the settings to their types; each refusal names the key, the value and what is accepted.

use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use time::Time;
use time::macros::format_description;
use url::Url;

use super::{Config, LogFormat, SETTINGS, Secret, mask};
use crate::db::postgres::Pooling;
use crate::error::{Error, Result};
use crate::i18n::Language;
use crate::link::Server;

/// So many events in a period, of which `burst` may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub count: NonZeroU32,
    pub period: Duration,
    pub burst: NonZeroU32,
}

type Texts = BTreeMap<&'static str, String>;

pub(super) fn config(texts: Texts) -> Result<Config> {
    let debug = required(&texts, "DEBUG", "true or false", boolean)?;
    let bind = required(&texts, "BIND", "an address and port such as 127.0.0.1:8000", address)?;
    Ok(Config {
        debug,
        api: optional(&texts, "API", "true or false", boolean)?.unwrap_or(debug),
        bind,
        base_url: base_url(&texts, bind)?,
        database_url: required(&texts, "DATABASE_URL", "sqlite://PATH or postgres://USER@HOST/NAME", |text| {
            has_scheme(text, &["sqlite", "postgres", "postgresql"])
        })?,
        pooling: pooling(&texts)?,
        redis_url: redis_url(&texts)?,
        secret_key: optional(&texts, "SECRET_KEY", "at least 32 characters", |text| {
            (text.len() >= 32).then(|| Secret(text.to_owned()))
        })?,
        smtp_url: optional(&texts, "SMTP_URL", "smtp://, smtps:// or smtp+starttls:// and USER:PASS@HOST:PORT", |t| {
            has_scheme(t, &["smtp", "smtps", "smtp+starttls"])
        })?,
        mail_from: optional(&texts, "MAIL_FROM", "an address such as Chat <chat@example.org>", |text| {
            text.parse::<lettre::message::Mailbox>().ok().map(|_| text.to_owned())
        })?,
        upload_dir: required(&texts, "UPLOAD_DIR", "a folder", |text| Some(PathBuf::from(text)))?,
        page_cache: required(&texts, "PAGE_CACHE", "a size such as 64 MiB, or off", size_or_off)?,
        upload_max_bytes: required(&texts, "UPLOAD_MAX_BYTES", "a size such as 25 MiB or 26214400", size)?,
        backup_dir: optional(&texts, "BACKUP_DIR", "a folder", |text| Some(PathBuf::from(text)))?,
        backup_at: required(&texts, "BACKUP_AT", "a time of day such as 03:30, UTC", time_of_day)?,
        backup_keep: required(&texts, "BACKUP_KEEP", "a number from 1 to 1000", |text| {
            text.parse().ok().filter(|keep| (1..=1000).contains(keep))
        })?,
        site_language: required(&texts, "SITE_LANGUAGE", "en, de or ar", Language::of)?,
        log_dir: optional(&texts, "LOG_DIR", "a folder", |text| Some(PathBuf::from(text)))?,
        log_format: required(&texts, "LOG_FORMAT", "text or json", |text| match text {
            "text" => Some(LogFormat::Text),
            "json" => Some(LogFormat::Json),
            _ => None,
        })?,
        rust_log: required(&texts, "RUST_LOG", "a filter such as info or switchboard=debug", |text| {
            text.parse::<tracing_subscriber::EnvFilter>().ok().map(|_| text.to_owned())
        })?,
        message_rate: required(&texts, "MESSAGE_RATE", "a rate such as 1/s burst 5, or off", rate)?,
        login_rate: required(&texts, "LOGIN_RATE", "a rate such as 5/min, or off", rate)?,
        cors_origins: list(&texts, "CORS_ORIGINS", "origins such as https://app.example.org, by commas", |text| {
            origin(text).map(|url| url.origin().ascii_serialization())
        })?,
        trusted_proxies: list(&texts, "TRUSTED_PROXIES", "addresses or networks such as 10.0.0.0/8, by commas", |t| {
            t.parse::<IpNet>().ok().or_else(|| t.parse::<std::net::IpAddr>().ok().map(IpNet::from))
        })?,
        telemetry: optional(&texts, "OTEL_EXPORTER_OTLP_ENDPOINT", "http:// or https:// and a host", |text| {
            Url::parse(text).ok().filter(|url| ["http", "https"].contains(&url.scheme()) && url.has_host())
        })?,
        metrics_token: optional(&texts, "METRICS_TOKEN", "a token of 16 or more characters", |text| {
            (text.len() >= 16).then(|| Secret(text.to_owned()))
        })?,
        texts,
    })
}

fn redis_url(texts: &Texts) -> Result<Option<Secret>> {
    let accepted = "redis://, rediss://, redis+sentinel:// or redis+cluster:// and a host";
    optional(texts, "REDIS_URL", accepted, |text| Server::parse(text).ok().map(|_| Secret(text.to_owned())))
}

fn pooling(texts: &Texts) -> Result<Pooling> {
    let most = required(texts, "DATABASE_POOL", "a number from 4 to 500", |text| {
        text.parse().ok().filter(|most| (4..=500).contains(most))
    })?;
    Ok(Pooling { most, bouncer: required(texts, "PGBOUNCER", "true or false", boolean)? })
}

fn optional<T>(
    texts: &Texts,
    key: &'static str,
    accepted: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>> {
    match texts.get(key).map_or("", String::as_str) {
        "" => Ok(None),
        text => parse(text).map(Some).ok_or_else(|| refused(key, text, accepted)),
    }
}

fn required<T>(texts: &Texts, key: &'static str, accepted: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T> {
    optional(texts, key, accepted, parse)?.ok_or_else(|| refused(key, "", accepted))
}

fn list<T>(texts: &Texts, key: &'static str, accepted: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Vec<T>> {
    let items = texts.get(key).map_or("", String::as_str).split(',').map(str::trim).filter(|item| !item.is_empty());
    items.map(|item| parse(item).ok_or_else(|| refused(key, item, accepted))).collect()
}

fn refused(key: &str, value: &str, accepted: &str) -> Error {
    let shown = SETTINGS.iter().find(|s| s.key == key).map_or_else(String::new, |s| mask(s, value));
    // An address that can't be taken apart, so nobody knows where in it the password stands.
    let hides = key.ends_with("_URL") && (value.contains('@') || value.contains('='));
    let shown = if hides { "********".to_owned() } else { shown };
    Error::startup(format!("{key} = \"{shown}\" can't be used. Accepted: {accepted}"))
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

fn address(text: &str) -> Option<SocketAddr> {
    text.to_socket_addrs().ok()?.next()
}

fn has_scheme(text: &str, schemes: &[&str]) -> Option<Secret> {
    let (scheme, rest) = text.split_once(':')?;
    let fits = schemes.contains(&scheme) && !rest.trim_matches('/').is_empty();
    // A path is all that SQLite needs; the others must be addresses with a host.
    let sound = scheme == "sqlite" || Url::parse(text).is_ok_and(|url| url.has_host());
    (fits && sound).then(|| Secret(text.to_owned()))
}

fn origin(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    (matches!(url.scheme(), "http" | "https") && url.has_host() && bare).then_some(url)
}

fn base_url(texts: &Texts, bind: SocketAddr) -> Result<Url> {
    let given = optional(texts, "BASE_URL", "http:// or https:// and a host, without a path", origin)?;
    match given {
        Some(url) => Ok(url),
        None => Url::parse(&format!("http://{bind}")).map_err(Error::internal),
    }
}

/// Bytes: `26214400`, `25 MiB`, `500k`.
fn size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor).filter(|bytes| *bytes > 0)
}

fn size_or_off(text: &str) -> Option<u64> {
    if text.eq_ignore_ascii_case("off") { Some(0) } else { size(text) }
}

/// `03:30`, of 24 hours.
fn time_of_day(text: &str) -> Option<Time> {
    Time::parse(text, format_description!("[hour]:[minute]")).ok()
}

/// `1/s burst 5`, `5/min`, `100/hour`; without a burst, the whole count may come at once. `off` is no limit.
fn rate(text: &str) -> Option<Option<Rate>> {
    if text == "off" {
        return Some(None);
    }
    let (rate, burst) = match text.split_once("burst") {
        Some((rate, burst)) => (rate.trim(), Some(burst.trim().parse().ok()?)),
        None => (text, None),
    };
    let (count, unit) = rate.split_once('/')?;
    let seconds = match unit.trim() {
        "s" | "sec" | "second" => 1,
        "m" | "min" | "minute" => 60,
        "h" | "hour" => 3600,
        _ => return None,
    };
    let count: NonZeroU32 = count.trim().parse().ok()?;
    Some(Some(Rate { count, period: Duration::from_secs(seconds), burst: burst.unwrap_or(count) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_written() {
        let five = NonZeroU32::new(5).unwrap();
        let second = Rate { count: NonZeroU32::MIN, period: Duration::from_secs(1), burst: five };
        assert_eq!(rate("1/s burst 5"), Some(Some(second)));
        assert_eq!(rate("5/min").flatten().unwrap().burst, five);
        assert_eq!(rate("off"), Some(None));
        for bad in ["", "5", "0/s", "5/fortnight", "1/s burst 0", "-1/s", "1/s burst"] {
            assert_eq!(rate(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes_are_read_as_written() {
        assert_eq!(size("25 MiB"), Some(25 << 20));
        assert_eq!(size("26214400"), Some(25 << 20));
        for bad in ["", "MiB", "0", "-1", "1 parsec", "99999999999999999999", "18446744073709551615 GiB"] {
            assert_eq!(size(bad), None, "{bad}");
        }
    }
}
