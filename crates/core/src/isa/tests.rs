//! Every word of the vector vocabulary against the same operation on one number at a time, on every instruction set:
//! also those that no tile of a kernel happens to use here.

mod integers;

use crate::vector::{Integers, LANES, Lanes, Simd};

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
            let greater = simd.greater_f32x16(x, y);
            for lane in 0..LANES {
                assert_eq!(greater >> lane & 1 == 1, a[lane] > b[lane], "{} > {}", a[lane], b[lane]);
            }
            let at_least = simd.at_least_f32x16(x, y);
            for lane in 0..LANES {
                assert_eq!(at_least >> lane & 1 == 1, a[lane] >= b[lane], "{} >= {}", a[lane], b[lane]);
            }
            let below = |i: usize| if a[i] < b[0] { a[i] } else { f32::NEG_INFINITY };
            assert_lanes(simd, "below", simd.below_f32x16(x, b[0]), below);
            let flushed = |i: usize| if a[i].abs() < b[0] { 0.0 } else { a[i] };
            assert_lanes(simd, "flush", simd.flush_f32x16(x, b[0]), flushed);
            // Lanes of which none is NaN, as it promises.
            let numbers = a.map(|lane| if lane.is_nan() { b[0].min(3.0) } else { lane });
            let largest = numbers.into_iter().fold(f32::NEG_INFINITY, f32::max);
            let found = simd.largest_f32x16(simd.load_f32x16(&numbers));
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
        let found = simd.exp2_whole_f32x16(simd.load_f32x16(&powers));
        assert_lanes(simd, "exp2", found, |i| libm::ldexpf(1.0, first + i as i32));
    }
    check_sums(simd);
    check_largest(simd);
    integers::check(simd);
}

/// The largest lane is found wherever it is, also among negative numbers and where there is nothing else.
fn check_largest<S: Simd>(simd: S) {
    for place in 0..LANES {
        for (rest, largest) in [(-5.0, -4.0), (f32::NEG_INFINITY, -f32::MAX), (1.0, f32::INFINITY), (-1.0, 0.0)] {
            let mut lanes = [rest; LANES];
            lanes[place] = largest;
            assert_eq!(simd.largest_f32x16(simd.load_f32x16(&lanes)), largest, "lane {place}");
        }
    }
    let nothing = simd.splat_f32x16(f32::NEG_INFINITY);
    assert_eq!(simd.largest_f32x16(nothing), f32::NEG_INFINITY);
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
    assert_eq!(loaded.map(|vector| simd.sum_f32x16(vector)), expected);
    assert_eq!(simd.sum4_f32x16([loaded[0], loaded[1], loaded[2], loaded[3]]), expected[..4]);
    assert_eq!(simd.sums_f32x16(loaded), expected);
    assert_eq!(simd.sums_f32x16([loaded[5]; 1]), expected[5..6]);
    assert_eq!(simd.sums_f32x16::<0>([]), [0.0_f32; 0]);
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
