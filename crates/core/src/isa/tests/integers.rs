//! The words about whole numbers.

use super::assert_lanes;
use crate::vector::{Integers, LANES, Lanes, Levels64, Pixels64};

pub(super) fn check<S: Integers>(simd: S) {
    check_whole_numbers(simd);
    check_products(simd);
    check_inked(simd);
}

/// Levels64 so small that they fit every instruction set, and pixels of which each has its own place.
fn digits(lane: usize, i: usize) -> i8 {
    (((lane * 29 + i * 53) % 129) as i16 - 64) as i8
}

fn products<S: Integers>(simd: S, pixels: S::U8x64, digits: &Levels64) -> [i32; LANES] {
    let mut lanes = [0.0; LANES];
    let sums = simd.dot_u8i8x16(pixels, digits, simd.zero_i32x16());
    simd.store_f32x16(simd.float_i32x16(sums), &mut lanes);
    // Four products of at most 255 · 127 are exact in f32.
    lanes.map(|lane| lane as i32)
}

fn check_products<S: Integers>(simd: S) {
    let plain = |pixels: &Pixels64, digits: &Levels64| -> [i32; LANES] {
        let product = |lane: usize, i: usize| i32::from(pixels[lane][i]) * i32::from(digits[lane][i]);
        std::array::from_fn(|lane| (0..4).map(|i| product(lane, i)).sum())
    };
    let several: Levels64 = std::array::from_fn(|lane| std::array::from_fn(|i| digits(lane, i)));
    let pixels: Pixels64 = std::array::from_fn(|lane| std::array::from_fn(|i| (lane * 16 + i * 61) as u8));
    assert_eq!(products(simd, simd.load_u8x64(&pixels), &several), plain(&pixels, &several));
    // One place at a time: none is lost, none is another's.
    for (lane, i) in (0..LANES).flat_map(|lane| (0..4).map(move |i| (lane, i))) {
        let (mut pixel, mut digit) = ([[0; 4]; LANES], [[0; 4]; LANES]);
        (pixel[lane][i], digit[lane][i]) = (200, -3);
        let expected: [i32; LANES] = std::array::from_fn(|other| if other == lane { -600 } else { 0 });
        assert_eq!(products(simd, simd.load_u8x64(&pixel), &digit), expected, "lane {lane}, byte {i}");
        assert_eq!(products(simd, simd.load_u8x64(&pixel), &several), plain(&pixel, &several));
        assert_eq!(products(simd, simd.splat_u8x4(pixel[lane]), &several), plain(&[pixel[lane]; LANES], &several));
    }
    // The extremes, and what an instruction that saturates would not survive: all products as large as can be.
    for signs in 0..16_u8 {
        let extreme = [[0, 1, 2, 3].map(|i| if signs >> i & 1 == 1 { -S::MAX_LEVEL } else { S::MAX_LEVEL }); LANES];
        for pixels in [[255; 4], [255, 0, 255, 0], [0, 255, 255, 1], [128, 127, 129, 255]] {
            assert_eq!(products(simd, simd.splat_u8x4(pixels), &extreme), plain(&[pixels; LANES], &extreme));
        }
        // The longest example there may be, of 65 536 such inputs, still fits.
        let mut sum = simd.zero_i32x16();
        for _ in 0..1 << 14 {
            sum = simd.dot_u8i8x16(simd.splat_u8x4([255; 4]), &extreme, sum);
        }
        let each: i32 = extreme[0].iter().map(|&digit| i32::from(digit) * 255).sum();
        let expected = (each << 14) as f32;
        assert_lanes(simd, "a long sum", simd.float_i32x16(sum), |_| expected);
    }
}

fn check_whole_numbers<S: Integers>(simd: S) {
    let mut digits = [[0; 4]; LANES];
    let mut sum = simd.zero_i32x16();
    assert_eq!(simd.sum_i32x16(sum), 0);
    assert_lanes(simd, "zero", simd.float_i32x16(sum), |_| 0.0);
    for lane in 0..LANES {
        digits[lane][lane % 4] = if lane.is_multiple_of(3) { -1 } else { 1 };
    }
    for _ in 0..1 << 15 {
        sum = simd.dot_u8i8x16(simd.splat_u8x4([251, 241, 239, 233]), &digits, sum);
    }
    let lane = |lane: usize| [251, 241, 239, 233][lane % 4] * if lane.is_multiple_of(3) { -(1 << 15) } else { 1 << 15 };
    assert_lanes(simd, "float", simd.float_i32x16(sum), |i| lane(i) as f32);
    assert_eq!(simd.sum_i32x16(sum), (0..LANES).map(lane).sum::<i32>());
    for place in 0..LANES {
        let mut one = [[0; 4]; LANES];
        one[place] = [-1; 4];
        let sum = simd.dot_u8i8x16(simd.splat_u8x4([1, 2, 3, 4]), &one, simd.zero_i32x16());
        assert_eq!(simd.sum_i32x16(sum), -10, "lane {place}");
    }
    // Beyond 2²⁴ a whole number is rounded to the nearest f32, halves to even.
    for last in [0, 1, 2, 3, 5, 7] {
        let ends = [[1, 0, 0, 0]; LANES];
        let mut sum = simd.dot_u8i8x16(simd.splat_u8x4([last, 0, 0, 0]), &ends, simd.zero_i32x16());
        for _ in 0..1 << 15 {
            sum = simd.dot_u8i8x16(simd.splat_u8x4([255; 4]), &[[1; 4]; LANES], sum);
            sum = simd.dot_u8i8x16(simd.splat_u8x4([1; 4]), &[[1; 4]; LANES], sum);
        }
        let expected = ((1 << 25) + i32::from(last)) as f32;
        assert_lanes(simd, "rounding", simd.float_i32x16(sum), |_| expected);
    }
    for first in -128..=127 - (LANES as i32 - 1) {
        let whole: Lanes = std::array::from_fn(|lane| (first + (lane as i32 * 7) % 16) as f32);
        let mut bytes = [[55_i8; LANES]; 3];
        simd.store_i8x16(simd.load_f32x16(&whole), &mut bytes[1]);
        assert_eq!(bytes[1].map(f32::from), whole);
        assert_eq!([bytes[0], bytes[2]], [[55; LANES]; 2], "written beside");
    }
}

/// Every choice of groups with ink, each group with ink in one of its four places.
fn check_inked<S: Integers>(simd: S) {
    for choice in 0..=u16::MAX {
        let mut pixels = [[0_u8; 4]; LANES];
        for (lane, group) in pixels.iter_mut().enumerate() {
            group[lane % 4] = if choice >> lane & 1 == 1 { lane as u8 + 128 } else { 0 };
        }
        let first = u32::from(choice) * 16;
        let (mut groups, mut inked) = ([[u32::MAX; LANES]; 3], [[[99; 4]; LANES]; 3]);
        let count = simd.compress_nonzero_u8x4(&pixels, first, &mut groups[1], &mut inked[1]);
        assert!([0, 2].iter().all(|&beside| groups[beside] == [u32::MAX; LANES] && inked[beside] == [[99; 4]; LANES]));
        let (groups, inked) = (groups[1], inked[1]);
        assert_eq!(count as u32, choice.count_ones());
        let lanes = (0..LANES).filter(|lane| choice >> lane & 1 == 1);
        for ((lane, group), inked) in lanes.zip(&groups[..count]).zip(&inked[..count]) {
            assert_eq!((*group, *inked), (first + lane as u32, pixels[lane]), "of {choice:016b}");
        }
    }
}
