//! The balance of Hebbian and anti-Hebbian updates: a unit gets an anti-Hebbian update only while its wins allow it.
//!
//! Ours, off by default ([`crate::Rule::with_balance`]). Before a minibatch wins and pushes of every unit are multiplied by
//! 0.9995. Examples in order: the winner's wins += 1; then the unit of rank k is pushed, and its pushes += 1, if
//! pushes + 1 ≤ balance · wins. A unit lives on one shard, so the counts do not depend on the number of shards.

/// What is left of the counts after a minibatch.
const DECAY: f32 = 0.9995;

/// How often each unit won and got an anti-Hebbian update, both decaying: the state of a balanced rule beside the weights.
#[derive(Debug, Clone, PartialEq)]
pub struct BalanceCounts {
    /// Wins per unit; 1 when learning starts.
    pub wins: Vec<f32>,
    /// Anti-Hebbian updates per unit; 0 when learning starts.
    pub pushes: Vec<f32>,
}

/// The counts of one unit.
#[derive(Debug, Clone, Copy)]
struct Counts {
    wins: f32,
    pushes: f32,
}

/// The counts of the units of a shard.
#[derive(Debug)]
pub(crate) struct Balance {
    limit: f32,
    now: Vec<Counts>,
    /// Those before the present minibatch, in case that it is not learned.
    before: Vec<Counts>,
}

impl Balance {
    pub(crate) fn new(limit: f32, units: usize) -> Balance {
        let start = vec![Counts { wins: 1.0, pushes: 0.0 }; units];
        Balance { limit, before: start.clone(), now: start }
    }

    pub(crate) fn begin_minibatch(&mut self) {
        self.before.copy_from_slice(&self.now);
        for counts in &mut self.now {
            counts.wins *= DECAY;
            counts.pushes *= DECAY;
        }
    }

    /// Takes back the present minibatch.
    pub(crate) fn revert(&mut self) {
        self.now.copy_from_slice(&self.before);
    }

    pub(crate) fn count_win(&mut self, row: usize) {
        self.now[row].wins += 1.0;
    }

    /// Whether the unit of rank k gets its anti-Hebbian update; counts it if so.
    pub(crate) fn allows_push(&mut self, row: usize) -> bool {
        let counts = &mut self.now[row];
        let allowed = counts.pushes + 1.0 <= self.limit * counts.wins;
        counts.pushes += if allowed { 1.0 } else { 0.0 };
        allowed
    }

    pub(crate) fn append_to(&self, all: &mut BalanceCounts) {
        all.wins.extend(self.now.iter().map(|counts| counts.wins));
        all.pushes.extend(self.now.iter().map(|counts| counts.pushes));
    }

    pub(crate) fn restore(&mut self, wins: &[f32], pushes: &[f32]) {
        self.now = wins.iter().zip(pushes).map(|(&wins, &pushes)| Counts { wins, pushes }).collect();
    }
}
