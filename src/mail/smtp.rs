//! One SMTP server and the talk with it: connect, encrypt, log in, hand over. Each mail has a connection of its own: one
//! that was cut off in the middle must never carry the next mail. Called by `mail`, by `switchboard mail test` and by
//! `switchboard check`.
//!
//! lettre is built without its `tracing`: at level debug it writes out passwords and whole mails.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lettre::Message;
use lettre::transport::smtp::Error as Refusal;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use tokio::time::timeout;
use url::{Host, Url};

use crate::config::Secret;
use crate::emails::delivery::without_links;
use crate::error::{Error, Result};

const CONNECTING_MAY_TAKE: Duration = Duration::from_secs(10);
/// A goodbye, once the mail is taken: nobody waits for it.
const GOODBYE_MAY_TAKE: Duration = Duration::from_secs(5);
/// Characters kept of what a server says.
const MOST_SAID: usize = 300;

enum Security {
    None,
    /// STARTTLS, and nothing without it.
    Upgrade(TlsParameters),
    /// TLS from the first byte.
    Wrapped(TlsParameters),
}

/// Where mails go to, and how.
pub struct Server {
    host: String,
    port: u16,
    security: Security,
    login: Option<Login>,
}

struct Login {
    name: String,
    password: Secret,
}

/// Why a server didn't take a mail, in words; never with a password.
#[derive(Debug)]
pub struct Fault(String);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A step of the talk, for who reads what went wrong.
#[derive(Clone, Copy)]
enum Step {
    Connect,
    Encrypt,
    LogIn,
    HandOver,
}

