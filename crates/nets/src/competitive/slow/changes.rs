//! The changes ds = g Xᵀ − rowsum(g ∘ I) ∘ W of the units of one worker, for one minibatch at a time.
//!
//! Only units that are active for an example, or close to it, learn from it: with strong inhibition a few of thousands.
//!
//! 1. Only units that learn get a row of ds, one behind the other in the order in which they turn up.
//! 2. Eight of them at a time are multiplied by the examples that one of the eight learns from. Units that turn up together
//!    share examples; a unit that does not learn from an example of its group has the factor 0. With weak inhibition, where most units learn, this becomes the
//!    product of all with all.

use rivalry_core::{Kernels, Matrix, Panel, ops};

/// Units that are multiplied at once: as many as a tile of the product has rows.
const GROUP: usize = 8;

/// Which units learn from which examples, and how they change.
pub(super) struct Changes {
    /// g · c [own units × batch], zero where nothing is learned.
    factors: Matrix,
    /// Σ g I per own unit; `None` for a unit that does not learn.
    sums: Vec<Option<f32>>,
    /// The units that learn, as rows of the own units.
    learning: Vec<usize>,
    /// [own units × inputs]; the first rows are those of `learning`.
    ds: Matrix,
    /// The examples that a group learns from.
    examples: Vec<u32>,
    /// g · c of a group and its examples [group × batch].
    group_factors: Matrix,
    /// g Xᵀ of a group [group × inputs].
    products: Matrix,
}

impl Changes {
    pub(super) fn new(units: usize, inputs: usize, batch: usize) -> Changes {
        Changes {
            factors: Matrix::zeros(units, batch),
            sums: vec![None; units],
            learning: Vec::with_capacity(units),
            ds: Matrix::zeros(units, inputs),
            examples: Vec::with_capacity(batch),
            group_factors: Matrix::zeros(GROUP, batch),
            products: Matrix::zeros(GROUP, inputs),
        }
    }

    /// Forgets the last minibatch.
    pub(super) fn clear(&mut self) {
        for row in self.learning.drain(..) {
            self.factors.row_mut(row).fill(0.0);
            self.sums[row] = None;
        }
    }

    /// Records that a unit learns from an example. Examples must come in the order of the minibatch.
    pub(super) fn record(&mut self, row: usize, example: usize, g: f32, current: f32, scale: f32) {
        if self.sums[row].is_none() {
            self.learning.push(row);
        }
        *self.sums[row].get_or_insert(0.0) += g * current;
        self.factors.row_mut(row)[example] = g * scale;
    }

    /// Computes ds and returns max |ds|, or NaN where there is one. `minibatch` is X, unscaled.
    pub(super) fn compute(&mut self, kernels: &Kernels, minibatch: Panel<'_>, weights: &Matrix) -> f32 {
        let Changes { factors, sums, learning, ds, examples, group_factors, products } = self;
        let mut largest = 0;
        for (group, rows) in learning.chunks(GROUP).enumerate() {
            let learned_from = |example: &u32| rows.iter().any(|&row| factors.row(row)[*example as usize] != 0.0);
            examples.clear();
            examples.extend((0..minibatch.rows() as u32).filter(learned_from));
            for (i, &row) in rows.iter().enumerate() {
                let all = factors.row(row);
                let of_group = group_factors.row_mut(i).iter_mut();
                of_group.zip(&*examples).for_each(|(factor, &example)| *factor = all[example as usize]);
            }
            // What the rows behind the last one of a group hold is computed too, and not looked at.
            ops::gemm_tn(kernels, group_factors, minibatch.gather(examples), products);
            for (i, &row) in rows.iter().enumerate() {
                let sum = sums[row].unwrap_or(0.0);
                let ds = ds.row_mut(group * GROUP + i);
                for ((ds, product), w) in ds.iter_mut().zip(products.row(i)).zip(weights.row(row)) {
                    *ds = product - sum * w;
                    // As integers, because that is a maximum that keeps NaN and is computed in vectors.
                    largest = largest.max((ds.to_bits() & 0x7fff_ffff) as i32);
                }
            }
        }
        f32::from_bits(largest as u32)
    }

    /// The units that learn and their ds.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &[f32])> {
        self.learning.iter().enumerate().map(|(i, &row)| (row, self.ds.row(i)))
    }
}
