//! `switchboard mail test`: sends one message at once, past the outbox, and says what happened. Needs no database.

use std::time::Duration;

use clap::Subcommand;
use lettre::Address;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::mail::message::{self, Outgoing};
use crate::mail::smtp::Server;

const SENDING_MAY_TAKE: Duration = Duration::from_secs(30);

#[derive(Subcommand)]
pub enum MailCommand {
    /// Send a test message through the configured SMTP server and say what happened
    Test { address: String },
}

/// Errors: [`Error::Startup`] with what keeps the message from being sent, never with the password.
pub async fn run(config: &Config, command: MailCommand) -> Result<()> {
    let MailCommand::Test { address } = command;
    if address.parse::<Address>().is_err() {
        return Err(Error::Startup(format!("\"{}\" is not an e-mail address.", address.escape_debug())));
    }
    let Some(url) = &config.smtp_url else {
        return Err(Error::startup(
            "SMTP_URL isn't set: mails wait in the outbox, where administrators can read them.",
        ));
    };
    let server = Server::parse(url)?;
    let sender = message::sender(config, "Switchboard")?;
    let text = format!(
        "This is a test message of the site at {}.\n\nThat you can read it means that its mails arrive.",
        config.origin()
    );
    let mail = Outgoing { to: &address, subject: "A test message", text: &text, html: "" };
    let written = message::write(&sender, &mail, message::random_id(config), Clock::System.now())?;
    let sent = timeout(SENDING_MAY_TAKE, server.send(&written)).await;
    let place = server.place();
    match sent {
        Ok(Ok(())) => {
            println!("{place} took a test message to {address}, from {sender}.");
            Ok(())
        }
        Ok(Err(fault)) => Err(Error::Startup(fault.to_string())),
        Err(_) => {
            Err(Error::Startup(format!("{place} didn't take the message within {} s.", SENDING_MAY_TAKE.as_secs())))
        }
    }
}
