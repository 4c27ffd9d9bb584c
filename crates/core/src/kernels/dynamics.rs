//! Elementwise kernels of networks whose units have dynamics: the logistic function and its change.
//!
//! They use only operations with one rounding and the exponential of [`super::elementwise`], so the results have the same bits
//! on every instruction set.

use super::elementwise::{exp, exp_minus_1};
use crate::vector::{Lanes, Simd};

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
