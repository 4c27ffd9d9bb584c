//! Adam (Kingma & Ba 2015) over a matrix of weights: the moments, and the constants of each step.

use rivalry_core::ops::{self, AdamStep, Products};
use rivalry_core::{Kernels, Matrix};

/// β₁, the decay of the first moment.
const FIRST_DECAY: f64 = 0.9;
/// β₂, the decay of the second moment.
const SECOND_DECAY: f64 = 0.999;
/// ε, against division by zero.
const EPSILON: f32 = 1e-8;

/// The moments of one matrix of weights.
#[derive(Debug, Clone)]
pub(crate) struct Adam {
    pub(crate) first: Matrix,
    pub(crate) second: Matrix,
}

impl Adam {
    pub(crate) fn new(rows: usize, columns: usize) -> Adam {
        Adam { first: Matrix::zeros(rows, columns), second: Matrix::zeros(rows, columns) }
    }

    /// Takes step number `number`, counted from 1.
    pub(crate) fn step(&mut self, kernels: &Kernels, number: u64, rate: f32, gradient: &Matrix, weights: &mut Matrix) {
        ops::adam(kernels, step(number, rate), gradient, [&mut self.first, &mut self.second], weights);
    }

    /// Takes step number `number` with the gradient Σ δ·x over a minibatch.
    pub(crate) fn descend(
        &mut self,
        kernels: &Kernels,
        number: u64,
        rate: f32,
        products: Products<'_>,
        weights: &mut Matrix,
    ) {
        let moments = [&mut self.first, &mut self.second];
        ops::gemm_tn_adam(kernels, products, step(number, rate), moments, weights);
    }
}

/// The constants of step number `number`.
fn step(number: u64, rate: f32) -> AdamStep {
    let unbiased = |decay: f64| 1.0 - libm::pow(decay, number as f64);
    AdamStep {
        first_decay: FIRST_DECAY as f32,
        second_decay: SECOND_DECAY as f32,
        rate: (f64::from(rate) / unbiased(FIRST_DECAY)) as f32,
        correction: (1.0 / unbiased(SECOND_DECAY)) as f32,
        epsilon: EPSILON,
    }
}
