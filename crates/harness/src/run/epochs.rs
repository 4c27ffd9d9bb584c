//! The one loop over the epochs of a phase.
//!
//! ```text
//! learner = phase.begin(…), or the learner of the checkpoint
//! for each epoch that is left:
//!     learner.epoch(samples in a fresh order, rate)
//!     now and then:  errors of its classifier, or its diagnostics → a row of metrics.csv
//!     progress
//!     about every ten seconds of work:  checkpoint
//! ```
//!
//! The order of the samples and the rate follow from seed and epoch, so a run that goes on from a checkpoint ends with the
//! same bits as one that was never stopped.

use std::time::{Duration, Instant};

use rivalry_core::Random;
use rivalry_nets::{State, Values};

use super::checkpoint::Checkpoint;
use super::frames::Frames;
use super::phases::{Data, PhaseRun};
use super::tensors::first_layer;
use super::{CHECKPOINT, Job, METRICS};
use crate::config::Config;
use crate::dataset::Evaluated;
use crate::error::failure;
use crate::output;
use crate::progress::Progress;
use crate::rows::{MetricsRow, Phase, error_pct, rounded, shortest, significant, to_csv};

/// How often a phase is measured: a diagnosis costs a copy of the weights, an evaluation a pass over all samples.
const DIAGNOSES: u32 = 50;
const EVALUATIONS: u32 = 60;

/// Seconds between checkpoints, for tests and for slow disks; a number of at least 0.
const VARIABLE: &str = "RIVALRY_CHECKPOINT_S";
const INTERVAL: Duration = Duration::from_secs(10);

/// Goes through the epochs of a phase that are left. The checkpoint then holds what was learned.
pub(super) fn run(job: &Job<'_>, checkpoint: &mut Checkpoint, saver: &mut Saver<'_>) -> anyhow::Result<()> {
    let mut clock = Instant::now();
    let (config, phase) = (job.config, checkpoint.phase);
    let PhaseRun { rates, order, mut learner, train, evaluate, kept, .. } =
        config.method.begin(phase, job, &checkpoint.state)?;
    if checkpoint.epoch > 0 {
        learner.restore(&checkpoint.state)?;
    }
    let (compute, epochs, samples) =
        (&job.compute.core, config.method.epochs(config, phase), train.view()?.inputs.samples());
    let mut progress = Progress::new(job.common, phase.name(), epochs.into());
    let mut warned = false;
    let mut frames = Frames::of(job, phase, epochs, checkpoint.epoch);
    if checkpoint.epoch == 0 {
        picture(&mut frames, 0, || learner.state())?;
    }

    for epoch in checkpoint.epoch..epochs {
        let rate = rates.rate(epoch, epochs);
        let started = Instant::now();
        let order = Random::keyed(config.seed, order, epoch).order(samples);
        learner.epoch(compute, &train.view()?, &order, rate)?;
        let epoch_ms = started.elapsed().as_secs_f64() * 1e3;
        checkpoint.epoch = epoch + 1;
        if phase != Phase::Readout {
            checkpoint.epoch_ms.push(epoch_ms);
        }
        let mut error = None;
        if is_measured(checkpoint.epoch, epochs, if evaluate.is_some() { EVALUATIONS } else { DIAGNOSES }) {
            let mut row = MetricsRow {
                phase,
                epoch: checkpoint.epoch,
                rate: shortest(rate),
                epoch_ms: rounded(epoch_ms),
                ..MetricsRow::default()
            };
            match (&evaluate, learner.classifier()) {
                (Some(evaluate), Some(classifier)) => {
                    let wrong = |data: &Data<'_>| -> anyhow::Result<f64> {
                        let data = data.view()?;
                        Ok(error_pct(classifier.errors(compute, &data)?, data.inputs.samples()))
                    };
                    row.train_error_pct = Some(wrong(&train)?);
                    diagnose(&mut row, &learner.diagnostics());
                    error = Some(wrong(evaluate)?);
                    match job.splits.evaluated {
                        Evaluated::Validation => row.validation_error_pct = error,
                        Evaluated::Test => row.test_error_pct = error,
                    }
                }
                _ => {
                    check_finite(&learner.state(), &format!("epoch {}", checkpoint.epoch))?;
                    diagnose(&mut row, &learner.diagnostics());
                }
            }
            if let Some(warning) = collapse(&row, units_of(&row, config)).filter(|_| !warned) {
                progress.suspend(|| output::note(job.common, &warning));
                warned = true;
            }
            checkpoint.metrics.push(row);
        }
        picture(&mut frames, checkpoint.epoch, || learner.state())?;
        progress.tick(checkpoint.epoch.into(), samples as u64, error);
        if saver.is_due() && checkpoint.epoch < epochs {
            if phase == Phase::Readout {
                checkpoint.readout_s += clock.elapsed().as_secs_f64();
                clock = Instant::now();
            }
            keep(&mut checkpoint.state, &kept, learner.state());
            frames.iter_mut().for_each(Frames::write);
            saver.save(checkpoint);
        }
    }
    progress.finish();
    frames.iter_mut().for_each(Frames::write);
    keep(&mut checkpoint.state, &kept, learner.state());
    if phase == Phase::Readout {
        checkpoint.readout_s += clock.elapsed().as_secs_f64();
    }
    Ok(())
}

