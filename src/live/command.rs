//! What a client says: a frame's text becomes an [`Asked`], and that one call of the domain. Called by
//! `live/connection.rs`.

use std::sync::Arc;

use serde::Deserialize;

use super::event::{About, Event, Frame};
use super::mailbox::{Item, Mailbox};
use super::subscription;
use crate::app::App;
use crate::error::{Error, Result};
use crate::ids::{MessageId, RoomId};
use crate::messages::{self, NewMessage};
use crate::rooms;
use crate::users::{Person, blocks};

/// Bytes in a frame.
pub const MOST_BYTES: usize = 64 * 1024;

/// Every field that any frame has.
#[derive(Default, Deserialize)]
struct Fields {
    #[serde(rename = "type")]
    kind: Option<String>,
    room_id: Option<RoomId>,
    content: Option<String>,
    client_id: Option<String>,
    reply_to: Option<MessageId>,
    is_typing: Option<bool>,
    seq: Option<i64>,
    after: Option<i64>,
}

/// What is told of a frame that isn't understood.
#[derive(Deserialize)]
struct Named {
    client_id: Option<String>,
}

enum Command {
    Message { room: RoomId, content: String, client_id: Option<String>, reply_to: Option<MessageId> },
    Typing { room: RoomId, is_typing: bool },
    Read { room: RoomId, seq: i64 },
    Subscribe { room: RoomId, after: Option<i64> },
    Unsubscribe { room: RoomId },
    Ping,
}

/// One socket's side of the conversation.
pub struct Session {
    pub app: App,
    pub person: Person,
    pub mailbox: Arc<Mailbox>,
    /// The room of `/ws/chat/{room_id}`, which its frames may leave out.
    pub room: Option<RoomId>,
    /// `/ws/notifications` follows no room.
    pub notices_only: bool,
}

/// What one frame asks for, or what is wrong with it.
pub struct Asked {
    command: Result<Command>,
    client_id: Option<String>,
    room_id: Option<RoomId>,
}

/// What became of it.
pub struct Done {
    /// For this socket alone.
    pub answer: Option<Frame>,
    /// A message that was taken: those have a limit of their own.
    pub is_message: bool,
}

impl Asked {
    /// Whether it is a message: of those a socket may have several under way.
    pub fn is_message(&self) -> bool {
        matches!(self.command, Ok(Command::Message { .. }))
    }
}

impl Session {
    /// Understands a frame. Never fails: what is wrong with it is the answer when its turn comes. Cost: O(length).
    pub fn understand(&self, text: &str) -> Asked {
        let fields = match self.read(text) {
            Ok(fields) => fields,
            Err(error) => {
                // What can be told of it: a frame that isn't as expected may still name itself.
                let client_id = serde_json::from_str::<Named>(text).ok().and_then(|named| named.client_id);
                return Asked { command: Err(error), client_id, room_id: None };
            }
        };
        let (client_id, room_id) = (fields.client_id.clone(), fields.room_id.or(self.room));
        Asked { command: self.command(fields), client_id, room_id }
    }

    /// What is answered to a message that is no text.
    pub fn not_binary() -> Asked {
        let error = Error::Malformed(tr!("Frames are JSON in text messages, not binary ones.").into());
        Asked { command: Err(error), client_id: None, room_id: None }
    }

    /// Does what a frame asks for; what is wrong with it is answered by an error frame, and the socket stays open. A
    /// message stands in the writer's queue, if that has room, once this was polled. Cost: the domain function's.
    pub async fn run(self: Arc<Self>, asked: Asked) -> Done {
        let Asked { command, client_id, room_id } = asked;
        let done = match command {
            Ok(Command::Message { room, content, client_id, reply_to }) => {
                self.post(room, &content, client_id, reply_to).await
            }
            // Rare ones are kept out of the way: what each frame allocates is as large as the largest of all.
            Ok(command) => Box::pin(self.act(command)).await.map(|answer| Done { answer, is_message: false }),
            Err(error) => Err(error),
        };
        done.unwrap_or_else(|error| {
            let answer = Some(refusal(&error, About { client_id: client_id.as_deref(), room_id }));
            Done { answer, is_message: false }
        })
    }

