//! Int8 scores of units for packed examples, turned at once into bounds of the exact scores. [`crate::screen`] has the proof.
//!
//! Per unit and example, with q the int8 levels, s their scale, x the pixels, X = Σ x and M the rounded mean pixel:
//!
//! ```text
//! Q      = Σ q x                                        an exact integer
//! centre = s · Q                                        (two-level: s₁ · Q₁ + s₂ · Q₂)
//! bounds = centre ± uniform · X                         or, where it is tighter for the example:
//! bounds = centre + shift · M ± (rounding · X + norm · ‖x − M‖)
//! ```
//!
//! 1. All upper bounds are kept. Of the lower bounds only maxima are: lane j of the 128 lanes of an example holds the largest
//!    lower bound of the units j, j + 128, j + 256 … Different lanes belong to different units, so the k-th largest lane is a
//!    lower bound of the k-th largest score. It is a tight one: k units seldom share a lane.
//! 2. A tile is P panels of sixteen units × N examples that share a list of pixel groups. Each vector of levels that is loaded
//!    serves N products, each broadcast group of pixels P. The order of integer sums does not matter.
//! 3. Groups of four pixels that are all zero are not in a list: they add nothing.

use super::pack::{Contrast, ImageStats, List, Packed};
use crate::vector::{Integers, Lanes, Levels64, Pixels64};
#[cfg(target_arch = "x86_64")]
use crate::vector::{LANES, TILE, TILE_GROUPS, TileProduct, TileSums, Tiles};

/// Panels of sixteen units in a block. Their lower bounds go to as many vectors of maxima.
pub(crate) const PANELS: usize = 8;

/// Up to [`PANELS`] panels of int8 levels. With two-level quantisation the coarse and the residual panel of sixteen units
/// alternate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WeightPanels<'a> {
    /// The levels, panel after panel.
    pub(crate) levels: &'a [Levels64],
    /// Vectors from one panel to the next.
    pub(crate) stride: usize,
    /// The scales of the units of each panel.
    pub(crate) scales: &'a [Lanes],
    /// The error bounds of each sixteen units.
    pub(crate) errors: &'a [ErrorBound<Lanes>],
}

/// How far the scores of a unit, or of sixteen, can be from their centre; e is the residual of the weights.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ErrorBound<T> {
    /// The uniform bound, per X: max |e_i| and `rounding`. Infinite for a unit without levels, NaN for a lane without a unit.
    pub(crate) uniform: T,
    /// The rounding errors alone, per X. Infinite and NaN as `uniform` is.
    pub(crate) rounding: T,
    /// ‖e‖, per ‖x − M‖.
    pub(crate) norm: T,
    /// Σ e_i, per M: it moves the centre.
    pub(crate) shift: T,
}

impl ErrorBound<f32> {
    /// The same bound per X for every example.
    pub(crate) fn of_all(uniform: f32) -> ErrorBound<f32> {
        ErrorBound { uniform, rounding: uniform, norm: 0.0, shift: 0.0 }
    }
}

/// Where the bounds of a block go.
#[derive(Debug)]
pub(crate) struct Bounds<'a> {
    /// Upper bounds, `stride` vectors per example, of which this block fills those from `first` on.
    pub(crate) upper: &'a mut [Lanes],
    pub(crate) stride: usize,
    pub(crate) first: usize,
    /// The maxima of the lower bounds, per example.
    pub(crate) lower: &'a mut [[Lanes; PANELS]],
}

/// Computes the bounds of a block of units for every packed example. A tile is `ALONE` panels × one example, or `SHARED` panels
/// × `TOGETHER` examples that share a list. Both are even.
#[inline(always)]
pub(crate) fn screen<S: Integers, const ALONE: usize, const TOGETHER: usize, const SHARED: usize>(
    simd: S,
    block: WeightPanels<'_>,
    packed: &Packed,
    mut bounds: Bounds<'_>,
) {
    let two = block.scales.len() == 2 * block.errors.len();
    match (packed.per_list == 1, two) {
        (true, false) => panels::<S, ALONE, 1, 1>(simd, block, packed, &mut bounds),
        (true, true) => panels::<S, ALONE, 1, 2>(simd, block, packed, &mut bounds),
        (false, false) => panels::<S, SHARED, TOGETHER, 1>(simd, block, packed, &mut bounds),
        (false, true) => panels::<S, SHARED, TOGETHER, 2>(simd, block, packed, &mut bounds),
    }
}

