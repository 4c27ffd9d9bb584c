//! The synthetic digits: the same bytes everywhere, and about as much ink as MNIST.

use crate::digest::of_bytes;
use crate::synthetic::{CLASSES, INPUTS, STANDARD_SHA256, dataset, digits, split_mix, standard};
use crate::{Lookup, Name, Network, Values, open, verify};

fn bits(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || split_mix(&mut state)
}

/// Pinned: another byte here is another data set, and every number measured on it is void.
#[test]
fn the_first_digits_are_pinned() {
    let digits = digits(100, &mut bits(0));
    assert_eq!(of_bytes(&digits.labels), "6385fcc5119ffa9ac8ecf3cc2c2e85cdb54cce580766ab48b1ef9d47b30276bc");
    assert_eq!(of_bytes(&digits.images), "a87a2294e83b8dbca2e1b951c613137fef652086ecbe04e5b907330f09983ab4");
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
