//! `slow`: the paper's hidden dynamics with a plasticity threshold (eqs. 8, 9) in place of the ranks, then the readout.

use rivalry_core::Random;
use rivalry_nets::{Encoder, HStarOf, SlowLearner, SlowSpec, State};
use serde::Deserialize;

use super::{FEATURES, LENGTH, LOSS, Method, READOUT, own, refuse};
use crate::config::Config;
use crate::rows::Phase;
use crate::run::phases::{Job, PhaseRun, Rates, layer_encoder, layer_phase, readout_of_layer};

/// See the module.
#[derive(Debug)]
pub(super) struct Slow;

#[derive(Deserialize)]
struct Settings {
    /// Strength of inhibition.
    w_inh: f64,
    /// The plasticity threshold.
    h_star: f64,
    h_star_of: ThresholdOf,
}

/// What the threshold is measured in.
#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ThresholdOf {
    /// The largest h of the sample.
    Max,
    /// Itself.
    Value,
}

impl From<ThresholdOf> for HStarOf {
    fn from(of: ThresholdOf) -> Self {
        match of {
            ThresholdOf::Max => Self::Max,
            ThresholdOf::Value => Self::Value,
        }
    }
}

impl Method for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    fn summary(&self) -> &'static str {
        "the paper's slow hidden dynamics for the hidden layer, then the readout"
    }

    fn keys(&self) -> &'static [&'static [&'static str]] {
        &[&["hidden", "p", "delta", "epochs", "batch", "rate", "init_sigma"], FEATURES, LENGTH, READOUT, LOSS]
    }

    fn own_keys(&self) -> &'static [&'static str] {
        &["w_inh", "h_star", "h_star_of"]
    }

    fn check_own(&self, config: &Config) -> Result<(), toml::de::Error> {
        let Settings { w_inh, h_star, .. } = own(config)?;
        for (key, value) in [("w_inh", w_inh), ("h_star", h_star)] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(refuse(key, "a number of at least 0"));
            }
        }
        Ok(())
    }

    fn phases(&self) -> &'static [Phase] {
        &[Phase::Unsupervised, Phase::Readout]
    }

    fn begin<'a>(&self, phase: Phase, job: &Job<'a>, state: &State) -> anyhow::Result<PhaseRun<'a>> {
        if phase == Phase::Readout {
            return readout_of_layer(job, state);
        }
        let Config { p, delta, batch, init_sigma, seed, rate, .. } = *job.config;
        let Settings { w_inh, h_star, h_star_of } = own(job.config)?;
        let (inputs, hidden) = (job.splits.learn.inputs(), job.config.hidden.first());
        let h_star_of = h_star_of.into();
        let spec = SlowSpec { inputs, hidden, p, delta, w_inh, h_star, h_star_of, batch, init_sigma };
        let learner = SlowLearner::new(spec, &mut Random::keyed(seed, "weights", 0))?;
        layer_phase(job, Box::new(learner), Rates::Linear(rate))
    }

    fn encoder(&self, config: &Config, trained: &State) -> anyhow::Result<Option<Box<dyn Encoder>>> {
        Ok(Some(Box::new(layer_encoder(config, trained)?)))
    }

    /// The layer, its powers, its changes and its checkpoint, then the features.
    fn numbers(&self, config: &Config, inputs: usize, features: usize) -> u64 {
        (config.hidden.first() as u64).saturating_mul((5 * inputs + features) as u64)
    }

    fn passes(&self, config: &Config) -> f64 {
        8.0 * f64::from(config.epochs) + 0.7 * f64::from(config.readout_epochs)
    }
}
