//! `biological`: the paper's rule for the hidden layer, then the readout.
//!
//! 1. Unsupervised: E epochs of the fast rule at ε0 (1 − e/E), each over a fresh order of the samples.
//! 2. Readout: the features of the layer once, then the readout's epochs. Units off the p-sphere are dropped if asked.

use rivalry_core::{Random, Rule};
use rivalry_nets::{Encoder, FastLearner, FastSpec, State};

use super::{FEATURES, LOSS, Method, READOUT, RULE};
use crate::config::{Balance, Config, UnitLength};
use crate::dataset::Length;
use crate::rows::Phase;
use crate::run::Job;
use crate::run::phases::{Data, PhaseRun, Rates, layer_encoder, readout_of_layer};

/// See the module.
#[derive(Debug)]
pub(super) struct Biological;

impl Method for Biological {
    fn name(&self) -> &'static str {
        "biological"
    }

    fn summary(&self) -> &'static str {
        "the paper's rule for the hidden layer, then the readout"
    }

    fn keys(&self) -> &'static [&'static [&'static str]] {
        &[&["hidden"], RULE, FEATURES, READOUT, LOSS]
    }

    fn phases(&self) -> &'static [Phase] {
        &[Phase::Unsupervised, Phase::Readout]
    }

    fn begin<'a>(&self, phase: Phase, job: &Job<'a>, state: &State) -> anyhow::Result<PhaseRun<'a>> {
        let config = job.config;
        if phase == Phase::Readout {
            return readout_of_layer(job, state);
        }
        let balance = match config.balance {
            Balance::Off => None,
            Balance::PerWin(limit) => Some(limit as f32),
        };
        let rule = Rule::new(config.p, config.k, config.delta)?.with_balance(balance)?;
        let Config { batch, init_sigma, seed, .. } = *config;
        let inputs = job.splits.learn.inputs();
        let spec =
            FastSpec { inputs, hidden: config.hidden.first(), rule, batch, init_sigma, engine: job.compute.engine };
        let learner = FastLearner::new(spec, &mut Random::keyed(seed, "weights", 0))?;
        let length = if config.unit_length == UnitLength::Both { Length::Unit } else { Length::AsItIs };
        Ok(PhaseRun {
            phase,
            rates: Rates::Linear(config.rate),
            order: "order",
            learner: Box::new(learner),
            train: Data::samples(&job.splits.learn, length)?.unlabelled(),
            evaluate: None,
            kept: State::default(),
        })
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
