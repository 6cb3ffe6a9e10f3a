//! A page as pieces that are rendered and compressed once and put together for each answer. gzip (RFC 1952) is made of
//! the pieces' own deflate blocks (RFC 1951): each ends on a byte, so that they can follow each other, and the check sum
//! of the whole is combined from theirs. Called by `web/pages/chat/kept.rs`.

use std::hash::{BuildHasher, Hasher};
use std::sync::OnceLock;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use flate2::{Compress, Compression, FlushCompress};
use foldhash::quality::FixedState;

/// The same on all nodes. The standard library's was one part in forty of what a page made anew takes.
const HASH: FixedState = FixedState::with_seed(0);
/// What every gzip file begins with: deflate, no name, no time, an unknown system.
const GZIP: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// The last block of a deflate stream, with nothing in it.
const LAST: [u8; 2] = [3, 0];
/// Left in a page for what is put in afterwards. No text of ours or of anybody's has it.
pub const GAP: char = '\0';

/// A stretch of a page.
#[derive(Debug, Default)]
pub struct Piece {
    plain: Bytes,
    hash: u64,
    squeezed: OnceLock<Squeezed>,
}

#[derive(Debug)]
struct Squeezed {
    /// Deflate blocks that end on a byte.
    blocks: Bytes,
    sum: crc32fast::Hasher,
}

impl Piece {
    /// Cost: O(length).
    pub fn new(plain: impl Into<Bytes>) -> Self {
        let plain = plain.into();
        let mut hasher = HASH.build_hasher();
        hasher.write(&plain);
        Self { hash: hasher.finish(), plain, squeezed: OnceLock::new() }
    }

    pub fn len(&self) -> usize {
        self.plain.len()
    }

    pub fn is_empty(&self) -> bool {
        self.plain.is_empty()
    }

    fn squeezed(&self) -> &Squeezed {
        self.squeezed.get_or_init(|| {
            let mut sum = crc32fast::Hasher::new();
            sum.update(&self.plain);
            Squeezed { blocks: squeeze(&self.plain), sum }
        })
    }
}

/// Deflate blocks of `plain`, up to a byte's end; so short a text is stored as it is (RFC 1951, 3.2.4). Cost: O(length).
fn squeeze(plain: &[u8]) -> Bytes {
    if let Ok(length) = u8::try_from(plain.len()) {
        return [&[0, length, 0, !length, 255], plain].concat().into();
    }
    let mut squeezer = Compress::new(Compression::fast(), false);
    // Text that can't be squeezed grows by a handful of bytes for each 16 KiB.
    let mut blocks = Vec::with_capacity(plain.len() + plain.len() / 1024 + 64);
    loop {
        let done = usize::try_from(squeezer.total_in()).unwrap_or(usize::MAX);
        let squeezed = squeezer.compress_vec(&plain[done..], &mut blocks, FlushCompress::Sync);
        let has_room = blocks.len() < blocks.capacity();
        if squeezed.is_err() || (has_room && squeezer.total_in() == plain.len() as u64) {
            break;
        }
        blocks.reserve(plain.len() / 2 + 64);
    }
    blocks.shrink_to_fit();
    blocks.into()
}

/// What marks these pieces: weak, since they may be sent compressed or not.
pub fn tag(pieces: &[&Piece]) -> String {
    let mut hasher = HASH.build_hasher();
    pieces.iter().for_each(|piece| hasher.write_u64(piece.hash));
    format!("W/\"{:016x}\"", hasher.finish())
}

/// Nothing but the mark (304), if whoever sent `headers` has the page with this mark. Cost: O(length of the headers).
pub fn unchanged(tag: &str, headers: &HeaderMap) -> Option<Response> {
    is_known(headers, tag).then(|| marked(StatusCode::NOT_MODIFIED.into_response(), tag))
}

