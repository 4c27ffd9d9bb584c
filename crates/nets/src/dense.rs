//! Units of a layer with biases, W x + b, that learn by sums of outer products: what the local learners are made of.
//!
//! Plainly: W += Σ x δᵀ and b += Σ δ over one minibatch, then a = W x + b of the next.
//!
//! The two are one call, and run over a few strips of units at a time. A layer of some hundred units does not fit into the
//! caches beside the others, so this way its weights come from memory once a minibatch and not twice.

use crate::error::Result;
use crate::eval::check_finite_or;
use rivalry_core::ops::{self, NonZeroInputs, Received};
use rivalry_core::{Kernels, LANES, Matrix, Panel, Strips};

/// How often the weights of an epoch enter their mean, at most.
const POINTS: usize = 16;

/// Strips that are updated and then read while they are in the cache: a multiple of the strips of every tile.
const BLOCK: usize = 2;

/// Some units of a layer: weights from all inputs, and a bias each.
#[derive(Debug, Clone)]
pub(crate) struct Dense {
    /// W [inputs × units].
    pub(crate) weights: Strips,
    /// b, one per unit.
    pub(crate) bias: Vec<f32>,
}

/// Samples, and where they are not zero if that was recorded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Samples<'a> {
    pub(crate) x: Panel<'a>,
    pub(crate) nonzeros: Option<&'a NonZeroInputs>,
}

/// What units still have to learn from the last minibatch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pending<'a> {
    pub(crate) samples: Samples<'a>,
    /// δ [samples × units], with all factors.
    pub(crate) deltas: &'a Matrix,
    /// The first of these samples teach the biases as well.
    pub(crate) bias_samples: usize,
}

impl<'a> From<Panel<'a>> for Samples<'a> {
    fn from(x: Panel<'a>) -> Samples<'a> {
        Samples { x, nonzeros: None }
    }
}

/// When the weights of an epoch enter their mean, for learners that predict with it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Averaging {
    /// Minibatches from one set of weights to the next; `None` in an epoch that does not count.
    every: Option<usize>,
    /// How many sets of weights the mean consists of.
    pub(crate) averaged: u64,
}

impl Averaging {
    /// For an epoch of `minibatches`; the means already hold `averaged` sets of weights.
    pub(crate) fn of(averages: bool, minibatches: usize, averaged: u64) -> Averaging {
        Averaging { every: averages.then(|| minibatches.div_ceil(POINTS).max(1)), averaged }
    }

    /// Lets layers enter their means, if it is time after this many minibatches of the epoch.
    pub(crate) fn after(&mut self, minibatches: usize, layers: &[Dense], means: &mut [Dense]) {
        if self.every.is_some_and(|every| minibatches > 0 && minibatches.is_multiple_of(every)) {
            self.averaged += 1;
            let share = 1.0 / self.averaged as f32;
            means.iter_mut().zip(layers).for_each(|(mean, layer)| mean.approach(layer, share));
        }
    }
}

impl Dense {
    /// Weights and biases of zero.
    pub(crate) fn zeros(units: usize, inputs: usize) -> Dense {
        Dense { weights: Strips::zeros(inputs, units), bias: vec![0.0; units] }
    }

    /// W += Σ x δᵀ, b += Σ δ.
    pub(crate) fn learn(&mut self, kernels: &Kernels, pending: Pending<'_>) {
        self.learn_bias(pending);
        let Pending { samples: Samples { x, nonzeros }, deltas, .. } = pending;
        let all = 0..self.weights.strips();
        ops::learn(kernels, (x, nonzeros), deltas, &mut self.weights, all);
    }

    /// Learns as [`Dense::learn`], then writes W x + b of every sample [samples × units].
    pub(crate) fn learn_and_apply(
        &mut self,
        kernels: &Kernels,
        pending: Option<Pending<'_>>,
        Samples { x, nonzeros }: Samples<'_>,
        out: &mut Matrix,
    ) {
        if let Some(pending) = pending {
            self.learn_bias(pending);
        }
        let strips = self.weights.strips();
        for first in (0..strips).step_by(BLOCK) {
            let block = first..strips.min(first + BLOCK);
            if let Some(Pending { samples: Samples { x, nonzeros }, deltas, .. }) = pending {
                ops::learn(kernels, (x, nonzeros), deltas, &mut self.weights, block.clone());
            }
            let term = Received { x, nonzeros, weights: &self.weights, first };
            ops::receive(kernels, &[term], block.len(), out, first * LANES);
        }
        self.add_bias(x.rows(), out, 0);
    }

    /// Writes W x + b of every sample to the columns from `column` on, a multiple of 16.
    pub(crate) fn apply(&self, kernels: &Kernels, x: Panel<'_>, out: &mut Matrix, column: usize) {
        ops::receive(kernels, &[Received::from(x, &self.weights)], self.weights.strips(), out, column);
        self.add_bias(x.rows(), out, column);
    }

    /// Moves by a share of the distance to other units.
    fn approach(&mut self, to: &Dense, share: f32) {
        for (own, to) in [(self.weights.values_mut(), to.weights.values()), (&mut self.bias[..], &to.bias[..])] {
            own.iter_mut().zip(to).for_each(|(own, to)| *own += share * (to - *own));
        }
    }

    /// Copies the weights of unit after unit, each with its bias behind them.
    pub(crate) fn to_rows(&self) -> Vec<f32> {
        self.bias.iter().enumerate().flat_map(|(unit, bias)| self.weights.unit(unit).chain([*bias])).collect()
    }

    /// Takes the units from number `first` on out of what [`Dense::to_rows`] gave of all of them.
    pub(crate) fn read(&mut self, rows: &[f32], first: usize) {
        let inputs = self.weights.inputs();
        for (unit, (bias, row)) in self.bias.iter_mut().zip(rows.chunks_exact(inputs + 1).skip(first)).enumerate() {
            self.weights.set(unit, row[..inputs].iter().copied());
            *bias = row[inputs];
        }
    }

    /// Checks that training did not diverge.
    pub(crate) fn check_finite(&self, hint: &'static str) -> Result<()> {
        check_finite_or("biases", &self.bias, hint)?;
        check_finite_or("weights", self.weights.values(), hint)
    }

    fn add_bias(&self, samples: usize, out: &mut Matrix, column: usize) {
        for sample in 0..samples {
            let row = &mut out.row_mut(sample)[column..][..self.bias.len()];
            row.iter_mut().zip(&self.bias).for_each(|(out, bias)| *out += bias);
        }
    }

    fn learn_bias(&mut self, Pending { deltas, bias_samples, .. }: Pending<'_>) {
        for sample in 0..bias_samples {
            self.bias.iter_mut().zip(deltas.row(sample)).for_each(|(bias, delta)| *bias += delta);
        }
    }
}
