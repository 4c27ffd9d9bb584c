//! Merged lists, bars and maxima against those of one list.

use super::*;
use crate::compute::range_of;
use crate::isa::Kernels;
use crate::random::Random;

/// Scores of which many are equal, both zeros among them, and some are never ranked.
fn scores(random: &mut Random, count: usize) -> Vec<f32> {
    const SCORES: [f32; 8] = [0.0, -0.0, 1.0, -1.0, f32::NAN, f32::NEG_INFINITY, f32::INFINITY, 2.0];
    (0..count).map(|_| SCORES[(random.next_u64() >> 61) as usize]).collect()
}

/// Ranks 1 and k of one list of all units, by a stable sort.
fn expected(scores: &[f32], k: usize) -> Ranked {
    let mut ranks: Vec<(f32, u32)> = scores.iter().copied().zip(0..).collect();
    ranks.retain(|(score, _)| *score > f32::NEG_INFINITY);
    ranks.sort_by(|a, b| b.0.partial_cmp(&a.0).unwrap());
    let rank = |rank: usize| ranks.get(rank).copied().unwrap_or((f32::NEG_INFINITY, NOBODY));
    Ranked { winner: rank(0), last: rank(k - 1) }
}

#[test]
fn merged_ranks_are_those_of_one_list() {
    let mut random = Random::keyed(1, "synthetic", 0);
    for shards in 1..=7 {
        for k in 2..=9 {
            for hidden in [1, 3, 8, 20, 40] {
                let batch = 6;
                let all: Vec<Vec<f32>> = (0..batch).map(|_| scores(&mut random, hidden)).collect();
                let offers = Offers::new(shards, batch, k);
                for shard in 0..shards {
                    let units = range_of(hidden, 1, shard, shards);
                    let mut lists = TopK::new(batch, k);
                    let mut rows = vec![[f32::NAN; 16]; batch * 3];
                    for (row, scores) in rows.chunks_exact_mut(3).zip(&all) {
                        row.as_flattened_mut()[..units.len()].copy_from_slice(&scores[units.clone()]);
                    }
                    lists.offer(Kernels::best(), &rows, 3, units.len(), units.start as u32);
                    offers.publish(shard, &lists);
                }
                // What `heads` held before does not matter.
                let mut heads = vec![usize::MAX; shards];
                for (example, scores) in all.iter().enumerate() {
                    let (found, expected) = (offers.merge(example, &mut heads), expected(scores, k));
                    assert_eq!(found, expected, "{shards} shards, k {k}: {scores:?}");
                }
            }
        }
    }
}

#[test]
fn the_largest_change_is_that_of_all_shards() {
    let offers = Offers::new(3, 1, 2);
    assert_eq!(offers.largest(), 0.0);
    for (shard, largest) in [(0, 0.5), (1, 2.0), (2, 1.0)] {
        offers.publish_largest(shard, largest);
    }
    assert_eq!(offers.largest(), 2.0);
    // The next minibatch replaces it.
    offers.publish_largest(1, 0.0);
    assert_eq!(offers.largest(), 1.0);
}

const K: usize = 3;

fn at(shard: usize, stage: Stage, minibatch: u32, example: usize) -> BarsAt {
    BarsAt { shard, stage, minibatch, example }
}

fn raised(offers: &Offers, at: BarsAt, own: [f32; K]) -> [f32; K] {
    let mut best = own;
    offers.raise_bars(at, &mut best);
    best
}

#[test]
fn a_list_keeps_the_greatest_numbers_in_order() {
    let mut random = Random::keyed(2, "synthetic", 0);
    for k in 1..=9 {
        let numbers = scores(&mut random, 60);
        let mut best = vec![f32::NEG_INFINITY; k];
        for (i, &number) in numbers.iter().enumerate() {
            let last = best[k - 1];
            assert_eq!(keep_best(&mut best, number), number > last, "{number} after {last}");
            let mut expected: Vec<f32> = numbers[..=i].iter().copied().filter(|n| !n.is_nan()).collect();
            expected.sort_by(|a, b| b.partial_cmp(a).unwrap());
            expected.resize(k.max(expected.len()), f32::NEG_INFINITY);
            assert_eq!(best, expected[..k]);
        }
    }
    assert!(!keep_best(&mut [], 1.0));
}

#[test]
fn bars_are_those_of_all_shards_that_told_theirs_in_this_minibatch() {
    let (offers, nothing) = (Offers::new(4, 2, K), [f32::NEG_INFINITY; K]);
    for stage in [Stage::All, Stage::Candidates] {
        // Nobody has told anything: not even in minibatch 0, with whose number the places are made.
        for minibatch in [0, 1] {
            assert_eq!(raised(&offers, at(0, stage, minibatch, 1), [2.0, 1.0, 0.5]), [2.0, 1.0, 0.5]);
            assert_eq!(raised(&offers, at(0, stage, minibatch, 1), nothing), nothing);
        }
    }
    let tell = |shard, stage, minibatch, best: [f32; K]| {
        offers.publish_bars(at(shard, stage, minibatch, 1), &best);
    };
    tell(1, Stage::All, 7, [5.0, 3.0, 1.0]);
    tell(2, Stage::All, 7, [4.0, f32::NEG_INFINITY, f32::NEG_INFINITY]);
    tell(3, Stage::All, 6, [9.0, 9.0, 9.0]);
    tell(0, Stage::All, 7, [8.0, 8.0, 8.0]);
    // Own bars do not count twice, nor do those of another minibatch, example or stage.
    assert_eq!(raised(&offers, at(0, Stage::All, 7, 1), [3.5, 2.0, f32::NEG_INFINITY]), [5.0, 4.0, 3.5]);
    assert_eq!(raised(&offers, at(2, Stage::All, 7, 1), nothing), [8.0, 8.0, 8.0]);
    assert_eq!(raised(&offers, at(0, Stage::All, 8, 1), nothing), nothing);
    assert_eq!(raised(&offers, at(0, Stage::All, 7, 0), nothing), nothing);
    assert_eq!(raised(&offers, at(0, Stage::Candidates, 7, 1), nothing), nothing);
    // What is told later in the same minibatch is heard.
    tell(3, Stage::All, 7, [6.0, -1.0, -2.0]);
    assert_eq!(raised(&offers, at(0, Stage::All, 7, 1), nothing), [6.0, 5.0, 4.0]);
}

#[test]
fn of_a_list_that_is_half_written_the_new_half_counts() {
    let offers = Offers::new(2, 1, K);
    let (old, new) = ([9.0, 8.0, 7.0_f32], [3.0, 2.0, 1.0_f32]);
    let word = |minibatch: u64, bar: f32| minibatch << 32 | u64::from(bar.to_bits());
    for written in 0..1 << K {
        let places = offers.bars(1, Stage::All, 0);
        for (i, place) in places.iter().enumerate() {
            place.store(if written >> i & 1 == 1 { word(2, new[i]) } else { word(1, old[i]) }, Relaxed);
        }
        let mut expected = [0.5; K];
        // Stores may be seen in any order; only a beginning without gaps is used, which loses nothing but time.
        for &bar in new.iter().enumerate().take_while(|(i, _)| written >> i & 1 == 1).map(|(_, bar)| bar) {
            keep_best(&mut expected, bar);
        }
        assert_eq!(raised(&offers, at(0, Stage::All, 2, 0), [0.5; K]), expected, "written {written:03b}");
    }
}
