//! `equilibrium-propagation`: Scellier & Bengio 2017. All layers relax to a fixed point, once free and once nudged towards
//! the label; weights learn from the difference.

use rivalry_core::{Compute, Random};
use rivalry_nets::{Classifier, EquilibriumPropagation, EquilibriumSpec, Learner, State, Updates};
use serde::Deserialize;

use super::{Method, OrAuto, average_after, labelled_phase, needs_epochs, own, refuse, with_counters};
use crate::config::Config;
use crate::error::failure;
use crate::rows::Phase;
use crate::run::phases::{Job, PhaseRun, Rates};
use crate::run::tensors::shape_of;

/// See the module.
#[derive(Debug)]
pub(super) struct Equilibrium;

#[derive(Deserialize)]
struct Settings {
    recipe: Recipe,
    updates: Order,
    free_steps: OrAuto<usize>,
    nudged_steps: OrAuto<usize>,
    /// β.
    nudging: OrAuto<f32>,
    /// The rate of each layer, from the inputs up.
    layer_rates: OrAuto<f32>,
    /// The free phase ends when no state changes by more; 0 takes all steps.
    tolerance: f32,
    /// The share of the epochs after which predictions use the mean of the weights; 1 for never.
    average_from: OrAuto<f64>,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Recipe {
    Ours,
    Paper,
}

impl Settings {
    fn updates(&self) -> Updates {
        match (self.updates, self.recipe) {
            (Order::Together, _) | (Order::Auto, Recipe::Paper) => Updates::Together,
            (Order::InTurn, _) | (Order::Auto, Recipe::Ours) => Updates::InTurn,
        }
    }
}

/// The layers of a step.
#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Order {
    Auto,
    Together,
    InTurn,
}

fn spec(config: &Config, inputs: usize, classes: usize) -> anyhow::Result<EquilibriumSpec> {
    let settings: Settings = own(config)?;
    let hidden = config.hidden.sizes();
    let base = match settings.recipe {
        Recipe::Ours => EquilibriumSpec::ours(inputs, hidden, classes)?,
        Recipe::Paper => EquilibriumSpec::paper(inputs, hidden, classes)?,
    };
    let updates = settings.updates();
    // The paper's predictions are those of the last weights.
    let average_from = settings.average_from.one("average_from")?;
    let average_from = average_from.unwrap_or(if settings.recipe == Recipe::Paper { 1.0 } else { 0.67 });
    Ok(EquilibriumSpec {
        batch: config.batch,
        updates,
        epsilon: updates.epsilon(),
        free_steps: settings.free_steps.one("free_steps")?.unwrap_or(base.free_steps),
        nudged_steps: settings.nudged_steps.one("nudged_steps")?.unwrap_or(base.nudged_steps),
        beta: settings.nudging.one("nudging")?.unwrap_or(base.beta),
        alphas: settings.layer_rates.each("layer_rates", hidden.len() + 1)?.unwrap_or(base.alphas),
        tolerance: settings.tolerance,
        average_after: average_after(average_from, config.epochs),
        ..base
    })
}

impl Method for Equilibrium {
    fn name(&self) -> &'static str {
        "equilibrium-propagation"
    }

    fn summary(&self) -> &'static str {
        "all layers by equilibrium propagation"
    }

    fn keys(&self) -> &'static [&'static [&'static str]] {
        &[&["hidden", "epochs", "batch"]]
    }

    fn own_keys(&self) -> &'static [&'static str] {
        &["recipe", "updates", "free_steps", "nudged_steps", "nudging", "layer_rates", "tolerance", "average_from"]
    }

    fn check_own(&self, config: &Config) -> Result<(), toml::de::Error> {
        let settings: Settings = own(config)?;
        for (key, steps) in [("free_steps", &settings.free_steps), ("nudged_steps", &settings.nudged_steps)] {
            if !steps.one(key)?.is_none_or(|steps| (1..=1 << 20).contains(&steps)) {
                return Err(refuse(key, "auto, or from 1 to 1048576"));
            }
        }
        if !settings.nudging.one("nudging")?.is_none_or(|beta| beta.is_finite() && beta != 0.0) {
            return Err(refuse("nudging", "auto, or a number that f32 holds and that is not 0"));
        }
        if !settings.average_from.one("average_from")?.is_none_or(|share| (0.0..=1.0).contains(&share)) {
            return Err(refuse("average_from", "auto, or from 0 to 1"));
        }
        if (0.0..=1.0).contains(&settings.tolerance) { Ok(()) } else { Err(refuse("tolerance", "from 0 to 1")) }
    }

    fn phases(&self) -> &'static [Phase] {
        &[Phase::EndToEnd]
    }

    fn begin<'a>(&self, _phase: Phase, job: &Job<'a>, _state: &State) -> anyhow::Result<PhaseRun<'a>> {
        let config = job.config;
        let spec = spec(config, job.splits.labelled.inputs(), job.splits.classes)?;
        let mut random = Random::keyed(config.seed, "weights", 0);
        let network = EquilibriumPropagation::new(spec, &mut random, &job.compute.core)?;
        // The paper keeps its rates; ours end at a tenth.
        let last = if own::<Settings>(config)?.recipe == Recipe::Paper { 1.0 } else { 0.1 };
        labelled_phase(job, Box::new(network), Rates::Shares { warm_up: 0, last })
    }

    fn classifier(&self, config: &Config, trained: &State, compute: &Compute) -> anyhow::Result<Box<dyn Classifier>> {
        let [_, inputs] = shape_of(trained, "weight.1")?;
        let [classes, _] = shape_of(trained, &format!("weight.{}", config.hidden.sizes().len() + 1))?;
        let spec = spec(config, inputs, classes)?;
        let mut network = EquilibriumPropagation::new(spec, &mut Random::keyed(config.seed, "weights", 0), compute)?;
        // The mean counts as one set of weights: predictions ask only whether there is any.
        let averaged = trained.tensors.contains_key("average_weight.1");
        let counters = [("minibatches", 0), ("epochs", 0), ("averaged", averaged.into()), ("sign_seed", 0)];
        network.restore(&with_counters(trained, counters))?;
        Ok(Box::new(network))
    }

    fn numbers(&self, config: &Config, inputs: usize, _features: usize) -> u64 {
        config.hidden.widths_below(inputs).map(|(below, units)| 4 * (below * units) as u64).sum()
    }

    fn passes(&self, config: &Config) -> f64 {
        10.0 * config.hidden.sizes().len() as f64 * f64::from(config.epochs)
    }

    fn epochs(&self, config: &Config, _phase: Phase) -> u32 {
        config.epochs
    }

    fn most_layers(&self) -> usize {
        3
    }

    fn check(&self, config: &Config) -> anyhow::Result<()> {
        needs_epochs(self, "epochs", config.epochs, "a network that has not learned predicts nothing")?;
        let spec = spec(config, 1, 2)?;
        if spec.updates == Updates::InTurn && spec.beta.abs() >= 1.0 {
            let message = format!("nudging = {} is not between -1 and 1, and updates = in-turn needs that", spec.beta);
            return Err(failure(
                message,
                "choose a smaller nudging, or updates=together (the paper's recipe has 1 and that)",
            ));
        }
        Ok(spec.check()?)
    }
}
