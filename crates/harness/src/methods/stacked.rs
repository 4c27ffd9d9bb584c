//! `stacked`: layers on top of each other, each learned by the fast rule on the features of the one below, then the readout
//! on the top layer or on all of them side by side.

use anyhow::Context;
use rivalry_core::{Inputs, Random, Rule};
use rivalry_nets::{
    Encoder, FeatureSpec, LayerEncoder, ReadoutOn, StackEncoder, StackLayer, StackLearner, StackSpec, State,
};
use serde::Deserialize;

use super::biological::rule;
use super::own::OrAuto;
use super::{LENGTH, LOSS, Method, READOUT, RULE, needs_epochs, own};
use crate::config::{Config, CurrentScale};
use crate::dataset::Length;
use crate::error::failure;
use crate::rows::Phase;
use crate::run::phases::{Data, Job, PhaseRun, Rates, layer_phase, readout, readout_length};
use crate::run::tensors::{layer_of, number_of};

/// See the module.
#[derive(Debug)]
pub(super) struct Stacked;

#[derive(Deserialize)]
struct Settings {
    readout_on: Layers,
    /// p, k, Δ and n of each layer; those of all layers where nothing is given.
    layer_p: OrAuto<f64>,
    layer_k: OrAuto<usize>,
    layer_delta: OrAuto<f64>,
    layer_n: OrAuto<f64>,
}

/// The layers that the readout sees.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Layers {
    Top,
    All,
}

/// The layers from the lowest up.
fn layers(config: &Config) -> anyhow::Result<Vec<StackLayer>> {
    let (sizes, settings) = (config.hidden.sizes(), own::<Settings>(config)?);
    let count = sizes.len();
    let p = settings.layer_p.each("layer_p", count)?.unwrap_or(vec![config.p; count]);
    let k = settings.layer_k.each("layer_k", count)?.unwrap_or(vec![config.k; count]);
    let delta = settings.layer_delta.each("layer_delta", count)?.unwrap_or(vec![config.delta; count]);
    let power_n = settings.layer_n.each("layer_n", count)?.unwrap_or(vec![config.power_n; count]);
    let balance = rule(config)?.balance();
    let layer = |i: usize| {
        let rule = Rule::new(p[i], k[i], delta[i])?.with_balance(balance)?;
        Ok(StackLayer { units: sizes[i], rule, power_n: power_n[i] })
    };
    (0..count).map(layer).collect()
}

/// The layers that have finished, as an encoder.
fn encoder(config: &Config, state: &State) -> anyhow::Result<StackEncoder> {
    let mut stack: Option<StackEncoder> = None;
    for (number, StackLayer { power_n, .. }) in (1..).zip(layers(config)?) {
        let layer = layer_of(state, &format!("weights.{number}"))?;
        let current_scale = number_of(state, &format!("current_scale.{number}"))
            .with_context(|| format!("layer {number} has not finished"))?;
        let layer = LayerEncoder::new(layer, FeatureSpec { power_n, current_scale })?;
        stack = Some(match stack {
            Some(stack) => stack.with_layer(layer)?,
            None => StackEncoder::new(layer),
        });
    }
    let on = match own::<Settings>(config)?.readout_on {
        Layers::Top => ReadoutOn::Top,
        Layers::All => ReadoutOn::All,
    };
    Ok(stack.context("it has no hidden layer")?.reading(on))
}

