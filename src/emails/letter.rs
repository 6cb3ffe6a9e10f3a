//! What the site writes to people: a [`Letter`] is laid out as text and as HTML by the templates in `templates/email`,
//! and queued by [`send`] in the transaction of what it tells of.

use std::time::Duration;

use askama::Template;

use super::{NewEmail, queue};
use crate::app::App;
use crate::error::{Error, Result};
use crate::ids::EmailId;
use crate::work::Work;

/// One letter, in plain sentences.
#[derive(Clone, Debug, Default)]
pub struct Letter {
    pub subject: String,
    /// Whom it is to, as they are called.
    pub name: String,
    /// What it says, a paragraph each.
    pub says: Vec<String>,
    /// What to press, and where that leads.
    pub button: Option<(String, String)>,
    /// What comes after the button.
    pub then: Vec<String>,
    /// How long its button works; afterwards the letter isn't sent any more.
    pub lasts: Option<Duration>,
}

#[derive(Template)]
#[template(path = "email/letter.txt")]
struct Text<'a> {
    letter: &'a Letter,
    site_name: &'a str,
    site: &'a str,
}

#[derive(Template)]
#[template(path = "email/letter.html")]
struct Html<'a> {
    letter: &'a Letter,
    site_name: &'a str,
    site: &'a str,
}

/// The address of a page of this site, for a letter.
pub fn link(app: &App, path: &str) -> String {
    format!("{}{path}", app.config.origin())
}

/// Queues `letter` to the address `to`, due at once. Cost: 1 statement, O(length).
pub async fn send(work: &mut Work, to: &str, letter: &Letter) -> Result<EmailId> {
    let new = lay_out(&work.app, to, letter)?;
    let until = letter.lasts.map(|lasts| work.now().plus(lasts));
    queue(work, &new, until).await
}

/// The letter as a mail. Cost: O(length).
pub fn lay_out(app: &App, to: &str, letter: &Letter) -> Result<NewEmail> {
    let (site_name, site) = (app.settings().site_name.clone(), app.config.origin());
    let text = Text { letter, site_name: &site_name, site: &site }.render().map_err(Error::internal)?;
    let html = Html { letter, site_name: &site_name, site: &site }.render().map_err(Error::internal)?;
    NewEmail::parse(to, &letter.subject, &text).map(|mail| mail.with_html(html))
}
