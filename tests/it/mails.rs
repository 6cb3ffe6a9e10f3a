//! The outbox delivered: what a mail says on the wire, what happens when the server is away, slow or rude, and that each
//! mail arrives once whoever sends it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use switchboard::app::{App, Seams};
use switchboard::clock::Clock;
use switchboard::emails::letter::{self, Letter};
use switchboard::work::Work;

use crate::support::app::{Engine, Options, Site, both};
use crate::support::mail::{Event, Mail, Mood, Sink};

const SECOND: i64 = 1_000_000;
const START: i64 = 1_800_000_000 * SECOND;

/// A site that sends to `sink`, and the clock it goes by.
async fn posting(engine: Engine, sink: &Sink) -> (Site, Arc<AtomicI64>) {
    let clock = Arc::new(AtomicI64::new(START));
    let seams = Seams { clock: Clock::Fixed(clock.clone()), ..Seams::default() };
    let url: &'static str = Box::leak(sink.url.clone().into_boxed_str());
    let settings = vec![("SMTP_URL", url), ("BASE_URL", "https://chat.example.org")];
    (Site::with(engine, Options { settings, seams }).await, clock)
}

async fn state(site: &Site, id: i64) -> String {
    let sql = "select status || ' ' || attempts || ' ' || coalesce(last_error, '-') from emails where id = ";
    site.text(&format!("{sql}{id}")).await
}

/// A letter with a link that works for an hour.
async fn send_link(site: &Site) -> i64 {
    let mut work = Work::begin(&site.app, None).await.unwrap();
    let link = letter::link(&site.app, &format!("/password-reset/confirm?token={}", "0123456789abcdef".repeat(4)));
    let letter = Letter {
        subject: "Über your password – and more".into(),
        name: "Bob".into(),
        says: vec!["Somebody asked for a new password.".into()],
        button: Some(("Choose a password".into(), link)),
        lasts: Some(Duration::from_secs(3600)),
        ..Letter::default()
    };
    let id = letter::send(&mut work, "bob@example.org", &letter).await.unwrap();
    work.commit().await.unwrap();
    id.0
}

both! {
    async fn a_letter_goes_out_at_once_as_text_and_html_with_the_headers_of_a_machine(engine: Engine) {
        let mut sink = Sink::new(Mood::Take).await;
        let (site, _) = posting(engine, &sink).await;
        let id = send_link(&site).await;
        let mail = sink.mail().await;
        let link = format!("https://chat.example.org/password-reset/confirm?token={}", "0123456789abcdef".repeat(4));
        assert!(mail.text.contains("Hello Bob") && mail.text.contains(&link), "{mail:?}");
        assert!(mail.html.contains("<p>Somebody asked for a new password.</p>") && mail.html.contains(&format!("href=\"{link}\"")), "{mail:?}");
        assert_eq!(mail.header("from"), "Switchboard <switchboard@chat.example.org>");
        assert_eq!(mail.header("to"), "bob@example.org");
        assert_eq!(mail.header("auto-submitted"), "auto-generated");
        assert_eq!(mail.header("date"), "Fri, 15 Jan 2027 08:00:00 +0000");
        assert!(mail.header("message-id").ends_with("@chat.example.org>"), "{mail:?}");
        assert!(mail.header("subject").starts_with("=?utf-8?"), "{mail:?}");
        site.app.mail.idle().await;
        assert_eq!(state(&site, id).await, "sent 1 -");
        assert_eq!(site.number("select sent_at from emails").await, START);
    }
}

both! {
    async fn a_link_that_was_sent_is_not_kept_and_can_not_be_sent_again(engine: Engine) {
        let mut sink = Sink::new(Mood::Take).await;
        let (site, _) = posting(engine, &sink).await;
        let id = send_link(&site).await;
        sink.mail().await;
        site.app.mail.idle().await;
        for part in ["text", "html"] {
            let kept = site.text(&format!("select {part} from emails")).await;
            assert!(kept.contains("confirm?token=…") && !kept.contains("0123456789abcdef"), "{kept}");
        }
        let mut work = site.admin().await;
        let refused = switchboard::emails::resend(&mut work, switchboard::ids::EmailId(id)).await.unwrap_err();
        assert!(refused.status() == 409 && refused.to_string().contains("asks for a new one"), "{refused}");
    }
}

