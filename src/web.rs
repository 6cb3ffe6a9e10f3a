//! The web: what a request says (`extract`), what an answer looks like (`render`), the files every page needs
//! (`assets`), and the pages. Handlers extract, call one domain function and render.

pub mod assets;
pub mod chart;
pub mod cookies;
pub mod extract;
pub mod headers;
pub mod pages;
pub mod render;
pub mod status;
