//! A data set ready for learning: two splits of samples, each a borrowed `[samples, inputs]` array and its labels.
//!
//! Where the pixels of a file are already laid out that way (IDX, npy of bytes) they stay in the memory map; CIFAR
//! records are copied once to take the labels out of between the images, and f32 arrays are copied once because a file
//! gives no alignment.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::map::Map;

/// A data set: training and test samples of one shape.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// `mnist`, `cifar10`, `synthetic`, or the directory of a user's own data.
    pub name: String,
    /// The samples to learn from.
    pub train: Split,
    /// The samples to be judged on.
    pub test: Split,
    /// Number of classes; every label is below it.
    pub classes: usize,
    /// How the inputs of a sample form an image.
    pub shape: Shape,
    /// SHA-256 over the training values, training labels, test values and test labels, in this order: the bytes of
    /// [`Split::values`] (f32 as little-endian) and of [`Split::labels`], without any header. The same samples have
    /// the same digest whatever file format they came in.
    pub sha256: String,
}

/// How the inputs of a sample form an image; their product is the number of inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Rows; 1 where the inputs are no image.
    pub height: usize,
    /// Pixels in a row.
    pub width: usize,
    /// Planes, one after the other: 1, or 3 for red, green, blue.
    pub channels: usize,
}

impl Shape {
    /// Number of inputs of a sample.
    #[must_use]
    pub fn inputs(self) -> usize {
        self.height * self.width * self.channels
    }
}

/// Some samples and their labels.
#[derive(Clone, Debug)]
pub struct Split {
    values: Storage,
    labels: Arc<[u8]>,
    inputs: usize,
}

/// The inputs of a split, `[samples, inputs]`, contiguous.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Values<'a> {
    /// Bytes, 0 to 255: meant to be scaled by 1/255.
    U8(&'a [u8]),
    /// Numbers as they are, all finite.
    F32(&'a [f32]),
}

/// Where values live; cloning shares them.
#[derive(Clone, Debug)]
pub(crate) enum Storage {
    /// The end of a mapped file, from this byte on.
    Mapped { map: Arc<Map>, start: usize },
    /// The end of an unpacked file in memory, from this byte on.
    Bytes { bytes: Arc<Vec<u8>>, start: usize },
    /// Converted numbers.
    F32(Arc<Vec<f32>>),
}

impl Storage {
    fn values(&self) -> Values<'_> {
        match self {
            Self::Mapped { map, start } => Values::U8(&map[*start..]),
            Self::Bytes { bytes, start } => Values::U8(&bytes[*start..]),
            Self::F32(numbers) => Values::F32(numbers),
        }
    }
}

impl Values<'_> {
    /// Number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::U8(values) => values.len(),
            Self::F32(values) => values.len(),
        }
    }

    /// True where there are none, which is never so in a [`Dataset`].
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Split {
    /// Number of samples, at least 1.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.labels.len()
    }

    /// Number of inputs of a sample, at least 1.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The inputs of all samples, `[samples, inputs]`, contiguous. Those of CIFAR-10 are the red, green and blue
    /// planes in file order.
    #[must_use]
    pub fn values(&self) -> Values<'_> {
        self.values.values()
    }

    /// The class of every sample.
    #[must_use]
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// Puts samples and labels together.
    ///
    /// # Errors
    /// [`Error::Mismatch`] where there are not as many labels as images.
    pub(crate) fn new(values: Storage, inputs: usize, labels: Vec<u8>, what: Source<'_>) -> Result<Self> {
        let samples = values.values().len() / inputs;
        if samples != labels.len() {
            return Err(Error::Mismatch {
                what: what.split,
                directory: what.directory.to_path_buf(),
                expected: format!("a label for each of {samples} images"),
                found: format!("{} labels", labels.len()),
            });
        }
        Ok(Self { values, labels: labels.into(), inputs })
    }

    pub(crate) fn add_to(&self, digest: &mut Digest) {
        match self.values() {
            Values::U8(values) => digest.update(values),
            Values::F32(values) => {
                // In pieces: the bytes of all numbers at once would be a second copy of them.
                for piece in values.chunks(4096) {
                    let bytes: Vec<u8> = piece.iter().flat_map(|value| value.to_le_bytes()).collect();
                    digest.update(&bytes);
                }
            }
        }
        digest.update(self.labels());
    }
}

/// What a split is called and where it came from, for errors.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) split: &'static str,
    pub(crate) directory: &'a Path,
}

/// The digest of [`Dataset::sha256`].
pub(crate) fn sha256(train: &Split, test: &Split) -> String {
    let mut digest = Digest::new();
    train.add_to(&mut digest);
    test.add_to(&mut digest);
    digest.hex()
}

/// The bytes of a file: mapped, or unpacked into memory where there was no place to keep them.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Mapped { map: Arc<Map>, path: PathBuf },
    Bytes { bytes: Arc<Vec<u8>>, path: PathBuf },
}

impl Content {
    pub(crate) fn map(path: &Path) -> Result<Self> {
        Ok(Self::Mapped { map: Arc::new(Map::open(path)?), path: path.to_path_buf() })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Mapped { map, .. } => map,
            Self::Bytes { bytes, .. } => bytes,
        }
    }

    /// The file, or the archive it was unpacked from.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Mapped { path, .. } | Self::Bytes { path, .. } => path,
        }
    }

    /// The last `length` bytes, as the values of a split.
    pub(crate) fn end(&self, length: usize) -> Storage {
        let start = self.bytes().len() - length;
        match self {
            Self::Mapped { map, .. } => Storage::Mapped { map: map.clone(), start },
            Self::Bytes { bytes, .. } => Storage::Bytes { bytes: bytes.clone(), start },
        }
    }
}
