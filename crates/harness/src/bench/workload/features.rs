//! Features of a layer for some minibatches of examples, as the readout starts with.

use rivalry_core::Matrix;
use rivalry_nets::{Encoder, FeatureSpec, LayerEncoder};

use super::digest::Numbers;
use super::score::same;
use super::{Task, Work, timed};

/// The exponent and the scale of the paper's MNIST protocol.
pub(super) const SPEC: FeatureSpec = FeatureSpec { power_n: 4.5, current_scale: 1.0 };

/// A layer, and the features computed last.
pub(super) struct LayerFeatures<'a> {
    task: Task<'a>,
    encoder: LayerEncoder,
    scales: Vec<f32>,
    last: Option<Matrix>,
    checksum: String,
}

impl<'a> LayerFeatures<'a> {
    pub(super) fn new(task: Task<'a>) -> anyhow::Result<Self> {
        let encoder = LayerEncoder::new(task.random_layer()?, SPEC)?;
        let scales = task.examples.view()?.unit_length_scales();
        Ok(Self { task, encoder, scales, last: None, checksum: String::new() })
    }

    fn compute(&mut self, minibatches: usize) -> anyhow::Result<u64> {
        let samples = (minibatches * self.task.batch()).min(self.task.examples.samples());
        let view = self.task.examples.first(samples)?;
        let view = view.with_scales(&self.scales[..samples])?;
        let compute = self.task.compute;
        self.last = None;
        Ok(timed(|| self.encoder.features(&compute.core, &view).map(|last| self.last = Some(last)))?)
    }

    /// Of the examples of the check, which every iteration computes too.
    fn digest(&self) -> String {
        let mut numbers = Numbers::new();
        if let Some(features) = &self.last {
            for sample in 0..(self.task.definition.check * self.task.batch()).min(features.rows()) {
                numbers.add(features.row(sample));
            }
        }
        numbers.hex()
    }
}

impl Work for LayerFeatures<'_> {
    fn check(&mut self) -> anyhow::Result<String> {
        self.compute(self.task.definition.check)?;
        self.checksum = self.digest();
        Ok(self.checksum.clone())
    }

    fn iterate(&mut self) -> anyhow::Result<u64> {
        self.compute(self.task.definition.minibatches)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        same(&self.checksum, &self.digest())
    }

    fn engine(&self) -> &'static str {
        "dense"
    }

    fn operations(&self) -> f64 {
        self.task.operations()
    }
}
