//! The dynamics: some samples and a step of all their states.
//!
//! ```text
//! one step, every layer from the old states:
//!     s_l ← clip(s_l − ε ∂F/∂s_l, 0, 1),  ∂F/∂s_l = s_l − W_l s_{l−1} − b_l − W_{l+1}ᵀ s_{l+1}   (outputs: + β (s − d))
//! ```
//!
//! The derivative of ρ(s) = clip(s, 0, 1) is 1 throughout, because states never leave [0, 1]. Samples do not see each other, so
//! each worker relaxes its own without waiting for anybody. W_1 x + b_1 does not change within a minibatch and is computed once.

use super::spec::EquilibriumSpec;
use crate::dense::DenseRows;
use rivalry_core::ops::{self, ClippedStep};
use rivalry_core::{Kernels, Matrix};
use std::ops::Range;
use std::sync::RwLockReadGuard;

/// Steps between two looks at how far states still move.
const LOOK: usize = 4;

/// The units of one worker, in every layer.
#[derive(Debug)]
pub(super) struct Units {
    /// Which units of each layer they are.
    pub(super) ranges: Vec<Range<usize>>,
    /// Their weights and biases.
    pub(super) layers: Vec<DenseRows>,
}

/// The units of all workers, in order.
pub(super) type Network<'a> = [RwLockReadGuard<'a, Units>];

/// The states of some samples, and what a step of them needs.
#[derive(Debug)]
pub(super) struct Relaxation {
    epsilon: f32,
    /// The states of each layer [samples × units].
    pub(super) states: Vec<Matrix>,
    next: Vec<Matrix>,
    /// W_l s_{l−1} + W_{l+1}ᵀ s_{l+1} [samples × units].
    drives: Vec<Matrix>,
    /// W_1 x + b_1 [samples × units].
    pub(super) first: Matrix,
    /// The biases of each layer, in one row.
    biases: Vec<Matrix>,
}

/// What draws the outputs in a nudged phase.
#[derive(Debug, Clone, Copy)]
pub(super) struct Nudge<'a> {
    /// β.
    pub(super) beta: f32,
    /// The class of each sample, whose output is drawn to 1; the others are drawn to 0.
    pub(super) labels: &'a [u8],
}

/// How a free phase ended.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ended {
    /// The steps that were taken.
    pub(super) steps: usize,
    /// The largest change of a state in the last of them.
    pub(super) residual: f32,
}

impl Relaxation {
    /// Makes room for that many samples.
    pub(super) fn new(spec: &EquilibriumSpec, samples: usize) -> Relaxation {
        let widths = spec.widths();
        let layers = |rows: usize| widths[1..].iter().map(|&units| Matrix::zeros(rows, units)).collect();
        Relaxation {
            epsilon: spec.epsilon,
            states: layers(samples),
            next: layers(samples),
            drives: layers(samples),
            first: Matrix::zeros(samples, widths[1]),
            biases: layers(1),
        }
    }

    /// Copies the biases of all layers but the first, which [`Relaxation::first`] contains.
    pub(super) fn read_biases(&mut self, network: &Network<'_>) {
        for (layer, bias) in self.biases.iter_mut().enumerate().skip(1) {
            for units in network {
                bias.row_mut(0)[units.ranges[layer].clone()].copy_from_slice(&units.layers[layer].bias);
            }
        }
    }

    /// Sets the states of some samples to 0.
    pub(super) fn clear(&mut self, samples: usize) {
        for states in &mut self.states {
            (0..samples).for_each(|sample| states.row_mut(sample).fill(0.0));
        }
    }

    /// Takes the steps of a free phase. `largest` turns the largest change among these samples into that of all which stop
    /// together.
    pub(super) fn free_phase(
        &mut self,
        kernels: &Kernels,
        network: &Network<'_>,
        spec: &EquilibriumSpec,
        samples: usize,
        mut largest: impl FnMut(f32) -> f32,
    ) -> Ended {
        let mut ended = Ended::default();
        while ended.steps < spec.free_steps {
            ended.residual = self.step(kernels, network, samples, None);
            ended.steps += 1;
            let look = spec.tolerance > 0.0 && ended.steps.is_multiple_of(LOOK) && ended.steps < spec.free_steps;
            if look && largest(ended.residual) < spec.tolerance {
                break;
            }
        }
        ended
    }

    /// Takes one step and returns the largest change of a state.
    pub(super) fn step(
        &mut self,
        kernels: &Kernels,
        network: &Network<'_>,
        samples: usize,
        nudge: Option<Nudge<'_>>,
    ) -> f32 {
        let top = self.states.len() - 1;
        let mut largest = 0.0_f32;
        for layer in 0..=top {
            let drive = &mut self.drives[layer];
            if layer == 0 {
                (0..samples).for_each(|sample| drive.row_mut(sample).fill(0.0));
            } else {
                let below = self.states[layer - 1].panel(0, samples);
                for units in network {
                    let (own, weights) = (&units.ranges[layer], &units.layers[layer].weights);
                    ops::gemm_nt_into(kernels, weights.panel(0, own.len()), below, drive, [0, own.start]);
                }
            }
            if layer < top {
                for units in network {
                    let (own, weights) = (&units.ranges[layer + 1], &units.layers[layer + 1].weights);
                    let above = &self.states[layer + 1];
                    ops::gemm_nn(kernels, above, [samples, own.start], weights.panel(0, own.len()), drive);
                }
            }
            let nudge = nudge.filter(|_| layer == top);
            let leak = 1.0 + nudge.map_or(0.0, |nudge| nudge.beta);
            let step = ClippedStep { epsilon: self.epsilon, leak };
            for sample in 0..samples {
                if let Some(Nudge { beta, labels }) = nudge {
                    drive.row_mut(sample)[usize::from(labels[sample])] += beta;
                }
                let bias = if layer == 0 { (&self.first, sample) } else { (&self.biases[layer], 0) };
                let currents = [(&self.states[layer], sample), (&*drive, sample), bias];
                largest = largest.max(ops::clipped_step(kernels, step, currents, (&mut self.next[layer], sample)));
            }
        }
        std::mem::swap(&mut self.states, &mut self.next);
        largest
    }
}

/// Copies the first rows of every matrix.
pub(super) fn copy_rows(from: &[Matrix], to: &mut [Matrix], rows: usize) {
    for (from, to) in from.iter().zip(to) {
        (0..rows).for_each(|row| to.row_mut(row).copy_from_slice(from.row(row)));
    }
}
