//! The IDX format of MNIST, read from bytes and written to bytes.
//!
//! A file is a big-endian header and then the elements, last dimension fastest:
//!
//! ```text
//! images  00 00 08 03 | samples | height | width | samples·height·width bytes, 0 = background, 255 = ink
//! labels  00 00 08 01 | samples | samples bytes
//! ```
//!
//! The third byte of the magic number says unsigned bytes, the fourth the number of dimensions; every size is a
//! `u32`. Three `u32` can multiply to more than `usize` holds, so the product is checked before anything is sliced. The
//! length must be exact: a file that is one byte short or long is refused.

use crate::error::{Error, Fault, Result, dimensions};

/// Magic number of image files: unsigned bytes, three dimensions.
pub const IMAGES_MAGIC: u32 = 0x0000_0803;
/// Magic number of label files: unsigned bytes, one dimension.
pub const LABELS_MAGIC: u32 = 0x0000_0801;

/// Images in borrowed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Idx<'a> {
    /// Number of images, at least 1.
    pub samples: usize,
    /// Rows of an image, at least 1.
    pub height: usize,
    /// Pixels in a row, at least 1.
    pub width: usize,
    /// The pixels, `[samples, height, width]`.
    pub pixels: &'a [u8],
}

/// Reads an image file.
///
/// # Errors
/// [`Error::Malformed`] with [`Fault::Header`], [`Fault::Magic`], [`Fault::TooLarge`], [`Fault::Empty`] or
/// [`Fault::Length`].
///
/// # Allocates
/// Nothing; the pixels are borrowed.
///
/// # Example
/// ```
/// let bytes = rivalry_data::idx::encode_images(2, 1, 3, &[0, 1, 2, 3, 4, 5]);
/// let images = rivalry_data::idx::images(&bytes)?;
/// assert_eq!((images.samples, images.height, images.width), (2, 1, 3));
/// assert_eq!(images.pixels, [0, 1, 2, 3, 4, 5]);
/// # Ok::<(), rivalry_data::Error>(())
/// ```
pub fn images(bytes: &[u8]) -> Result<Idx<'_>> {
    let ([samples, height, width], pixels) = parse("IDX images", IMAGES_MAGIC, bytes)?;
    Ok(Idx { samples, height, width, pixels })
}

/// Reads a label file; whether the labels are classes is for the caller to check, with [`check_labels`].
///
/// # Errors
/// As for [`images`].
///
/// # Allocates
/// Nothing; the labels are borrowed.
///
/// # Example
/// ```
/// let bytes = rivalry_data::idx::encode_labels(&[7, 2, 1]);
/// assert_eq!(rivalry_data::idx::labels(&bytes)?, [7, 2, 1]);
/// # Ok::<(), rivalry_data::Error>(())
/// ```
pub fn labels(bytes: &[u8]) -> Result<&[u8]> {
    let ([_samples], labels) = parse("IDX labels", LABELS_MAGIC, bytes)?;
    Ok(labels)
}

/// Checks that every label is below `classes`.
///
/// # Errors
/// [`Error::Malformed`] with [`Fault::Label`] for the first that is not.
pub fn check_labels(labels: &[u8], classes: usize) -> Result<()> {
    match labels.iter().position(|&label| usize::from(label) >= classes) {
        None => Ok(()),
        Some(sample) => {
            let label = i64::from(labels[sample]);
            Err(Error::malformed("labels", Fault::Label { classes, label, sample }))
        }
    }
}

/// Writes an image file.
///
/// # Panics
/// Where a size does not fit a `u32`, or the pixels are not `samples · height · width`.
///
/// # Allocates
/// The file.
#[must_use]
pub fn encode_images(samples: usize, height: usize, width: usize, pixels: &[u8]) -> Vec<u8> {
    encode(IMAGES_MAGIC, &[samples, height, width], pixels)
}

/// Writes a label file.
///
/// # Panics
/// Where there are more labels than fit a `u32`.
///
/// # Allocates
/// The file.
#[must_use]
pub fn encode_labels(labels: &[u8]) -> Vec<u8> {
    encode(LABELS_MAGIC, &[labels.len()], labels)
}

/// The length a whole file must have, from its first bytes; `None` where they are no header of either kind.
///
/// Used before a compressed file is unpacked, so that it is never unpacked beyond this.
#[must_use]
pub fn whole_length(start: &[u8]) -> Option<usize> {
    let rank = match word(start, 0)? {
        IMAGES_MAGIC => 3,
        LABELS_MAGIC => 1,
        _ => return None,
    };
    let mut length = 1_usize;
    for axis in 0..rank {
        length = length.checked_mul(usize::try_from(word(start, axis + 1)?).ok()?)?;
    }
    length.checked_add(4 + 4 * rank)
}

fn word(bytes: &[u8], index: usize) -> Option<u32> {
    let word = bytes.get(index * 4..index * 4 + 4)?;
    Some(u32::from_be_bytes(word.try_into().ok()?))
}

fn parse<'a, const RANK: usize>(what: &'static str, magic: u32, bytes: &'a [u8]) -> Result<([usize; RANK], &'a [u8])> {
    let fail = |fault| Error::malformed(what, fault);
    // The magic number first, so that a short file of another kind is reported as such.
    if let Some(found) = word(bytes, 0)
        && found != magic
    {
        return Err(fail(Fault::Magic { expected: format!("0x{magic:08x}"), found: format!("0x{found:08x}") }));
    }
    let header = 4 + 4 * RANK;
    let Some(elements) = bytes.get(header..) else {
        return Err(fail(Fault::Header { expected: header, found: bytes.len() }));
    };
    let mut words = [0_u32; RANK];
    for (axis, size) in words.iter_mut().enumerate() {
        *size = word(bytes, axis + 1).expect("the header is whole");
    }
    let mut sizes = [0_usize; RANK];
    let mut length = 1_usize;
    for (size, &word) in sizes.iter_mut().zip(&words) {
        *size = usize::try_from(word).map_err(|_| fail(Fault::TooLarge { dimensions: dimensions(&words) }))?;
        length = length.checked_mul(*size).ok_or_else(|| fail(Fault::TooLarge { dimensions: dimensions(&words) }))?;
    }
    if length == 0 {
        return Err(fail(Fault::Empty { dimensions: dimensions(&words) }));
    }
    let expected =
        length.checked_add(header).ok_or_else(|| fail(Fault::TooLarge { dimensions: dimensions(&words) }))?;
    if elements.len() != length {
        return Err(fail(Fault::Length { expected, found: bytes.len() }));
    }
    Ok((sizes, elements))
}

fn encode(magic: u32, sizes: &[usize], elements: &[u8]) -> Vec<u8> {
    assert_eq!(sizes.iter().product::<usize>(), elements.len(), "elements do not fill the dimensions");
    let mut bytes = Vec::with_capacity(4 + 4 * sizes.len() + elements.len());
    bytes.extend(magic.to_be_bytes());
    for &size in sizes {
        bytes.extend(u32::try_from(size).expect("idx sizes are u32").to_be_bytes());
    }
    bytes.extend(elements);
    bytes
}
