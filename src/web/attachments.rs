//! `/chat/attachments/{id}` and the same under the API: a message's file, as it lies on disk, or a part of it. What
//! strangers uploaded is never a page of ours: nothing in it runs, and only what can't hold a script is shown at all.

use std::io::SeekFrom;
use std::ops::RangeInclusive;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, stream};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use crate::app::App;
use crate::attachments::{self, Attachment, kind};
use crate::error::{Error, Result};
use crate::ids::AttachmentId;
use crate::users::Person;
use crate::web::api::negotiation::is_among;
use crate::web::extract::{Id, SignedIn};
use crate::web::render::PageError;

/// Bytes read from disk at a time.
const PIECE: u64 = 64 * 1024;
const POLICY: &str = "sandbox; default-src 'none'";
/// RFC 8187's attr-char is left as it is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// `GET /chat/attachments/{id}`.
pub async fn get(
    State(app): State<App>,
    SignedIn(person): SignedIn,
    Path(Id(id)): Path<Id>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    Ok(send(&app, &person, AttachmentId(id), &headers).await?)
}

/// The file, or what `headers` asks for of it: nothing new (304), a part (206), or one that it hasn't (416, without a body).
/// Errors: [`Error::NotFound`] for who can't see its message. Cost: 1 indexed query, 1 file, O(64 KiB) of memory.
pub async fn send(app: &App, person: &Person, id: AttachmentId, headers: &HeaderMap) -> Result<Response> {
    let file = attachments::see(&mut app.db.read().await?, person.id, id).await?;
    let tag = format!("\"{}\"", file.sha256);
    if headers.get_all(header::IF_NONE_MATCH).iter().any(|named| is_among(named, &tag)) {
        return Ok((StatusCode::NOT_MODIFIED, kept(&tag)).into_response());
    }
    let (mut bytes, length) = open(app, &file).await?;
    let part = match asked(headers, &tag, length) {
        Part::All => None,
        Part::Of(part) => Some(part),
        Part::Beyond => {
            let range = [(header::CONTENT_RANGE, format!("bytes */{length}"))];
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, range).into_response());
        }
    };
    let (status, from, count) = match &part {
        None => (StatusCode::OK, 0, length),
        Some(part) => (StatusCode::PARTIAL_CONTENT, *part.start(), part.end() - part.start() + 1),
    };
    bytes.seek(SeekFrom::Start(from)).await.map_err(Error::internal)?;
    let mut response = (status, kept(&tag), Body::from_stream(pieces(bytes, count))).into_response();
    describe(response.headers_mut(), &file, count);
    if let Some(part) = part {
        let range = format!("bytes {}-{}/{length}", part.start(), part.end());
        set(response.headers_mut(), header::CONTENT_RANGE, &range);
    }
    Ok(response)
}

/// How an answer about a file of strangers is kept, and what it may do.
pub(super) fn kept(tag: &str) -> [(header::HeaderName, String); 4] {
    [
        (header::ETAG, tag.to_owned()),
        (header::CACHE_CONTROL, "private, no-cache".to_owned()),
        (header::VARY, "authorization, cookie".to_owned()),
        (header::CONTENT_SECURITY_POLICY, POLICY.to_owned()),
    ]
}

/// The file and its length. One that should be there and isn't is a fault of ours that its reader can't mend.
async fn open(app: &App, file: &Attachment) -> Result<(File, u64)> {
    let path = attachments::path(&app.config, &file.sha256);
    let opened = async {
        let bytes = File::open(path.ok_or(std::io::ErrorKind::NotFound)?).await?;
        let length = bytes.metadata().await?.len();
        Ok::<_, std::io::Error>((bytes, length))
    };
    opened.await.map_err(|error| {
        tracing::error!(%error, attachment = %file.id, "an uploaded file can't be read");
        Error::NotFound(msgid!("This file isn't here any more."))
    })
}

fn describe(headers: &mut HeaderMap, file: &Attachment, count: u64) {
    let content_type = match file.content_type.as_str() {
        "text/plain" => "text/plain; charset=utf-8",
        other => other,
    };
    let place = if kind::is_shown(&file.content_type) { "inline" } else { "attachment" };
    set(headers, header::CONTENT_TYPE, content_type);
    set(headers, header::CONTENT_LENGTH, &count.to_string());
    set(headers, header::CONTENT_DISPOSITION, &disposition(place, &file.filename));
    set(headers, header::ACCEPT_RANGES, "bytes");
    set(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
}

fn set(headers: &mut HeaderMap, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// RFC 6266: the name in ASCII for who knows no better, and whole.
fn disposition(place: &str, name: &str) -> String {
    let plain = |c: char| if c.is_ascii_graphic() && !"\"\\%".contains(c) || c == ' ' { c } else { '_' };
    let ascii: String = name.chars().map(plain).collect();
    format!("{place}; filename=\"{ascii}\"; filename*=UTF-8''{}", utf8_percent_encode(name, ENCODED))
}

enum Part {
    All,
    Of(RangeInclusive<u64>),
    Beyond,
}

/// What part of `length` bytes is asked for. Several parts at once, and what can't be read, are answered with the whole,
/// as RFC 9110 allows; so is a part of a file that has become another (`If-Range`).
fn asked(headers: &HeaderMap, tag: &str, length: u64) -> Part {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if text(header::IF_RANGE).is_some_and(|known| known.trim() != tag) {
        return Part::All;
    }
    let range = text(header::RANGE).and_then(|range| range.trim().strip_prefix("bytes="));
    let Some((first, last)) = range.filter(|range| !range.contains(',')).and_then(|range| range.split_once('-')) else {
        return Part::All;
    };
    let (first, last) = (first.trim(), last.trim());
    let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(first) || !is_number(last) || (first.is_empty() && last.is_empty()) {
        return Part::All;
    }
    // Beyond what a number holds is beyond any file.
    let (from, to) = (first.parse().unwrap_or(u64::MAX), last.parse().unwrap_or(u64::MAX));
    match (first.is_empty(), last.is_empty()) {
        (true, _) if to == 0 || length == 0 => Part::Beyond,
        (true, _) => Part::Of(length.saturating_sub(to)..=length - 1),
        (false, false) if to < from => Part::All,
        (false, _) if from >= length => Part::Beyond,
        (false, _) => Part::Of(from..=to.min(length - 1)),
    }
}

/// The next `count` bytes.
fn pieces(file: File, count: u64) -> impl Stream<Item = std::io::Result<Bytes>> {
    stream::try_unfold((file, count), |(mut file, left)| async move {
        let mut piece = vec![0; usize::try_from(left.min(PIECE)).unwrap_or_default()];
        if piece.is_empty() {
            return Ok(None);
        }
        let length = file.read(&mut piece).await?;
        if length == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        piece.truncate(length);
        Ok(Some((Bytes::from(piece), (file, left - length as u64))))
    })
}
