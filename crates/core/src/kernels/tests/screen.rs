//! Int8 scores, their bounds, and the selections made from them, against plain loops. All numbers are integers or halves, so
//! they are compared to the bit.

use crate::isa::Kernels;
use crate::kernels::pack::{Contrast, Packed, Pixels};
use crate::kernels::screen::{Bounds, ErrorBound, PANELS, RefineRows, WeightPanels};
use crate::random::Random;
use crate::vector::{LANES, Lanes, Levels64, Pixels64};

const CANARY: f32 = f32::from_bits(0x7fc0_dead);

fn examples(random: &mut Random, count: usize, filled: u64) -> Vec<u8> {
    (0..count).map(|_| random.next_u64()).map(|bits| if bits % 100 < filled { (bits >> 56) as u8 } else { 0 }).collect()
}

/// A level that every instruction set can multiply, for any place.
fn level(panel: usize, lane: usize, input: usize) -> i8 {
    (((panel * 71 + lane * 37 + input * 29) % 129) as i16 - 64) as i8
}

fn bits(lanes: &[Lanes]) -> Vec<u32> {
    lanes.as_flattened().iter().map(|lane| lane.to_bits()).collect()
}

/// Panels × one or two levels × examples. The last lane has no unit, and the unit of the one before has no levels.
fn assert_tile(kernels: &Kernels, two: bool, units: usize, pixels: Pixels<'_>, packed: &mut Packed) {
    let (inputs, count, each) = (pixels.inputs, pixels.samples.len(), if two { 2 } else { 1 });
    let place = format!("{}, {units} panels, {count} x {inputs}, {each} levels", kernels.name());
    let (panels, stride) = (units * each, inputs.div_ceil(LANES) * 4 + 1);
    let mut levels: Vec<Levels64> = vec![[[0; 4]; LANES]; panels * stride];
    for (panel, input) in (0..panels).flat_map(|panel| (0..inputs).map(move |input| (panel, input))) {
        for (lane, four) in levels[panel * stride + input / 4].iter_mut().enumerate() {
            four[input % 4] = level(panel, lane, input);
        }
    }
    let scale = |panel: usize, lane: usize| if panel % each == 1 { 0.5 } else { 1.0 + (lane % 3) as f32 };
    let scales: Vec<Lanes> = (0..panels).map(|panel| std::array::from_fn(|lane| scale(panel, lane))).collect();
    let of_unit = |unit: usize, times: f32| [times * (unit + 1) as f32; LANES];
    let errors = |unit| ErrorBound {
        uniform: of_unit(unit, 0.25),
        rounding: of_unit(unit, 0.5),
        norm: of_unit(unit, 1.0),
        shift: of_unit(unit, -2.0),
    };
    let mut errors: Vec<ErrorBound<Lanes>> = (0..units).map(errors).collect();
    let ErrorBound { uniform, rounding, .. } = &mut errors[units - 1];
    for errors in [uniform, rounding] {
        errors[LANES - 2..].copy_from_slice(&[f32::INFINITY, f32::NAN]);
    }
    kernels.pack(pixels, packed);
    // Integers, as everything is.
    for (stats, example) in packed.stats.iter_mut().zip(0_u8..) {
        let (level, norm) = (f32::from(example % 7), f32::from(example) * 3.0);
        stats.contrast = (example % 2 == 0).then_some(Contrast { level, norm });
    }
    // More room than needed on both sides.
    let (first, room) = (2, units + 3);
    let mut upper = vec![[CANARY; LANES]; count * room + 1];
    let mut lower = vec![[[-1e9; LANES]; PANELS]; count];
    lower.iter_mut().for_each(|lower| lower[0][5] = 1e9);
    let bounds = Bounds { upper: &mut upper, stride: room, first, lower: &mut lower };
    kernels.screen(WeightPanels { levels: &levels, stride, scales: &scales, errors: &errors }, packed, bounds);
    for example in 0..count {
        let of = pixels.example(example);
        let sum_of_pixels = of.iter().map(|&pixel| f32::from(pixel)).sum::<f32>().max(1.0);
        let mut expected_upper = vec![[CANARY; LANES]; room];
        let mut expected_lower = [[-1e9; LANES]; PANELS];
        expected_lower[0][5] = 1e9;
        for (unit, lane) in (0..units).flat_map(|unit| (0..LANES).map(move |lane| (unit, lane))) {
            let sum = |panel: usize| -> i32 {
                of.iter().enumerate().map(|(i, &x)| i32::from(x) * i32::from(level(panel, lane, i))).sum()
            };
            let centre: f32 =
                (unit * each..(unit + 1) * each).map(|panel| sum(panel) as f32 * scale(panel, lane)).sum();
            let errors = &errors[unit];
            let (centre, width) = match packed.stats[example].contrast {
                None => (centre, errors.uniform[lane] * sum_of_pixels),
                Some(Contrast { level, norm }) => (
                    centre + errors.shift[lane] * level,
                    errors.rounding[lane] * sum_of_pixels + errors.norm[lane] * norm,
                ),
            };
            expected_upper[first + unit][lane] = centre + width;
            expected_lower[unit][lane] = (centre - width).max(expected_lower[unit][lane]);
        }
        let (found, expected) = (&upper[example * room..][..room], &expected_upper);
        // Any NaN will do in the lane without a unit.
        let at = first + units - 1;
        assert!(found[at][LANES - 1].is_nan() && expected[at][LANES - 1].is_nan(), "{place}");
        let mut found = found.to_vec();
        found[at][LANES - 1] = expected[at][LANES - 1];
        assert_eq!(bits(&found), bits(expected), "{place}: upper bounds of example {example}");
        assert_eq!(lower[example], expected_lower, "{place}: lower bounds of example {example}");
    }
    assert_eq!(bits(&upper[count * room..]), [CANARY.to_bits(); LANES], "{place}: written behind");
}

