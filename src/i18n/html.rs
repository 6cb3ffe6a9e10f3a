//! Words that are HTML already: a catalogue's own marks are trusted, as a template's are, and what is put in between is
//! escaped. Called by `t!`.

use std::borrow::Cow;
use std::fmt;

use askama::filters::HtmlSafe;

/// Words for a template, shown as they are.
pub struct Html<'a>(pub Cow<'a, str>);

impl fmt::Display for Html<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Html<'_> {}

/// A value as a template would show it: escaped, but for what is HTML already.
#[doc(hidden)]
#[macro_export]
macro_rules! html_escaped {
    ($value:expr) => {{
        use ::askama::filters::{AutoEscape as _, AutoEscaper};
        // What it borrows from lives until the end of this.
        match (&&AutoEscaper::new(&$value, ::askama::filters::Html)).askama_auto_escape() {
            Ok(shown) => shown.to_string(),
        }
    }};
}
