//! A block of hidden units: their weights W and the columns of S that read them, forwards and backwards.
//!
//! Plainly: a = W x; h = max(a, 0); s = S h; and with δ = ∂C/∂s: ∂C/∂S = Σ δ hᵀ; e = Sᵀδ where h > 0, else 0;
//! ∂C/∂W = Σ e xᵀ; a step of Adam on both.
//!
//! The gradient of W is stepped on as soon as it is there, in registers: that of a whole layer would be written to memory and
//! read back. Every product is a kernel of core under another name: one that
//! runs along rows (`score`: W x, δ hᵀ) or one that adds up rows (`gradient`: S h, Sᵀδ, e xᵀ).

use crate::adam::Adam;
use rivalry_core::ops::{self, Exponent, NonZeros, Products};
use rivalry_core::{Kernels, Matrix, Panel};

/// Hidden units of a block. Blocks are the same whatever the number of threads, and the shares of their units in the sums
/// are added in order. The last block is filled up with units whose weights are zero; no gradient reaches these, so they
/// stay zero.
pub(super) const UNITS: usize = 80;

/// The units of one block.
#[derive(Debug)]
pub(super) struct Block {
    /// W [UNITS × inputs].
    pub(super) weights: Matrix,
    pub(super) adam: Adam,
    /// S [classes × UNITS].
    pub(super) readout: Matrix,
    pub(super) readout_adam: Adam,
    /// h [UNITS × batch] of the present minibatch.
    activations: Matrix,
}

/// What a worker needs beside its blocks, for one of them at a time.
#[derive(Debug)]
pub(super) struct Scratch {
    /// x [batch × inputs], scaled.
    pub(super) examples: Matrix,
    /// Where these are not zero.
    pub(super) nonzeros: NonZeros,
    /// [classes × batch]: the share of a block in the sums.
    pub(super) share: Matrix,
    /// [classes × batch]: the sums, then δ.
    pub(super) deltas: Matrix,
    /// [classes × batch]: what the loss compares with.
    pub(super) targets: Matrix,
    /// Sᵀ [UNITS × classes].
    transposed: Matrix,
    /// e [UNITS × batch].
    errors: Matrix,
    /// ∂C/∂S [classes × UNITS].
    readout_gradient: Matrix,
}

/// Which step of Adam is taken, and how large.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    /// Counted from 1.
    pub(super) number: u64,
    pub(super) rate: f32,
}

impl Scratch {
    pub(super) fn new(inputs: usize, classes: usize, batch: usize) -> Scratch {
        Scratch {
            examples: Matrix::zeros(batch, inputs),
            nonzeros: NonZeros::new(batch, inputs),
            share: Matrix::zeros(classes, batch),
            deltas: Matrix::zeros(classes, batch),
            targets: Matrix::zeros(classes, batch),
            transposed: Matrix::zeros(UNITS, classes),
            errors: Matrix::zeros(UNITS, batch),
            readout_gradient: Matrix::zeros(classes, UNITS),
        }
    }
}

impl Block {
    /// A block of zeros.
    pub(super) fn new(inputs: usize, classes: usize, batch: usize) -> Block {
        Block {
            weights: Matrix::zeros(UNITS, inputs),
            adam: Adam::new(UNITS, inputs),
            readout: Matrix::zeros(classes, UNITS),
            readout_adam: Adam::new(classes, UNITS),
            activations: Matrix::zeros(UNITS, batch),
        }
    }

    /// Computes the activations of the first `examples` examples and the share of these units in their sums.
    pub(super) fn forward(&mut self, kernels: &Kernels, scratch: &mut Scratch, examples: usize) {
        let x = scratch.examples.panel(0, examples);
        activate(kernels, &self.weights, x, &mut self.activations);
        add_up(kernels, &self.readout, &self.activations, &mut scratch.share);
    }

    /// Computes the gradient from δ and the activations of [`Block::forward`], and takes a step of Adam.
    pub(super) fn backward(&mut self, kernels: &Kernels, scratch: &mut Scratch, examples: usize, step: Step) {
        let classes = self.readout.rows();
        let deltas = scratch.deltas.panel(0, classes);
        ops::gemm_nt_into(kernels, self.activations.panel(0, UNITS), deltas, &mut scratch.readout_gradient, [0, 0]);

        for unit in 0..UNITS {
            for (class, weight) in scratch.transposed.row_mut(unit).iter_mut().enumerate() {
                *weight = self.readout.row(class)[unit];
            }
        }
        ops::gemm_tn(kernels, &scratch.transposed, deltas, &mut scratch.errors);
        for unit in 0..UNITS {
            for (error, &h) in scratch.errors.row_mut(unit).iter_mut().zip(self.activations.row(unit)) {
                *error = if h > 0.0 { *error } else { 0.0 };
            }
        }
        let (deltas, examples) = (&scratch.errors, scratch.examples.panel(0, examples));
        let products = Products { deltas, examples, nonzeros: Some(&scratch.nonzeros) };
        self.adam.descend(kernels, step.number, step.rate, products, &mut self.weights);
        self.readout_adam.step(kernels, step.number, step.rate, &scratch.readout_gradient, &mut self.readout);
    }
}

/// h(unit, example) = max(Σ w x, 0) [UNITS × batch]; behind the last example stands what was there before.
pub(super) fn activate(kernels: &Kernels, weights: &Matrix, x: Panel<'_>, activations: &mut Matrix) {
    // The roles of units and examples are exchanged, so that the activations of a unit lie side by side.
    ops::gemm_nt_into(kernels, x, weights.panel(0, UNITS), activations, [0, 0]);
    ops::rectified_power(kernels, activations, 0..UNITS, 1.0, Exponent::Halves(2));
}

/// The share Σ_unit S(class, unit) h(unit, example) [classes × batch], units in order.
pub(super) fn add_up(kernels: &Kernels, readout: &Matrix, activations: &Matrix, share: &mut Matrix) {
    ops::gemm_tn(kernels, readout, activations.panel(0, UNITS), share);
}
