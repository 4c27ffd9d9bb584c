//! `end-to-end` and `end-to-end-softmax`: the same network with n = 1, all of it trained by backpropagation, with the power
//! loss of the paper's baseline or with softmax and cross-entropy.

use rivalry_core::Random;
use rivalry_nets::{Backprop, BackpropSpec, Head, Schedule, State};

use super::{Method, needs_labels};
use crate::config::Config;
use crate::rows::Phase;
use crate::run::Job;
use crate::run::phases::{Data, PhaseRun, Rates, readout_length};

/// Backpropagation with one of the losses.
#[derive(Debug)]
pub(super) struct EndToEnd {
    name: &'static str,
    summary: &'static str,
    unused: &'static [&'static str],
    head: fn(&Config) -> Head,
}

pub(super) const END_TO_END: EndToEnd = EndToEnd {
    name: "end-to-end",
    summary: "all layers by backpropagation, tanh and the power loss: the paper's baseline",
    unused: &[
        "p",
        "k",
        "delta",
        "balance",
        "epochs",
        "batch",
        "rate",
        "init_sigma",
        "power_n",
        "current_scale",
        "off_sphere",
    ],
    head: |config| Head::Power { beta: config.beta, loss_m: config.loss_m },
};

pub(super) const END_TO_END_SOFTMAX: EndToEnd = EndToEnd {
    name: "end-to-end-softmax",
    summary: "all layers by backpropagation, softmax and cross-entropy",
    unused: &[
        "p",
        "k",
        "delta",
        "balance",
        "epochs",
        "batch",
        "rate",
        "init_sigma",
        "power_n",
        "current_scale",
        "off_sphere",
        "loss_m",
        "beta",
    ],
    head: |_| Head::Softmax,
};

impl Method for EndToEnd {
    fn name(&self) -> &'static str {
        self.name
    }

    fn summary(&self) -> &'static str {
        self.summary
    }

    fn unused(&self) -> &'static [&'static str] {
        self.unused
    }

    fn phases(&self) -> &'static [Phase] {
        &[Phase::EndToEnd]
    }

    fn begin<'a>(&self, phase: Phase, job: &Job<'a>, _state: &State) -> anyhow::Result<PhaseRun<'a>> {
        let (config, splits) = (job.config, job.splits);
        let spec = BackpropSpec {
            inputs: splits.labelled.inputs(),
            hidden: config.hidden.sizes().to_vec(),
            classes: splits.classes,
            head: (self.head)(config),
            batch: config.readout_batch,
        };
        let network = Backprop::new(spec, &mut Random::keyed(config.seed, "weights", 0), &job.compute.core)?;
        let length = readout_length(config);
        Ok(PhaseRun {
            phase,
            rates: Rates::Schedule(Schedule::parse(&config.readout_rates)?),
            order: "readout-order",
            learner: Box::new(network),
            train: Data::samples(&splits.labelled, length)?,
            evaluate: Some(Data::samples(&splits.evaluate, length)?),
            kept: State::default(),
        })
    }

    /// The weights and their two moments, each also in the state, the checkpoint and its bytes.
    fn numbers(&self, config: &Config, inputs: usize, _features: usize) -> u64 {
        let mut below = inputs;
        let layers = config.hidden.sizes().iter().map(|&units| {
            let numbers = (units as u64).saturating_mul((12 * below + config.readout_batch) as u64);
            below = units;
            numbers
        });
        layers.fold(0, u64::saturating_add)
    }

    fn passes(&self, config: &Config) -> f64 {
        8.0 * f64::from(config.readout_epochs)
    }

    fn most_layers(&self) -> usize {
        usize::MAX
    }

    fn check(&self, config: &Config) -> anyhow::Result<()> {
        needs_labels(self, config)
    }
}
