//! Selection: the k best units of each example, the largest distinct numbers of a few vectors, the units above a threshold.
//!
//! Top k keeps, per example, a descending list of k (score, unit) pairs while blocks of scores go by. A score greater than the
//! last of the list is inserted, and the last one dropped. Units come in increasing order and only a strictly greater score
//! moves up, so among equal scores the lower unit stays ahead; −0 equals +0. A score of −∞ or NaN is never greater than
//! another one, so it is never ranked.
//!
//! The trick of all three: sixteen numbers are compared at once, and the result is a bit mask. Nearly always it is zero.

use super::screen::PANELS;
use crate::vector::{LANES, Lanes, Simd};

/// Inserts the scores of units `first_unit ..` into every example's list of k.
///
/// `scores` holds `stride` vectors per example, of which the first `units` lanes are scores. `best` and `who` are
/// [examples × k].
#[inline(always)]
pub(crate) fn top_k<S: Simd>(simd: S, block: ScoreBlock<'_>, k: usize, best: &mut [f32], who: &mut [u32]) {
    let lists = best.chunks_exact_mut(k).zip(who.chunks_exact_mut(k));
    for (scores, (best, who)) in block.scores.chunks_exact(block.stride).zip(lists) {
        for (i, lanes) in scores.iter().enumerate().take(block.units.div_ceil(LANES)) {
            let last = simd.splat_f32x16(best[k - 1]);
            let mut greater = simd.gt_f32x16(simd.load_f32x16(lanes), last);
            while greater != 0 {
                let lane = greater.trailing_zeros() as usize;
                greater &= greater - 1;
                if i * LANES + lane < block.units {
                    insert(best, who, lanes[lane], block.first_unit + (i * LANES + lane) as u32);
                }
            }
        }
    }
}

/// A block of scores: [examples × stride · 16], `units` of them in use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScoreBlock<'a> {
    /// The scores, one row of vectors per example.
    pub(crate) scores: &'a [Lanes],
    /// Vectors per example.
    pub(crate) stride: usize,
    /// Units in use.
    pub(crate) units: usize,
    /// The index of the first unit.
    pub(crate) first_unit: u32,
}

/// Inserts a pair before every lower score, if it is greater than the last one.
#[inline(always)]
pub(crate) fn insert(best: &mut [f32], who: &mut [u32], score: f32, unit: u32) {
    let mut at = best.len();
    while at > 0 && score > best[at - 1] {
        if at < best.len() {
            best[at] = best[at - 1];
            who[at] = who[at - 1];
        }
        at -= 1;
    }
    if at < best.len() {
        best[at] = score;
        who[at] = unit;
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
        // What equals the last maximum is dropped.
        let mut largest = nothing;
        for left in &mut left {
            *left = simd.keep_lt_f32x16(*left, last);
            largest = simd.max_f32x16(*left, largest);
        }
        last = simd.reduce_max_f32x16(largest);
        *best = last;
    }
}

/// Lists the units whose upper bound is at least a threshold, in increasing order, and returns how many. There must be room for
/// all of them and one vector more.
#[inline(always)]
pub(crate) fn select_ge<S: Simd>(simd: S, upper: &[Lanes], threshold: f32, found: &mut [u32]) -> usize {
    let threshold = simd.splat_f32x16(threshold);
    let mut count = 0;
    for (vector, lanes) in upper.iter().enumerate() {
        let mut selected = simd.ge_f32x16(simd.load_f32x16(lanes), threshold);
        while selected != 0 {
            found[count] = (vector * LANES) as u32 + selected.trailing_zeros();
            selected &= selected - 1;
            count += 1;
        }
    }
    count
}
