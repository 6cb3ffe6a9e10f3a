//! A stretch of a room's talk as a page shows it: its messages with what they answer, who reacts to them and how they
//! stand to each other. Called by the pages of rooms and messages.

use std::collections::HashMap;
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::ids::{MessageId, RoomId, UserId};
use crate::messages::Message;
use crate::messages::quote::Quote;
use crate::messages::talk::Told;
use crate::reactions::{Named, named};

/// Messages by one person within so many microseconds are shown together.
const TOGETHER: i64 = 5 * 60 * 1_000_000;
/// From so many characters or lines on a message is shown folded.
const LONG: (usize, usize) = (1500, 20);

/// A message on the page, and how it stands to the one above.
pub struct Line {
    pub message: Arc<Message>,
    /// The day, when it is another than the message's above.
    pub day: Option<String>,
    /// By the same person, soon after: shown without repeating who.
    pub again: bool,
    /// The first that the reader hasn't seen.
    pub is_first_new: bool,
    /// What it answers.
    pub quote: Option<Quote>,
    pub reactions: Vec<Named>,
    /// What the link to what can be done with it is called.
    pub label: Arc<str>,
}

impl Line {
    /// Without anything in it, for scripts to fill.
    pub fn blank() -> Self {
        let (none, never) = (None, Timestamp(0));
        let message = Message {
            id: MessageId(0),
            room_id: RoomId(0),
            seq: 0,
            rev: 0,
            user_id: None,
            username: none.clone(),
            content: String::new(),
            html: String::new(),
            client_id: none,
            reply_to: None,
            attachments: Vec::new(),
            reactions: Vec::new(),
            edited_at: None,
            deleted_at: None,
            created_at: never,
        };
        let message = Arc::new(message);
        Self {
            day: None,
            again: false,
            is_first_new: false,
            quote: None,
            reactions: Vec::new(),
            label: label(&message),
            message,
        }
    }

    pub fn is_blank(&self) -> bool {
        self.message.id == MessageId(0)
    }

    /// Shown folded until it is asked for.
    pub fn is_long(&self) -> bool {
        let content = &self.message.content;
        let ends = content.bytes().filter(|byte| *byte == b'\n').count();
        content.len() > LONG.0 || ends + usize::from(!content.ends_with('\n')) > LONG.1
    }

    /// `/me` says who does it, each time.
    fn is_act(&self) -> bool {
        self.message.content.starts_with("/me ")
    }
}

/// The first of `messages` that is new to `reader`, who has read up to `read`.
pub fn first_new(messages: &[Told], reader: UserId, read: Option<i64>) -> Option<i64> {
    let is_new = |message: &Message| message.seq > read.unwrap_or(i64::MAX) && message.user_id != Some(reader);
    messages.iter().find(|told| is_new(&told.message)).map(|told| told.message.seq)
}

/// Whether `reader` is shown these messages in another way than others: among those who react, one is oneself.
pub fn reacts(messages: &[Told], reader: UserId) -> bool {
    messages.iter().any(|told| told.names.contains_key(&reader))
}

/// `messages`, oldest first, as `reader` is shown them; those from `first_new` on are new. Cost: O(messages + reactions).
pub fn lines(messages: &[Told], reader: UserId, first_new: Option<i64>) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::with_capacity(messages.len());
    let mut labels: HashMap<Option<UserId>, Arc<str>> = HashMap::new();
    for Told { message, quote, names } in messages {
        let reactions = named(&message.reactions, names, reader);
        let is_first_new = first_new == Some(message.seq);
        let (message, quote) = (message.clone(), quote.clone());
        let label = labels.entry(message.user_id).or_insert_with(|| label(&message)).clone();
        let mut line = Line { message, day: None, again: false, is_first_new, quote, reactions, label };
        stand(&mut line, lines.last());
        lines.push(line);
    }
    lines
}

fn label(message: &Message) -> Arc<str> {
    tr!("What to do with this message of {author}", author = message.author()).into()
}

/// How a message stands to the one above.
fn stand(line: &mut Line, above: Option<&Line>) {
    let message = &line.message;
    let day = message.created_at.day_number();
    let is_new_day = above.is_none_or(|above| above.message.created_at.day_number() != day);
    line.again = !is_new_day
        && !line.is_first_new
        && line.quote.is_none()
        && !line.is_act()
        && above.is_some_and(|above| {
            above.message.user_id == message.user_id && message.created_at.0 - above.message.created_at.0 < TOGETHER
        });
    line.day = is_new_day.then(|| message.created_at.day());
}
