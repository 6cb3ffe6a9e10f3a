//! One room, N sockets, k of them say something. Saturated: a window of messages is under way, one more is sent when
//! all have one. One at a time: the next is sent when all have the last.

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use super::Fault;
use super::crowd::Crowd;
use super::figures::{Times, micros_each, round};
use super::ledger::{Ledger, Meant};
use super::process::{Mark, Span};
use super::site::Site;
use super::websocket;

/// Nothing comes any more.
const STALLED: Duration = Duration::from_secs(10);

#[derive(Args)]
pub struct Options {
    #[arg(long, default_value_t = 1000)]
    clients: usize,
    /// Sockets that speak, in turn
    #[arg(long, default_value_t = 32)]
    senders: usize,
    /// Messages under way: sent, and not with everybody yet
    #[arg(long, default_value_t = 64)]
    window: u64,
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// Before anything counts
    #[arg(long, default_value_t = 1.0)]
    warm_up: f64,
    /// The next message is sent when all have the last: how long until all are told
    #[arg(long)]
    one_at_a_time: bool,
}

pub fn run(site: &mut Site, options: &Options) -> Result<Value, Fault> {
    let base = site.last_seq()?;
    let mut crowd = Crowd::new()?;
    crowd.open(site, options.clients, None, |_, _| {})?;
    if crowd.sockets.iter().any(|socket| socket.joined_at.is_some_and(|rev| rev != base)) {
        return Err("somebody else writes in this room".into());
    }
    let mut talk = Talk {
        site,
        crowd,
        ledger: Ledger::new(base, options.clients),
        senders: options.senders.clamp(1, options.clients),
        window: if options.one_at_a_time { 1 } else { options.window },
        sent: 0,
        sent_at: Instant::now(),
        to_all: Times::default(),
        to_each: Times::default(),
        timed: false,
    };
    talk.say_for(options.warm_up, false)?;
    let before = (talk.ledger.deliveries, talk.ledger.complete);
    let mark = Mark::now(talk.site.pid);
    talk.say_for(options.seconds, options.one_at_a_time)?;
    let span = mark.until(&Mark::now(talk.site.pid));
    let during = (talk.ledger.deliveries - before.0, talk.ledger.complete - before.1);
    talk.finish()?;
    talk.report(options, base, &span, during)
}

struct Talk<'a> {
    site: &'a mut Site,
    crowd: Crowd,
    ledger: Ledger,
    senders: usize,
    window: u64,
    sent: u64,
    sent_at: Instant,
    to_all: Times,
    to_each: Times,
    timed: bool,
}

impl Talk<'_> {
    fn say_for(&mut self, seconds: f64, timed: bool) -> Result<(), Fault> {
        self.timed = timed;
        let end = Instant::now() + Duration::from_secs_f64(seconds);
        let mut heard = Instant::now();
        while Instant::now() < end {
            while self.under_way() < self.window {
                self.say()?;
            }
            if self.listen()? {
                heard = Instant::now();
            } else if heard.elapsed() > STALLED {
                break;
            }
        }
        Ok(())
    }

    fn under_way(&self) -> u64 {
        self.sent - (self.ledger.complete + self.ledger.faults.refused).min(self.sent)
    }

    fn say(&mut self) -> Result<(), Fault> {
        let frame = websocket::text(&self.site.said(self.sent));
        let sender = self.sent as usize % self.senders;
        self.sent += 1;
        self.sent_at = Instant::now();
        self.crowd.send(sender, &frame)
    }

    fn listen(&mut self) -> Result<bool, Fault> {
        let Self { site, crowd, ledger, sent_at, to_all, to_each, timed, .. } = self;
        let said_at = *sent_at;
        crowd.turn(Duration::from_millis(200), |place, frame| {
            let meant = ledger.take(place, frame, |text| site.number(text));
            if let (Meant::Message { completes }, true) = (meant, *timed) {
                let micros = said_at.elapsed().as_micros();
                to_each.add(micros);
                if completes.is_some() {
                    to_all.add(micros);
                }
            }
        })
    }

    /// Until all have all, or nothing comes any more.
    fn finish(&mut self) -> Result<(), Fault> {
        self.timed = false;
        let mut heard = Instant::now();
        while self.under_way() > 0 && heard.elapsed() < STALLED {
            if self.listen()? {
                heard = Instant::now();
            }
        }
        self.crowd.settle(&mut self.ledger);
        // What nobody got at all.
        self.ledger.faults.lost += self.under_way();
        Ok(())
    }

    fn report(mut self, options: &Options, base: i64, span: &Span, during: (u64, u64)) -> Result<Value, Fault> {
        let (deliveries, messages) = during;
        let audit = self.site.audit(base, self.ledger.numbers())?;
        let mut report = json!({
            "scenario": if options.one_at_a_time { "fanout one at a time" } else { "fanout" },
            "clients": options.clients, "senders": self.senders, "window": self.window,
            "seconds": round(span.seconds), "messages": messages, "deliveries": deliveries,
            "deliveries_per_s": round(deliveries as f64 / span.seconds),
            "messages_per_s": round(messages as f64 / span.seconds),
            "cpu_us_per_delivery": micros_each(span.server, deliveries),
            "server_busy": span.server.map(|cpu| round(cpu / span.seconds)),
            "generator_busy": round(span.own / span.seconds),
            "faults": self.ledger.faults.report(),
            "audit": {"acknowledged": self.ledger.seen(), "stored": audit.stored, "missing": audit.missing,
                      "doubled": audit.doubled},
        });
        if options.one_at_a_time {
            report["told_all"] = self.to_all.report();
            report["told_each"] = self.to_each.report();
        }
        Ok(report)
    }
}
