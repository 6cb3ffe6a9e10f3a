//! A picture made of what somebody uploaded. Bytes of strangers are decoded within limits, on threads for blocking
//! work, two at once; what comes out holds pixels and nothing else: no place, no camera, no name.

use std::io::Cursor;
use std::sync::{Arc, LazyLock};

use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::imageops;
use image::{AnimationDecoder, DynamicImage, GenericImageView, ImageDecoder, ImageFormat, ImageResult, RgbaImage};
use tokio::sync::Semaphore;

use crate::error::{Error, Result};
use crate::i18n::{self, gettext};
use crate::picture::{self, Encoded, Fault};

/// Pixels a side of what is kept.
const SIDE: u32 = 256;

const UNREADABLE: &str = msgid!("This picture can't be read. Use a PNG, JPEG, WebP or GIF file.");
const ANIMATED: &str = msgid!("Moving pictures can't be used here. Choose one that stands still.");

static PERMITS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(2)));

/// A square of 256 pixels a side.
#[derive(Debug)]
pub struct Picture {
    pub bytes: Vec<u8>,
    /// `webp` or `png`.
    pub extension: &'static str,
}

/// The type that files of ours with this extension have.
pub fn content_type(extension: &str) -> Option<&'static str> {
    match extension {
        "webp" => Some("image/webp"),
        "png" => Some("image/png"),
        _ => None,
    }
}

/// The picture in `bytes`, by their content whatever they are called. Errors: [`Error::Invalid`] at `avatar`.
/// Cost: 1 decoding off the async threads: at most 8,000 pixels a side, 32 million in all, some 300 MB for the worst.
pub async fn make(bytes: Vec<u8>) -> Result<Picture> {
    if bytes.is_empty() {
        return Err(refused(msgid!("Choose a picture first.")));
    }
    let permit = PERMITS.clone().acquire_owned().await.map_err(Error::internal)?;
    let language = i18n::current();
    let made = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        i18n::said_in(language, || shrink(&bytes))
    });
    // A decoder that panics over what a stranger sent has not failed us.
    made.await.unwrap_or_else(|_| Err(refused(UNREADABLE)))
}

fn refused(why: &'static str) -> Error {
    Error::field("avatar", gettext(why))
}

fn unreadable(_: image::ImageError) -> Error {
    refused(UNREADABLE)
}

fn shrink(bytes: &[u8]) -> Result<Picture> {
    let format = image::guess_format(bytes).map_err(unreadable)?;
    let (image, orientation) = picture::decode(Cursor::new(bytes), format).map_err(|fault| match fault {
        Fault::TooLarge => {
            refused(msgid!("This picture has too many pixels: at most 8,000 a side and 32 million in all."))
        }
        Fault::Unreadable => refused(UNREADABLE),
    })?;
    let mut square = DynamicImage::ImageRgba8(centre(&image));
    drop(image);
    if is_animated(format, bytes).map_err(unreadable)? {
        return Err(refused(ANIMATED));
    }
    square.apply_orientation(orientation);
    let Encoded { bytes, format } = picture::encode(square).map_err(Error::internal)?;
    Ok(Picture { bytes, extension: if format == ImageFormat::Png { "png" } else { "webp" } })
}

/// The largest square in the middle, at our size.
fn centre(image: &DynamicImage) -> RgbaImage {
    let (width, height) = image.dimensions();
    let side = width.min(height);
    let square = imageops::crop_imm(image, (width - side) / 2, (height - side) / 2, side, side);
    picture::resize(&*square, SIDE, SIDE)
}

fn is_animated(format: ImageFormat, bytes: &[u8]) -> ImageResult<bool> {
    let bytes = Cursor::new(bytes);
    match format {
        ImageFormat::Png => PngDecoder::with_limits(bytes, picture::limits())?.is_apng(),
        ImageFormat::WebP => Ok(WebPDecoder::new(bytes)?.has_animation()),
        ImageFormat::Gif => {
            let mut decoder = GifDecoder::new(bytes)?;
            decoder.set_limits(picture::limits())?;
            Ok(decoder.into_frames().take(2).filter(Result::is_ok).count() > 1)
        }
        _ => Ok(false),
    }
}
