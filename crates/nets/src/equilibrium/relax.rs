//! The dynamics: some samples and a step of all their states.
//!
//! ```text
//! ∂F/∂s_l = c s_l − W_l s_{l−1} − b_l − W_{l+1}ᵀ s_{l+1},  c = 1   (outputs: − β d more, c = 1 + β)
//! one step, together: every layer from the old states   s_l ← clip(s_l − ε ∂F/∂s_l, 0, 1)
//! one step, in turn: the layers 1, 3, … and then 2, 4, … from the new states   s_l ← clip(s_l − ε/c ∂F/∂s_l, 0, 1)
//! ```
//!
//! A layer meets only its neighbours. With those fixed, F is quadratic in each of its units alone, with the second derivative c: in
//! turn and with ε = 1 a layer goes to the minimum of F, with ε > 1 beyond it. In nudged phases the outputs are among
//! the first to move.
//!
//! The derivative of ρ(s) = clip(s, 0, 1) is 1 throughout, because states never leave [0, 1]. Samples do not see each other, so
//! each worker relaxes its own without waiting for anybody. W_1 x + b_1 does not change within a minibatch and is computed once.

use super::spec::{EquilibriumSpec, Updates};
use crate::dense::Dense;
use rivalry_core::ops::{self, ClippedStep, Received};
use rivalry_core::{Kernels, LANES, Matrix, Strips};
use std::ops::Range;
use std::sync::RwLockReadGuard;

/// Steps between two looks at how far states still move.
const LOOK: usize = 4;

/// The units of one worker, in every layer.
#[derive(Debug)]
pub(super) struct Units {
    /// Which units of each layer they are; each range starts at a multiple of 16.
    pub(super) ranges: Vec<Range<usize>>,
    /// Their weights and biases.
    pub(super) layers: Vec<Dense>,
    /// W_lᵀ of each layer, by which its units drive those below; nothing for the first, since inputs are clamped.
    pub(super) downward: Vec<Strips>,
}

/// The units of all workers, in order.
pub(super) type Network<'a> = [RwLockReadGuard<'a, Units>];

impl Units {
    /// Zeros.
    pub(super) fn new(ranges: Vec<Range<usize>>, widths: &[usize]) -> Units {
        let layers = ranges.iter().zip(widths).map(|(own, &inputs)| Dense::zeros(own.len(), inputs)).collect();
        let inputs = |layer: usize| if layer == 0 { 0 } else { widths[layer] };
        let downward = ranges.iter().enumerate().map(|(layer, own)| Strips::zeros(own.len(), inputs(layer))).collect();
        Units { ranges, layers, downward }
    }

    /// Takes its own units out of the weights and biases of all.
    pub(super) fn set(&mut self, all: &[(&[f32], &[f32])]) {
        for ((own, layer), (weights, bias)) in self.ranges.iter().zip(&mut self.layers).zip(all) {
            let inputs = layer.weights.inputs();
            layer.weights.set_all(weights[own.start * inputs..own.end * inputs].iter().copied());
            layer.bias.copy_from_slice(&bias[own.clone()]);
        }
        self.transpose();
    }

    /// Makes W_lᵀ what W_l became.
    pub(super) fn transpose(&mut self) {
        for (downward, layer) in self.downward.iter_mut().zip(&self.layers).skip(1) {
            downward.transpose(&layer.weights);
        }
    }
}

/// The states of some samples, and what a step of them needs.
#[derive(Debug)]
pub(super) struct Relaxation {
    epsilon: f32,
    updates: Updates,
    /// The states of each layer [samples × units].
    pub(super) states: Vec<Matrix>,
    next: Vec<Matrix>,
    /// W_1 x + b_1 [samples × units].
    pub(super) first: Matrix,
    /// The biases of each layer, in one row.
    biases: Vec<Matrix>,
    /// b + β d of the outputs [samples × classes].
    nudged: Matrix,
    /// Room for what a layer receives, empty between steps.
    terms: Vec<Received<'static>>,
}

/// What draws the outputs of some samples in a nudged phase.
#[derive(Debug, Clone)]
pub(super) struct Nudge {
    pub(super) samples: Range<usize>,
    /// β.
    pub(super) beta: f32,
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
            updates: spec.updates,
            states: layers(samples),
            next: layers(samples),
            first: Matrix::zeros(samples, widths[1]),
            biases: layers(1),
            nudged: Matrix::zeros(samples, spec.classes),
            terms: Vec::new(),
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

