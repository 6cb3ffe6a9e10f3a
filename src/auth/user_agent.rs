//! What a browser says of itself, in two words: `Firefox on Linux`. For lists of sessions and connections, and for
//! letters.

/// In this order: most browsers say that they are others, too.
const PROGRAMS: &[(&str, &str)] = &[
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];
const SYSTEMS: &[(&str, &str)] = &[
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
];
/// Characters shown of what isn't known.
const MOST_SHOWN: usize = 30;

/// The short form of a `User-Agent`; empty for an empty one. Cost: O(length).
pub fn short(user_agent: &str) -> String {
    // A program of somebody's own: `curl/8.1` says it best.
    let own = || user_agent.split_whitespace().next().unwrap_or_default().chars().take(MOST_SHOWN).collect();
    known(user_agent).unwrap_or_else(own)
}

/// The same for a letter, where it never looks like an address that can be followed. Cost: O(length).
pub fn in_words(user_agent: &str) -> String {
    known(user_agent).unwrap_or_else(|| {
        let name: String = user_agent.chars().take_while(char::is_ascii_alphanumeric).take(MOST_SHOWN).collect();
        if name.is_empty() {
            tr!("a program that doesn't say its name").into()
        } else {
            tr!("a program, {name}", name = name)
        }
    })
}

fn known(user_agent: &str) -> Option<String> {
    let one_of = |names: &[(&str, &'static str)]| {
        names.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name)
    };
    match (one_of(PROGRAMS), one_of(SYSTEMS)) {
        (Some(program), Some(system)) => Some(tr!("{program} on {system}", program = program, system = system)),
        (Some(program), None) => Some(program.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn browsers_are_known_by_what_only_they_say() {
        let short = [
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 (KHTML, like Gecko) Version/18.0 Mobile Safari/604.1",
            "curl/8.1 whatever",
            "",
        ]
        .map(super::short);
        assert_eq!(short, ["Firefox on Linux", "Edge on Windows", "Safari on iPhone", "curl/8.1", ""]);
    }

    #[test]
    fn a_letter_names_no_address() {
        let words = ["curl/8.1", "http://evil.example/x", "evil.example", ""].map(super::in_words);
        assert_eq!(
            words,
            ["a program, curl", "a program, http", "a program, evil", "a program that doesn't say its name"]
        );
    }
}