    /// Stores a message. To a socket that follows the room its feed brings it; only a repeat is for this one alone.
    async fn post(
        &self,
        room: RoomId,
        content: &str,
        client_id: Option<String>,
        reply_to: Option<MessageId>,
    ) -> Result<Done> {
        let new = NewMessage::parse(content, client_id, reply_to)?;
        let posted = messages::post(&self.app, &self.person, room, new).await?;
        let is_answered = !posted.new || !self.mailbox.follows(room);
        let frame = || Frame { rev: None, ..Event::Message(&posted.message).frame() };
        Ok(Done { answer: is_answered.then(frame), is_message: true })
    }

    fn read(&self, text: &str) -> Result<Fields> {
        if text.len() > MOST_BYTES {
            return Err(Error::TooLong { limit: messages::MOST_CHARACTERS, length: text.chars().count() });
        }
        serde_json::from_str(text)
            .map_err(|error| Error::Malformed(tr!("This frame can't be understood: {error}.", error = error)))
    }

    fn command(&self, fields: Fields) -> Result<Command> {
        let room = fields.room_id.or(self.room);
        let room = || room.ok_or_else(|| Error::Malformed(tr!("Say which room: room_id is missing.").into()));
        let missing = |field| move || Error::Malformed(tr!("{field} is missing.", field = field));
        Ok(match fields.kind.as_deref() {
            Some("message") | None if fields.is_message() => Command::Message {
                room: room()?,
                content: fields.content.ok_or_else(missing("content"))?,
                client_id: fields.client_id,
                reply_to: fields.reply_to,
            },
            Some("typing") => {
                Command::Typing { room: room()?, is_typing: fields.is_typing.ok_or_else(missing("is_typing"))? }
            }
            Some("read") => Command::Read { room: room()?, seq: fields.seq.ok_or_else(missing("seq"))? },
            Some("subscribe") => {
                let room = fields.room_id.ok_or_else(missing("room_id"))?;
                Command::Subscribe { room, after: fields.after }
            }
            Some("unsubscribe") => Command::Unsubscribe { room: fields.room_id.ok_or_else(missing("room_id"))? },
            Some("ping") => Command::Ping,
            Some(kind) => {
                let kind: String = kind.chars().take(40).collect();
                return Err(Error::Malformed(tr!("There is no frame of type \"{kind}\".", kind = kind)));
            }
            None => return Err(Error::Malformed(tr!("A frame has a type, or the content of a message.").into())),
        })
    }

    async fn act(&self, command: Command) -> Result<Option<Frame>> {
        let Self { app, person, mailbox, .. } = self;
        match command {
            // Posted above.
            Command::Message { .. } => Ok(()),
            Command::Typing { room, is_typing } => {
                let mut conn = app.db.read().await?;
                let seen = rooms::see(&mut conn, person.id, room).await?;
                if !seen.is_member() {
                    return Err(rooms::NOT_JOINED);
                }
                blocks::may_write(&mut conn, person.id, &seen).await?;
                app.hub.typing(person.id, room, is_typing);
                Ok(())
            }
            Command::Read { room, seq } => messages::read(app, person, room, seq).await,
            Command::Subscribe { .. } if self.notices_only => {
                Err(Error::Malformed(tr!("This socket carries your notices only; open /ws for rooms.").into()))
            }
            Command::Subscribe { room, after } => {
                subscription::subscribe(app, person, mailbox, room, after, None).await
            }
            Command::Unsubscribe { room } => {
                app.hub.leave(mailbox, room);
                mailbox.push(Item::Detach(room));
                Ok(())
            }
            Command::Ping => return Ok(Some(Event::Pong.frame())),
        }
        .map(|()| None)
    }
}

/// What is answered to a frame that can't be done.
pub fn refusal(error: &Error, about: About<'_>) -> Frame {
    if let Error::Internal(cause) = error {
        tracing::error!(%cause, "a frame can't be handled");
    }
    Event::error(error, about).frame()
}

impl Fields {
    fn is_message(&self) -> bool {
        match self.kind.as_deref() {
            Some(kind) => kind == "message",
            None => self.content.is_some(),
        }
    }
}
