//! Acknowledged posts over HTTP. Each answer must be 201 with a number of its own, and every message acknowledged is
//! read back in the end.

use clap::Args;
use serde_json::{Value, json};

use super::Fault;
use super::closed_loop::{self, Asking};
use super::http::Answer;
use super::ledger::number_of;
use super::site::Site;

#[derive(Args)]
pub struct Options {
    #[arg(long, default_value_t = 16)]
    connections: usize,
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// Before anything counts
    #[arg(long, default_value_t = 0.5)]
    warm_up: f64,
    /// One connection: each post alone
    #[arg(long)]
    lone: bool,
}

pub fn run(site: &mut Site, options: &Options) -> Result<Value, Fault> {
    let connections = if options.lone { 1 } else { options.connections };
    let base = site.last_seq()?;
    let mut posts = Posts { said: 0, under_way: vec![0; connections], acknowledged: Vec::new() };
    closed_loop::run(site, connections, options.warm_up, &mut posts)?;
    let outcome = closed_loop::run(site, connections, options.seconds, &mut posts)?;

    let audit = site.audit(base, posts.acknowledged.iter().map(|(_, n)| *n))?;
    let mut numbers: Vec<i64> = posts.acknowledged.iter().map(|(seq, _)| *seq).collect();
    numbers.sort_unstable();
    let gaps = numbers.iter().zip(base + 1..).filter(|(seq, expected)| *seq != expected).count();
    let mut report = outcome.report(if options.lone { "posts alone" } else { "posts" });
    report["connections"] = connections.into();
    report["lone_commit_us"] = audit.lone_commit_us;
    report["faults"] = json!({"lost": audit.missing, "doubled": audit.doubled, "reordered": gaps});
    report["audit"] = json!({"acknowledged": numbers.len(), "stored": audit.stored});
    Ok(report)
}

struct Posts {
    said: u64,
    /// Which message each connection has sent last.
    under_way: Vec<u64>,
    /// `seq` and message.
    acknowledged: Vec<(i64, u64)>,
}

impl Asking for Posts {
    fn next(&mut self, site: &Site, connection: usize) -> Option<Vec<u8>> {
        self.under_way[connection] = self.said;
        self.said += 1;
        Some(site.post(self.under_way[connection], connection, site.room))
    }

    fn check(&mut self, site: &Site, connection: usize, answer: &Answer, bytes: &[u8]) -> Result<(), Fault> {
        let body = &bytes[answer.end - answer.length()..answer.end];
        let n = self.under_way[connection];
        let seq = number_of(body, "seq").filter(|_| answer.status == 201);
        let Some(seq) = seq else {
            return Err(format!("a post was answered by {}: {}", answer.status, String::from_utf8_lossy(body)).into());
        };
        let is_ours = |message: Value| message["content"].as_str().and_then(|text| site.number(text)) == Some(n);
        // The bare server answers with the number only.
        if body.len() > 64 && n.is_multiple_of(16) && !is_ours(serde_json::from_slice(body)?) {
            return Err("a post was answered by another message".into());
        }
        self.acknowledged.push((seq, n));
        Ok(())
    }
}
