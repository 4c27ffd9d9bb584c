//! Int8 scores of sixteen units at a time, turned into intervals at once; and the units that an interval leaves in
//! the running. `crate::screen` has the proof.
//!
//! Plainly: Q = Σ digit · pixel; c = step · Q (of two digits the sum of both); the score lies in c ± uniform · X, and also in
//! c + shift · M ± (rounding · X + norm · ‖x − M‖), of which an example has one (see [`ImageStats`]). The upper ends are
//! kept. Of the lower ends only maxima are: lane j of an example's 128 holds the largest lower end of the units
//! j, j + 128, j + 256 … Different lanes belong to different units, so the k-th largest lane is a lower bound of the k-th
//! largest score, and a tight one: k units seldom share a lane.
//!
//! The tile: P panels of sixteen units × N examples that share a list of groups; each vector of digits that is loaded
//! serves N products, each broadcast group of pixels P.

use super::pack::{Contrast, ImageStats, List, Packed};
use crate::vector::{Integers, LANES, Lanes, Levels64, Pixels64, Simd};

/// Panels in a block: their lower ends go to as many vectors of maxima.
pub(crate) const PANELS: usize = 8;

/// Up to [`PANELS`] panels of digits, those of one unit side by side if there are two.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WeightPanels<'a> {
    /// The digits, panel after panel.
    pub(crate) digits: &'a [Levels64],
    /// From one panel to the next.
    pub(crate) stride: usize,
    /// The step of each panel and unit.
    pub(crate) scales: &'a [Lanes],
    /// The slack of each sixteen units.
    pub(crate) bounds: &'a [ErrorBound<Lanes>],
}

/// How far the scores of a unit, or of sixteen, can be from what its digits say; e is what these leave of the weights.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ErrorBound<T> {
    /// Per X, everything: max |e_i| and `rounding`. Infinite for a unit of which nothing is known, NaN for none.
    pub(crate) uniform: T,
    /// Per X, beside the errors: rounding. Infinite and NaN like `uniform`.
    pub(crate) rounding: T,
    /// Per ‖x − M‖: ‖e‖.
    pub(crate) norm: T,
    /// Per M: Σ e_i, which moves the centre.
    pub(crate) shift: T,
}

impl ErrorBound<f32> {
    /// So much per X, whatever the example.
    pub(crate) fn of_all(uniform: f32) -> ErrorBound<f32> {
        ErrorBound { uniform, rounding: uniform, norm: 0.0, shift: 0.0 }
    }
}

/// Where the ends of the intervals of a block go.
#[derive(Debug)]
pub(crate) struct Bounds<'a> {
    /// Upper ends, `stride` vectors per example, of which this block fills those from `first` on.
    pub(crate) upper: &'a mut [Lanes],
    pub(crate) stride: usize,
    pub(crate) first: usize,
    /// The maxima of the lower ends, per example.
    pub(crate) lower: &'a mut [[Lanes; PANELS]],
}

/// Scores a block of units for every packed example: `ALONE` panels of one example at once, or `SHARED` panels of
/// `TOGETHER` examples that share lists. Both are even.
#[inline(always)]
pub(crate) fn screen<S: Integers, const ALONE: usize, const TOGETHER: usize, const SHARED: usize>(
    simd: S,
    block: WeightPanels<'_>,
    packed: &Packed,
    mut ends: Bounds<'_>,
) {
    let two = block.scales.len() == 2 * block.bounds.len();
    match (packed.together == 1, two) {
        (true, false) => panels::<S, ALONE, 1, 1>(simd, block, packed, &mut ends),
        (true, true) => panels::<S, ALONE, 1, 2>(simd, block, packed, &mut ends),
        (false, false) => panels::<S, SHARED, TOGETHER, 1>(simd, block, packed, &mut ends),
        (false, true) => panels::<S, SHARED, TOGETHER, 2>(simd, block, packed, &mut ends),
    }
}