both! {
    async fn a_mail_is_tried_again_after_the_contracts_pauses_for_two_days_and_then_fails(engine: Engine) {
        let mut sink = Sink::new(Mood::Refuse("451 Not\r\n".into())).await;
        let (site, clock) = posting(engine, &sink).await;
        let id = site.queue_mail("Again").await;
        let mut pauses = Vec::new();
        loop {
            assert_eq!(sink.next().await, Event::Refused);
            site.app.mail.idle().await;
            let said = state(&site, id).await;
            assert!(said.contains("doesn't take the mail") && said.contains("451"), "{said}");
            if said.starts_with("failed") {
                break;
            }
            let (now, next) = (clock.load(Ordering::Relaxed), site.number("select next_attempt_at from emails").await);
            pauses.push((next - now) / SECOND);
            clock.store(next, Ordering::Relaxed);
            site.app.mail.wake();
        }
        assert_eq!(pauses[..6], [10, 30, 120, 240, 480, 960]);
        assert_eq!(pauses.iter().sum::<i64>(), 2 * 24 * 3600);
        assert!(sink.is_quiet());
        sink.set(Mood::Take);
        let mut work = site.admin().await;
        switchboard::emails::resend(&mut work, switchboard::ids::EmailId(id)).await.unwrap();
        work.commit().await.unwrap();
        sink.mail().await;
        site.app.mail.idle().await;
        assert_eq!(state(&site, id).await, "sent 1 -");
    }
}

both! {
    async fn a_server_that_hangs_up_or_is_away_costs_one_attempt_each_and_keeps_the_message_id(engine: Engine) {
        let mut sink = Sink::new(Mood::Cut).await;
        let (site, clock) = posting(engine, &sink).await;
        let id = site.queue_mail("Once more").await;
        let Event::Cut(first) = sink.next().await else { panic!() };
        site.app.mail.idle().await;
        assert!(state(&site, id).await.starts_with("queued 1 The server at 127.0.0.1:"), "{}", state(&site, id).await);
        sink.set(Mood::Take);
        clock.fetch_add(10 * SECOND, Ordering::Relaxed);
        site.app.mail.wake();
        let second = sink.mail().await;
        assert_eq!(Mail::parse(&first).header("message-id"), second.header("message-id"));
        let other = site.queue_mail("Another").await;
        assert_ne!(sink.mail().await.header("message-id"), second.header("message-id"), "{other}");
    }
}

both! {
    async fn a_mail_past_its_time_is_not_sent(engine: Engine) {
        let mut sink = Sink::new(Mood::Refuse("451 Not now".into())).await;
        let (site, clock) = posting(engine, &sink).await;
        let id = send_link(&site).await;
        assert_eq!(sink.next().await, Event::Refused);
        site.app.mail.idle().await;
        sink.set(Mood::Take);
        clock.fetch_add(3600 * SECOND, Ordering::Relaxed);
        let other = site.queue_mail("In time").await;
        assert_eq!(sink.mail().await.header("subject"), "In time", "{other}");
        site.app.mail.idle().await;
        assert_eq!(state(&site, id).await, "failed 2 It wasn't sent: its link has run out.");
        assert!(!site.text(&format!("select text from emails where id = {id}")).await.contains("0123456789abcdef"));
        assert!(sink.is_quiet());
    }
}

