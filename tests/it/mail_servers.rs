//! Mails through a real SMTP server, sent by the program as its own process: STARTTLS or TLS, a log-in, certificates that
//! are trusted or not; and `switchboard mail test`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::actors::{PASSWORD as OWN, Visitor};
use crate::support::app::{Database, Engine, both};
use crate::support::process::{Process, run, texts};
use crate::support::smtp_server::{PASSWORD, SmtpServer, USER};

/// A process that sends through `server` with this password, logs all it can, and its administrator.
async fn office(engine: Engine, server: &SmtpServer, password: &str) -> (Process, Visitor) {
    let (url, authority) = (server.url(password), server.authority());
    let environment = [
        ("SMTP_URL", url.as_str()),
        ("SSL_CERT_FILE", authority.as_str()),
        ("MAIL_FROM", "The Chät <chat@example.org>"),
        ("RUST_LOG", "trace"),
    ];
    let process = Process::with(Database::new(engine).await, "127.0.0.1:0", &environment).await;
    let mut ada = Visitor::at(&process.base);
    let fields =
        [("token", process.setup_token()), ("username", "ada"), ("email", "ada@example.org"), ("password", OWN)];
    ada.post("/setup", &fields).await.leads_to();
    (process, ada)
}

const TEXT: &str = "Grüße an Bob.\nA line that is far longer than the seventy-six characters that a line of a mail may well be cut after.";

async fn write_to_bob(ada: &mut Visitor) {
    let fields = [("to", "bob@example.org"), ("subject", "Grüße, Bob – how are you?"), ("text", TEXT)];
    ada.post("/admin/emails/add", &fields).await.leads_to();
}

/// Neither the password, in any form that goes over the wire, nor what a mail says.
#[track_caller]
fn tells_nothing(log: &[String]) {
    let coded = [STANDARD.encode(PASSWORD), STANDARD.encode(format!("\0{USER}\0{PASSWORD}"))];
    for hidden in [PASSWORD, coded[0].as_str(), coded[1].as_str(), "seventy-six", "not the one"] {
        assert!(log.iter().all(|line| !line.contains(hidden)), "{hidden} is in the log: {log:#?}");
    }
}

async fn arrives(engine: Engine, kind: &'static str) {
    let Some(mut server) = SmtpServer::start(kind).await else { return };
    let (mut process, mut ada) = office(engine, &server, PASSWORD).await;
    write_to_bob(&mut ada).await;
    let mail = server.mail().await;
    assert_eq!(mail["subject"], "Grüße, Bob – how are you?", "{mail}");
    assert_eq!(mail["text"].as_str().unwrap().trim_end(), TEXT, "{mail}");
    assert_eq!((&mail["from"], &mail["to"]), (&"The Chät <chat@example.org>".into(), &"bob@example.org".into()));
    assert_eq!(mail["envelope_from"], "chat@example.org");
    assert_eq!(mail["envelope_to"], serde_json::json!(["bob@example.org"]));
    assert_eq!((&mail["auto_submitted"], &mail["defects"]), (&"auto-generated".into(), &serde_json::json!([])));
    ada.post("/admin/invitations/add", &[("email", "new@example.org")]).await.leads_to();
    let letter = server.mail().await;
    assert_eq!((&letter["type"], &letter["to"]), (&"multipart/alternative".into(), &"new@example.org".into()));
    let (text, html) = (letter["text"].as_str().unwrap(), letter["html"].as_str().unwrap());
    let link = text.lines().find(|line| line.starts_with(&format!("{}/register?token=", process.base))).unwrap();
    assert!(html.contains(&format!("<a href=\"{link}\"")), "{letter}");
    let new = Visitor::at(&process.base).get(link.strip_prefix(&process.base).unwrap()).await;
    new.is(200, "value=\"new@example.org\"");
    assert_ne!(letter["message_id"], mail["message_id"]);
    let mut log = process.logs("a mail was sent").await;
    log.extend(process.logs("a mail was sent").await);
    tells_nothing(&log);
    assert!(log.iter().all(|line| !line.contains(link.split_once('=').unwrap().1)), "a link is in the log");
    let kept = ada.get("/admin/emails/2/").await;
    assert!(kept.says("token=…") && !kept.says(link), "the outbox holds no link that works");
    ada.get("/admin/emails/1/").await.is(200, "Sent");
}

both! {
    async fn a_server_with_starttls_and_a_log_in_gets_the_mail(engine: Engine) {
        arrives(engine, "starttls").await;
    }
}

both! {
    async fn a_server_with_tls_from_the_first_byte_gets_the_mail(engine: Engine) {
        arrives(engine, "tls").await;
    }
}

