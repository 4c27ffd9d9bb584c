//! Quantised rows against their definition in f64, and packed examples against plain loops.

use super::{adversarial_rows, row, unknown_rows, widths};
use crate::isa::Kernels;
use crate::kernels::IntegerNorm;
use crate::kernels::pack::{Contrast, Group, ImageStats, Packed, Pixels, groups_of};
use crate::kernels::quantise::{LARGEST, QuantiseBuffers, Quantised, SMALLEST};
use crate::random::Random;
use crate::vector::LANES;

const ULP: f64 = 1.0 / (1 << 23) as f64;
/// Half of the smallest f32.
const LOST: f64 = 7.1e-46;

/// Both levels (padding included), the residual, and what the kernel says of them.
fn quantised(kernels: &Kernels, values: &[f32]) -> ([Vec<i8>; 2], Vec<f32>, Quantised) {
    let mut rest = row(values);
    let width = rest.width();
    let [mut first, mut second] = [vec![[77; LANES]; width], vec![[77; LANES]; width]];
    let from = rest.clone();
    let to = QuantiseBuffers { residual: rest.lanes_mut(0), levels: [&mut first, &mut second] };
    let found = kernels.quantise(from.lanes(0), None, to);
    let rest = rest.lanes(0).as_flattened().to_vec();
    ([first, second].map(|levels| levels.as_flattened().to_vec()), rest, found)
}

#[test]
fn residuals_are_as_small_as_they_say() {
    for width in widths() {
        for (name, values) in adversarial_rows(width) {
            for kernels in Kernels::all() {
                let place = format!("{}, {name}, width {width}", kernels.name());
                let ([first, second], rest, found) = quantised(kernels, &values);
                let largest = values.iter().fold(0.0_f32, |largest, v| largest.max(v.abs()));
                assert_eq!(found.largest.to_bits(), largest.to_bits(), "{place}");
                let (mut behind, [s, t]) = ([0.0_f64; 2], found.scales.map(f64::from));
                let (mut sum, mut squares) = (0.0_f64, 0.0_f64);
                for (i, v) in values.iter().map(|&v| f64::from(v)).enumerate() {
                    let one = v - s * f64::from(first[i]);
                    let both = one - t * f64::from(second[i]);
                    behind = [behind[0].max(one.abs()), behind[1].max(both.abs())];
                    (sum, squares) = (sum + one, squares + one * one);
                }
                let [one, both] = found.residual_max.map(f64::from);
                // The proof's point 2: a factor 1 + u, and behind the second level u m / 60 more.
                assert!(behind[0] <= one * (1.0 + ULP / 2.0) + LOST, "{place}: {} is left, not {one}", behind[0]);
                let more = f64::from(largest) * ULP / 2.0 / 60.0;
                assert!(behind[1] <= both * (1.0 + ULP / 2.0) + more + LOST, "{place}: {}, not {both}", behind[1]);
                // What the proof grants both sums over what the first level leaves.
                let of_sums = (rest.len() / LANES + 16) as f64 * ULP / 2.0;
                let [all, norm] = [found.residual_stats.sum, found.residual_stats.norm].map(f64::from);
                assert!((all - sum).abs() <= of_sums * one * width as f64 + LOST, "{place}: {sum} is left, not {all}");
                assert!(
                    (norm - squares.sqrt()).abs() <= of_sums * norm + LOST,
                    "{place}: {}, not {norm}",
                    squares.sqrt()
                );
                // And not much more than has to be left: half a step, of a step that uses all levels.
                assert!(one <= s * (0.5 + 1e-4), "{place}: {one} of step {s}");
                assert!(t == 0.0 || both <= t * (0.5 + 1e-4) + LOST, "{place}: {both} of step {t}");
                if largest > 0.0 {
                    let most = first.iter().map(|level| level.unsigned_abs()).max().unwrap();
                    assert!(s * f64::from(most) >= f64::from(largest) * (1.0 - 2.0 * ULP), "{place}: {most} levels");
                    assert!(second.iter().all(|level| level.unsigned_abs() <= most), "{place}");
                }
                let padding = (width..first.len()).all(|i| first[i] == 0 && second[i] == 0 && rest[i] == 0.0);
                assert!(padding, "{place}: padding");
            }
        }
    }
}

#[test]
fn rows_out_of_range_have_no_levels() {
    for width in widths() {
        for kernels in Kernels::all() {
            for (name, values) in unknown_rows(width) {
                let (levels, _, found) = quantised(kernels, &values);
                assert_eq!(found.largest, f32::INFINITY, "{}, {name}, width {width}", kernels.name());
                assert_eq!((found.scales, levels.concat().iter().all(|&level| level == 0)), ([0.0; 2], true));
            }
            for known in [SMALLEST, LARGEST] {
                assert_eq!(quantised(kernels, &vec![-known; width]).2.largest, known);
            }
        }
    }
}

/// Examples of one kind: the percentage of pixels that are not zero.
fn examples(random: &mut Random, count: usize, inputs: usize, filled: u64) -> Vec<u8> {
    (0..count * inputs)
        .map(|_| random.next_u64())
        .map(|bits| if bits % 100 < filled { (bits >> 56) as u8 | 1 } else { 0 })
        .collect()
}

/// Group number `group` of an example, zeros behind its end.
fn group(example: &[u8], group: usize) -> Group {
    [0, 1, 2, 3].map(|i| example.get(group * 4 + i).copied().unwrap_or(0))
}

