//! A bar chart, drawn as SVG on the server: the numbers of some days. It has no style of its own (the policy of our
//! pages forbids that); colours come from classes. The numbers stand beneath it as a table, for who can't see it.

use std::borrow::Cow;

use askama::Template;

use crate::admin::dashboard::Day;
use crate::admin::query::span;
use crate::i18n::{date, number};

/// The drawing's own measure: each bar is so wide, the page stretches them.
const SLOT: i64 = 10;
const GAP: i64 = 2;
const HEIGHT: i64 = 100;

/// What is counted.
#[derive(Clone, Copy, Debug)]
pub enum Counted {
    Messages,
    SignUps,
}

#[derive(Template)]
#[template(path = "admin/chart.html")]
pub struct Chart {
    /// The chart's own on its page.
    id: &'static str,
    title: Cow<'static, str>,
    /// What is counted, as the table's heading has it.
    unit: Cow<'static, str>,
    /// What the chart says, in a sentence.
    says: String,
    bars: Vec<Bar>,
    width: i64,
    /// The number at the top line.
    top: String,
}

struct Bar {
    day: String,
    count: String,
    x: i64,
    y: i64,
    width: i64,
    height: i64,
}

impl Chart {
    /// Draws `days`, the last of which is today. Cost: O(days).
    pub fn of(counted: Counted, days: &[Day]) -> Self {
        let top = nice(days.iter().map(|day| day.count).max().unwrap_or(0));
        let bar = |(place, day): (i64, &Day)| {
            // A bar of something is never so low that it isn't seen.
            let height = if day.count > 0 { scaled(day.count, top).max(1) } else { 0 };
            let (x, y, width) = (place * SLOT + GAP / 2, HEIGHT - height, SLOT - GAP);
            Bar { day: shown(day), count: number(day.count), x, y, width, height }
        };
        let width = SLOT * i64::try_from(days.len()).unwrap_or(1);
        let (id, title, unit) = match counted {
            Counted::Messages => ("messages-a-day", tr!("Messages a day"), tr!("messages")),
            Counted::SignUps => ("signups-a-day", tr!("Sign-ups a day"), tr!("sign-ups")),
        };
        Self {
            id,
            title,
            unit,
            says: sentence(counted, days),
            bars: (0..).zip(days).map(bar).collect(),
            width,
            top: number(top),
        }
    }

    fn first(&self) -> &str {
        self.bars.first().map_or("", |bar| &bar.day)
    }

    fn last(&self) -> &str {
        self.bars.last().map_or("", |bar| &bar.day)
    }
}

fn scaled(count: i64, top: i64) -> i64 {
    i64::try_from(i128::from(count) * i128::from(HEIGHT) / i128::from(top.max(1))).unwrap_or(HEIGHT)
}

/// The number above `most` that an axis ends with: 1, 2 or 5 and noughts.
fn nice(most: i64) -> i64 {
    let mut power = 1_i64;
    while power < i64::MAX / 100 {
        for step in [1, 2, 5] {
            if step * power >= most {
                return step * power;
            }
        }
        power *= 10;
    }
    most
}

/// A day as the reader's language writes it.
fn shown(day: &Day) -> String {
    span(&day.day).map_or_else(|| day.day.clone(), |span| date(span.start))
}

fn sentence(counted: Counted, days: &[Day]) -> String {
    let (total, length): (i64, usize) = (days.iter().map(|day| day.count).sum(), days.len());
    let Some(most) = days.iter().max_by_key(|day| day.count).filter(|_| total > 0) else {
        return match counted {
            Counted::Messages => tr!("No messages in {} days.", length),
            Counted::SignUps => tr!("No sign-ups in {} days.", length),
        };
    };
    let today = number(days.last().map_or(0, |day| day.count));
    let (day, highest) = (shown(most), number(most.count));
    match counted {
        Counted::Messages => tr!(
            "{n} message in {days} days, {today} today; most on {day}: {highest}."
                | "{n} messages in {days} days, {today} today; most on {day}: {highest}." % total,
            days = length,
            today = today,
            day = day,
            highest = highest
        ),
        Counted::SignUps => tr!(
            "{n} sign-up in {days} days, {today} today; most on {day}: {highest}."
                | "{n} sign-ups in {days} days, {today} today; most on {day}: {highest}." % total,
            days = length,
            today = today,
            day = day,
            highest = highest
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(counts: &[i64]) -> Vec<Day> {
        counts.iter().zip(1..).map(|(count, day)| Day { day: format!("2026-01-{day:02}"), count: *count }).collect()
    }

    #[test]
    fn an_axis_ends_with_a_round_number() {
        let tops = [0, 1, 3, 10, 11, 49, 51, 1_000_001].map(nice);
        assert_eq!(tops, [1, 1, 5, 10, 20, 50, 100, 2_000_000]);
        assert!(nice(i64::MAX) > 0);
    }

    #[test]
    fn bars_stand_on_the_ground_and_something_is_never_nothing() {
        let chart = Chart::of(Counted::Messages, &days(&[0, 1, 500, 1000]));
        let heights: Vec<i64> = chart.bars.iter().map(|bar| bar.height).collect();
        assert_eq!(heights, [0, 1, 50, 100]);
        assert!(chart.bars.iter().all(|bar| bar.y + bar.height == HEIGHT));
        assert_eq!(chart.says, "1,501 messages in 4 days, 1,000 today; most on 2026-01-04: 1,000.");
        let empty = Chart::of(Counted::Messages, &days(&[0, 0]));
        assert_eq!(empty.says, "No messages in 2 days.");
    }

    #[test]
    fn a_chart_has_no_inline_style_and_a_table_of_its_numbers() {
        let html = Chart::of(Counted::Messages, &days(&[0, 1200])).render().unwrap();
        assert!(!html.contains("style") && html.contains("role=\"img\""));
        assert!(html.contains("<td class=\"number\">1,200</td>"));
    }
}
