//! Features of a random layer, and minibatches of the readout over them, by the paper's MNIST protocol.

use rivalry_core::{Inputs, Matrix, Random};
use rivalry_nets::{Encoder, FeatureSpec, Head, Labelled, LayerEncoder, Learner, Readout, ReadoutSpec};

use super::{Order, Task, Workload, timed};
use crate::bench::examples::SEED;

const SPEC: FeatureSpec = FeatureSpec { power_n: 4.5, current_scale: 1.0 };
/// Classes of every data set here.
const CLASSES: usize = 10;

/// A layer, and the features that the last run computed.
pub(super) struct LayerFeatures<'a> {
    task: Task<'a>,
    encoder: LayerEncoder,
    scales: Vec<f32>,
    last: Option<Matrix>,
    /// Samples that the checksum covers.
    checked: usize,
}

impl<'a> LayerFeatures<'a> {
    pub(super) fn new(task: Task<'a>, check: usize) -> anyhow::Result<Self> {
        let encoder = LayerEncoder::new(task.random_layer()?, SPEC)?;
        let scales = task.examples.view()?.unit_length_scales();
        Ok(Self { checked: check * task.product.batch, task, encoder, scales, last: None })
    }
}

impl Workload for LayerFeatures<'_> {
    fn run(&mut self, minibatches: usize) -> anyhow::Result<u64> {
        let samples = (minibatches * self.task.product.batch).min(self.task.examples.samples());
        let view = self.task.examples.first(samples)?.with_scales(&self.scales[..samples])?;
        let compute = &self.task.compute.core;
        self.last = None;
        Ok(timed(|| self.encoder.features(compute, &view).map(|last| self.last = Some(last)))?)
    }

    fn result(&self) -> Vec<f32> {
        let Some(features) = &self.last else { return Vec::new() };
        (0..self.checked.min(features.rows())).flat_map(|sample| features.row(sample)).copied().collect()
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

/// A readout, its features and the samples to come.
pub(super) struct ReadoutEpoch<'a> {
    task: Task<'a>,
    features: Matrix,
    readout: Readout,
    order: Order,
    rate: f32,
}

impl<'a> ReadoutEpoch<'a> {
    pub(super) fn new(task: Task<'a>, rate: f32) -> anyhow::Result<Self> {
        let (compute, view) = (&task.compute.core, task.examples.view()?);
        let scales = view.unit_length_scales();
        let encoder = LayerEncoder::new(task.random_layer()?, SPEC)?;
        let features = encoder.features(compute, &view.with_scales(&scales)?)?;
        let spec = ReadoutSpec {
            classes: CLASSES,
            inputs: task.product.hidden,
            head: Head::Power { beta: 0.1, loss_m: 6.0 },
            batch: task.product.batch,
            init_sigma: 0.01,
        };
        let readout = Readout::new(spec, &mut Random::keyed(SEED, "readout-weights", 0), compute)?;
        Ok(Self { order: task.order("readout-order"), task, features, readout, rate })
    }
}

impl Workload for ReadoutEpoch<'_> {
    fn run(&mut self, minibatches: usize) -> anyhow::Result<u64> {
        let order = self.order.take(minibatches);
        let data = Labelled { inputs: Inputs::matrix(&self.features)?, labels: self.task.examples.labels() };
        Ok(timed(|| self.readout.epoch(&self.task.compute.core, &data, &order, self.rate))?)
    }

    fn result(&self) -> Vec<f32> {
        self.readout.weights()
    }

    fn repeats(&self) -> bool {
        false
    }

    fn engine(&self) -> &'static str {
        ""
    }

    /// Sums and gradient: twice the product of classes, features and samples.
    fn operations(&self) -> f64 {
        4.0 * CLASSES as f64 * self.task.product.hidden as f64 * self.task.product.batch as f64
    }
}
