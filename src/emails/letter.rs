//! What the site writes to people: a [`Letter`] is laid out as text and as HTML by the templates in `templates/email`,
//! and queued by [`send`] in the transaction of what it tells of. It is written within [`i18n::said_in`], in the
//! [`language`] of whom it is for.

use std::time::Duration;

use askama::Template;

use super::{NewEmail, queue};
use crate::app::App;
use crate::error::{Error, Result};
use crate::i18n::{self, Language};
use crate::ids::EmailId;
use crate::users::User;
use crate::work::Work;

/// One letter, in plain sentences.
#[derive(Clone, Debug)]
pub struct Letter {
    pub language: Language,
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

impl Default for Letter {
    /// An empty one, in the language that is spoken where it is written.
    fn default() -> Self {
        Self {
            language: i18n::current(),
            subject: String::new(),
            name: String::new(),
            says: Vec::new(),
            button: None,
            then: Vec::new(),
            lasts: None,
        }
    }
}

/// What a letter to `user` is written in: the language they chose; else the one that whoever does `work` speaks, if that
/// is they themselves or, as at the door, nobody knows; else the setting.
pub fn language(work: &Work, user: &User) -> Language {
    let is_own = work.by.as_ref().is_none_or(|by| by.id == user.id);
    let spoken = || i18n::spoken().filter(|_| is_own);
    Language::of(&user.language).or_else(spoken).unwrap_or(work.app.config.site_language)
}

/// What somebody is written to who isn't here: the language with this code, which they chose, else the setting.
pub fn language_of(app: &App, chosen: &str) -> Language {
    Language::of(chosen).unwrap_or(app.config.site_language)
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
    let (text, html) = i18n::said_in(letter.language, || {
        let text = Text { letter, site_name: &site_name, site: &site }.render();
        (text, Html { letter, site_name: &site_name, site: &site }.render())
    });
    let mail = NewEmail::parse(to, &letter.subject, &text.map_err(Error::internal)?)?;
    Ok(mail.with_html(html.map_err(Error::internal)?))
}
