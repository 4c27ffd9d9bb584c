//! The work of each kind of benchmark: made ready, checked once, then timed again and again.

mod digest;
mod epoch;
mod features;
mod readout;
mod score;
mod settled;
mod stream;

use std::sync::Arc;
use std::time::Instant;

use rivalry_core::{Layer, Random};

use super::definition::{Definition, Kind};
use super::examples::{Examples, SEED, Sets};
use crate::compute::Compute;
use crate::failure::failure;

/// A benchmark that is ready to run.
pub(super) trait Work {
    /// Warms up and digests the result.
    fn check(&mut self) -> anyhow::Result<String>;

    /// Does the minibatches of one iteration and says how long they took together, in ns.
    fn iterate(&mut self) -> anyhow::Result<u64>;

    /// The result as it stands, where other programs are measured on the same work: weights, or scores by example.
    fn result(&self) -> Vec<f32> {
        Vec::new()
    }

    /// Looks at the result of all that was timed: it must be numbers still, or what it was.
    fn finish(&mut self) -> anyhow::Result<()>;

    /// What the column `engine` says.
    fn engine(&self) -> &'static str {
        ""
    }

    /// Floating-point operations of one minibatch, dense equivalent.
    fn operations(&self) -> f64;
}

/// Makes the work of a definition ready.
///
/// # Errors
/// The data is not here, or the definition asks for what cannot be.
pub(super) fn prepare<'a>(
    definition: &'a Definition,
    compute: &'a Compute,
    sets: &mut Sets<'_>,
) -> anyhow::Result<Box<dyn Work + 'a>> {
    let mut task = || anyhow::Ok(Task { definition, compute, examples: sets.get(definition)? });
    Ok(match definition.kind {
        Kind::Epoch => Box::new(epoch::Epoch::new(task()?)?),
        Kind::Score => Box::new(score::Scores::new(task()?)?),
        Kind::Features => Box::new(features::LayerFeatures::new(task()?)?),
        Kind::Readout => Box::new(readout::ReadoutEpoch::new(task()?)?),
        Kind::Bandwidth => Box::new(stream::Stream::new(definition, compute)),
    })
}

/// The same work for another program.
///
/// # Errors
/// As [`prepare`], and for a kind that other programs are not measured on.
pub(super) fn hand_over(definition: &Definition, compute: &Compute, sets: &mut Sets<'_>) -> anyhow::Result<Handover> {
    let task = Task { definition, compute, examples: sets.get(definition)? };
    let (layer, minibatches) = match definition.kind {
        Kind::Epoch => (epoch::layer(&task)?, definition.check + definition.minibatches),
        Kind::Score => (task.random_layer()?, 1),
        Kind::Features | Kind::Readout | Kind::Bandwidth => {
            let message = format!("`{}`: expected kind epoch or score for peers, found another", definition.name);
            return Err(failure(message, "choose with --filter"));
        }
    };
    let order = Order::new(("order", 0), task.examples.samples(), task.batch()).take(minibatches);
    let inputs = order.iter().flat_map(|&sample| task.examples.row(sample as usize)).copied().collect();
    let rates = vec![definition.rate.unwrap_or(0.0); minibatches];
    Ok(Handover { weights: layer.to_rows(), inputs, rates })
}

/// What every kind with examples needs.
struct Task<'a> {
    definition: &'a Definition,
    compute: &'a Compute,
    examples: Arc<Examples>,
}

impl Task<'_> {
    fn hidden(&self) -> usize {
        self.definition.hidden.unwrap_or(0)
    }

    fn inputs(&self) -> usize {
        self.definition.inputs.unwrap_or(0)
    }

    fn batch(&self) -> usize {
        self.definition.batch.unwrap_or(0)
    }

    /// 2 · hidden · inputs · batch.
    fn operations(&self) -> f64 {
        2.0 * self.hidden() as f64 * self.inputs() as f64 * self.batch() as f64
    }

    /// N(0, 1).
    fn random_layer(&self) -> rivalry_core::Result<Layer> {
        Layer::normal(self.hidden(), self.inputs(), 1.0, &mut Random::keyed(SEED, "weights", 0))
    }
}

/// What another program needs to do the same work.
#[derive(Debug, Clone, PartialEq)]
pub struct Handover {
    /// Weights to start from, [hidden × inputs].
    pub weights: Vec<f32>,
    /// The examples in the order of the minibatches, [samples × inputs].
    pub inputs: Vec<u8>,
    /// One learning rate for each minibatch.
    pub rates: Vec<f32>,
}

/// Runs and times, in ns.
fn timed<E>(work: impl FnOnce() -> Result<(), E>) -> Result<u64, E> {
    let start = Instant::now();
    work()?;
    Ok(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX))
}

/// Minibatches of a fixed random order of the examples, again from its start when it is at its end.
struct Order {
    order: Vec<u32>,
    batch: usize,
    next: usize,
}

impl Order {
    fn new((name, index): (&str, u32), samples: usize, batch: usize) -> Self {
        Self { order: Random::keyed(SEED, name, index).order(samples), batch, next: 0 }
    }

    /// The examples of the next so many whole minibatches.
    fn take(&mut self, minibatches: usize) -> Vec<u32> {
        let there = self.order.len() / self.batch;
        let mut taken = Vec::with_capacity(minibatches * self.batch);
        for _ in 0..minibatches {
            taken.extend_from_slice(&self.order[self.next * self.batch..][..self.batch]);
            self.next = (self.next + 1) % there;
        }
        taken
    }
}

#[cfg(test)]
mod tests;
