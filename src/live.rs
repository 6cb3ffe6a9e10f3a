//! Real time. `door` lets in, `socket` opens, `connection` reads and writes, in the bytes of `wire`. A frame from a
//! browser goes `connection` → `command` → a domain function; what the domain publishes goes `hub` → `feed` → each
//! connection. The hub knows no database; a socket that missed something reads it from the store.

pub mod bus;
pub mod catch_up;
pub mod command;
mod connection;
pub mod door;
pub mod event;
pub mod feed;
pub mod frame;
pub mod hub;
pub mod mailbox;
pub mod pile;
pub mod presence;
mod room;
pub mod sequence;
pub mod socket;
pub mod subscription;
pub mod unread;
mod wire;
