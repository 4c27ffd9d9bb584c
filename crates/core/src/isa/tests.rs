//! Every vector operation against the same operation on one number at a time, on every instruction set. Also those that no
//! kernel happens to use here.

use crate::vector::{Integers, LANES, Lanes, Levels64, Pixels64, Simd};

const SPECIAL: [f32; 22] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    1.5,
    2.5,
    -2.5,
    0.499_999_97,
    1e-45,
    -1e-45,
    f32::MIN_POSITIVE,
    8_388_607.5,
    -16_777_216.0,
    1e30,
    -1e30,
    f32::MAX,
    f32::MIN,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
];

/// Bits, with every NaN alike: its payload and sign may differ between machines and mean nothing here.
fn bits(value: f32) -> u32 {
    // Looked at as a number in memory: what it was computed from must not be folded into the question whether it is NaN.
    let value = std::hint::black_box(value);
    if value.is_nan() { f32::NAN.to_bits() } else { value.to_bits() }
}

fn assert_lanes<S: Simd>(simd: S, what: &str, found: S::F32x16, expected: impl Fn(usize) -> f32) {
    let mut lanes = [0.0; LANES];
    simd.store_f32x16(found, &mut lanes);
    for (lane, found) in lanes.into_iter().enumerate() {
        assert_eq!(bits(found), bits(expected(lane)), "{what}, lane {lane}: {found} for {}", expected(lane));
    }
}

fn check<S: Integers>(simd: S) {
    for shift_a in 0..SPECIAL.len() {
        for shift_b in 0..SPECIAL.len() {
            // All pairs meet in some lane, every number in every lane.
            let a: Lanes = std::array::from_fn(|lane| SPECIAL[(shift_a + lane) % SPECIAL.len()]);
            let b: Lanes = std::array::from_fn(|lane| SPECIAL[(shift_b + 5 * lane) % SPECIAL.len()]);
            let c: Lanes = std::array::from_fn(|lane| SPECIAL[(shift_a + shift_b + 3 * lane) % SPECIAL.len()]);
            let [x, y, z] = [&a, &b, &c].map(|lanes| simd.load_f32x16(lanes));
            assert_lanes(simd, "load", x, |i| a[i]);
            assert_lanes(simd, "splat", simd.splat_f32x16(a[3]), |_| a[3]);
            assert_lanes(simd, "add", simd.add_f32x16(x, y), |i| a[i] + b[i]);
            assert_lanes(simd, "sub", simd.sub_f32x16(x, y), |i| a[i] - b[i]);
            assert_lanes(simd, "mul", simd.mul_f32x16(x, y), |i| a[i] * b[i]);
            assert_lanes(simd, "div", simd.div_f32x16(x, y), |i| a[i] / b[i]);
            assert_lanes(simd, "fma", simd.fma_f32x16(x, y, z), |i| a[i].mul_add(b[i], c[i]));
            let parts = [0, S::REGISTERS - 1].map(|part| {
                let [x, y, z] = [&a, &b, &c].map(|lanes| simd.load_register(lanes, part));
                [simd.zero_register(), x, simd.fma_register(x, y, z)]
            });
            let [zero, loaded, fused] = std::array::from_fn(|word| simd.join(parts.map(|words| words[word])));
            assert_lanes(simd, "parts, zero", zero, |_| 0.0);
            assert_lanes(simd, "parts, load", loaded, |i| a[i]);
            assert_lanes(simd, "parts, fma", fused, |i| a[i].mul_add(b[i], c[i]));
            assert_lanes(simd, "sqrt", simd.sqrt_f32x16(x), |i| a[i].sqrt());
            assert_lanes(simd, "abs", simd.abs_f32x16(x), |i| a[i].abs());
            assert_lanes(simd, "max", simd.max_f32x16(x, y), |i| if a[i] > b[i] { a[i] } else { b[i] });
            assert_lanes(simd, "min", simd.min_f32x16(x, y), |i| if a[i] < b[i] { a[i] } else { b[i] });
            assert_lanes(simd, "round", simd.round_f32x16(x), |i| a[i].round_ties_even());
            let greater = simd.gt_f32x16(x, y);
            for lane in 0..LANES {
                assert_eq!(greater >> lane & 1 == 1, a[lane] > b[lane], "{} > {}", a[lane], b[lane]);
            }
            let at_least = simd.ge_f32x16(x, y);
            for lane in 0..LANES {
                assert_eq!(at_least >> lane & 1 == 1, a[lane] >= b[lane], "{} >= {}", a[lane], b[lane]);
            }
            let below = |i: usize| if a[i] < b[0] { a[i] } else { f32::NEG_INFINITY };
            assert_lanes(simd, "below", simd.keep_lt_f32x16(x, b[0]), below);
            let flushed = |i: usize| if a[i].abs() < b[0] { 0.0 } else { a[i] };
            assert_lanes(simd, "flush", simd.flush_f32x16(x, b[0]), flushed);
            // Lanes of which none is NaN, as it promises.
            let numbers = a.map(|lane| if lane.is_nan() { b[0].min(3.0) } else { lane });
            let largest = numbers.into_iter().fold(f32::NEG_INFINITY, f32::max);
            let found = simd.reduce_max_f32x16(simd.load_f32x16(&numbers));
            assert!(found == largest, "largest: {found} for {largest} of {numbers:?}");
            simd.prefetch(&a);
        }
    }
    for first in 0..=256 - LANES {
        let bytes: [u8; LANES] = std::array::from_fn(|lane| (first + lane) as u8);
        assert_lanes(simd, "bytes", simd.load_u8x16(&bytes), |i| (first + i) as f32);
    }
    for first in -126..=127 - LANES as i32 + 1 {
        let powers: Lanes = std::array::from_fn(|lane| (first + lane as i32) as f32);
        let found = simd.exp2_int_f32x16(simd.load_f32x16(&powers));
        assert_lanes(simd, "exp2", found, |i| libm::ldexpf(1.0, first + i as i32));
    }
    check_sums(simd);
    check_largest(simd);
    check_integers(simd);
    check_products(simd);
    check_nonzero(simd);
}

