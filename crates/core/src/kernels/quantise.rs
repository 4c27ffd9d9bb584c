//! Two-level quantisation of a row of weights to int8, with the residuals measured.
//!
//! ```text
//! scale₁ = max |v| / levels;   coarse = round(v / scale₁);   e  = v − scale₁ · coarse
//! scale₂ = max |e| / levels;   second = round(e / scale₂);   e₂ = e − scale₂ · second
//! ```
//!
//! The error bounds of screening rest on max |e| and max |e₂|. Both are measured with the levels as they are written, so no
//! rounding of a scale or of a quotient can break a bound.

use super::{IntegerNorm, powered_by};
use crate::vector::{Integers, LANES, Lanes, Simd};

/// Rows whose largest magnitude is below are not quantised, nor those above [`LARGEST`]: their arithmetic could leave the range
/// of f32.
pub(crate) const SMALLEST: f32 = 1e-25;
/// See [`SMALLEST`].
pub(crate) const LARGEST: f32 = 1e25;

/// Sixteen int8 levels.
pub(crate) type LevelLanes = [i8; LANES];

/// Memory for quantising one row: the residual, then the coarse and the residual levels.
#[derive(Debug)]
pub(crate) struct QuantiseBuffers<'a> {
    pub(crate) residual: &'a mut [Lanes],
    pub(crate) levels: [&'a mut [LevelLanes]; 2],
}

/// The scales and the residuals of a quantised row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Quantised {
    /// The largest magnitude in the row, infinite for a row that is not quantised: its levels mean nothing.
    pub(crate) largest: f32,
    /// The scale of the coarse levels, and of the residual levels.
    pub(crate) scales: [f32; 2],
    /// The largest magnitude of the residual behind the coarse levels, and behind both.
    pub(crate) residual_max: [f32; 2],
    /// Sums over the residual behind the coarse levels.
    pub(crate) residual_stats: ResidualStats,
}

/// Sums over a residual e.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct ResidualStats {
    /// Σ e_i.
    pub(crate) sum: f32,
    /// (Σ e_i²)^½.
    pub(crate) norm: f32,
}

/// Writes both levels of a row, or of its powers, and the residual behind them.
#[inline(always)]
pub(crate) fn quantise<S: Integers>(
    simd: S,
    row: &[Lanes],
    power: Option<IntegerNorm>,
    to: QuantiseBuffers<'_>,
) -> Quantised {
    let QuantiseBuffers { residual, levels: [coarse, second] } = to;
    let largest = match power {
        None => copy::<S, 1>(simd, row, residual),
        Some(IntegerNorm::Three) => copy::<S, 3>(simd, row, residual),
        Some(IntegerNorm::Four) => copy::<S, 4>(simd, row, residual),
        Some(IntegerNorm::Five) => copy::<S, 5>(simd, row, residual),
    };
    if !(SMALLEST..=LARGEST).contains(&largest) {
        // A row of zeros has no residual. Of any other nothing is known.
        let largest = if largest == 0.0 { 0.0 } else { f32::INFINITY };
        coarse.fill([0; LANES]);
        second.fill([0; LANES]);
        let residual_stats = ResidualStats::default();
        return Quantised { largest, scales: [0.0; 2], residual_max: [0.0; 2], residual_stats };
    }
    let most = f32::from(S::MAX_LEVEL);
    let coarse_scale = largest / most;
    let coarse_max = quantise_level(simd, residual, coarse_scale, coarse);
    let residual_stats = stats(simd, residual, coarse_scale);
    // A row of one magnitude may have no residual at all.
    let second_scale = if coarse_max >= SMALLEST / 1e6 { coarse_max / most } else { 0.0 };
    let second_max = quantise_level(simd, residual, second_scale, second);
    Quantised { largest, scales: [coarse_scale, second_scale], residual_max: [coarse_max, second_max], residual_stats }
}

/// Copies a row, or its powers (P is the norm, 1 for none), and returns max |v|, or infinity if a number is not finite.
#[inline(always)]
fn copy<S: Simd, const P: u8>(simd: S, row: &[Lanes], to: &mut [Lanes]) -> f32 {
    let zero = simd.splat_f32x16(0.0);
    let (mut largest, mut alarm) = (zero, zero);
    for (from, to) in row.iter().zip(to) {
        let v = powered_by::<S, P>(simd, simd.load_f32x16(from));
        simd.store_f32x16(v, to);
        largest = simd.max_f32x16(simd.abs_f32x16(v), largest);
        // 0 · v is 0 for a finite number and NaN for any other. A maximum could miss a NaN.
        alarm = simd.fma_f32x16(v, zero, alarm);
    }
    if simd.reduce_sum_f32x16(alarm) == 0.0 { simd.reduce_max_f32x16(largest) } else { f32::INFINITY }
}

/// Writes one level of a row, replaces the row by the residual, and returns its largest magnitude. A scale of 0 gives
/// levels of 0.
#[inline(always)]
fn quantise_level<S: Integers>(simd: S, row: &mut [Lanes], scale: f32, levels: &mut [LevelLanes]) -> f32 {
    let most = f32::from(S::MAX_LEVEL);
    let (most, least) = (simd.splat_f32x16(most), simd.splat_f32x16(-most));
    let inverse = simd.splat_f32x16(if scale > 0.0 { 1.0 / scale } else { 0.0 });
    let minus_scale = simd.splat_f32x16(-scale);
    let mut largest = simd.splat_f32x16(0.0);
    for (lanes, levels) in row.iter_mut().zip(levels) {
        let v = simd.load_f32x16(lanes);
        let level = simd.round_f32x16(simd.mul_f32x16(v, inverse));
        let level = simd.max_f32x16(simd.min_f32x16(level, most), least);
        let residual = simd.fma_f32x16(minus_scale, level, v);
        largest = simd.max_f32x16(simd.abs_f32x16(residual), largest);
        simd.store_f32x16(residual, lanes);
        simd.store_i8x16(level, levels);
    }
    simd.reduce_max_f32x16(largest)
}

/// Sums over a residual. In units of the scale, since the squares of the smallest rows would underflow.
#[inline(always)]
fn stats<S: Simd>(simd: S, residual: &[Lanes], scale: f32) -> ResidualStats {
    let inverse = simd.splat_f32x16(1.0 / scale);
    let (mut sum, mut squares) = (simd.splat_f32x16(0.0), simd.splat_f32x16(0.0));
    for lanes in residual {
        let e = simd.mul_f32x16(simd.load_f32x16(lanes), inverse);
        sum = simd.add_f32x16(sum, e);
        squares = simd.fma_f32x16(e, e, squares);
    }
    ResidualStats { sum: scale * simd.reduce_sum_f32x16(sum), norm: scale * simd.reduce_sum_f32x16(squares).sqrt() }
}
