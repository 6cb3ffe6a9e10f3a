//! Real time. `door` lets in, `socket` reads and writes. A frame from a browser goes `socket` → `command` → a domain function; what the domain publishes goes
//! `hub` → `feed` → each socket. The hub knows no database; a socket that missed something reads it from the store.

pub mod command;
pub mod door;
pub mod event;
pub mod feed;
pub mod hub;
pub mod mailbox;
pub mod presence;
pub mod socket;
pub mod subscription;
pub mod unread;
