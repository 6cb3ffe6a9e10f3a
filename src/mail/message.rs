//! A mail as it goes over the wire: headers, the text and its HTML twin. Called by `mail` and by `switchboard mail test`.

use lettre::Address;
use lettre::address::Envelope;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart, SinglePart};
use url::Host;

use crate::app::App;
use crate::auth::keys::Purpose;
use crate::clock::Timestamp;
use crate::config::Config;
use crate::emails::delivery::Claimed;
use crate::error::{Error, Result};

/// What a mail says, and to whom.
pub struct Outgoing<'a> {
    pub to: &'a str,
    pub subject: &'a str,
    pub text: &'a str,
    /// Empty for a mail of plain text.
    pub html: &'a str,
}

/// Nobody answers it with "I'm on holiday" (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// Whom mails are from: MAIL_FROM, or one made of the site's name and host. Errors: [`Error::Startup`] when there is no
/// address in that.
pub fn sender(config: &Config, site_name: &str) -> Result<Mailbox> {
    let fault = || Error::startup("There is no address to send from: set MAIL_FROM.");
    match &config.mail_from {
        Some(from) => from.parse().map_err(|_| fault()),
        None => {
            let address = Address::new("switchboard", host(config)).map_err(|_| fault())?;
            Ok(Mailbox::new(Some(site_name.to_owned()), address))
        }
    }
}

/// The site's host as the part of an address after its @. An IP address stands there as it is, since lettre doesn't
/// read it in the brackets that RFC 5321 has for it; an IPv6 one couldn't, and nobody could answer to it.
fn host(config: &Config) -> String {
    match config.base_url.host() {
        Some(Host::Domain(name)) => name.to_owned(),
        Some(Host::Ipv4(ip)) => ip.to_string(),
        Some(Host::Ipv6(_)) | None => "localhost".to_owned(),
    }
}

/// The Message-ID of a queued mail, the same whenever it is sent: one that is sent twice around a crash is one to its
/// reader. Nobody without the site's key can tell from it how many mails the site sends.
pub fn stable_id(app: &App, mail: &Claimed) -> Result<String> {
    let name = app.keys.mark(Purpose::MessageId, &format!("{} {}", mail.id, mail.created_at.0))?;
    Ok(format!("<{name}@{}>", host(&app.config)))
}

/// A Message-ID that no other mail has.
pub fn random_id(config: &Config) -> String {
    format!("<{}@{}>", &crate::auth::random_token()[..32], host(config))
}

/// Puts a mail together. Errors: [`Error::Startup`] in words, for an address that isn't one. Cost: O(length).
pub fn write(from: &Mailbox, mail: &Outgoing<'_>, id: String, now: Timestamp) -> Result<Message> {
    let to: Address =
        mail.to.parse().map_err(|_| Error::startup("The recipient's address isn't an e-mail address."))?;
    let unfit = |error: lettre::error::Error| Error::Startup(format!("The mail can't be put together: {error}."));
    // Given, since lettre would else read it back from the headers, where not every address that it takes can be read.
    let envelope = Envelope::new(Some(from.email.clone()), vec![to.clone()]).map_err(unfit)?;
    let builder = Message::builder()
        .envelope(envelope)
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(mail.subject)
        .date(now.date_time().into())
        .message_id(Some(id))
        .header(AutoSubmitted);
    let message = if mail.html.is_empty() {
        builder.singlepart(SinglePart::plain(mail.text.to_owned()))
    } else {
        builder.multipart(MultiPart::alternative_plain_html(mail.text.to_owned(), mail.html.to_owned()))
    };
    message.map_err(unfit)
}
