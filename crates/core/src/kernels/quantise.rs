//! A row of weights as a sum of whole numbers times a step, and how far off that is at most.
//!
//! Plainly: step = max|v| / levels; digit = the nearest whole number to v / step; rest = v − step · digit. The rest is
//! quantised again, by its own largest magnitude. What is left is measured, not assumed.

use super::power::{IntegerNorm, powered_by};
use crate::vector::{Integers, LANES, Lanes, Simd};

/// Rows whose largest magnitude is outside are not quantised: their arithmetic could leave the range of f32.
pub(crate) const SMALLEST: f32 = 1e-25;
/// See [`SMALLEST`].
pub(crate) const LARGEST: f32 = 1e25;

/// Sixteen digits.
pub(crate) type LevelLanes = [i8; LANES];

/// Memory for quantising one row: what the digits leave, and the two digits.
#[derive(Debug)]
pub(crate) struct QuantiseBuffers<'a> {
    pub(crate) residual: &'a mut [Lanes],
    pub(crate) digits: [&'a mut [LevelLanes]; 2],
}

/// What the digits of a row stand for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Quantised {
    /// The largest magnitude in the row, infinite for a row that is not quantised: its digits mean nothing.
    pub(crate) largest: f32,
    /// The value of 1 in each digit.
    pub(crate) scales: [f32; 2],
    /// The largest magnitude of what is left of the row behind each digit.
    pub(crate) residual_max: [f32; 2],
    /// What is left behind the first digit, altogether.
    pub(crate) residual_stats: ResidualStats,
}

/// Two sums over numbers e.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct ResidualStats {
    /// Σ e_i.
    pub(crate) sum: f32,
    /// (Σ e_i²)^½.
    pub(crate) norm: f32,
}

/// Writes the two digits of a row, or of its powers, and what they leave.
#[inline(always)]
pub(crate) fn quantise<S: Integers>(
    simd: S,
    row: &[Lanes],
    power: Option<IntegerNorm>,
    to: QuantiseBuffers<'_>,
) -> Quantised {
    let QuantiseBuffers { residual: rest, digits: [first, second] } = to;
    let largest = match power {
        None => copy::<S, 1>(simd, row, rest),
        Some(IntegerNorm::Three) => copy::<S, 3>(simd, row, rest),
        Some(IntegerNorm::Four) => copy::<S, 4>(simd, row, rest),
        Some(IntegerNorm::Five) => copy::<S, 5>(simd, row, rest),
    };
    if !(SMALLEST..=LARGEST).contains(&largest) {
        // A row of zeros has nothing left; of any other nothing is known.
        let largest = if largest == 0.0 { 0.0 } else { f32::INFINITY };
        first.fill([0; LANES]);
        second.fill([0; LANES]);
        return Quantised {
            largest,
            scales: [0.0; 2],
            residual_max: [0.0; 2],
            residual_stats: ResidualStats::default(),
        };
    }
    let levels = f32::from(S::MAX_LEVEL);
    let coarse = largest / levels;
    let left = digit(simd, rest, coarse, first);
    let spread = spread(simd, rest, coarse);
    // A row of one magnitude may leave nothing at all.
    let fine = if left >= SMALLEST / 1e6 { left / levels } else { 0.0 };
    let last = digit(simd, rest, fine, second);
    Quantised { largest, scales: [coarse, fine], residual_max: [left, last], residual_stats: spread }
}

/// Copies a row, or its powers (P is the norm, 1 for none), and returns max |v|, NaN and infinity becoming infinity.
#[inline(always)]
fn copy<S: Simd, const P: u8>(simd: S, row: &[Lanes], to: &mut [Lanes]) -> f32 {
    let zero = simd.splat_f32x16(0.0);
    let (mut largest, mut alarm) = (zero, zero);
    for (from, to) in row.iter().zip(to) {
        let v = powered_by::<S, P>(simd, simd.load_f32x16(from));
        simd.store_f32x16(v, to);
        largest = simd.max_f32x16(simd.abs_f32x16(v), largest);
        // 0 for a number, NaN for anything else, which a maximum could overlook.
        alarm = simd.fma_f32x16(v, zero, alarm);
    }
    if simd.sum_f32x16(alarm) == 0.0 { simd.largest_f32x16(largest) } else { f32::INFINITY }
}

/// Writes one digit of a row, leaves the rest in its place, and returns the largest magnitude of that. A step of 0 gives
/// digits 0.
#[inline(always)]
fn digit<S: Integers>(simd: S, row: &mut [Lanes], step: f32, digits: &mut [LevelLanes]) -> f32 {
    let levels = f32::from(S::MAX_LEVEL);
    let (most, least) = (simd.splat_f32x16(levels), simd.splat_f32x16(-levels));
    let inverse = simd.splat_f32x16(if step > 0.0 { 1.0 / step } else { 0.0 });
    let minus_step = simd.splat_f32x16(-step);
    let mut largest = simd.splat_f32x16(0.0);
    for (lanes, digits) in row.iter_mut().zip(digits) {
        let v = simd.load_f32x16(lanes);
        let whole = simd.round_f32x16(simd.mul_f32x16(v, inverse));
        let whole = simd.max_f32x16(simd.min_f32x16(whole, most), least);
        let left = simd.fma_f32x16(minus_step, whole, v);
        largest = simd.max_f32x16(simd.abs_f32x16(left), largest);
        simd.store_f32x16(left, lanes);
        simd.store_i8x16(whole, digits);
    }
    simd.largest_f32x16(largest)
}

/// Sums what a step has left of a row; in steps, since squares of the smallest rows would be 0.
#[inline(always)]
fn spread<S: Simd>(simd: S, rest: &[Lanes], step: f32) -> ResidualStats {
    let inverse = simd.splat_f32x16(1.0 / step);
    let (mut sum, mut squares) = (simd.splat_f32x16(0.0), simd.splat_f32x16(0.0));
    for lanes in rest {
        let left = simd.mul_f32x16(simd.load_f32x16(lanes), inverse);
        sum = simd.add_f32x16(sum, left);
        squares = simd.fma_f32x16(left, left, squares);
    }
    ResidualStats { sum: step * simd.sum_f32x16(sum), norm: step * simd.sum_f32x16(squares).sqrt() }
}
