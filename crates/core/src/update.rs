//! The update of one shard: which of its rows are active, what pulls each, and the change of each.
//!
//! Only two units per example learn, so the update touches at most 2·batch rows and leaves all others alone. The pulls of
//! a row are a linked list in the order of the examples: one pass over the ranks builds all lists.

use crate::inputs::{Elements, Inputs};
use crate::isa::Kernels;
use crate::kernels::update::{ActiveRow, Contribution, UpdateStep};
use crate::matrix::Matrix;
use crate::offers::{Ranked, larger};
use crate::rows::Rows;
use crate::rule::Rule;
use std::ops::Range;

/// The end of a list.
const NONE: u32 = u32::MAX;

/// One pull and the one after it on the same row.
#[derive(Debug, Clone, Copy)]
struct Link {
    pull: Contribution,
    /// g·I.
    decay: f32,
    next: u32,
}

/// The active rows of a shard and what pulls them, for one minibatch at a time.
#[derive(Debug)]
pub(crate) struct Update {
    first: Vec<u32>,
    last: Vec<u32>,
    links: Vec<Link>,
    active: Vec<u32>,
    /// The pulls of all active rows, row after row.
    pulls: Vec<Contribution>,
    /// Of each active row, where its pulls end, and its decay.
    ends: Vec<(u32, f32)>,
}

