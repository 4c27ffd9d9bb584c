//! `biological`: the paper's rule for the hidden layer, then the readout.
//!
//! 1. Unsupervised: E epochs of the fast rule at ε0 (1 − e/E), each over a fresh order of the samples.
//! 2. Readout: the features of the layer once, then the readout's epochs. Units off the p-sphere are dropped if asked.

use rivalry_core::{Random, Rule};
use rivalry_nets::{Encoder, FastLearner, FastSpec, State};

use super::{FEATURES, LENGTH, LOSS, Method, READOUT, RULE};
use crate::config::{Balance, Config};
use crate::dataset::Length;
use crate::rows::Phase;
use crate::run::phases::{Job, PhaseRun, Rates, layer_encoder, layer_phase, readout_of_layer};

/// See the module.
#[derive(Debug)]
pub(super) struct Biological;

/// The fast rule with these settings.
pub(super) fn rule(config: &Config) -> anyhow::Result<Rule> {
    let balance = match config.balance {
        Balance::Off => None,
        Balance::PerWin(limit) => Some(limit as f32),
    };
    Ok(Rule::new(config.p, config.k, config.delta)?.with_balance(balance)?)
}

/// A layer of these settings over samples of so many inputs.
pub(super) fn fast_spec(job: &Job<'_>, inputs: usize) -> anyhow::Result<FastSpec> {
    let Config { batch, init_sigma, .. } = *job.config;
    let (hidden, rule) = (job.config.hidden.first(), rule(job.config)?);
    Ok(FastSpec { inputs, hidden, rule, batch, init_sigma, engine: job.compute.engine })
}

impl Method for Biological {
    fn name(&self) -> &'static str {
        "biological"
    }

    fn summary(&self) -> &'static str {
        "the paper's rule for the hidden layer, then the readout"
    }

    fn keys(&self) -> &'static [&'static [&'static str]] {
        &[&["hidden"], RULE, FEATURES, LENGTH, READOUT, LOSS]
    }

    fn phases(&self) -> &'static [Phase] {
        &[Phase::Unsupervised, Phase::Readout]
    }

    fn begin<'a>(&self, phase: Phase, job: &Job<'a>, state: &State) -> anyhow::Result<PhaseRun<'a>> {
        let config = job.config;
        if phase == Phase::Readout {
            return readout_of_layer(job, state);
        }
        let spec = fast_spec(job, job.splits.learn.inputs())?;
        let learner = FastLearner::new(spec, &mut Random::keyed(config.seed, "weights", 0))?;
        layer_phase(job, Box::new(learner), Rates::Linear(config.rate))
    }

    fn encoder(&self, config: &Config, trained: &State) -> anyhow::Result<Option<Box<dyn Encoder>>> {
        Ok(Some(Box::new(layer_encoder(config, trained)?)))
    }

    /// The layer, its powers and its checkpoint, then the features.
    fn numbers(&self, config: &Config, inputs: usize, features: usize) -> u64 {
        (config.hidden.first() as u64).saturating_mul((4 * inputs + features) as u64)
    }

    fn passes(&self, config: &Config) -> f64 {
        f64::from(config.epochs) + 0.7 * f64::from(config.readout_epochs)
    }

    fn engine(&self, job: &Job<'_>) -> anyhow::Result<&'static str> {
        let inputs = job.splits.learn.scaled(Length::AsItIs)?;
        let rule = Rule::new(job.config.p, job.config.k, job.config.delta)?;
        Ok(job.compute.engine.on(&inputs.view()?, rule.ranks())?.name())
    }
}
