//! What a phase works with: a learner, its samples, its rates. Methods put these together; `epochs` goes
//! through them.

use std::path::Path;

use anyhow::Context;
use rivalry_core::{Compute, Inputs, Layer, Matrix, Random};
use rivalry_nets::{
    Encoder, FeatureSpec, Head, Labelled, LayerEncoder, Learner, Readout, ReadoutSpec, Schedule, State,
};
use rivalry_nets::{Tensor, mean_largest_current};

use super::features::FeatureFile;
use super::folder::RunFolder;
use super::tensors::{first_layer, number_of, shape_of, with_moments};
use crate::common::Common;
use crate::compute;
use crate::config::{Config, CurrentScale, OffSphere, UnitLength};
use crate::dataset::{Examples, Length, Scaled, Splits};
use crate::error::failure;
use crate::rows::Phase;

/// Standard deviation of the initial readout weights.
const INIT_SIGMA: f64 = 0.01;

/// What is to be run, on what, where.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// The settings.
    pub config: &'a Config,
    /// The samples.
    pub splits: &'a Splits<'a>,
    /// Digest of the data they come from.
    pub dataset_sha256: &'a str,
    /// Where it is written.
    pub folder: &'a RunFolder,
    /// Threads, kernels and engine.
    pub compute: &'a compute::Compute,
    /// What the column `err` says beside the numbers; empty when there is nothing to say.
    pub remark: &'a str,
    /// How many pictures the animation of the receptive fields has, where there is one.
    pub frames: Option<u32>,
    /// Flags.
    pub common: &'a Common,
}

/// A phase that is ready to go.
pub struct PhaseRun<'a> {
    /// Which one.
    pub phase: Phase,
    /// The learning rate of each epoch.
    pub rates: Rates,
    /// The random stream of the orders of the samples.
    pub order: &'static str,
    /// What learns.
    pub learner: Box<dyn Learner + 'a>,
    /// What it learns from.
    pub train: Data<'a>,
    /// What its error is measured on; a phase without is diagnosed in place of evaluated.
    pub evaluate: Option<Data<'a>>,
    /// What stands in the checkpoint beside the state of the learner.
    pub kept: State,
}

/// The learning rates of a phase.
#[derive(Debug, Clone)]
pub enum Rates {
    /// ε0 (1 − e/E): falls linearly, to almost 0 in the last epoch.
    Linear(f64),
    /// The same over each so many epochs: for layers that learn one after the other.
    LinearEach(f64, u32),
    /// Shares of a learner's own rates: from 1 in the first epoch linearly to `last` in the last, and over the first
    /// `warm_up` epochs less than that, growing in equal steps.
    Shares {
        /// Epochs before the full rate.
        warm_up: u32,
        /// The share in the last epoch.
        last: f64,
    },
    /// Rates with their end epochs.
    Schedule(Schedule),
}

impl Rates {
    /// The rate of an epoch, counted from 0.
    pub fn rate(&self, epoch: u32, epochs: u32) -> f32 {
        match self {
            Self::Linear(first) => (first * (1.0 - f64::from(epoch) / f64::from(epochs))) as f32,
            Self::LinearEach(first, each) => Self::Linear(*first).rate(epoch % each, *each),
            Self::Shares { warm_up, last } => {
                let done = f64::from(epoch) / f64::from(epochs.saturating_sub(1).max(1));
                let warm = (f64::from(epoch + 1) / (f64::from(*warm_up) + 1.0)).min(1.0);
                (warm * (1.0 + done * (last - 1.0))) as f32
            }
            Self::Schedule(schedule) => schedule.rate(epoch, epochs),
        }
    }
}

/// Samples as a phase sees them, and their labels.
#[derive(Debug)]
pub struct Data<'a> {
    values: Values<'a>,
    labels: &'a [u8],
}

#[derive(Debug)]
enum Values<'a> {
    Samples(Scaled<'a>),
    Features(Matrix),
    File(FeatureFile),
}

impl<'a> Data<'a> {
    /// The samples themselves.
    ///
    /// # Errors
    /// Values that are not finite.
    pub fn samples(examples: &'a Examples<'_>, length: Length) -> anyhow::Result<Self> {
        Ok(Self { values: Values::Samples(examples.scaled(length)?), labels: examples.labels() })
    }