both! {
    async fn of_two_who_deliver_from_one_database_each_mail_goes_by_one(engine: Engine) {
        let mut sink = Sink::new(Mood::Take).await;
        let (site, _) = posting(engine, &sink).await;
        let second = App::start(site.app.config.clone(), Seams { clock: site.app.clock.clone(), ..Seams::default() }).await.unwrap();
        let delivering = tokio::spawn(switchboard::mail::run(second.clone()));
        let mut expected = BTreeSet::new();
        let mut work = Work::begin(&site.app, None).await.unwrap();
        for number in 0..40 {
            let subject = format!("Number {number}");
            let new = switchboard::emails::NewEmail::parse("bob@example.org", &subject, "Hello").unwrap();
            switchboard::emails::queue(&mut work, &new, None).await.unwrap();
            expected.insert(subject);
        }
        let other = second.clone();
        work.then(move |_| other.mail.wake());
        work.commit().await.unwrap();
        let mut arrived = BTreeSet::new();
        for _ in 0..40 {
            assert!(arrived.insert(sink.mail().await.header("subject").to_owned()), "none twice");
        }
        assert_eq!(arrived, expected);
        site.app.mail.idle().await;
        second.mail.idle().await;
        assert_eq!(site.number("select count(*) from emails where status = 'sent' and attempts = 1").await, 40);
        assert!(sink.is_quiet());
        delivering.abort();
    }
}

both! {
    async fn what_a_dead_sender_had_claimed_is_sent_once_when_its_lease_has_run_out(engine: Engine) {
        let mut sink = Sink::new(Mood::Hang).await;
        let (site, clock) = posting(engine, &sink).await;
        let id = site.queue_mail("Mine").await;
        let Event::Hung(first) = sink.next().await else { panic!() };
        assert_eq!(site.number("select attempts from emails").await, 1);
        let lease = site.number("select leased_until from emails").await;
        assert!(lease > START);
        // The one that sends it hangs; to everybody else it looks like one that has died.
        sink.set(Mood::Take);
        let second = App::start(site.app.config.clone(), Seams { clock: site.app.clock.clone(), ..Seams::default() }).await.unwrap();
        let claimed = switchboard::emails::delivery::claim(&second).await.unwrap();
        assert!(claimed.is_err(), "it is leased");
        let refused = switchboard::emails::cancel(&mut site.admin().await, switchboard::ids::EmailId(id)).await.unwrap_err();
        assert_eq!(refused.to_string(), "This mail is being sent at this moment.");
        clock.store(lease, Ordering::Relaxed);
        let delivering = tokio::spawn(switchboard::mail::run(second.clone()));
        let mail = sink.mail().await;
        assert_eq!(mail.header("message-id"), Mail::parse(&first).header("message-id"), "one mail to its reader");
        second.mail.idle().await;
        assert_eq!(state(&site, id).await, "sent 2 -");
        assert!(sink.is_quiet());
        delivering.abort();
    }
}

both! {
    async fn without_a_server_mails_wait_to_be_read_in_the_backoffice(engine: Engine) {
        let site = Site::new(engine).await;
        let id = site.queue_mail("Waiting").await;
        switchboard::mail::run(site.app.clone()).await;
        assert_eq!(state(&site, id).await, "queued 0 -");
    }
}

both! {
    async fn what_was_queued_elsewhere_is_found_without_being_told(engine: Engine) {
        let mut sink = Sink::new(Mood::Take).await;
        let (site, _) = posting(engine, &sink).await;
        site.sql(&format!("insert into emails (\"to\", subject, text, next_attempt_at, created_at) values ('a@example.org', 'Found', 'x', {START}, 1)")).await;
        let mail = sink.mail().await;
        assert_eq!((mail.header("subject"), mail.text.trim(), mail.html.as_str()), ("Found", "x", ""));
    }
}

both! {
    async fn a_stop_lets_a_mail_on_its_way_arrive(engine: Engine) {
        let mut sink = Sink::new(Mood::Take).await;
        let (site, _) = posting(engine, &sink).await;
        let app = site.app.clone();
        site.queue_mail("Last").await;
        sink.mail().await;
        let database = site.stop().await;
        drop(app);
        let again = Site::over(database, 0, Options::default()).await;
        assert_eq!(state(&again, 1).await, "sent 1 -");
    }
}
