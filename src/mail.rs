//! Sending the outbox: [`Mail`], part of `App`, which holds the way out and wakes who delivers, and [`run`], the job that
//! takes due rows of the model `emails` and hands them to the SMTP server. `emails::delivery` says which row is whose and
//! what becomes of it; `mail::message` writes it out, `mail::smtp` speaks to the server.
//!
//! A row is claimed with a lease in one statement, sent outside any transaction, and then marked. A process that dies in
//! between leaves the lease to run out, and whoever takes the mail then sends it under the same Message-ID.

pub mod message;
pub mod smtp;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use crate::app::App;
use crate::clock::Timestamp;
use crate::config::Config;
use crate::emails::delivery::{self, Claimed};
use crate::error::Result;
use smtp::Server;

/// Mails on their way at once.
const MOST_AT_ONCE: u32 = 4;
/// How soon what another node or a command queued is seen.
const POLL_EVERY: Duration = Duration::from_secs(1);
/// Everything from the connection to the server's word that it has the mail.
const ATTEMPT_MAY_TAKE: Duration = Duration::from_secs(30);
/// Writing down what became of it is tried so often, a second apart: well within what the lease leaves.
const MARKINGS: u32 = 5;

/// How mails leave this site.
enum Transport {
    /// They wait in the outbox.
    None,
    Smtp(Arc<Server>),
}

pub struct Mail {
    transport: Transport,
    wake: Notify,
    slots: Arc<Semaphore>,
}

impl Mail {
    /// Errors: [`crate::error::Error::Startup`] for an SMTP_URL that can't be used. Cost: reads the system's
    /// certificates, where TLS is asked for.
    pub fn new(config: &Config) -> Result<Self> {
        let transport = match &config.smtp_url {
            Some(url) => Transport::Smtp(Arc::new(Server::parse(url)?)),
            None => Transport::None,
        };
        Ok(Self { transport, wake: Notify::new(), slots: Arc::new(Semaphore::new(MOST_AT_ONCE as usize)) })
    }

    /// Something was queued: it is looked for at once.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Ends when no mail is on its way; waiting takes no longer than one attempt.
    pub async fn idle(&self) {
        let _ = self.slots.acquire_many(MOST_AT_ONCE).await;
    }

    /// Takes no further mails, and ends when those on their way have arrived or failed. Whoever can't wait leaves them to
    /// their leases.
    pub async fn drain(&self) {
        self.idle().await;
        self.slots.close();
    }
}

/// Delivers what is due, until it is dropped; what is on its way then goes on by itself. Returns at once where no SMTP
/// server is set. Cost: 1 indexed query a second, and 2 write transactions a mail.
pub async fn run(app: App) {
    let Transport::Smtp(server) = &app.mail.transport else { return };
    while let Ok(slot) = app.mail.slots.clone().acquire_owned().await {
        match delivery::claim(&app).await {
            Ok(Ok(mail)) => drop(tokio::spawn(deliver(app.clone(), server.clone(), mail, slot))),
            Ok(Err(due)) => {
                drop(slot);
                rest(&app, due).await;
            }
            Err(error) => {
                drop(slot);
                tracing::warn!(%error, "the outbox can't be read");
                sleep(POLL_EVERY).await;
            }
        }
    }
}

/// Until the next mail is due, something is queued here, or it is time to look at what others queued.
async fn rest(app: &App, due: Option<Timestamp>) {
    let until = due.map_or(i64::MAX, |due| due.0.saturating_sub(app.clock.now().0));
    let until = Duration::from_micros(u64::try_from(until).unwrap_or(0));
    let _ = timeout(until.min(POLL_EVERY), app.mail.wake.notified()).await;
}

async fn deliver(app: App, server: Arc<Server>, mail: Claimed, slot: OwnedSemaphorePermit) {
    let outcome = attempt(&app, &server, &mail).await;
    for _ in 0..MARKINGS {
        match delivery::settle(&app, &mail, &outcome).await {
            Ok(()) => break,
            Err(error) => tracing::warn!(%error, mail = mail.id.0, "what became of a mail can't be written down"),
        }
        sleep(Duration::from_secs(1)).await;
    }
    tell(&mail, &outcome, app.clock.now());
    drop(slot);
}

async fn attempt(app: &App, server: &Server, mail: &Claimed) -> Result<(), String> {
    if mail.has_run_out(app.clock.now()) {
        return Err(delivery::RUN_OUT.to_owned());
    }
    let fault = |error: crate::error::Error| error.to_string();
    let sender = message::sender(&app.config, &app.settings().site_name).map_err(fault)?;
    let id = message::stable_id(app, mail).map_err(fault)?;
    let written = message::write(&sender, &mail.message(), id, app.clock.now()).map_err(fault)?;
    match timeout(ATTEMPT_MAY_TAKE, server.send(&written)).await {
        Ok(sent) => sent.map_err(|fault| fault.to_string()),
        Err(_) => Err(format!("The server didn't take it within {} seconds.", ATTEMPT_MAY_TAKE.as_secs())),
    }
}

/// One warning a mail, however often it is tried: a server that is away doesn't fill the log.
fn tell(mail: &Claimed, outcome: &Result<(), String>, now: Timestamp) {
    let id = mail.id.0;
    match outcome {
        Ok(()) => tracing::info!(mail = id, attempts = mail.attempts, "a mail was sent"),
        Err(reason) if mail.next_attempt(now).is_none() => {
            tracing::error!(mail = id, attempts = mail.attempts, %reason, "a mail has failed for good");
        }
        Err(reason) if mail.attempts == 1 => {
            tracing::warn!(mail = id, %reason, "a mail couldn't be sent; it is tried again");
        }
        Err(reason) => tracing::debug!(mail = id, attempts = mail.attempts, %reason, "a mail couldn't be sent"),
    }
}
