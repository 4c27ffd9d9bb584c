//! The exact exchange among shards: their top k of each example, and their largest change.
//!
//! The k best of all units are among the k best of each shard, and the maximum of maxima is the maximum, so merging loses
//! nothing and the ranks are those of one shard that holds everything. Workers write and read through atomics; the
//! barrier between writing and reading orders them.

use crate::rule::top_k::TopK;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// The two units of an example that learn, with their scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ranked {
    /// Rank 1.
    pub(crate) winner: (f32, u32),
    /// Rank k.
    pub(crate) last: (f32, u32),
}

/// The larger of two numbers of at least 0; NaN if either is, so that a layer that overflowed cannot pass for one that does not change.
pub(crate) fn larger(a: f32, b: f32) -> f32 {
    if a.is_nan() || b < a { a } else { b }
}

/// The exchange among shards.
#[derive(Debug)]
pub(crate) struct Exchange {
    k: usize,
    batch: usize,
    /// [shards × batch × k], each a score's bits above a unit.
    places: Vec<AtomicU64>,
    /// The bits of max |ds| per shard: of numbers of at least 0.
    largest: Vec<AtomicU32>,
}

impl Exchange {
    pub(crate) fn new(shards: usize, batch: usize, k: usize) -> Exchange {
        Exchange {
            k,
            batch,
            places: (0..shards * batch * k).map(|_| AtomicU64::new(0)).collect(),
            largest: (0..shards).map(|_| AtomicU32::new(0)).collect(),
        }
    }

    fn list(&self, shard: usize, example: usize) -> &[AtomicU64] {
        &self.places[(shard * self.batch + example) * self.k..][..self.k]
    }

    /// Publishes the lists of a shard.
    pub(crate) fn publish(&self, shard: usize, lists: &TopK) {
        for example in 0..self.batch {
            for (place, (score, unit)) in self.list(shard, example).iter().zip(lists.list(example)) {
                place.store(u64::from(score.to_bits()) << 32 | u64::from(unit), Relaxed);
            }
        }
    }

    /// Merges the lists of all shards for one example. `heads` has one number per shard, whatever they are.
    ///
    /// Shards hold ascending ranges of units, so on equal scores the earlier shard has the lower unit.
    pub(crate) fn merge(&self, example: usize, heads: &mut [usize]) -> Ranked {
        heads.fill(0);
        let mut winner = None;
        let mut last = (f32::NEG_INFINITY, TopK::NONE);
        for _ in 0..self.k {
            let (mut best, mut from) = ((f32::NEG_INFINITY, TopK::NONE), 0);
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
