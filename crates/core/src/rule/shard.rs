//! A contiguous range of hidden units: what a thread, a NUMA node or an MPI rank owns.
//!
//! Per minibatch a shard scores its own units and publishes its top k of each example; it merges the lists of all shards,
//! computes the changes of its own rows and publishes the largest; it applies the changes. Weights never leave it.

use crate::inputs::{Elements, Inputs};
use crate::isa::Kernels;
use crate::kernels::pack::Pixels;
use crate::matrix::Matrix;
use crate::rule::balance::{Balance, BalanceCounts};
use crate::rule::dense::Dense;
use crate::rule::exchange::Exchange;
use crate::rule::layer::Layer;
use crate::rule::parameters::{Engine, Rule};
use crate::rule::rows::Rows;
use crate::rule::screening::Screen;
use crate::rule::thresholds::{ShardThresholds, Thresholds};
use crate::rule::top_k::TopK;
use crate::rule::update::Update;
use std::ops::Range;

/// The units of one worker and its working memory.
#[derive(Debug)]
pub(crate) struct Shard {
    index: usize,
    units: Range<usize>,
    sizes: Sizes,
    rows: Rows,
    dense: Dense,
    screen: Option<Screen>,
    /// The own top k of every example of the minibatch.
    lists: TopK,
    update: Update,
    /// One number per shard, for merging.
    heads: Vec<usize>,
    wins: Vec<u32>,
    balance: Option<Balance>,
}

/// What the shards share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) exchange: Exchange,
    pub(crate) thresholds: Thresholds,
}

impl Shared {
    pub(crate) fn new(Sizes { batch, k, shards }: Sizes) -> Shared {
        Shared { exchange: Exchange::new(shards, batch, k), thresholds: Thresholds::new(shards, batch, k) }
    }
}

/// The examples that are learned together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Minibatch<'a> {
    /// Counted over the life of the learner, modulo 2³².
    pub(crate) number: u32,
    pub(crate) inputs: &'a Inputs<'a>,
    pub(crate) samples: &'a [u32],
    /// Samples of the next minibatch, prefetched because they are scattered in memory.
    pub(crate) next: &'a [u32],
    /// ε.
    pub(crate) rate: f32,
}

/// The sizes a shard is made for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) batch: usize,
    pub(crate) k: usize,
    pub(crate) shards: usize,
}

impl Shard {
    /// Copies the units of a range out of a layer. Called by the worker that will own them, so that the memory is near it.
    pub(crate) fn new(index: usize, units: Range<usize>, layer: &Layer, rule: &Rule, sizes: Sizes) -> Shard {
        let Sizes { batch, k, shards } = sizes;
        Shard {
            index,
            sizes,
            rows: Rows::new(units.clone(), layer, rule),
            dense: Dense::new(layer.inputs(), batch),
            screen: None,
            lists: TopK::new(batch, k),
            update: Update::new(units.len(), batch),
            heads: vec![0; shards],
            wins: vec![0; units.len()],
            balance: rule.balance().map(|limit| Balance::new(limit, units.len())),
            units,
        }
    }

    pub(crate) fn units(&self) -> Range<usize> {
        self.units.clone()
    }

    pub(crate) fn weights(&self) -> &Matrix {
        self.rows.weights()
    }

    /// How often each unit was rank 1 since [`Shard::clear_wins`].
    pub(crate) fn wins(&self) -> &[u32] {
        &self.wins
    }

    pub(crate) fn clear_wins(&mut self) {
        self.wins.fill(0);
    }

    /// Appends the counts of the own units.
    pub(crate) fn append_counts(&self, all: &mut BalanceCounts) {
        self.balance.iter().for_each(|balance| balance.append_to(all));
    }

    /// Takes the counts of the own units out of those of all.
    pub(crate) fn restore_counts(&mut self, all: &BalanceCounts) {
        if let Some(balance) = &mut self.balance {
            balance.restore(&all.wins[self.units.clone()], &all.pushes[self.units.clone()]);
        }
    }

    /// Allocates the memory of screening if the engine needs it, or frees it.
    pub(crate) fn prepare(&mut self, engine: Engine) {
        let wanted = engine == Engine::Screened;
        if wanted != self.screen.is_some() {
            let Sizes { batch, k, .. } = self.sizes;
            let screen = wanted.then(|| Screen::new(self.units.len(), self.rows.weights().columns(), batch, k));
            self.screen = screen.flatten();
        }
    }

