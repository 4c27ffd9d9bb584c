//! The weight change of one active row: its largest magnitude, then its application.
//!
//! ```text
//! d  = Σ fma(coefficient, x, d)      examples in order; coefficient = g·c
//! ds = fma(−a, w, d)                 a = Σ g·I
//! w  = fma(t, ds, w)                 t = ε / max |ds| over all rows; magnitudes below a threshold become 0
//! ```
//!
//! 1. A tile of four vectors of d stays in registers over all examples of the row.
//! 2. ds is computed twice, for its maximum and to apply it. That costs less than to write it to memory and read it back.

use super::{Element, vector};
use crate::vector::{Lanes, Simd};

/// Vectors of ds that are built side by side.
const TILE: usize = 4;

/// Returns max |ds| of one row, or NaN if a ds is not finite. `inputs` are all examples, [samples × row.inputs].
#[inline(always)]
pub(crate) fn change<S: Simd, E: Element>(simd: S, row: ActiveRow<'_>, inputs: &[E], weights: &[Lanes]) -> f32 {
    let zero = simd.splat_f32x16(0.0);
    let mut largest = zero;
    // The sum of 0 · ds is 0 if every ds is finite, and NaN otherwise. A maximum could miss a NaN.
    let mut alarm = zero;
    for (tile, weights) in weights.chunks(TILE).enumerate() {
        for ds in changes(simd, row, inputs, weights, tile).into_iter().take(weights.len()) {
            largest = simd.max_f32x16(simd.abs_f32x16(ds), largest);
            alarm = simd.fma_f32x16(ds, zero, alarm);
        }
    }
    simd.reduce_max_f32x16(largest) + simd.reduce_sum_f32x16(alarm)
}

/// Applies the changes of one row.
#[inline(always)]
pub(crate) fn apply<S: Simd, E: Element>(
    simd: S,
    row: ActiveRow<'_>,
    inputs: &[E],
    step: UpdateStep,
    weights: &mut [Lanes],
) {
    let UpdateStep { size, smallest } = step;
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
pub(crate) struct UpdateStep {
    /// ε / max |ds|.
    pub(crate) size: f32,
    /// The smallest magnitude of a weight that is kept. Smaller ones become 0.
    pub(crate) smallest: f32,
}

/// The contribution of one example to the change of a row.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Contribution {
    /// The index of the example among the inputs.
    pub(crate) example: u32,
    /// g·c, with g = 1 for rank 1 and −Δ for rank k, and c the scale of the example.
    pub(crate) coefficient: f32,
}

/// A row that is rank 1 or rank k for some example.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ActiveRow<'a> {
    /// The contributions of its examples, in their order in the minibatch.
    pub(crate) contributions: &'a [Contribution],
    /// a = Σ g·I.
    pub(crate) decay: f32,
    /// Elements from one example to the next.
    pub(crate) inputs: usize,
}
