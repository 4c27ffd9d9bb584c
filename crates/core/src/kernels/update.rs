//! The weight change of one active row, ds = Σ_examples g·x − (Σ g·I)·w, its largest magnitude, and its application.
//!
//! Plainly, examples in increasing order: d = fma(g·c, x, d) from +0; then ds = fma(−a, w, d) with a = Σ g·I. Applying is
//! w = fma(t, ds, w). A tile of four vectors of d stays in registers over all examples of the row.

use super::stage::{Element, vector};
use crate::vector::{Lanes, Simd};

/// Vectors of ds that are built side by side.
const TILE: usize = 4;

/// Builds ds of one row and returns max |ds|, or NaN if a ds is not finite. `inputs` are all examples, [samples × row.inputs].
#[inline(always)]
pub(crate) fn change<S: Simd, E: Element>(simd: S, row: ActiveRow<'_>, inputs: &[E], change: &mut [Lanes]) -> f32 {
    let ActiveRow { weights, pulls, decay, inputs: width } = row;
    let zero = simd.splat_f32x16(0.0);
    let minus_decay = simd.splat_f32x16(-decay);
    let mut largest = zero;
    // 0 · ds summed: 0 while every ds is a number, NaN for ever after one that is not, which a maximum would overlook.
    let mut alarm = zero;
    let mut i = 0;
    while i < weights.len() {
        let tile = TILE.min(weights.len() - i);
        let mut d = [zero; TILE];
        for of in pulls {
            let example = &inputs[of.example as usize * width..][..width];
            let strength = simd.splat_f32x16(of.strength);
            for (j, d) in d.iter_mut().enumerate().take(tile) {
                *d = simd.fma_f32x16(strength, vector(simd, example, i + j), *d);
            }
        }
        for (j, d) in d.iter().enumerate().take(tile) {
            let ds = simd.fma_f32x16(minus_decay, simd.load_f32x16(&weights[i + j]), *d);
            largest = simd.max_f32x16(simd.abs_f32x16(ds), largest);
            alarm = simd.fma_f32x16(ds, zero, alarm);
            simd.store_f32x16(ds, &mut change[i + j]);
        }
        i += TILE;
    }
    let mut lanes = [0.0; 16];
    simd.store_f32x16(largest, &mut lanes);
    lanes.into_iter().fold(0.0, f32::max) + simd.sum_f32x16(alarm)
}

/// How strongly one example pulls a row: g·c.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Pull {
    /// The index of the example among the inputs.
    pub(crate) example: u32,
    /// g·c, with g = 1 for rank 1 and −Δ for rank k, and c the scale of the example.
    pub(crate) strength: f32,
}

/// A row that is rank 1 or rank k for some example, before the update.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ActiveRow<'a> {
    /// The weights w.
    pub(crate) weights: &'a [Lanes],
    /// The examples that pull it, in increasing order of their place in the minibatch.
    pub(crate) pulls: &'a [Pull],
    /// a = Σ g·I.
    pub(crate) decay: f32,
    /// The length of an example.
    pub(crate) inputs: usize,
}

/// w = fma(t, ds, w).
#[inline(always)]
pub(crate) fn apply<S: Simd>(simd: S, step: f32, change: &[Lanes], weights: &mut [Lanes]) {
    let step = simd.splat_f32x16(step);
    for (ds, w) in change.iter().zip(weights) {
        simd.store_f32x16(simd.fma_f32x16(step, simd.load_f32x16(ds), simd.load_f32x16(w)), w);
    }
}
