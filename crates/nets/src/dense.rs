//! Rows of a layer with biases, W x + b, that learn by sums of outer products: what the local learners are made of.
//!
//! Plainly: W += Σ δ xᵀ and b += Σ δ over one minibatch, then a = W x + b of the next.
//!
//! The two are one call, and run over a few rows at a time. A layer of some hundred units does not fit into the caches
//! beside the others, so this way its weights come from memory once a minibatch and not twice.

use rivalry_core::ops::{self, Products};
use rivalry_core::{Kernels, Matrix, Panel};

/// Rows that are updated and then read while they are in the cache: a multiple of the rows of every tile.
const BLOCK: usize = 40;

/// Some rows of the weights of a layer, and as many biases.
#[derive(Debug)]
pub(crate) struct DenseRows {
    /// W [rows × inputs].
    pub(crate) weights: Matrix,
    /// b, one per row.
    pub(crate) bias: Vec<f32>,
}

/// What rows still have to learn from the last minibatch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pending<'a> {
    /// δ [examples × rows], with all factors, and the examples.
    pub(crate) products: Products<'a>,
    /// The first of these examples teach the biases as well.
    pub(crate) bias_examples: usize,
}

impl DenseRows {
    /// Rows of zeros.
    pub(crate) fn zeros(rows: usize, inputs: usize) -> DenseRows {
        DenseRows { weights: Matrix::zeros(rows, inputs), bias: vec![0.0; rows] }
    }

    /// W += Σ δ xᵀ, b += Σ δ.
    pub(crate) fn learn(&mut self, kernels: &Kernels, pending: Pending<'_>) {
        self.learn_bias(pending);
        ops::gemm_tn_add(kernels, pending.products, 0..self.bias.len(), &mut self.weights);
    }

    /// Learns as [`DenseRows::learn`], then writes W x + b of every example [examples × rows].
    pub(crate) fn learn_and_apply(
        &mut self,
        kernels: &Kernels,
        pending: Option<Pending<'_>>,
        x: Panel<'_>,
        out: &mut Matrix,
    ) {
        if let Some(pending) = pending {
            self.learn_bias(pending);
        }
        let rows = self.bias.len();
        for first in (0..rows).step_by(BLOCK) {
            let block = first..rows.min(first + BLOCK);
            if let Some(pending) = pending {
                ops::gemm_tn_add(kernels, pending.products, block.clone(), &mut self.weights);
            }
            ops::gemm_nt_into(kernels, self.weights.panel(first, block.len()), x, out, [0, first]);
        }
        self.add_bias(x.rows(), out, 0);
    }

    /// Writes W x + b of every example to the columns from `column` on.
    pub(crate) fn apply(&self, kernels: &Kernels, x: Panel<'_>, out: &mut Matrix, column: usize) {
        ops::gemm_nt_into(kernels, self.weights.panel(0, self.bias.len()), x, out, [0, column]);
        self.add_bias(x.rows(), out, column);
    }

    /// Copies the weights and biases of other rows.
    pub(crate) fn copy(&mut self, from: &DenseRows) {
        self.weights.clone_from(&from.weights);
        self.bias.clone_from(&from.bias);
    }

    /// Moves by a share of the distance to other rows.
    pub(crate) fn approach(&mut self, to: &DenseRows, share: f32) {
        let rows = self.weights.rows_mut().enumerate().map(|(row, mean)| (mean, to.weights.row(row)));
        for (own, to) in rows.chain([(&mut self.bias[..], &to.bias[..])]) {
            own.iter_mut().zip(to).for_each(|(own, to)| *own += share * (to - *own));
        }
    }

    /// Copies the rows one after another, each with its bias behind it.
    pub(crate) fn to_rows(&self) -> Vec<f32> {
        let row =
            |(row, bias): (usize, &f32)| self.weights.row(row).iter().copied().chain([*bias]).collect::<Vec<f32>>();
        self.bias.iter().enumerate().flat_map(row).collect()
    }

    /// Takes the rows from number `first` on out of what [`DenseRows::to_rows`] gave of all of them.
    pub(crate) fn read(&mut self, rows: &[f32], first: usize) {
        let columns = self.weights.columns();
        let own = self.weights.rows_mut().zip(&mut self.bias);
        for ((row, bias), values) in own.zip(rows.chunks_exact(columns + 1).skip(first)) {
            row.copy_from_slice(&values[..columns]);
            *bias = values[columns];
        }
    }

    fn add_bias(&self, examples: usize, out: &mut Matrix, column: usize) {
        for example in 0..examples {
            let row = &mut out.row_mut(example)[column..][..self.bias.len()];
            row.iter_mut().zip(&self.bias).for_each(|(out, bias)| *out += bias);
        }
    }

    fn learn_bias(&mut self, Pending { products, bias_examples }: Pending<'_>) {
        for example in 0..bias_examples {
            let deltas = products.deltas.row(example);
            self.bias.iter_mut().zip(deltas).for_each(|(bias, delta)| *bias += delta);
        }
    }
}
