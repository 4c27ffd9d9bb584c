//! The supervised phase: features of the hidden layer, or the inputs where there is none, and the readout over them.

use std::time::Instant;

use rivalry_core::{Inputs, Layer, Matrix, Random};
use rivalry_nets::{
    Classifier, Encoder, FeatureSpec, Head, Labelled, LayerEncoder, Learner, Raw, Readout, ReadoutSpec, Schedule,
    State, mean_largest_current,
};

use super::saver::Saver;
use super::{Finished, Job, check_finite, is_evaluated};
use crate::config::{Config, CurrentScale, OffSphere, UnitLength};
use crate::dataset::{Examples, Length};
use crate::failure::failure;
use crate::progress::Progress;
use crate::rows::Phase;
use crate::run::checkpoint::{Checkpoint, ReadoutState};

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
    let splits = job.splits;
    let labelled = Labelled { inputs: Inputs::matrix(&measured.labelled)?, labels: splits.labelled.labels() };
    let evaluate = Labelled { inputs: Inputs::matrix(&measured.evaluate)?, labels: splits.evaluate.labels() };
    let spec = ReadoutSpec {
        classes: splits.classes,
        inputs: labelled.inputs.inputs(),
        head: Head::Power { beta: experiment.beta, loss_m: experiment.loss_m },
        batch: experiment.readout_batch,
        init_sigma: INIT_SIGMA,
    };
    let mut random = Random::keyed(experiment.seed, "readout-weights", 0);
    let mut readout = Readout::new(spec, &mut random, compute)?;
    if let Some(saved) = &checkpoint.readout {
        let mut state = State::default();
        saved.insert(spec.classes, &mut state);
        readout.restore(&state)?;
    }
    let schedule = Schedule::parse(&experiment.readout_rates)?;
    let epochs = experiment.readout_epochs;
    let mut progress = Progress::new(job.common, "readout", epochs.into());

    for epoch in checkpoint.epoch..epochs {
        let rate = schedule.rate(epoch, epochs);
        let started = Instant::now();
        let order = Random::keyed(experiment.seed, "readout-order", epoch).order(labelled.labels.len());
        readout.epoch(compute, &labelled, &order, rate)?;
        let epoch_ms = started.elapsed().as_secs_f64() * 1e3;
        checkpoint.epoch = epoch + 1;
        let mut error = None;
        if is_evaluated(checkpoint.epoch, epochs, EVALUATIONS) {
            check_finite("readout weights", &format!("epoch {}", checkpoint.epoch), &readout.weights())?;
            let finished = Finished { phase: Phase::Readout, epoch: checkpoint.epoch, rate, epoch_ms };
            let row = finished.row(job, [readout.errors(compute, &labelled)?, readout.errors(compute, &evaluate)?]);
            error = row.test_error_pct.or(row.validation_error_pct);
            checkpoint.metrics.push(row);
        }
        progress.tick(checkpoint.epoch.into(), labelled.labels.len() as u64, error);
        if saver.is_due() || checkpoint.epoch == epochs {
            checkpoint.readout_s += clock.elapsed().as_secs_f64();
            clock = Instant::now();
            checkpoint.readout = Some(ReadoutState::of(&readout.state())?);
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
    labelled: Matrix,
    evaluate: Matrix,
}

impl Measured {
    fn new(job: &Job<'_>, layer: Option<&Layer>) -> anyhow::Result<Self> {
        let (length, compute, splits) = (length(job.experiment), &job.compute.core, job.splits);
        let encoder: Box<dyn Encoder> = match layer {
            None => Box::new(Raw::new(splits.labelled.inputs())),
            Some(layer) => Box::new(encoder(job, taking_part(job, layer)?)?),
        };
        let features = |examples: &Examples<'_>| -> anyhow::Result<Matrix> {
            Ok(encoder.features(compute, &examples.scaled(length)?.view()?)?)
        };
        Ok(Self { labelled: features(&splits.labelled)?, evaluate: features(&splits.evaluate)? })
    }
}

/// The layer with the features that the settings ask for.
fn encoder(job: &Job<'_>, layer: Layer) -> anyhow::Result<LayerEncoder> {
    let current_scale = match job.experiment.current_scale {
        CurrentScale::Fixed(scale) => scale,
        CurrentScale::Auto => {
            let scaled = job.splits.labelled.scaled(length(job.experiment))?;
            mean_largest_current(&job.compute.core, &layer, &scaled.view()?)?
        }
    };
    Ok(LayerEncoder::new(layer, FeatureSpec { power_n: job.experiment.power_n, current_scale })?)
}

/// The length of the images that a supervised phase sees.
pub(super) fn length(experiment: &Config) -> Length {
    if experiment.unit_length == UnitLength::None { Length::AsItIs } else { Length::Unit }
}
