//! The static page: as long as a room's page with fifty messages (`--page-bytes`), plain and compressed once.

use std::fmt::Write as _;
use std::io::Write as _;

use axum::body::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::shared;

pub struct Page {
    pub plain: Bytes,
    pub gzip: Bytes,
}

impl Page {
    pub fn new(length: usize) -> std::io::Result<Self> {
        let mut html = String::from("<!doctype html>\n<html lang=\"en\"><head><title>Room</title></head><body><ol>\n");
        let mut word = 1_u64;
        for message in 1.. {
            let _ = write!(html, "<li id=\"m{message}\"><b>person{}</b> <p>", message % 7);
            for _ in 0..14 {
                word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let _ = write!(html, "w{:x} ", (word >> 33) % 4000);
            }
            html.push_str("</p></li>\n");
            if html.len() + 100 > length {
                break;
            }
        }
        html.push_str("</ol></body></html>\n");
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(html.as_bytes())?;
        Ok(Self { gzip: shared(gzip.finish()?), plain: shared(html.into_bytes()) })
    }
}
