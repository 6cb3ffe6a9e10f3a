//! The talk with other nodes over Redis: says what waits, hears what others say, and begins anew when Redis comes back.
//! [`run`] is started by `jobs.rs`.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use redis::{FromRedisValue, PushInfo, PushKind, RedisError};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::time::{Instant, interval, sleep};

use super::{Bus, Channel, Order, Outbox, Signal, decode};
use crate::app::App;
use crate::link::Link;
use crate::live::event::Frame;
use crate::live::hub::Hub;

/// How long after Redis went the next try is made.
const RETRY: Duration = Duration::from_millis(500);
/// How often a node says that it lives.
const BEAT: Duration = Duration::from_secs(3);
/// A node that has been silent for so long is gone.
const SILENCE: Duration = Duration::from_secs(12);
/// How often it is told who came and went, and where there is news.
const PAUSE: Duration = Duration::from_millis(200);
/// Orders carried out in one round trip.
const MOST_TOGETHER: usize = 512;

/// Runs until the task is dropped; ends at once without Redis.
pub async fn run(app: App) {
    let Bus::Redis(outbox) = app.hub.bus().clone() else { return };
    let Some(mut queue) = outbox.queue() else { return };
    let mut is_away = false;
    loop {
        let (heard, hears) = mpsc::unbounded_channel();
        match outbox.server.connect(Some(heard)).await {
            Ok(link) => {
                tracing::info!(redis = outbox.server.shown(), "joined with other nodes");
                is_away = false;
                let Err(error) = talk(&app.hub, &outbox, link, hears, &mut queue).await;
                outbox.is_up.store(false, Ordering::Relaxed);
                tracing::warn!(%error, "Redis is away: other nodes are met in the database only");
            }
            Err(error) if !is_away => {
                tracing::warn!(%error, redis = outbox.server.shown(), "Redis can't be reached; tried again twice a second");
                is_away = true;
            }
            Err(_) => {}
        }
        sleep(RETRY).await;
    }
}

/// Talks until the connection fails.
async fn talk(
    hub: &Hub,
    outbox: &Arc<Outbox>,
    mut link: Link,
    hears: UnboundedReceiver<PushInfo>,
    queue: &mut UnboundedReceiver<Order>,
) -> Result<std::convert::Infallible, RedisError> {
    // From before: other nodes ask the database.
    while queue.try_recv().is_ok() {}
    outbox.waiting.store(0, Ordering::Relaxed);
    outbox.is_up.store(true, Ordering::Relaxed);
    let mut channels = hub.channels();
    channels.push(Channel::All);
    for channels in channels.chunks(MOST_TOGETHER) {
        follow(hub, outbox, &mut link, channels).await?;
    }
    hub.begin_hearing(Instant::now());
    hub.say_all_online();
    tokio::select! {
        ended = say(hub, outbox, &mut link, queue) => ended,
        ended = hear(hub, outbox, hears) => ended,
        ended = beat(hub) => ended,
        ended = tell_of_people(hub) => ended,
        ended = tell_of_news(hub) => ended,
    }
}

/// Follows channels; rooms are looked up and told of only then, so that nothing falls between.
async fn follow(hub: &Hub, outbox: &Outbox, link: &mut Link, channels: &[Channel]) -> Result<(), RedisError> {
    let names: Vec<String> = channels.iter().map(|channel| channel.name(&outbox.prefix)).collect();
    link.follow(&names).await?;
    for channel in channels {
        if let Channel::Room(room) = channel {
            hub.suspect(*room);
            hub.bus().say(*channel, || Signal::WhoIsHere);
            hub.say_all_here(*room);
        }
    }
    Ok(())
}

