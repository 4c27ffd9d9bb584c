//! `end-to-end` and `end-to-end-softmax`: the same network with n = 1, all of it trained by backpropagation, with the power
//! loss of the paper's baseline or with softmax and cross-entropy.

use anyhow::Context;
use rivalry_core::{Compute, Random};
use rivalry_nets::{Backprop, BackpropSpec, Classifier, Head, Learner, Schedule, State};

use super::{LENGTH, LOSS, Method, NO_LAYER, READOUT, labelled_phase, needs_epochs};
use crate::config::Config;
use crate::rows::Phase;
use crate::run::phases::{Job, PhaseRun, Rates};
use crate::run::tensors::{first_layer, shape_of, with_moments};

/// Backpropagation with one of the losses.
#[derive(Debug)]
pub(super) struct EndToEnd {
    name: &'static str,
    summary: &'static str,
    keys: &'static [&'static [&'static str]],
    head: fn(&Config) -> Head,
}

pub(super) const END_TO_END: EndToEnd = EndToEnd {
    name: "end-to-end",
    summary: "all layers by backpropagation, tanh and the power loss: the paper's baseline",
    keys: &[&["hidden"], LENGTH, READOUT, LOSS],
    head: |config| Head::Power { beta: config.beta, loss_m: config.loss_m },
};

pub(super) const END_TO_END_SOFTMAX: EndToEnd = EndToEnd {
    name: "end-to-end-softmax",
    summary: "all layers by backpropagation, softmax and cross-entropy",
    keys: &[&["hidden"], LENGTH, READOUT],
    head: |_| Head::Softmax,
};

impl EndToEnd {
    fn spec(&self, config: &Config, inputs: usize, classes: usize) -> BackpropSpec {
        let (hidden, head) = (config.hidden.sizes().to_vec(), (self.head)(config));
        BackpropSpec { inputs, hidden, classes, head, batch: config.readout_batch }
    }
}

impl Method for EndToEnd {
    fn name(&self) -> &'static str {
        self.name
    }

    fn summary(&self) -> &'static str {
        self.summary
    }

    fn keys(&self) -> &'static [&'static [&'static str]] {
        self.keys
    }

    fn phases(&self) -> &'static [Phase] {
        &[Phase::EndToEnd]
    }

    fn begin<'a>(&self, _phase: Phase, job: &Job<'a>, _state: &State) -> anyhow::Result<PhaseRun<'a>> {
        let (config, splits) = (job.config, job.splits);
        let spec = self.spec(config, splits.labelled.inputs(), splits.classes);
        let network = Backprop::new(spec, &mut Random::keyed(config.seed, "weights", 0), &job.compute.core)?;
        labelled_phase(job, Box::new(network), Rates::Schedule(Schedule::parse(&config.readout_rates)?))
    }

    fn classifier(&self, config: &Config, trained: &State, compute: &Compute) -> anyhow::Result<Box<dyn Classifier>> {
        let ([classes, _], layer) = (shape_of(trained, "readout")?, first_layer(trained)?);
        let spec = self.spec(config, layer.context("it has no hidden layer")?.inputs(), classes);
        let mut network = Backprop::new(spec, &mut Random::keyed(config.seed, "weights", 0), compute)?;
        network.restore(&with_moments(trained))?;
        Ok(Box::new(network))
    }

    /// The weights and their two moments, each also in the state, the checkpoint and its bytes.
    fn numbers(&self, config: &Config, inputs: usize, _features: usize) -> u64 {
        let layers = config.hidden.widths_below(inputs);
        let numbers =
            layers.map(|(below, units)| (units as u64).saturating_mul((12 * below + config.readout_batch) as u64));
        numbers.fold(0, u64::saturating_add)
    }

    fn passes(&self, config: &Config) -> f64 {
        8.0 * f64::from(config.readout_epochs)
    }

    fn most_layers(&self) -> usize {
        usize::MAX
    }

    fn check(&self, config: &Config) -> anyhow::Result<()> {
        needs_epochs(self, "readout_epochs", config.readout_epochs, NO_LAYER)
    }
}