#[inline(always)]
fn panels<S: Integers, const P: usize, const N: usize, const DIGITS: usize>(
    simd: S,
    block: WeightPanels<'_>,
    packed: &Packed,
    ends: &mut Bounds<'_>,
) {
    let mut panel = 0;
    while panel + P <= block.scales.len() {
        tiles::<S, P, N, DIGITS>(simd, block, panel, packed, ends);
        panel += P;
    }
    while P > 4 && panel + 4 <= block.scales.len() {
        tiles::<S, 4, N, DIGITS>(simd, block, panel, packed, ends);
        panel += 4;
    }
    while P > 2 && panel + 2 <= block.scales.len() {
        tiles::<S, 2, N, DIGITS>(simd, block, panel, packed, ends);
        panel += 2;
    }
    if DIGITS == 1 && panel < block.scales.len() {
        tiles::<S, 1, N, DIGITS>(simd, block, panel, packed, ends);
    }
}

/// P panels × all examples: few enough panels stay in the first-level cache meanwhile.
#[inline(always)]
fn tiles<S: Integers, const P: usize, const N: usize, const DIGITS: usize>(
    simd: S,
    block: WeightPanels<'_>,
    panel: usize,
    packed: &Packed,
    ends: &mut Bounds<'_>,
) {
    for number in 0..ends.lower.len().div_ceil(N) {
        tile::<S, P, N, DIGITS>(simd, block, panel, packed.list(number), packed, ends);
    }
}

/// P panels × N examples: the product, then the intervals.
#[inline(always)]
fn tile<S: Integers, const P: usize, const N: usize, const DIGITS: usize>(
    simd: S,
    block: WeightPanels<'_>,
    panel: usize,
    list: List<'_>,
    packed: &Packed,
    ends: &mut Bounds<'_>,
) {
    let mut rows: [&[Levels64]; P] = [&[]; P];
    for (p, row) in rows.iter_mut().enumerate() {
        *row = &block.digits[(panel + p) * block.stride..][..block.stride];
    }
    let mut sums = [[simd.zero_i32x16(); P]; N];
    for (&group, pixels) in list.groups.iter().zip(list.pixels.as_chunks::<N>().0) {
        let group = group as usize;
        let mut four = [simd.splat_u8x4(pixels[0]); N];
        for n in 1..N {
            four[n] = simd.splat_u8x4(pixels[n]);
        }
        for p in 0..P {
            for n in 0..N {
                sums[n][p] = simd.dot_u8i8x16(four[n], &rows[p][group], sums[n][p]);
            }
        }
    }
    // The last list may have places behind the last example.
    for (example, sums) in (list.first..ends.lower.len()).zip(sums) {
        ends.take::<S, P, DIGITS>(simd, block, panel, sums, example, packed.stats[example]);
    }
}

impl Bounds<'_> {
    /// Turns the whole-number scores of P panels, from number `panel` of a block on, into the ends of their intervals.
    #[inline(always)]
    pub(super) fn take<S: Integers, const P: usize, const DIGITS: usize>(
        &mut self,
        simd: S,
        block: WeightPanels<'_>,
        panel: usize,
        sums: [S::I32x16; P],
        example: usize,
        ink: ImageStats,
    ) {
        let sum = simd.splat_f32x16(ink.sum);
        for unit in 0..P / DIGITS {
            let p = unit * DIGITS;
            let step = simd.load_f32x16(&block.scales[panel + p]);
            let mut centre = simd.mul_f32x16(simd.float_i32x16(sums[p]), step);
            if DIGITS == 2 {
                let step = simd.load_f32x16(&block.scales[panel + p + 1]);
                centre = simd.fma_f32x16(simd.float_i32x16(sums[p + 1]), step, centre);
            }
            let at = panel / DIGITS + unit;
            let slack = &block.bounds[at];
            let width = match ink.contrast {
                None => simd.mul_f32x16(simd.load_f32x16(&slack.uniform), sum),
                Some(Contrast { level, norm }) => {
                    centre = simd.fma_f32x16(simd.load_f32x16(&slack.shift), simd.splat_f32x16(level), centre);
                    let width = simd.mul_f32x16(simd.load_f32x16(&slack.rounding), sum);
                    simd.fma_f32x16(simd.load_f32x16(&slack.norm), simd.splat_f32x16(norm), width)
                }
            };
            let upper = &mut self.upper[example * self.stride + self.first + at];
            simd.store_f32x16(simd.add_f32x16(centre, width), upper);
            // The maximum is its second operand where the first is NaN: a unit that is not there never counts.
            let highest = &mut self.lower[example][at];
            let lower = simd.sub_f32x16(centre, width);
            simd.store_f32x16(simd.max_f32x16(lower, simd.load_f32x16(highest)), highest);
        }
    }
}