/// Carries out orders, those that wait together.
async fn say(
    hub: &Hub,
    outbox: &Outbox,
    link: &mut Link,
    queue: &mut UnboundedReceiver<Order>,
) -> Result<std::convert::Infallible, RedisError> {
    let mut orders = Vec::with_capacity(MOST_TOGETHER);
    loop {
        queue.recv_many(&mut orders, MOST_TOGETHER).await;
        let mut said = Vec::new();
        // Of several about one channel the last counts.
        let mut wanted = HashMap::new();
        for order in orders.drain(..) {
            match order {
                Order::Say(channel, bytes) => said.push((channel.name(&outbox.prefix), bytes)),
                Order::Follow(channel) => drop(wanted.insert(channel, true)),
                Order::Unfollow(channel) => drop(wanted.insert(channel, false)),
            }
        }
        outbox.waiting.fetch_sub(said.len().min(outbox.waiting.load(Ordering::Relaxed)), Ordering::Relaxed);
        if !said.is_empty() {
            link.publish(&said).await?;
        }
        let (follows, unfollows): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|(_, wanted)| *wanted);
        if !unfollows.is_empty() {
            let names: Vec<String> = unfollows.iter().map(|(channel, _)| channel.name(&outbox.prefix)).collect();
            link.unfollow(&names).await?;
        }
        let follows: Vec<Channel> = follows.into_iter().map(|(channel, _)| channel).collect();
        if !follows.is_empty() {
            follow(hub, outbox, link, &follows).await?;
        }
    }
}

/// Takes in what other nodes say.
async fn hear(
    hub: &Hub,
    outbox: &Outbox,
    mut hears: UnboundedReceiver<PushInfo>,
) -> Result<std::convert::Infallible, RedisError> {
    let gone = || RedisError::from((redis::ErrorKind::Io, "the connection is closed"));
    loop {
        let PushInfo { kind, data } = hears.recv().await.ok_or_else(gone)?;
        match kind {
            PushKind::Message | PushKind::SMessage => {
                let mut data = data.into_iter();
                let (Some(channel), Some(bytes)) = (data.next(), data.next()) else { continue };
                let (Ok(channel), Ok(bytes)) = (String::from_redis_value(channel), Vec::from_redis_value(bytes)) else {
                    continue;
                };
                if let Some(channel) = Channel::of_name(&channel, &outbox.prefix) {
                    take_in(hub, outbox, channel, &bytes);
                }
            }
            // Of one server of several, too: it is simplest to begin anew.
            PushKind::Disconnection => return Err(gone()),
            _ => {}
        }
    }
}

fn take_in(hub: &Hub, outbox: &Outbox, channel: Channel, bytes: &[u8]) {
    let Some((node, signal, text)) = decode(bytes).filter(|(node, ..)| *node != outbox.node) else { return };
    match (channel, signal) {
        (Channel::Room(room), Signal::Frame { rev, last }) => {
            let follows = rev.map_or(0, |rev| rev - 1);
            hub.deliver(room, Frame { rev, follows, last, ..Frame::of_text(text) });
        }
        (Channel::Room(room), Signal::Here { people, all }) => hub.came_there(node, room, people, all),
        (Channel::Room(room), Signal::Gone { people }) => hub.went_there(node, room, &people),
        (Channel::Room(room), Signal::Typing { user, is_typing }) => hub.typing_anywhere(user, room, is_typing),
        (Channel::Room(room), Signal::WhoIsHere) => hub.say_all_here(room),
        (Channel::Person(user), Signal::Tell { unless_in }) => hub.tell_here(user, unless_in, &Frame::of_text(text)),
        (Channel::All, Signal::Online { came, went, all }) => hub.online_there(node, &came, &went, all, Instant::now()),
        (Channel::All, Signal::Beat { count, sum }) => {
            if !hub.beat_there(node, count, sum, Instant::now()) {
                hub.bus().say(Channel::All, || Signal::WhoIsOnline { of: node });
            }
        }
        (Channel::All, Signal::WhoIsOnline { of }) if of == outbox.node => hub.say_all_online(),
        (Channel::All, Signal::Touched { rooms }) => hub.touched_there(&rooms),
        (Channel::All, Signal::Bye) => hub.node_went(node),
        _ => {}
    }
}

async fn beat(hub: &Hub) -> Result<std::convert::Infallible, RedisError> {
    let mut every = interval(BEAT);
    loop {
        every.tick().await;
        hub.say_beat();
        if let Some(before) = Instant::now().checked_sub(SILENCE) {
            hub.forget_silent(before);
        }
    }
}

async fn tell_of_people(hub: &Hub) -> Result<std::convert::Infallible, RedisError> {
    loop {
        hub.say_who_moved().await;
        sleep(PAUSE).await;
    }
}

async fn tell_of_news(hub: &Hub) -> Result<std::convert::Infallible, RedisError> {
    loop {
        hub.say_where_news_are().await;
        sleep(PAUSE).await;
    }
}
