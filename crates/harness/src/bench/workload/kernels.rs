//! Single kernels: the product that computes scores, and streaming through memory.

use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};

use rivalry_core::{Layer, Matrix, ops, range_of};

use super::{Task, Workload, timed};
use crate::bench::limits::Triad;
use crate::compute::Compute;

/// Samples that stay in the second-level cache while the units pass, as in learning.
const BLOCK: usize = 96;
/// Sums of each thread that the checksum covers.
const CHECKED: usize = 1 << 16;

/// Units, the samples of one minibatch, and the scores of each thread [batch × its units].
pub(super) struct Scores<'a> {
    task: Task<'a>,
    layer: Layer,
    samples: Matrix,
    scores: Vec<Mutex<Matrix>>,
}

impl<'a> Scores<'a> {
    pub(super) fn new(task: Task<'a>) -> anyhow::Result<Self> {
        let (layer, batch, compute) = (task.random_layer()?, task.product.batch, &task.compute.core);
        let minibatch = task.order("order").take(1);
        let mut samples = Matrix::zeros(batch, task.examples.inputs());
        let order = minibatch.iter().map(|&sample| sample as usize);
        task.examples.view()?.stage_all(compute.kernels(), order, &mut samples);
        let scores = compute.map(|worker| {
            let units = range_of(layer.hidden(), 1, worker, compute.threads());
            Mutex::new(Matrix::zeros(batch, units.len()))
        });
        Ok(Self { task, layer, samples, scores })
    }
}

impl Workload for Scores<'_> {
    fn run(&mut self, minibatches: usize) -> anyhow::Result<u64> {
        let compute = &self.task.compute.core;
        let multiply = |worker| {
            let units = range_of(self.layer.hidden(), 1, worker, compute.threads());
            let units = self.layer.panel(units.start, units.len());
            let mut scores = self.scores[worker].lock().unwrap_or_else(PoisonError::into_inner);
            for _ in 0..minibatches {
                for first in (0..self.samples.rows()).step_by(BLOCK) {
                    let block = self.samples.panel(first, BLOCK.min(self.samples.rows() - first));
                    ops::gemm_nt_into(compute.kernels(), units, block, &mut scores, [first, 0]);
                }
            }
        };
        let Ok(ns) = timed(|| {
            compute.map(multiply);
            Ok::<(), Infallible>(())
        });
        Ok(ns)
    }

    fn result(&self) -> Vec<f32> {
        let scores: Vec<_> =
            self.scores.iter().map(|scores| scores.lock().unwrap_or_else(PoisonError::into_inner)).collect();
        let of = |sample| scores.iter().flat_map(move |scores| scores.row(sample));
        (0..self.samples.rows()).flat_map(of).copied().collect()
    }

    fn repeats(&self) -> bool {
        true
    }

    fn engine(&self) -> &'static str {
        "dense"
    }

    fn operations(&self) -> f64 {
        self.task.operations()
    }
}

/// One pass of the triad counts as a minibatch.
pub(super) struct Bandwidth<'a> {
    compute: &'a Compute,
    triad: Triad,
}

impl<'a> Bandwidth<'a> {
    pub(super) fn new(compute: &'a Compute) -> Self {
        Self { compute, triad: Triad::new(&compute.core) }
    }
}

impl Workload for Bandwidth<'_> {
    fn run(&mut self, minibatches: usize) -> anyhow::Result<u64> {
        Ok(self.triad.pass(&self.compute.core, minibatches))
    }

    /// The first sums of a thread. All threads compute the same; those of a thread that does not follow.
    fn result(&self) -> Vec<f32> {
        let mut sums = self.triad.sums(CHECKED);
        sums.dedup();
        sums.concat()
    }

    fn repeats(&self) -> bool {
        true
    }

    fn engine(&self) -> &'static str {
        ""
    }

    /// A multiplication and an addition for each element.
    fn operations(&self) -> f64 {
        2.0 * self.triad.elements() as f64
    }
}
