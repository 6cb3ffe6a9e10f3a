//! A site moves: all of it out into a folder that any program can read ([`export`]), and into a site from such a folder or
//! from another program's data ([`take`]). Called by `cli/export.rs` and `cli/import.rs`.
//!
//! A folder holds `manifest.json` ([`manifest`]), a file of JSON Lines for each model ([`models`], which also says what of a
//! row is taken in again and what isn't), and `files/`. What another program has ([`slack`], [`campfire`]) is read and
//! translated into the same lines first ([`staging`]), in a folder that is gone afterwards: so everything is read to its end
//! and found sound ([`check`]) before the site is touched, and the mapping of ids, the dry run, going on after a crash and
//! the report exist once.
//!
//! Which row of theirs is which of ours is written down with the row, in one transaction ([`mapping`]). Into an empty site
//! ids are kept, and a site that is taken in and written out again is the same, line by line.
//!
//! It may be done beside a running server: rows are new, or raise the revision of their room as another node's would.

pub mod bundle;
pub mod campfire;
pub mod check;
pub mod export;
pub mod lines;
pub mod manifest;
pub mod mapping;
pub mod models;
pub mod outlet;
pub mod ranges;
pub mod report;
pub mod shape;
pub mod slack;
mod split;
pub mod staging;
pub mod take;
