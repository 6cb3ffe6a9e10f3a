//! What is typed into a search box: words that must all be found, and phrases in quotes that must be found as they
//! are. `%`, `_` and everything else that isn't a letter or a digit mean nothing special.

use super::sql::Sql;
use super::value::Value;
use crate::db::{Conn, Engine};
use crate::text::fold;

/// A search never has more words than this; what comes after is left out.
const MOST_WORDS: usize = 16;

/// Bytes of a word that a full-text index holds: PostgreSQL refuses longer ones.
const LONGEST_WORD: usize = 2046;

/// A word, or a phrase of several.
#[derive(Clone, Debug, PartialEq)]
pub struct Term(pub String);

/// The terms of `q`, folded. NUL, which PostgreSQL can't store, is taken for a space. Cost: O(length).
pub fn terms(q: &str) -> Vec<Term> {
    let q = fold(&q.replace('\0', " "));
    let mut terms = Vec::new();
    for (place, part) in q.split('"').enumerate() {
        // Every second part stands in quotes; a quote that isn't closed reaches to the end.
        if place % 2 == 1 {
            terms.push(part.split_whitespace().collect::<Vec<_>>().join(" "));
        } else {
            terms.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    terms.retain(|term| !term.is_empty());
    terms.truncate(MOST_WORDS);
    terms.into_iter().map(Term).collect()
}

/// The words of a term, as the full-text indexes have them. Cost: O(length).
pub fn words(term: &Term) -> Vec<String> {
    term.0.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// What the full-text index of either engine is asked, for all of `terms` and, by their tags, a room, a sender and some
/// of `days`. With `last_begins` the last word stands for all that begin with it. `None` when there is nothing in
/// `terms` that it could find: no letter and no digit, or a word of thousands of letters. Cost: O(length).
pub fn full_text(
    conn: &mut Conn,
    terms: &[Term],
    last_begins: bool,
    tags: &[String],
    days: &[String],
) -> Option<String> {
    let is_sqlite = matches!(conn.engine(), Engine::Sqlite(_));
    let phrases: Vec<Vec<String>> = terms.iter().map(words).filter(|words| !words.is_empty()).collect();
    if phrases.is_empty() || phrases.iter().flatten().any(|word| word.len() > LONGEST_WORD) {
        return None;
    }
    // A last term of signs alone leaves the word before it as it was typed: whole.
    let last_begins = last_begins && terms.last().is_some_and(|last| !words(last).is_empty());
    let asked = phrases.iter().enumerate().map(|(place, words)| {
        let begins = last_begins && place + 1 == phrases.len();
        match is_sqlite {
            true => format!("content : \"{}\"{}", words.join(" "), if begins { " *" } else { "" }),
            // Letters and digits only: nothing in them ends the quotes.
            false => format!("('{}'{})", words.join("' <-> '"), if begins { ":*" } else { "" }),
        }
    });
    let tagged = tags.iter().map(|tag| if is_sqlite { format!("tags : \"{tag}\"") } else { format!("'#{tag}'") });
    let between = if is_sqlite { " AND " } else { " & " };
    let days = (!days.is_empty()).then(|| match is_sqlite {
        true => format!("tags : (\"{}\")", days.join("\" OR \"")),
        false => format!("('#{}')", days.join("' | '#")),
    });
    Some(asked.chain(tagged).chain(days).collect::<Vec<_>>().join(between))
}

/// The condition under which a row of the full-text index `table` fits.
pub fn fits(conn: &mut Conn, table: &str, asked: &str) -> Sql {
    let is_sqlite = matches!(conn.engine(), Engine::Sqlite(_));
    let mut sql = Sql::default();
    if is_sqlite {
        sql.push(&format!("{table} match ")).bind(Value::Text(asked.to_owned()));
    } else {
        // As it stands: `to_tsquery` would read a tag as a word and take its sign off.
        sql.push("words @@ cast(").bind(Value::Text(asked.to_owned())).push(" as tsquery)");
    }
    sql
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(q: &str) -> Vec<String> {
        terms(q).into_iter().map(|term| term.0).collect()
    }

    #[test]
    fn words_are_parted_and_phrases_kept() {
        assert_eq!(texts("  Ann \"release  notes\" BOB"), ["ann", "release notes", "bob"]);
        assert_eq!(texts("an \"open quote"), ["an", "open quote"]);
        assert_eq!(texts("a\0b \"\" 😀 50%_"), ["a", "b", "😀", "50%_"]);
        assert_eq!(texts(&"x ".repeat(100)).len(), MOST_WORDS);
    }
}
