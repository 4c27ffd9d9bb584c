//! The weight change of one active row, ds = Σ_examples g·x − (Σ g·I)·w, its largest magnitude, and its application.
//!
//! Plainly, examples in increasing order: d = fma(g·c, x, d) from +0; then ds = fma(−a, w, d) with a = Σ g·I. Applying is
//! w = fma(t, ds, w), and 0 for a weight that became too small to matter. A tile of four vectors of d stays in registers over all examples of the row. ds is computed twice, for
//! its maximum and to apply it: that costs less than to write it down and read it again.

use super::stage::{Element, vector};
use crate::vector::{Lanes, Simd};

/// Vectors of ds that are built side by side.
const TILE: usize = 4;

/// Returns max |ds| of one row, or NaN if a ds is not finite. `inputs` are all examples, [samples × row.inputs].
#[inline(always)]
pub(crate) fn change<S: Simd, E: Element>(simd: S, row: ActiveRow<'_>, inputs: &[E], weights: &[Lanes]) -> f32 {
    let zero = simd.splat_f32x16(0.0);
    let mut largest = zero;
    // 0 · ds summed: 0 while every ds is a number, NaN for ever after one that is not, which a maximum would overlook.
    let mut alarm = zero;
    for (tile, weights) in weights.chunks(TILE).enumerate() {
        for ds in changes(simd, row, inputs, weights, tile).into_iter().take(weights.len()) {
            largest = simd.max_f32x16(simd.abs_f32x16(ds), largest);
            alarm = simd.fma_f32x16(ds, zero, alarm);
        }
    }
    simd.largest_f32x16(largest) + simd.sum_f32x16(alarm)
}

/// Applies the changes of one row.
#[inline(always)]
pub(crate) fn apply<S: Simd, E: Element>(simd: S, row: ActiveRow<'_>, inputs: &[E], step: Step, weights: &mut [Lanes]) {
    let Step { size, smallest } = step;
    let size = simd.splat_f32x16(size);
    for (tile, weights) in weights.chunks_mut(TILE).enumerate() {
        let changes = changes(simd, row, inputs, weights, tile);
        for (ds, w) in changes.into_iter().zip(weights) {
            let changed = simd.fma_f32x16(size, ds, simd.load_f32x16(w));
            simd.store_f32x16(simd.flush_f32x16(changed, smallest), w);
        }
    }
}

/// ds of tile number `tile` of a row, whose weights there are given.
#[inline(always)]
fn changes<S: Simd, E: Element>(
    simd: S,
    row: ActiveRow<'_>,
    inputs: &[E],
    weights: &[Lanes],
    tile: usize,
) -> [S::F32x16; TILE] {
    let mut d = [simd.splat_f32x16(0.0); TILE];
    for of in row.contributions {
        let example = &inputs[of.example as usize * row.inputs..][..row.inputs];
        let coefficient = simd.splat_f32x16(of.coefficient);
        for (j, d) in d.iter_mut().enumerate().take(weights.len()) {
            *d = simd.fma_f32x16(coefficient, vector(simd, example, tile * TILE + j), *d);
        }
    }
    let minus_decay = simd.splat_f32x16(-row.decay);
    for (d, w) in d.iter_mut().zip(weights) {
        *d = simd.fma_f32x16(minus_decay, simd.load_f32x16(w), *d);
    }
    d
}

/// How the changes of a minibatch are applied.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    /// ε / max |ds|.
    pub(crate) size: f32,
    /// The smallest magnitude of a weight that is not taken for 0.
    pub(crate) smallest: f32,
}

/// How strongly one example pulls a row: g·c.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Contribution {
    /// The index of the example among the inputs.
    pub(crate) example: u32,
    /// g·c, with g = 1 for rank 1 and −Δ for rank k, and c the scale of the example.
    pub(crate) coefficient: f32,
}

/// What pulls a row that is rank 1 or rank k for some example.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ActiveRow<'a> {
    /// The examples that pull it, in increasing order of their place in the minibatch.
    pub(crate) contributions: &'a [Contribution],
    /// a = Σ g·I.
    pub(crate) decay: f32,
    /// The length of an example.
    pub(crate) inputs: usize,
}