    /// Features of the samples, computed once.
    ///
    /// # Errors
    /// Those of `compute`, and values that are not finite.
    pub fn features(
        examples: &'a Examples<'_>,
        length: Length,
        compute: impl Fn(&Inputs<'_>) -> rivalry_nets::Result<Matrix>,
    ) -> anyhow::Result<Self> {
        let features = compute(&examples.scaled(length)?.view()?)?;
        Ok(Self { values: Values::Features(features), labels: examples.labels() })
    }

    /// The same in a file, for more features than memory holds.
    ///
    /// # Errors
    /// Those of [`Data::features`], and those of writing.
    pub fn features_in_file(
        examples: &'a Examples<'_>,
        path: &Path,
        compute: impl Fn(&Inputs<'_>) -> rivalry_nets::Result<Matrix>,
    ) -> anyhow::Result<Self> {
        let file = FeatureFile::create(path, &examples.scaled(Length::AsItIs)?.view()?, compute)?;
        Ok(Self { values: Values::File(file), labels: examples.labels() })
    }

    /// A matrix that is computed already, without labels.
    pub fn matrix(features: Matrix) -> Self {
        Self { values: Values::Features(features), labels: &[] }
    }

    /// Changes features that are computed already, by a change that looks at one row at a time.
    ///
    /// # Errors
    /// Those of `change`, and those of writing.
    pub fn changed(self, change: impl Fn(&mut Matrix) -> rivalry_nets::Result<()>) -> anyhow::Result<Self> {
        let values = match self.values {
            Values::Features(mut features) => {
                change(&mut features)?;
                Values::Features(features)
            }
            Values::File(file) => Values::File(file.changed(change)?),
            samples @ Values::Samples(_) => samples,
        };
        Ok(Self { values, ..self })
    }

    /// The same without labels.
    #[must_use]
    pub fn unlabelled(self) -> Self {
        Self { labels: &[], ..self }
    }

    /// As learners and classifiers take them.
    ///
    /// # Errors
    /// Values that are not finite.
    pub fn view(&self) -> rivalry_core::Result<Labelled<'_>> {
        let inputs = match &self.values {
            Values::Samples(scaled) => scaled.view()?,
            Values::Features(features) => Inputs::matrix(features)?,
            Values::File(file) => file.view()?,
        };
        Ok(Labelled { inputs, labels: self.labels })
    }
}

/// The length of the images that a supervised phase sees.
pub fn readout_length(config: &Config) -> Length {
    let scaled = config.unit_length != UnitLength::None && config.method.uses("unit_length");
    if scaled { Length::Unit } else { Length::AsItIs }
}

/// The unsupervised phase of a layer that learns from the samples themselves.
///
/// # Errors
/// Values that are not finite.
pub fn layer_phase<'a>(job: &Job<'a>, learner: Box<dyn Learner + 'a>, rates: Rates) -> anyhow::Result<PhaseRun<'a>> {
    let length = if job.config.unit_length == UnitLength::Both { Length::Unit } else { Length::AsItIs };
    Ok(PhaseRun {
        phase: Phase::Unsupervised,
        rates,
        order: "order",
        learner,
        train: Data::samples(&job.splits.learn, length)?.unlabelled(),
        evaluate: None,
        kept: State::default(),
    })
}

/// The units that take part in the readout: all of them, or those on the p-sphere.
fn taking_part(config: &Config, layer: &Layer) -> anyhow::Result<Option<Vec<usize>>> {
    if config.off_sphere == OffSphere::Keep {
        return Ok(None);
    }
    let converged = layer.converged(config.p);
    if converged.is_empty() {
        let hint = "learn for more epochs, or keep the units with off_sphere=keep";
        return Err(failure("no unit is on the p-sphere, and off_sphere = drop leaves out all others", hint));
    }
    Ok(Some(converged))
}

/// The encoder of a trained hidden layer, exactly as the readout of its run saw it.
///
/// # Errors
/// The tensors have no hidden layer, or the run did not measure its `current_scale`.
pub fn layer_encoder(config: &Config, trained: &State) -> anyhow::Result<LayerEncoder> {
    let mut layer = first_layer(trained)?.context("it has no hidden layer")?;
    if let Some(units) = taking_part(config, &layer)? {
        layer = layer.select(&units);
    }
    let current_scale = match (number_of(trained, "current_scale"), config.current_scale) {
        (Some(scale), _) | (None, CurrentScale::Fixed(scale)) => scale,
        (None, CurrentScale::Auto) => {
            let message = "the run stopped before current_scale = auto was measured";
            return Err(failure(message, "train with readout_epochs above 0, or set current_scale to a number"));
        }
    };
    Ok(LayerEncoder::new(layer, FeatureSpec { power_n: config.power_n, current_scale })?)
}

/// A trained readout.
///
/// # Errors
/// The tensors have no readout.
pub fn trained_readout(config: &Config, trained: &State, compute: &Compute) -> anyhow::Result<Readout> {
    let [classes, inputs] = shape_of(trained, "readout")?;
    let spec = readout_spec(config, inputs, classes);
    let mut readout = Readout::new(spec, &mut Random::keyed(config.seed, "readout-weights", 0), compute)?;
    readout.restore(&with_moments(trained))?;
    Ok(readout)
}

fn readout_spec(config: &Config, inputs: usize, classes: usize) -> ReadoutSpec {
    let head = Head::Power { beta: config.beta, loss_m: config.loss_m };
    ReadoutSpec { inputs, classes, head, batch: config.readout_batch, init_sigma: INIT_SIGMA }
}

/// The readout over the features of the hidden layer in the state.
///
/// # Errors
/// No unit takes part, or a feature is not finite.
pub fn readout_of_layer<'a>(job: &Job<'a>, state: &State) -> anyhow::Result<PhaseRun<'a>> {
    let (config, compute) = (job.config, &job.compute.core);
    let mut layer = first_layer(state)?.context("the state has no hidden layer")?;
    let mut kept = State::default();
    if let Some(converged) = taking_part(config, &layer)? {
        layer = layer.select(&converged);
        let units: Vec<u32> = converged.iter().map(|&unit| unit as u32).collect();
        kept.insert("units", Tensor::new([units.len()], units));
    }
    let length = readout_length(config);
    let current_scale = match config.current_scale {
        CurrentScale::Fixed(scale) => scale,
        CurrentScale::Auto => {
            let scaled = job.splits.labelled.scaled(length)?;
            mean_largest_current(compute, &layer, &scaled.view()?)?
        }
    };
    kept.insert("current_scale", Tensor::new([1], vec![current_scale]));
    let encoder = LayerEncoder::new(layer, FeatureSpec { power_n: config.power_n, current_scale })?;
    let features = |examples| Data::features(examples, length, |inputs| encoder.features(compute, inputs));
    readout(job, features(&job.splits.labelled)?, features(&job.splits.evaluate)?, kept)
}

