//! The k best units against a stable sort, with many ties, both zeros, NaN and infinities.

mod common;

use common::{assert_panics, spec, wholes};
use rivalry_core::{Kernels, TopK};

const SCORES: [f32; 9] = [-1.0, -0.0, 0.0, 1.0, f32::NAN, f32::NEG_INFINITY, f32::INFINITY, 1e-45, 2.0];

/// Random scores, of which the first `variety` of [`SCORES`] occur: few, so that most are equal.
fn scores(seed: u64, count: usize, variety: usize) -> Vec<f32> {
    wholes(seed, count, 1000).into_iter().map(|n| SCORES[(n + 1000.0) as usize % variety]).collect()
}

/// Scores of [examples × units] in rows of whole vectors; what is behind them would win if it were read.
fn rows(scores: &[f32], units: usize, stride: usize) -> Vec<[f32; 16]> {
    let mut rows = Vec::new();
    for scores in scores.chunks_exact(units) {
        let mut row = vec![[f32::INFINITY; 16]; stride];
        row.as_flattened_mut()[..units].copy_from_slice(scores);
        rows.extend(row);
    }
    rows
}

fn assert_ranks(kernels: &Kernels, lists: &TopK, example: usize, k: usize, first_unit: u32, scores: &[f32]) {
    let mut expected = spec::ranks(scores);
    expected.iter_mut().for_each(|(_, unit)| *unit += first_unit);
    expected.resize(k, (f32::NEG_INFINITY, TopK::NONE));
    let found: Vec<(f32, u32)> = lists.list(example).collect();
    let bits = |list: &[(f32, u32)]| list.iter().map(|(score, unit)| (score.to_bits(), *unit)).collect::<Vec<_>>();
    let place = || format!("{}, k {k}, example {example}", kernels.name());
    assert_eq!(bits(&found), bits(&expected), "{}: {found:?} for {expected:?} of {scores:?}", place());
}

#[test]
fn lists_are_those_of_a_stable_sort() {
    for kernels in Kernels::all() {
        for k in 1..=12 {
            for units in (1..=35_usize).chain([95, 96, 97]) {
                for (seed, variety) in [2, 3, 4, 6, 9].into_iter().enumerate() {
                    let (examples, stride) = (3, units.div_ceil(16) + 1);
                    let scores = scores(seed as u64, examples * units, variety);
                    let mut lists = TopK::new(examples, k);
                    lists.push(kernels, &rows(&scores, units, stride), stride, units, 100);
                    for (example, scores) in scores.chunks_exact(units).enumerate() {
                        assert_ranks(kernels, &lists, example, k, 100, scores);
                    }
                }
            }
        }
    }
}

#[test]
fn blocks_of_units_add_up_and_clearing_forgets() {
    for kernels in Kernels::all() {
        for k in [1, 2, 7, 12] {
            let mut lists = TopK::new(1, k);
            for seed in 0..20 {
                lists.clear();
                let scores = scores(seed, 200, 9);
                let mut first = 0;
                for units in [1, 16, 17, 96, 3, 67] {
                    let block = rows(&scores[first..first + units], units, units.div_ceil(16));
                    lists.push(kernels, &block, units.div_ceil(16), units, first as u32);
                    first += units;
                }
                assert_ranks(kernels, &lists, 0, k, 0, &scores);
            }
        }
    }
}

#[test]
fn distinct_scores_in_every_order_are_sorted() {
    for kernels in Kernels::all() {
        for step in [1, 2, 4, 7, 11, 19, 35] {
            // 37 is prime: the multiples of a step run through all numbers in another order.
            let scores: Vec<f32> = (0..37).map(|i| (i * step % 37) as f32 - 18.0).collect();
            let mut lists = TopK::new(1, 12);
            lists.push(kernels, &rows(&scores, 37, 3), 3, 37, 0);
            assert_ranks(kernels, &lists, 0, 12, 0, &scores);
        }
    }
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let kernels = Kernels::best();
    assert_panics("a list of nobody", || drop(TopK::new(1, 0)));
    assert_panics("more units than lanes", || TopK::new(1, 2).push(kernels, &[[0.0; 16]], 1, 17, 0));
    assert_panics("no stride", || TopK::new(1, 2).push(kernels, &[], 0, 0, 0));
    assert_panics("more rows than lists", || TopK::new(1, 2).push(kernels, &[[0.0; 16]; 2], 1, 16, 0));
}
