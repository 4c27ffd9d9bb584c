//! Elementwise kernels of networks whose units have dynamics: the logistic function, its change, one step of clipped states.
//!
//! They use only operations with one rounding and the exponential of [`super::elementwise`], so the results have the same bits
//! on every instruction set.

use super::elementwise::{exp, exp_minus_1};
use crate::vector::{LANES, Lanes, Simd};

/// φ(v) = 1 / (1 + exp(−v)).
#[inline(always)]
pub(crate) fn logistic<S: Simd>(simd: S, values: &[Lanes], rates: &mut [Lanes]) {
    let (zero, one) = (simd.splat_f32x16(0.0), simd.splat_f32x16(1.0));
    for (values, rates) in values.iter().zip(rates) {
        let e = exp(simd, simd.sub_f32x16(zero, simd.load_f32x16(values)));
        simd.store_f32x16(simd.div_f32x16(one, simd.add_f32x16(one, e)), rates);
    }
}

/// φ(v + d) and φ(v + d) − φ(v), the latter in place of d.
///
/// The difference is (1 − exp(−d)) (1 − φ(v)) φ(v + d). Nothing cancels, so it keeps the relative accuracy of d, however small
/// that is.
#[inline(always)]
pub(crate) fn logistic_change<S: Simd>(simd: S, values: &[Lanes], changes: &mut [Lanes], rates: &mut [Lanes]) {
    let (zero, one) = (simd.splat_f32x16(0.0), simd.splat_f32x16(1.0));
    for ((values, changes), rates) in values.iter().zip(changes).zip(rates) {
        let (v, d) = (simd.load_f32x16(values), simd.load_f32x16(changes));
        let before = exp(simd, simd.sub_f32x16(zero, v));
        let after = exp(simd, simd.sub_f32x16(zero, simd.add_f32x16(v, d)));
        let rate = simd.div_f32x16(one, simd.add_f32x16(one, after));
        let rest = simd.div_f32x16(before, simd.add_f32x16(one, before));
        let growth = exp_minus_1(simd, simd.sub_f32x16(zero, d));
        // Smaller than 1 first, so that the product stays in range.
        let fall = simd.mul_f32x16(simd.mul_f32x16(growth, rest), rate);
        simd.store_f32x16(rate, rates);
        simd.store_f32x16(simd.sub_f32x16(zero, fall), changes);
    }
}

/// The constants of a step of clipped states.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClippedStep {
    /// ε, the size of the step.
    pub epsilon: f32,
    /// The factor of the state's own decay.
    pub leak: f32,
}

/// Writes clip(s + ε (drive + bias − leak · s), 0, 1) and returns the largest |change|.
#[inline(always)]
pub(crate) fn clipped_step<S: Simd>(
    simd: S,
    step: ClippedStep,
    state: &[Lanes],
    currents: [&[Lanes]; 2],
    next: &mut [Lanes],
) -> f32 {
    let (zero, one) = (simd.splat_f32x16(0.0), simd.splat_f32x16(1.0));
    let (epsilon, minus_leak) = (simd.splat_f32x16(step.epsilon), simd.splat_f32x16(-step.leak));
    let mut largest = zero;
    for (((state, drive), bias), next) in state.iter().zip(currents[0]).zip(currents[1]).zip(next) {
        let s = simd.load_f32x16(state);
        let current = simd.add_f32x16(simd.load_f32x16(drive), simd.load_f32x16(bias));
        let moved = simd.fma_f32x16(epsilon, simd.fma_f32x16(minus_leak, s, current), s);
        // The maximum is its second operand where one is NaN or both are zeros, so −0 does not stay.
        let clipped = simd.min_f32x16(simd.max_f32x16(moved, zero), one);
        largest = simd.max_f32x16(simd.abs_f32x16(simd.sub_f32x16(clipped, s)), largest);
        simd.store_f32x16(clipped, next);
    }
    let mut lanes = [0.0; LANES];
    simd.store_f32x16(largest, &mut lanes);
    lanes.into_iter().fold(0.0, f32::max)
}
