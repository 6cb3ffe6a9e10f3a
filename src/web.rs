//! The web: what a request says (`extract`), what an answer looks like (`render`), the files every page needs
//! (`assets`), the pages and the JSON API. Handlers extract, call one domain function and render.

pub mod api;
pub mod assets;
pub mod attachments;
pub mod avatars;
pub mod chart;
pub mod compression;
pub mod cookies;
pub mod extract;
pub mod guards;
pub mod headers;
pub mod once;
pub mod pages;
pub mod pieces;
pub mod render;
pub mod request;
pub mod script_words;
pub mod status;
pub mod thumbnails;
pub mod transport;
pub mod upload;
