//! Whatever is typed, only what is allowed comes out of the renderer: `cargo +nightly fuzz run markup`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use switchboard::messages::markup::render;

#[path = "../../src/messages/markup/check.rs"]
mod check;

fuzz_target!(|typed: &str| {
    let html = render(typed);
    if let Some(fault) = check::fault(typed, &html) {
        panic!("{fault}: {typed:?} gave {html}");
    }
});
