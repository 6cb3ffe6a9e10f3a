//! The talk with other nodes over Redis: says what waits, hears what others say, and begins anew when Redis comes back.
//! [`run`] is started by `jobs.rs`.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt;
use redis::{FromRedisValue, PushInfo, PushKind, RedisError};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, Receiver, UnboundedReceiver};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::{Bus, Channel, Order, Outbox, Signal, decode};
use crate::app::App;
use crate::link::{Ear, Link};
use crate::live::event::Frame;
use crate::live::hub::Hub;

/// How long after Redis went the next try is made.
const RETRY: Duration = Duration::from_millis(500);
/// How often a node says that it lives.
const BEAT: Duration = Duration::from_secs(3);
/// A node that has been silent for so long is gone.
const SILENCE: Duration = Duration::from_secs(20);
/// How often it is told who came and went, and where there is news.
const PAUSE: Duration = Duration::from_millis(200);
/// Orders carried out in one round trip.
const MOST_TOGETHER: usize = 512;
/// And bytes said in it.
const MOST_BYTES_TOGETHER: usize = 1 << 20;
/// What others said and this node hasn't taken in yet.
const MOST_HEARD: usize = 64 * 1024;
/// Bytes that wait, at which nobody is told who is in more rooms.
const MUCH_WAITING: usize = 8 << 20;