/// The page that `pieces` make, compressed if whoever sent `headers` takes it so. Cost: O(length).
pub fn answer(pieces: &[&Piece], tag: &str, headers: &HeaderMap) -> Response {
    if takes_gzip(headers) {
        let mut response = Response::new(Body::from(gzipped(pieces)));
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        return marked(response, tag);
    }
    let mut page = BytesMut::with_capacity(pieces.iter().map(|piece| piece.len()).sum());
    pieces.iter().for_each(|piece| page.extend_from_slice(&piece.plain));
    marked(Response::new(Body::from(page.freeze())), tag)
}

/// It may be kept by the reader's browser, which asks each time whether it still holds.
fn marked(mut response: Response, tag: &str) -> Response {
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(header::ETAG, tag);
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding, accept-language, cookie"));
    response
}

/// Whether `If-None-Match` names this mark (RFC 9110, 13.1.2: compared weakly).
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let named = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let bare = tag.trim_start_matches("W/");
    named.flat_map(|value| value.split(',')).any(|one| one.trim().trim_start_matches("W/") == bare)
}

/// Whether `Accept-Encoding` takes gzip (RFC 9110, 12.5.3).
fn takes_gzip(headers: &HeaderMap) -> bool {
    let named = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    named.flat_map(|value| value.split(',')).any(|one| {
        let (name, weight) = one.split_once(';').unwrap_or((one, "q=1"));
        let weight: f32 = weight.trim().trim_start_matches("q=").parse().unwrap_or(0.0);
        name.trim().eq_ignore_ascii_case("gzip") && weight > 0.0
    })
}

fn gzipped(pieces: &[&Piece]) -> Vec<u8> {
    let squeezed: Vec<&Squeezed> = pieces.iter().map(|piece| piece.squeezed()).collect();
    let mut file = Vec::with_capacity(32 + squeezed.iter().map(|one| one.blocks.len()).sum::<usize>());
    let mut sum = crc32fast::Hasher::new();
    file.extend_from_slice(&GZIP);
    for one in squeezed {
        file.extend_from_slice(&one.blocks);
        sum.combine(&one.sum);
    }
    file.extend_from_slice(&LAST);
    let length: usize = pieces.iter().map(|piece| piece.len()).sum();
    file.extend_from_slice(&sum.finalize().to_le_bytes());
    // Of the length, its last 32 bits.
    file.extend_from_slice(&(length as u32).to_le_bytes());
    file
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn pieces_squeezed_by_themselves_make_one_gzip_file() {
        let texts = ["<p>one</p>".repeat(500), String::new(), "é\u{1F600}x".to_owned(), "<p>two</p>".repeat(3)];
        let noise: String =
            (0..40_000u32).map(|n| char::from(33 + (n.wrapping_mul(2_654_435_761) >> 25) as u8)).collect();
        let pieces: Vec<Piece> = texts.into_iter().chain([noise]).map(Piece::new).collect();
        let pieces: Vec<&Piece> = pieces.iter().collect();
        let file = gzipped(&pieces);
        let mut text = String::new();
        flate2::read::GzDecoder::new(file.as_slice()).read_to_string(&mut text).unwrap();
        let plain: Vec<u8> = pieces.iter().flat_map(|piece| piece.plain.to_vec()).collect();
        assert_eq!(text.as_bytes(), plain);
        assert_eq!(file, gzipped(&pieces), "and once");
    }

    #[test]
    fn gzip_is_for_those_who_take_it() {
        let takes = |accepted: &'static str| {
            takes_gzip(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(accepted))]))
        };
        assert!(takes("gzip") && takes("br;q=1.0, GZIP;q=0.5") && takes("deflate, gzip, br"));
        assert!(!takes("br") && !takes("gzip;q=0") && !takes("") && !takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn a_mark_is_known_weakly_and_among_others() {
        let known = |tags: &'static str| {
            is_known(&HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_static(tags))]), "W/\"a\"")
        };
        assert!(known("W/\"a\"") && known("\"b\", \"a\""));
        assert!(!known("\"ab\"") && !known("*"));
    }
}
