//! A text longer than a message may be, as several. Called by `transfer::staging`.

const FENCE: &str = "```";

/// `text` in parts of at most `most` characters (20 or more), cut behind a line or else a word where there is one in the second
/// half; a block of code that is cut goes on as one. One part, perhaps empty, for what is short. Cost: O(length).
pub fn parts(text: &str, most: usize) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = text.trim().to_owned();
    while rest.chars().count() > most {
        // Room for the end of a block of code.
        let end = rest.char_indices().nth(most - FENCE.len() - 1).map_or(rest.len(), |(place, _)| place);
        let head = &rest[..end];
        let behind =
            |mark: char| head.rfind(mark).filter(|place| *place > end / 2).map(|place| place + mark.len_utf8());
        let cut = behind('\n').or_else(|| behind(' ')).unwrap_or(end);
        let (head, tail) = rest.split_at(cut);
        let is_open = head.lines().filter(|line| line.trim_start().starts_with(FENCE)).count() % 2 == 1;
        let (head, tail) = match is_open {
            true => (format!("{}\n{FENCE}", head.trim_end()), format!("{FENCE}\n{}", tail.trim_start_matches('\n'))),
            false => (head.trim_end().to_owned(), tail.trim_start().to_owned()),
        };
        parts.push(head);
        rest = tail;
    }
    parts.push(rest);
    parts
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn a_long_text_is_cut_behind_lines_and_words_and_nothing_is_lost() {
        assert_eq!(parts(" short ", 20), ["short"]);
        assert_eq!(parts("", 20), [""]);
        let words = "one two three four five six seven eight nine ten".repeat(20);
        let cut = parts(&words, 50);
        assert!(cut.iter().all(|part| part.chars().count() <= 50), "{cut:?}");
        assert_eq!(cut.join(" "), words);
        let code = format!("Look:\n```\n{}```\nThat was it.", "let x = 1;\n".repeat(30));
        let cut = parts(&code, 100);
        assert!(cut.iter().all(|part| part.chars().count() <= 100 && part.matches("```").count() % 2 == 0), "{cut:?}");
        assert_eq!(cut.iter().map(|part| part.matches("let x = 1;").count()).sum::<usize>(), 30);
        let solid = "ж".repeat(95);
        assert_eq!(parts(&solid, 40).concat(), solid);
    }
}
