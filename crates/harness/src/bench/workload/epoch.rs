//! Minibatches of the unsupervised phase, by the same call as `rivalry train`, from random or from pretrained weights.
//!
//! **Pretrained weights** resemble the end of a run, are made in a moment, and are the same everywhere. Unit μ starts as a
//! prototype: image a less 0.4 times another image b, drawn from a fixed order. The transformed weights sgn(w)|w|^(p−1) of
//! a unit at its fixed point are parallel to such a mean, and the unit lies on the p-sphere, so
//! w = sgn(v)|v|^(1/(p−1)) with v = x_a − 0.4 x_b, divided by (Σ|w|^p)^(1/p). The rule then runs for some minibatches at a
//! small rate, which moves the units that win to the mean of what they win. The layer has what matters to speed late in a
//! run: the distribution of weights and scores of a layer on the sphere, and close competition between similar units. It
//! is not the layer of any run.

use std::time::Instant;

use rivalry_core::{Layer, Learner, Random, Rates};

use super::{Order, Steps, Task, Workload};
use crate::bench::definition::{Epoch, Start};
use crate::bench::examples::SEED;
use crate::bench::limits::elapsed_ns;

/// Minibatches of the rule after the prototypes, their size and their rate, a tenth of the first rate on CIFAR-10.
const MINIBATCHES: usize = 20;
const BATCH: usize = 100;
const RATE: f32 = 0.002;
/// The share of image b that is subtracted: Δ of the paper's MNIST protocol.
const DELTA: f64 = 0.4;

/// A learner and the samples to come.
struct LayerEpoch<'a> {
    task: Task<'a>,
    learner: Learner,
    order: Order,
    rate: f32,
}

pub(super) fn epoch(task: Task<'_>, epoch: Epoch) -> anyhow::Result<Workload<'_>> {
    let layer = match epoch.start {
        Start::Random => task.random_layer()?,
        Start::Pretrained => pretrained(&task, epoch)?,
    };
    let rule = epoch.rule()?;
    let learner = task.compute.learner(layer, rule, epoch.batch)?;
    let engine = task.compute.engine.on(&task.examples.view()?, rule.ranks())?.name();
    let (operations, order) = (task.operations(), task.order("order"));
    let steps = Box::new(LayerEpoch { task, learner, order, rate: epoch.rate });
    Ok(Workload { engine, operations, repeats: false, steps })
}

impl Steps for LayerEpoch<'_> {
    fn run(&mut self, minibatches: usize) -> anyhow::Result<u64> {
        let order = self.order.take(minibatches);
        let (compute, view) = (&self.task.compute.core, self.task.examples.view()?);
        let start = Instant::now();
        self.learner.learn(compute, &view, &order, Rates::Constant(self.rate))?;
        Ok(elapsed_ns(start))
    }

    fn result(&self) -> Vec<f32> {
        self.learner.layer().to_rows()
    }
}

/// Prototypes, then some minibatches of the rule.
fn pretrained(task: &Task<'_>, epoch: Epoch) -> anyhow::Result<Layer> {
    let (samples, inputs) = (task.examples.samples(), task.examples.inputs);
    let order = Random::keyed(SEED, "order", 2).order(samples);
    let mut rows = Vec::with_capacity(epoch.hidden * inputs);
    for unit in 0..epoch.hidden {
        let [a, b] = [2 * unit, 2 * unit + 1].map(|at| task.examples.row(order[at % order.len()] as usize));
        rows.extend(prototype(a, b, epoch.p));
    }
    let batch = BATCH.min(samples);
    let mut learner = task.compute.learner(Layer::from_rows(epoch.hidden, inputs, &rows)?, epoch.rule()?, batch)?;
    let order = Order::new(("order", 1), samples, batch).take(MINIBATCHES);
    learner.learn(&task.compute.core, &task.examples.view()?, &order, Rates::Constant(RATE))?;
    Ok(learner.layer())
}

fn prototype(a: &[u8], b: &[u8], p: f64) -> Vec<f32> {
    // Powers come from `libm`, because those of the system differ between machines in the last bit.
    let weight = |(&a, &b): (&u8, &u8)| {
        let v = f64::from(a) - DELTA * f64::from(b);
        v.signum() * libm::pow(v.abs() / 255.0, 1.0 / (p - 1.0))
    };
    let weights: Vec<f64> = a.iter().zip(b).map(weight).collect();
    let sum: f64 = weights.iter().map(|weight| libm::pow(weight.abs(), p)).sum();
    let length = if sum > 0.0 { libm::pow(sum, 1.0 / p) } else { 1.0 };
    weights.iter().map(|weight| (weight / length) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prototypes_lie_on_the_sphere_with_the_signs_of_the_images() {
        for p in [2.0, 3.0, 5.0] {
            let weights = prototype(&[255, 10, 0, 0], &[0, 200, 100, 0], p);
            let sum: f64 = weights.iter().map(|&weight| f64::from(weight.abs()).powf(p)).sum();
            assert!((sum - 1.0).abs() <= 1e-6, "p = {p}: {sum}");
            assert!(weights[0] > 0.0 && weights[1] < 0.0 && weights[2] < 0.0 && weights[3] == 0.0, "{weights:?}");
        }
        assert_eq!(prototype(&[0, 0], &[0, 0], 3.0), [0.0, 0.0]);
    }
}
