//! The update of one shard: which of its rows are active, the contributions to each, and its change.
//!
//! Only two units per example learn, so the update touches at most 2·batch rows and leaves all others alone. The contributions
//! to a row are a linked list in the order of the examples: one pass over the ranks builds all lists.

use crate::inputs::{Elements, Inputs};
use crate::isa::Kernels;
use crate::kernels::update::{ActiveRow, Contribution, UpdateStep};
use crate::matrix::Matrix;
use crate::rule::exchange::{Ranked, larger};
use crate::rule::parameters::Rule;
use crate::vector::Lanes;
use std::ops::Range;

/// The end of a list.
const NONE: u32 = u32::MAX;

/// One contribution, and the next one to the same row.
#[derive(Debug, Clone, Copy)]
struct Link {
    contribution: Contribution,
    /// g·I.
    decay: f32,
    next: u32,
}

/// The active rows of a shard and the contributions to them, for one minibatch at a time.
#[derive(Debug)]
pub(crate) struct Update {
    first: Vec<u32>,
    last: Vec<u32>,
    links: Vec<Link>,
    active: Vec<u32>,
    /// The contributions to all active rows, row after row.
    contributions: Vec<Contribution>,
    /// Of each active row, where its contributions end, and its decay.
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
            contributions: Vec::with_capacity(2 * batch),
            ends: Vec::with_capacity(most),
        }
    }

    /// Clears the last minibatch.
    pub(crate) fn clear(&mut self) {
        for &row in &self.active {
            self.first[row as usize] = NONE;
        }
        self.active.clear();
        self.links.clear();
    }

    /// Records the ranks of one example: the winner learns with g = 1, rank k with g = −Δ, if they live in `units`.
    /// Examples must come in the order of the minibatch.
    pub(crate) fn record(&mut self, rule: &Rule, units: &Range<usize>, sample: u32, scale: f32, ranked: Ranked) {
        self.contribute(units, sample, scale, 1.0, ranked.winner);
        if rule.delta() > 0.0 {
            self.contribute(units, sample, scale, -rule.delta(), ranked.last);
        }
    }

    fn contribute(&mut self, units: &Range<usize>, sample: u32, scale: f32, g: f32, (score, unit): (f32, u32)) {
        if !units.contains(&(unit as usize)) {
            return;
        }
        let row = unit as usize - units.start;
        let link = self.links.len() as u32;
        let contribution = Contribution { example: sample, coefficient: g * scale };
        self.links.push(Link { contribution, decay: g * (scale * score), next: NONE });
        if self.first[row] == NONE {
            self.first[row] = link;
            self.active.push(row as u32);
        } else {
            self.links[self.last[row] as usize].next = link;
        }
        self.last[row] = link;
    }

    /// Gathers the contributions to every active row and returns the largest |ds|.
    pub(crate) fn build(&mut self, kernels: &Kernels, weights: &Matrix, inputs: &Inputs<'_>) -> f32 {
        // Rows near one another share cache lines of what is kept beside them.
        self.active.sort_unstable();
        self.contributions.clear();
        self.ends.clear();
        let mut largest = 0.0_f32;
        for (i, &row) in self.active.iter().enumerate() {
            if let Some(&next) = self.active.get(i + 1) {
                kernels.prefetch_row(weights.lanes(next as usize));
            }
            let start = self.contributions.len();
            let (mut decay, mut at) = (0.0, self.first[row as usize]);
            while at != NONE {
                let link = self.links[at as usize];
                self.contributions.push(link.contribution);
                decay += link.decay;
                at = link.next;
            }
            self.ends.push((self.contributions.len() as u32, decay));
            let active = ActiveRow { contributions: &self.contributions[start..], decay, inputs: inputs.stride() };
            let weights = weights.lanes(row as usize);
            let row_largest = match inputs.elements() {
                Elements::U8(pixels) => kernels.change_u8(active, pixels, weights),
                Elements::F32(values) => kernels.change_f32(active, values, weights),
            };
            largest = larger(largest, row_largest);
        }
        largest
    }

    /// Adds size · ds to every active row, by calling `change(row, addition)` for each.
    pub(crate) fn apply(
        &self,
        kernels: &Kernels,
        rule: &Rule,
        inputs: &Inputs<'_>,
        size: f32,
        mut change: impl FnMut(usize, &dyn Fn(&mut [Lanes])),
    ) {
        let step = UpdateStep { size, smallest: rule.smallest() };
        let mut start = 0;
        for (&row, &(end, decay)) in self.active.iter().zip(&self.ends) {
            let contributions = &self.contributions[start..end as usize];
            let active = ActiveRow { contributions, decay, inputs: inputs.stride() };
            change(row as usize, &|weights| match inputs.elements() {
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
    use crate::rule::layer::Layer;
    use crate::rule::rows::Rows;
    use crate::rule::top_k::TopK;

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
    fn rows_learn_from_the_examples_that_rank_them_and_from_no_others() {
        let (rule, units) = (Rule::new(2.0, 2, 0.5).unwrap(), 10..14);
        let inputs = Inputs::f32(&EXAMPLES, INPUTS).unwrap();
        for kernels in Kernels::all() {
            let mut update = Update::new(4, 3);
            // A minibatch before, which must be forgotten.
            update.record(&rule, &units, 1, 1.0, ranked((1.0, 11), (1.0, 13)));
            assert!(update.build(kernels, &weights(), &inputs) > 0.0);
            update.clear();
            // Unit 12 wins twice and is once last; 9 and 14 live elsewhere; no unit is last in the end.
            update.record(&rule, &units, 0, 2.0, ranked((4.0, 12), (1.0, 9)));
            update.record(&rule, &units, 2, 1.0, ranked((3.0, 14), (2.0, 12)));
            update.record(&rule, &units, 1, 0.5, ranked((8.0, 12), (f32::NEG_INFINITY, TopK::NONE)));
            // d = 2 x0 − 0.5 x2 + 0.5 x1;  a = 1 · 2 · 4 − 0.5 · 1 · 2 + 1 · 0.5 · 8 = 11;  ds = d − 11 · 3.
            let largest = update.build(kernels, &weights(), &inputs);
            let ds = [2.0 - 2.5 + 5.0 - 33.0, 4.0 + 3.5 + 10.0 - 33.0, 6.0 + 0.0 + 15.0 - 33.0];
            assert_eq!(largest, 28.5);
            let (layer, cubic) = (Layer::from_matrix(weights()), Rule::new(3.0, 2, 0.5).unwrap());
            let mut found = Rows::new(0..4, &layer, &cubic);
            update
                .apply(kernels, &cubic, &inputs, 0.25, |row, change| found.change(kernels, &cubic, false, row, change));
            let expected = ds.map(|ds| 3.0 + 0.25 * ds);
            assert_eq!(found.weights().to_rows(), [[1.0; 3], [2.0; 3], expected, [4.0; 3]].concat());
            // Scores are made with the new powers.
            let powers = [[1.0; 3], [4.0; 3], expected.map(|w| w * w.abs()), [16.0; 3]];
            assert_eq!(found.refresh(kernels, &cubic, false).rows.to_rows(), powers.concat());
        }
    }

    #[test]
    fn with_delta_0_the_last_is_not_even_active() {
        let units = 10..14;
        let inputs = Inputs::f32(&EXAMPLES, INPUTS).unwrap();
        let mut update = Update::new(4, 3);
        update.record(&Rule::new(2.0, 2, 0.0).unwrap(), &units, 0, 1.0, ranked((1.0, 3), (1.0, 12)));
        assert_eq!(update.build(Kernels::best(), &weights(), &inputs), 0.0);
        assert!(update.active.is_empty());
    }

    #[test]
    fn a_full_minibatch_fits_without_growing() {
        let (rule, units) = (Rule::new(2.0, 2, 0.5).unwrap(), 0..50);
        let values = [1.0; 8 * INPUTS];
        let inputs = Inputs::f32(&values, INPUTS).unwrap();
        let mut update = Update::new(50, 8);
        let capacities =
            |update: &Update| [update.links.capacity(), update.active.capacity(), update.contributions.capacity()];
        let before = capacities(&update);
        for distinct in [true, false] {
            update.clear();
            for sample in 0..8 {
                let unit = if distinct { 2 * sample } else { 0 };
                update.record(&rule, &units, sample, 1.0, ranked((1.0, unit), (0.5, unit + 1)));
            }
            update.build(Kernels::best(), &Matrix::zeros(50, INPUTS), &inputs);
            assert_eq!(update.active.len(), if distinct { 16 } else { 2 });
        }
        assert_eq!(capacities(&update), before);
    }
}
