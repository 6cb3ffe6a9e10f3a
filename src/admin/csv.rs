//! CSV as spreadsheets take it: RFC 4180, and no cell that they would compute. Written by `admin::export`, read by
//! `admin::import`.
//!
//! A text that begins like a formula is written with a `'` before it, which makes it a text in a spreadsheet; so is one
//! that has such quotes of its own before a formula. Reading takes one away, so what is written reads back as it was.

use std::borrow::Cow;

use csv::{ReaderBuilder, StringRecord, WriterBuilder};

use crate::error::{Error, Result};

/// With what a cell begins that a spreadsheet computes. The wide ones count as the narrow ones in some.
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// `text` as a cell that no spreadsheet computes.
pub fn defused(text: &str) -> Cow<'_, str> {
    if text.trim_start_matches('\'').starts_with(FORMULA) { format!("'{text}").into() } else { text.into() }
}

/// What [`defused`] was given.
pub fn armed(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if rest.trim_start_matches('\'').starts_with(FORMULA) => rest,
        _ => text,
    }
}

/// Adds one line of `cells` to `out`.
pub fn write<'a>(out: &mut Vec<u8>, cells: impl IntoIterator<Item = Cow<'a, str>>) -> Result<()> {
    let mut writer = WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    let cells = cells.into_iter().map(|cell| cell.into_owned());
    writer.write_record(cells).and_then(|()| Ok(writer.flush()?)).map_err(Error::internal)
}

/// The first `most` records of `text`, each with the line it begins on. Lines with nothing on them are passed over.
/// Errors: the line on which a quoted cell begins that doesn't end, or goes on behind its closing quote.
/// Cost: O(length).
pub fn read(text: &str, most: usize) -> Result<Vec<(usize, StringRecord)>, usize> {
    let lines = lines(text)?;
    // Our own look at the quotes came first: the parser takes any text for CSV.
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let records = reader.records().filter_map(Result::ok).take(most);
    Ok(lines.into_iter().zip(records).collect())
}

#[derive(PartialEq)]
enum In {
    /// At the beginning of a cell.
    Start,
    Plain,
    /// In quotes that were opened on this line.
    Quotes(usize),
    /// Behind a quote within quotes: the cell's end, or one that is doubled.
    Closing(usize),
}

/// On which line each record begins.
fn lines(text: &str) -> Result<Vec<usize>, usize> {
    let (mut lines, mut line, mut place, mut is_open) = (Vec::new(), 1, In::Start, false);
    for byte in text.bytes() {
        let ends = byte == b'\n' || byte == b'\r';
        if !ends && !is_open {
            lines.push(line);
            is_open = true;
        }
        place = match (place, byte) {
            (In::Quotes(at), b'"') => In::Closing(at),
            (In::Quotes(at), _) => In::Quotes(at),
            (In::Closing(at), b'"') => In::Quotes(at),
            (In::Start, b'"') => In::Quotes(line),
            (_, b',') => In::Start,
            (_, b'\n' | b'\r') => {
                is_open = false;
                In::Start
            }
            (In::Closing(at), _) => return Err(at),
            _ => In::Plain,
        };
        line += usize::from(byte == b'\n');
    }
    match place {
        In::Quotes(at) => Err(at),
        _ => Ok(lines),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_each_reads_back() {
        for text in ["=1+1", "+1", "-1", "@a", "\ta", "\ra", "'=1", "''=1", "＝1", "\na"] {
            let written = defused(text);
            assert!(written.starts_with('\''), "{text:?}");
            assert_eq!(armed(&written), text);
        }
        for text in ["", "a=1", "'a", "''", "'", "’=1", "1-1"] {
            assert_eq!(defused(text), text);
            assert_eq!(armed(text), text);
        }
    }

    #[test]
    fn records_are_read_with_the_lines_they_begin_on() {
        let text = "a,b\r\n\r\n\"x\r\ny\",\"say \"\"hi\"\"\"\r\n\nlast,\n\"\"";
        let read = read(text, 9).unwrap();
        let lines: Vec<usize> = read.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1, 3, 6, 7]);
        assert_eq!(read[1].1.iter().collect::<Vec<_>>(), ["x\r\ny", "say \"hi\""]);
        assert_eq!(read[2].1.iter().collect::<Vec<_>>(), ["last", ""]);
    }

    #[test]
    fn broken_quotes_are_told_by_their_line() {
        assert_eq!(read("a\n\"open\nand on", 9).unwrap_err(), 2);
        assert_eq!(read("a\nb\n\"shut\" then\n", 9).unwrap_err(), 3);
        assert!(read("a \" in plain text is a letter,b", 9).is_ok());
    }

    #[test]
    fn what_is_written_reads_back() {
        let mut out = Vec::new();
        let cells = ["a,b", "", "say \"hi\"", "two\r\nlines", "'"];
        write(&mut out, cells.into_iter().map(Cow::from)).unwrap();
        write(&mut out, [Cow::from("")]).unwrap();
        let text = String::from_utf8(out).unwrap();
        let read = read(&text, 9).unwrap();
        assert_eq!(read[0].1.iter().collect::<Vec<_>>(), cells);
        assert_eq!(read.len(), 2);
    }
}
