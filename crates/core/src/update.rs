//! The update of one shard: which of its rows are active, what pulls each, and the change of each.
//!
//! Only two units per example learn, so the update touches at most 2·batch rows and leaves all others alone. The pulls of
//! a row are a linked list in the order of the examples: one pass over the ranks builds all lists.

use crate::inputs::{Elements, Inputs};
use crate::isa::Kernels;
use crate::kernels::update::{ActiveRow, Pull};
use crate::matrix::Matrix;
use crate::offers::Ranked;
use crate::rule::Rule;
use std::ops::Range;

/// The end of a list.
const NONE: u32 = u32::MAX;

/// One pull and the one after it on the same row.
#[derive(Debug, Clone, Copy)]
struct Link {
    pull: Pull,
    /// g·I.
    decay: f32,
    next: u32,
}

/// The active rows of a shard and their changes, for one minibatch at a time.
#[derive(Debug)]
pub(crate) struct Update {
    first: Vec<u32>,
    last: Vec<u32>,
    links: Vec<Link>,
    active: Vec<u32>,
    pulls: Vec<Pull>,
    changes: Matrix,
}

impl Update {
    /// Sized for a shard of `rows` rows and minibatches of `batch` examples.
    pub(crate) fn new(rows: usize, inputs: usize, batch: usize) -> Update {
        Update {
            first: vec![NONE; rows],
            last: vec![NONE; rows],
            links: Vec::with_capacity(2 * batch),
            active: Vec::with_capacity(rows.min(2 * batch)),
            pulls: Vec::with_capacity(2 * batch),
            changes: Matrix::zeros(rows.min(2 * batch), inputs),
        }
    }

    /// Forgets the last minibatch.
    pub(crate) fn clear(&mut self) {
        for &row in &self.active {
            self.first[row as usize] = NONE;
        }
        self.active.clear();
        self.links.clear();
    }

    /// Notes the ranks of one example: the winner is pulled by g = 1, rank k by g = −Δ, if they live in `units`.
    /// Examples must come in the order of the minibatch.
    pub(crate) fn note(&mut self, rule: &Rule, units: &Range<usize>, sample: u32, scale: f32, ranked: Ranked) {
        self.pull(units, sample, scale, 1.0, ranked.winner);
        if rule.delta() > 0.0 {
            self.pull(units, sample, scale, -rule.delta(), ranked.last);
        }
    }

    fn pull(&mut self, units: &Range<usize>, sample: u32, scale: f32, g: f32, (score, unit): (f32, u32)) {
        if !units.contains(&(unit as usize)) {
            return;
        }
        let row = unit as usize - units.start;
        let link = self.links.len() as u32;
        let pull = Pull { example: sample, strength: g * scale };
        self.links.push(Link { pull, decay: g * (scale * score), next: NONE });
        if self.first[row] == NONE {
            self.first[row] = link;
            self.active.push(row as u32);
        } else {
            self.links[self.last[row] as usize].next = link;
        }
        self.last[row] = link;
    }

    /// Builds ds of every active row and returns the largest |ds|.
    pub(crate) fn build(&mut self, kernels: &Kernels, weights: &Matrix, inputs: &Inputs<'_>) -> f32 {
        let mut largest = 0.0_f32;
        for (slot, &row) in self.active.iter().enumerate() {
            self.pulls.clear();
            let (mut decay, mut at) = (0.0, self.first[row as usize]);
            while at != NONE {
                let link = self.links[at as usize];
                self.pulls.push(link.pull);
                decay += link.decay;
                at = link.next;
            }
            let weights = weights.lanes(row as usize);
            let row = ActiveRow { weights, pulls: &self.pulls, decay, inputs: inputs.inputs() };
            let change = self.changes.lanes_mut(slot);
            largest = largest.max(match inputs.elements() {
                Elements::U8(pixels) => kernels.change_u8(row, pixels, change),
                Elements::F32(values) => kernels.change_f32(row, values, change),
            });
        }
        largest
    }

    /// Adds step · ds to every active row, and renews the powers of those rows where there are any.
    pub(crate) fn apply(
        &mut self,
        kernels: &Kernels,
        rule: &Rule,
        step: f32,
        weights: &mut Matrix,
        powers: Option<&mut Matrix>,
    ) {
        for (slot, &row) in self.active.iter().enumerate() {
            kernels.apply(step, self.changes.lanes(slot), weights.lanes_mut(row as usize));
        }
        if let Some(powers) = powers {
            for &row in &self.active {
                rule.power(kernels, weights.lanes(row as usize), powers.lanes_mut(row as usize));
            }
        }
    }
}
