//! A data set ready for learning: training and test samples, each a borrowed `[samples, inputs]` array with labels.
//!
//! Pixels that a file already stores that way (IDX, npy of bytes) stay in the memory map. CIFAR records are copied
//! once, because the labels lie between the images; f32 arrays are copied once, because a file guarantees no alignment.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::content::{Content, Digest};
use crate::error::{Error, Result};

/// A data set: training and test samples of one shape.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// `mnist`, `cifar10`, `synthetic`, or the path of a user's own data.
    pub name: String,
    /// The samples to learn from.
    pub train: Split,
    /// The samples to be judged on; none where the data has no labels.
    pub test: Split,
    /// Number of classes; every label is below it. 0 where the data has no labels.
    pub classes: usize,
    /// How the inputs of a sample form an image.
    pub shape: Shape,
    /// SHA-256 over the training values, training labels, test values and test labels, in this order: the bytes of
    /// [`Split::values`] (f32 as little-endian) and of [`Split::labels`], without any header. The same samples have
    /// the same digest in every file format.
    pub sha256: String,
}

impl Dataset {
    /// Puts training and test samples together and computes their digest.
    ///
    /// # Errors
    /// [`Error::Mismatch`] where the two differ in shape or type.
    pub(crate) fn new(
        name: String,
        [(train, shape), (test, test_shape)]: [(Split, Shape); 2],
        classes: usize,
        directory: &Path,
    ) -> Result<Self> {
        check_alike([(&train, shape), (&test, test_shape)], directory)?;
        let sha256 = sha256(&train, &test);
        Ok(Self { name, train, test, classes, shape, sha256 })
    }
}

/// How the inputs of a sample form an image; the product of the sizes is the number of inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Rows; 1 where the inputs are no image.
    pub height: usize,
    /// Pixels in a row.
    pub width: usize,
    /// Values of a pixel: 1 for grey, 3 for red, green, blue.
    pub channels: usize,
    /// The order of the values.
    pub order: Order,
}

/// The order of the values of an image with several channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// One plane for each channel, `[channels, height, width]`, as CIFAR-10 stores images.
    #[default]
    Planes,
    /// The channels of a pixel side by side, `[height, width, channels]`, as image libraries store images.
    Pixels,
}

impl Shape {
    /// The shape of grey images, or of `[1, inputs]` where the inputs are no image.
    #[must_use]
    pub fn grey(height: usize, width: usize) -> Self {
        Self { height, width, channels: 1, order: Order::Planes }
    }

    /// Number of inputs of a sample.
    #[must_use]
    pub fn inputs(self) -> usize {
        self.height * self.width * self.channels
    }
}

/// `28 × 28`, or `32 × 32 × 3`.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (*self, self.order) {
            (Self { height, width, channels: 1, .. }, _) => write!(f, "{height} × {width}"),
            (Self { height, width, channels, .. }, Order::Pixels) => write!(f, "{height} × {width} × {channels}"),
            (Self { height, width, channels, .. }, Order::Planes) => write!(f, "{channels} × {height} × {width}"),
        }
    }
}

/// Some samples and their labels.
#[derive(Clone, Debug)]
pub struct Split {
    values: Storage,
    labels: Arc<[u8]>,
    samples: usize,
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

impl Values<'_> {
    /// Number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::U8(values) => values.len(),
            Self::F32(values) => values.len(),
        }
    }

    /// True where there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Where values live; cloning shares them.
#[derive(Clone, Debug)]
pub(crate) enum Storage {
    /// The bytes of a file from `start` to its end.
    Bytes { content: Content, start: usize },
    /// Converted numbers.
    F32(Arc<Vec<f32>>),
}

impl Storage {
    /// The last `length` bytes of a file.
    pub(crate) fn end(content: &Content, length: usize) -> Self {
        Self::Bytes { content: content.clone(), start: content.bytes().len() - length }
    }

    pub(crate) fn values(&self) -> Values<'_> {
        match self {
            Self::Bytes { content, start } => Values::U8(&content.bytes()[*start..]),
            Self::F32(numbers) => Values::F32(numbers),
        }
    }
}

impl Split {
    /// Puts samples and labels together; `name` is `training` or `test`.
    ///
    /// # Errors
    /// [`Error::Mismatch`] where there are not as many labels as images.
    pub(crate) fn labelled(
        values: Storage,
        inputs: usize,
        labels: Vec<u8>,
        name: &str,
        directory: &Path,
    ) -> Result<Self> {
        let samples = values.values().len() / inputs;
        if samples != labels.len() {
            let problem = format!("{samples} {name} images, but {} {name} labels", labels.len());
            return Err(Error::Mismatch { problem, directory: directory.to_path_buf() });
        }
        Ok(Self { values, labels: labels.into(), samples, inputs })
    }

    /// Samples without labels.
    pub(crate) fn unlabelled(values: Storage, inputs: usize) -> Self {
        let samples = values.values().len() / inputs;
        Self { values, labels: Arc::new([]), samples, inputs }
    }

    /// Number of samples.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Number of inputs of a sample, at least 1.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The inputs of all samples, `[samples, inputs]`, contiguous, each sample in the order of [`Dataset::shape`].
    #[must_use]
    pub fn values(&self) -> Values<'_> {
        self.values.values()
    }

    /// The class of every sample; empty where the data has no labels.
    #[must_use]
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    fn add_to(&self, digest: &mut Digest) {
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

/// The digest of [`Dataset::sha256`].
pub(crate) fn sha256(train: &Split, test: &Split) -> String {
    let mut digest = Digest::new();
    train.add_to(&mut digest);
    test.add_to(&mut digest);
    digest.hex()
}

/// Checks that test images have the shape and type of the training images.
pub(crate) fn check_alike([train, test]: [(&Split, Shape); 2], directory: &Path) -> Result<()> {
    let text = |(split, shape): (&Split, Shape)| match split.values() {
        Values::U8(_) => format!("{shape} u8"),
        Values::F32(_) => format!("{shape} f32"),
    };
    let (train, test) = (text(train), text(test));
    if train == test {
        return Ok(());
    }
    let problem = format!("training images of {train}, but test images of {test}");
    Err(Error::Mismatch { problem, directory: directory.to_path_buf() })
}
