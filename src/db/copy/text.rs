//! Rows as PostgreSQL's `COPY` writes and reads them in its text format: a line a row, tabs between fields, `\N` for null
//! (PostgreSQL's manual, COPY, "Text Format"). Called by the two directions of `db/copy`.

use crate::error::{Error, Result};

/// Adds one field to the line that `out` ends with. What PostgreSQL can't hold, the character NUL, is left out: no form of
/// ours takes it. Cost: O(length).
pub(super) fn write(out: &mut Vec<u8>, field: Option<&str>) {
    let Some(text) = field else { return out.extend_from_slice(b"\\N") };
    for byte in text.bytes() {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0 => {}
            byte => out.push(byte),
        }
    }
}

/// The fields of a line, without its end. Errors: [`Error::Internal`] for what the server never writes. Cost: O(length).
pub(super) fn read(line: &[u8]) -> Result<Vec<Option<String>>> {
    line.split(|byte| *byte == b'\t').map(field).collect()
}

fn field(raw: &[u8]) -> Result<Option<String>> {
    if raw == b"\\N" {
        return Ok(None);
    }
    let mut text = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter();
    while let Some(byte) = bytes.next() {
        let plain = match byte {
            b'\\' => match bytes.next() {
                Some(b'b') => 8,
                Some(b't') => b'\t',
                Some(b'n') => b'\n',
                Some(b'v') => 11,
                Some(b'f') => 12,
                Some(b'r') => b'\r',
                Some(other) => *other,
                None => return Err(Error::internal("a field that COPY wrote ends in a backslash")),
            },
            byte => *byte,
        };
        text.push(plain);
    }
    String::from_utf8(text).map(Some).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_field_holds_it_comes_back() {
        let fields = [
            None,
            Some(""),
            Some("\\N"),
            Some("a\tb\nc\\d\r\n"),
            Some("\\"),
            Some("\u{8}\u{b}\u{c}\u{1f}é𝄞"),
            Some("NULL"),
        ];
        let mut line = Vec::new();
        for (place, text) in fields.iter().enumerate() {
            if place > 0 {
                line.push(b'\t');
            }
            write(&mut line, *text);
        }
        assert!(!line.contains(&b'\n'));
        assert_eq!(read(&line).unwrap(), fields.map(|text| text.map(str::to_owned)));
        // As the server writes what we don't escape.
        assert_eq!(read(b"\\b\\v\\f\\.").unwrap(), [Some("\u{8}\u{b}\u{c}.".to_owned())]);
        assert!(read(b"a\\").is_err());
    }

    #[test]
    fn what_postgresql_cannot_hold_is_left_out() {
        let mut line = Vec::new();
        write(&mut line, Some("a\0b"));
        assert_eq!(line, b"ab");
    }
}
