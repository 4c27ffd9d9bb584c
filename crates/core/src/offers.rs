//! What the shards tell each other: their local top k per example, and their largest change.
//!
//! The k best of all units are among the k best of each shard, and the maximum of maxima is the maximum, so merging loses
//! nothing and the ranks are those of one shard that holds everything. Workers write and read through atomics; the
//! barrier between writing and reading orders them.

use crate::compute::patience;
use crate::top_k::{NOBODY, TopK};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// The two units of an example that learn, with their scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ranked {
    /// Rank 1.
    pub(crate) winner: (f32, u32),
    /// Rank k.
    pub(crate) last: (f32, u32),
}

/// The larger of two numbers of at least 0; NaN if either is, so that a layer that ran away cannot pass for one at rest.
pub(crate) fn larger(a: f32, b: f32) -> f32 {
    if a.is_nan() || b < a { a } else { b }
}

/// Whose bars, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BarsAt {
    pub(crate) shard: usize,
    pub(crate) stage: Stage,
    pub(crate) minibatch: u32,
    pub(crate) example: usize,
}

/// How closely scores are known when bars are told.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stage {
    /// From the intervals of all units.
    All,
    /// From the narrower intervals of the candidates.
    Candidates,
}

const STAGES: usize = 2;

/// Inserts a number into a descending list in place of the last one, if it is greater than that. NaN is not.
pub(crate) fn keep_best(best: &mut [f32], number: f32) -> bool {
    let mut at = best.len();
    while at > 0 && number > best[at - 1] {
        if at < best.len() {
            best[at] = best[at - 1];
        }
        at -= 1;
    }
    match best.get_mut(at) {
        Some(place) => *place = number,
        None => return false,
    }
    true
}

/// The exchange among shards.
#[derive(Debug)]
pub(crate) struct Offers {
    k: usize,
    batch: usize,
    /// Turns of waiting for bars.
    patience: u32,
    /// [shards × batch × k], each a score's bits above a unit.
    places: Vec<AtomicU64>,
    /// [shards × stages × batch × k], each a minibatch above the bits of a lower end.
    bars: Vec<AtomicU64>,
    /// The bits of max |ds| per shard: of numbers of at least 0.
    largest: Vec<AtomicU32>,
}

impl Offers {
    pub(crate) fn new(shards: usize, batch: usize, k: usize) -> Offers {
        // Of minibatch 0, and below every score.
        let nothing = u64::from(f32::NEG_INFINITY.to_bits());
        Offers {
            k,
            batch,
            patience: patience(shards),
            places: (0..shards * batch * k).map(|_| AtomicU64::new(0)).collect(),
            bars: (0..shards * STAGES * batch * k).map(|_| AtomicU64::new(nothing)).collect(),
            largest: (0..shards).map(|_| AtomicU32::new(0)).collect(),
        }
    }

    fn list(&self, shard: usize, example: usize) -> &[AtomicU64] {
        &self.places[(shard * self.batch + example) * self.k..][..self.k]
    }

    fn bars(&self, shard: usize, stage: Stage, example: usize) -> &[AtomicU64] {
        &self.bars[((shard * STAGES + stage as usize) * self.batch + example) * self.k..][..self.k]
    }

    /// Tells the other shards what the k best own units of an example are not below, in descending order; −∞ for
    /// those that are missing.
    ///
    /// There is no barrier, so a reader must see what is old: minibatches are numbered, and the numbers come again only after
    /// 2³² of them, of which every shard that ever published publishes one in some thousand.
    pub(crate) fn publish_bars(&self, at: BarsAt, best: &[f32]) {
        let bars = best.iter().copied().chain(std::iter::repeat(f32::NEG_INFINITY));
        for (place, bar) in self.bars(at.shard, at.stage, at.example).iter().zip(bars) {
            place.store(u64::from(at.minibatch) << 32 | u64::from(bar.to_bits()), Relaxed);
        }
    }

    /// Waits until the other shards have told their bars for an example, but not for long: bars only save work, and whoever
    /// is late is so for a reason.
    pub(crate) fn wait_for_bars(&self, at: BarsAt) {
        let mut patience = self.patience;
        for shard in (0..self.largest.len()).filter(|&shard| shard != at.shard) {
            let last = &self.bars(shard, at.stage, at.example)[self.k - 1];
            while (last.load(Relaxed) >> 32) as u32 != at.minibatch && patience > 0 {
                patience -= 1;
                std::hint::spin_loop();
            }
        }
    }

    /// Merges into `best` what other shards have told about an example, as far as they have come. Whatever is missing, the
    /// last number in `best` remains one that k units are not below.
    pub(crate) fn raise_bars(&self, at: BarsAt, best: &mut [f32]) {
        for shard in (0..self.largest.len()).filter(|&shard| shard != at.shard) {
            for place in self.bars(shard, at.stage, at.example) {
                let place = place.load(Relaxed);
                if (place >> 32) as u32 != at.minibatch || !keep_best(best, f32::from_bits(place as u32)) {
                    break;
                }
            }
        }
    }

    /// Publishes the lists of a shard.
    pub(crate) fn publish(&self, shard: usize, lists: &TopK) {
        for example in 0..self.batch {
            for (place, (score, unit)) in self.list(shard, example).iter().zip(lists.list(example)) {
                place.store(u64::from(score.to_bits()) << 32 | u64::from(unit), Relaxed);
            }
        }
    }

    /// Merges the lists of all shards for one example. `heads` has one place per shard and needs no content.
    ///
    /// Shards hold ascending ranges of units, so on equal scores the earlier shard has the lower unit.
    pub(crate) fn merge(&self, example: usize, heads: &mut [usize]) -> Ranked {
        heads.fill(0);
        let mut winner = None;
        let mut last = (f32::NEG_INFINITY, NOBODY);
        for _ in 0..self.k {
            let (mut best, mut from) = ((f32::NEG_INFINITY, NOBODY), 0);
            for (shard, &head) in heads.iter().enumerate() {
                let Some(place) = self.list(shard, example).get(head) else { continue };
                let place = place.load(Relaxed);
                let score = f32::from_bits((place >> 32) as u32);
                if score > best.0 {
                    (best, from) = ((score, place as u32), shard);
                }
            }
            heads[from] += 1;
            winner.get_or_insert(best);
            last = best;
        }
        Ranked { winner: winner.unwrap_or(last), last }
    }

    /// Publishes the largest change of a shard.
    pub(crate) fn publish_largest(&self, shard: usize, largest: f32) {
        self.largest[shard].store(largest.to_bits(), Relaxed);
    }

    /// The largest change of all shards, or NaN if one of them is.
    pub(crate) fn largest(&self) -> f32 {
        self.largest.iter().map(|bits| f32::from_bits(bits.load(Relaxed))).fold(0.0, larger)
    }
}

#[cfg(test)]
mod tests;
