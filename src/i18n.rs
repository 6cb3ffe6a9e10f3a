//! The words of pages, mails and errors in the reader's language. English stands in the code and is its own key; the
//! other languages are catalogues in gettext's form (`locales/*.po`, gnu.org/software/gettext/manual: "PO Files"), read
//! when the first page asks for one. `t!` is for templates, `tr!` for the code, `msgid!` for words that are kept as they
//! are and looked up where they are shown.
//!
//! Whose language it is, a task knows ([`within`]): a request's is what the person chose ([`speak`]), else what the
//! browser asks for, else the setting `SITE_LANGUAGE`. `tests/it/languages.rs` holds that no catalogue lacks a word.

pub mod catalogue;
pub mod html;
pub mod language;
pub mod shapes;

use std::borrow::Cow;
use std::cell::Cell;
use std::future::Future;

use catalogue::Catalogue;
pub use html::Html;
pub use language::Language;
pub use shapes::{date, date_time, number, time_of_day};

tokio::task_local! {
    static LANGUAGE: Cell<Language>;
}

/// The words `$id` in the reader's language, as plain text; `{}` and `{name}` are put in. A count chooses its form, and
/// is `{n}`: `tr!("{n} room" | "{n} rooms" % count)`. What stands before `=>` tells two meanings of one word apart.
#[macro_export]
macro_rules! tr {
    ($one:literal | $many:literal % $n:expr $(, $($args:tt)+)?) => {{
        let count = $n;
        let said = ::tr::runtime_format!(
            $crate::i18n::ngettext($crate::i18n::shapes::Count::size(&count), $one, $many),
            $($($args)+,)? n = $crate::i18n::number(count)
        );
        said
    }};
    ($meant:literal => $id:literal) => { $crate::i18n::pgettext($meant, $id) };
    // What is put in is borrowed no longer than this: nothing of it is in the way of an `.await` beside it.
    ($id:literal, $($args:tt)+) => {{
        let said = ::tr::runtime_format!($crate::i18n::gettext($id), $($args)+);
        said
    }};
    ($id:literal) => { $crate::i18n::gettext($id) };
}

/// As `tr!`, in a template: marks in the words are HTML, what is put in is escaped.
#[macro_export]
macro_rules! t {
    ($one:literal | $many:literal % $n:expr $(, $($name:ident = $value:expr),+ $(,)?)?) => {
        $crate::i18n::Html(::std::borrow::Cow::<str>::Owned(
            $crate::tr!($one | $many % $n $(, $($name = $crate::html_escaped!($value)),+)?)))
    };
    ($one:literal | $many:literal % $n:expr, $($value:expr),+ $(,)?) => {
        $crate::i18n::Html(::std::borrow::Cow::<str>::Owned(
            $crate::tr!($one | $many % $n, $($crate::html_escaped!($value)),+)))
    };
    ($meant:literal => $id:literal) => { $crate::i18n::Html($crate::tr!($meant => $id)) };
    ($id:literal, $($name:ident = $value:expr),+ $(,)?) => {
        $crate::i18n::Html(::std::borrow::Cow::<str>::Owned(
            $crate::tr!($id, $($name = $crate::html_escaped!($value)),+)))
    };
    ($id:literal, $($value:expr),+ $(,)?) => {
        $crate::i18n::Html(::std::borrow::Cow::<str>::Owned($crate::tr!($id, $($crate::html_escaped!($value)),+)))
    };
    ($id:literal) => { $crate::i18n::Html($crate::tr!($id)) };
}

/// The English words themselves, for a catalogue to have: what shows them calls [`gettext`].
#[macro_export]
macro_rules! msgid {
    ($id:literal) => {
        $id
    };
}

/// The language that this task speaks; English outside of [`within`]. Cost: nothing.
pub fn current() -> Language {
    LANGUAGE.try_with(Cell::get).unwrap_or_default()
}

/// The language that this task speaks, if it is within [`within`] at all.
pub fn spoken() -> Option<Language> {
    LANGUAGE.try_with(Cell::get).ok()
}

/// From here on this task speaks `language`, until the end of [`within`]; nothing outside of that.
pub fn speak(language: Language) {
    // Where nobody reads there is nothing to say.
    let _ = LANGUAGE.try_with(|spoken| spoken.set(language));
}

/// `work`, spoken in `language` where it doesn't say otherwise itself ([`speak`]).
pub async fn within<T>(language: Language, work: impl Future<Output = T>) -> T {
    LANGUAGE.scope(Cell::new(language), work).await
}

/// What `work` says in `language`.
pub fn said_in<T>(language: Language, work: impl FnOnce() -> T) -> T {
    LANGUAGE.sync_scope(Cell::new(language), work)
}

/// `id` in the reader's language; itself where a catalogue lacks it. Cost: 1 look-up, none in English.
pub fn gettext(id: &str) -> Cow<'_, str> {
    told(id, |catalogue| catalogue.one(id))
}

/// As [`gettext`], for a word with more than one meaning.
pub fn pgettext<'a>(meant: &str, id: &'a str) -> Cow<'a, str> {
    told(id, |catalogue| catalogue.meant(meant, id))
}

/// The form for `n` of something, by the language's own rule.
pub fn ngettext<'a>(n: u64, one: &'a str, many: &'a str) -> Cow<'a, str> {
    told(if n == 1 { one } else { many }, |catalogue| catalogue.form(n, one))
}

fn told<'a>(english: &'a str, found: impl FnOnce(&'static Catalogue) -> Option<&'static str>) -> Cow<'a, str> {
    let language = current();
    match language.catalogue() {
        Some(catalogue) => Cow::Borrowed(found(catalogue).unwrap_or(english)),
        None => language.marked(english),
    }
}
