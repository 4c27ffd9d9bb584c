//! Thresholds: what the shards know of each other's scores while they screen.
//!
//! For each example a shard publishes lower bounds of the scores of its k best units. Merged, the k-th of all of them is a
//! lower bound of the k-th score: the threshold. There is no barrier, so a reader uses what is there: every number carries
//! the minibatch that it belongs to. Thresholds only save work. A missing one leaves more units to score exactly.

use crate::compute::patience;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Which bounds are published.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stage {
    /// Those of all units.
    All,
    /// The narrower ones of the candidates.
    Candidates,
}

const STAGES: usize = 2;

/// The bounds of all shards.
#[derive(Debug)]
pub(crate) struct Thresholds {
    shards: usize,
    batch: usize,
    k: usize,
    /// Rounds of waiting for another shard.
    patience: u32,
    /// [shards × stages × batch × k], each a minibatch above the bits of a lower bound.
    bounds: Vec<AtomicU64>,
}

impl Thresholds {
    pub(crate) fn new(shards: usize, batch: usize, k: usize) -> Thresholds {
        // Of minibatch 0, and below every score.
        let nothing = u64::from(f32::NEG_INFINITY.to_bits());
        let bounds = (0..shards * STAGES * batch * k).map(|_| AtomicU64::new(nothing)).collect();
        Thresholds { shards, batch, k, patience: patience(shards), bounds }
    }

    fn list(&self, shard: usize, stage: Stage, example: usize) -> &[AtomicU64] {
        &self.bounds[((shard * STAGES + stage as usize) * self.batch + example) * self.k..][..self.k]
    }
}

/// The thresholds as one shard sees them in one minibatch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ShardThresholds<'a> {
    pub(crate) all: &'a Thresholds,
    pub(crate) shard: usize,
    /// Counted over the life of the learner, modulo 2³². A number returns only after 2³² minibatches, and a shard that screens
    /// at all publishes one in a few thousand.
    pub(crate) minibatch: u32,
}

impl ShardThresholds<'_> {
    /// Publishes lower bounds of the k best own scores of an example, in descending order; −∞ for those that are missing.
    pub(crate) fn publish(&self, stage: Stage, example: usize, best: &[f32]) {
        let bounds = best.iter().copied().chain(std::iter::repeat(f32::NEG_INFINITY));
        for (place, bound) in self.all.list(self.shard, stage, example).iter().zip(bounds) {
            place.store(u64::from(self.minibatch) << 32 | u64::from(bound.to_bits()), Relaxed);
        }
    }

    /// Publishes that this shard has no bounds, so that no other waits for them.
    pub(crate) fn publish_none(&self, examples: usize) {
        (0..examples).for_each(|example| self.publish(Stage::All, example, &[f32::NEG_INFINITY]));
    }

    /// Spins briefly until the other shards have published. A timeout is harmless.
    pub(crate) fn wait(&self, stage: Stage, example: usize) {
        let mut patience = self.all.patience;
        for shard in (0..self.all.shards).filter(|&shard| shard != self.shard) {
            let last = &self.all.list(shard, stage, example)[self.all.k - 1];
            while (last.load(Relaxed) >> 32) as u32 != self.minibatch && patience > 0 {
                patience -= 1;
                std::hint::spin_loop();
            }
        }
    }

    /// Merges what the other shards have published so far into `best`, a descending list of own lower bounds. Its last number
    /// is then a threshold: k units score at least as much.
    pub(crate) fn raise(&self, stage: Stage, example: usize, best: &mut [f32]) {
        for shard in (0..self.all.shards).filter(|&shard| shard != self.shard) {
            for place in self.all.list(shard, stage, example) {
                let place = place.load(Relaxed);
                if (place >> 32) as u32 != self.minibatch || !insert_descending(best, f32::from_bits(place as u32)) {
                    break;
                }
            }
        }
    }
}

