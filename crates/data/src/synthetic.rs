//! Synthetic digits: generated, handwriting-like, 28 × 28 bytes, ten classes; for machines without data or network.
//!
//! They have the shape of MNIST, about its share of non-zero pixels (19 %), several styles per class, and poses that
//! vary enough for a linear readout on pixels to fail often where good features do not. They are not MNIST: an error on
//! them says nothing about the error on MNIST, and every place that shows one must say which it is.
//!
//! The caller passes the random bits, and only operations that round in the same way everywhere are used (see `draw`),
//! so the bytes depend on these bits only.

mod draw;
mod strokes;

#[cfg(feature = "download")]
pub use whole::{STANDARD_SHA256, STANDARD_TEST, STANDARD_TRAIN, dataset, standard};

use draw::{Canvas, Sampler};

/// Rows, and pixels in a row.
pub const SIDE: usize = 28;
/// Pixels of a digit.
pub const INPUTS: usize = SIDE * SIDE;
/// Number of classes.
pub const CLASSES: usize = 10;

/// Generated digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digits {
    /// The pixels, `[samples, 28, 28]`; 0 is the background.
    pub images: Vec<u8>,
    /// The class of each digit, drawn at random like everything else.
    pub labels: Vec<u8>,
}

/// Generates digits; the first `n` are the same for every number of samples.
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
    let (mut canvas, mut sampler) = (Canvas::new(), Sampler { bits });
    for _ in 0..samples {
        let class = sampler.below(CLASSES);
        canvas.digit(class, &mut sampler, &mut digits.images);
        digits.labels.push(class as u8);
    }
    digits
}

/// One step of SplitMix64, a generator that is good enough for drawing digits.
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

    use super::{CLASSES, Digits, INPUTS, SIDE, digits, split_mix};
    use crate::content::Content;
    use crate::dataset::{Dataset, Shape, Split, Storage};

    /// Training samples of [`standard`].
    pub const STANDARD_TRAIN: usize = 60_000;
    /// Test samples of [`standard`].
    pub const STANDARD_TEST: usize = 10_000;
    /// [`Dataset::sha256`] of [`standard`]; it changes only with a new version of the digits.
    pub const STANDARD_SHA256: &str = "1795976a81af5745b8b3e99b15d1460049c3050ad48de3d0f3296bfdbb52a9a2";

    /// Generates a data set: first the training digits, then the test digits.
    ///
    /// # Panics
    /// Where `train` or `test` is 0.
    ///
    /// # Allocates
    /// The result.
    #[must_use]
    pub fn dataset(train: usize, test: usize, bits: &mut dyn FnMut() -> u64) -> Dataset {
        assert!(train > 0 && test > 0, "both splits need samples");
        let nowhere = Path::new("memory");
        let mut split = |samples| {
            let Digits { images, labels } = digits(samples, bits);
            let values = Storage::Bytes { content: Content::owned(images, nowhere), start: 0 };
            let split = Split::labelled(values, INPUTS, labels, "synthetic", nowhere).expect("every digit has a label");
            (split, Shape::grey(SIDE, SIDE))
        };
        let splits = [split(train), split(test)];
        Dataset::new("synthetic".into(), splits, CLASSES, nowhere).expect("all digits have the same shape")
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

#[cfg(all(test, feature = "download"))]
mod tests {
    use super::*;
    use crate::content::sha256_of;
    use crate::{Lookup, Name, Network, Values, open, verify};

    fn bits(seed: u64) -> impl FnMut() -> u64 {
        let mut state = seed;
        move || split_mix(&mut state)
    }

    /// Pinned: another byte here is another data set, and every number measured on it is void.
    #[test]
    fn the_first_digits_are_pinned() {
        let digits = digits(100, &mut bits(0));
        assert_eq!(sha256_of(&digits.labels), "6385fcc5119ffa9ac8ecf3cc2c2e85cdb54cce580766ab48b1ef9d47b30276bc");
        assert_eq!(sha256_of(&digits.images), "a87a2294e83b8dbca2e1b951c613137fef652086ecbe04e5b907330f09983ab4");
    }

    #[test]
    fn the_standard_set_is_pinned() {
        let data = standard();
        assert_eq!(data.sha256, STANDARD_SHA256);
        assert_eq!((data.train.samples(), data.test.samples(), data.train.inputs()), (60_000, 10_000, 784));
        let lookup = Lookup { directories: vec![], cache: "/nowhere".into(), network: Network::Offline, from: None };
        assert_eq!(open(Name::Synthetic, &lookup, &mut |_| {}).unwrap().sha256, STANDARD_SHA256);
        assert_eq!(verify(Name::Synthetic, &lookup).unwrap()[0].sha256, STANDARD_SHA256);
    }

    #[test]
    fn few_digits_begin_many() {
        let (few, many) = (digits(10, &mut bits(5)), digits(100, &mut bits(5)));
        assert_eq!(few.images, many.images[..10 * INPUTS]);
        assert_eq!(few.labels, many.labels[..10]);
        assert_ne!(few, digits(10, &mut bits(6)));
        assert!(digits(0, &mut bits(0)).images.is_empty());
        let data = dataset(60, 40, &mut bits(5));
        assert_eq!(data.train.values(), Values::U8(&many.images[..60 * INPUTS]));
        assert_eq!(data.test.labels(), &many.labels[60..]);
    }

    #[test]
    fn the_ink_is_that_of_mnist() {
        let digits = digits(10_000, &mut bits(1));
        let ink = digits.images.iter().filter(|&&pixel| pixel > 0).count() as f64 / digits.images.len() as f64;
        assert!((0.18..0.20).contains(&ink), "{ink}");
        for class in 0..CLASSES {
            let count = digits.labels.iter().filter(|&&label| usize::from(label) == class).count();
            assert!((850..1150).contains(&count), "{class}: {count}");
        }
        for (index, digit) in digits.images.chunks(INPUTS).enumerate() {
            let ink = digit.iter().filter(|&&pixel| pixel > 0).count();
            assert!((20..400).contains(&ink), "digit {index} has {ink} pixels of ink");
        }
    }

    /// Whatever the bits are, extreme ones too, a digit is drawn.
    #[test]
    fn extreme_bits_are_drawn() {
        for bits in [0, u64::MAX, 1 << 63, 0x5555_5555_5555_5555] {
            let digits = digits(20, &mut || bits);
            assert_eq!(digits.images.len(), 20 * INPUTS);
            assert!(digits.images.chunks(INPUTS).all(|digit| digit.iter().any(|&pixel| pixel > 100)), "{bits:x}");
        }
    }
}
