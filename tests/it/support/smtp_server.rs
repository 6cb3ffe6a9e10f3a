//! A mail server that somebody else wrote, as its own process on loopback: aiosmtpd, which `tests/run` installs into
//! `target` and names in `SMTP_PYTHON`. Its certificate is made here.

use std::process::Stdio;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

pub const USER: &str = "ann@example.org";
pub const PASSWORD: &str = "geheim / und: lang?";

pub struct SmtpServer {
    lines: Lines<BufReader<ChildStdout>>,
    port: u64,
    kind: &'static str,
    folder: TempDir,
    _child: Child,
}

impl SmtpServer {
    /// One that wants STARTTLS (`starttls`), or TLS from the first byte (`tls`); `None` without `SMTP_PYTHON`.
    pub async fn start(kind: &'static str) -> Option<Self> {
        let Ok(python) = std::env::var("SMTP_PYTHON") else {
            eprintln!("skipped: SMTP_PYTHON isn't set; tests/run sets it");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        certify(&folder);
        let at = |name: &str| folder.path().join(name);
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/smtp_server.py");
        let mut child = Command::new(python)
            .arg(script)
            .args([kind.into(), at("server.pem"), at("server.key"), USER.into(), PASSWORD.into()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut server = Self { lines, port: 0, kind, folder, _child: child };
        server.port = server.next().await.as_u64().unwrap();
        Some(server)
    }

    async fn next(&mut self) -> Value {
        let line = tokio::time::timeout(Duration::from_secs(30), self.lines.next_line()).await;
        serde_json::from_str(&line.expect("the mail server says something").unwrap().expect("it runs")).unwrap()
    }

    /// The next mail that arrives, as Python reads it.
    pub async fn mail(&mut self) -> Value {
        self.next().await
    }

    /// Its SMTP_URL, with this password.
    pub fn url(&self, password: &str) -> String {
        let scheme = if self.kind == "tls" { "smtps" } else { "smtp+starttls" };
        let coded =
            |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        format!("{scheme}://{}:{}@localhost:{}", coded(USER), coded(password), self.port)
    }

    /// What a process needs in SSL_CERT_FILE to trust it.
    pub fn authority(&self) -> String {
        self.folder.path().join("authority.pem").display().to_string()
    }
}

/// A certificate for localhost, and of the authority that signed it.
fn certify(folder: &TempDir) {
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    write("authority.pem", authority.self_signed(&authority_key).unwrap().pem());
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    write("server.pem", certificate.pem());
    write("server.key", key.serialize_pem());
}
