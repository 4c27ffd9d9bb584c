//! Features of a random layer, and minibatches of the readout over them, by the paper's MNIST protocol.

use std::time::Instant;

use rivalry_core::{Inputs, Matrix, Random};
use rivalry_nets::{Encoder, FeatureSpec, Head, Labelled, LayerEncoder, Learner, Readout, ReadoutSpec};

use super::{Order, Steps, Task, Workload};
use crate::bench::examples::{CLASSES, SEED};
use crate::bench::limits::elapsed_ns;

const SPEC: FeatureSpec = FeatureSpec { power_n: 4.5, current_scale: 1.0 };

/// A layer, and the features that the last run computed.
struct LayerFeatures<'a> {
    task: Task<'a>,
    encoder: LayerEncoder,
    scales: Vec<f32>,
    last: Option<Matrix>,
    /// Samples that the checksum covers.
    checked: usize,
}

pub(super) fn features(task: Task<'_>, check: usize) -> anyhow::Result<Workload<'_>> {
    let encoder = LayerEncoder::new(task.random_layer()?, SPEC)?;
    let scales = task.examples.view()?.unit_length_scales();
    let (operations, checked) = (task.operations(), check * task.product.batch);
    let steps = Box::new(LayerFeatures { task, encoder, scales, last: None, checked });
    Ok(Workload { engine: "dense", operations, repeats: true, steps })
}

impl Steps for LayerFeatures<'_> {
    fn run(&mut self, minibatches: usize) -> anyhow::Result<u64> {
        let samples = (minibatches * self.task.product.batch).min(self.task.examples.samples());
        let view = self.task.examples.first(samples)?.with_scales(&self.scales[..samples])?;
        self.last = None;
        let start = Instant::now();
        self.last = Some(self.encoder.features(&self.task.compute.core, &view)?);
        Ok(elapsed_ns(start))
    }

    fn result(&self) -> Vec<f32> {
        let Some(features) = &self.last else { return Vec::new() };
        (0..self.checked.min(features.rows())).flat_map(|sample| features.row(sample)).copied().collect()
    }
}

/// A readout, its features and the samples to come.
struct ReadoutEpoch<'a> {
    task: Task<'a>,
    features: Matrix,
    readout: Readout,
    order: Order,
    rate: f32,
}

pub(super) fn readout(task: Task<'_>, rate: f32) -> anyhow::Result<Workload<'_>> {
    let (compute, view) = (&task.compute.core, task.examples.view()?);
    let scales = view.unit_length_scales();
    let encoder = LayerEncoder::new(task.random_layer()?, SPEC)?;
    let features = encoder.features(compute, &view.with_scales(&scales)?)?;
    let (hidden, batch) = (task.product.hidden, task.product.batch);
    let head = Head::Power { beta: 0.1, loss_m: 6.0 };
    let spec = ReadoutSpec { classes: CLASSES, inputs: hidden, head, batch, init_sigma: 0.01 };
    let readout = Readout::new(spec, &mut Random::keyed(SEED, "readout-weights", 0), compute)?;
    let order = task.order("readout-order");
    // Sums and gradient: twice the product of classes, features and samples.
    let operations = 4.0 * CLASSES as f64 * hidden as f64 * batch as f64;
    let steps = Box::new(ReadoutEpoch { task, features, readout, order, rate });
    Ok(Workload { engine: "", operations, repeats: false, steps })
}

impl Steps for ReadoutEpoch<'_> {
    fn run(&mut self, minibatches: usize) -> anyhow::Result<u64> {
        let order = self.order.take(minibatches);
        let data = Labelled { inputs: Inputs::matrix(&self.features)?, labels: self.task.examples.labels() };
        let start = Instant::now();
        self.readout.epoch(&self.task.compute.core, &data, &order, self.rate)?;
        Ok(elapsed_ns(start))
    }

    fn result(&self) -> Vec<f32> {
        self.readout.weights()
    }
}
