//! What needs somebody: each a plain sentence, what to do about it and where. The worst comes first.

use super::tally::{Disk, Holds};
use super::{MOST_COUNTED, Stats};
use crate::admin::resource::Act;
use crate::admin::{find, permission};
use crate::app::App;
use crate::config::advice::{self, Advice};
use crate::i18n::gettext;
use crate::users::Person;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Warning {
    pub what: String,
    pub advice: String,
    /// Where to do it, and what that is called; empty where it is done elsewhere.
    pub href: &'static str,
    pub link: String,
}

impl Warning {
    fn new(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { what: what.into(), advice: advice.into(), ..Self::default() }
    }

    fn at(self, href: &'static str, link: impl Into<String>) -> Self {
        Self { href, link: link.into(), ..self }
    }
}

/// Everything that is wrong and that `person` may know of. Cost: no query.
pub fn all(app: &App, person: &Person, stats: &Stats) -> Vec<Warning> {
    let mut warnings: Vec<Warning> = stats.disks.iter().filter(|disk| disk.is_nearly_full()).map(full).collect();
    if find("emails").is_some_and(|emails| permission::may(emails, person, Act::View)) {
        mails(app, stats, &mut warnings);
    }
    let count = stats.queues.reports_overdue;
    if count > 0 {
        let exactly = tr!(
            "{count} report is open for more than a day." | "{count} reports are open for more than a day." % count,
            count = count
        );
        let beyond = tr!("More than {} reports are open for more than a day.", MOST_COUNTED);
        let warning = Warning::new(capped(count, exactly, beyond), tr!("Settle them, oldest first."));
        warnings.push(warning.at("/admin/queue", tr!("Reports to settle")));
    }
    warnings.extend(stats.backups.as_deref().map(|what| {
        Warning::new(
            what,
            tr!("The log says why; it is tried again once an hour. Try it by hand with switchboard backup."),
        )
    }));
    if person.is_admin() {
        settings(app, &mut warnings);
    }
    warnings
}

fn full(disk: &Disk) -> Warning {
    let left = bytes(disk.free_bytes);
    let what = match disk.what {
        Holds::Database => tr!("The disk of the database is nearly full: {} left.", left),
        Holds::Uploads => tr!("The disk of the uploads is nearly full: {} left.", left),
    };
    Warning::new(what, tr!("Make room or enlarge it: what can't be stored is refused."))
}

fn mails(app: &App, stats: &Stats, warnings: &mut Vec<Warning>) {
    let queues = &stats.queues;
    if app.config.smtp_url.is_none() {
        if queues.mails_queued > 0 {
            let what = unsent(queues.mails_queued);
            let warning = Warning::new(what, advice::no_mail_server().advice);
            warnings.push(warning.at("/admin/emails/?status=queued", tr!("Outbox")));
        }
    } else if queues.mails_stuck > 0 {
        let count = queues.mails_stuck;
        let exactly = tr!("{count} mail is stuck." | "{count} mails are stuck." % count, count = count);
        let what = capped(count, exactly, tr!("More than {} mails are stuck.", MOST_COUNTED));
        let advice =
            tr!("They should have gone more than an hour ago: try the mail server with switchboard mail test.");
        warnings.push(Warning::new(what, advice).at("/admin/emails/?status=queued", tr!("Outbox")));
    }
    if queues.mails_failed > 0 {
        let count = queues.mails_failed;
        let exactly = tr!("{count} mail has failed." | "{count} mails have failed." % count, count = count);
        let what = capped(count, exactly, tr!("More than {} mails have failed.", MOST_COUNTED));
        let warning = Warning::new(what, tr!("See why, mend it, and send them again."));
        warnings.push(warning.at("/admin/emails/?status=failed", tr!("Failed mails")));
    }
}

/// Mails that nothing will take.
fn unsent(count: i64) -> String {
    let exactly = tr!(
        "{count} mail waits, and no mail server is set." | "{count} mails wait, and no mail server is set." % count,
        count = count
    );
    capped(count, exactly, tr!("More than {} mails wait, and no mail server is set.", MOST_COUNTED))
}

/// What the settings are to be told of, as `switchboard check` tells it; of mails only once some wait.
fn settings(app: &App, warnings: &mut Vec<Warning>) {
    let said = advice::all(&app.config).into_iter().filter(|said| *said != advice::no_mail_server());
    warnings.extend(said.map(|Advice { what, advice }| Warning::new(what, advice)));
}

/// `exactly` so many, or `beyond` what is counted.
fn capped(count: i64, exactly: String, beyond: String) -> String {
    if count > MOST_COUNTED { beyond } else { exactly }
}

const UNITS: [&str; 6] =
    [msgid!("{} bytes"), msgid!("{} KiB"), msgid!("{} MiB"), msgid!("{} GiB"), msgid!("{} TiB"), msgid!("{} PiB")];

/// A size for people: `1.5 GiB`.
pub fn bytes(bytes: u64) -> String {
    let mut unit = 0;
    let mut size = bytes as f64;
    while size >= 1024.0 && unit < UNITS.len() - 1 {
        size /= 1024.0;
        unit += 1;
    }
    let size = if unit == 0 { bytes.to_string() } else { format!("{size:.1}") };
    gettext(UNITS[unit]).replace("{}", &size)
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_and_counts_read_well() {
        let sizes = [0, 1023, 1024, 1536, 5 << 30].map(super::bytes);
        assert_eq!(sizes, ["0 bytes", "1023 bytes", "1.0 KiB", "1.5 KiB", "5.0 GiB"]);
        assert_eq!(super::unsent(1), "1 mail waits, and no mail server is set.");
        assert_eq!(super::unsent(10_000), "10000 mails wait, and no mail server is set.");
        assert_eq!(super::unsent(10_001), "More than 10000 mails wait, and no mail server is set.");
    }
}
