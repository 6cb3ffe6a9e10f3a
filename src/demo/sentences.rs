//! One message of the demo's talk: a sentence or a few of `demo::phrases`, its gaps filled from `demo::words`.
//! Called by `demo::talk`.

use rand::Rng;
use rand::rngs::StdRng;

use super::names::entries;
use super::{phrases, words};

/// Said once in so many messages and nowhere else.
const RARELY: u64 = 10_000;
const RARE_WORD: &str = "quincunx";

/// Everything that can be said.
pub(super) struct Book {
    openers: Vec<&'static str>,
    questions: Vec<&'static str>,
    answers: Vec<&'static str>,
    comments: Vec<&'static str>,
    short: Vec<&'static str>,
    closers: Vec<&'static str>,
    rich: Vec<&'static str>,
    pub topics: Vec<&'static str>,
    deeds: Vec<&'static str>,
    reasons: Vec<&'static str>,
    places: Vec<&'static str>,
    times: Vec<&'static str>,
    qualities: Vec<&'static str>,
    oddments: Vec<&'static str>,
    paths: Vec<&'static str>,
    emoji: Vec<&'static str>,
}

/// What a message depends on.
pub(super) struct Moment<'a> {
    /// Counted from 0 over the whole site.
    pub number: u64,
    pub topics: [&'static str; 2],
    /// Nothing was said in this conversation before.
    pub first: bool,
    pub last: bool,
    /// The message before was a question.
    pub asked: bool,
    /// The user name of somebody else in the conversation.
    pub other: &'a str,
}

fn lines(text: &'static str) -> Vec<&'static str> {
    text.lines().filter(|line| !line.is_empty()).collect()
}

/// An index below `length`, the first ones most often: the chance of the nth falls with 1/n, as with words in a text.
pub(super) fn skewed(rng: &mut StdRng, length: usize) -> usize {
    let size = length as f64;
    ((size + 1.0).powf(rng.random::<f64>()) as usize).saturating_sub(1).min(length.saturating_sub(1))
}

/// One of `list`, all as likely.
pub(super) fn any<T: Copy>(rng: &mut StdRng, list: &[T]) -> T {
    list[rng.random_range(0..list.len())]
}

fn common<T: Copy>(rng: &mut StdRng, list: &[T]) -> T {
    list[skewed(rng, list.len())]
}

impl Book {
    pub fn new() -> Self {
        Self {
            openers: lines(phrases::OPENERS),
            questions: lines(phrases::QUESTIONS),
            answers: lines(phrases::ANSWERS),
            comments: lines(phrases::COMMENTS),
            short: lines(phrases::SHORT),
            closers: lines(phrases::CLOSERS),
            rich: lines(phrases::RICH),
            topics: entries(words::TOPICS),
            deeds: entries(words::DEEDS),
            reasons: entries(words::REASONS),
            places: entries(words::PLACES),
            times: entries(words::TIMES),
            qualities: entries(words::QUALITIES),
            oddments: entries(words::ODDMENTS),
            paths: entries(words::PATHS),
            emoji: entries(words::EMOJI),
        }
    }

    /// A message, and whether it asks something. 1 to some 1,000 characters. Cost: O(length).
    pub fn say(&self, rng: &mut StdRng, moment: &Moment<'_>) -> (String, bool) {
        let mut text = String::with_capacity(160);
        if rng.random_ratio(1, 28) {
            self.fill(rng, &mut text, &self.rich, moment);
            return (text, false);
        }
        let (list, asks) = self.choose(rng, moment);
        self.fill(rng, &mut text, list, moment);
        if text.chars().count() > 12 {
            self.more(rng, &mut text, moment);
        }
        self.loosen(rng, &mut text);
        if moment.number % RARELY == RARELY / 2 {
            text.push_str(&format!(" The pattern is called a {RARE_WORD}, by the way."));
        }
        (text, asks)
    }

    fn choose(&self, rng: &mut StdRng, moment: &Moment<'_>) -> (&[&'static str], bool) {
        let dice = rng.random_range(0..100);
        match moment {
            Moment { first: true, .. } if dice < 35 => (&self.questions, true),
            Moment { first: true, .. } => (&self.openers, false),
            Moment { asked: true, .. } if dice < 80 => (&self.answers, false),
            Moment { last: true, .. } if dice < 60 => (&self.closers, false),
            _ if dice < 35 => (&self.short, false),
            _ if dice < 55 => (&self.questions, true),
            _ => (&self.comments, false),
        }
    }

    /// Some say more than one sentence, a few tell a whole story.
    fn more(&self, rng: &mut StdRng, text: &mut String, moment: &Moment<'_>) {
        let sentences = match rng.random_range(0..100) {
            0..70 => 0,
            70..90 => 1,
            90..97 => 2,
            _ => rng.random_range(4..9),
        };
        for _ in 0..sentences {
            text.push(' ');
            self.fill(rng, text, &self.comments, moment);
        }
    }

    /// People leave out the full stop and the capital, and add a picture.
    fn loosen(&self, rng: &mut StdRng, text: &mut String) {
        if rng.random_ratio(1, 4) && text.ends_with('.') {
            text.pop();
        }
        if rng.random_ratio(1, 8)
            && let Some(first) = text.get_mut(0..1)
            && !first.starts_with('I')
        {
            first.make_ascii_lowercase();
        }
        if rng.random_ratio(1, 16) {
            text.push(' ');
            text.push_str(common(rng, &self.emoji));
        }
    }

    /// Appends one of `phrases` with its gaps filled.
    fn fill(&self, rng: &mut StdRng, text: &mut String, phrases: &[&str], moment: &Moment<'_>) {
        let mut rest = any(rng, phrases);
        while let Some((before, tail)) = rest.split_once('{') {
            text.push_str(before);
            let Some((gap, after)) = tail.split_once('}') else { break };
            self.fill_gap(rng, text, gap, moment);
            rest = after;
        }
        text.push_str(rest);
        if text.contains("\\n") {
            *text = text.replace("\\n", "\n");
        }
    }

    fn fill_gap(&self, rng: &mut StdRng, text: &mut String, gap: &str, moment: &Moment<'_>) {
        let start = text.len();
        match gap {
            "topic" | "Topic" => text.push_str(moment.topics[0]),
            "topic2" | "Topic2" => text.push_str(moment.topics[1]),
            "deed" => text.push_str(common(rng, &self.deeds)),
            "reason" => text.push_str(common(rng, &self.reasons)),
            "place" => text.push_str(common(rng, &self.places)),
            "time" => text.push_str(common(rng, &self.times)),
            "quality" => text.push_str(common(rng, &self.qualities)),
            "oddment" => text.push_str(common(rng, &self.oddments)),
            "emoji" => text.push_str(common(rng, &self.emoji)),
            "n" => text.push_str(&(2 + skewed(rng, 400)).to_string()),
            "few" => text.push_str(&rng.random_range(2..13).to_string()),
            "code" => text.push_str(&format!("sb-{}", rng.random_range(100..100_000))),
            "link" => text.push_str(&format!(
                "https://example.org/{}/{}",
                common(rng, &self.paths),
                rng.random_range(1..10_000)
            )),
            _ => text.push_str(&format!("@{}", moment.other)),
        }
        if gap.starts_with(|c: char| c.is_ascii_uppercase()) {
            text[start..=start].make_ascii_uppercase();
        }
    }
}
