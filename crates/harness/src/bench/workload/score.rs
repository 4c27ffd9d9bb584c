//! The score kernel alone: the product of all units and the examples of one minibatch, units divided among the threads.

use std::sync::{Mutex, PoisonError};

use rivalry_core::{Layer, Matrix, ops, range_of};

use super::{Order, Task, Work, digest, timed};
use crate::failure::failure;

/// Examples that stay in the second-level cache while the units pass, as in learning.
const BLOCK: usize = 96;

/// Units, examples, and the scores of each thread [batch × its units].
pub(super) struct Scores<'a> {
    task: Task<'a>,
    layer: Layer,
    examples: Matrix,
    scores: Vec<Mutex<Matrix>>,
    checksum: String,
}

impl<'a> Scores<'a> {
    pub(super) fn new(task: Task<'a>) -> anyhow::Result<Self> {
        let layer = task.random_layer()?;
        let minibatch = Order::new(("order", 0), task.examples.samples(), task.batch()).take(1);
        let mut examples = Matrix::zeros(task.batch(), task.inputs());
        let samples = minibatch.iter().map(|&sample| sample as usize);
        task.examples.view()?.stage_all(task.compute.core.kernels(), samples, &mut examples);
        let compute = &task.compute.core;
        let scores = compute.map(|worker| {
            let units = range_of(layer.hidden(), 1, worker, compute.threads());
            Mutex::new(Matrix::zeros(task.batch(), units.len()))
        });
        Ok(Self { task, layer, examples, scores, checksum: String::new() })
    }

    fn multiply(&self, times: usize) -> u64 {
        let compute = &self.task.compute.core;
        let elapsed = timed(|| {
            compute.map(|worker| {
                let units = range_of(self.layer.hidden(), 1, worker, compute.threads());
                let mut scores = self.scores[worker].lock().unwrap_or_else(PoisonError::into_inner);
                for _ in 0..times {
                    for first in (0..self.examples.rows()).step_by(BLOCK) {
                        let rows = BLOCK.min(self.examples.rows() - first);
                        let units = self.layer.panel(units.start, units.len());
                        ops::gemm_nt_into(
                            compute.kernels(),
                            units,
                            self.examples.panel(first, rows),
                            &mut scores,
                            [first, 0],
                        );
                    }
                }
            });
            Ok::<(), std::convert::Infallible>(())
        });
        elapsed.unwrap_or_else(|never| match never {})
    }
}

impl Work for Scores<'_> {
    fn check(&mut self) -> anyhow::Result<String> {
        self.multiply(self.task.definition.check);
        self.checksum = digest::of(&self.result());
        Ok(self.checksum.clone())
    }

    fn iterate(&mut self) -> anyhow::Result<u64> {
        Ok(self.multiply(self.task.definition.minibatches))
    }

    /// Example by example, the units in order.
    fn result(&self) -> Vec<f32> {
        let parts: Vec<_> =
            self.scores.iter().map(|part| part.lock().unwrap_or_else(PoisonError::into_inner)).collect();
        (0..self.examples.rows())
            .flat_map(|example| parts.iter().flat_map(move |part| part.row(example)))
            .copied()
            .collect()
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        same(&self.checksum, &digest::of(&self.result()))
    }

    fn engine(&self) -> &'static str {
        "dense"
    }

    fn operations(&self) -> f64 {
        self.task.operations()
    }
}

/// Work that does the same every time must end as it began.
pub(super) fn same(first: &str, last: &str) -> anyhow::Result<()> {
    if first == last {
        return Ok(());
    }
    let message = format!("result after the timed iterations: expected {first} as after the first, found {last}");
    Err(failure(message, "the kernel does not always compute the same: run the tests"))
}