/// The largest lane is found wherever it is, also among negative numbers and where there is nothing else.
fn check_largest<S: Simd>(simd: S) {
    for place in 0..LANES {
        for (rest, largest) in [(-5.0, -4.0), (f32::NEG_INFINITY, -f32::MAX), (1.0, f32::INFINITY), (-1.0, 0.0)] {
            let mut lanes = [rest; LANES];
            lanes[place] = largest;
            assert_eq!(simd.reduce_max_f32x16(simd.load_f32x16(&lanes)), largest, "lane {place}");
        }
    }
    let nothing = simd.splat_f32x16(f32::NEG_INFINITY);
    assert_eq!(simd.reduce_max_f32x16(nothing), f32::NEG_INFINITY);
}

/// Sums of lanes so unlike in size that every other order rounds otherwise somewhere, alone and several at once.
fn check_sums<S: Simd>(simd: S) {
    let vectors: [Lanes; 7] = std::array::from_fn(|vector| {
        std::array::from_fn(|lane| {
            let wild = (vector * LANES + lane + 1).wrapping_mul(0x9e37_79b9) as u32;
            (wild as f32 - 2.1e9) * libm::ldexpf(1.0, (wild >> 8) as i32 % 20)
        })
    });
    let expected = vectors.map(|mut lanes| {
        for step in [8, 4, 2, 1] {
            for lane in 0..step {
                lanes[lane] += lanes[lane + step];
            }
        }
        lanes[0]
    });
    assert!(vectors.iter().zip(expected).any(|(lanes, expected)| lanes.iter().sum::<f32>() != expected));
    let loaded = vectors.map(|lanes| simd.load_f32x16(&lanes));
    assert_eq!(loaded.map(|vector| simd.reduce_sum_f32x16(vector)), expected);
    assert_eq!(simd.reduce_sum4_f32x16([loaded[0], loaded[1], loaded[2], loaded[3]]), expected[..4]);
    assert_eq!(simd.reduce_sums_f32x16(loaded), expected);
    assert_eq!(simd.reduce_sums_f32x16([loaded[5]; 1]), expected[5..6]);
    assert_eq!(simd.reduce_sums_f32x16::<0>([]), [0.0_f32; 0]);
}

/// Levels that every instruction set multiplies exactly, different in each place.
fn level(lane: usize, i: usize) -> i8 {
    (((lane * 29 + i * 53) % 129) as i16 - 64) as i8
}

fn products<S: Integers>(simd: S, pixels: S::U8x64, levels: &Levels64) -> [i32; LANES] {
    let mut lanes = [0.0; LANES];
    let sums = simd.dot_u8i8x16(pixels, levels, simd.zero_i32x16());
    simd.store_f32x16(simd.to_f32_i32x16(sums), &mut lanes);
    // Four products of at most 255 · 127 are exact in f32.
    lanes.map(|lane| lane as i32)
}

fn check_products<S: Integers>(simd: S) {
    let plain = |pixels: &Pixels64, levels: &Levels64| -> [i32; LANES] {
        let product = |lane: usize, i: usize| i32::from(pixels[lane][i]) * i32::from(levels[lane][i]);
        std::array::from_fn(|lane| (0..4).map(|i| product(lane, i)).sum())
    };
    let several: Levels64 = std::array::from_fn(|lane| std::array::from_fn(|i| level(lane, i)));
    let pixels: Pixels64 = std::array::from_fn(|lane| std::array::from_fn(|i| (lane * 16 + i * 61) as u8));
    assert_eq!(products(simd, simd.load_u8x64(&pixels), &several), plain(&pixels, &several));
    // One place at a time: none is lost, none is another's.
    for (lane, i) in (0..LANES).flat_map(|lane| (0..4).map(move |i| (lane, i))) {
        let (mut pixel, mut level_of) = ([[0; 4]; LANES], [[0; 4]; LANES]);
        (pixel[lane][i], level_of[lane][i]) = (200, -3);
        let expected: [i32; LANES] = std::array::from_fn(|other| if other == lane { -600 } else { 0 });
        assert_eq!(products(simd, simd.load_u8x64(&pixel), &level_of), expected, "lane {lane}, byte {i}");
        assert_eq!(products(simd, simd.load_u8x64(&pixel), &several), plain(&pixel, &several));
        assert_eq!(products(simd, simd.splat_u8x4(pixel[lane]), &several), plain(&[pixel[lane]; LANES], &several));
    }
    // The extremes, and what an instruction that saturates would get wrong: all products as large as can be.
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
        let each: i32 = extreme[0].iter().map(|&level| i32::from(level) * 255).sum();
        let expected = (each << 14) as f32;
        assert_lanes(simd, "a long sum", simd.to_f32_i32x16(sum), |_| expected);
    }
}

