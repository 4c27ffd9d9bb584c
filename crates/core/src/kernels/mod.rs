//! The bodies of the kernels, generic over the vector operations of [`crate::vector`], compiled once per instruction set.
//!
//! | file | computes |
//! |---|---|
//! | this one | inputs as vectors of f32; the powers w′ |
//! | `gemm_nt` | X Wᵀ in tiles; the products of a few rows with one example; the machine's peak |
//! | `gemm_tn` | δᵀ X, written down or handed to Adam |
//! | `elementwise` | rectified powers, the power loss, Adam |
//! | `dynamics` | the logistic function and its change |
//! | `strips` | X W and W += Xᵀ δ with W in strips of sixteen units, a step of clipped states |
//! | `quantise`, `pack` | weights as int8 levels, pixels as lists of non-zero groups |
//! | `screen` | int8 scores with their error bounds |
//! | `select` | top k, distinct maxima, units above a threshold |
//! | `update` | the weight change of one row |
//!
//! All of it is `#[inline(always)]` and free of closures: only the entry function of a table in `isa` is compiled with the
//! instructions enabled, so a body has to be inlined into it. What is not inlined would run without them.
#![forbid(unsafe_code)]

pub(crate) mod dynamics;
pub(crate) mod elementwise;
pub(crate) mod gemm_nt;
pub(crate) mod gemm_tn;
pub(crate) mod pack;
pub(crate) mod quantise;
pub(crate) mod screen;
pub(crate) mod select;
pub(crate) mod strips;
pub(crate) mod update;

#[cfg(test)]
pub(crate) mod tests;

use crate::vector::{LANES, Lanes, Simd};

/// The type of an input: u8 or f32.
pub(crate) trait Element: Copy {
    /// Sixteen inputs as f32, exactly.
    fn load<S: Simd>(simd: S, from: &[Self; LANES]) -> S::F32x16;
    /// Zero.
    const ZERO: Self;
}

impl Element for u8 {
    #[inline(always)]
    fn load<S: Simd>(simd: S, from: &[u8; LANES]) -> S::F32x16 {
        simd.load_u8x16(from)
    }
    const ZERO: u8 = 0;
}

impl Element for f32 {
    #[inline(always)]
    fn load<S: Simd>(simd: S, from: &[f32; LANES]) -> S::F32x16 {
        simd.load_f32x16(from)
    }
    const ZERO: f32 = 0.0;
}

/// Loads vector `i` of an example, with zeros behind its end.
#[inline(always)]
pub(crate) fn vector<S: Simd, E: Element>(simd: S, example: &[E], i: usize) -> S::F32x16 {
    let rest = &example[i * LANES..];
    match rest.first_chunk() {
        Some(vector) => E::load(simd, vector),
        None => {
            let mut padded = [E::ZERO; LANES];
            padded[..rest.len()].copy_from_slice(rest);
            E::load(simd, &padded)
        }
    }
}

/// Copies one example into a padded row, as f32.
#[inline(always)]
pub(crate) fn stage<S: Simd, E: Element>(simd: S, example: &[E], row: &mut [Lanes]) {
    for (i, lanes) in row.iter_mut().enumerate() {
        simd.store_f32x16(vector(simd, example, i), lanes);
    }
}

/// Prefetches every cache line of some memory.
#[inline(always)]
pub(crate) fn prefetch<S: Simd>(simd: S, memory: &[u8]) {
    for line in memory.chunks(64) {
        simd.prefetch(line.as_ptr().cast());
    }
}

/// Writes w′ = sgn(w) |w|^(p−1), the weights that currents of Lebesgue norm p are made with: w·|w| for p = 3, w·(w·w) for p = 4,
/// (w·|w|)·(w·w) for p = 5.
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

/// As [`powered`], with a norm P that is known at compile time; the weights as they are for any other P.
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

/// w′ of one weight for any p ≥ 1, through f64, with the same bits everywhere; sgn 0 = 0.
pub(crate) fn power_real(w: f32, p: f64) -> f32 {
    if w == 0.0 { 0.0 } else { libm::copysign(libm::pow(f64::from(w.abs()), p - 1.0), f64::from(w)) as f32 }
}
