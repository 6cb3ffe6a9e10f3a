//! The catalogues in `locales`: each has every word that the program says, and says it soundly.
//! `UPDATE_CATALOGUES=1 tests/run -- languages::` puts what is missing there, to be translated, and takes out what nobody
//! says any more.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use polib::catalog::Catalog;
use polib::message::Message;
use polib::po_file;
use switchboard::i18n::{self, Language};
use switchboard::{admin, web};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const MACROS: [&str; 3] = ["t!(", "tr!(", "msgid!("];

/// What is said, as a catalogue names it: the words, their plural, and which meaning.
type Words = (String, Option<String>, Option<String>);

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|end| ["rs", "html", "txt"].iter().any(|one| end == *one)) {
            found.push(path);
        }
    }
}

/// The string literal that `text` begins with, after spaces, and what follows it.
fn literal(text: &str) -> Option<(String, &str)> {
    let mut rest = text.trim_start().strip_prefix('"')?.chars();
    let mut value = String::new();
    while let Some(c) = rest.next() {
        match c {
            '"' => return Some((value, rest.as_str())),
            '\\' => match rest.next()? {
                'n' => value.push('\n'),
                '\n' => rest = rest.as_str().trim_start().chars(),
                'u' => {
                    let (code, after) = rest.as_str().strip_prefix('{')?.split_once('}')?;
                    value.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?);
                    rest = after.chars();
                }
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

/// The words that a call begins with.
fn words(text: &str) -> Option<Words> {
    let (first, rest) = literal(text)?;
    let (context, id, rest) = match rest.trim_start().strip_prefix("=>") {
        Some(rest) => {
            let (id, rest) = literal(rest)?;
            (Some(first), id, rest)
        }
        None => (None, first, rest),
    };
    let plural = rest.trim_start().strip_prefix('|').and_then(literal).map(|(plural, _)| plural);
    Some((id, plural, context))
}

/// Everything that the program says.
fn said() -> BTreeSet<Words> {
    let mut paths = Vec::new();
    files(&Path::new(ROOT).join("src"), &mut paths);
    files(&Path::new(ROOT).join("templates"), &mut paths);
    let mut said = BTreeSet::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let code: String =
            text.lines().filter(|line| !line.trim_start().starts_with("//")).map(|l| format!("{l}\n")).collect();
        for name in MACROS {
            for (at, _) in code.match_indices(name) {
                let before = code[..at].chars().next_back().unwrap_or(' ');
                if !before.is_alphanumeric() && before != '_' && before != ':' {
                    said.extend(words(&code[at + name.len()..]));
                }
            }
        }
    }
    let plain = admin::wording::msgids().into_iter().chain(web::script_words::script_msgids());
    said.extend(plain.filter(|id| !id.is_empty()).map(|id| (id, None, None)));
    said
}

/// A catalogue's file, and what stands in it: the forms by their words.
fn catalogue(language: Language) -> (PathBuf, Catalog, BTreeMap<Words, Vec<String>>) {
    let path = Path::new(ROOT).join("locales").join(format!("{}.po", language.code()));
    let catalogue = po_file::parse(&path).unwrap();
    let mut there = BTreeMap::new();
    for message in catalogue.messages() {
        let text = |part: Option<&str>| part.filter(|part| !part.is_empty()).map(str::to_owned);
        let forms = message.msgstr_plural().cloned().or_else(|_| message.msgstr().map(|one| vec![one.to_owned()]));
        let words = (message.msgid().to_owned(), text(message.msgid_plural().ok()), text(message.msgctxt()));
        there.insert(words, forms.unwrap());
    }
    (path, catalogue, there)
}

fn update(path: &Path, old: &Catalog, said: &BTreeSet<Words>, mut there: BTreeMap<Words, Vec<String>>, plurals: usize) {
    let mut catalogue = Catalog::new(old.metadata.clone());
    for words in said {
        let forms = there.remove(words);
        let (id, plural, context) = words.clone();
        let mut message = if plural.is_some() { Message::build_plural() } else { Message::build_singular() };
        message.with_msgid(id);
        if let Some(context) = context {
            message.with_msgctxt(context);
        }
        match plural {
            Some(plural) => {
                let forms = forms.unwrap_or_else(|| vec![String::new(); plurals]);
                message.with_msgid_plural(plural).with_msgstr_plural(forms);
            }
            None => {
                message.with_msgstr(forms.unwrap_or_default().concat());
            }
        }
        catalogue.append_or_update(message.done());
    }
    po_file::write_to_file(&catalogue, path).unwrap();
}

/// `{…}` and `<…>` in a text, counted.
fn marks(text: &str) -> BTreeMap<String, usize> {
    let mut marks = BTreeMap::new();
    for (open, close) in [('{', '}'), ('<', '>')] {
        let mut rest = text;
        while let Some((_, after)) = rest.split_once(open) {
            let Some((mark, after)) = after.split_once(close) else { break };
            *marks.entry(format!("{open}{mark}{close}")).or_default() += 1;
            rest = after;
        }
    }
    marks
}

/// What is wrong with `translation`; `loose` where a form of a plural may leave its number out.
fn fault(original: &str, translation: &str, loose: bool) -> Option<&'static str> {
    let outside: String = translation.split('<').map(|part| part.rsplit('>').next().unwrap_or("")).collect();
    let (mut ours, mut theirs) = (marks(original), marks(translation));
    if loose {
        for count in ["{n}", "{count}"] {
            ours.remove(count);
            theirs.remove(count);
        }
    }
    match () {
        () if translation.trim().is_empty() => Some("isn't translated"),
        () if ours != theirs => Some("has other marks than the English"),
        // It may stand in an attribute.
        () if outside.contains('"') && !original.contains('"') => Some("has a straight quotation mark"),
        () if original.ends_with(' ') != translation.ends_with(' ') => Some("ends otherwise"),
        () => None,
    }
}

fn faults(language: Language, plurals: usize) -> Vec<String> {
    let said = said();
    let (path, catalogue, there) = catalogue(language);
    if std::env::var_os("UPDATE_CATALOGUES").is_some() {
        update(&path, &catalogue, &said, there, plurals);
        return Vec::new();
    }
    let mut faults = Vec::new();
    for words in &said {
        match there.get(words) {
            None => faults.push(format!("{words:?} is missing")),
            Some(forms) if words.1.is_some() && forms.len() != plurals => {
                faults.push(format!("{words:?} has {} forms", forms.len()));
            }
            Some(forms) => {
                let many = words.1.as_deref().unwrap_or(&words.0);
                let wrong = forms.iter().filter_map(|form| fault(many, form, words.1.is_some()));
                faults.extend(wrong.map(|wrong| format!("{words:?} {wrong}")));
            }
        }
    }
    faults
        .extend(there.keys().filter(|words| !said.contains(*words)).map(|words| format!("{words:?} is said nowhere")));
    faults
}

#[test]
fn german_has_every_word() {
    let faults = faults(Language::German, 2);
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn arabic_has_every_word() {
    let faults = faults(Language::Arabic, 6);
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// As the program itself finds them.
#[test]
fn catalogues_are_read() {
    let said = |language| {
        i18n::said_in(language, || {
            [i18n::gettext("Log out").into_owned(), i18n::ngettext(3, "{n} room", "{n} rooms").into()]
        })
    };
    assert_eq!(said(Language::English), ["Log out", "{n} rooms"]);
    for language in [Language::German, Language::Arabic] {
        let words = said(language);
        assert_ne!(words[0], "Log out", "{}", language.code());
    }
    let ends = i18n::said_in(Language::Arabic, || i18n::pgettext("list", ", ").into_owned());
    assert_eq!(ends, "، ", "an end that is a space stays");
}

/// The two forms of a plural have the same to put in.
#[test]
fn plurals_are_sound() {
    for (one, many, _) in said().into_iter().filter_map(|(one, many, _)| Some((one, many?, ()))) {
        let (mut one_has, mut many_has) = (marks(&one), marks(&many));
        one_has.remove("{n}");
        many_has.remove("{n}");
        assert_eq!(one_has, many_has, "{one:?} and {many:?}");
    }
}

#[test]
fn the_best_of_ours_is_spoken() {
    let asked = |header| Language::asked(header).map(Language::code);
    assert_eq!(asked("de-AT,de;q=0.9,en;q=0.8"), Some("de"));
    assert_eq!(asked("fr, ar;q=0.5, de;q=0.7"), Some("de"));
    assert_eq!(asked("en-US"), Some("en"));
    assert_eq!(asked("AR"), Some("ar"));
    for nothing in ["", "fr", "*", "zh-Hant;q=x", ";;;,,", "\u{1F600}"] {
        assert_eq!(asked(nothing), None, "{nothing}");
    }
}

#[test]
fn numbers_and_days_are_written_as_the_language_does() {
    use switchboard::clock::Timestamp;
    let at = Timestamp(1_769_855_400_000_000);
    let shown =
        |language| i18n::said_in(language, || (i18n::number(-1_234_567_i64), i18n::date(at), i18n::time_of_day(at)));
    assert_eq!(shown(Language::English), ("-1,234,567".into(), "2026-01-31".into(), "10:30".into()));
    assert_eq!(shown(Language::German), ("-1.234.567".into(), "31.01.2026".into(), "10:30".into()));
    let (number, day, time) = shown(Language::Arabic);
    assert!(number.contains("1,234,567") && day.contains("2026") && time.contains("10:30"), "{number} {day} {time}");
}
