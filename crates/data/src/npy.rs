//! The npy format of NumPy, read from bytes and written to bytes.
//!
//! A file is a magic number, a version, the length of a header, the header (a Python dictionary in text, padded with
//! spaces to a multiple of 64 bytes) and the elements:
//!
//! ```text
//! 93 'N' 'U' 'M' 'P' 'Y' | major minor | length: u16 (version 1) or u32 (2, 3) |
//! {'descr': '<f4', 'fortran_order': False, 'shape': (2000, 784), } … \n | elements
//! ```
//!
//! Read are unsigned bytes and little-endian i4, i8, f4 and f8, rows first, of any rank. Nothing is promised about the
//! alignment of a file's bytes in memory, so bytes are borrowed and all other types are converted element by element.
//!
//! Source: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.

mod header;

use std::fmt;

use crate::error::{Error, Fault, Result, dimensions};

/// The type of an array's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// `|u1`
    U8,
    /// `<i4`
    I32,
    /// `<i8`
    I64,
    /// `<f4`
    F32,
    /// `<f8`
    F64,
}

impl Dtype {
    /// Bytes of one element.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::I32 | Self::F32 => 4,
            Self::I64 | Self::F64 => 8,
        }
    }

    /// As a header writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::U8 => "|u1",
            Self::I32 => "<i4",
            Self::I64 => "<i8",
            Self::F32 => "<f4",
            Self::F64 => "<f8",
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An array inside somebody's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Npy<'a> {
    shape: Vec<usize>,
    dtype: Dtype,
    data: &'a [u8],
}

/// Reads an array.
///
/// # Errors
/// [`Error::Malformed`] with [`Fault::Magic`], [`Fault::Version`], [`Fault::Header`], [`Fault::Syntax`],
/// [`Fault::Dtype`] (also for big-endian elements), [`Fault::FortranOrder`], [`Fault::TooLarge`] or
/// [`Fault::Length`]. An array without elements is read; whether that makes sense is for the caller to say.
///
/// # Allocates
/// The shape; the elements are borrowed.
///
/// # Example
/// ```
/// use rivalry_data::npy;
/// let bytes = npy::write_f32(&[2, 3], &[0.0, 0.1, 0.2, 1.0, 1.1, 1.2]);
/// let array = npy::parse(&bytes)?;
/// assert_eq!((array.shape(), array.dtype()), ([2, 3].as_slice(), npy::Dtype::F32));
/// assert_eq!(array.to_f32()?, [0.0, 0.1, 0.2, 1.0, 1.1, 1.2]);
/// # Ok::<(), rivalry_data::Error>(())
/// ```
pub fn parse(bytes: &[u8]) -> Result<Npy<'_>> {
    parse_parts(bytes).map_err(malformed)
}

fn malformed(fault: Fault) -> Error {
    Error::malformed("npy array", fault)
}

fn parse_parts(bytes: &[u8]) -> std::result::Result<Npy<'_>, Fault> {
    let (header, data) = header::parse(bytes)?;
    let too_large = || Fault::TooLarge { dimensions: dimensions(&header.shape) };
    let length = header
        .shape
        .iter()
        .try_fold(header.dtype.size(), |length, &size| length.checked_mul(size))
        .ok_or_else(too_large)?;
    let start = bytes.len() - data.len();
    let expected = length.checked_add(start).ok_or_else(too_large)?;
    if data.len() != length {
        return Err(Fault::Length { expected, found: bytes.len() });
    }
    Ok(Npy { shape: header.shape, dtype: header.dtype, data })
}

impl<'a> Npy<'a> {
    /// Sizes, outermost first; none for a single number.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The type of the elements.
    #[must_use]
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.data.len() / self.dtype.size()
    }

    /// True for an array without elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The elements as they lie in the file: little-endian and of any alignment.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.data
    }

    /// The elements of an array of bytes, borrowed; `None` for any other type.
    #[must_use]
    pub fn as_u8(&self) -> Option<&'a [u8]> {
        (self.dtype == Dtype::U8).then_some(self.data)
    }

    /// The elements of an array of floats; f64 is rounded to the nearest f32, which may be infinite.
    ///
    /// # Errors
    /// [`Error::Malformed`] with [`Fault::Dtype`] for integers: whether those are to be scaled is for the caller.
    ///
    /// # Allocates
    /// The result.
    pub fn to_f32(&self) -> Result<Vec<f32>> {
        match self.dtype {
            Dtype::F32 => Ok(self.elements().map(f32::from_le_bytes).collect()),
            #[expect(clippy::cast_possible_truncation, reason = "rounding is what is asked for")]
            Dtype::F64 => Ok(self.elements().map(|bytes| f64::from_le_bytes(bytes) as f32).collect()),
            other => Err(malformed(Fault::Dtype { expected: "<f4 or <f8", found: other.to_string() })),
        }
    }

    /// The elements of an array of floats, exactly.
    ///
    /// # Errors
    /// As for [`Npy::to_f32`].
    ///
    /// # Allocates
    /// The result.
    pub fn to_f64(&self) -> Result<Vec<f64>> {
        match self.dtype {
            Dtype::F32 => Ok(self.elements().map(|bytes| f64::from(f32::from_le_bytes(bytes))).collect()),
            Dtype::F64 => Ok(self.elements().map(f64::from_le_bytes).collect()),
            other => Err(malformed(Fault::Dtype { expected: "<f4 or <f8", found: other.to_string() })),
        }
    }

    /// The elements of an array of integers.
    ///
    /// # Errors
    /// [`Error::Malformed`] with [`Fault::Dtype`] for floats.
    ///
    /// # Allocates
    /// The result.
    pub fn to_i64(&self) -> Result<Vec<i64>> {
        match self.dtype {
            Dtype::U8 => Ok(self.data.iter().map(|&byte| i64::from(byte)).collect()),
            Dtype::I32 => Ok(self.elements().map(|bytes| i64::from(i32::from_le_bytes(bytes))).collect()),
            Dtype::I64 => Ok(self.elements().map(i64::from_le_bytes).collect()),
            other => Err(malformed(Fault::Dtype { expected: "|u1, <i4 or <i8", found: other.to_string() })),
        }
    }

    fn elements<const SIZE: usize>(&self) -> impl Iterator<Item = [u8; SIZE]> + use<'a, SIZE> {
        self.data.as_chunks::<SIZE>().0.iter().copied()
    }
}

/// Writes an array of f32.
///
/// # Panics
/// Where the values do not fill the shape.
///
/// # Allocates
/// The file.
#[must_use]
pub fn write_f32(shape: &[usize], values: &[f32]) -> Vec<u8> {
    let mut bytes = start(Dtype::F32, shape, values.len());
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

/// Writes an array of bytes.
///
/// # Panics
/// Where the values do not fill the shape.
///
/// # Allocates
/// The file.
#[must_use]
pub fn write_u8(shape: &[usize], values: &[u8]) -> Vec<u8> {
    let mut bytes = start(Dtype::U8, shape, values.len());
    bytes.extend(values);
    bytes
}

/// The header of a file, with room for the elements.
fn start(dtype: Dtype, shape: &[usize], elements: usize) -> Vec<u8> {
    assert_eq!(shape.iter().product::<usize>(), elements, "values do not fill the shape {shape:?}");
    let mut bytes = header::write(dtype, shape);
    bytes.reserve_exact(elements * dtype.size());
    bytes
}
