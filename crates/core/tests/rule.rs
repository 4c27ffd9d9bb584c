//! What a minibatch changes and what it leaves alone: ranks, rates, blanks, ties, order.

mod common;

use common::{ROUNDING, bits, layer, learn, learn_once, normals, pixels};
use rivalry_core::{Inputs, Layer, Random, Rates, Rule, reference};

const NORMS: [f64; 5] = [2.0, 2.5, 3.0, 4.0, 5.0];

fn random_layer(seed: u64, hidden: usize, inputs: usize) -> Layer {
    Layer::normal(hidden, inputs, 1.0, &mut Random::keyed(seed, "weights", 0)).unwrap()
}

fn in_order(samples: usize) -> Vec<u32> {
    (0..samples as u32).collect()
}

/// The ranks of every example by currents in f64: the units that are first and k-th.
fn ranked(layer: &Layer, rule: &Rule, examples: &[u8]) -> Vec<(usize, usize)> {
    let power = |w: f64| w.signum() * w.abs().powf(rule.p() - 1.0);
    let rank = |example: &[u8]| {
        let current = |unit: usize| -> f64 {
            layer.row(unit).iter().zip(example).map(|(w, x)| power(f64::from(*w)) * f64::from(*x)).sum()
        };
        let mut units: Vec<usize> = (0..layer.hidden()).collect();
        units.sort_by(|a, b| current(*b).total_cmp(&current(*a)));
        (units[0], units[rule.k() - 1])
    };
    examples.chunks_exact(layer.inputs()).map(rank).collect()
}

#[test]
fn the_largest_change_of_a_minibatch_is_the_rate() {
    for p in NORMS {
        for (hidden, inputs, batch, rate) in [(30, 50, 20, 0.04_f32), (30, 50, 1, 0.5), (5, 700, 100, 1e-3)] {
            let layer = random_layer(1, hidden, inputs);
            let pixels = pixels(2, batch * inputs);
            let rule = Rule::new(p, 3, 0.4).unwrap();
            let found = learn_once(&layer, rule, &Inputs::u8(&pixels, inputs).unwrap(), rate);
            let change = |(new, old): (&f32, f32)| (f64::from(*new) - f64::from(old)).abs();
            let largest = found.iter().zip(layer.to_rows()).map(change).fold(0.0, f64::max);
            // The step is rounded once, its product with ds and the new weight (below 6) once more.
            let bound = ROUNDING * (2.0 * f64::from(rate) + 6.0);
            assert!((largest - f64::from(rate)).abs() <= bound, "p {p}: {largest} for {rate}");
        }
    }
}

#[test]
fn weights_of_a_blank_input_shrink_to_0_and_no_power_of_a_weight_is_ever_subnormal() {
    let (hidden, inputs, samples) = (4, 40, 20);
    let mut pixels = pixels(7, samples * inputs);
    pixels.chunks_exact_mut(inputs).for_each(|example| example[..10].fill(0));
    let inputs_of = Inputs::u8(&pixels, inputs).unwrap();
    for p in NORMS {
        let rule = Rule::new(p, 2, 0.0).unwrap();
        let mut layer = random_layer(8, hidden, inputs);
        let mut winner = 0;
        for _ in 0..60 {
            let (found, wins) = learn(&layer, rule, 5, &inputs_of, &in_order(samples), Rates::Constant(0.2));
            layer = Layer::from_rows(hidden, inputs, &found).unwrap();
            winner = (0..hidden).max_by_key(|unit| wins[*unit]).unwrap();
            for w in found {
                let power = w.abs().powf(p as f32 - 1.0);
                assert!(w == 0.0 || power.is_normal(), "p {p}: {w} to the power of {} is {power}", p - 1.0);
            }
        }
        assert!(layer.row(winner)[..10].iter().all(|w| *w == 0.0), "p {p}: {:?}", &layer.row(winner)[..10]);
        assert!(layer.row(winner)[10..].iter().any(|w| *w != 0.0), "p {p}");
    }
}

#[test]
fn only_rank_1_and_rank_k_learn_and_with_delta_0_only_rank_1() {
    for p in NORMS {
        for (k, delta) in [(2, 0.4), (7, 0.4), (7, 0.0)] {
            let (layer, pixels) = (random_layer(3, 40, 60), pixels(4, 8 * 60));
            let rule = Rule::new(p, k, delta).unwrap();
            let inputs = Inputs::u8(&pixels, 60).unwrap();
            let ranks = ranked(&layer, &rule, &pixels);
            let (found, wins) = learn(&layer, rule, 8, &inputs, &in_order(8), Rates::Constant(0.02));
            for (unit, (found, wins)) in found.chunks_exact(60).zip(wins).enumerate() {
                assert_eq!(wins as usize, ranks.iter().filter(|rank| rank.0 == unit).count(), "wins of unit {unit}");
                let learns = ranks.iter().any(|rank| rank.0 == unit || (delta > 0.0 && rank.1 == unit));
                let same = bits(found) == bits(layer.row(unit));
                assert_eq!(same, !learns, "p {p}, k {k}, delta {delta}, unit {unit}");
            }
        }
    }
}

