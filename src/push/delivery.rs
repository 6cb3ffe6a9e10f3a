//! Pushes on their way: a bounded queue that drops the oldest, a few sent at once, tried again when the push service is
//! busy or away (RFC 8030). A browser is taken off the list when its service says that it is over (404, 410), and for no
//! other answer. Endpoints and keys are never logged: whoever has them can push. Called by `push/note.rs`; [`run`] is a
//! job.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Response};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

use super::network::{self, Reach};
use super::subscriptions::{self, Subscription};
use crate::app::App;
use crate::error::Result;
use crate::ids::PushSubscriptionId;

const MOST_WAITING: usize = 1000;
const MOST_AT_ONCE: usize = 8;
/// Between attempts, where the service doesn't say; after the last it is given up.
const PAUSES: [u64; 3] = [10, 30, 120];
/// Of what a service says: nobody is told of something an hour old.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// How long a service keeps it for a browser that is away: 24 hours.
const TTL: &str = "86400";

/// What a browser is to show.
pub struct Note {
    /// At most 3 KiB: services take 4 KiB, sealed.
    pub json: String,
    /// One that waits at the service is replaced by the next of its topic; at most 32 characters of base64url.
    pub topic: String,
    /// Whether it wakes a phone that saves its battery.
    pub is_urgent: bool,
}

#[derive(Clone)]
struct Parcel {
    to: PushSubscriptionId,
    note: Arc<Note>,
    /// Attempts that have failed.
    failed: usize,
}

pub struct Outbox {
    client: Client,
    reach: Reach,
    queue: Mutex<Queue>,
    woken: Notify,
    slots: Arc<Semaphore>,
}

#[derive(Default)]
struct Queue {
    /// By when they are due, then in the order in which they came.
    parcels: BTreeMap<(Instant, u64), Parcel>,
    next: u64,
    /// Those that wait after an attempt that failed, by the browser: what comes for it meanwhile takes their place, so that a
    /// service which doesn't answer has one attempt on its way for each browser, and the others' slots are free.
    failing: HashMap<PushSubscriptionId, (Instant, u64)>,
    /// Some were dropped since it was last half empty.
    is_overfull: bool,
}

impl Outbox {
    pub fn new(reach: Reach) -> Result<Self> {
        let (queue, woken) = Default::default();
        let slots = Arc::new(Semaphore::new(MOST_AT_ONCE));
        Ok(Self { client: network::client(reach)?, reach, queue, woken, slots })
    }

    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// Queues a note to a browser, due at once. Cost: O(log waiting).
    pub fn post(&self, to: PushSubscriptionId, note: Arc<Note>) {
        {
            let mut queue = self.queue();
            let place = queue.failing.get(&to).copied();
            if let Some(waiting) = place.and_then(|place| queue.parcels.get_mut(&place)) {
                waiting.note = note;
                return;
            }
        }
        self.put(Parcel { to, note, failed: 0 }, Duration::ZERO);
    }