both! {
    async fn a_refused_log_in_is_told_to_administrators_without_the_password(engine: Engine) {
        let Some(server) = SmtpServer::start("starttls").await else { return };
        let (mut process, mut ada) = office(engine, &server, "not the one").await;
        write_to_bob(&mut ada).await;
        let log = process.logs("a mail couldn't be sent").await;
        tells_nothing(&log);
        assert!(log.last().unwrap().contains("refuses the log-in"), "{log:?}");
        let page = ada.get("/admin/emails/1/").await;
        page.is(200, "refuses the log-in");
        page.is(200, "535");
        assert!(!page.says("not the one"));
    }
}

#[tokio::test]
async fn a_test_message_arrives_and_says_where_it_went() {
    for kind in ["starttls", "tls"] {
        let Some(mut server) = SmtpServer::start(kind).await else { return };
        let database = Database::new(Engine::Sqlite).await;
        let (url, authority) = (server.url(PASSWORD), server.authority());
        let environment =
            [("SMTP_URL", url.as_str()), ("SSL_CERT_FILE", &authority), ("BASE_URL", "https://chat.example.org")];
        let done = run(&database, &["mail", "test", "bob@example.org"], "", &environment).await;
        let (said, error) = texts(&done);
        assert!(done.status.success() && said.contains("took a test message to bob@example.org"), "{said}{error}");
        let mail = server.mail().await;
        assert_eq!((&mail["subject"], &mail["to"]), (&"A test message".into(), &"bob@example.org".into()));
        assert_eq!(mail["from"], "Switchboard <switchboard@chat.example.org>");
        let checked = texts(&run(&database, &["check"], "", &environment).await).0;
        assert!(checked.contains("smtp               ok: the SMTP server at localhost:"), "{checked}");
    }
}

/// The one line of a test message that couldn't be sent; never with a password.
async fn refusal(address: &str, environment: &[(&str, &str)]) -> String {
    let done = run(&Database::new(Engine::Sqlite).await, &["mail", "test", address], "", environment).await;
    let (said, error) = texts(&done);
    assert_eq!((done.status.code(), said.as_str(), error.trim_end().lines().count()), (Some(1), "", 1), "{error}");
    assert!(!error.contains(PASSWORD) && !error.contains("not the one"), "{error}");
    error
}

#[tokio::test]
async fn what_keeps_a_test_message_from_being_sent_is_said_in_one_line() {
    assert!(refusal("bob@example.org", &[]).await.contains("SMTP_URL isn't set"));
    assert!(refusal("bob", &[]).await.contains("\"bob\" is not an e-mail address"));
    let nobody = [("SMTP_URL", "smtp://ann:not%20the%20one@127.0.0.1:1")];
    assert!(refusal("bob@example.org", &nobody).await.contains("127.0.0.1:1 can't be reached"));
    for kind in ["starttls", "tls"] {
        let Some(server) = SmtpServer::start(kind).await else { return };
        let authority = server.authority();
        let wrong = server.url("not the one");
        let error = refusal("bob@example.org", &[("SMTP_URL", &wrong), ("SSL_CERT_FILE", &authority)]).await;
        assert!(error.contains("refuses the log-in") && error.contains("535"), "{error}");
        let right = server.url(PASSWORD);
        let error = refusal("bob@example.org", &[("SMTP_URL", &right)]).await;
        assert!(error.contains("isn't trusted") && error.contains("UnknownIssuer"), "{error}");
        let plain = right.replace("smtps://", "smtp://").replace("smtp+starttls://", "smtp://");
        refusal("bob@example.org", &[("SMTP_URL", &plain), ("SSL_CERT_FILE", &authority)]).await;
        let elsewhere = right.replace("localhost", "127.0.0.1");
        let error = refusal("bob@example.org", &[("SMTP_URL", &elsewhere), ("SSL_CERT_FILE", &authority)]).await;
        assert!(error.contains("isn't trusted"), "the name must fit: {error}");
    }
}

both! {
    async fn a_certificate_that_is_not_trusted_stands_in_the_outbox(engine: Engine) {
        let Some(server) = SmtpServer::start("starttls").await else { return };
        let url: &'static str = Box::leak(server.url(PASSWORD).into_boxed_str());
        let options = crate::support::app::Options { settings: vec![("SMTP_URL", url)], ..Default::default() };
        let site = crate::support::app::Site::with(engine, options).await;
        site.queue_mail("Hello").await;
        let said = "select count(*) from emails where attempts = 1 and leased_until is null and last_error like '%trusted%UnknownIssuer%'";
        let told = async {
            while site.number(said).await == 0 {
                site.app.mail.idle().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), told).await.expect("the outbox says why");
    }
}