/// P panels at once, then fewer. DEPTH is 2 with two-level quantisation.
#[inline(always)]
fn panels<S: Integers, const P: usize, const N: usize, const DEPTH: usize>(
    simd: S,
    block: WeightPanels<'_>,
    packed: &Packed,
    bounds: &mut Bounds<'_>,
) {
    let mut panel = 0;
    while panel + P <= block.scales.len() {
        tiles::<S, P, N, DEPTH>(simd, block, panel, packed, bounds);
        panel += P;
    }
    while P > 4 && panel + 4 <= block.scales.len() {
        tiles::<S, 4, N, DEPTH>(simd, block, panel, packed, bounds);
        panel += 4;
    }
    while P > 2 && panel + 2 <= block.scales.len() {
        tiles::<S, 2, N, DEPTH>(simd, block, panel, packed, bounds);
        panel += 2;
    }
    if DEPTH == 1 && panel < block.scales.len() {
        tiles::<S, 1, N, DEPTH>(simd, block, panel, packed, bounds);
    }
}

/// P panels × all examples. So few panels stay in the first-level cache meanwhile.
#[inline(always)]
fn tiles<S: Integers, const P: usize, const N: usize, const DEPTH: usize>(
    simd: S,
    block: WeightPanels<'_>,
    panel: usize,
    packed: &Packed,
    bounds: &mut Bounds<'_>,
) {
    for number in 0..bounds.lower.len().div_ceil(N) {
        tile::<S, P, N, DEPTH>(simd, block, panel, packed.list(number), packed, bounds);
    }
}

/// P panels × N examples: the product, then the bounds.
#[inline(always)]
fn tile<S: Integers, const P: usize, const N: usize, const DEPTH: usize>(
    simd: S,
    block: WeightPanels<'_>,
    panel: usize,
    list: List<'_>,
    packed: &Packed,
    bounds: &mut Bounds<'_>,
) {
    let mut rows: [&[Levels64]; P] = [&[]; P];
    for (p, row) in rows.iter_mut().enumerate() {
        *row = &block.levels[(panel + p) * block.stride..][..block.stride];
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
    // The last list may have room for examples behind the last one.
    for (example, sums) in (list.first..bounds.lower.len()).zip(sums) {
        bounds.write::<S, P, DEPTH>(simd, block, panel, sums, example, packed.stats[example]);
    }
}

impl Bounds<'_> {
    /// Turns the int8 scores of P panels of a block, from number `panel` on, into bounds, and writes them.
    #[inline(always)]
    pub(super) fn write<S: Integers, const P: usize, const DEPTH: usize>(
        &mut self,
        simd: S,
        block: WeightPanels<'_>,
        panel: usize,
        sums: [S::I32x16; P],
        example: usize,
        stats: ImageStats,
    ) {
        let sum = simd.splat_f32x16(stats.sum);
        for unit in 0..P / DEPTH {
            let p = unit * DEPTH;
            let scale = simd.load_f32x16(&block.scales[panel + p]);
            let mut centre = simd.mul_f32x16(simd.to_f32_i32x16(sums[p]), scale);
            if DEPTH == 2 {
                let scale = simd.load_f32x16(&block.scales[panel + p + 1]);
                centre = simd.fma_f32x16(simd.to_f32_i32x16(sums[p + 1]), scale, centre);
            }
            let at = panel / DEPTH + unit;
            let error = &block.errors[at];
            let width = match stats.contrast {
                None => simd.mul_f32x16(simd.load_f32x16(&error.uniform), sum),
                Some(Contrast { level, norm }) => {
                    centre = simd.fma_f32x16(simd.load_f32x16(&error.shift), simd.splat_f32x16(level), centre);
                    let width = simd.mul_f32x16(simd.load_f32x16(&error.rounding), sum);
                    simd.fma_f32x16(simd.load_f32x16(&error.norm), simd.splat_f32x16(norm), width)
                }
            };
            let upper = &mut self.upper[example * self.stride + self.first + at];
            simd.store_f32x16(simd.add_f32x16(centre, width), upper);
            // The maximum is its second operand where the first is NaN: a lane without a unit never counts.
            let largest = &mut self.lower[example][at];
            let lower = simd.sub_f32x16(centre, width);
            simd.store_f32x16(simd.max_f32x16(lower, simd.load_f32x16(largest)), largest);
        }
    }
}

