//! `switchboard user …`: accounts from the command line, beside a running server or without one. What a command
//! ends (a disabled person's sockets) the server hears of within a second.

use std::io::{IsTerminal, Read};

use clap::Subcommand;

use crate::app::App;
use crate::auth::two_factor;
use crate::error::{Error, Result};
use crate::ids::UserId;
use crate::users::{self, NewUser, Registration, Role, User, change};
use crate::work::Work;

#[derive(Subcommand)]
pub enum UserCommand {
    /// Make an account; asks for the password on a terminal
    Add {
        name: String,
        #[arg(long)]
        email: String,
        /// admin, moderator or user
        #[arg(long, default_value = "user")]
        role: String,
        /// Read the password from standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// List all accounts
    List,
    /// Give an account another role: admin, moderator or user
    Role { name: String, role: String },
    /// Set a new password and end the account's sessions
    Password {
        name: String,
        /// Read the password from standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Keep an account from logging in and end its sessions
    Disable { name: String },
    /// Let a disabled account log in again
    Enable { name: String },
    /// Turn an account's two-factor off, for somebody who has lost theirs
    ResetTwoFactor { name: String },
}

pub async fn run(app: &App, command: UserCommand) -> Result<()> {
    match command {
        UserCommand::Add { name, email, role, password_stdin } => {
            let role = Role::try_from(role)?;
            let password = password(password_stdin)?;
            let form = Registration { username: name, email, password, ..Registration::default() };
            users::add(app, NewUser::parse(&form, &app.settings().site_name)?, role).await?;
            println!("{} is an account now ({}).", form.username, role.as_str());
        }
        UserCommand::List => list(app).await?,
        UserCommand::Role { name, role } => {
            let role = Role::try_from(role)?;
            let (mut work, user) = held(app, &name).await?;
            change::set_role(&mut work, &user, role).await?;
            work.commit().await?;
            println!("{} is {} now.", user.username, role.as_str());
        }
        UserCommand::Password { name, password_stdin } => {
            find(app, &name).await?;
            let password = password(password_stdin)?;
            let (mut work, user) = held(app, &name).await?;
            change::set_password(&mut work, &user, password).await?;
            work.commit().await?;
            println!("{} has a new password; all sessions have ended.", user.username);
        }
        UserCommand::Disable { name } => {
            let (mut work, user) = held(app, &name).await?;
            change::set_active(&mut work, &user, false).await?;
            work.commit().await?;
            println!("{} can't log in any more; all sessions have ended.", user.username);
        }
        UserCommand::Enable { name } => {
            let (mut work, user) = held(app, &name).await?;
            change::set_active(&mut work, &user, true).await?;
            work.commit().await?;
            println!("{} can log in again.", user.username);
        }
        UserCommand::ResetTwoFactor { name } => {
            let (mut work, user) = held(app, &name).await?;
            two_factor::disable(&mut work, &user).await?;
            work.commit().await?;
            println!("{}'s two-factor is off; they are told by mail.", user.username);
        }
    }
    app.db.close().await;
    Ok(())
}

async fn find(app: &App, name: &str) -> Result<User> {
    let user = users::find(&mut app.db.read().await?, name).await?;
    user.ok_or_else(|| Error::Startup(format!("There is no account called {name}.")))
}

/// The account called `name`, held for a change.
async fn held(app: &App, name: &str) -> Result<(Work, User)> {
    let id = find(app, name).await?.id;
    let mut work = Work::begin(app, None).await?;
    let user = change::hold(&mut work, id).await?;
    Ok((work, user))
}

async fn list(app: &App) -> Result<()> {
    const PAGE: i64 = 500;
    println!("{:>6}  {:32}  {:9}  {:8}  E-MAIL", "ID", "NAME", "ROLE", "STATE");
    let mut after = UserId(0);
    loop {
        let page = users::page(&mut app.db.read().await?, after, PAGE).await?;
        for user in &page {
            let state = if user.is_active { "active" } else { "disabled" };
            println!("{:>6}  {:32}  {:9}  {state:8}  {}", user.id.0, user.username, user.role.as_str(), user.email);
        }
        match page.last() {
            Some(last) if page.len() as i64 == PAGE => after = last.id,
            _ => return Ok(()),
        }
    }
}

/// From standard input to its end (without the line's end), or asked twice on a terminal.
fn password(from_stdin: bool) -> Result<String> {
    let fault = |e: std::io::Error| Error::Startup(format!("The password can't be read: {e}"));
    if from_stdin {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(fault)?;
        return Ok(text.trim_end_matches(['\r', '\n']).to_owned());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Error::startup("There is no terminal to ask for the password on: use --password-stdin."));
    }
    let first = rpassword::prompt_password("Password: ").map_err(fault)?;
    let again = rpassword::prompt_password("Again: ").map_err(fault)?;
    if first == again { Ok(first) } else { Err(Error::startup("The two passwords differ.")) }
}
