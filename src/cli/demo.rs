//! `switchboard demo`: fills an empty database with people, rooms and talk (`crate::demo`), shows how far it is, and
//! says how to log in.

use std::time::Instant;

use clap::Args;
use indicatif::HumanCount;
use rand::Rng;

use super::bar;
use crate::app::App;
use crate::auth::password;
use crate::config::Config;
use crate::db::Db;
use crate::demo::{Plan, Site, store};
use crate::error::{Error, Result};

/// Letters and digits that nobody mistakes for one another: 5 bits each.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const PASSWORD_LENGTH: usize = 16;

/// Numbers are read by [`Plan::parse`], which says what is wrong with one in a line.
#[derive(Args)]
pub struct DemoCommand {
    /// People; the first one is the administrator
    #[arg(long, value_name = "N", default_value = "60", allow_hyphen_values = true)]
    users: String,
    /// Rooms: public ones, groups and direct chats
    #[arg(long, value_name = "N", default_value = "14", allow_hyphen_values = true)]
    rooms: String,
    #[arg(long, value_name = "N", default_value = "3000", allow_hyphen_values = true)]
    messages: String,
    /// The same seed makes the same people and the same talk
    #[arg(long, value_name = "N", default_value = "1", allow_hyphen_values = true)]
    seed: String,
}

pub async fn run(config: Config, command: DemoCommand) -> Result<()> {
    let plan = Plan::parse(&command.users, &command.rooms, &command.messages, &command.seed)?;
    let remedy = remedy(config.database_url.reveal());
    let app = super::open(config).await?;
    if !store::is_empty(&mut app.db.read().await?).await? {
        app.db.close().await;
        return Err(Error::startup(format!(
            "The database has accounts or rooms already; demo fills an empty one only. To start again, even after a \
             demo that was interrupted, {remedy}."
        )));
    }
    let begun = Instant::now();
    let password = random_password();
    let hash = password::hash(password.clone()).await?;
    let now = app.clock.now();
    let site = tokio::task::spawn_blocking(move || Site::invent(plan, now)).await.map_err(Error::internal)?;
    let first = site.first_administrator().to_owned();
    let bar = bar::of("rows")?;
    bar.set_length(site.size());
    let made = store::fill(&app, site, &hash, |rows| bar.inc(rows)).await;
    bar.finish_and_clear();
    finish(&app).await?;
    let made = made?;
    println!(
        "Made {} people, {} rooms with {} memberships, {} messages and {} other rows in {:.1} s.",
        HumanCount(made.users),
        HumanCount(made.rooms),
        HumanCount(made.memberships),
        HumanCount(made.messages),
        HumanCount(made.others),
        begun.elapsed().as_secs_f64(),
    );
    println!("Log in as {first} with the password {password}");
    println!("Every other account has the same password; it isn't kept anywhere else.");
    Ok(())
}

async fn finish(app: &App) -> Result<()> {
    app.db.checkpoint().await?;
    app.db.close().await;
    Ok(())
}

/// How to get an empty database.
fn remedy(url: &str) -> String {
    match Db::file(url) {
        Some(file) if url.starts_with("sqlite:") => {
            let file = file.display();
            format!("delete {file} (and {file}-wal and {file}-shm, if they are there)")
        }
        _ => "drop and create its schema in PostgreSQL".to_owned(),
    }
}

fn random_password() -> String {
    let mut rng = rand::rng();
    (0..PASSWORD_LENGTH).map(|_| char::from(LETTERS[rng.random_range(0..LETTERS.len())])).collect()
}