/// Takes a picture after this epoch if one is due.
fn picture(frames: &mut Option<Frames<'_>>, epoch: u32, state: impl FnOnce() -> State) -> anyhow::Result<()> {
    if let Some(frames) = frames.as_mut().filter(|frames| frames.are_due(epoch))
        && let Some(layer) = first_layer(&state())?
    {
        frames.take(&layer);
    }
    Ok(())
}

fn keep(state: &mut State, kept: &State, learned: State) {
    for part in [kept.clone(), learned] {
        state.tensors.extend(part.tensors);
        state.counters.extend(part.counters);
    }
}

fn diagnose(row: &mut MetricsRow, diagnostics: &[(&'static str, f64)]) {
    for &(name, value) in diagnostics {
        match name {
            "on_sphere" => row.on_sphere = Some(value as usize),
            "negative_units" => row.negative_units = Some(value as usize),
            "silent_units" => row.silent_units = Some(value as usize),
            _ => drop(row.own.insert(name.to_owned(), significant(value))),
        }
    }
}

/// The units of the layer that a row is about.
fn units_of(row: &MetricsRow, config: &Config) -> usize {
    let layer = row.own.get("layer").and_then(|layer| layer.parse::<usize>().ok()).unwrap_or(1);
    config.hidden.sizes().get(layer - 1).copied().unwrap_or(config.hidden.first())
}

/// Warns when hardly a unit is left that inputs without negative numbers can drive. Too large a Δ or rate does that to all
/// units within a few epochs, and none recovers: the readout will be no better than chance.
fn collapse(row: &MetricsRow, hidden: usize) -> Option<String> {
    let negative = row.negative_units.filter(|&negative| negative * 10 > hidden * 9)?;
    let epoch = row.epoch;
    Some(format!(
        "warning: epoch {epoch}: {negative} of {hidden} units have a negative mean weight, so that pixels hardly drive them; a \
         smaller delta or rate, or balance=1, prevents that"
    ))
}

/// Whether the `done`-th of `epochs` epochs is measured: the first, the last, and about `times` in between.
fn is_measured(done: u32, epochs: u32, times: u32) -> bool {
    done == 1 || done == epochs || done.is_multiple_of(epochs.div_ceil(times).max(1))
}

/// Fails when training has diverged: NaN and infinities would otherwise travel into every file.
pub(super) fn check_finite(state: &State, after: &str) -> anyhow::Result<()> {
    for (name, tensor) in &state.tensors {
        if let Values::F32(values) = &tensor.values
            && !values.iter().all(|value| value.is_finite())
        {
            let message = format!("{name} after {after}: NaN or infinity");
            return Err(failure(message, "a smaller rate or beta, or unit_length=readout, keeps numbers in range"));
        }
    }
    Ok(())
}

/// Writes checkpoints of one job: about every ten seconds of work, and when a phase ends.
pub(super) struct Saver<'a> {
    job: &'a Job<'a>,
    interval: Duration,
    last: Instant,
    complained: bool,
}

impl<'a> Saver<'a> {
    pub(super) fn new(job: &'a Job<'a>) -> Self {
        let asked = std::env::var(VARIABLE).ok().and_then(|text| text.parse().ok());
        let interval = asked.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or(INTERVAL);
        Self { job, interval, last: Instant::now(), complained: false }
    }

    /// Whether enough work has been done since the last one.
    fn is_due(&self) -> bool {
        self.last.elapsed() >= self.interval
    }

    /// Writes the checkpoint, then the metrics so far for whoever watches. A full disk must not end hours of work that
    /// may still find room later, so a failure is printed once and the run goes on.
    pub(super) fn save(&mut self, checkpoint: &Checkpoint) {
        let folder = self.job.folder;
        let written = folder
            .write(CHECKPOINT, &checkpoint.to_bytes())
            .and_then(|()| folder.write(METRICS, to_csv(&checkpoint.metrics).as_bytes()));
        if let Err(error) = written
            && !self.complained
        {
            self.complained = true;
            output::note(self.job.common, &format!("warning: no checkpoint, going on without: {error}"));
        }
        self.last = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use rivalry_nets::Tensor;

    use super::*;

    #[test]
    fn measurements_are_about_as_many_as_asked_and_hold_first_and_last() {
        for (epochs, times) in [(1, 60), (2, 60), (60, 60), (61, 60), (300, 60), (1000, 50), (999, 50)] {
            let measured: Vec<u32> = (1..=epochs).filter(|&done| is_measured(done, epochs, times)).collect();
            assert_eq!((measured[0], *measured.last().unwrap()), (1, epochs));
            assert!(measured.len() as u32 <= times + 2, "{epochs}: {}", measured.len());
            assert!(measured.len() as u32 >= epochs.min(times / 2), "{epochs}: {}", measured.len());
        }
        assert!((1..=60).all(|done| is_measured(done, 60, 60)));
    }

    #[test]
    fn weights_that_diverged_are_an_error() {
        for (value, finite) in [(-1.0, true), (f32::NAN, false), (f32::INFINITY, false)] {
            let mut state = State::default();
            state.insert("weights", Tensor::new([2], vec![0.0, value]));
            assert_eq!(check_finite(&state, "epoch 1").is_ok(), finite);
        }
    }
}