impl Server {
    /// Reads `smtp://`, `smtps://` or `smtp+starttls://` `user:pass@host:port`; the ports without one are 25, 465 and
    /// 587. Errors: [`Error::Startup`] without the password. Cost: reads the system's certificates.
    pub fn parse(url: &Secret) -> Result<Self> {
        let fault = |what: &str| Error::Startup(format!("SMTP_URL can't be used: {what}."));
        let url = Url::parse(url.reveal()).map_err(|_| fault("it is no address"))?;
        let host = match url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(ip)) => ip.to_string(),
            Some(Host::Ipv6(ip)) => ip.to_string(),
            None => return Err(fault("it names no host")),
        };
        let tls = || TlsParameters::new(host.clone()).map_err(|_| fault("TLS can't be set up"));
        let (usual_port, security) = match url.scheme() {
            "smtp" => (25, Security::None),
            "smtp+starttls" => (587, Security::Upgrade(tls()?)),
            "smtps" => (465, Security::Wrapped(tls()?)),
            _ => return Err(fault("it begins with smtp://, smtps:// or smtp+starttls://")),
        };
        let plain = |text: &str| {
            let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
            decoded.map(|text| text.into_owned()).map_err(|_| fault("its user or password isn't UTF-8"))
        };
        let login = match url.password() {
            Some(password) => Some(Login { name: plain(url.username())?, password: Secret::new(&plain(password)?) }),
            None if url.username().is_empty() => None,
            None => return Err(fault("it names a user without a password")),
        };
        Ok(Self { port: url.port().unwrap_or(usual_port), host, security, login })
    }

    /// `mail.example.org:587`.
    pub fn place(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Hands a mail over. Sets no limit of its own to the whole, only to the connection. Cost: 1 connection, O(length).
    pub async fn send(&self, message: &Message) -> Result<(), Fault> {
        let mut connection = self.connect().await?;
        let sent = connection.send(message.envelope(), &message.formatted()).await;
        sent.map_err(|refusal| self.fault(Step::HandOver, &refusal))?;
        part(connection);
        Ok(())
    }

    /// Connects, encrypts and logs in as for a mail, and leaves it at that. Cost: 1 connection.
    pub async fn try_out(&self) -> Result<(), Fault> {
        part(self.connect().await?);
        Ok(())
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Fault> {
        let (name, address) = (ClientId::default(), (self.host.as_str(), self.port));
        let wrapped = match &self.security {
            Security::Wrapped(tls) => Some(tls.clone()),
            _ => None,
        };
        let step = if wrapped.is_some() { Step::Encrypt } else { Step::Connect };
        let connecting = AsyncSmtpConnection::connect_tokio1(address, Some(CONNECTING_MAY_TAKE), &name, wrapped, None);
        let Ok(connected) = timeout(CONNECTING_MAY_TAKE, connecting).await else {
            return Err(Fault(format!("The server at {} doesn't answer.", self.place())));
        };
        let mut connection = connected.map_err(|refusal| self.fault(step, &refusal))?;
        if let Security::Upgrade(tls) = &self.security {
            let upgraded = connection.starttls(tls.clone(), &name).await;
            upgraded.map_err(|refusal| self.fault(Step::Encrypt, &refusal))?;
        }
        if let Some(Login { name, password }) = &self.login {
            let credentials = Credentials::new(name.clone(), password.reveal().to_owned());
            let allowed = connection.auth(DEFAULT_MECHANISMS, &credentials).await;
            allowed.map_err(|refusal| self.fault(Step::LogIn, &refusal))?;
        }
        Ok(connection)
    }

    fn fault(&self, step: Step, refusal: &Refusal) -> Fault {
        let place = self.place();
        let said = refusal.to_string().replace("Connection error: ", "");
        let said =
            if refusal.status().is_some() || refusal.is_response() { self.without_password(&said) } else { said };
        Fault(match step {
            _ if said.contains("certificate") => format!("The certificate of {place} isn't trusted: {said}"),
            Step::Encrypt if refusal.is_client() => format!("The server at {place} offers no STARTTLS."),
            Step::Encrypt => format!("No encrypted connection to {place} came about: {said}"),
            Step::Connect => format!("The server at {place} can't be reached: {said}"),
            Step::LogIn if refusal.is_client() => format!("The server at {place} offers no log-in that we know."),
            Step::LogIn => format!("The server at {place} refuses the log-in: {said}"),
            Step::HandOver => format!("The server at {place} doesn't take the mail: {said}"),
        })
    }

    /// What a server said, fit to be kept and shown: it may have sent back what it was sent.
    fn without_password(&self, said: &str) -> String {
        let said = without_links(said);
        if let Some(Login { name, password }) = &self.login {
            let secret = password.reveal();
            let coded = [STANDARD.encode(format!("\0{name}\0{secret}")), STANDARD.encode(secret)];
            // Not only that part: what is left around it would tell how it goes.
            if said.contains(secret) || coded.iter().any(|coded| said.contains(coded)) {
                return "its answer holds the password, so it isn't shown".to_owned();
            }
        }
        let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
        words.chars().filter(|c| !c.is_control()).take(MOST_SAID).collect()
    }
}

/// Says goodbye in the background: what was handed over is handed over, whatever becomes of that.
fn part(mut connection: AsyncSmtpConnection) {
    tokio::spawn(async move {
        let _ = timeout(GOODBYE_MAY_TAKE, connection.abort()).await;
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str) -> String {
        Server::parse(&Secret::new(url)).map(|server| server.place()).unwrap_or_else(|error| error.to_string())
    }

    #[test]
    fn addresses_are_read_with_their_usual_ports() {
        assert_eq!(place("smtp://mail.example.org"), "mail.example.org:25");
        assert_eq!(place("smtps://ann:secret@mail.example.org"), "mail.example.org:465");
        assert_eq!(place("smtp+starttls://ann:secret@mail.example.org"), "mail.example.org:587");
        assert_eq!(place("smtp+starttls://ann:secret@[::1]:2525"), "[::1]:2525");
        assert!(place("smtp://ann@mail.example.org").contains("without a password"));
    }

    #[test]
    fn what_a_server_sends_back_is_kept_without_the_password_and_without_links() {
        let server = Server::parse(&Secret::new("smtp://ann:gehe%21m%20nis@localhost")).unwrap();
        let hidden = "its answer holds the password, so it isn't shown";
        let login = STANDARD.encode("\0ann\0gehe!m nis");
        for said in [format!("535 AUTH PLAIN {login}"), "535 gehe!m nis?".into(), STANDARD.encode("gehe!m nis")] {
            assert_eq!(server.without_password(&said), hidden);
        }
        assert_eq!(server.without_password("554 spam:\r\n x?token=abc123&y"), "554 spam: x?token=…&y");
        assert_eq!(server.without_password(&"x".repeat(1000)).len(), MOST_SAID);
    }
}
