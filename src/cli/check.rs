//! `switchboard check`: prints the effective settings, tries what they name, and says what else is amiss in them. Changes
//! nothing.

use std::process::ExitCode;
use std::time::Duration;

use tokio::time::timeout;

use crate::config::{self, Config, Secret};
use crate::db::Db;
use crate::error::{Error, Result};
use crate::mail::smtp::Server;

const PATIENCE: Duration = Duration::from_secs(5);

/// Fails (exit code 1) when anything that is set doesn't work.
pub async fn run(config: &Config) -> ExitCode {
    for (key, value) in config.masked() {
        println!("{key:18} {}", if value.is_empty() { "(not set)" } else { &value });
    }
    println!();
    let mut sound = report("database", Some(try_database(config)).into_iter()).await;
    let redis = config.redis_url.as_ref().map(try_redis);
    sound &= report("redis", redis.into_iter()).await;
    let smtp = config.smtp_url.as_ref().map(try_smtp);
    sound &= report("smtp", smtp.into_iter()).await;
    let advice = config::advice::all(config);
    if !advice.is_empty() {
        println!();
    }
    for config::advice::Advice { what, advice } in advice {
        println!("{:18} {what} {advice}", "advice");
    }
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Says what became of a trial, if there is one.
async fn report(name: &str, mut trial: impl Iterator<Item = impl Future<Output = Result<String>>>) -> bool {
    let Some(trial) = trial.next() else {
        println!("{name:18} not set");
        return true;
    };
    let done = timeout(PATIENCE, trial).await;
    let (sound, text) = match done {
        Ok(Ok(text)) => (true, format!("ok: {text}")),
        Ok(Err(Error::Internal(cause))) => (false, format!("FAULT: {cause}")),
        Ok(Err(error)) => (false, format!("FAULT: {error}")),
        Err(_) => (false, format!("FAULT: no answer within {} s", PATIENCE.as_secs())),
    };
    println!("{name:18} {text}");
    sound
}

async fn try_database(config: &Config) -> Result<String> {
    let url = config.database_url.reveal();
    if let Some(file) = Db::file(url).filter(|file| !file.exists()) {
        return Ok(format!("{} isn't there yet; the first start makes it", file.display()));
    }
    let db = Db::open_with(url, config.pooling).await?;
    db.ping().await?;
    let pending = db.pending_migrations().await?;
    db.close().await;
    let state = if pending == 0 { "up to date".to_owned() } else { format!("{pending} migrations to apply") };
    Ok(format!("{} answers, {state}", db.engine_name()))
}

async fn try_redis(url: &Secret) -> Result<String> {
    crate::link::Server::parse(url.reveal())?.ping().await?;
    Ok("Redis answers".to_owned())
}

/// Connects and logs in as for a mail.
async fn try_smtp(url: &Secret) -> Result<String> {
    let server = Server::parse(url)?;
    server.try_out().await.map_err(|fault| Error::Startup(fault.to_string()))?;
    Ok(format!("the SMTP server at {} answers", server.place()))
}
