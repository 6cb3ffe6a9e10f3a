//! Pictures that strangers made: decoded within limits, turned upright, made anew without anything but their pixels. A
//! file of a few kilobytes can claim to be any size, so its size is asked before its pixels are. What takes a picture says
//! what becomes of it: `users/avatar/picture.rs`, `attachments/thumbnail.rs`. Everything here blocks.

use std::io::{BufRead, Seek};

use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPEncoder;
use image::imageops::{self, FilterType};
use image::metadata::Orientation;
use image::{
    DynamicImage, ExtendedColorType, GenericImageView, ImageDecoder, ImageEncoder, ImageError, ImageFormat,
    ImageReader, ImageResult, Limits, RgbaImage,
};

/// Pixels a side.
pub const LONGEST_SIDE: u32 = 8000;
pub const MOST_PIXELS: u64 = 32_000_000;
/// What a decoder may take.
const MOST_MEMORY: u64 = MOST_PIXELS * 4 + 8 * 1024 * 1024;

/// Why there is no picture.
#[derive(Debug, PartialEq)]
pub enum Fault {
    /// More pixels than are taken.
    TooLarge,
    /// No picture of the kinds that are taken, or a broken one.
    Unreadable,
}

impl From<ImageError> for Fault {
    fn from(error: ImageError) -> Self {
        if matches!(error, ImageError::Limits(_)) { Self::TooLarge } else { Self::Unreadable }
    }
}

/// Whether a picture of this size is taken.
pub fn fits(width: u64, height: u64) -> bool {
    width.max(height) <= u64::from(LONGEST_SIDE) && width.saturating_mul(height) <= MOST_PIXELS
}

pub fn limits() -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_image_width = Some(LONGEST_SIDE);
    limits.max_image_height = Some(LONGEST_SIDE);
    limits.max_alloc = Some(MOST_MEMORY);
    limits
}

/// The picture, of a moving one the first, as it is stored; and how to turn it upright. `format` is what its bytes begin
/// as. Cost: at most 8,000 pixels a side and 32 million in all, some 300 MB for the worst.
pub fn decode(bytes: impl BufRead + Seek, format: ImageFormat) -> Result<(DynamicImage, Orientation), Fault> {
    if !matches!(format, ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP | ImageFormat::Gif) {
        return Err(Fault::Unreadable);
    }
    let mut reader = ImageReader::with_format(bytes, format);
    reader.limits(limits());
    let mut decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(Fault::Unreadable);
    }
    if !fits(width.into(), height.into()) {
        return Err(Fault::TooLarge);
    }
    let orientation = decoder.orientation()?;
    Ok((DynamicImage::from_decoder(decoder)?, orientation))
}

/// `image` at this size. It looks at the image where it is: another copy of that could be large. A much larger one is
/// brought near in a first step, rough and quick.
pub fn resize(image: &impl GenericImageView<Pixel = image::Rgba<u8>>, width: u32, height: u32) -> RgbaImage {
    let (from_width, from_height) = image.dimensions();
    if from_width <= width * 4 && from_height <= height * 4 {
        return imageops::resize(image, width, height, FilterType::CatmullRom);
    }
    let rough = imageops::thumbnail(image, from_width.min(width * 2), from_height.min(height * 2));
    imageops::resize(&rough, width, height, FilterType::CatmullRom)
}

pub fn is_opaque(image: &DynamicImage) -> bool {
    !image.color().has_alpha() || image.as_rgba8().is_some_and(|rgba| rgba.pixels().all(|pixel| pixel.0[3] == u8::MAX))
}

/// Bytes of an image, and what kind.
#[derive(Debug)]
pub struct Encoded {
    pub bytes: Vec<u8>,
    pub format: ImageFormat,
}

/// Without loss, in whichever form is smaller: WebP or PNG.
pub fn encode(image: DynamicImage) -> ImageResult<Encoded> {
    let (width, height) = image.dimensions();
    let (pixels, colour) = if is_opaque(&image) {
        (image.into_rgb8().into_raw(), ExtendedColorType::Rgb8)
    } else {
        (image.into_rgba8().into_raw(), ExtendedColorType::Rgba8)
    };
    let (mut webp, mut png) = (Vec::new(), Vec::new());
    WebPEncoder::new_lossless(&mut webp).write_image(&pixels, width, height, colour)?;
    PngEncoder::new(&mut png).write_image(&pixels, width, height, colour)?;
    Ok(if png.len() < webp.len() {
        Encoded { bytes: png, format: ImageFormat::Png }
    } else {
        Encoded { bytes: webp, format: ImageFormat::WebP }
    })
}
