//! The supervised phase: features of the hidden layer, or the inputs where there is none, and the readout over them.

use std::time::Instant;

use rivalry_core::{Layer, Random};
use rivalry_nets::{FeatureSpec, Features, Readout, ReadoutSpec, Schedule, features};

use super::saver::Saver;
use super::{Finished, Job, check_finite, is_evaluated};
use crate::config::{Config, CurrentScale, OffSphere, UnitLength};
use crate::dataset::{Examples, Length};
use crate::failure::failure;
use crate::progress::Progress;
use crate::rows::Phase;
use crate::run::checkpoint::Checkpoint;

/// How often the errors are measured over the phase.
pub(super) const EVALUATIONS: u32 = 60;
/// Standard deviation of the initial readout weights.
const INIT_SIGMA: f64 = 0.01;

/// Goes through the epochs that are left.
pub(super) fn run(
    job: &Job<'_>,
    layer: Option<&Layer>,
    checkpoint: &mut Checkpoint,
    saver: &mut Saver<'_>,
) -> anyhow::Result<()> {
    let mut clock = Instant::now();
    let (experiment, compute) = (job.experiment, &job.compute.core);
    let measured = Measured::new(job, layer)?;
    let spec = ReadoutSpec {
        classes: job.splits.classes,
        hidden: measured.labelled.hidden(),
        beta: experiment.beta,
        loss_m: experiment.loss_m,
        batch: experiment.readout_batch,
        init_sigma: INIT_SIGMA,
    };
    let mut random = Random::keyed(experiment.seed, "readout-weights", 0);
    let mut readout = Readout::new(spec, &mut random, compute)?;
    if let Some(state) = &checkpoint.readout {
        readout.restore(state)?;
    }
    let schedule = Schedule::parse(&experiment.readout_rates)?;
    let epochs = experiment.readout_epochs;
    let labels = job.splits.labelled.labels();
    let mut progress = Progress::new(job.common, "readout", epochs.into());

    for epoch in checkpoint.epoch..epochs {
        let rate = schedule.rate(epoch, epochs);
        let started = Instant::now();
        let order = Random::keyed(experiment.seed, "readout-order", epoch).order(labels.len());
        readout.epoch(compute, &measured.labelled, labels, &order, rate)?;
        let epoch_ms = started.elapsed().as_secs_f64() * 1e3;
        checkpoint.epoch = epoch + 1;
        let mut error = None;
        if is_evaluated(checkpoint.epoch, epochs, EVALUATIONS) {
            check_finite("readout weights", &format!("epoch {}", checkpoint.epoch), &readout.weights())?;
            let finished = Finished { phase: Phase::Readout, epoch: checkpoint.epoch, rate, epoch_ms };
            let row = finished.row(job, measured.evaluate(&readout, job)?);
            error = row.test_error_pct.or(row.validation_error_pct);
            checkpoint.metrics.push(row);
        }
        progress.tick(checkpoint.epoch.into(), labels.len() as u64, error);
        if saver.is_due() || checkpoint.epoch == epochs {
            checkpoint.readout_s += clock.elapsed().as_secs_f64();
            clock = Instant::now();
            checkpoint.readout = Some(readout.state());
            saver.save(checkpoint);
        }
    }
    progress.finish();
    Ok(())
}

/// The units of the layer that the readout sees.
fn taking_part(job: &Job<'_>, layer: &Layer) -> anyhow::Result<Layer> {
    match job.experiment.off_sphere {
        OffSphere::Keep => Ok(layer.clone()),
        OffSphere::Drop => {
            let converged = layer.converged(job.experiment.p);
            if converged.is_empty() {
                let message = "units on the p-sphere: expected some for off_sphere = drop, found none";
                return Err(failure(message, "learn for more epochs, or keep them with off_sphere=keep"));
            }
            Ok(layer.select(&converged))
        }
    }
}

/// The features of the examples that are trained on and of those that are evaluated.
struct Measured {
    labelled: Features,
    evaluate: Features,
}

impl Measured {
    fn new(job: &Job<'_>, layer: Option<&Layer>) -> anyhow::Result<Self> {
        let (experiment, compute) = (job.experiment, job.compute);
        let length = length(experiment);
        let Some(layer) = layer else {
            let of = |examples: &Examples<'_>| -> anyhow::Result<Features> {
                let scaled = examples.scaled(length)?;
                Ok(Features::of_inputs(&compute.core, &scaled.view()?))
            };
            return Ok(Self { labelled: of(&job.splits.labelled)?, evaluate: of(&job.splits.evaluate)? });
        };
        let layer = &taking_part(job, layer)?;
        let current_scale = match experiment.current_scale {
            CurrentScale::Fixed(scale) => scale,
            CurrentScale::Auto => {
                let scaled = job.splits.labelled.scaled(length)?;
                features::mean_largest_current(&compute.core, layer, &scaled.view()?)?
            }
        };
        let spec = FeatureSpec { power_n: experiment.power_n, current_scale };
        let of = |examples: &Examples<'_>| -> anyhow::Result<Features> {
            let scaled = examples.scaled(length)?;
            Ok(Features::compute(&compute.core, layer, &scaled.view()?, spec)?)
        };
        Ok(Self { labelled: of(&job.splits.labelled)?, evaluate: of(&job.splits.evaluate)? })
    }

    /// Wrong ones among the training examples, and among those evaluated.
    fn evaluate(&self, readout: &Readout, job: &Job<'_>) -> anyhow::Result<[usize; 2]> {
        let wrong = |features: &Features, examples: &Examples<'_>| -> anyhow::Result<usize> {
            let all: Vec<u32> = (0..examples.samples() as u32).collect();
            Ok(readout.errors(&job.compute.core, features, examples.labels(), &all)?)
        };
        Ok([wrong(&self.labelled, &job.splits.labelled)?, wrong(&self.evaluate, &job.splits.evaluate)?])
    }
}

/// The length of the images that a supervised phase sees.
pub(super) fn length(experiment: &Config) -> Length {
    if experiment.unit_length == UnitLength::None { Length::AsItIs } else { Length::Unit }
}
