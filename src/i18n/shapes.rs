//! Numbers, dates and times as the reader's language writes them, by Unicode's tables (CLDR, through ICU4X). English is
//! as it always was here: `1,234`, `2026-01-31`, `10:30`. Times are UTC; a script makes them the reader's.

use std::borrow::Borrow;
use std::sync::LazyLock;

use icu_calendar::Gregorian;
use icu_datetime::fieldsets::{T, YMD};
use icu_datetime::input::{Date, Time};
use icu_datetime::{FixedCalendarDateTimeFormatter, NoCalendarFormatter};
use icu_decimal::DecimalFormatter;
use icu_decimal::input::Decimal;
use icu_locale_core::{Locale, locale};

use super::{Language, current};
use crate::clock::Timestamp;

/// What can be counted.
pub trait Count: Copy {
    /// How many; what doesn't fit is the most there is.
    fn whole(&self) -> i64;

    /// For the choice of a plural form: whatever the sign.
    fn size(&self) -> u64 {
        self.whole().unsigned_abs()
    }
}

macro_rules! counts {
    ($($kind:ty),*) => { $(impl Count for $kind {
        fn whole(&self) -> i64 {
            i64::try_from(*self).unwrap_or(i64::MAX)
        }
    })* };
}
counts!(u8, u16, u32, u64, usize, i32, i64);

/// How one language writes them.
struct Shapes {
    number: DecimalFormatter,
    date: FixedCalendarDateTimeFormatter<Gregorian, YMD>,
    time: NoCalendarFormatter<T>,
}

impl Shapes {
    fn new(locale: &Locale) -> Option<Self> {
        Some(Self {
            number: DecimalFormatter::try_new(locale.into(), Default::default()).ok()?,
            date: FixedCalendarDateTimeFormatter::try_new(locale.into(), YMD::medium()).ok()?,
            time: NoCalendarFormatter::try_new(locale.into(), T::hm()).ok()?,
        })
    }

    /// Those of `language`; `None` for English. Digits are 0 to 9 in all of them, as scripts and addresses have them.
    fn of(language: Language) -> Option<&'static Self> {
        static GERMAN: LazyLock<Option<Shapes>> = LazyLock::new(|| Shapes::new(&locale!("de")));
        static ARABIC: LazyLock<Option<Shapes>> = LazyLock::new(|| Shapes::new(&locale!("ar-u-nu-latn")));
        match language {
            Language::English | Language::Marked => None,
            Language::German => GERMAN.as_ref(),
            Language::Arabic => ARABIC.as_ref(),
        }
    }
}

/// `1,234`. Cost: O(digits).
pub fn number(count: impl Count) -> String {
    let count = count.whole();
    match Shapes::of(current()) {
        Some(shapes) => apart(shapes.number.format(&Decimal::from(count)).to_string()),
        None => grouped(count),
    }
}

/// `2026-01-31`.
pub fn date(at: impl Borrow<Timestamp>) -> String {
    let at = *at.borrow();
    let day = at.date_time().date();
    let shaped = Shapes::of(current()).and_then(|shapes| {
        let day = Date::try_new_gregorian(day.year(), u8::from(day.month()), day.day()).ok()?;
        Some(apart(shapes.date.format(&day).to_string()))
    });
    shaped.unwrap_or_else(|| at.day())
}

/// `10:30`, UTC.
pub fn time_of_day(at: impl Borrow<Timestamp>) -> String {
    let at = *at.borrow();
    let shaped = Shapes::of(current()).and_then(|shapes| {
        let moment = at.date_time();
        let time = Time::try_new(moment.hour(), moment.minute(), 0, 0).ok()?;
        Some(apart(shapes.time.format(&time).to_string()))
    });
    shaped.unwrap_or_else(|| at.hour_minute())
}

/// `2026-01-31 10:30`, UTC.
pub fn date_time(at: impl Borrow<Timestamp>) -> String {
    let at = *at.borrow();
    format!("{} {}", date(at), time_of_day(at))
}

/// `text` by itself among words that are written from right to left, or its parts change places with what stands beside
/// it: between the marks for that (UAX 9, FSI and PDI).
fn apart(text: String) -> String {
    if current().is_rtl() { format!("\u{2068}{text}\u{2069}") } else { text }
}

/// Groups of three digits.
fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = if number < 0 { "-".to_owned() } else { String::new() };
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn thousands_stand_apart() {
        let numbers = [0_i64, 999, 1000, -1_234_567].map(super::number);
        assert_eq!(numbers, ["0", "999", "1,000", "-1,234,567"]);
    }
}
