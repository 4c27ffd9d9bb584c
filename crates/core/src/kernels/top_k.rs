//! The k best units of each example, kept while blocks of scores go by.
//!
//! Plainly: a list of k (score, unit) pairs in descending order; a score greater than the last one is inserted and the
//! last one dropped. Units come in increasing order and only a strictly greater score moves up, so among equal scores
//! the lower unit stays ahead; −0 equals +0. A score of −∞ or NaN is never greater and so never ranked.
//!
//! The trick: sixteen scores are compared with the last of the list at once, and nearly always none is greater.

use crate::vector::{LANES, Lanes, Simd};

/// Offers the scores of units `first_unit ..` to every example's list of k.
///
/// `scores` holds `stride` vectors per example, of which the first `units` lanes are scores. `best` and `who` are
/// [examples × k].
#[inline(always)]
pub(crate) fn top_k<S: Simd>(simd: S, block: ScoreBlock<'_>, k: usize, best: &mut [f32], who: &mut [u32]) {
    let lists = best.chunks_exact_mut(k).zip(who.chunks_exact_mut(k));
    for (scores, (best, who)) in block.scores.chunks_exact(block.stride).zip(lists) {
        for (i, lanes) in scores.iter().enumerate().take(block.units.div_ceil(LANES)) {
            let last = simd.splat_f32x16(best[k - 1]);
            let mut greater = simd.greater_f32x16(simd.load_f32x16(lanes), last);
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