#[test]
fn rate_0_changes_nothing() {
    for p in NORMS {
        let (layer, pixels) = (random_layer(5, 20, 30), pixels(6, 40 * 30));
        let inputs = Inputs::u8(&pixels, 30).unwrap();
        let found = learn(&layer, Rule::new(p, 2, 0.4).unwrap(), 10, &inputs, &in_order(40), Rates::Constant(0.0)).0;
        assert_eq!(bits(&found), bits(&layer.to_rows()));
    }
}

#[test]
fn blank_images_are_won_by_the_lowest_unit_and_teach_nothing() {
    for p in NORMS {
        let layer = random_layer(7, 20, 30);
        let rule = Rule::new(p, 2, 0.4).unwrap();
        let blank = [0; 10 * 30];
        let inputs = Inputs::u8(&blank, 30).unwrap();
        let (found, wins) = learn(&layer, rule, 5, &inputs, &in_order(10), Rates::Constant(0.1));
        assert_eq!(bits(&found), bits(&layer.to_rows()));
        assert_eq!(wins, [vec![10], vec![0; 19]].concat());
        let scales = inputs.unit_length_scales();
        assert_eq!(learn_once(&layer, rule, &inputs.with_scales(&scales).unwrap(), 0.1), layer.to_rows());

        // Among others they change nothing either.
        let mixed = [pixels(8, 3 * 30), vec![0; 2 * 30], pixels(9, 30)].concat();
        let without: Vec<u8> = [&mixed[..90], &mixed[150..]].concat();
        let found = learn_once(&layer, rule, &Inputs::u8(&mixed, 30).unwrap(), 0.1);
        assert_eq!(found, learn_once(&layer, rule, &Inputs::u8(&without, 30).unwrap(), 0.1));
    }
}

