//! Small pictures of large ones, for the talk: made when somebody first asks, one at a time in a process, and kept beside
//! the file until it goes. Called by `web/thumbnails.rs`.

use std::fs::File;
use std::io::{BufReader, ErrorKind};
use std::path::Path;
use std::sync::{Arc, LazyLock};

use image::codecs::jpeg::JpegEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, GenericImageView, ImageFormat, ImageResult};
use tokio::sync::Semaphore;

use super::{Attachment, disk};
use crate::app::App;
use crate::error::{Error, Result};
use crate::picture::{self, Encoded, Fault};

/// Pixels of the largest thumbnail.
const WIDTH: i64 = 480;
const HEIGHT: i64 = 360;
/// Of a hundred.
const JPEG_QUALITY: u8 = 80;
/// Bytes of a file that we look into: the decoder of JPEG reads all of it into memory.
pub const MOST_BYTES: i64 = 64 * 1024 * 1024;
/// What we decode.
pub const TYPES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

const NONE: Error = Error::NotFound(msgid!("There is no small picture of this file."));

/// Decoding takes a core and up to 300 MB.
static PERMIT: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(1)));

/// Width and height of the thumbnail of a picture so large: as large as fits, never larger than the picture.
pub fn size(width: i64, height: i64) -> (i64, i64) {
    if width <= WIDTH && height <= HEIGHT {
        return (width, height);
    }
    let scaled = |side: i64, to: i64, of: i64| ((side * to * 2 + of) / (of * 2)).max(1);
    if width * HEIGHT >= height * WIDTH {
        (WIDTH, scaled(height, WIDTH, width))
    } else {
        (scaled(width, HEIGHT, height), HEIGHT)
    }
}

/// The thumbnail's bytes and their type. Who may see the file isn't asked here. Errors: [`Error::NotFound`] for what is no
/// picture, too large a one or a broken one. Cost: 1 small file; at first 1 decoding off the async threads, after those
/// that others wait for.
pub async fn of(app: &App, file: &Attachment) -> Result<(Vec<u8>, &'static str)> {
    if !file.is_pictured() {
        return Err(NONE);
    }
    let path = disk::thumbnail(&app.config, &file.sha256).ok_or(NONE)?;
    if let Some(kept) = kept(&path).await? {
        return described(kept);
    }
    let permit = PERMIT.clone().acquire_owned().await.map_err(Error::internal)?;
    // Somebody else may have waited for the same one.
    if let Some(kept) = kept(&path).await? {
        return described(kept);
    }
    let (config, sha256) = (app.config.clone(), file.sha256.clone());
    let source = super::path(&app.config, &file.sha256).ok_or(NONE)?;
    // Who asked may be gone before it is made: it is made and kept all the same, and the next one waits for the permit.
    let made = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        // A decoder that panics over what a stranger sent has found it broken.
        let made = std::panic::catch_unwind(|| make(&source)).unwrap_or(Ok(None))?;
        // What can't be shown is remembered as an empty file, so that nobody tries again at every look.
        let bytes = made.unwrap_or_default();
        disk::keep_thumbnail(&config, &sha256, &bytes)?;
        Ok::<_, std::io::Error>(bytes)
    });
    let made = made.await.map_err(Error::internal)?;
    described(made.map_err(|error| if error.kind() == ErrorKind::NotFound { NONE } else { Error::internal(error) })?)
}

async fn kept(path: &Path) -> Result<Option<Vec<u8>>> {
    match tokio::fs::read(path).await {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::internal(error)),
    }
}

fn described(bytes: Vec<u8>) -> Result<(Vec<u8>, &'static str)> {
    match image::guess_format(&bytes) {
        Ok(format) => Ok((bytes, format.to_mime_type())),
        Err(_) => Err(NONE),
    }
}

/// `None` for what is no picture, or a broken one. Errors: those of the disk. Blocks.
fn make(source: &Path) -> std::io::Result<Option<Vec<u8>>> {
    let reader = image::ImageReader::new(BufReader::new(File::open(source)?)).with_guessed_format()?;
    let Some(format) = reader.format() else { return Ok(None) };
    match picture::decode(reader.into_inner(), format) {
        Ok((image, orientation)) => Ok(shrink(&image, orientation).ok().map(|encoded| encoded.bytes)),
        Err(Fault::TooLarge | Fault::Unreadable) => Ok(None),
    }
}

fn shrink(image: &DynamicImage, orientation: Orientation) -> ImageResult<Encoded> {
    let (width, height) = image.dimensions();
    let is_turned = matches!(
        orientation,
        Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH
    );
    // The box is for the picture as it is shown.
    let (width, height) = if is_turned {
        let (width, height) = size(height.into(), width.into());
        (height, width)
    } else {
        size(width.into(), height.into())
    };
    let side = |pixels: i64| u32::try_from(pixels).unwrap_or(1);
    let mut small = DynamicImage::ImageRgba8(picture::resize(image, side(width), side(height)));
    small.apply_orientation(orientation);
    encode(small)
}

/// What lets light through without loss; of what doesn't, whichever is smaller with JPEG among them.
fn encode(small: DynamicImage) -> ImageResult<Encoded> {
    if !picture::is_opaque(&small) {
        return picture::encode(small);
    }
    let small = DynamicImage::ImageRgb8(small.into_rgb8());
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY).encode_image(&small)?;
    let plain = picture::encode(small)?;
    Ok(if plain.bytes.len() <= jpeg.len() { plain } else { Encoded { bytes: jpeg, format: ImageFormat::Jpeg } })
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn a_thumbnail_fits_and_is_never_larger_than_its_picture() {
        for (picture, thumbnail) in [
            ((480, 360), (480, 360)),
            ((10, 7), (10, 7)),
            ((4000, 3000), (480, 360)),
            ((4000, 2000), (480, 240)),
            ((1000, 4000), (90, 360)),
            ((8000, 1), (480, 1)),
            ((1, 8000), (1, 360)),
            ((481, 1), (480, 1)),
        ] {
            assert_eq!(size(picture.0, picture.1), thumbnail, "{picture:?}");
        }
    }
}
