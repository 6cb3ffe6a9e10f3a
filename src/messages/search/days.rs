//! Days as the full-text index has them. A message is tagged with its day, counted from 1970, and with the 32 and the 1024
//! days that it is in: any stretch of days is then some dozens of tags, however long it is, and a search for words in it
//! looks at nothing else.

use time::macros::format_description;
use time::{Date, OffsetDateTime};

use crate::clock::Timestamp;
use crate::error::{Error, Result};

/// Days that one tag stands for, the largest first, and the letter it begins with; the triggers on `messages` write the same.
const SPANS: [(i64, char); 3] = [(1024, 'f'), (32, 'e'), (1, 'd')];

/// The day that `text` names as `2026-01-31`; `None` for nothing. Errors: [`Error::Invalid`] at `field`.
pub fn day(field: &'static str, text: &str) -> Result<Option<Date>> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let format = format_description!("[year]-[month]-[day]");
    // The parser takes years before the first, too.
    let parsed = Date::parse(text, format).ok().filter(|_| !text.starts_with(['-', '+']));
    parsed.map(Some).ok_or_else(|| Error::field(field, tr!("A day is written like 2026-01-31.")))
}

/// The tags of a stretch of days.
#[derive(Debug, Default, PartialEq)]
pub struct Days {
    /// None for all days there are.
    pub tags: Vec<String>,
    /// There is nothing in it, nor will be.
    pub is_empty: bool,
}

/// The days from `since` to `until`, both included. Errors: [`Error::Invalid`] at `until`. Cost: O(1), at most 150 tags.
pub fn cover(since: Option<Date>, until: Option<Date>, now: Timestamp) -> Result<Days> {
    if since.is_none() && until.is_none() {
        return Ok(Days::default());
    }
    if since.zip(until).is_some_and(|(since, until)| until < since) {
        return Err(Error::field("until", tr!("The last day is before the first.")));
    }
    let number = |date: Date| (date - OffsetDateTime::UNIX_EPOCH.date()).whole_days();
    // Some clocks are ahead of others; none by years.
    let latest = number(now.date_time().date()) + SPANS[0].0;
    let first = since.map_or(0, number).max(0);
    let last = until.map_or(latest, number).min(latest);
    Ok(Days { tags: tags(first, last), is_empty: last < first })
}

/// The fewest tags for these days, one after the other.
fn tags(first: i64, last: i64) -> Vec<String> {
    let mut tags = Vec::new();
    let mut at = first;
    while at <= last {
        let fits = |(span, _): &&(i64, char)| at % span == 0 && at + span - 1 <= last;
        let (span, letter) = SPANS.iter().find(fits).copied().unwrap_or((1, 'd'));
        tags.push(format!("{letter}{}", at / span));
        at += span;
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_a_stretch_is_in_one_of_its_tags_and_no_other_is() {
        for (first, last) in [(0, 0), (5, 5), (0, 31), (1, 32), (31, 1100), (1000, 5000), (20_000, 21_500)] {
            let mut days = Vec::new();
            for tag in tags(first, last) {
                let span = SPANS.iter().find(|(_, letter)| tag.starts_with(*letter)).unwrap().0;
                let number: i64 = tag[1..].parse().unwrap();
                days.extend(number * span..(number + 1) * span);
            }
            assert_eq!(days, (first..=last).collect::<Vec<_>>());
        }
        assert!(tags(1, 21_503).len() < 150);
    }

    #[test]
    fn a_stretch_has_ends_in_order_and_may_lie_where_nothing_is() {
        let now = Timestamp(1_780_000_000_000_000);
        let on = |text| day("since", text).unwrap();
        assert_eq!(cover(None, None, now).unwrap(), Days::default());
        assert!(cover(on("2999-01-01"), None, now).unwrap().is_empty);
        assert!(cover(None, on("1969-12-31"), now).unwrap().is_empty);
        assert_eq!(cover(on("1970-01-02"), on("1970-01-02"), now).unwrap().tags, ["d1"]);
        assert_eq!(cover(on("2026-02-01"), on("2026-01-31"), now).unwrap_err().status(), 422);
        for text in ["2026-02-30", "31.1.2026", "yesterday", "2026-1-1", "-2026-01-01", "2026-01-31T10:00"] {
            assert_eq!(day("since", text).unwrap_err().status(), 422, "{text}");
        }
        assert_eq!(day("since", " ").unwrap(), None);
    }
}