#[test]
fn among_equal_units_the_lower_ranks_first() {
    for p in NORMS {
        let row: Vec<f32> = normals(10, 50).iter().map(|w| w.abs()).collect();
        // Units 3 … 8 are equal and the best, on three shards: 3 wins, and rank 4 is unit 6.
        let low: Vec<f32> = row.iter().map(|w| w / 2.0).collect();
        let rows: Vec<&[f32]> = (0..12).map(|unit| if (3..9).contains(&unit) { &row[..] } else { &low[..] }).collect();
        let (layer, pixels) = (layer(&rows), pixels(11, 50));
        let inputs = Inputs::u8(&pixels, 50).unwrap();
        let rule = Rule::new(p, 4, 0.4).unwrap();
        let (found, wins) = learn(&layer, rule, 1, &inputs, &[0], Rates::Constant(0.02));
        assert_eq!(wins, [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
        for (unit, found) in found.chunks_exact(50).enumerate() {
            assert_eq!(bits(found) != bits(layer.row(unit)), unit == 3 || unit == 6, "p {p}, unit {unit}");
        }
    }
}

#[test]
fn zero_weights_have_no_sign() {
    for p in [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0] {
        // All currents are 0, of +0 and −0 alike, so the lowest unit wins and rank 3 is the third: ds = x and −Δ x.
        let rows: [[f32; 4]; 4] = [[-0.0; 4], [0.0; 4], [-0.0, 0.0, -0.0, 0.0], [0.0; 4]];
        let (inputs, rule) = ([1.0, 0.5, 0.0, 2.0], Rule::new(p, 3, 0.5).unwrap());
        let layer = layer(&rows.each_ref().map(|row| &row[..]));
        let found = learn_once(&layer, rule, &Inputs::f32(&inputs, 4).unwrap(), 0.1);
        let mut exact = rows.concat().into_iter().map(f64::from).collect::<Vec<_>>();
        reference::minibatch(&rule, 4, &mut exact, &inputs.map(f64::from), f64::from(0.1_f32));
        let expected = [0.05, 0.025, 0.0, 0.1, 0.0, 0.0, 0.0, 0.0, -0.025, -0.0125, 0.0, -0.05, 0.0, 0.0, 0.0, 0.0];
        for ((found, exact), expected) in found.iter().zip(exact).zip(expected) {
            assert!((f64::from(*found) - expected).abs() <= 1e-8, "p {p}: {found} for {expected}");
            assert!((exact - expected).abs() <= 1e-8, "p {p}, reference: {exact} for {expected}");
        }
    }
}

#[test]
fn edges_of_k_batch_and_scale_are_those_of_the_reference() {
    for p in [1.0, 2.0, 2.5, 3.0, 4.0, 5.0] {
        for (hidden, inputs, batch, k) in [(2, 9, 5, 2), (6, 20, 1, 6), (17, 20, 1, 2), (40, 3, 60, 40), (3, 1, 4, 3)] {
            let layer = random_layer(12, hidden, inputs);
            let rule = Rule::new(p, k, 0.3).unwrap();
            let bytes = pixels(13, batch * inputs);
            let pixels = Inputs::u8(&bytes, inputs).unwrap();
            let scales = pixels.unit_length_scales();
            for view in [pixels, pixels.with_scales(&scales).unwrap()] {
                let scaled = |i: usize| f64::from(bytes[i]) * f64::from(view.scale(i / inputs));
                let examples: Vec<f64> = (0..bytes.len()).map(scaled).collect();
                let mut exact: Vec<f64> = layer.to_rows().into_iter().map(f64::from).collect();
                reference::minibatch(&rule, inputs, &mut exact, &examples, 0.02);
                for (found, exact) in learn_once(&layer, rule, &view, 0.02).into_iter().zip(exact) {
                    assert!((f64::from(found) - exact).abs() <= 2e-6, "{rule:?}, batch {batch}: {found} for {exact}");
                }
            }
        }
    }
}

#[test]
fn unit_length_is_what_the_scales_give() {
    let inputs = normals(14, 50 * 30);
    let view = Inputs::f32(&inputs, 30).unwrap();
    for (example, scale) in inputs.chunks_exact(30).zip(view.unit_length_scales()) {
        let length: f64 = example.iter().map(|x| (f64::from(*x) * f64::from(scale)).powi(2)).sum();
        assert!((length.sqrt() - 1.0).abs() <= 2.0 * ROUNDING);
    }
}

#[test]
fn a_sample_may_come_again_in_any_order() {
    let (layer, bytes) = (random_layer(15, 20, 30), pixels(16, 4 * 30));
    let rule = Rule::new(3.0, 2, 0.4).unwrap();
    let order = [2, 2, 0, 3, 0, 0, 1, 2, 3, 3, 3, 1];
    let copies: Vec<u8> = order.iter().flat_map(|sample| &bytes[sample * 30..][..30]).copied().collect();
    let order = order.map(|sample| sample as u32);
    let rates = Rates::Constant(0.05);
    let found = learn(&layer, rule, 6, &Inputs::u8(&bytes, 30).unwrap(), &order, rates);
    assert_eq!(found, learn(&layer, rule, 6, &Inputs::u8(&copies, 30).unwrap(), &in_order(12), rates));
    let other = learn(&layer, rule, 6, &Inputs::u8(&bytes, 30).unwrap(), &in_order(4).repeat(3), rates);
    assert_ne!(found.0, other.0);
}

#[test]
fn a_remainder_is_dropped_and_calls_continue_one_another() {
    let (layer, bytes) = (random_layer(17, 20, 30), pixels(18, 23 * 30));
    let rule = Rule::new(3.0, 7, 0.4).unwrap();
    let inputs = Inputs::u8(&bytes, 30).unwrap();
    let rates = Rates::Constant(0.05);
    let (whole, wins) = learn(&layer, rule, 5, &inputs, &in_order(23), rates);
    assert_eq!(wins.iter().sum::<u32>(), 20);
    assert_eq!(whole, learn(&layer, rule, 5, &inputs, &in_order(20), rates).0);
    assert_eq!(whole, learn(&layer, rule, 5, &inputs, &in_order(20), Rates::PerMinibatch(&[0.05; 4])).0);
    let half = Layer::from_rows(20, 30, &learn(&layer, rule, 5, &inputs, &in_order(10), rates).0).unwrap();
    assert_eq!(whole, learn(&half, rule, 5, &inputs, &in_order(20)[10..], rates).0);
}

#[test]
fn inputs_that_are_already_scaled_give_what_scales_give() {
    // Scales that are powers of two round nothing, so the two ways have the same bits.
    let (layer, values) = (random_layer(19, 20, 30), normals(20, 6 * 30));
    let scales = [0.5, 2.0, 0.25, 1.0, 4.0, 0.125];
    let scaled: Vec<f32> = values.iter().enumerate().map(|(i, x)| x * scales[i / 30]).collect();
    for p in NORMS {
        let rule = Rule::new(p, 3, 0.5).unwrap();
        let with = Inputs::f32(&values, 30).unwrap().with_scales(&scales).unwrap();
        let found = learn_once(&layer, rule, &with, 0.03);
        assert_eq!(bits(&found), bits(&learn_once(&layer, rule, &Inputs::f32(&scaled, 30).unwrap(), 0.03)));
    }
}

#[test]
fn with_delta_0_rank_k_need_not_exist_and_changes_no_bit() {
    for p in NORMS {
        let (layer, pixels) = (random_layer(9, 20, 30), pixels(10, 40 * 30));
        let inputs = Inputs::u8(&pixels, 30).unwrap();
        let learned = |k| {
            let rule = Rule::new(p, k, 0.0).unwrap();
            learn(&layer, rule, 10, &inputs, &in_order(40), Rates::Constant(0.1))
        };
        let expected = learned(2);
        for k in [7, 20, 21, 5000] {
            let found = learned(k);
            assert!(bits(&found.0) == bits(&expected.0) && found.1 == expected.1, "p {p}, k {k}");
        }
    }
}