/// Inserts a number into a descending list in place of the last one, if it is greater than that. NaN is not.
pub(crate) fn insert_descending(best: &mut [f32], number: f32) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    const K: usize = 3;
    const NOTHING: [f32; K] = [f32::NEG_INFINITY; K];

    fn raised(all: &Thresholds, shard: usize, minibatch: u32, stage: Stage, example: usize, own: [f32; K]) -> [f32; K] {
        let mut best = own;
        ShardThresholds { all, shard, minibatch }.raise(stage, example, &mut best);
        best
    }

    #[test]
    fn a_list_keeps_the_greatest_numbers_in_order() {
        const NUMBERS: [f32; 12] =
            [0.0, -0.0, 1.0, f32::NAN, -1.0, f32::NEG_INFINITY, 2.0, 1.0, f32::INFINITY, 0.5, 2.0, f32::NAN];
        for k in 1..=9 {
            let mut best = vec![f32::NEG_INFINITY; k];
            for (i, &number) in NUMBERS.iter().enumerate() {
                let last = best[k - 1];
                assert_eq!(insert_descending(&mut best, number), number > last, "{number} after {last}");
                let mut expected: Vec<f32> = NUMBERS[..=i].iter().copied().filter(|n| !n.is_nan()).collect();
                expected.sort_by(|a, b| b.partial_cmp(a).unwrap());
                expected.resize(k.max(expected.len()), f32::NEG_INFINITY);
                assert_eq!(best, expected[..k]);
            }
        }
        assert!(!insert_descending(&mut [], 1.0));
    }

    #[test]
    fn bounds_count_only_for_their_minibatch_stage_and_example() {
        let all = Thresholds::new(4, 2, K);
        for stage in [Stage::All, Stage::Candidates] {
            // Nothing is published: not even in minibatch 0, whose number the places have at first.
            for minibatch in [0, 1] {
                assert_eq!(raised(&all, 0, minibatch, stage, 1, [2.0, 1.0, 0.5]), [2.0, 1.0, 0.5]);
                assert_eq!(raised(&all, 0, minibatch, stage, 1, NOTHING), NOTHING);
            }
        }
        let publish = |shard, minibatch, best: [f32; K]| {
            ShardThresholds { all: &all, shard, minibatch }.publish(Stage::All, 1, &best)
        };
        publish(1, 7, [5.0, 3.0, 1.0]);
        publish(2, 7, [4.0, f32::NEG_INFINITY, f32::NEG_INFINITY]);
        publish(3, 6, [9.0, 9.0, 9.0]);
        publish(0, 7, [8.0, 8.0, 8.0]);
        // Own bounds do not count twice, nor do those of another minibatch, example or stage.
        assert_eq!(raised(&all, 0, 7, Stage::All, 1, [3.5, 2.0, f32::NEG_INFINITY]), [5.0, 4.0, 3.5]);
        assert_eq!(raised(&all, 2, 7, Stage::All, 1, NOTHING), [8.0, 8.0, 8.0]);
        assert_eq!(raised(&all, 0, 8, Stage::All, 1, NOTHING), NOTHING);
        assert_eq!(raised(&all, 0, 7, Stage::All, 0, NOTHING), NOTHING);
        assert_eq!(raised(&all, 0, 7, Stage::Candidates, 1, NOTHING), NOTHING);
        // What is published later in the same minibatch counts.
        publish(3, 7, [6.0, -1.0, -2.0]);
        assert_eq!(raised(&all, 0, 7, Stage::All, 1, NOTHING), [6.0, 5.0, 4.0]);
    }

    #[test]
    fn of_a_list_that_is_half_written_the_new_beginning_counts() {
        let all = Thresholds::new(2, 1, K);
        let (old, new) = ([9.0, 8.0, 7.0_f32], [3.0, 2.0, 1.0_f32]);
        let word = |minibatch: u64, bound: f32| minibatch << 32 | u64::from(bound.to_bits());
        for written in 0..1 << K {
            for (i, place) in all.list(1, Stage::All, 0).iter().enumerate() {
                place.store(if written >> i & 1 == 1 { word(2, new[i]) } else { word(1, old[i]) }, Relaxed);
            }
            let mut expected = [0.5; K];
            // Stores may be seen in any order; only a beginning without gaps is used, which loses nothing but time.
            for (_, &bound) in new.iter().enumerate().take_while(|(i, _)| written >> i & 1 == 1) {
                insert_descending(&mut expected, bound);
            }
            assert_eq!(raised(&all, 0, 2, Stage::All, 0, [0.5; K]), expected, "written {written:03b}");
        }
    }
}
