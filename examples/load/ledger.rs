//! Who has been told what. The first socket that gets a message has it read in full: its number is the next, its text
//! is one that was sent. Its bytes are kept, and every other socket must get the same bytes at the same place.

use serde::Deserialize;
use serde_json::{Value, json};

use super::http::find;

pub struct Ledger {
    /// The last `seq` before the run.
    base: i64,
    /// How many sockets are to be told.
    sockets: u32,
    messages: Vec<Told>,
    /// Messages that all have, of those in `messages`.
    pub complete: u64,
    pub deliveries: u64,
    pub faults: Faults,
}

struct Told {
    bytes: Box<[u8]>,
    n: u64,
    times: u32,
}

/// What should never be.
#[derive(Default, Debug, PartialEq)]
pub struct Faults {
    pub lost: u64,
    pub doubled: u64,
    pub reordered: u64,
    /// Other bytes than those that another socket got, or a text that nobody sent.
    pub damaged: u64,
    /// Answered by an error frame.
    pub refused: u64,
    /// Sockets that were closed.
    pub closed: u64,
    /// Frames that came before a socket's `connected`, which is to be the first.
    pub before_connected: u64,
}

impl Faults {
    pub fn report(&self) -> Value {
        let Self { lost, doubled, reordered, damaged, refused, closed, before_connected } = self;
        json!({"lost": lost, "doubled": doubled, "reordered": reordered, "damaged": damaged, "refused": refused,
               "closed": closed, "before connected": before_connected})
    }
}

/// What a frame turned out to be.
#[derive(Debug, PartialEq)]
pub enum Meant {
    /// A message, in its place; with its number when this was the last socket to be told.
    Message { completes: Option<u64> },
    /// Presence, counts and the like.
    Other,
    /// Something is wrong, and counted.
    Fault,
}

#[derive(Deserialize)]
struct Fields<'a> {
    seq: i64,
    rev: i64,
    #[serde(borrow)]
    content: std::borrow::Cow<'a, str>,
}

const MESSAGE: &[u8] = br#"{"type":"message","#;

impl Ledger {
    pub fn new(base: i64, sockets: usize) -> Self {
        let sockets = u32::try_from(sockets).unwrap_or(u32::MAX);
        Self { base, sockets, messages: Vec::new(), complete: 0, deliveries: 0, faults: Faults::default() }
    }

    /// Takes a frame of a socket that has had `place` messages. `number` says which message has a text.
    pub fn take(&mut self, place: &mut usize, frame: &[u8], number: impl Fn(&str) -> Option<u64>) -> Meant {
        if self.messages.get(*place).is_none_or(|told| *told.bytes != *frame) {
            if !frame.starts_with(MESSAGE) {
                return self.other(frame);
            }
            if !self.enter(place, frame, number) {
                return Meant::Fault;
            }
        }
        let told = &mut self.messages[*place];
        told.times += 1;
        *place += 1;
        self.deliveries += 1;
        let completes = (told.times == self.sockets).then_some(told.n);
        self.complete += u64::from(completes.is_some());
        Meant::Message { completes }
    }

    fn other(&mut self, frame: &[u8]) -> Meant {
        if !frame.starts_with(br#"{"type":"error""#) {
            return Meant::Other;
        }
        self.faults.refused += 1;
        Meant::Fault
    }

    /// A message that isn't the same as the others': the first of its number, or a fault.
    fn enter(&mut self, place: &mut usize, frame: &[u8], number: impl Fn(&str) -> Option<u64>) -> bool {
        let expected = self.base + *place as i64 + 1;
        let Ok(fields) = serde_json::from_slice::<Fields>(frame) else {
            self.faults.damaged += 1;
            return false;
        };
        if fields.seq != expected {
            if fields.seq < expected {
                let again = usize::try_from(fields.seq - self.base - 1).ok().and_then(|at| self.messages.get(at));
                let same = again.is_some_and(|told| *told.bytes == *frame);
                *(if same { &mut self.faults.doubled } else { &mut self.faults.reordered }) += 1;
            } else {
                self.faults.lost += (fields.seq - expected) as u64;
                *place = (*place + (fields.seq - expected) as usize + 1).min(self.messages.len());
            }
            return false;
        }
        let first = *place == self.messages.len() && fields.rev == fields.seq;
        if let Some(n) = number(&fields.content).filter(|_| first) {
            self.messages.push(Told { bytes: frame.into(), n, times: 0 });
            return true;
        }
        self.faults.damaged += 1;
        *place = (*place + 1).min(self.messages.len());
        false
    }

