//! Minibatches of the readout over the features of a random layer.

use rivalry_core::{Inputs, Matrix, Random};
use rivalry_nets::{Encoder, Head, Labelled, LayerEncoder, Learner, Readout, ReadoutSpec};

use super::features::SPEC;
use super::{Order, Task, Work, digest, timed};
use crate::bench::examples::SEED;
use crate::failure::failure;

/// Classes of every data set here.
const CLASSES: usize = 10;

/// A readout, its features and the examples to come.
pub(super) struct ReadoutEpoch<'a> {
    task: Task<'a>,
    features: Matrix,
    readout: Readout,
    order: Order,
    rate: f32,
}

impl<'a> ReadoutEpoch<'a> {
    pub(super) fn new(task: Task<'a>) -> anyhow::Result<Self> {
        let (compute, view) = (task.compute, task.examples.view()?);
        let scales = view.unit_length_scales();
        let encoder = LayerEncoder::new(task.random_layer()?, SPEC)?;
        let features = encoder.features(&compute.core, &view.with_scales(&scales)?)?;
        // The paper's MNIST protocol.
        let spec = ReadoutSpec {
            classes: CLASSES,
            inputs: task.hidden(),
            head: Head::Power { beta: 0.1, loss_m: 6.0 },
            batch: task.batch(),
            init_sigma: 0.01,
        };
        let mut random = Random::keyed(SEED, "readout-weights", 0);
        let readout = Readout::new(spec, &mut random, &compute.core)?;
        let order = Order::new(("readout-order", 0), task.examples.samples(), task.batch());
        Ok(Self { rate: task.definition.rate.unwrap_or(0.0), task, features, readout, order })
    }

    fn learn(&mut self, minibatches: usize) -> anyhow::Result<u64> {
        let order = self.order.take(minibatches);
        let data = Labelled { inputs: Inputs::matrix(&self.features)?, labels: self.task.examples.labels() };
        Ok(timed(|| self.readout.epoch(&self.task.compute.core, &data, &order, self.rate))?)
    }
}

impl Work for ReadoutEpoch<'_> {
    fn check(&mut self) -> anyhow::Result<String> {
        self.learn(self.task.definition.check)?;
        Ok(digest::of(&self.readout.weights()))
    }

    fn iterate(&mut self) -> anyhow::Result<u64> {
        self.learn(self.task.definition.minibatches)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        match self.readout.weights().iter().find(|weight| !weight.is_finite()) {
            None => Ok(()),
            Some(weight) => {
                let message = format!("readout after the timed minibatches: expected finite numbers, found {weight}");
                Err(failure(message, "a lower rate keeps numbers in range"))
            }
        }
    }

    /// Sums and gradient: twice the product of classes, features and examples.
    fn operations(&self) -> f64 {
        4.0 * CLASSES as f64 * self.task.hidden() as f64 * self.task.batch() as f64
    }
}