fn assert_stats(place: &str, example: &[u8], stats: ImageStats) {
    let sum: u32 = example.iter().map(|&pixel| u32::from(pixel)).sum();
    assert_eq!(stats.sum, sum.max(1) as f32, "{place}");
    let mean = (f64::from(sum) / example.len() as f64).round();
    let spread: f64 = example.iter().map(|&pixel| (f64::from(pixel) - mean).powi(2)).sum();
    // The narrower bound of errors spread evenly from -1 to 1.
    let bounds = [f64::from(sum), (example.len() as f64 / 3.0 * spread).sqrt()];
    match stats.contrast {
        None => assert!(bounds[0] <= bounds[1] * (1.0 + 1e-12), "{place}: {bounds:?}"),
        Some(Contrast { level, norm }) => {
            assert!(bounds[1] <= bounds[0], "{place}: {bounds:?}");
            assert_eq!(f64::from(level), mean, "{place}");
            let norm = f64::from(norm);
            assert!(norm >= spread.sqrt() && norm <= spread.sqrt() * (1.0 + ULP * 2.0) + LOST * 4.0, "{place}: {norm}");
        }
    }
}

/// One example a list: its groups non-zero. Several: all groups.
fn assert_packed(place: &str, pixels: Pixels<'_>, packed: &Packed) {
    for list in 0..pixels.samples.len().div_ceil(packed.per_list) {
        let found = packed.list(list);
        assert_eq!(found.first, list * packed.per_list, "{place}");
        let of = found.first..(found.first + packed.per_list).min(pixels.samples.len());
        let all = (0..groups_of(pixels.inputs)).map(|number| {
            let mut four = vec![[0; 4]; packed.per_list];
            of.clone().zip(&mut four).for_each(|(at, four)| *four = group(pixels.example(at), number));
            (number as u32, four)
        });
        let (groups, expected): (Vec<u32>, Vec<Vec<Group>>) =
            all.filter(|(_, four)| packed.per_list > 1 || four[0] != [0; 4]).unzip();
        assert_eq!(found.groups, groups, "{place}, list {list}");
        assert_eq!(found.pixels, expected.concat(), "{place}, list {list}");
    }
    for example in 0..pixels.samples.len() {
        assert_stats(&format!("{place}, example {example}"), pixels.example(example), packed.stats[example]);
    }
}

#[test]
fn packed_examples_are_their_groups_with_ink_in_order() {
    let mut random = Random::keyed(5, "synthetic", 0);
    // A matrix unit is given full rows: `isa/amx.rs` tests them.
    for kernels in Kernels::all().into_iter().filter(|kernels| kernels.name() != "amx") {
        let mut together = Vec::new();
        for inputs in (1..=33).chain(60..=69).chain(126..=131).chain([784]) {
            let most = 13;
            // Kept from one minibatch to the next: what is left in it must not matter.
            let mut packed = Packed::new(most, inputs);
            for (count, filled) in
                (1..=most).zip([0, 100, 3, 50, 90].into_iter().cycle()).chain([(most, 100), (1, 0), (most, 10)])
            {
                let all = examples(&mut random, count + 3, inputs, filled);
                // In any order, and one of them twice.
                let samples: Vec<u32> =
                    (0..count as u32).rev().map(|sample| if sample == 1 { 0 } else { sample + 2 }).collect();
                let pixels = Pixels { all: &all, inputs, samples: &samples };
                kernels.pack(pixels, &mut packed);
                assert_packed(&format!("{}, {count} x {inputs}, {filled} % non-zero", kernels.name()), pixels, &packed);
                together.push(packed.per_list);
            }
            // One pixel, wherever it is.
            for place in 0..inputs {
                let mut all = vec![0; inputs];
                all[place] = 200;
                let pixels = Pixels { all: &all, inputs, samples: &[0, 0] };
                kernels.pack(pixels, &mut packed);
                assert_packed(&format!("{}, pixel {place} of {inputs}", kernels.name()), pixels, &packed);
            }
        }
        assert!(together.contains(&1) && together.iter().any(|&together| together > 1), "{}", kernels.name());
    }
}

#[test]
fn the_longest_and_brightest_example_has_an_exact_sum() {
    let all = vec![255; 1 << 16];
    for kernels in Kernels::all() {
        let mut packed = Packed::new(1, all.len());
        kernels.pack(Pixels { all: &all, inputs: all.len(), samples: &[0] }, &mut packed);
        let contrast = Some(Contrast { level: 255.0, norm: 0.0_f32.next_up() });
        assert_eq!(packed.stats, [ImageStats { sum: 16_711_680.0, contrast }], "{}", kernels.name());
        assert_eq!(packed.list(0).groups.len(), 1 << 14);
    }
}

#[test]
fn levels_of_powers_are_those_of_the_powers_written_to_memory() {
    for width in widths() {
        for (name, values) in adversarial_rows(width) {
            for power in [IntegerNorm::Three, IntegerNorm::Four, IntegerNorm::Five] {
                for kernels in Kernels::all() {
                    let (from, mut powers) = (row(&values), row(&values));
                    kernels.power(power, from.lanes(0), powers.lanes_mut(0));
                    let expected = quantised(kernels, powers.row(0));
                    let mut rest = from.clone();
                    let [mut first, mut second] = [vec![[77; LANES]; rest.width()], vec![[77; LANES]; rest.width()]];
                    let to = QuantiseBuffers { residual: rest.lanes_mut(0), levels: [&mut first, &mut second] };
                    let found = kernels.quantise(from.lanes(0), Some(power), to);
                    let levels = [first, second].map(|levels| levels.as_flattened().to_vec());
                    let place = format!("{}, {name}, width {width}, {power:?}", kernels.name());
                    assert!((levels, found) == (expected.0, expected.2), "{place}");
                }
            }
        }
    }
}
