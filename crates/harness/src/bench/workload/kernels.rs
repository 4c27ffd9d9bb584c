//! Single kernels: the product that computes scores, and streaming through memory.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use rivalry_core::{Layer, Matrix, ops, range_of};

use super::{Steps, Task, Workload};
use crate::bench::limits::{Triad, elapsed_ns};
use crate::compute::Compute;

/// Samples that stay in the second-level cache while the units pass, as in learning.
const BLOCK: usize = 96;
/// Sums of each thread that the checksum covers.
const CHECKED: usize = 1 << 16;

/// Units, the samples of one minibatch, and the scores of each thread [batch × its units].
struct Scores<'a> {
    compute: &'a rivalry_core::Compute,
    layer: Layer,
    samples: Matrix,
    scores: Vec<Mutex<Matrix>>,
}

pub(super) fn scores(task: Task<'_>) -> anyhow::Result<Workload<'_>> {
    let (layer, batch, compute) = (task.random_layer()?, task.product.batch, &task.compute.core);
    let minibatch = task.order("order").take(1);
    let mut samples = Matrix::zeros(batch, task.examples.inputs);
    let order = minibatch.iter().map(|&sample| sample as usize);
    task.examples.view()?.stage_all(compute.kernels(), order, &mut samples);
    let scores = compute.map(|worker| {
        let units = range_of(layer.hidden(), 1, worker, compute.threads());
        Mutex::new(Matrix::zeros(batch, units.len()))
    });
    let steps = Box::new(Scores { compute, layer, samples, scores });
    Ok(Workload { engine: "dense", operations: task.operations(), repeats: true, steps })
}

impl Steps for Scores<'_> {
    fn run(&mut self, minibatches: usize) -> anyhow::Result<u64> {
        let compute = self.compute;
        let start = Instant::now();
        compute.map(|worker| {
            let units = range_of(self.layer.hidden(), 1, worker, compute.threads());
            let units = self.layer.panel(units.start, units.len());
            let mut scores = self.scores[worker].lock().unwrap_or_else(PoisonError::into_inner);
            for _ in 0..minibatches {
                for first in (0..self.samples.rows()).step_by(BLOCK) {
                    let block = self.samples.panel(first, BLOCK.min(self.samples.rows() - first));
                    ops::gemm_nt_into(compute.kernels(), units, block, &mut scores, [first, 0]);
                }
            }
        });
        Ok(elapsed_ns(start))
    }

    fn result(&self) -> Vec<f32> {
        let scores: Vec<_> =
            self.scores.iter().map(|scores| scores.lock().unwrap_or_else(PoisonError::into_inner)).collect();
        let of = |sample| scores.iter().flat_map(move |scores| scores.row(sample));
        (0..self.samples.rows()).flat_map(of).copied().collect()
    }
}

/// One pass of the triad counts as a minibatch.
struct Bandwidth<'a> {
    compute: &'a rivalry_core::Compute,
    triad: Triad,
}

pub(super) fn bandwidth(compute: &Compute) -> Workload<'_> {
    let (compute, triad) = (&compute.core, Triad::new(&compute.core));
    // A multiplication and an addition for each element.
    let operations = 2.0 * triad.elements() as f64;
    Workload { engine: "", operations, repeats: true, steps: Box::new(Bandwidth { compute, triad }) }
}

impl Steps for Bandwidth<'_> {
    fn run(&mut self, minibatches: usize) -> anyhow::Result<u64> {
        Ok(self.triad.pass(self.compute, minibatches))
    }

    /// The first sums of a thread. All threads compute the same; those of a thread that does not follow.
    fn result(&self) -> Vec<f32> {
        let mut sums = self.triad.sums(CHECKED);
        sums.dedup();
        sums.concat()
    }
}