/// Some rows of residual levels, 64 inputs to a vector, and an example as long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RefineRows<'a> {
    pub(crate) levels: &'a [Levels64],
    pub(crate) rows: &'a [u32],
    pub(crate) example: &'a [Pixels64],
}

/// Writes Σ level · pixel of each row to `sums`.
#[inline(always)]
pub(crate) fn refine_dot<S: Integers>(simd: S, at: RefineRows<'_>, sums: &mut [f32]) {
    let mut row = 0;
    while row + 4 <= at.rows.len() {
        refine_rows::<S, 4>(simd, at, row, sums);
        row += 4;
    }
    while row < at.rows.len() {
        refine_rows::<S, 1>(simd, at, row, sums);
        row += 1;
    }
}

#[inline(always)]
fn refine_rows<S: Integers, const M: usize>(simd: S, at: RefineRows<'_>, row: usize, sums: &mut [f32]) {
    let width = at.example.len();
    let mut from: [&[Levels64]; M] = [&[]; M];
    for (from, row) in from.iter_mut().zip(&at.rows[row..]) {
        *from = &at.levels[*row as usize * width..][..width];
    }
    let mut running = [simd.zero_i32x16(); M];
    for (i, pixels) in at.example.iter().enumerate() {
        let pixels = simd.load_u8x64(pixels);
        for m in 0..M {
            running[m] = simd.dot_u8i8x16(pixels, &from[m][i], running[m]);
        }
    }
    for (sum, running) in sums[row..].iter_mut().zip(running) {
        *sum = simd.reduce_sum_i32x16(running) as f32;
    }
}

/// As [`screen`], with a matrix unit: every group of every example is multiplied, since a dense product costs less there than
/// looking for non-zeros. 32 examples × two panels of sixteen units at a time; the sums go through a buffer that stays in the
/// first-level cache. An odd last panel is multiplied twice and taken once.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn screen_tiles<S: Integers, T: Tiles>(
    simd: S,
    tiles: T,
    block: WeightPanels<'_>,
    packed: &Packed,
    mut bounds: Bounds<'_>,
) {
    let width = block.stride / TILE_GROUPS * TILE_GROUPS;
    let mut sums: TileSums = [[[0; LANES]; 2]; TILE];
    let mut tiles = tiles.configure();
    for first in (0..bounds.lower.len()).step_by(TILE) {
        let pixels = &packed.pixels[first * width..][..TILE * width];
        for panel in (0..block.scales.len()).step_by(2) {
            let pair = [panel, (panel + 1).min(block.scales.len() - 1)];
            let mut panels: [&[Levels64]; 2] = [&[]; 2];
            for (panels, panel) in panels.iter_mut().zip(pair) {
                *panels = &block.levels[panel * block.stride..][..width];
            }
            tiles.product(pixels, panels, &mut sums);
            for (example, sums) in (first..bounds.lower.len()).zip(&sums) {
                let stats = packed.stats[example];
                let sums = [simd.load_i32x16(&sums[0]), simd.load_i32x16(&sums[1])];
                if block.scales.len() == 2 * block.errors.len() {
                    bounds.write::<S, 2, 2>(simd, block, panel, sums, example, stats);
                } else if panel + 1 < block.scales.len() {
                    bounds.write::<S, 2, 1>(simd, block, panel, sums, example, stats);
                } else {
                    bounds.write::<S, 1, 1>(simd, block, panel, [sums[0]], example, stats);
                }
            }
        }
    }
}
