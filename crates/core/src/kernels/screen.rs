//! Whole-number scores of sixteen units at a time, turned into intervals at once; and the units that an interval leaves in
//! the running. `crate::screen` has the proof.
//!
//! Plainly: Q = Σ digit · pixel; c = step · Q (of two digits the sum of both); the score lies in c ± slack · ink. The upper
//! ends are kept. Of the lower ends only maxima are: lane j of an example's 128 holds the largest lower end of the units
//! j, j + 128, j + 256 … Different lanes belong to different units, so the k-th largest lane is a lower bound of the k-th
//! largest score, and a tight one: k units seldom share a lane.
//!
//! The tile: P panels of sixteen units × N examples that share a list of groups; each vector of digits that is loaded
//! serves N products, each broadcast group of pixels P.

use super::pack::{List, Packed};
use crate::vector::{Digits, LANES, Lanes, Pixels64, Simd};

/// Panels in a block: their lower ends go to as many vectors of maxima.
pub(crate) const PANELS: usize = 8;

/// Up to [`PANELS`] panels of digits, those of one unit side by side if there are two.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block<'a> {
    /// The digits, panel after panel.
    pub(crate) digits: &'a [Digits],
    /// From one panel to the next.
    pub(crate) stride: usize,
    /// The step of each panel and unit.
    pub(crate) steps: &'a [Lanes],
    /// The slack of each sixteen units: infinite for a unit of which nothing is known, NaN for none.
    pub(crate) slack: &'a [Lanes],
}

/// Where the ends of the intervals of a block go.
#[derive(Debug)]
pub(crate) struct Ends<'a> {
    /// Upper ends, `stride` vectors per example, of which this block fills those from `first` on.
    pub(crate) upper: &'a mut [Lanes],
    pub(crate) stride: usize,
    pub(crate) first: usize,
    /// The maxima of the lower ends, per example.
    pub(crate) lower: &'a mut [[Lanes; PANELS]],
}

/// Scores a block of units for every packed example, `TOGETHER` of them at once where they share lists.
#[inline(always)]
pub(crate) fn screen<S: Simd, const TOGETHER: usize>(simd: S, block: Block<'_>, packed: &Packed, mut ends: Ends<'_>) {
    let two = block.steps.len() == 2 * block.slack.len();
    match (packed.together == 1, two) {
        (true, false) => lists::<S, 1, 1>(simd, block, packed, &mut ends),
        (true, true) => lists::<S, 1, 2>(simd, block, packed, &mut ends),
        (false, false) => lists::<S, TOGETHER, 1>(simd, block, packed, &mut ends),
        (false, true) => lists::<S, TOGETHER, 2>(simd, block, packed, &mut ends),
    }
}

#[inline(always)]
fn lists<S: Simd, const N: usize, const DIGITS: usize>(
    simd: S,
    block: Block<'_>,
    packed: &Packed,
    ends: &mut Ends<'_>,
) {
    let examples = ends.lower.len();
    for number in 0..examples.div_ceil(N) {
        let list = packed.list(number);
        let mut panel = 0;
        // A wide tile needs its registers for the examples.
        while N == 1 && panel + 8 <= block.steps.len() {
            tile::<S, 8, N, DIGITS>(simd, block, panel, list, packed, ends);
            panel += 8;
        }
        while panel + 4 <= block.steps.len() {
            tile::<S, 4, N, DIGITS>(simd, block, panel, list, packed, ends);
            panel += 4;
        }
        while panel + 2 <= block.steps.len() {
            tile::<S, 2, N, DIGITS>(simd, block, panel, list, packed, ends);
            panel += 2;
        }
        if DIGITS == 1 && panel < block.steps.len() {
            tile::<S, 1, N, DIGITS>(simd, block, panel, list, packed, ends);
        }
    }
}

