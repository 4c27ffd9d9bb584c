//! What several test files share: seeded numbers, comparison of bits, learning in one line.

#![allow(dead_code, reason = "every test file uses a part of it")]

pub(crate) mod spec;

use rivalry_core::{Compute, Inputs, Kernels, Layer, Learner, Matrix, Random, Rates, Rule};

/// The largest relative error of one rounding to f32.
pub(crate) const ROUNDING: f64 = 1.0 / (1 << 24) as f64;

/// The relative error of `operations` roundings one after another (Higham's γ).
pub(crate) fn gamma(operations: f64) -> f64 {
    operations * ROUNDING / (1.0 - operations * ROUNDING)
}

/// A bit pattern of NaN that no arithmetic makes: whoever writes over it is seen.
pub(crate) const CANARY: u32 = 0x7fc0_dead;

/// Normally distributed numbers.
pub(crate) fn normals(seed: u64, count: usize) -> Vec<f32> {
    let mut random = Random::keyed(seed, "synthetic", 0);
    (0..count).map(|_| random.normal() as f32).collect()
}

/// Random pixels, a third of them 0.
pub(crate) fn pixels(seed: u64, count: usize) -> Vec<u8> {
    let mut random = Random::keyed(seed, "synthetic", 0);
    (0..count).map(|_| random.next_u64()).map(|bits| if bits % 3 == 0 { 0 } else { (bits >> 32) as u8 }).collect()
}

/// Random integers −limit … limit.
pub(crate) fn wholes(seed: u64, count: usize, limit: u64) -> Vec<f32> {
    let mut random = Random::keyed(seed, "synthetic", 0);
    (0..count).map(|_| (random.next_u64() % (2 * limit + 1)) as f32 - limit as f32).collect()
}

/// A matrix of values given row by row.
pub(crate) fn matrix(rows: usize, columns: usize, values: &[f32]) -> Matrix {
    let mut matrix = Matrix::zeros(rows, columns);
    for row in 0..rows {
        matrix.row_mut(row).copy_from_slice(&values[row * columns..][..columns]);
    }
    matrix
}

/// The bits of floats, so that −0 differs from +0 and NaN equals itself.
pub(crate) fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Asserts that something panics, as its documentation says.
pub(crate) fn assert_panics(what: &str, action: impl FnOnce()) {
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(action));
    assert!(outcome.is_err(), "{what} did not panic");
}

/// A layer of given rows.
pub(crate) fn layer(rows: &[&[f32]]) -> Layer {
    Layer::from_rows(rows.len(), rows[0].len(), &rows.concat()).unwrap()
}

/// What a layer learns, and how often each unit won: on every instruction set and with several numbers of threads, which
/// must agree to the bit.
pub(crate) fn learn(
    layer: &Layer,
    rule: Rule,
    batch: usize,
    inputs: &Inputs<'_>,
    order: &[u32],
    rates: Rates<'_>,
) -> (Vec<f32>, Vec<u32>) {
    let mut first: Option<(Vec<f32>, Vec<u32>)> = None;
    for kernels in Kernels::all() {
        for threads in [1, 3] {
            let compute = Compute::new(Some(threads), kernels).unwrap();
            let mut learner = Learner::new(layer.clone(), rule, batch, &compute).unwrap();
            learner.learn(&compute, inputs, order, rates).unwrap();
            let found = (learner.layer().to_rows(), learner.wins());
            match &first {
                None => first = Some(found),
                Some(first) => {
                    assert_eq!(bits(&first.0), bits(&found.0), "{} with {threads} threads", kernels.name());
                    assert_eq!(first.1, found.1, "wins, {} with {threads} threads", kernels.name());
                }
            }
        }
    }
    first.unwrap()
}

/// As [`learn`], one minibatch of all samples in their order.
pub(crate) fn learn_once(layer: &Layer, rule: Rule, inputs: &Inputs<'_>, rate: f32) -> Vec<f32> {
    let order: Vec<u32> = (0..inputs.samples() as u32).collect();
    learn(layer, rule, order.len(), inputs, &order, Rates::Constant(rate)).0
}
