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
//! Elements are unsigned bytes or little-endian i4, i8, f4 or f8, in row-major order, of any rank. Bytes are borrowed; all
//! other types are converted element by element, because the elements may start at any address.
//!
//! Any program may have written the header, so the order of its keys, spaces, the kind of quotes and a last comma are
//! free. A key that is missing, unknown or given twice is refused.
//!
//! Source: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.

use std::fmt;

use crate::error::{Error, Fault, Result, dimensions};

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// What reading a part of a file gives; [`parse`] turns a fault into an error.
type Parsed<T> = std::result::Result<T, Fault>;

/// NumPy pads the header to a multiple of this, so that the elements of a mapped file are aligned.
const ALIGNMENT: usize = 64;

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

    /// The name of the type in a header.
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

/// An array in borrowed bytes.
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
    Error::malformed("an npy array", fault)
}

fn parse_parts(bytes: &[u8]) -> Parsed<Npy<'_>> {
    let (header, data) = parse_header(bytes)?;
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
    let mut bytes = write_header(dtype, shape);
    bytes.reserve_exact(elements * dtype.size());
    bytes
}

/// The content of a header.
struct Header {
    dtype: Dtype,
    shape: Vec<usize>,
}

/// Splits a file into its header and its elements.
fn parse_header(bytes: &[u8]) -> Parsed<(Header, &[u8])> {
    let short = |expected| Fault::Header { expected, found: bytes.len() };
    let magic = bytes.get(..MAGIC.len()).ok_or_else(|| short(MAGIC.len() + 4))?;
    if magic != MAGIC {
        return Err(Fault::Magic { expected: hex(MAGIC), found: hex(magic) });
    }
    let (major, minor) = (*bytes.get(6).ok_or_else(|| short(10))?, *bytes.get(7).ok_or_else(|| short(10))?);
    let start = match (major, minor) {
        (1, 0) => 10,
        (2 | 3, 0) => 12,
        _ => return Err(Fault::Version { found: format!("{major}.{minor}") }),
    };
    let length = bytes.get(8..start).ok_or_else(|| short(start))?;
    let length = length.iter().rev().fold(0_usize, |length, &byte| length << 8 | usize::from(byte));
    let text = bytes.get(start..start + length).ok_or_else(|| short(start + length))?;
    let text = std::str::from_utf8(text)
        .map_err(|_| Fault::Syntax { expected: "a header in text", found: "other bytes".into() })?;
    Ok((Scanner { rest: text }.dictionary()?, &bytes[start + length..]))
}

/// Writes a header of version 1.0, or 2.0 where the shape is too long for that.
fn write_header(dtype: Dtype, shape: &[usize]) -> Vec<u8> {
    let mut sizes: String = shape.iter().map(|size| format!("{size}, ")).collect();
    // Python needs the comma of a tuple of one, and NumPy writes none after the last of several.
    let drop = if shape.len() == 1 { 1 } else { 2 };
    sizes.truncate(sizes.len().saturating_sub(drop));
    let text = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({sizes}), }}");
    let whole = |start: usize| (start + text.len() + 1).next_multiple_of(ALIGNMENT);
    let mut bytes = MAGIC.to_vec();
    let end = match u16::try_from(whole(10) - 10) {
        Ok(length) => {
            bytes.extend([1, 0]);
            bytes.extend(length.to_le_bytes());
            whole(10)
        }
        Err(_) => {
            bytes.extend([2, 0]);
            bytes.extend(u32::try_from(whole(12) - 12).expect("a shape that is in memory").to_le_bytes());
            whole(12)
        }
    };
    bytes.extend(text.bytes());
    bytes.resize(end - 1, b' ');
    bytes.push(b'\n');
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

/// The rest of the header text.
struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    fn dictionary(mut self) -> Parsed<Header> {
        let (mut dtype, mut fortran, mut shape) = (None, None, None);
        self.expect('{', "a dictionary that starts with {")?;
        while !self.eat('}') {
            let key = self.quoted()?;
            self.expect(':', "a colon after a key")?;
            let again = match key {
                "descr" => dtype.replace(self.quoted()?).is_some(),
                "fortran_order" => fortran.replace(self.truth()?).is_some(),
                "shape" => shape.replace(self.tuple()?).is_some(),
                _ => return Err(Fault::Syntax { expected: "keys descr, fortran_order and shape", found: quote(key) }),
            };
            if again {
                return Err(Fault::Syntax { expected: "every key once", found: format!("{} twice", quote(key)) });
            }
            if !self.eat(',') {
                self.expect('}', "a comma or } after a value")?;
                break;
            }
        }
        if !self.rest.trim_matches([' ', '\n', '\r', '\t', '\0']).is_empty() {
            return Err(self.fault("nothing after the dictionary"));
        }
        let none =
            |key: &str| Fault::Syntax { expected: "keys descr, fortran_order and shape", found: format!("no {key}") };
        let dtype = dtype.ok_or_else(|| none("descr"))?;
        let shape = shape.ok_or_else(|| none("shape"))?;
        match fortran.ok_or_else(|| none("fortran_order"))? {
            "False" => Ok(Header { dtype: dtype_of(dtype)?, shape }),
            _ => Err(Fault::FortranOrder),
        }
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\n', '\r', '\t']);
    }

    fn eat(&mut self, wanted: char) -> bool {
        self.skip_space();
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, wanted: char, expected: &'static str) -> Parsed<()> {
        if self.eat(wanted) { Ok(()) } else { Err(self.fault(expected)) }
    }

    fn fault(&self, expected: &'static str) -> Fault {
        let start: String = self.rest.chars().take(20).collect();
        Fault::Syntax { expected, found: if start.is_empty() { "the end of the header".into() } else { quote(&start) } }
    }

    fn quoted(&mut self) -> Parsed<&'a str> {
        self.skip_space();
        let fault = self.fault("text in quotes");
        let mark = self.rest.chars().next().filter(|mark| ['\'', '"'].contains(mark)).ok_or_else(|| fault.clone())?;
        let (text, rest) = self.rest[1..].split_once(mark).ok_or(fault)?;
        self.rest = rest;
        Ok(text)
    }

    fn truth(&mut self) -> Parsed<&'a str> {
        self.skip_space();
        for word in ["False", "True"] {
            if let Some(rest) = self.rest.strip_prefix(word) {
                self.rest = rest;
                return Ok(word);
            }
        }
        Err(self.fault("True or False"))
    }

    fn tuple(&mut self) -> Parsed<Vec<usize>> {
        self.expect('(', "a shape in parentheses")?;
        let mut sizes = Vec::new();
        while !self.eat(')') {
            self.skip_space();
            let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
            let size = self.rest[..end].parse().map_err(|_| self.fault("a size that fits in memory"))?;
            self.rest = &self.rest[end..];
            sizes.push(size);
            if !self.eat(',') {
                self.expect(')', "a comma or ) after a size")?;
                break;
            }
        }
        Ok(sizes)
    }
}

fn dtype_of(text: &str) -> Parsed<Dtype> {
    let all = [Dtype::U8, Dtype::I32, Dtype::I64, Dtype::F32, Dtype::F64];
    // Byte order is meaningless for single bytes.
    if ["<u1", ">u1", "=u1", "u1"].contains(&text) {
        return Ok(Dtype::U8);
    }
    all.into_iter()
        .find(|dtype| dtype.as_str() == text)
        .ok_or_else(|| Fault::Dtype { expected: "|u1, <i4, <i8, <f4 or <f8 (little-endian)", found: quote(text) })
}

fn quote(text: &str) -> String {
    format!("{text:?}")
}
