//! The pages, one file an area: a type whose associated functions are the handlers.

pub mod account;
pub mod admin;
pub mod chat;
pub mod composer;
pub mod mailed;
pub mod members;
pub mod messages;
pub mod notifications;
pub mod people;
pub mod rooms;
pub mod search;
pub mod second_step;
pub mod settings;
pub mod writing;