/// Runs until the task is dropped; ends at once without Redis.
pub async fn run(app: App) {
    let Bus::Redis(outbox) = app.hub.bus().clone() else { return };
    let Some(mut queue) = outbox.queue() else { return };
    let mut is_away = false;
    loop {
        let (heard, hears) = mpsc::channel(MOST_HEARD);
        let full = outbox.overflown.clone();
        let ear = Ear::new(move |said| {
            // A connection that is done with may still have something to say, to nobody.
            if let Err(TrySendError::Full(_)) = heard.try_send(said) {
                full.notify_one();
            }
        });
        match outbox.server.connect(Some(ear)).await {
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
    hears: Receiver<PushInfo>,
    queue: &mut UnboundedReceiver<Order>,
) -> Result<Infallible, RedisError> {
    // From before: other nodes ask the database.
    while queue.try_recv().is_ok() {}
    outbox.waiting.store(0, Ordering::Relaxed);
    let _ = outbox.overflown.notified().now_or_never();
    outbox.is_up.store(true, Ordering::Relaxed);
    // What they know of this node, and this one of them, is told anew: much may have gone unheard.
    hub.say_bye();
    hub.doubt_others();
    follow(hub, outbox, &mut link, &[Channel::All]).await?;
    hub.bus().say(Channel::All, || Signal::WhoIsOnline { of: None });
    hub.say_all_online();
    let (mut orders, mut hears) = (Vec::new(), hears);
    for channels in hub.channels().chunks(MOST_TOGETHER) {
        follow(hub, outbox, &mut link, channels).await?;
        // Neither what is said nor what is heard meanwhile waits until all are followed.
        while let Ok(order) = queue.try_recv() {
            orders.push(order);
        }
        carry_out(hub, outbox, &mut link, &mut orders).await?;
        while let Ok(said) = hears.try_recv() {
            take(hub, outbox, said)?;
        }
    }
    tokio::select! {
        () = outbox.overflown.notified() => Err(RedisError::from((redis::ErrorKind::Io, "more is said than is heard"))),
        ended = say(hub, outbox, &mut link, queue) => ended,
        ended = hear(hub, outbox, hears) => ended,
        ended = beat(hub) => ended,
        ended = tell_who_is_here(hub) => ended,
        ended = tell_who_is_online(hub) => ended,
        ended = tell_of_people(hub) => ended,
        ended = tell_of_news(hub) => ended,
    }
}

/// Follows channels; rooms are looked up and asked about only then, so that nothing falls between.
async fn follow(hub: &Hub, outbox: &Outbox, link: &mut Link, channels: &[Channel]) -> Result<(), RedisError> {
    let names: Vec<String> = channels.iter().map(|channel| channel.name(&outbox.prefix)).collect();
    link.follow(&names).await?;
    for channel in channels {
        if let Channel::Room(room) = channel {
            hub.suspect(*room);
            hub.bus().say(*channel, || Signal::WhoIsHere);
            hub.ask(*room);
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
) -> Result<Infallible, RedisError> {
    let mut orders = Vec::with_capacity(MOST_TOGETHER);
    loop {
        queue.recv_many(&mut orders, MOST_TOGETHER).await;
        carry_out(hub, outbox, link, &mut orders).await?;
    }
}

async fn carry_out(hub: &Hub, outbox: &Outbox, link: &mut Link, orders: &mut Vec<Order>) -> Result<(), RedisError> {
    let (mut said, mut bytes) = (Vec::new(), 0);
    // Of several about one channel the last counts.
    let mut wanted = HashMap::new();
    for order in orders.drain(..) {
        match order {
            Order::Say(channel, text) => {
                bytes += text.len();
                said.push((channel.name(&outbox.prefix), text));
            }
            Order::Follow(channel) => drop(wanted.insert(channel, true)),
            Order::Unfollow(channel) => drop(wanted.insert(channel, false)),
        }
        if bytes >= MOST_BYTES_TOGETHER {
            publish(outbox, link, &mut said, &mut bytes).await?;
        }
    }
    publish(outbox, link, &mut said, &mut bytes).await?;
    let (follows, unfollows): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|(_, wanted)| *wanted);
    if !unfollows.is_empty() {
        let names: Vec<String> = unfollows.iter().map(|(channel, _)| channel.name(&outbox.prefix)).collect();
        link.unfollow(&names).await?;
    }
    let follows: Vec<Channel> = follows.into_iter().map(|(channel, _)| channel).collect();
    if !follows.is_empty() {
        follow(hub, outbox, link, &follows).await?;
    }
    Ok(())
}

async fn publish(
    outbox: &Outbox,
    link: &mut Link,
    said: &mut Vec<(String, Vec<u8>)>,
    bytes: &mut usize,
) -> Result<(), RedisError> {
    if !said.is_empty() {
        link.publish(said).await?;
        said.clear();
        outbox.waiting.fetch_sub(std::mem::take(bytes).min(outbox.waiting.load(Ordering::Relaxed)), Ordering::Relaxed);
    }
    Ok(())
}

/// Takes in what other nodes say.
async fn hear(hub: &Hub, outbox: &Outbox, mut hears: Receiver<PushInfo>) -> Result<Infallible, RedisError> {
    loop {
        take(hub, outbox, hears.recv().await.ok_or_else(gone)?)?;
    }
}

fn gone() -> RedisError {
    RedisError::from((redis::ErrorKind::Io, "the connection is closed"))
}

fn take(hub: &Hub, outbox: &Outbox, PushInfo { kind, data }: PushInfo) -> Result<(), RedisError> {
    match kind {
        PushKind::Message | PushKind::SMessage => {
            let mut data = data.into_iter();
            let (Some(channel), Some(bytes)) = (data.next(), data.next()) else { return Ok(()) };
            if let (Ok(channel), Ok(bytes)) = (String::from_redis_value(channel), Vec::from_redis_value(bytes))
                && let Some(channel) = Channel::of_name(&channel, &outbox.prefix)
            {
                take_in(hub, outbox, channel, &bytes);
            }
            Ok(())
        }
        // Of one server of several, too: it is simplest to begin anew.
        PushKind::Disconnection => Err(gone()),
        _ => Ok(()),
    }
}

fn take_in(hub: &Hub, outbox: &Outbox, channel: Channel, bytes: &[u8]) {
    let Some((node, signal, text)) = decode(bytes).filter(|(node, ..)| *node != outbox.node) else { return };
    match (channel, signal) {
        (Channel::Room(room), Signal::Frame { rev, seq, last }) if rev.is_none_or(|rev| rev > 0) => {
            let follows = rev.map_or(0, |rev| rev - 1);
            hub.deliver(room, Frame { rev, follows, seq, last, ..Frame::of_text(text) });
        }
        (Channel::Room(room), Signal::Here { people, all }) => hub.came_there(node, room, people, all),
        (Channel::Room(room), Signal::Gone { people }) => hub.went_there(node, room, &people),
        (Channel::Room(room), Signal::Typing { user, is_typing }) => hub.typing_anywhere(user, room, is_typing),
        (Channel::Room(room), Signal::WhoIsHere) => hub.ask(room),
        (Channel::Person(user), Signal::Tell { unless_in }) => hub.tell_here(user, unless_in, &Frame::of_text(text)),
        (Channel::All, Signal::Online { came, went, all }) => hub.online_there(node, &came, &went, all, Instant::now()),
        (Channel::All, Signal::Beat { count, sum }) if !hub.beat_there(node, count, sum, Instant::now()) => {
            hub.bus().say(Channel::All, || Signal::WhoIsOnline { of: Some(node) });
        }
        // Who doesn't know what this node said may not know who is in its rooms either.
        (Channel::All, Signal::WhoIsOnline { of: Some(of) }) if of == outbox.node => hub.ask_all(),
        (Channel::All, Signal::WhoIsOnline { of: None }) => hub.ask_all(),
        (Channel::All, Signal::Touched { rooms }) => hub.touched_there(&rooms),
        (Channel::All, Signal::Bye) => hub.node_went(node),
        _ => {}
    }
}

async fn beat(hub: &Hub) -> Result<Infallible, RedisError> {
    let mut every = interval(BEAT);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = Instant::now();
    loop {
        every.tick().await;
        hub.say_beat();
        let now = Instant::now();
        if now.duration_since(last) > 2 * BEAT {
            // It was this node that was silent, and what others said meanwhile is still to be heard.
            hub.begin_hearing(now);
        } else if let Some(before) = now.checked_sub(SILENCE) {
            hub.forget_silent(before);
        }
        last = now;
    }
}

async fn tell_who_is_here(hub: &Hub) -> Result<Infallible, RedisError> {
    loop {
        for room in hub.asked().await {
            hub.say_all_here(room);
            while hub.bus().waiting() > MUCH_WAITING {
                sleep(PAUSE).await;
            }
        }
        sleep(PAUSE).await;
    }
}

async fn tell_who_is_online(hub: &Hub) -> Result<Infallible, RedisError> {
    loop {
        hub.all_asked().await;
        hub.say_all_online();
        sleep(PAUSE).await;
    }
}

async fn tell_of_people(hub: &Hub) -> Result<Infallible, RedisError> {
    loop {
        hub.say_who_moved().await;
        sleep(PAUSE).await;
    }
}

async fn tell_of_news(hub: &Hub) -> Result<Infallible, RedisError> {
    loop {
        hub.say_where_news_are().await;
        sleep(PAUSE).await;
    }
}
