//! One run, from settings and data to a result: unsupervised phase → diagnostics → features → readout → files.
//!
//! By the paper's method:
//!
//! 1. `learn`: E epochs of the rule at ε0 (1 − e/E), each over a fresh order of the examples.
//! 2. Diagnostics of the layer: units on the p-sphere, negative, silent; units off the sphere are dropped if asked.
//! 3. `readout`: features once, then the readout's epochs, evaluated about sixty times.
//! 4. `finish`: the row of the result and the files of the run folder.
//!
//! The other methods have another first part: a random layer in place of 1, no layer at all, or `end_to_end` in place of 1
//! to 3.
//!
//! Everything that the rest of a run depends on is in its [`Checkpoint`]; the phases only move that forward.

mod end_to_end;
mod finish;
mod learn;
mod readout;
mod saver;

use rivalry_core::{Layer, Random};
use rivalry_nets::random_layer;

use crate::cli::Common;
use crate::compute::Compute;
use crate::config::{Config, Method};
use crate::dataset::{Evaluated, Length, Splits};
use crate::env::Environment;
use crate::failure::failure;
use crate::rows::{MetricsRow, Phase, ResultRow, error_pct, rounded, shortest};
use crate::run::checkpoint::{Checkpoint, Identity};
use crate::run::{ENVIRONMENT, RunFolder};
use saver::Saver;

/// What is to be run, on what, where.
#[derive(Debug)]
pub struct Job<'a> {
    /// The settings.
    pub experiment: &'a Config,
    /// The examples.
    pub splits: &'a Splits<'a>,
    /// Digest of the data they come from.
    pub dataset_sha256: &'a str,
    /// Where it is written.
    pub folder: &'a RunFolder,
    /// Threads and kernels.
    pub compute: &'a Compute,
    /// What the column `err` says beside the numbers; empty when there is nothing to say.
    pub remark: &'a str,
    /// Flags.
    pub common: &'a Common,
}

impl Job<'_> {
    /// The name of the engine that runs on the examples of the unsupervised phase, or that it cannot; empty for a method that
    /// has no such phase.
    fn engine(&self) -> anyhow::Result<&'static str> {
        match self.experiment.method {
            Method::Biological => {
                let inputs = self.splits.learn.scaled(Length::AsItIs)?;
                Ok(self.compute.engine.on(&inputs.view()?, self.experiment.k)?.name())
            }
            _ => Ok(""),
        }
    }
}

/// A run that came to its end.
#[derive(Debug)]
pub struct Outcome {
    /// Its result.
    pub row: ResultRow,
    /// The first file that could not be written, if any: the result is none the worse, but the folder is not complete.
    pub unwritten: Option<anyhow::Error>,
}

/// Runs the job, or the rest of it.
///
/// # Errors
/// The folder is not writable, its checkpoint is damaged or of another run, or the weights stop being numbers.
pub fn run(job: &Job<'_>) -> anyhow::Result<Outcome> {
    let experiment = job.experiment;
    let identity = Identity { config_sha256: experiment.digest(), dataset_sha256: job.dataset_sha256.to_owned() };
    let found = job.folder.checkpoint(&identity)?;
    let environment = Environment::collect(job.compute.core.kernels().name(), job.compute.core.threads());
    check_memory(job, environment.machine.memory_mib)?;
    job.engine()?;
    job.folder.begin(experiment)?;
    job.folder.write(ENVIRONMENT, environment.to_json().as_bytes())?;

    let mut checkpoint = match found {
        Some(checkpoint) => checkpoint,
        None => start(job, identity)?,
    };
    let mut saver = Saver::new(job);
    if checkpoint.phase == Phase::Unsupervised {
        learn::run(job, &mut checkpoint, &mut saver)?;
    }
    if checkpoint.phase == Phase::EndToEnd && checkpoint.epoch < experiment.readout_epochs {
        end_to_end::run(job, &mut checkpoint, &mut saver)?;
    }
    let layer = if checkpoint.hidden > 0 { Some(layer(&checkpoint)?) } else { None };
    if checkpoint.phase == Phase::Readout && checkpoint.epoch < experiment.readout_epochs {
        readout::run(job, layer.as_ref(), &mut checkpoint, &mut saver)?;
    }
    finish::run(job, layer.as_ref(), &checkpoint, &environment)
}

/// The checkpoint of a run that has not begun: initial weights, or none where the method has no layer of its own before
/// the readout.
fn start(job: &Job<'_>, identity: Identity) -> anyhow::Result<Checkpoint> {
    let (experiment, inputs) = (job.experiment, job.splits.learn.inputs());
    let mut random = Random::keyed(experiment.seed, "weights", 0);
    let Config { p, init_sigma, .. } = *experiment;
    let hidden = experiment.hidden.first();
    let (phase, layer) = match experiment.method {
        Method::Biological => (Phase::Unsupervised, Some(Layer::normal(hidden, inputs, init_sigma, &mut random)?)),
        Method::Random => (Phase::Readout, Some(random_layer(hidden, inputs, p, &mut random)?)),
        Method::Shallow => (Phase::Readout, None),
        Method::EndToEnd | Method::EndToEndSoftmax => (Phase::EndToEnd, None),
    };
    let (hidden, inputs) = layer.as_ref().map_or((0, 0), |layer| (layer.hidden(), layer.inputs()));
    Ok(Checkpoint {
        phase,
        epoch: 0,
        hidden,
        inputs,
        weights: layer.map_or(Vec::new(), |layer| layer.to_rows()),
        wins: vec![0; hidden],
        moments: None,
        readout: None,
        metrics: Vec::new(),
        epoch_ms: Vec::new(),
        readout_s: 0.0,
        identity,
    })
}