/// Finds the largest of up to [`PANELS`] vectors of numbers, in descending order, each of several equal ones once; −∞ where
/// there are no more. NaN is left out.
#[inline(always)]
pub(crate) fn top_distinct<S: Simd>(simd: S, numbers: &[Lanes], best: &mut [f32]) {
    match numbers.len() {
        0..=1 => top_distinct_of::<S, 1>(simd, numbers, best),
        2 => top_distinct_of::<S, 2>(simd, numbers, best),
        3..=4 => top_distinct_of::<S, 4>(simd, numbers, best),
        _ => top_distinct_of::<S, PANELS>(simd, numbers, best),
    }
}

#[inline(always)]
fn top_distinct_of<S: Simd, const N: usize>(simd: S, numbers: &[Lanes], best: &mut [f32]) {
    let nothing = simd.splat_f32x16(f32::NEG_INFINITY);
    let mut left = [nothing; N];
    for (left, lanes) in left.iter_mut().zip(numbers) {
        *left = simd.load_f32x16(lanes);
    }
    let mut last = f32::INFINITY;
    for best in best {
        // What equals the last maximum is done with.
        let mut largest = nothing;
        for left in &mut left {
            *left = simd.below_f32x16(*left, last);
            largest = simd.max_f32x16(*left, largest);
        }
        last = simd.largest_f32x16(largest);
        *best = last;
    }
}

/// Lists the units whose upper end reaches the bar, in increasing order, and returns how many. There must be room for all
/// of them and one vector more.
#[inline(always)]
pub(crate) fn select_ge<S: Simd>(simd: S, upper: &[Lanes], bar: f32, found: &mut [u32]) -> usize {
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

/// Some rows of digits, 64 inputs to a vector, and an example as long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RefineRows<'a> {
    pub(crate) digits: &'a [Levels64],
    pub(crate) rows: &'a [u32],
    pub(crate) example: &'a [Pixels64],
}

/// Writes Σ digit · pixel of each row to `sums`.
#[inline(always)]
pub(crate) fn refine_dot<S: Integers>(simd: S, at: RefineRows<'_>, sums: &mut [f32]) {
    let mut row = 0;
    while row + 4 <= at.rows.len() {
        closer::<S, 4>(simd, at, row, sums);
        row += 4;
    }
    while row < at.rows.len() {
        closer::<S, 1>(simd, at, row, sums);
        row += 1;
    }
}

#[inline(always)]
fn closer<S: Integers, const M: usize>(simd: S, at: RefineRows<'_>, row: usize, sums: &mut [f32]) {
    let width = at.example.len();
    let mut from: [&[Levels64]; M] = [&[]; M];
    for (from, row) in from.iter_mut().zip(&at.rows[row..]) {
        *from = &at.digits[*row as usize * width..][..width];
    }
    let mut running = [simd.zero_i32x16(); M];
    for (i, pixels) in at.example.iter().enumerate() {
        let pixels = simd.load_u8x64(pixels);
        for m in 0..M {
            running[m] = simd.dot_u8i8x16(pixels, &from[m][i], running[m]);
        }
    }
    for (sum, running) in sums[row..].iter_mut().zip(running) {
        *sum = simd.sum_i32x16(running) as f32;
    }
}
