//! The load generator: what a server does for many, counted, and every answer checked. It knows its target by its
//! public doors only. Each scenario prints one JSON object; `benches/compare` runs them against Switchboard and the
//! bare server (`examples/bare`) in turn and prints the ratios.
//!
//! - `fanout`: N sockets in one room, messages kept under way (`--window`) or one at a time. Each socket must get each
//!   message once, in order and byte for byte as the others; what was acknowledged is read back afterwards.
//! - `idle`, `connect`: N sockets signed in and joined: time, CPU and memory of each; a message must reach all.
//! - `posts`: acknowledged posts over HTTP on C kept connections, or `--lone`; read back afterwards.
//! - `pages`: a page over C connections: plain, `--gzip`, `--revalidate` (304), many people, many rooms.
//! - `endure`: writers and listeners that go on while things break (`tests/faults`), and all of it read back.
//! - `resume`: N sockets come back with `after=` and must get what they missed, then `synced`.
//!
//! It has one core, so it is one thread over `epoll`, compares bytes instead of parsing where it can, and allocates
//! next to nothing on the way. CPU is the server's, user and system, from `/proc/PID` (`--pid`).

mod closed_loop;
mod crowd;
mod endure;
mod fanout;
mod figures;
mod http;
mod ledger;
mod pages;
mod posts;
mod process;
mod resume;
mod site;
mod standing;
mod websocket;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use site::Site;

pub type Fault = Box<dyn std::error::Error>;

#[derive(Parser)]
#[command(about = "Load, counted and checked")]
struct Options {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    Switchboard,
    Bare,
}

#[derive(Args)]
pub struct Common {
    #[arg(long, global = true, default_value = "http://127.0.0.1:8000")]
    target: String,
    #[arg(long, global = true, value_enum, default_value = "switchboard")]
    kind: Kind,
    /// The server's process, whose CPU and memory are read
    #[arg(long, global = true)]
    pid: Option<u32>,
    /// An account that may make rooms, as name:password
    #[arg(long = "as", global = true, value_name = "NAME:PASSWORD")]
    account: Option<String>,
    /// Accounts that are made (and logged in once) and shared by the connections
    #[arg(long, global = true, default_value_t = 16)]
    accounts: usize,
    /// A file of personal tokens, one a line: a person each, instead of accounts made here
    #[arg(long, global = true)]
    tokens: Option<PathBuf>,
    /// A room that is there; otherwise one is made
    #[arg(long, global = true)]
    room: Option<i64>,
    /// Characters in a message
    #[arg(long, global = true, default_value_t = 64)]
    length: usize,
    /// Looks for answers again and again over HTTP, and never sleeps: the server's CPU is then without what it takes to
    /// wake the processor that this is on, which a faster one never has to
    #[arg(long, global = true)]
    awake: bool,
}

#[derive(Subcommand)]
enum Scenario {
    /// One room, many sockets
    Fanout(fanout::Options),
    /// Many sockets that do nothing: memory
    Idle(standing::Options),
    /// Many sockets at once: time until all have joined
    Connect(standing::Options),
    /// Acknowledged posts over HTTP
    Posts(posts::Options),
    /// A page over HTTP
    Pages(pages::Options),
    /// Writers and listeners that go on while things break
    Endure(endure::Options),
    /// Fills rooms with messages, for pages that nothing is kept of
    Fill(pages::Fill),
    /// Sockets that come back and get what they missed
    Resume(resume::Options),
}

fn main() -> Result<(), Fault> {
    let Options { common, scenario } = Options::parse();
    process::raise_file_limit()?;
    let mut site = Site::prepare(&common)?;
    let mut report = match scenario {
        Scenario::Fanout(options) => fanout::run(&mut site, &options),
        Scenario::Idle(options) | Scenario::Connect(options) => standing::run(&mut site, &options),
        Scenario::Posts(options) => posts::run(&mut site, &options),
        Scenario::Pages(options) => pages::run(&mut site, &options),
        Scenario::Endure(options) => endure::run(&mut site, &options),
        Scenario::Fill(options) => pages::fill(&mut site, &options),
        Scenario::Resume(options) => resume::run(&mut site, &options),
    }?;
    report["kind"] = match common.kind {
        Kind::Switchboard => "switchboard".into(),
        Kind::Bare => "bare".into(),
    };
    report["room"] = site.room.into();
    report["people"] = site.people.len().into();
    println!("{report}");
    Ok(())
}
