//! A picture made of what somebody uploaded. Bytes of strangers are decoded within limits, on threads for blocking
//! work, two at once; what comes out holds pixels and nothing else: no place, no camera, no name.

use std::io::Cursor;
use std::sync::{Arc, LazyLock};

use image::codecs::gif::GifDecoder;
use image::codecs::png::{PngDecoder, PngEncoder};
use image::codecs::webp::{WebPDecoder, WebPEncoder};
use image::imageops::{self, FilterType};
use image::{
    AnimationDecoder, DynamicImage, ExtendedColorType, GenericImageView, ImageDecoder, ImageEncoder, ImageFormat,
    ImageReader, ImageResult, Limits, RgbaImage,
};
use tokio::sync::Semaphore;

use crate::error::{Error, Result};

/// Pixels a side of what is kept.
const SIDE: u32 = 256;
const LONGEST_SIDE: u32 = 8000;
/// With [`MOST_MEMORY`], what a decoder may take: a file of a few kilobytes can claim to be any size.
const MOST_PIXELS: u64 = 32_000_000;
const MOST_MEMORY: u64 = MOST_PIXELS * 4 + 8 * 1024 * 1024;

const UNREADABLE: &str = "This picture can't be read. Use a PNG, JPEG, WebP or GIF file.";
const ANIMATED: &str = "Moving pictures can't be used here. Choose one that stands still.";

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
        return Err(refused("Choose a picture first."));
    }
    let permit = PERMITS.clone().acquire_owned().await.map_err(Error::internal)?;
    let made = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        shrink(&bytes)
    });
    // A decoder that panics over what a stranger sent has not failed us.
    made.await.unwrap_or_else(|_| Err(refused(UNREADABLE)))
}

fn refused(why: impl Into<String>) -> Error {
    Error::field("avatar", why)
}

fn unreadable(_: image::ImageError) -> Error {
    refused(UNREADABLE)
}

fn shrink(bytes: &[u8]) -> Result<Picture> {
    let format = image::guess_format(bytes).map_err(unreadable)?;
    if !matches!(format, ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP | ImageFormat::Gif) {
        return Err(refused(UNREADABLE));
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits());
    let mut decoder = reader.into_decoder().map_err(too_large_or_unreadable)?;
    check_size(decoder.dimensions())?;
    let orientation = decoder.orientation().map_err(unreadable)?;
    let image = DynamicImage::from_decoder(decoder).map_err(too_large_or_unreadable)?;
    let mut square = DynamicImage::ImageRgba8(centre(&image));
    drop(image);
    if is_animated(format, bytes).map_err(unreadable)? {
        return Err(refused(ANIMATED));
    }
    square.apply_orientation(orientation);
    encode(square).map_err(Error::internal)
}

fn limits() -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_image_width = Some(LONGEST_SIDE);
    limits.max_image_height = Some(LONGEST_SIDE);
    limits.max_alloc = Some(MOST_MEMORY);
    limits
}

fn check_size((width, height): (u32, u32)) -> Result<()> {
    if width == 0 || height == 0 {
        return Err(refused(UNREADABLE));
    }
    let is_too_large = width.max(height) > LONGEST_SIDE || u64::from(width) * u64::from(height) > MOST_PIXELS;
    if is_too_large { Err(too_large()) } else { Ok(()) }
}

fn too_large() -> Error {
    refused("This picture has too many pixels: at most 8,000 a side and 32 million in all.")
}

fn too_large_or_unreadable(error: image::ImageError) -> Error {
    if matches!(error, image::ImageError::Limits(_)) { too_large() } else { unreadable(error) }
}

/// The largest square in the middle, at our size. It looks at the image where it is: another copy of that could be large.
fn centre(image: &DynamicImage) -> RgbaImage {
    let (width, height) = image.dimensions();
    let side = width.min(height);
    let square = imageops::crop_imm(image, (width - side) / 2, (height - side) / 2, side, side);
    if side <= SIDE * 4 {
        return imageops::resize(&*square, SIDE, SIDE, FilterType::CatmullRom);
    }
    // In two steps, the first of them rough and quick.
    let rough = imageops::thumbnail(&*square, SIDE * 2, SIDE * 2);
    imageops::resize(&rough, SIDE, SIDE, FilterType::CatmullRom)
}

fn is_animated(format: ImageFormat, bytes: &[u8]) -> ImageResult<bool> {
    let bytes = Cursor::new(bytes);
    match format {
        ImageFormat::Png => PngDecoder::with_limits(bytes, limits())?.is_apng(),
        ImageFormat::WebP => Ok(WebPDecoder::new(bytes)?.has_animation()),
        ImageFormat::Gif => {
            let mut decoder = GifDecoder::new(bytes)?;
            decoder.set_limits(limits())?;
            Ok(decoder.into_frames().take(2).filter(Result::is_ok).count() > 1)
        }
        _ => Ok(false),
    }
}

/// Without loss, in whichever form is smaller.
fn encode(square: DynamicImage) -> ImageResult<Picture> {
    let is_opaque = square.as_rgba8().is_some_and(|rgba| rgba.pixels().all(|pixel| pixel.0[3] == u8::MAX));
    let (pixels, colour) = if is_opaque {
        (square.into_rgb8().into_raw(), ExtendedColorType::Rgb8)
    } else {
        (square.into_rgba8().into_raw(), ExtendedColorType::Rgba8)
    };
    let (mut webp, mut png) = (Vec::new(), Vec::new());
    WebPEncoder::new_lossless(&mut webp).write_image(&pixels, SIDE, SIDE, colour)?;
    PngEncoder::new(&mut png).write_image(&pixels, SIDE, SIDE, colour)?;
    Ok(if png.len() < webp.len() {
        Picture { bytes: png, extension: "png" }
    } else {
        Picture { bytes: webp, extension: "webp" }
    })
}
