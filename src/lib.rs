//! Switchboard: a self-hosted chat server with an admin-first backoffice, in one binary.
//!
//! # The map
//!
//! - [`cli`]: one file a command; [`config`]: the settings of a process; [`log`]: where it writes what it does;
//!   [`metrics`]: what it counts of itself; [`telemetry`]: what it tells a collector of traces.
//! - [`app`]: what every handler is given; [`db`]: the only place that names a driver, with [`db::postgres`] for what it
//!   does when its server is away, [`db::values`] for statements
//!   over several rows, [`db::rows`] for lists in one value and [`db::changes`] for how long what was read may be kept;
//!   [`jobs`]: work beside requests, and whose turn it is ([`jobs::lease`]).
//! - [`routes`]: every address of the server; [`web`]: extractors, answers, pages, the JSON API; [`web::once`]: what a
//!   page says once; [`web::pieces`]: pages put together from kept parts.
//! - [`auth`], [`users`], [`rooms`], [`messages`], [`reactions`], [`attachments`], [`interests`], [`invitations`],
//!   [`notifications`], [`push`],
//!   [`reports`], [`emails`], [`settings`], [`revocations`]: the rules. They know no HTTP; a page, a socket frame, a
//!   command and a form of the backoffice that do the same thing call the same function. What is done together is one
//!   [`work`]; what staff do is told by [`audit`].
//! - [`i18n`]: the words in the reader's language.
//! - [`archive`]: backups and what is made of them, on [`db::copy`], the whole database as one file.
//! - [`picture`]: strangers' pictures, decoded within limits, for [`users::avatar`] and [`attachments::thumbnail`].
//! - [`admin`]: the backoffice's engine over every model's declaration, `<model>/admin.rs`.
//! - [`live`]: the hub, the feeds and the sockets, and the bus that joins nodes; [`link`]: the way to Redis. [`mail`]: sends what [`emails`] queues. [`demo`]: made-up sites to look at and to measure;
//!   [`transfer`]: a site moves, out into a folder or in from one, from Slack or from Campfire.
//!
//! # A message's way
//!
//! A frame comes in at [`live::socket`] (or a form at [`web::pages::chat`]), [`live::command`] reads it,
//! [`messages::post`] checks and queues it, [`messages::writer`] numbers it in its room and commits it with whatever
//! else is waiting, and only then [`live::hub`] appends its one serialised frame to the room's [`live::feed`] and
//! wakes the room's sockets, which write all they are owed. A socket that comes back says the last revision it has;
//! [`live::subscription`] gives it a place in the feed first and reads what is newer from the database second.
//!
//! With several nodes the hub also hands the frame to [`live::bus`], and takes in what the bus brings of others; either way
//! [`live::sequence`] puts a room's changes in the order of their revisions, and [`live::catch_up`] reads from the database
//! what nobody brought. What has to be done once by all of them is held by a [`jobs::lease`].
//!
//! # Adding a model
//!
//! Its table goes into a new migration for each engine under the same number and name, which adds and takes nothing away
//! ([`db::migrations`]: the version before runs beside it during an upgrade), its struct, SQL and acts into
//! one file of its name beside `rooms.rs`, its admin into `<model>/admin.rs` ([`admin`] says how, in ten lines), its
//! handlers into `web/pages`, its routes into [`routes`], and a test through the public door into `tests/it`, on both
//! engines.

#[macro_use]
pub mod i18n;

pub mod admin;
pub mod app;
pub mod archive;
pub mod attachments;
pub mod audit;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod db;
pub mod demo;
pub mod emails;
pub mod error;
pub mod ids;
pub mod interests;
pub mod invitations;
pub mod jobs;
pub mod link;
pub mod live;
pub mod log;
pub mod mail;
pub mod messages;
pub mod metrics;
pub mod notifications;
pub mod picture;
pub mod push;
pub mod reactions;
pub mod reports;
pub mod revocations;
pub mod rooms;
pub mod routes;
pub mod settings;
pub mod telemetry;
pub mod text;
pub mod transfer;
pub mod users;
pub mod web;
pub mod work;
