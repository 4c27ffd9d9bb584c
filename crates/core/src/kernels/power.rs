//! w′ = sgn(w) |w|^(p−1), the weights that the currents of Lebesgue norm p are made with, for p = 3, 4, 5.
//!
//! Every other p goes through [`power_real`], one weight at a time in f64, the same bits everywhere.

use crate::vector::{Lanes, Simd};

/// Writes w′ for p = 3 (w·|w|), p = 4 (w·(w·w)) or p = 5 ((w·|w|)·(w·w)).
#[inline(always)]
pub(crate) fn power<S: Simd>(simd: S, p: IntegerNorm, weights: &[Lanes], powers: &mut [Lanes]) {
    for (w, out) in weights.iter().zip(powers) {
        simd.store_f32x16(powered(simd, p, simd.load_f32x16(w)), out);
    }
}

/// w′ of sixteen weights.
#[inline(always)]
pub(crate) fn powered<S: Simd>(simd: S, p: IntegerNorm, w: S::F32x16) -> S::F32x16 {
    match p {
        IntegerNorm::Three => simd.mul_f32x16(w, simd.abs_f32x16(w)),
        IntegerNorm::Four => simd.mul_f32x16(w, simd.mul_f32x16(w, w)),
        IntegerNorm::Five => simd.mul_f32x16(simd.mul_f32x16(w, simd.abs_f32x16(w)), simd.mul_f32x16(w, w)),
    }
}

/// As [`powered`], of a norm P that is known when this is compiled; of any other P the weights as they are.
#[inline(always)]
pub(crate) fn powered_by<S: Simd, const P: u8>(simd: S, w: S::F32x16) -> S::F32x16 {
    match P {
        3 => powered(simd, IntegerNorm::Three, w),
        4 => powered(simd, IntegerNorm::Four, w),
        5 => powered(simd, IntegerNorm::Five, w),
        _ => w,
    }
}

/// The norms whose powers are multiplications.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IntegerNorm {
    /// p = 3.
    Three,
    /// p = 4.
    Four,
    /// p = 5.
    Five,
}

/// w′ of one weight for any p ≥ 1; sgn 0 = 0.
pub(crate) fn power_real(w: f32, p: f64) -> f32 {
    if w == 0.0 { 0.0 } else { libm::copysign(libm::pow(f64::from(w.abs()), p - 1.0), f64::from(w)) as f32 }
}
