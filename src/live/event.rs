//! Every frame the server sends, serialised once: [`Event`] is what is said, [`Frame`] the bytes that all share.

use serde::Serialize;

pub use super::frame::Frame;
use crate::error::Error;
use crate::ids::{MessageId, RoomId, UserId};
use crate::interests::list::Entry as Interest;
use crate::messages::Message;
use crate::notifications::Notification;
use crate::reactions::Reaction;
use crate::rooms::list::Entry;

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event<'a> {
    Connected {
        user_id: UserId,
        username: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        room_id: Option<RoomId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        last_seq: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        rev: Option<i64>,
    },
    Synced {
        room_id: RoomId,
        rev: i64,
    },
    Gap {
        room_id: RoomId,
        from: i64,
        to: i64,
    },
    Message(&'a Message),
    MessageEdited(&'a Message),
    MessageDeleted {
        id: MessageId,
        room_id: RoomId,
        seq: i64,
        rev: i64,
    },
    Reaction {
        message_id: MessageId,
        room_id: RoomId,
        rev: i64,
        reactions: &'a [Reaction],
    },
    /// Which messages are pinned in the room has changed: ask for them.
    Pins {
        room_id: RoomId,
    },
    System {
        room_id: RoomId,
        event: Coming,
        username: &'a str,
        content: &'a str,
    },
    UsersList {
        room_id: RoomId,
        users: Vec<&'a str>,
        count: usize,
    },
    Typing {
        room_id: RoomId,
        users: Vec<&'a str>,
    },
    Read {
        room_id: RoomId,
        user_id: UserId,
        seq: i64,
    },
    Unread {
        room_id: RoomId,
        count: i64,
        last_seq: i64,
    },
    RoomAdded {
        room_id: RoomId,
        #[serde(flatten)]
        room: &'a Entry,
    },
    RoomDeleted {
        room_id: RoomId,
        message: &'a str,
    },
    Notification(&'a Notification),
    Interest(&'a Interest),
    Error {
        code: &'a str,
        content: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        client_id: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        room_id: Option<RoomId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
    Pong,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Coming {
    Join,
    Leave,
}

/// What a refused frame was about, so that its sender can tell which it was.
#[derive(Clone, Copy, Default)]
pub struct About<'a> {
    pub client_id: Option<&'a str>,
    pub room_id: Option<RoomId>,
}

impl<'a> Event<'a> {
    /// Serialises once. Cost: O(length).
    pub fn frame(&self) -> Frame {
        let (rev, last) = match self {
            Self::Message(message) | Self::MessageEdited(message) => (Some(message.rev), false),
            Self::MessageDeleted { rev, .. } | Self::Reaction { rev, .. } => (Some(*rev), false),
            Self::RoomDeleted { .. } => (None, true),
            _ => (None, false),
        };
        let seq = if let Self::Message(message) = self { Some(message.seq) } else { None };
        Frame { rev, follows: rev.map_or(0, |rev| rev.saturating_sub(1)), seq, last, ..Frame::of(self) }
    }

    pub fn error(error: &Error, about: About<'a>) -> Self {
        let retry_after_ms = match error {
            Error::Throttled { retry_after_ms } => Some(*retry_after_ms),
            _ => None,
        };
        let About { client_id, room_id } = about;
        Self::Error { code: error.code(), content: error.to_string(), client_id, room_id, retry_after_ms }
    }
}