impl Method for Stacked {
    fn name(&self) -> &'static str {
        "stacked"
    }

    fn summary(&self) -> &'static str {
        "layers on top of each other by the paper's rule, then the readout"
    }

    fn keys(&self) -> &'static [&'static [&'static str]] {
        &[&["hidden", "power_n", "current_scale"], RULE, LENGTH, READOUT, LOSS]
    }

    fn own_keys(&self) -> &'static [&'static str] {
        &["readout_on", "layer_p", "layer_k", "layer_delta", "layer_n"]
    }

    fn check_own(&self, config: &Config) -> Result<(), toml::de::Error> {
        own::<Settings>(config).map(drop)
    }

    /// Upper layers learn from the features of lower ones, so the keys of features are not among these.
    fn readout_keys(&self) -> Vec<&'static str> {
        [READOUT, LOSS, &["readout_on", "labels_per_class"]].concat()
    }

    fn phases(&self) -> &'static [Phase] {
        &[Phase::Unsupervised, Phase::Readout]
    }

    fn begin<'a>(&self, phase: Phase, job: &Job<'a>, state: &State) -> anyhow::Result<PhaseRun<'a>> {
        let config = job.config;
        if phase == Phase::Readout {
            let stack = encoder(config, state)?;
            let features = |examples| {
                Data::features(examples, readout_length(config), |inputs| stack.features(&job.compute.core, inputs))
            };
            return readout(job, features(&job.splits.labelled)?, features(&job.splits.evaluate)?, State::default());
        }
        let Config { batch, init_sigma, epochs, seed, rate, .. } = *config;
        let spec = StackSpec {
            inputs: job.splits.learn.inputs(),
            layers: layers(config)?,
            batch,
            init_sigma,
            engine: job.compute.engine,
            epochs,
            current_scale: match config.current_scale {
                CurrentScale::Auto => None,
                CurrentScale::Fixed(scale) => Some(scale),
            },
        };
        let learner = StackLearner::new(spec, &mut Random::keyed(seed, "weights", 0))?;
        layer_phase(job, Box::new(learner), Rates::LinearEach(rate, epochs))
    }

    fn encoder(&self, config: &Config, trained: &State) -> anyhow::Result<Option<Box<dyn Encoder>>> {
        Ok(Some(Box::new(encoder(config, trained)?)))
    }

    /// That of the lowest layer; the others learn from numbers that are no bytes, which only the dense engine scores.
    fn engine(&self, job: &Job<'_>) -> anyhow::Result<&'static str> {
        let features = Inputs::f32(&[0.0], 1)?;
        let (engine, layers) = (job.compute.engine, layers(job.config)?);
        for upper in &layers[1..] {
            engine.on(&features, upper.rule.ranks())?;
        }
        Ok(engine.on(&job.splits.learn.scaled(Length::AsItIs)?.view()?, layers[0].rule.ranks())?.name())
    }

    /// Every layer, its powers and its checkpoint, what it learns from, then the features.
    fn numbers(&self, config: &Config, inputs: usize, features: usize) -> u64 {
        let layers = config.hidden.widths_below(inputs);
        let numbers = layers.map(|(below, units)| (units as u64).saturating_mul((4 * below + 2 * features) as u64));
        numbers.fold(0, u64::saturating_add)
    }

    fn passes(&self, config: &Config) -> f64 {
        // The upper layers learn from numbers that are no bytes, which takes longer.
        let layers = 1.0 + 5.0 * (config.hidden.sizes().len() - 1) as f64;
        layers * f64::from(config.epochs) + 0.7 * f64::from(config.readout_epochs)
    }

    fn epochs(&self, config: &Config, phase: Phase) -> u32 {
        match phase {
            Phase::Unsupervised => config.epochs.saturating_mul(config.hidden.sizes().len() as u32),
            _ => config.readout_epochs,
        }
    }

    fn most_layers(&self) -> usize {
        usize::MAX
    }

    fn check(&self, config: &Config) -> anyhow::Result<()> {
        needs_epochs(self, "epochs", config.epochs, "every layer learns for that many epochs")?;
        match layers(config)?.iter().find(|layer| layer.units < layer.rule.k()) {
            Some(StackLayer { units, rule, .. }) => {
                let message = format!("k = {} needs as many units in its layer, which has {units}", rule.k());
                Err(failure(message, "the unit of rank k gets the anti-Hebbian update, so there must be k units"))
            }
            None => Ok(()),
        }
    }
}
