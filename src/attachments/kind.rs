//! What kind of file it is, by what is in it: neither its name nor what its sender says counts. Called by
//! `attachments/intake.rs`, and by whatever shows files.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read, Seek};
use std::path::Path;

use image::metadata::Orientation;
use image::{ImageDecoder, ImageFormat, ImageReader, Limits};

/// Bytes at a file's beginning that tell its kind.
pub const HEAD: usize = 8 * 1024;
/// Bytes of a JPEG in which its size has to stand: its decoder reads all it is given into memory.
const JPEG_HEAD: u64 = 1024 * 1024;
/// What the other decoders may take while they look for the size.
const MOST_MEMORY: u64 = 1024 * 1024;

const TEXT: &str = "text/plain";
const UNKNOWN: &str = "application/octet-stream";

/// The type of a file that begins with `head`; `is_all` when that is the whole of it. Cost: O(8 KiB).
pub fn content_type(head: &[u8], is_all: bool) -> &'static str {
    match infer::get(head) {
        Some(kind) => kind.mime_type(),
        None if is_text(head, is_all) => TEXT,
        None => UNKNOWN,
    }
}

/// UTF-8, perhaps cut within a character, with no control characters but those that part lines and words.
fn is_text(head: &[u8], is_all: bool) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if !is_all && error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    text.chars().all(|c| !c.is_control() || matches!(c, '\t' | '\n' | '\r' | '\u{c}'))
}

/// Whether a browser may show it in the site's name rather than save it: nothing that can hold a script.
pub fn is_shown(content_type: &str) -> bool {
    const IMAGES: [&str; 6] = ["image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp", "image/avif"];
    content_type == TEXT
        || IMAGES.contains(&content_type)
        || content_type.starts_with("audio/")
        || content_type.starts_with("video/")
}

/// Width and height of the image at `path` as it is shown, upright; `None` for what is no image of ours. Only its beginning
/// is read. Blocks. Cost: O(1 MiB) of memory.
pub fn size(path: &Path, content_type: &str) -> Option<(i64, i64)> {
    let format = match content_type {
        "image/png" => ImageFormat::Png,
        "image/jpeg" => ImageFormat::Jpeg,
        "image/webp" => ImageFormat::WebP,
        "image/gif" => ImageFormat::Gif,
        _ => return None,
    };
    let file = File::open(path).ok()?;
    if format != ImageFormat::Jpeg {
        return measured(BufReader::new(file), format);
    }
    let mut head = Vec::new();
    file.take(JPEG_HEAD).read_to_end(&mut head).ok()?;
    measured(Cursor::new(head), format)
}

fn measured(bytes: impl BufRead + Seek, format: ImageFormat) -> Option<(i64, i64)> {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MOST_MEMORY);
    let mut reader = ImageReader::with_format(bytes, format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().ok()?;
    let (width, height) = decoder.dimensions();
    let is_turned = matches!(
        decoder.orientation(),
        Ok(Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH)
    );
    let (width, height) = if is_turned { (height, width) } else { (width, height) };
    (width > 0 && height > 0).then(|| (width.into(), height.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_tells_the_kind() {
        assert_eq!(content_type(b"just words\n", true), "text/plain");
        assert_eq!(content_type("caf\u{e9}".as_bytes(), true), "text/plain");
        assert_eq!(content_type(&"caf\u{e9}".as_bytes()[..4], false), "text/plain");
        assert_eq!(content_type(&"caf\u{e9}".as_bytes()[..4], true), "application/octet-stream");
        assert_eq!(content_type(b"a\0b", true), "application/octet-stream");
        assert_eq!(content_type(b"\x1b[2J", true), "application/octet-stream");
        assert_eq!(content_type(b"\x89PNG\r\n\x1a\n", true), "image/png");
        assert_eq!(content_type(b"%PDF-1.7", true), "application/pdf");
        assert!(!is_shown(content_type(b"<!DOCTYPE html><script>", true)));
        assert!(!is_shown(content_type(b"<?xml version=\"1.0\"?><svg/>", true)));
    }
}
