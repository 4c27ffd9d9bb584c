//! A block of units of one hidden layer, forwards and backwards; and a block's columns of the readout.
//!
//! Plainly: h = max(W x, 0); and with e = ∂C/∂a, the errors of the units: ∂C/∂W = Σ e xᵀ; Wᵀ e for the layer below; a step
//! of Adam. The gradient of W is stepped on as soon as it is there, in registers: that of a whole layer would be written to
//! memory and read back.
//!
//! Each product is one of two kernels: rows times rows (`gemm_nt`: W x, δ hᵀ) or a sum over rows (`gemm_tn`: S h, Sᵀ δ,
//! e xᵀ, eᵀ W).

use crate::optim::Adam;
use rivalry_core::ops::{self, Exponent, NonZeros, Products};
use rivalry_core::{Kernels, Matrix, Panel};

/// Hidden units of a block. Blocks are the same whatever the number of threads, and what their units add to a sum is added
/// block by block in order. The last block is filled up with units whose weights are zero; no gradient reaches these, so
/// they stay zero.
pub(super) const UNITS: usize = 80;

/// The units of one block.
#[derive(Debug)]
pub(super) struct Block {
    /// W [UNITS × inputs].
    pub(super) weights: Matrix,
    pub(super) adam: Adam,
    /// h [UNITS × batch] of the present minibatch.
    pub(super) activations: Matrix,
}

/// The columns of the readout that read one block of the last hidden layer.
#[derive(Debug)]
pub(super) struct ReadoutColumns {
    /// S [classes × UNITS].
    pub(super) weights: Matrix,
    pub(super) adam: Adam,
}

/// Which step of Adam is taken, and how large.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    /// Counted from 1.
    pub(super) number: u64,
    pub(super) rate: f32,
}

/// What one block at a time needs on its way back.
#[derive(Debug)]
pub(super) struct Scratch {
    /// Sᵀ [UNITS × classes].
    readout_transposed: Matrix,
    /// ∂C/∂S [classes × UNITS].
    readout_gradient: Matrix,
    /// e [UNITS × batch].
    pub(super) errors: Matrix,
    /// eᵀ [batch × UNITS].
    errors_transposed: Matrix,
}

impl Scratch {
    pub(super) fn new(classes: usize, batch: usize) -> Scratch {
        Scratch {
            readout_transposed: Matrix::zeros(UNITS, classes),
            readout_gradient: Matrix::zeros(classes, UNITS),
            errors: Matrix::zeros(UNITS, batch),
            errors_transposed: Matrix::zeros(batch, UNITS),
        }
    }
}

impl Block {
    /// A block of zeros.
    pub(super) fn new(inputs: usize, batch: usize) -> Block {
        Block {
            weights: Matrix::zeros(UNITS, inputs),
            adam: Adam::new(UNITS, inputs),
            activations: Matrix::zeros(UNITS, batch),
        }
    }

    /// Computes the activations of some samples.
    pub(super) fn forward(&mut self, kernels: &Kernels, x: Panel<'_>) {
        activate(kernels, &self.weights, x, &mut self.activations);
    }

    /// Turns ∂C/∂h into ∂C/∂a: an error passes where the unit is active. The derivative of max(·, 0) at 0 is 0.
    pub(super) fn mask(&self, errors: &mut Matrix) {
        for unit in 0..UNITS {
            for (error, &h) in errors.row_mut(unit).iter_mut().zip(self.activations.row(unit)) {
                *error = if h > 0.0 { *error } else { 0.0 };
            }
        }
    }

    /// What this block adds to ∂C/∂h of the layer below, eᵀ W [batch × inputs], units in order.
    pub(super) fn errors_below(&self, kernels: &Kernels, scratch: &mut Scratch, below: &mut Matrix) {
        transpose(&scratch.errors, &mut scratch.errors_transposed);
        ops::gemm_tn(kernels, &scratch.errors_transposed, self.weights.panel(0, UNITS), below);
    }

    /// Takes a step of Adam with the gradient Σ e xᵀ.
    pub(super) fn step(
        &mut self,
        kernels: &Kernels,
        x: Panel<'_>,
        nonzeros: Option<&NonZeros>,
        errors: &Matrix,
        step: Step,
    ) {
        let products = Products { deltas: errors, examples: x, nonzeros };
        self.adam.descend(kernels, step.number, step.rate, products, &mut self.weights);
    }
}

impl ReadoutColumns {
    /// Columns of zeros.
    pub(super) fn new(classes: usize) -> ReadoutColumns {
        ReadoutColumns { weights: Matrix::zeros(classes, UNITS), adam: Adam::new(classes, UNITS) }
    }

    /// From δ [classes × batch] and the activations of the block: ∂C/∂S, which is kept, and ∂C/∂h = Sᵀ δ.
    pub(super) fn backward(&self, kernels: &Kernels, delta: &Matrix, activations: &Matrix, scratch: &mut Scratch) {
        let rows = delta.panel(0, delta.rows());
        ops::gemm_nt_into(kernels, activations.panel(0, UNITS), rows, &mut scratch.readout_gradient, [0, 0]);
        transpose(&self.weights, &mut scratch.readout_transposed);
        ops::gemm_tn(kernels, &scratch.readout_transposed, rows, &mut scratch.errors);
    }

    /// Takes a step of Adam with the gradient that [`ReadoutColumns::backward`] kept.
    pub(super) fn step(&mut self, kernels: &Kernels, scratch: &Scratch, step: Step) {
        self.adam.step(kernels, step.number, step.rate, &scratch.readout_gradient, &mut self.weights);
    }
}

/// h(unit, sample) = max(Σ w x, 0) [UNITS × batch]; behind the last sample stands what was there before.
pub(super) fn activate(kernels: &Kernels, weights: &Matrix, x: Panel<'_>, activations: &mut Matrix) {
    // The roles of units and samples are exchanged, so that the activations of a unit lie side by side.
    ops::gemm_nt_into(kernels, x, weights.panel(0, UNITS), activations, [0, 0]);
    ops::rectified_power(kernels, activations, 0..UNITS, 1.0, Exponent::Halves(2));
}

/// What a block adds to the sums of the classes, Σ_unit S(class, unit) h(unit, sample) [classes × batch], units in order.
pub(super) fn partial_sums(kernels: &Kernels, readout: &Matrix, activations: &Matrix, sums: &mut Matrix) {
    ops::gemm_tn(kernels, readout, activations.panel(0, UNITS), sums);
}

fn transpose(from: &Matrix, to: &mut Matrix) {
    for row in 0..to.rows() {
        for (column, value) in to.row_mut(row).iter_mut().enumerate() {
            *value = from.row(column)[row];
        }
    }
}

/// Copies the activations of a block [UNITS × samples] into the columns from `first` on of those of its layer
/// [samples × units], as far as there are units.
pub(super) fn transpose_into(block: &Matrix, layer: &mut Matrix, first: usize, samples: usize) {
    for sample in 0..samples {
        for (unit, to) in layer.row_mut(sample)[first..].iter_mut().take(UNITS).enumerate() {
            *to = block.row(unit)[sample];
        }
    }
}
