//! The tests: sentences through the public door (pages, sockets, the browser, the command line), each with a
//! database of its own. [`both!`] runs a test on SQLite and, where `TEST_POSTGRES_URL` names a server, on PostgreSQL;
//! `tests/run` starts one, and without it those tests say that they were skipped.

mod support {
    pub mod actors;
    pub mod app;
    pub mod browser;
    pub mod mail;
    pub mod office;
    pub mod process;
    pub mod smtp_server;
    pub mod socket;
    pub mod work;
}

mod accessibility;
mod accounts;
mod admin_bulk;
mod admin_dashboard;
mod admin_export;
mod admin_forms;
mod admin_history;
mod admin_import;
mod admin_lists;
mod admin_live;
mod admin_queue;
mod admin_rights;
mod admin_schema;
mod admin_script;
mod changes;
mod command_line;
mod demo;
mod devices;
mod dialects;
mod endings;
mod guarantees;
mod invitations;
mod mail_admin;
mod mail_servers;
mod mails;
mod models;
mod pages;
mod people_at_once;
mod presence;
mod rooms;
mod setup;
mod sockets;
