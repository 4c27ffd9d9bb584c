//! `random`: a control of ours. A hidden layer of random directions on the p-sphere that learns nothing, then the readout.

use rivalry_nets::{Encoder, State, Tensor, random_layer};

use super::{FEATURES, LENGTH, LOSS, Method, READOUT};
use crate::config::Config;
use crate::rows::Phase;
use crate::run::phases::{Job, PhaseRun, layer_encoder, readout_of_layer};

/// See the module.
#[derive(Debug)]
pub(super) struct Random;

impl Method for Random {
    fn name(&self) -> &'static str {
        "random"
    }

    fn summary(&self) -> &'static str {
        "a hidden layer of random directions that learns nothing, then the readout"
    }

    fn keys(&self) -> &'static [&'static [&'static str]] {
        &[&["hidden", "p"], FEATURES, LENGTH, READOUT, LOSS]
    }

    fn phases(&self) -> &'static [Phase] {
        &[Phase::Readout]
    }

    fn start(&self, job: &Job<'_>) -> anyhow::Result<State> {
        let Config { p, seed, .. } = *job.config;
        let (hidden, inputs) = (job.config.hidden.first(), job.splits.learn.inputs());
        let mut random = rivalry_core::Random::keyed(seed, "weights", 0);
        let mut state = State::default();
        state.insert("weights", Tensor::new([hidden, inputs], random_layer(hidden, inputs, p, &mut random)?.to_rows()));
        Ok(state)
    }

    fn begin<'a>(&self, _phase: Phase, job: &Job<'a>, state: &State) -> anyhow::Result<PhaseRun<'a>> {
        readout_of_layer(job, state)
    }

    fn encoder(&self, config: &Config, trained: &State) -> anyhow::Result<Option<Box<dyn Encoder>>> {
        Ok(Some(Box::new(layer_encoder(config, trained)?)))
    }

    fn numbers(&self, config: &Config, inputs: usize, features: usize) -> u64 {
        (config.hidden.first() as u64).saturating_mul((4 * inputs + features) as u64)
    }

    fn passes(&self, config: &Config) -> f64 {
        0.7 * f64::from(config.readout_epochs)
    }
}
