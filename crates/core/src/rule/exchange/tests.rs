//! Merged lists and maxima against those of one list.

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
    let rank = |rank: usize| ranks.get(rank).copied().unwrap_or((f32::NEG_INFINITY, TopK::NONE));
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
                let exchange = Exchange::new(shards, batch, k);
                for shard in 0..shards {
                    let units = range_of(hidden, 1, shard, shards);
                    let mut lists = TopK::new(batch, k);
                    let mut rows = vec![[f32::NAN; 16]; batch * 3];
                    for (row, scores) in rows.chunks_exact_mut(3).zip(&all) {
                        row.as_flattened_mut()[..units.len()].copy_from_slice(&scores[units.clone()]);
                    }
                    lists.push(Kernels::best(), &rows, 3, units.len(), units.start as u32);
                    exchange.publish(shard, &lists);
                }
                // What `heads` held before does not matter.
                let mut heads = vec![usize::MAX; shards];
                for (example, scores) in all.iter().enumerate() {
                    let (found, expected) = (exchange.merge(example, &mut heads), expected(scores, k));
                    assert_eq!(found, expected, "{shards} shards, k {k}: {scores:?}");
                }
            }
        }
    }
}

#[test]
fn the_largest_change_is_that_of_all_shards() {
    let exchange = Exchange::new(3, 1, 2);
    assert_eq!(exchange.largest(), 0.0);
    for (shard, largest) in [(0, 0.5), (1, 2.0), (2, 1.0)] {
        exchange.publish_largest(shard, largest);
    }
    assert_eq!(exchange.largest(), 2.0);
    // The next minibatch replaces it.
    exchange.publish_largest(1, 0.0);
    assert_eq!(exchange.largest(), 1.0);
}
