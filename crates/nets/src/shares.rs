//! How workers exchange their shares of the sums of a minibatch: in blocks of features, added in order, so that a sum does
//! not depend on who owns which block.

use crate::features::{BLOCK, Part};
use rivalry_core::{Kernels, Matrix, ops};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Computes the share of each block of a worker's columns in the sums, [blocks · classes × samples].
pub(crate) fn shares(kernels: &Kernels, part: &Part, weights: &Matrix, samples: &[u32], shares: &mut Matrix) {
    // The roles of units and examples are exchanged, so that the sums of a class lie side by side.
    ops::gemm_nt_blocks(kernels, part.gather(samples), weights.panel(0, weights.rows()), BLOCK, shares);
}

/// The shares of all blocks of features in the sums of two minibatches in turn, [2 × blocks × classes × batch].
#[derive(Debug)]
pub(crate) struct Shares {
    blocks: usize,
    classes: usize,
    batch: usize,
    values: Vec<AtomicU32>,
}

impl Shares {
    pub(crate) fn new(blocks: usize, classes: usize, batch: usize) -> Shares {
        let values = (0..2 * blocks * classes * batch).map(|_| AtomicU32::new(0)).collect();
        Shares { blocks, classes, batch, values }
    }

    fn row(&self, turn: usize, block: usize, class: usize) -> &[AtomicU32] {
        &self.values[((turn * self.blocks + block) * self.classes + class) * self.batch..][..self.batch]
    }

    /// Publishes the shares of some blocks from number `first` on, [blocks · classes × batch].
    pub(crate) fn publish(&self, turn: usize, first: usize, shares: &Matrix, examples: usize) {
        for row in 0..shares.rows() {
            let to = self.row(turn, first + row / self.classes, row % self.classes);
            for (to, share) in to.iter().zip(&shares.row(row)[..examples]) {
                to.store(share.to_bits(), Relaxed);
            }
        }
    }

    /// Adds up what all workers published.
    pub(crate) fn add(&self, turn: usize, sums: &mut Matrix, examples: usize) {
        for class in 0..self.classes {
            let sums = &mut sums.row_mut(class)[..examples];
            sums.fill(0.0);
            for block in 0..self.blocks {
                for (sum, share) in sums.iter_mut().zip(self.row(turn, block, class)) {
                    *sum += f32::from_bits(share.load(Relaxed));
                }
            }
        }
    }
}
