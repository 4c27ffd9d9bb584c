//! A contiguous range of hidden units: what a thread, a NUMA node or an MPI rank owns.
//!
//! Per minibatch a shard scores its own units, offers its local top k per example, learns the merged ranks, updates its
//! own rows and offers one maximum. Weights never leave it.

use crate::balance::{Balance, BalanceCounts};
use crate::engine::Engine;
use crate::inputs::{Elements, Inputs};
use crate::isa::Kernels;
use crate::kernels::pack::Pixels;
use crate::layer::Layer;
use crate::matrix::Matrix;
use crate::offers::Offers;
use crate::rows::Rows;
use crate::rule::Rule;
use crate::screen::{Place, Screen};
use crate::top_k::NOBODY;
use crate::workspace::Workspace;
use std::ops::Range;

/// The units of one worker and its working memory.
#[derive(Debug)]
pub(crate) struct Shard {
    index: usize,
    units: Range<usize>,
    sizes: Sizes,
    rows: Rows,
    workspace: Workspace,
    wins: Vec<u32>,
    balance: Option<Balance>,
}

/// The examples that are learned together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Minibatch<'a> {
    /// Counted over the life of the learner, modulo 2³².
    pub(crate) number: u32,
    pub(crate) inputs: &'a Inputs<'a>,
    pub(crate) samples: &'a [u32],
    /// Those of the minibatch behind it, if there is one: they lie anywhere in memory, and are asked for in time.
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
        let rows = Rows::new(units.clone(), layer, rule);
        let workspace = Workspace::new(units.len(), layer.inputs(), sizes);
        let balance = rule.balance().map(|limit| Balance::new(limit, units.len()));
        Shard { index, wins: vec![0; units.len()], balance, sizes, units, rows, workspace }
    }

    pub(crate) fn units(&self) -> Range<usize> {
        self.units.clone()
    }

    pub(crate) fn weights(&self) -> &Matrix {
        self.rows.weights()
    }

    /// How often each unit was rank 1 since [`Shard::forget_wins`].
    pub(crate) fn wins(&self) -> &[u32] {
        &self.wins
    }

    pub(crate) fn forget_wins(&mut self) {
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

    /// Makes room for screening if the engine wants it and has none yet, or gives it up.
    pub(crate) fn prepare(&mut self, engine: Engine) {
        let wanted = engine == Engine::Screened;
        if wanted != self.rows.screens() {
            let Sizes { batch, k, .. } = self.sizes;
            let screen = wanted.then(|| Screen::new(self.units.len(), self.rows.weights().columns(), batch, k));
            self.rows.set_screen(screen.flatten());
        }
    }

    /// Offers the k best own units of every example of the minibatch.
    pub(crate) fn score(&mut self, kernels: &Kernels, rule: &Rule, minibatch: Minibatch<'_>, offers: &Offers) {
        let Minibatch { number, inputs, samples, next, .. } = minibatch;
        self.workspace.lists.clear();
        let place = Place { offers, shard: self.index, minibatch: number, first_unit: self.units.start };
        match (self.rows.begin(kernels, rule), inputs.elements()) {
            ((scored, Some(screen)), Elements::U8(all)) => {
                let pixels = Pixels { all, inputs: inputs.inputs(), samples };
                let next = Pixels { samples: next, ..pixels };
                screen.offer(kernels, scored, [pixels, next], place, &mut self.workspace.lists);
            }
            ((scored, _), elements) => {
                if matches!(elements, Elements::U8(_)) {
                    place.publish_nothing(samples.len());
                }
                self.workspace.offer_all(kernels, scored.rows, inputs, samples, self.units.start);
            }
        }
        offers.publish(self.index, &self.workspace.lists);
    }

    /// Learns the merged ranks, builds the changes of the own active rows and offers the largest.
    pub(crate) fn update(&mut self, kernels: &Kernels, rule: &Rule, minibatch: Minibatch<'_>, offers: &Offers) {
        let Minibatch { inputs, samples, rate, .. } = minibatch;
        let Workspace { update, heads, .. } = &mut self.workspace;
        update.clear();
        let mut overflow = !self.rows.stay_finite(rate);
        if let Some(balance) = &mut self.balance {
            balance.begin_minibatch();
        }
        let (first, rows) = (self.units.start, self.wins.len());
        let row_of = |unit: u32| (unit as usize).checked_sub(first).filter(|&row| row < rows);
        for (example, &sample) in samples.iter().enumerate() {
            let mut ranked = offers.merge(example, heads);
            let winner = row_of(ranked.winner.1);
            if let Some(row) = winner {
                self.wins[row] += 1;
            }
            // Fewer than k units have a number for a score.
            overflow |= ranked.last.1 == NOBODY;
            if let Some(balance) = &mut self.balance {
                winner.into_iter().for_each(|row| balance.count_win(row));
                let pushed = row_of(ranked.last.1).filter(|_| rule.delta() > 0.0);
                if pushed.is_some_and(|row| !balance.allows_push(row)) {
                    ranked.last.1 = NOBODY;
                }
            }
            update.note(rule, &self.units, sample, inputs.scale(sample as usize), ranked);
        }
        let largest = update.build(kernels, self.rows.weights(), inputs);
        offers.publish_largest(self.index, if overflow { f32::NAN } else { largest });
    }

    /// Adds ε ds / max(max |ds|, 1e−30), the maximum being that of all shards. Changes nothing and says so if it is no
    /// number; every shard sees the same maximum.
    pub(crate) fn apply(
        &mut self,
        kernels: &Kernels,
        rule: &Rule,
        Minibatch { inputs, rate, .. }: Minibatch<'_>,
        offers: &Offers,
    ) -> Applied {
        let largest = offers.largest();
        let step = rate / largest.max(1e-30);
        if largest.is_nan() || !step.is_finite() {
            if let Some(balance) = &mut self.balance {
                balance.revert();
            }
            return Applied::Overflow;
        }
        if largest > 0.0 {
            self.workspace.update.apply(kernels, rule, inputs, step, &mut self.rows);
        }
        Applied::Done
    }
}

/// What became of a minibatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Applied {
    /// It was learned.
    Done,
    /// A current or a change left the range of f32.
    Overflow,
}
