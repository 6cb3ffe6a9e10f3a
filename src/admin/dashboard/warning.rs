//! What needs somebody: each a plain sentence, what to do about it and where. The worst comes first.

use super::{MOST_COUNTED, Stats};
use crate::admin::resource::Act;
use crate::admin::{find, permission};
use crate::app::App;
use crate::config::advice::{self, Advice};
use crate::users::Person;

#[derive(Clone, Debug, PartialEq)]
pub struct Warning {
    pub what: String,
    pub advice: String,
    /// Where to do it, and what that is called; empty where it is done elsewhere.
    pub href: &'static str,
    pub link: &'static str,
}

/// Everything that is wrong and that `person` may know of. Cost: no query.
pub fn all(app: &App, person: &Person, stats: &Stats) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for disk in stats.disks.iter().filter(|disk| disk.is_nearly_full()) {
        warnings.push(Warning {
            what: format!("The disk of the {} is nearly full: {} left.", disk.what, bytes(disk.free_bytes)),
            advice: "Make room or enlarge it: what can't be stored is refused.".into(),
            href: "",
            link: "",
        });
    }
    if find("emails").is_some_and(|emails| permission::may(emails, person, Act::View)) {
        mails(app, stats, &mut warnings);
    }
    let overdue = stats.queues.reports_overdue;
    if overdue > 0 {
        warnings.push(Warning {
            what: format!("{} for more than a day.", counted(overdue, "report is open", "reports are open")),
            advice: "Settle them, oldest first.".into(),
            href: "/admin/queue",
            link: "Reports to settle",
        });
    }
    if let Some(what) = stats.backups.clone() {
        warnings.push(Warning {
            what,
            advice: "The log says why; it is tried again once an hour. Try it by hand with switchboard backup.".into(),
            href: "",
            link: "",
        });
    }
    if person.is_admin() {
        settings(app, &mut warnings);
    }
    warnings
}

fn mails(app: &App, stats: &Stats, warnings: &mut Vec<Warning>) {
    let queues = &stats.queues;
    let mut warn = |what: String, advice: &str, href, link| {
        warnings.push(Warning { what, advice: advice.into(), href, link });
    };
    let queued = counted(queues.mails_queued, "mail waits", "mails wait");
    if app.config.smtp_url.is_none() {
        if queues.mails_queued > 0 {
            let what = format!("{queued}, and no mail server is set.");
            warn(what, &advice::no_mail_server().advice, "/admin/emails/?status=queued", "Outbox");
        }
    } else if queues.mails_stuck > 0 {
        let what = counted(queues.mails_stuck, "mail is stuck", "mails are stuck");
        let advice = "They should have gone more than an hour ago: try the mail server with switchboard mail test.";
        warn(format!("{what}."), advice, "/admin/emails/?status=queued", "Outbox");
    }
    if queues.mails_failed > 0 {
        let what = counted(queues.mails_failed, "mail has failed", "mails have failed");
        let advice = "See why, mend it, and send them again.";
        warn(format!("{what}."), advice, "/admin/emails/?status=failed", "Failed mails");
    }
}

/// What the settings are to be told of, as `switchboard check` tells it; of mails only once some wait.
fn settings(app: &App, warnings: &mut Vec<Warning>) {
    let said = advice::all(&app.config).into_iter().filter(|said| *said != advice::no_mail_server());
    warnings.extend(said.map(|Advice { what, advice }| Warning { what, advice, href: "", link: "" }));
}

/// `1 mail waits`, `12 mails wait`, `10,000+ mails wait`.
fn counted(count: i64, one: &str, many: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        count if count > MOST_COUNTED => format!("More than {MOST_COUNTED} {many}"),
        count => format!("{count} {many}"),
    }
}

/// A size for people: `1.5 GiB`.
pub fn bytes(bytes: u64) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut unit = 0;
    let mut size = bytes as f64;
    while size >= 1024.0 && unit < units.len() - 1 {
        size /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} bytes") } else { format!("{size:.1} {}", units[unit]) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_and_counts_read_well() {
        let sizes = [0, 1023, 1024, 1536, 5 << 30].map(super::bytes);
        assert_eq!(sizes, ["0 bytes", "1023 bytes", "1.0 KiB", "1.5 KiB", "5.0 GiB"]);
        assert_eq!(super::counted(1, "mail waits", "mails wait"), "1 mail waits");
        assert_eq!(super::counted(10_001, "mail waits", "mails wait"), "More than 10000 mails wait");
    }
}