    fn put(&self, parcel: Parcel, pause: Duration) {
        let mut queue = self.queue();
        if queue.parcels.len() >= MOST_WAITING {
            if let Some((_, dropped)) = queue.parcels.pop_first() {
                queue.failing.remove(&dropped.to);
            }
            if !queue.is_overfull {
                tracing::warn!(
                    waiting = MOST_WAITING,
                    "pushes can't be sent as fast as they come: the oldest are dropped"
                );
            }
            queue.is_overfull = true;
        }
        let place = (Instant::now() + pause, queue.next);
        queue.next += 1;
        if parcel.failed > 0 {
            queue.failing.insert(parcel.to, place);
        }
        queue.parcels.insert(place, parcel);
        drop(queue);
        self.woken.notify_one();
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next that is due; waits for one.
    async fn next(&self) -> Parcel {
        loop {
            match self.due() {
                Ok(parcel) => return parcel,
                Err(None) => self.woken.notified().await,
                Err(Some(due)) => {
                    tokio::select! {
                        () = self.woken.notified() => {}
                        () = sleep_until(due) => {}
                    }
                }
            }
        }
    }

    /// What is due, or when the next will be.
    fn due(&self) -> Result<Parcel, Option<Instant>> {
        let mut queue = self.queue();
        let first = queue.parcels.first_entry().ok_or(None)?;
        let (due, _) = *first.key();
        if due > Instant::now() {
            return Err(Some(due));
        }
        let parcel = first.remove();
        queue.failing.remove(&parcel.to);
        queue.is_overfull &= queue.parcels.len() > MOST_WAITING / 2;
        Ok(parcel)
    }
}

/// The job: sends what is due, until it is dropped.
pub async fn run(app: App) {
    let slots = app.push.outbox().slots.clone();
    while let Ok(slot) = slots.clone().acquire_owned().await {
        let parcel = app.push.outbox().next().await;
        tokio::spawn(deliver(app.clone(), parcel, slot));
    }
}

/// What became of an attempt.
enum Outcome {
    /// The service has it, or nobody needs it any more.
    Done,
    /// The service refuses it, with this status.
    Refused(u16),
    /// It may go better later; in so long, if the service said.
    Later(Option<Duration>),
}

async fn deliver(app: App, mut parcel: Parcel, slot: OwnedSemaphorePermit) {
    let outcome = attempt(&app, &parcel).await.unwrap_or_else(|error| {
        tracing::warn!(%error, subscription = parcel.to.0, "a push can't be sent now");
        Outcome::Later(None)
    });
    match outcome {
        Outcome::Done => {}
        Outcome::Refused(status) => {
            tracing::warn!(subscription = parcel.to.0, status, "a push service refuses a push");
        }
        Outcome::Later(pause) => match PAUSES.get(parcel.failed) {
            Some(own) => {
                parcel.failed += 1;
                let pause = pause.unwrap_or(Duration::from_secs(*own)).min(LONGEST_PAUSE);
                app.push.outbox().put(parcel, pause);
            }
            None => tracing::warn!(subscription = parcel.to.0, "a push was given up: its service is busy or away"),
        },
    }
    drop(slot);
}

/// Sends it, unless its session has ended or its person has come back meanwhile. Cost: 1 query, 1 request of at most 10 s,
/// now and then 1 write.
async fn attempt(app: &App, parcel: &Parcel) -> Result<Outcome> {
    let now = app.clock.now();
    let found = subscriptions::find(&mut app.db.read().await?, parcel.to, now).await?;
    let Some(browser) = found.filter(|browser| !app.hub.is_online(browser.user_id)) else {
        return Ok(Outcome::Done);
    };
    let Some(answer) = send(app, &browser, &parcel.note).await? else { return Ok(Outcome::Later(None)) };
    match answer.status().as_u16() {
        200..=299 => subscriptions::used(app, browser.id).await.map(|()| Outcome::Done),
        404 | 410 => subscriptions::end(app, &browser).await.map(|()| Outcome::Done),
        429 | 500..=599 => Ok(Outcome::Later(retry_after(&answer))),
        status => Ok(Outcome::Refused(status)),
    }
}

/// The service's answer, of which nothing but the head is read; `None` when it can't be reached.
async fn send(app: &App, browser: &Subscription, note: &Note) -> Result<Option<Response>> {
    let outbox = app.push.outbox();
    let endpoint = browser.endpoint(outbox.reach)?;
    let authorization = app.push.key().authorization(&endpoint, &app.config.origin(), app.clock.now())?;
    let request = outbox
        .client
        .post(endpoint)
        .header("TTL", TTL)
        .header("Topic", &note.topic)
        .header("Urgency", if note.is_urgent { "high" } else { "normal" })
        .header(AUTHORIZATION, authorization)
        .header(CONTENT_ENCODING, "aes128gcm")
        .header(CONTENT_TYPE, "application/octet-stream")
        .body(browser.seal(&note.json)?);
    Ok(request.send().await.inspect_err(|fault| tell(browser, fault)).ok())
}

/// The fault itself names the endpoint.
fn tell(browser: &Subscription, fault: &reqwest::Error) {
    let (timed_out, connecting) = (fault.is_timeout(), fault.is_connect());
    tracing::debug!(subscription = browser.id.0, timed_out, connecting, "a push service can't be reached");
}

/// Seconds; a date isn't understood.
fn retry_after(answer: &Response) -> Option<Duration> {
    answer.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}
