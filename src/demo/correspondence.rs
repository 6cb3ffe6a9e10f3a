//! The demo's e-mails and tokens. Nobody can use the tokens: their hashes are random bytes, not the hash of anything.
//! Called by `demo::store`.

use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;

use super::Site;
use super::rhythm::Moment;
use super::rows::{Rows, Value};
use crate::auth::random_token;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::Result;

/// However many people there are.
const MOST: usize = 20_000;
const HOUR: Duration = Duration::from_secs(3600);
const DEVICES: [&str; 6] = ["laptop", "phone", "backup script", "calendar bot", "status board", "old tablet"];

/// `share` of the people, at least `least` where there are as many; each with a moment since they joined, by time.
fn some(rng: &mut StdRng, site: &Site, share: f64, least: usize) -> Vec<(usize, Moment)> {
    let count = ((site.people.len() as f64 * share) as usize).max(least).min(MOST);
    let mut chosen: Vec<(usize, Moment)> = (0..count)
        .map(|_| {
            let user = rng.random_range(0..site.people.len());
            let joined = site.people[user].joined.0;
            (user, Moment(joined + (1.0 - joined) * rng.random::<f64>()))
        })
        .collect();
    chosen.sort_by(|a, b| a.1.0.total_cmp(&b.1.0));
    chosen
}

/// Cost: 3 kinds of rows, O(people) up to some ten thousand.
pub(super) async fn store(conn: &mut Conn, rng: &mut StdRng, site: &Site, users: i64) -> Result<u64> {
    let emails = emails(rng, site);
    let resets = resets(rng, site, users);
    let tokens = tokens(rng, site, users);
    let count = emails.len() + resets.len() + tokens.len();
    let columns =
        "emails (\"to\", subject, text, html, status, attempts, last_error, next_attempt_at, sent_at, created_at)";
    emails.insert(conn, columns).await?;
    resets.insert(conn, "password_reset_tokens (user_id, token_hash, created_at, expires_at, used_at)").await?;
    let columns = "api_tokens (user_id, name, token_hash, created_at, last_used_at, expires_at, revoked_at)";
    tokens.insert(conn, columns).await?;
    Ok(count as u64)
}

fn emails(rng: &mut StdRng, site: &Site) -> Rows<10> {
    let mut rows = Rows::new();
    for (number, (user, moment)) in some(rng, site, 0.4, 24).into_iter().enumerate() {
        let name = &site.people[user].username;
        let at = site.rhythm.at(moment);
        let (subject, text) = letter(rng, name);
        // A user name holds nothing that HTML would read as markup.
        let html = format!("<p>{}</p>", text.replace("\n\n", "</p><p>"));
        let (status, attempts, error) = match number % 12 {
            3 => ("failed", 12, Some("550 5.1.1 No such mailbox")),
            7 => ("queued", 2, Some("421 4.3.2 The service is not available")),
            _ => ("sent", 1, None),
        };
        let (next, sent) = match status {
            "queued" => (Some(site.rhythm.now().plus(HOUR * 24)), None),
            "sent" => (None, Some(at.plus(Duration::from_secs(2)).min(site.rhythm.now()))),
            _ => (None, None),
        };
        let attempts = Value::from(attempts);
        let address = super::store::address(name);
        rows.push([
            address.into(),
            subject.into(),
            text.into(),
            html.into(),
            status.into(),
            attempts,
            error.into(),
            next.into(),
            sent.into(),
            at.into(),
        ]);
    }
    rows
}

fn letter(rng: &mut StdRng, name: &str) -> (&'static str, String) {
    let (subject, text) = match rng.random_range(0..4) {
        0 => {
            ("Reset your password", "somebody asked for a new password for your account. If it wasn't you, do nothing.")
        }
        1 => ("Somebody would like to talk with you", "there is a request for you on the page \"People\"."),
        2 => ("You were mentioned", "somebody mentioned you while you were away."),
        _ => ("Welcome", "your account is ready. Say hello in General!"),
    };
    (subject, format!("Hello {name},\n\n{text}\n\nSwitchboard"))
}

fn resets(rng: &mut StdRng, site: &Site, users: i64) -> Rows<5> {
    let mut rows = Rows::new();
    for (user, moment) in some(rng, site, 0.06, 3) {
        let at = site.rhythm.at(moment);
        let used = rng.random_ratio(3, 5).then(|| at.plus(Duration::from_secs(rng.random_range(60..3000))));
        let used = used.filter(|used| *used <= site.rhythm.now());
        rows.push([(users + user as i64).into(), random_token().into(), at.into(), at.plus(HOUR).into(), used.into()]);
    }
    rows
}

fn tokens(rng: &mut StdRng, site: &Site, users: i64) -> Rows<7> {
    let now = site.rhythm.now();
    let between = |rng: &mut StdRng, at: Timestamp| Timestamp(rng.random_range(at.0..=now.0.max(at.0)));
    let mut rows = Rows::new();
    for (user, moment) in some(rng, site, 0.05, 3) {
        let at = site.rhythm.at(moment);
        let name = DEVICES[rng.random_range(0..DEVICES.len())];
        let used = rng.random_ratio(4, 5).then(|| between(rng, at));
        let expires = rng.random_ratio(1, 2).then(|| at.plus(HOUR * 24 * 180));
        let revoked = rng.random_ratio(1, 6).then(|| between(rng, used.unwrap_or(at)));
        let user = users + user as i64;
        rows.push([
            user.into(),
            name.into(),
            random_token().into(),
            at.into(),
            used.into(),
            expires.into(),
            revoked.into(),
        ]);
    }
    rows
}