    /// Prepares a nudged phase: the output of the class of each sample is drawn to 1, the others to 0.
    pub(super) fn nudge(&mut self, nudge: &Nudge, labels: &[u8]) {
        let bias = self.biases.last().expect("the outputs are a layer").row(0);
        for (sample, &label) in nudge.samples.clone().zip(labels) {
            let row = self.nudged.row_mut(sample);
            row.copy_from_slice(bias);
            row[usize::from(label)] += nudge.beta;
        }
    }

    /// Takes the steps of a free phase. `largest` turns the largest change among these samples into that over all samples which
    /// stop at the same step.
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
            ended.residual = self.step(kernels, network, samples, &[]);
            ended.steps += 1;
            let look = spec.tolerance > 0.0 && ended.steps.is_multiple_of(LOOK) && ended.steps < spec.free_steps;
            if look && largest(ended.residual) < spec.tolerance {
                break;
            }
        }
        ended
    }

    /// Takes one step and returns the largest change of a state. The outputs of all samples are nudged, or of none.
    pub(super) fn step(&mut self, kernels: &Kernels, network: &Network<'_>, samples: usize, nudges: &[Nudge]) -> f32 {
        let Relaxation { epsilon, updates, states, next, first, biases, nudged, terms } = self;
        let (top, free, mut largest) = (states.len() - 1, [Nudge { samples: 0..samples, beta: 0.0 }], 0.0_f32);
        let begins = if nudges.is_empty() { 0 } else { top % 2 };
        for layer in (begins..=top).step_by(2).chain((1 - begins..=top).step_by(2)) {
            let mut received = emptied(std::mem::take(terms));
            let is_nudged = layer == top && !nudges.is_empty();
            let bias = match layer {
                0 => &*first,
                _ if is_nudged => &*nudged,
                _ => &biases[layer],
            };
            for Nudge { samples, beta } in if is_nudged { nudges } else { &free } {
                for own in network.iter().filter(|units| !units.ranges[layer].is_empty()) {
                    let range = &own.ranges[layer];
                    received.clear();
                    if layer > 0 {
                        let below = states[layer - 1].panel(samples.start, samples.len());
                        received.push(Received::from(below, &own.layers[layer].weights));
                    }
                    if layer < top {
                        let above = states[layer + 1].panel(samples.start, samples.len());
                        for units in network.iter().filter(|units| !units.ranges[layer + 1].is_empty()) {
                            let (from, weights) = (&units.ranges[layer + 1], &units.downward[layer + 1]);
                            let x = above.columns(from.start / LANES, from.len().div_ceil(LANES));
                            received.push(Received { first: range.start / LANES, ..Received::from(x, weights) });
                        }
                    }
                    let leak = 1.0 + beta;
                    let epsilon = if *updates == Updates::InTurn { *epsilon / leak } else { *epsilon };
                    let step = ClippedStep { epsilon, leak };
                    let (to, strips) = ((&mut next[layer], samples.clone()), range.len().div_ceil(LANES));
                    let from = [&states[layer], bias];
                    let moved = ops::clipped_step(kernels, step, &received, from, to, [range.start, strips]);
                    largest = largest.max(moved);
                }
            }
            *terms = emptied(received);
            if *updates == Updates::InTurn {
                std::mem::swap(&mut states[layer], &mut next[layer]);
            }
        }
        if *updates == Updates::Together {
            std::mem::swap(states, next);
        }
        largest
    }
}

/// The memory of a list for terms of another lifetime: collecting in place allocates nothing.
fn emptied<'a>(mut terms: Vec<Received<'_>>) -> Vec<Received<'a>> {
    terms.clear();
    terms.into_iter().map(|_| unreachable!("the list is empty")).collect()
}

/// Copies the first rows of every matrix to the rows from `first` on of another.
pub(super) fn copy_rows(from: &[Matrix], to: &mut [Matrix], first: usize, rows: usize) {
    for (from, to) in from.iter().zip(to) {
        (0..rows).for_each(|row| to.row_mut(first + row).copy_from_slice(from.row(row)));
    }
}