/// P panels × N examples: the product, then the intervals.
#[inline(always)]
fn tile<S: Simd, const P: usize, const N: usize, const DIGITS: usize>(
    simd: S,
    block: Block<'_>,
    panel: usize,
    list: List<'_>,
    packed: &Packed,
    ends: &mut Ends<'_>,
) {
    let mut rows: [&[Digits]; P] = [&[]; P];
    for (p, row) in rows.iter_mut().enumerate() {
        *row = &block.digits[(panel + p) * block.stride..][..block.stride];
    }
    let mut sums = [[simd.zero_i32x16(); N]; P];
    for (&group, pixels) in list.groups.iter().zip(list.pixels.as_chunks::<N>().0) {
        let group = group as usize;
        let mut four = [simd.splat_u8x4(pixels[0]); N];
        for n in 1..N {
            four[n] = simd.splat_u8x4(pixels[n]);
        }
        for p in 0..P {
            for n in 0..N {
                sums[p][n] = simd.dot_u8i8x16(four[n], &rows[p][group], sums[p][n]);
            }
        }
    }
    for n in 0..N.min(ends.lower.len() - list.first) {
        let example = list.first + n;
        let ink = simd.splat_f32x16(packed.ink[example]);
        let minus_ink = simd.splat_f32x16(-packed.ink[example]);
        for unit in 0..P / DIGITS {
            let p = unit * DIGITS;
            let step = simd.load_f32x16(&block.steps[panel + p]);
            let mut centre = simd.mul_f32x16(simd.float_i32x16(sums[p][n]), step);
            if DIGITS == 2 {
                let step = simd.load_f32x16(&block.steps[panel + p + 1]);
                centre = simd.fma_f32x16(simd.float_i32x16(sums[p + 1][n]), step, centre);
            }
            let at = panel / DIGITS + unit;
            let slack = simd.load_f32x16(&block.slack[at]);
            let upper = &mut ends.upper[example * ends.stride + ends.first + at];
            simd.store_f32x16(simd.fma_f32x16(slack, ink, centre), upper);
            // The maximum is its second operand where the first is NaN: a unit that is not there never counts.
            let highest = &mut ends.lower[example][at];
            let lower = simd.fma_f32x16(slack, minus_ink, centre);
            simd.store_f32x16(simd.max_f32x16(lower, simd.load_f32x16(highest)), highest);
        }
    }
}

/// Finds for each example a number that at least k lanes reach, −∞ if there is none: the k-th largest where lanes differ.
#[inline(always)]
pub(crate) fn bars<S: Simd>(simd: S, lower: &[[Lanes; PANELS]], k: usize, bars: &mut [f32]) {
    for (lower, bar) in lower.iter().zip(bars) {
        let mut left = [simd.splat_f32x16(f32::NEG_INFINITY); PANELS];
        for (left, lanes) in left.iter_mut().zip(lower) {
            *left = simd.load_f32x16(lanes);
        }
        *bar = f32::INFINITY;
        for _ in 0..k {
            // What equals the last maximum is done with.
            let mut highest = simd.splat_f32x16(f32::NEG_INFINITY);
            for left in &mut left {
                *left = simd.below_f32x16(*left, *bar);
                highest = simd.max_f32x16(*left, highest);
            }
            *bar = simd.largest_f32x16(highest);
        }
    }
}

/// Lists the units whose upper end reaches the bar, in increasing order, and returns how many. There must be room for all
/// of them and one vector more.
#[inline(always)]
pub(crate) fn reach<S: Simd>(simd: S, upper: &[Lanes], bar: f32, found: &mut [u32]) -> usize {
    let bar = simd.splat_f32x16(bar);
    let mut count = 0;
    for (vector, lanes) in upper.iter().enumerate() {
        let mut reaching = simd.at_least_f32x16(simd.load_f32x16(lanes), bar);
        while reaching != 0 {
            found[count] = (vector * LANES) as u32 + reaching.trailing_zeros();
            reaching &= reaching - 1;
            count += 1;
        }
    }
    count
}

/// Writes Σ digit · pixel of the second digits of some rows, each `width` vectors of 64 inputs, to `sums`.
#[inline(always)]
pub(crate) fn look_closer<S: Simd>(simd: S, digits: &[Digits], rows: &[u32], example: &[Pixels64], sums: &mut [f32]) {
    let mut row = 0;
    while row + 4 <= rows.len() {
        closer::<S, 4>(simd, digits, &rows[row..], example, &mut sums[row..]);
        row += 4;
    }
    while row < rows.len() {
        closer::<S, 1>(simd, digits, &rows[row..], example, &mut sums[row..]);
        row += 1;
    }
}

#[inline(always)]
fn closer<S: Simd, const M: usize>(simd: S, digits: &[Digits], rows: &[u32], example: &[Pixels64], sums: &mut [f32]) {
    let mut from: [&[Digits]; M] = [&[]; M];
    for (from, row) in from.iter_mut().zip(rows) {
        *from = &digits[*row as usize * example.len()..][..example.len()];
    }
    let mut running = [simd.zero_i32x16(); M];
    for (i, pixels) in example.iter().enumerate() {
        let pixels = simd.load_u8x64(pixels);
        for m in 0..M {
            running[m] = simd.dot_u8i8x16(pixels, &from[m][i], running[m]);
        }
    }
    for m in 0..M {
        sums[m] = simd.sum_i32x16(running[m]) as f32;
    }
}