/// Memory that is not there would end the program without a word, so the large arrays are counted first: the layer, its
/// powers and its checkpoint, then the features; end to end the weights and their moments, each also in the state, the
/// checkpoint and its bytes.
fn check_memory(job: &Job<'_>, memory_mib: Option<u64>) -> anyhow::Result<()> {
    let (hidden, splits) = (job.experiment.hidden.first() as u64, job.splits);
    let examples =
        if job.experiment.readout_epochs > 0 { splits.labelled.samples() + splits.evaluate.samples() } else { 0 };
    let inputs = splits.learn.inputs();
    let numbers = match job.experiment.method {
        Method::Biological | Method::Random => hidden.saturating_mul((4 * inputs + examples) as u64),
        Method::Shallow => (inputs * examples) as u64,
        Method::EndToEnd | Method::EndToEndSoftmax => {
            hidden.saturating_mul((12 * inputs + job.experiment.readout_batch) as u64)
        }
    };
    let needed_mib = numbers.saturating_mul(4) >> 20;
    match memory_mib {
        Some(memory_mib) if needed_mib > memory_mib => {
            let message = format!(
                "key `hidden`: expected a network that fits into {memory_mib} MiB of memory, found {hidden} units ({needed_mib} MiB)"
            );
            Err(failure(message, "fewer units, or fewer examples with train_samples"))
        }
        _ => Ok(()),
    }
}

fn layer(checkpoint: &Checkpoint) -> anyhow::Result<Layer> {
    Ok(Layer::from_rows(checkpoint.hidden, checkpoint.inputs, &checkpoint.weights)?)
}

/// An epoch of a supervised phase.
#[derive(Debug, Clone, Copy)]
struct Finished {
    phase: Phase,
    /// Epochs of the phase done with this one.
    epoch: u32,
    rate: f32,
    epoch_ms: f64,
}

impl Finished {
    /// Its row, with how many training examples and how many of those evaluated are wrong.
    fn row(self, job: &Job<'_>, [train, evaluated]: [usize; 2]) -> MetricsRow {
        let evaluated = error_pct(evaluated, job.splits.evaluate.samples());
        let (validation_error_pct, test_error_pct) = match job.splits.evaluated {
            Evaluated::Validation => (Some(evaluated), None),
            Evaluated::Test => (None, Some(evaluated)),
        };
        MetricsRow {
            phase: self.phase,
            epoch: self.epoch,
            rate: shortest(self.rate),
            train_error_pct: Some(error_pct(train, job.splits.labelled.samples())),
            validation_error_pct,
            test_error_pct,
            on_sphere: None,
            negative_units: None,
            silent_units: None,
            epoch_ms: rounded(self.epoch_ms),
        }
    }
}

/// Whether the `done`-th of `epochs` epochs is evaluated: the first, the last, and about `times` in between.
fn is_evaluated(done: u32, epochs: u32, times: u32) -> bool {
    done == 1 || done == epochs || done.is_multiple_of(epochs.div_ceil(times).max(1))
}

/// Fails when training has run away: NaN and infinities would otherwise travel into every file.
fn check_finite(what: &str, after: &str, values: &[f32]) -> anyhow::Result<()> {
    if values.iter().all(|value| value.is_finite()) {
        return Ok(());
    }
    let message = format!("{what} after {after}: expected finite numbers, found NaN or infinity");
    Err(failure(message, "a smaller rate or beta, or unit_length=readout, keeps numbers in range"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evaluations_are_about_as_many_as_asked_and_hold_first_and_last() {
        for (epochs, times) in [(1, 60), (2, 60), (60, 60), (61, 60), (300, 60), (1000, 50), (999, 50)] {
            let evaluated: Vec<u32> = (1..=epochs).filter(|&done| is_evaluated(done, epochs, times)).collect();
            assert_eq!((evaluated[0], *evaluated.last().unwrap()), (1, epochs));
            assert!(evaluated.len() as u32 <= times + 2, "{epochs}: {}", evaluated.len());
            assert!(evaluated.len() as u32 >= epochs.min(times / 2), "{epochs}: {}", evaluated.len());
        }
        assert!((1..=60).all(|done| is_evaluated(done, 60, 60)));
    }

    #[test]
    fn numbers_that_ran_away_are_an_error() {
        assert!(check_finite("weights", "epoch 1", &[0.0, -1.0]).is_ok());
        for bad in [f32::NAN, f32::INFINITY] {
            let error = check_finite("weights", "epoch 1", &[0.0, bad]).unwrap_err();
            assert!(error.to_string().starts_with("weights after epoch 1: expected finite"), "{error}");
        }
    }
}
