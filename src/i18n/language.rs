//! The languages there are. One more is a catalogue in `locales` and a line in each list here.

use std::borrow::Cow;
use std::sync::LazyLock;

use icu_locale_core::{Locale, locale};

use super::catalogue::Catalogue;

/// A language that the site speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Language {
    #[default]
    English,
    German,
    Arabic,
    /// English between brackets, in builds for development only: what has no brackets is in no catalogue.
    Marked,
}

impl Language {
    /// Those that can be chosen.
    pub const ALL: [Self; 3] = [Self::English, Self::German, Self::Arabic];

    /// As people choose it, for a list: its code (BCP 47), and its name in itself. The first is nobody's choice.
    pub const CHOICES: &[(&str, &str)] =
        &[("", "As the browser asks"), ("en", "English"), ("de", "Deutsch"), ("ar", "العربية")];

    /// Its code, BCP 47.
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::Arabic => "ar",
            Self::Marked => "xx",
        }
    }

    /// The language with this code.
    pub fn of(code: &str) -> Option<Self> {
        let marked = cfg!(debug_assertions).then_some(Self::Marked);
        Self::ALL.into_iter().chain(marked).find(|language| language.code() == code)
    }

    /// Its name in itself.
    pub fn name(self) -> &'static str {
        Self::CHOICES.iter().find(|(code, _)| *code == self.code()).map_or("", |(_, name)| name)
    }

    /// Whether it is written from right to left.
    pub fn is_rtl(self) -> bool {
        self == Self::Arabic
    }

    /// What a page's `<html>` says of it.
    pub fn attributes(self) -> &'static str {
        match self {
            Self::English => "lang=\"en\"",
            Self::German => "lang=\"de\"",
            Self::Arabic => "lang=\"ar\" dir=\"rtl\"",
            Self::Marked => "lang=\"en-x-marked\"",
        }
    }

    /// The best of ours for `Accept-Language` (RFC 9110, 12.5.4). Cost: O(length of the header).
    pub fn asked(header: &str) -> Option<Self> {
        let asked = accept_language::parse(header);
        asked.iter().find_map(|tag| Self::of(&tag.split('-').next().unwrap_or_default().to_ascii_lowercase()))
    }

    /// Its words; `None` for English, whose words are the code's own.
    pub(super) fn catalogue(self) -> Option<&'static Catalogue> {
        static GERMAN: LazyLock<Option<Catalogue>> =
            LazyLock::new(|| read(&locale!("de"), include_bytes!("../../locales/de.po")));
        static ARABIC: LazyLock<Option<Catalogue>> =
            LazyLock::new(|| read(&locale!("ar"), include_bytes!("../../locales/ar.po")));
        match self {
            Self::English | Self::Marked => None,
            Self::German => GERMAN.as_ref(),
            Self::Arabic => ARABIC.as_ref(),
        }
    }

    /// English as it stands, or between brackets.
    pub(super) fn marked(self, text: &str) -> Cow<'_, str> {
        if self == Self::Marked { format!("⟦{text}⟧").into() } else { text.into() }
    }
}

/// A catalogue; none if it can't be read, which a test holds against: then pages are English.
fn read(locale: &Locale, po: &[u8]) -> Option<Catalogue> {
    Catalogue::read(locale, po).inspect_err(|error| tracing::error!(%error, "a catalogue can't be read")).ok()
}