    /// Messages that at least one socket has.
    pub fn seen(&self) -> usize {
        self.messages.len()
    }

    /// Their numbers.
    pub fn numbers(&self) -> impl Iterator<Item = u64> {
        self.messages.iter().map(|told| told.n)
    }

    /// At the end: what each socket lacks of what any socket got.
    pub fn close(&mut self, places: impl Iterator<Item = usize>) {
        self.faults.lost +=
            places.map(|place| (self.messages.len() - place.min(self.messages.len())) as u64).sum::<u64>();
    }
}

/// The whole number after `"name":` in the first bytes of a frame.
pub fn number_of(frame: &[u8], name: &str) -> Option<i64> {
    let at = find(frame, format!("\"{name}\":").as_bytes())? + name.len() + 3;
    let digits = frame[at..].iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(None, |number, digit| Some(number.unwrap_or(0) * 10 + i64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(seq: i64, content: &str) -> Vec<u8> {
        format!(r#"{{"type":"message","id":9,"seq":{seq},"rev":{seq},"content":"{content}"}}"#).into_bytes()
    }

    fn number(text: &str) -> Option<u64> {
        text.strip_prefix('n')?.parse().ok()
    }

    #[test]
    fn each_message_is_complete_when_the_last_socket_has_it() {
        let (mut ledger, mut places) = (Ledger::new(4, 2), [0, 0]);
        assert_eq!(ledger.take(&mut places[0], &frame(5, "n7"), number), Meant::Message { completes: None });
        assert_eq!(ledger.take(&mut places[1], br#"{"type":"unread"}"#, number), Meant::Other);
        assert_eq!(ledger.take(&mut places[1], &frame(5, "n7"), number), Meant::Message { completes: Some(7) });
        ledger.close(places.into_iter());
        assert_eq!((ledger.deliveries, ledger.complete, ledger.faults), (2, 1, Faults::default()));
    }

    #[test]
    fn what_is_lost_doubled_changed_or_refused_is_counted() {
        let mut ledger = Ledger::new(0, 2);
        let (mut one, mut two) = (0, 0);
        for seq in 1..=3 {
            ledger.take(&mut one, &frame(seq, "n1"), number);
        }
        ledger.take(&mut two, &frame(1, "n1"), number);
        assert_eq!(ledger.take(&mut two, &frame(1, "n1"), number), Meant::Fault);
        assert_eq!(ledger.faults, Faults { doubled: 1, ..Faults::default() });
        ledger.take(&mut two, &frame(3, "n1"), number);
        assert_eq!(ledger.faults.lost, 1);
        ledger.take(&mut one, &frame(4, "not ours"), number);
        ledger.take(&mut one, br#"{"type":"error","code":"throttled"}"#, number);
        assert_eq!(ledger.faults, Faults { doubled: 1, lost: 1, damaged: 1, refused: 1, ..Faults::default() });
    }

    #[test]
    fn the_same_number_with_other_bytes_is_damage() {
        let (mut ledger, mut one, mut two) = (Ledger::new(0, 2), 0, 0);
        ledger.take(&mut one, &frame(1, "n1"), number);
        assert_eq!(ledger.take(&mut two, &frame(1, "n2"), number), Meant::Fault);
        assert_eq!(ledger.faults.damaged, 1);
    }

    #[test]
    fn numbers_are_read_without_parsing_the_rest() {
        assert_eq!(number_of(br#"{"type":"connected","last_seq":12,"rev":340}"#, "rev"), Some(340));
        assert_eq!(number_of(br#"{"type":"connected"}"#, "rev"), None);
    }
}
