//! Minibatches of the unsupervised phase, by the same call as `rivalry train`.

use rivalry_core::{Layer, Learner, Rates};

use super::{Order, Task, Work, digest, settled, timed};
use crate::bench::definition::Start;
use crate::failure::failure;

/// A learner and the examples to come.
pub(super) struct Epoch<'a> {
    task: Task<'a>,
    learner: Learner,
    order: Order,
    rate: f32,
    engine: &'static str,
}

impl<'a> Epoch<'a> {
    pub(super) fn new(task: Task<'a>) -> anyhow::Result<Self> {
        let layer = layer(&task)?;
        let learner = learner(&task, layer, task.batch())?;
        let order = Order::new(("order", 0), task.examples.samples(), task.batch());
        let engine = task.compute.engine.on(&task.examples.view()?, task.definition.rule()?.ranks())?.name();
        Ok(Self { engine, rate: task.definition.rate.unwrap_or(0.0), task, learner, order })
    }

    fn learn(&mut self, minibatches: usize) -> anyhow::Result<u64> {
        let order = self.order.take(minibatches);
        let (compute, view) = (&self.task.compute.core, self.task.examples.view()?);
        Ok(timed(|| self.learner.learn(compute, &view, &order, Rates::Constant(self.rate)))?)
    }
}

impl Work for Epoch<'_> {
    fn check(&mut self) -> anyhow::Result<String> {
        self.learn(self.task.definition.check)?;
        Ok(digest::of(&self.result()))
    }

    fn result(&self) -> Vec<f32> {
        self.learner.layer().to_rows()
    }

    fn iterate(&mut self) -> anyhow::Result<u64> {
        self.learn(self.task.definition.minibatches)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        match self.result().iter().find(|weight| !weight.is_finite()) {
            None => Ok(()),
            Some(weight) => {
                let message = format!("weights after the timed minibatches: expected finite numbers, found {weight}");
                Err(failure(message, "a lower rate keeps numbers in range"))
            }
        }
    }

    fn engine(&self) -> &'static str {
        self.engine
    }

    fn operations(&self) -> f64 {
        self.task.operations()
    }
}

/// The weights to start from.
pub(super) fn layer(task: &Task<'_>) -> anyhow::Result<Layer> {
    match task.definition.start {
        Start::Random => Ok(task.random_layer()?),
        Start::Settled => settled::layer(task),
    }
}

/// The one place where a benchmark makes a learner.
pub(super) fn learner(task: &Task<'_>, layer: Layer, batch: usize) -> anyhow::Result<Learner> {
    Ok(task.compute.learner(layer, task.definition.rule()?, batch)?)
}