impl Update {
    /// Sized for a shard of `rows` rows and minibatches of `batch` examples.
    pub(crate) fn new(rows: usize, batch: usize) -> Update {
        let most = rows.min(2 * batch);
        Update {
            first: vec![NONE; rows],
            last: vec![NONE; rows],
            links: Vec::with_capacity(2 * batch),
            active: Vec::with_capacity(most),
            pulls: Vec::with_capacity(2 * batch),
            ends: Vec::with_capacity(most),
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
        let pull = Contribution { example: sample, coefficient: g * scale };
        self.links.push(Link { pull, decay: g * (scale * score), next: NONE });
        if self.first[row] == NONE {
            self.first[row] = link;
            self.active.push(row as u32);
        } else {
            self.links[self.last[row] as usize].next = link;
        }
        self.last[row] = link;
    }

    /// Gathers what pulls every active row and returns the largest |ds|.
    pub(crate) fn build(&mut self, kernels: &Kernels, weights: &Matrix, inputs: &Inputs<'_>) -> f32 {
        // Rows near one another share cache lines of what is kept beside them.
        self.active.sort_unstable();
        self.pulls.clear();
        self.ends.clear();
        let mut largest = 0.0_f32;
        for (i, &row) in self.active.iter().enumerate() {
            if let Some(&next) = self.active.get(i + 1) {
                kernels.prefetch_row(weights.lanes(next as usize));
            }
            let start = self.pulls.len();
            let (mut decay, mut at) = (0.0, self.first[row as usize]);
            while at != NONE {
                let link = self.links[at as usize];
                self.pulls.push(link.pull);
                decay += link.decay;
                at = link.next;
            }
            self.ends.push((self.pulls.len() as u32, decay));
            let active = ActiveRow { contributions: &self.pulls[start..], decay, inputs: inputs.stride() };
            let weights = weights.lanes(row as usize);
            let row_largest = match inputs.elements() {
                Elements::U8(pixels) => kernels.change_u8(active, pixels, weights),
                Elements::F32(values) => kernels.change_f32(active, values, weights),
            };
            largest = larger(largest, row_largest);
        }
        largest
    }

    /// Adds size · ds to every active row.
    pub(crate) fn apply(&self, kernels: &Kernels, rule: &Rule, inputs: &Inputs<'_>, size: f32, rows: &mut Rows) {
        let step = UpdateStep { size, smallest: rule.smallest() };
        let mut start = 0;
        for (&row, &(end, decay)) in self.active.iter().zip(&self.ends) {
            let pulls = &self.pulls[start..end as usize];
            let active = ActiveRow { contributions: pulls, decay, inputs: inputs.stride() };
            rows.change(kernels, rule, row as usize, |weights| match inputs.elements() {
                Elements::U8(pixels) => kernels.apply_u8(active, pixels, step, weights),
                Elements::F32(values) => kernels.apply_f32(active, values, step, weights),
            });
            start = end as usize;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::Layer;
    use crate::top_k::NOBODY;

    const INPUTS: usize = 3;
    const EXAMPLES: [f32; 9] = [1.0, 2.0, 3.0, 10.0, 20.0, 30.0, 5.0, -7.0, 0.0];

    /// A shard of units 10 … 13 with weights 1, 2, 3, 4 everywhere.
    fn weights() -> Matrix {
        let mut weights = Matrix::zeros(4, INPUTS);
        (0..4).for_each(|row| weights.row_mut(row).fill(row as f32 + 1.0));
        weights
    }

    fn ranked(winner: (f32, u32), last: (f32, u32)) -> Ranked {
        Ranked { winner, last }
    }

    #[test]
    fn rows_are_pulled_by_the_examples_that_rank_them_and_by_no_others() {
        let (rule, units) = (Rule::new(2.0, 2, 0.5).unwrap(), 10..14);
        let inputs = Inputs::f32(&EXAMPLES, INPUTS).unwrap();
        for kernels in Kernels::all() {
            let mut update = Update::new(4, 3);
            // A minibatch before, which must be forgotten.
            update.note(&rule, &units, 1, 1.0, ranked((1.0, 11), (1.0, 13)));
            assert!(update.build(kernels, &weights(), &inputs) > 0.0);
            update.clear();
            // Unit 12 wins twice and is once last; 9 and 14 live elsewhere; nobody is last in the end.
            update.note(&rule, &units, 0, 2.0, ranked((4.0, 12), (1.0, 9)));
            update.note(&rule, &units, 2, 1.0, ranked((3.0, 14), (2.0, 12)));
            update.note(&rule, &units, 1, 0.5, ranked((8.0, 12), (f32::NEG_INFINITY, NOBODY)));
            // d = 2 x0 − 0.5 x2 + 0.5 x1;  a = 1 · 2 · 4 − 0.5 · 1 · 2 + 1 · 0.5 · 8 = 11;  ds = d − 11 · 3.
            let largest = update.build(kernels, &weights(), &inputs);
            let ds = [2.0 - 2.5 + 5.0 - 33.0, 4.0 + 3.5 + 10.0 - 33.0, 6.0 + 0.0 + 15.0 - 33.0];
            assert_eq!(largest, 28.5);
            let (layer, cubic) = (Layer::from_matrix(weights()), Rule::new(3.0, 2, 0.5).unwrap());
            let mut found = Rows::new(0..4, &layer, &cubic);
            update.apply(kernels, &cubic, &inputs, 0.25, &mut found);
            let expected = ds.map(|ds| 3.0 + 0.25 * ds);
            assert_eq!(found.weights().to_rows(), [[1.0; 3], [2.0; 3], expected, [4.0; 3]].concat());
            // Scores are made with the new powers.
            let powers = [[1.0; 3], [4.0; 3], expected.map(|w| w * w.abs()), [16.0; 3]];
            assert_eq!(found.begin(kernels, &cubic).0.rows.to_rows(), powers.concat());
        }
    }

    #[test]
    fn with_delta_0_the_last_is_not_even_active() {
        let units = 10..14;
        let inputs = Inputs::f32(&EXAMPLES, INPUTS).unwrap();
        let mut update = Update::new(4, 3);
        update.note(&Rule::new(2.0, 2, 0.0).unwrap(), &units, 0, 1.0, ranked((1.0, 3), (1.0, 12)));
        assert_eq!(update.build(Kernels::best(), &weights(), &inputs), 0.0);
        assert!(update.active.is_empty());
    }

    #[test]
    fn a_full_minibatch_fits_without_growing() {
        let (rule, units) = (Rule::new(2.0, 2, 0.5).unwrap(), 0..50);
        let values = [1.0; 8 * INPUTS];
        let inputs = Inputs::f32(&values, INPUTS).unwrap();
        let mut update = Update::new(50, 8);
        let capacities = |update: &Update| [update.links.capacity(), update.active.capacity(), update.pulls.capacity()];
        let before = capacities(&update);
        for distinct in [true, false] {
            update.clear();
            for sample in 0..8 {
                let unit = if distinct { 2 * sample } else { 0 };
                update.note(&rule, &units, sample, 1.0, ranked((1.0, unit), (0.5, unit + 1)));
            }
            update.build(Kernels::best(), &Matrix::zeros(50, INPUTS), &inputs);
            assert_eq!(update.active.len(), if distinct { 16 } else { 2 });
        }
        assert_eq!(capacities(&update), before);
    }
}
