//! `dendritic-microcircuit`: Sacramento et al. 2018, at its steady state. Pyramidal neurons compare what is below with what
//! interneurons predict of what is above; the difference at the apical dendrite is their error.

use rivalry_core::{Compute, Random};
use rivalry_nets::{Classifier, Learner, Microcircuit, MicrocircuitSpec, State};
use serde::Deserialize;

use super::{Method, OrAuto, average_after, labelled_phase, needs_epochs, own, refuse, with_counters};
use crate::config::Config;
use crate::rows::Phase;
use crate::run::phases::{Job, PhaseRun, Rates};
use crate::run::tensors::shape_of;

/// See the module.
#[derive(Debug)]
pub(super) struct Dendritic;

#[derive(Deserialize)]
struct Settings {
    /// λ of each layer, from the lowest up.
    lambdas: OrAuto<f32>,
    /// η of each layer, from the lowest up.
    layer_rates: OrAuto<f32>,
    /// Epochs of growing rates at the start.
    warm_up: u32,
    /// The share of the epochs after which predictions use the mean of the weights; 1 for never.
    average_from: f64,
}

fn spec(config: &Config, inputs: usize, classes: usize) -> anyhow::Result<MicrocircuitSpec> {
    let settings: Settings = own(config)?;
    let base = MicrocircuitSpec::ours(inputs, config.hidden.sizes(), classes)?;
    let layers = config.hidden.sizes().len() + 1;
    let eta_up = settings.layer_rates.each("layer_rates", layers)?.unwrap_or(base.eta_up);
    Ok(MicrocircuitSpec {
        batch: config.batch,
        lambdas: settings.lambdas.each("lambdas", layers)?.unwrap_or(base.lambdas),
        eta_ip: MicrocircuitSpec::eta_ip_of(&eta_up, base.lambda_interneuron),
        eta_up,
        average_after: average_after(settings.average_from, config.epochs),
        ..base
    })
}

impl Method for Dendritic {
    fn name(&self) -> &'static str {
        "dendritic-microcircuit"
    }

    fn summary(&self) -> &'static str {
        "all layers by dendritic microcircuits"
    }

    fn keys(&self) -> &'static [&'static [&'static str]] {
        &[&["hidden", "epochs", "batch"]]
    }

    fn own_keys(&self) -> &'static [&'static str] {
        &["lambdas", "layer_rates", "warm_up", "average_from"]
    }

    fn check_own(&self, config: &Config) -> Result<(), toml::de::Error> {
        let settings: Settings = own(config)?;
        if settings.warm_up > 1_000_000 {
            return Err(refuse("warm_up", "from 0 to 1000000"));
        }
        let in_range = (0.0..=1.0).contains(&settings.average_from);
        if in_range { Ok(()) } else { Err(refuse("average_from", "from 0 to 1")) }
    }

    fn phases(&self) -> &'static [Phase] {
        &[Phase::EndToEnd]
    }

    fn begin<'a>(&self, _phase: Phase, job: &Job<'a>, _state: &State) -> anyhow::Result<PhaseRun<'a>> {
        let config = job.config;
        let spec = spec(config, job.splits.labelled.inputs(), job.splits.classes)?;
        let network = Microcircuit::new(spec, &mut Random::keyed(config.seed, "weights", 0), &job.compute.core)?;
        labelled_phase(job, Box::new(network), Rates::Shares { warm_up: own::<Settings>(config)?.warm_up, last: 0.1 })
    }

    fn classifier(&self, config: &Config, trained: &State, compute: &Compute) -> anyhow::Result<Box<dyn Classifier>> {
        let [_, columns] = shape_of(trained, "up.1")?;
        let [classes, _] = shape_of(trained, &format!("up.{}", config.hidden.sizes().len() + 1))?;
        let spec = spec(config, columns - 1, classes)?;
        let mut network = Microcircuit::new(spec, &mut Random::keyed(config.seed, "weights", 0), compute)?;
        // The mean counts as one sample: predictions ask only whether there is any.
        let averaged = trained.tensors.contains_key("average.1");
        network.restore(&with_counters(trained, [("epochs", 0), ("averaged", averaged.into())]))?;
        Ok(Box::new(network))
    }

    fn numbers(&self, config: &Config, inputs: usize, _features: usize) -> u64 {
        config.hidden.widths_below(inputs).map(|(below, units)| 6 * (below * units) as u64).sum()
    }

    fn passes(&self, config: &Config) -> f64 {
        12.0 * f64::from(config.epochs)
    }

    fn epochs(&self, config: &Config, _phase: Phase) -> u32 {
        config.epochs
    }

    fn most_layers(&self) -> usize {
        2
    }

    fn check(&self, config: &Config) -> anyhow::Result<()> {
        needs_epochs(self, "epochs", config.epochs, "a network that has not learned predicts nothing")?;
        Ok(spec(config, 1, 2)?.check()?)
    }
}