#[test]
fn bounds_are_those_of_plain_loops() {
    let mut random = Random::keyed(6, "synthetic", 0);
    for kernels in Kernels::all() {
        for (inputs, filled) in [(1, 100), (16, 20), (17, 100), (67, 10), (67, 100), (131, 90)] {
            let mut packed = Packed::new(13, inputs);
            for count in 1..=13 {
                let all = examples(&mut random, count * inputs, filled);
                let samples: Vec<u32> = (0..count as u32).rev().collect();
                let pixels = Pixels { all: &all, inputs, samples: &samples };
                for (two, most) in [(false, PANELS), (true, PANELS / 2)] {
                    (1..=most).for_each(|units| assert_tile(kernels, two, units, pixels, &mut packed));
                }
            }
        }
    }
}

/// Numbers of which many are equal and some are special.
fn numbers(random: &mut Random, count: usize) -> Vec<Lanes> {
    const SOME: [f32; 8] = [0.0, -0.0, f32::NEG_INFINITY, f32::NAN, 1.0, -1e30, f32::MAX, 0.5];
    let mut number = || random.next_u64();
    let mut lane = || if number() % 3 == 0 { SOME[(number() >> 61) as usize] } else { (number() >> 58) as f32 };
    (0..count).map(|_| std::array::from_fn(|_| lane())).collect()
}

#[test]
fn the_largest_numbers_come_in_order_each_once() {
    let mut random = Random::keyed(7, "synthetic", 0);
    for kernels in Kernels::all() {
        for vectors in 0..=PANELS {
            for k in [1, 2, 3, 7, 31, 32, 40] {
                let numbers = numbers(&mut random, vectors);
                let mut expected: Vec<f32> = numbers.as_flattened().iter().copied().filter(|n| !n.is_nan()).collect();
                expected.sort_by(|a, b| b.total_cmp(a));
                expected.dedup_by(|a, b| a == b);
                expected.resize(k, f32::NEG_INFINITY);
                let mut best = vec![CANARY; k + 2];
                kernels.top_distinct(&numbers, &mut best[1..=k]);
                assert_eq!(best[1..=k], expected, "{}, {k} of {vectors} vectors", kernels.name());
                assert_eq!([best[0], best[k + 1]].map(f32::to_bits), [CANARY.to_bits(); 2], "written beside");
            }
        }
        let mut none = [7.0; 3];
        kernels.top_distinct(&[[f32::NAN; LANES]; 2], &mut none);
        assert_eq!(none, [f32::NEG_INFINITY; 3]);
    }
}

#[test]
fn units_above_the_threshold_are_listed_in_order() {
    let mut random = Random::keyed(8, "synthetic", 0);
    for kernels in Kernels::all() {
        for vectors in 0..=9 {
            for threshold in [f32::NEG_INFINITY, -1e30, -0.0, 0.0, 1.0, 40.0, f32::MAX, f32::INFINITY] {
                let upper = numbers(&mut random, vectors);
                let reaching = upper.as_flattened().iter().zip(0..).filter(|(upper, _)| **upper >= threshold);
                let expected: Vec<u32> = reaching.map(|(_, unit)| unit).collect();
                let mut found = vec![u32::MAX; (vectors + 1) * LANES];
                let count = kernels.select_ge(&upper, threshold, &mut found);
                assert_eq!(found[..count], expected, "{}, threshold {threshold}", kernels.name());
            }
        }
    }
}

#[test]
fn residual_sums_are_those_of_plain_loops() {
    let mut random = Random::keyed(9, "synthetic", 0);
    for kernels in Kernels::all() {
        for width in [1, 2, 3, 13, 48] {
            let row = |row: usize| (0..width * 64).map(move |i| level(row, 3, i));
            let levels: Vec<i8> = (0..20).flat_map(row).collect();
            let levels: &[Levels64] = bytemuck::cast_slice(&levels);
            for filled in [0, 30, 100] {
                let bytes = examples(&mut random, width * 64, filled);
                let example: &[Pixels64] = bytemuck::cast_slice(&bytes);
                for count in 0..=2 * LANES + 1 {
                    let rows: Vec<u32> = (0..count as u32).map(|i| i * 13 % 20).collect();
                    let mut sums = vec![CANARY; count + 2];
                    kernels.refine_dot(RefineRows { levels, rows: &rows, example }, &mut sums[1..=count]);
                    for (&of, found) in rows.iter().zip(&sums[1..]) {
                        let expected: i32 =
                            row(of as usize).zip(&bytes).map(|(q, &x)| i32::from(q) * i32::from(x)).sum();
                        assert_eq!(*found, expected as f32, "{}, row {of}, width {width}", kernels.name());
                    }
                    assert_eq!([sums[0], sums[count + 1]].map(f32::to_bits), [CANARY.to_bits(); 2], "written beside");
                }
            }
        }
    }
}