fn check_integers<S: Integers>(simd: S) {
    let mut levels = [[0; 4]; LANES];
    let mut sum = simd.zero_i32x16();
    assert_eq!(simd.reduce_sum_i32x16(sum), 0);
    assert_lanes(simd, "zero", simd.to_f32_i32x16(sum), |_| 0.0);
    for lane in 0..LANES {
        levels[lane][lane % 4] = if lane.is_multiple_of(3) { -1 } else { 1 };
    }
    for _ in 0..1 << 15 {
        sum = simd.dot_u8i8x16(simd.splat_u8x4([251, 241, 239, 233]), &levels, sum);
    }
    let lane = |lane: usize| [251, 241, 239, 233][lane % 4] * if lane.is_multiple_of(3) { -(1 << 15) } else { 1 << 15 };
    assert_lanes(simd, "float", simd.to_f32_i32x16(sum), |i| lane(i) as f32);
    assert_eq!(simd.reduce_sum_i32x16(sum), (0..LANES).map(lane).sum::<i32>());
    for place in 0..LANES {
        let mut one = [[0; 4]; LANES];
        one[place] = [-1; 4];
        let sum = simd.dot_u8i8x16(simd.splat_u8x4([1, 2, 3, 4]), &one, simd.zero_i32x16());
        assert_eq!(simd.reduce_sum_i32x16(sum), -10, "lane {place}");
    }
    // Beyond 2²⁴ an integer is rounded to the nearest f32, halves to even.
    for last in [0, 1, 2, 3, 5, 7] {
        let ends = [[1, 0, 0, 0]; LANES];
        let mut sum = simd.dot_u8i8x16(simd.splat_u8x4([last, 0, 0, 0]), &ends, simd.zero_i32x16());
        for _ in 0..1 << 15 {
            sum = simd.dot_u8i8x16(simd.splat_u8x4([255; 4]), &[[1; 4]; LANES], sum);
            sum = simd.dot_u8i8x16(simd.splat_u8x4([1; 4]), &[[1; 4]; LANES], sum);
        }
        let expected = ((1 << 25) + i32::from(last)) as f32;
        assert_lanes(simd, "rounding", simd.to_f32_i32x16(sum), |_| expected);
    }
    for first in -128..=127 - (LANES as i32 - 1) {
        let integers: Lanes = std::array::from_fn(|lane| (first + (lane as i32 * 7) % 16) as f32);
        let mut bytes = [[55_i8; LANES]; 3];
        simd.store_i8x16(simd.load_f32x16(&integers), &mut bytes[1]);
        assert_eq!(bytes[1].map(f32::from), integers);
        assert_eq!([bytes[0], bytes[2]], [[55; LANES]; 2], "written beside");
    }
}

/// Every choice of non-zero groups, each with its non-zero in one of the four places.
fn check_nonzero<S: Integers>(simd: S) {
    for choice in 0..=u16::MAX {
        let mut pixels = [[0_u8; 4]; LANES];
        for (lane, group) in pixels.iter_mut().enumerate() {
            group[lane % 4] = if choice >> lane & 1 == 1 { lane as u8 + 128 } else { 0 };
        }
        let first = u32::from(choice) * 16;
        let (mut groups, mut nonzero) = ([[u32::MAX; LANES]; 3], [[[99; 4]; LANES]; 3]);
        let count = simd.compress_nonzero_u8x4(&pixels, first, &mut groups[1], &mut nonzero[1]);
        assert!(
            [0, 2].iter().all(|&beside| groups[beside] == [u32::MAX; LANES] && nonzero[beside] == [[99; 4]; LANES])
        );
        let (groups, nonzero) = (groups[1], nonzero[1]);
        assert_eq!(count as u32, choice.count_ones());
        let lanes = (0..LANES).filter(|lane| choice >> lane & 1 == 1);
        for ((lane, group), nonzero) in lanes.zip(&groups[..count]).zip(&nonzero[..count]) {
            assert_eq!((*group, *nonzero), (first + lane as u32, pixels[lane]), "of {choice:016b}");
        }
    }
}

#[test]
fn portable() {
    check(super::portable::Portable);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn avx2() {
    // Where it is missing, `tests/isa.rs` says so.
    if let Some(simd) = super::avx2::Avx2::detect() {
        check(simd);
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn avx512() {
    if let Some(simd) = super::avx512::Avx512::detect() {
        check(simd);
    }
}
