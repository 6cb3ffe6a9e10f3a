//! What an uploaded file is called. Called by `attachments/intake.rs`.

/// Bytes, as most file systems have it.
const LONGEST: usize = 255;
/// Bytes of an extension that is kept when a name is cut.
const LONGEST_EXTENSION: usize = 16;

/// The last part of `name`, whichever way its system writes paths, without what would make it look like another: control
/// characters and marks that turn the direction of text. `file` when nothing is left. Cost: O(length).
pub fn clean(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain: String = last.chars().filter(|c| !c.is_control() && !is_direction(*c)).collect();
    let plain = plain.trim();
    if plain.trim_matches('.').is_empty() { "file".to_owned() } else { cut(plain) }
}

fn is_direction(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// At most 255 bytes, the extension kept where it is one.
fn cut(name: &str) -> String {
    if name.len() <= LONGEST {
        return name.to_owned();
    }
    let extension = name.rfind('.').map(|dot| &name[dot..]).filter(|extension| extension.len() <= LONGEST_EXTENSION);
    let extension = extension.unwrap_or_default();
    let mut end = LONGEST - extension.len();
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{extension}", &name[..end])
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn a_name_is_the_last_part_of_a_path_and_looks_like_what_it_is() {
        for (name, cleaned) in [
            ("notes.txt", "notes.txt"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\ann\\cv.pdf", "cv.pdf"),
            ("a\u{202e}gpj.exe", "agpj.exe"),
            ("tab\there\0\r\n.txt", "tabhere.txt"),
            ("", "file"),
            ("folder/", "file"),
            ("..", "file"),
            (" \u{200f} ", "file"),
            (".bashrc", ".bashrc"),
            ("Żółw 🐢.png", "Żółw 🐢.png"),
        ] {
            assert_eq!(clean(name), cleaned, "{name:?}");
        }
        let long = clean(&format!("{}.jpeg", "ż".repeat(300)));
        assert!(long.len() <= 255 && long.ends_with("ż.jpeg"), "{long}");
        assert!(clean(&"x".repeat(999)).len() == 255);
    }
}
