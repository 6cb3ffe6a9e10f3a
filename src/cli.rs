//! The command line: what it accepts, and one file a command.

pub mod backup;
mod bar;
pub mod check;
pub mod demo;
pub mod export;
pub mod import;
pub mod mail;
pub mod migrate;
pub mod restore;
pub mod serve;
pub mod user;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::app::{App, Seams};
use crate::config::{Config, SETTINGS, Sources};
use crate::error::Result;

/// A self-hosted real-time chat server with an admin-first backoffice.
#[derive(Parser)]
#[command(name = "switchboard", version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
pub enum Command {
    /// Migrate the database, then serve (the default)
    Serve,
    /// Apply the migrations and exit
    Migrate,
    /// Make and change accounts
    #[command(subcommand)]
    User(user::UserCommand),
    /// Fill an empty database with believable people, rooms and talk
    Demo(demo::DemoCommand),
    /// Write the whole site, database, uploads and key, into one file, while it is served
    Backup(backup::BackupCommand),
    /// Make a site of such a file, on either database
    Restore(restore::RestoreCommand),
    /// Write the whole site into a folder, as lines of JSON and files
    Export(export::ExportCommand),
    /// Take in what a Switchboard exported, or what another program has
    #[command(subcommand)]
    Import(import::ImportCommand),
    /// Send a test message through the configured SMTP server
    #[command(subcommand)]
    Mail(mail::MailCommand),
    /// Print the effective settings, and try the database, Redis and SMTP
    Check,
}

/// The command and where its settings come from. A flag for each setting works with every command.
pub fn parse() -> (Command, Sources) {
    let flags = SETTINGS.iter().map(|setting| {
        let help = match setting.default {
            "" => setting.plain(),
            default => format!("{} [default: {default}]", setting.plain()),
        };
        let name = setting.key.to_lowercase().replace('_', "-");
        Arg::new(setting.key).long(name).value_name("VALUE").help(help).global(true).help_heading("Settings")
    });
    let matches = Arguments::command().args(flags).get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let sources = Sources { folder: PathBuf::from("."), environment: true, flags: given(&matches) };
    (arguments.command.unwrap_or(Command::Serve), sources)
}

/// The settings given as flags, before the command or after it.
fn given(matches: &ArgMatches) -> BTreeMap<String, String> {
    let mut flags = BTreeMap::new();
    let mut level = Some(matches);
    while let Some(matches) = level {
        for setting in SETTINGS {
            if let Ok(Some(value)) = matches.try_get_one::<String>(setting.key) {
                flags.insert(setting.key.to_owned(), value.clone());
            }
        }
        level = matches.subcommand().map(|(_, below)| below);
    }
    flags
}

/// Runs a command. Errors are told in one line by the caller.
pub async fn run(command: Command, sources: &Sources) -> Result<ExitCode> {
    let config = Config::load(sources)?;
    match command {
        Command::Serve => serve::run(config).await.map(|()| ExitCode::SUCCESS),
        Command::Migrate => migrate::run(config).await.map(|()| ExitCode::SUCCESS),
        Command::User(command) => user::run(&open(config).await?, command).await.map(|()| ExitCode::SUCCESS),
        Command::Demo(command) => demo::run(config, command).await.map(|()| ExitCode::SUCCESS),
        Command::Backup(command) => backup::run(&config, &command).await,
        Command::Restore(command) => restore::run(&config, &command).await.map(|()| ExitCode::SUCCESS),
        Command::Export(command) => export::run(&open(config).await?, command).await.map(|()| ExitCode::SUCCESS),
        Command::Import(command) => import::run(config, command).await.map(|()| ExitCode::SUCCESS),
        Command::Mail(command) => mail::run(&config, command).await.map(|()| ExitCode::SUCCESS),
        Command::Check => Ok(check::run(&config).await),
    }
}

/// The site, for a command that changes it beside a running server or without one.
async fn open(config: Config) -> Result<App> {
    App::start(config, Seams::default()).await
}
