//! Time: [`Timestamp`], microseconds since 1970 UTC as stored, and [`Clock`], where the program reads the time.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use askama::filters::HtmlSafe;
use askama::{FastWritable, Values};
use serde::{Deserialize, Serialize, Serializer};
use time::{Date, OffsetDateTime};
use utoipa::openapi::schema::{SchemaFormat, Type};
use utoipa::openapi::{KnownFormat, ObjectBuilder, RefOr, Schema};

/// Microseconds.
const DAY: i64 = 24 * 3600 * 1_000_000;
/// The Julian day of 1970-01-01.
const EPOCH: i32 = 2_440_588;

/// A moment in microseconds since 1970 UTC. Shown and serialised as RFC 3339 with milliseconds; read back only from what
/// the database holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type, Deserialize)]
#[sqlx(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }

    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The moment of a date and time.
    pub fn of(moment: OffsetDateTime) -> Self {
        Self(i64::try_from(moment.unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX))
    }

    pub fn date_time(self) -> OffsetDateTime {
        let (seconds, micros) = (self.0.div_euclid(1_000_000), self.0.rem_euclid(1_000_000));
        let whole = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        whole + time::Duration::microseconds(micros)
    }

    /// `2026-01-31`.
    pub fn day(self) -> String {
        let mut text = self.to_string();
        text.truncate(10);
        text
    }

    /// Days since 1970, UTC.
    pub fn day_number(self) -> i64 {
        self.0.div_euclid(DAY)
    }

    /// `10:30`, UTC.
    pub fn hour_minute(self) -> String {
        let text = self.text();
        text[11..16].iter().map(|digit| char::from(*digit)).collect()
    }
}

impl Timestamp {
    /// As it is written (RFC 3339, milliseconds, UTC). Digit by digit: a line of the log has one, and a page of messages a
    /// hundred. The library's way from a format took 1 µs.
    fn text(self) -> [u8; 24] {
        let day = i32::try_from(self.day_number()).ok().and_then(|day| Date::from_julian_day(EPOCH + day).ok());
        let date = day.unwrap_or(OffsetDateTime::UNIX_EPOCH.date());
        let in_day = self.0.rem_euclid(DAY) / 1000;
        // Below a thousand each.
        let part = |unit: i64, most: i64| (in_day / unit % most) as u16;
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let mut put = |place: usize, digits: usize, mut number: u16| {
            for digit in text[place..place + digits].iter_mut().rev() {
                // A remainder of ten.
                *digit = b'0' + (number % 10) as u8;
                number /= 10;
            }
        };
        let (year, month, day) = date.to_calendar_date();
        put(0, 4, u16::try_from(year).unwrap_or_default());
        put(5, 2, u8::from(month).into());
        put(8, 2, day.into());
        put(11, 2, part(3_600_000, 24));
        put(14, 2, part(60_000, 60));
        put(17, 2, part(1000, 60));
        put(20, 3, part(1, 1000));
        text
    }

    fn write(self, to: &mut dyn fmt::Write) -> fmt::Result {
        to.write_str(std::str::from_utf8(&self.text()).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

impl HtmlSafe for Timestamp {}

impl FastWritable for Timestamp {
    fn write_into(&self, dest: &mut dyn fmt::Write, _: &dyn Values) -> askama::Result<()> {
        Ok(self.write(dest)?)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl utoipa::PartialSchema for Timestamp {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("UTC, RFC 3339 with milliseconds."))
            .examples(["2026-01-31T10:30:00.000Z"])
            .into()
    }
}

impl utoipa::ToSchema for Timestamp {}

/// The system's clock, or one that a test moves.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    #[default]
    System,
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
            }
            Self::Fixed(micros) => Timestamp(micros.load(Ordering::Relaxed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::format_description::well_known::Rfc3339;

    #[test]
    fn a_moment_is_shown_as_it_stands_in_the_standard() {
        let moments = [0, 1, 999_999, 951_782_400_123_456, 1_798_761_599_999_999, 253_402_300_799_999_000, -1];
        for moment in moments.map(Timestamp) {
            let shown = OffsetDateTime::parse(&moment.to_string(), &Rfc3339).unwrap();
            assert_eq!(shown.unix_timestamp_nanos(), i128::from(moment.0.div_euclid(1000)) * 1_000_000, "{moment}");
        }
        let moment = Timestamp(951_784_260_123_456);
        assert_eq!(moment.to_string(), "2000-02-29T00:31:00.123Z");
        assert_eq!((moment.day().as_str(), moment.hour_minute().as_str()), ("2000-02-29", "00:31"));
        assert_eq!((moment.day_number(), Timestamp(-1).day_number()), (11_016, -1));
    }
}
