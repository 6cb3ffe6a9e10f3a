//! The tests: sentences through the public door (pages, sockets, the browser, the command line), each with a
//! database of its own. [`both!`] runs a test on SQLite and, where `TEST_POSTGRES_URL` names a server, on PostgreSQL;
//! `tests/run` starts one, and without it those tests say that they were skipped.

mod support {
    pub mod actors;
    pub mod app;
    pub mod browser;
    pub mod letters;
    pub mod mail;
    pub mod office;
    pub mod process;
    pub mod program;
    pub mod smtp_server;
    pub mod socket;
    pub mod work;
}

mod accessibility;
mod accounts;
mod addresses;
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
mod api_auth;
mod api_browser;
mod api_forms;
mod api_pages;
mod api_routes;
mod avatars;
mod changes;
mod command_line;
mod demo;
mod devices;
mod dialects;
mod endings;
mod guarantees;
mod invitations;
mod leaving;
mod mail_admin;
mod mail_servers;
mod mails;
mod models;
mod my_data;
mod own_sessions;
mod pages;
mod passwords;
mod people_at_once;
mod personal_tokens;
mod presence;
mod resets;
mod rooms;
mod settings;
mod setup;
mod sockets;
mod throttles;
mod tokens;
mod two_factor;