/// The readout over features.
///
/// # Errors
/// Settings that a readout cannot have.
pub fn readout<'a>(job: &Job<'a>, train: Data<'a>, evaluate: Data<'a>, kept: State) -> anyhow::Result<PhaseRun<'a>> {
    let config = job.config;
    let spec = readout_spec(config, train.view()?.inputs.inputs(), job.splits.classes);
    let readout = Readout::new(spec, &mut Random::keyed(config.seed, "readout-weights", 0), &job.compute.core)?;
    Ok(PhaseRun {
        phase: Phase::Readout,
        rates: Rates::Schedule(Schedule::parse(&config.readout_rates)?),
        order: "readout-order",
        learner: Box::new(readout),
        train,
        evaluate: Some(evaluate),
        kept,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_fall_linearly_to_almost_nothing_or_follow_a_schedule() {
        let linear = Rates::Linear(0.04);
        assert_eq!([0, 1, 2, 3].map(|epoch| linear.rate(epoch, 4)), [0.04, 0.03, 0.02, 0.01]);
        let schedule = Rates::Schedule(Schedule::parse("1e-3:100,5e-4:150").unwrap());
        assert_eq!([schedule.rate(0, 3), schedule.rate(2, 3)], [1e-3, 5e-4]);
        let shares = |warm_up, epoch, epochs| Rates::Shares { warm_up, last: 0.1 }.rate(epoch, epochs);
        assert_eq!(
            [(0, 3), (1, 3), (2, 3), (0, 1)].map(|(epoch, epochs)| shares(0, epoch, epochs)),
            [1.0, 0.55, 0.1, 1.0]
        );
        assert_eq!([shares(1, 0, 3), shares(1, 1, 3)], [0.5, 0.55]);
        let each = Rates::LinearEach(0.04, 2);
        assert_eq!([0, 1, 2, 3].map(|epoch| each.rate(epoch, 4)), [0.04, 0.02, 0.04, 0.02]);
    }
}
