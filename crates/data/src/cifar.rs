//! The binary form of CIFAR-10, read from bytes.
//!
//! A file is a sequence of records of 3073 bytes: the label, then 32 × 32 bytes of red, of green and of blue, each
//! plane by rows. There is no header, so only the length gives the number of records, and only the digest of the
//! catalog proves that none is missing.

use crate::error::{Error, Fault, Result};

/// Rows, and pixels in a row.
pub const SIDE: usize = 32;
/// Colour planes: red, green, blue.
pub const CHANNELS: usize = 3;
/// Bytes of one image: its planes in file order.
pub const INPUTS: usize = CHANNELS * SIDE * SIDE;
/// Bytes of one record: a label and an image.
pub const RECORD: usize = 1 + INPUTS;
/// Classes of CIFAR-10.
pub const CLASSES: usize = 10;

/// Records in borrowed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Records<'a> {
    bytes: &'a [u8],
}

/// Reads a file of records.
///
/// # Errors
/// [`Error::Malformed`] with [`Fault::Empty`], [`Fault::Record`] (the length is not a multiple of a record) or [`Fault::Label`].
///
/// # Allocates
/// Nothing; the records are borrowed.
///
/// # Example
/// ```
/// use rivalry_data::cifar;
/// let mut bytes = vec![0; 2 * cifar::RECORD];
/// bytes[cifar::RECORD] = 9; // the label of the second
/// let records = cifar::records(&bytes)?;
/// assert_eq!(records.samples(), 2);
/// assert_eq!(records.labels().collect::<Vec<_>>(), [0, 9]);
/// assert_eq!(records.images().next().unwrap().len(), cifar::INPUTS);
/// # Ok::<(), rivalry_data::Error>(())
/// ```
pub fn records(bytes: &[u8]) -> Result<Records<'_>> {
    let fail = |fault| Error::malformed("CIFAR-10 records", fault);
    if bytes.is_empty() {
        return Err(fail(Fault::Empty { dimensions: format!("0 × {INPUTS}") }));
    }
    if !bytes.len().is_multiple_of(RECORD) {
        return Err(fail(Fault::Record { record: RECORD, found: bytes.len() }));
    }
    let records = Records { bytes };
    match records.labels().position(|label| usize::from(label) >= CLASSES) {
        None => Ok(records),
        Some(sample) => {
            let label = i64::from(bytes[sample * RECORD]);
            Err(fail(Fault::Label { classes: CLASSES, label, sample }))
        }
    }
}

impl<'a> Records<'a> {
    /// Number of records, at least 1.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.bytes.len() / RECORD
    }

    /// The labels in file order, each below [`CLASSES`].
    pub fn labels(&self) -> impl Iterator<Item = u8> + use<'a> {
        self.bytes.chunks_exact(RECORD).map(|record| record[0])
    }

    /// The images in file order, [`INPUTS`] bytes each: the red plane, then green, then blue.
    pub fn images(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.bytes.chunks_exact(RECORD).map(|record| &record[1..])
    }
}
