//! Synthetic digits: generated, handwriting-like, 28 × 28 bytes, ten classes; for machines without data or network.
//!
//! They have the shape of MNIST and about its density of ink (19 % of the pixels), several styles a class, and poses
//! that vary enough for a linear readout on pixels to fail often where a good set of features does not. They are not
//! MNIST: an error on them says nothing about the error there, and every place that shows one must say which it is.
//!
//! The random bits are passed in, and only operations that round alike everywhere are used (see `draw`), so the bytes
//! depend on nothing but those bits.

mod draw;
mod strokes;

#[cfg(feature = "download")]
pub use whole::{STANDARD_SHA256, STANDARD_TEST, STANDARD_TRAIN, dataset, standard};

use draw::{Canvas, Chance};

/// Rows, and pixels in a row.
pub const SIDE: usize = 28;
/// Pixels of a digit.
pub const INPUTS: usize = SIDE * SIDE;
/// Number of classes.
pub const CLASSES: usize = 10;

/// Generated digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digits {
    /// The pixels, `[samples, 28, 28]`; 0 is paper.
    pub images: Vec<u8>,
    /// The class of each digit, drawn at random like everything else.
    pub labels: Vec<u8>,
}

/// Generates digits; the first of many are the same as those of few.
///
/// # Allocates
/// The result.
///
/// # Example
/// ```
/// use rivalry_data::synthetic;
/// let mut state = 7_u64;
/// let digits = synthetic::digits(100, &mut || synthetic::split_mix(&mut state));
/// let ink = digits.images.iter().filter(|&&pixel| pixel > 0).count();
/// assert!((0.15..0.23).contains(&(ink as f64 / digits.images.len() as f64)));
/// ```
#[must_use]
pub fn digits(samples: usize, bits: &mut dyn FnMut() -> u64) -> Digits {
    let mut digits = Digits { images: Vec::with_capacity(samples * INPUTS), labels: Vec::with_capacity(samples) };
    let (mut canvas, mut chance) = (Canvas::new(), Chance { bits });
    for _ in 0..samples {
        let class = chance.below(CLASSES);
        canvas.digit(class, &mut chance, &mut digits.images);
        digits.labels.push(class as u8);
    }
    digits
}

/// One step of SplitMix64: random bits good enough for drawing, where no generator is at hand.
///
/// Source: Steele, Lea, Flood: Fast splittable pseudorandom number generators (2014).
///
/// # Example
/// ```
/// let mut state = 0;
/// assert_eq!(rivalry_data::synthetic::split_mix(&mut state), 0xe220_a839_7b1d_cdaf);
/// ```
#[must_use]
pub fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut bits = *state;
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

#[cfg(feature = "download")]
mod whole {
    use std::path::Path;
    use std::sync::Arc;

    use super::{CLASSES, Digits, INPUTS, SIDE, digits, split_mix};
    use crate::dataset::{Dataset, Shape, Source, Split, Storage, sha256};

    /// Training samples of [`standard`].
    pub const STANDARD_TRAIN: usize = 60_000;
    /// Test samples of [`standard`].
    pub const STANDARD_TEST: usize = 10_000;
    /// [`Dataset::sha256`] of [`standard`]; it changes only with a new version of the digits.
    pub const STANDARD_SHA256: &str = "1795976a81af5745b8b3e99b15d1460049c3050ad48de3d0f3296bfdbb52a9a2";

    /// Generates a data set; the training digits first, then those of the test.
    ///
    /// # Panics
    /// Where `train` or `test` is 0: a split has samples.
    ///
    /// # Allocates
    /// The result.
    #[must_use]
    pub fn dataset(train: usize, test: usize, bits: &mut dyn FnMut() -> u64) -> Dataset {
        assert!(train > 0 && test > 0, "a split has samples");
        let mut split = |samples| {
            let Digits { images, labels } = digits(samples, bits);
            let source = Source { split: "synthetic labels", directory: Path::new("generated") };
            Split::new(Storage::Bytes { bytes: Arc::new(images), start: 0 }, INPUTS, labels, source)
                .expect("every digit has its label")
        };
        let (train, test) = (split(train), split(test));
        let sha256 = sha256(&train, &test);
        let shape = Shape { height: SIDE, width: SIDE, channels: 1 };
        Dataset { name: "synthetic".into(), train, test, classes: CLASSES, shape, sha256 }
    }

    /// The synthetic digits that [`crate::open`] gives: 60 000 + 10 000, the same on every machine and in every run,
    /// from SplitMix64 started at 0.
    ///
    /// # Allocates
    /// The result, about 55 MB.
    #[must_use]
    pub fn standard() -> Dataset {
        let mut state = 0;
        dataset(STANDARD_TRAIN, STANDARD_TEST, &mut || split_mix(&mut state))
    }
}
