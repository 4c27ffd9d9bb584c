//! A contiguous range of hidden units: what a thread, a NUMA node or an MPI rank owns.
//!
//! Per minibatch a shard scores its own units, offers its local top k per example, learns the merged ranks, updates its
//! own rows and offers one maximum. Weights never leave it.

use crate::inputs::Inputs;
use crate::isa::Kernels;
use crate::layer::Layer;
use crate::matrix::Matrix;
use crate::offers::Offers;
use crate::rule::Rule;
use crate::score;
use crate::top_k::NOBODY;
use crate::vector::LANES;
use crate::workspace::{UNITS, Workspace};
use std::ops::Range;

/// The units of one worker and its working memory.
#[derive(Debug)]
pub(crate) struct Shard {
    index: usize,
    units: Range<usize>,
    weights: Matrix,
    powers: Option<Matrix>,
    workspace: Workspace,
    wins: Vec<u32>,
}

/// The sizes a shard is made for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) batch: usize,
    pub(crate) shards: usize,
}

impl Shard {
    /// Copies the units of a range out of a layer. Called by the worker that will own them, so that the memory is near it.
    pub(crate) fn new(
        index: usize,
        units: Range<usize>,
        layer: &Layer,
        rule: &Rule,
        sizes: Sizes,
        kernels: &Kernels,
    ) -> Shard {
        let mut weights = Matrix::zeros(units.len(), layer.inputs());
        for (row, unit) in units.clone().enumerate() {
            weights.row_mut(row).copy_from_slice(layer.row(unit));
        }
        let powers = rule.has_powers().then(|| {
            let mut powers = Matrix::zeros(units.len(), layer.inputs());
            for row in 0..units.len() {
                rule.power(kernels, weights.lanes(row), powers.lanes_mut(row));
            }
            powers
        });
        let workspace = Workspace::new(units.len(), layer.inputs(), sizes.batch, rule.k(), sizes.shards);
        Shard { index, wins: vec![0; units.len()], units, weights, powers, workspace }
    }

    pub(crate) fn units(&self) -> Range<usize> {
        self.units.clone()
    }

    pub(crate) fn weights(&self) -> &Matrix {
        &self.weights
    }

    /// How often each unit was rank 1 since [`Shard::forget_wins`].
    pub(crate) fn wins(&self) -> &[u32] {
        &self.wins
    }

    pub(crate) fn forget_wins(&mut self) {
        self.wins.fill(0);
    }

    /// Scores every own unit for every example of the minibatch and offers the k best of each example.
    pub(crate) fn score(&mut self, kernels: &Kernels, inputs: &Inputs<'_>, minibatch: &[u32], offers: &Offers) {
        let Workspace { staged, scores, lists, .. } = &mut self.workspace;
        let weights = self.powers.as_ref().unwrap_or(&self.weights);
        lists.clear();
        for (block, samples) in minibatch.chunks(staged.rows()).enumerate() {
            let example = block * staged.rows();
            let examples = inputs.stage_all(kernels, samples.iter().map(|&sample| sample as usize), staged);
            let scores = &mut scores[..samples.len() * UNITS / LANES];
            for first in (0..weights.rows()).step_by(UNITS) {
                let units = UNITS.min(weights.rows() - first);
                score::score(kernels, weights.panel(first, units), examples, scores.as_flattened_mut(), UNITS);
                let unit = (self.units.start + first) as u32;
                lists.offer_from(kernels, example, scores, UNITS / LANES, units, unit);
            }
        }
        offers.publish(self.index, lists);
    }

    /// Learns the merged ranks, builds the changes of the own active rows and offers the largest.
    pub(crate) fn update(
        &mut self,
        kernels: &Kernels,
        rule: &Rule,
        inputs: &Inputs<'_>,
        minibatch: &[u32],
        offers: &Offers,
    ) {
        let Workspace { update, heads, .. } = &mut self.workspace;
        update.clear();
        let mut overflow = false;
        for (example, &sample) in minibatch.iter().enumerate() {
            let ranked = offers.merge(example, heads);
            if let Some(row) = (ranked.winner.1 as usize).checked_sub(self.units.start)
                && row < self.wins.len()
            {
                self.wins[row] += 1;
            }
            // Fewer than k units have a number for a score.
            overflow |= ranked.last.1 == NOBODY;
            update.note(rule, &self.units, sample, inputs.scale(sample as usize), ranked);
        }
        let largest = update.build(kernels, &self.weights, inputs);
        offers.publish_largest(self.index, if overflow { f32::NAN } else { largest });
    }

    /// Adds ε ds / max(max |ds|, 1e−30), the maximum being that of all shards. Changes nothing and says so if it is no
    /// number; every shard sees the same maximum.
    pub(crate) fn apply(&mut self, kernels: &Kernels, rule: &Rule, rate: f32, offers: &Offers) -> Applied {
        let largest = offers.largest();
        if largest.is_nan() {
            return Applied::Overflow;
        }
        if largest > 0.0 {
            let step = rate / largest.max(1e-30);
            self.workspace.update.apply(kernels, rule, step, &mut self.weights, self.powers.as_mut());
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