    /// Score: publishes the k best own units of every example of the minibatch.
    pub(crate) fn score(&mut self, kernels: &Kernels, rule: &Rule, minibatch: Minibatch<'_>, shared: &Shared) {
        let Minibatch { number, inputs, samples, next, .. } = minibatch;
        let first_unit = self.units.start;
        self.lists.clear();
        let thresholds = ShardThresholds { all: &shared.thresholds, shard: self.index, minibatch: number };
        let screened = self.screen.as_ref().is_some_and(Screen::screens_next);
        let scored = self.rows.refresh(kernels, rule, screened);
        let screen = self.screen.as_mut().and_then(|screen| screen.begin(kernels, scored).then_some(screen));
        match (screen, inputs.elements()) {
            (Some(screen), Elements::U8(all)) => {
                let pixels = Pixels { all, inputs: inputs.inputs(), samples };
                let next = Pixels { samples: next, ..pixels };
                screen.score(kernels, scored, [pixels, next], thresholds, first_unit, &mut self.lists);
            }
            (_, elements) => {
                if matches!(elements, Elements::U8(_)) {
                    thresholds.publish_none(samples.len());
                }
                self.dense.score(kernels, scored.rows, inputs, samples, first_unit, &mut self.lists);
            }
        }
        shared.exchange.publish(self.index, &self.lists);
    }

    /// Rank: merges the lists of all shards, computes the changes of the own rows and publishes the largest.
    pub(crate) fn rank(&mut self, kernels: &Kernels, rule: &Rule, minibatch: Minibatch<'_>, shared: &Shared) {
        let Minibatch { inputs, samples, rate, .. } = minibatch;
        self.update.clear();
        let mut overflow = !self.rows.stay_finite(rate);
        if let Some(balance) = &mut self.balance {
            balance.begin_minibatch();
        }
        let (first, rows) = (self.units.start, self.wins.len());
        let row_of = |unit: u32| (unit as usize).checked_sub(first).filter(|&row| row < rows);
        for (example, &sample) in samples.iter().enumerate() {
            let mut ranked = shared.exchange.merge(example, &mut self.heads);
            let winner = row_of(ranked.winner.1);
            if let Some(row) = winner {
                self.wins[row] += 1;
            }
            // Fewer than k units have a number for a score.
            overflow |= ranked.last.1 == TopK::NONE;
            if let Some(balance) = &mut self.balance {
                winner.into_iter().for_each(|row| balance.count_win(row));
                let pushed = row_of(ranked.last.1).filter(|_| rule.delta() > 0.0);
                if pushed.is_some_and(|row| !balance.allows_push(row)) {
                    ranked.last.1 = TopK::NONE;
                }
            }
            self.update.record(rule, &self.units, sample, inputs.scale(sample as usize), ranked);
        }
        let largest = self.update.build(kernels, self.rows.weights(), inputs);
        shared.exchange.publish_largest(self.index, if overflow { f32::NAN } else { largest });
    }

    /// Update: adds ε ds / max(max |ds|, 1e−30), with the maximum over all shards. If that is not finite, nothing changes, on
    /// no shard: all of them see the same maximum.
    pub(crate) fn update(
        &mut self,
        kernels: &Kernels,
        rule: &Rule,
        Minibatch { inputs, rate, .. }: Minibatch<'_>,
        shared: &Shared,
    ) -> Applied {
        let largest = shared.exchange.largest();
        let step = rate / largest.max(1e-30);
        if largest.is_nan() || !step.is_finite() {
            if let Some(balance) = &mut self.balance {
                balance.revert();
            }
            return Applied::Overflow;
        }
        if largest > 0.0 {
            let Shard { rows, screen, update, .. } = self;
            let mut screen = screen.as_mut().filter(|screen| screen.is_active());
            update.apply(kernels, rule, inputs, step, |row, change| {
                rows.change(kernels, rule, screen.is_some(), row, change);
                if let Some(screen) = &mut screen {
                    screen.requantise(kernels, rows.scored(rule, true), row);
                }
            });
        }
        Applied::Done
    }
}

/// What became of a minibatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Applied {
    /// It was learned.
    Done,
    /// A current, a change or a weight would leave the range of f32.
    Overflow,
}
