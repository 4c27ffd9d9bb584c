//! The unsupervised phase.

use std::time::Instant;

use rivalry_core::{Layer, Learner, Random, Rates, Rule};

use super::saver::Saver;
use super::{Job, check_finite, is_evaluated, layer};
use crate::config::UnitLength;
use crate::dataset::Length;
use crate::output;
use crate::progress::Progress;
use crate::rows::{MetricsRow, Phase, rounded, shortest};
use crate::run::checkpoint::Checkpoint;

/// How often the layer is diagnosed over the phase: it costs a copy of the weights.
const DIAGNOSES: u32 = 50;

/// Goes through the epochs that are left, and leaves the checkpoint at the start of the readout.
pub(super) fn run(job: &Job<'_>, checkpoint: &mut Checkpoint, saver: &mut Saver<'_>) -> anyhow::Result<()> {
    let (experiment, compute) = (job.experiment, job.compute);
    let length = if experiment.unit_length == UnitLength::Both { Length::Unit } else { Length::AsItIs };
    let scaled = job.splits.learn.scaled(length)?;
    let inputs = scaled.view()?;
    let rule = Rule::new(experiment.p, experiment.k, experiment.delta)?;
    let mut learner = compute.learner(layer(checkpoint)?, rule, experiment.batch)?;
    let mut progress = Progress::new(job.common, "unsupervised", experiment.epochs.into());
    let examples = (inputs.samples() / experiment.batch * experiment.batch) as u64;
    let mut warned = false;

    for epoch in checkpoint.epoch..experiment.epochs {
        let rate = experiment.rate_of_epoch(epoch);
        let started = Instant::now();
        let order = Random::keyed(experiment.seed, "order", epoch).order(inputs.samples());
        learner.learn(&compute.core, &inputs, &order, Rates::Constant(rate))?;
        let epoch_ms = started.elapsed().as_secs_f64() * 1e3;
        checkpoint.epoch_ms.push(epoch_ms);
        checkpoint.epoch = epoch + 1;
        if is_evaluated(checkpoint.epoch, experiment.epochs, DIAGNOSES) {
            let layer = learner.layer();
            check_finite("weights", &format!("epoch {}", checkpoint.epoch), &layer.to_rows())?;
            let row = diagnose(&layer, &learner.wins(), experiment.p, checkpoint, rate);
            if let Some(warning) = collapse(&row, layer.hidden()).filter(|_| !warned) {
                output::note(job.common, &warning);
                warned = true;
            }
            checkpoint.metrics.push(row);
        }
        progress.tick(checkpoint.epoch.into(), examples, None);
        if saver.is_due() && checkpoint.epoch < experiment.epochs {
            take(checkpoint, &learner);
            saver.save(checkpoint);
        }
    }
    progress.finish();
    if checkpoint.epoch > 0 {
        take(checkpoint, &learner);
    }
    checkpoint.phase = Phase::Readout;
    checkpoint.epoch = 0;
    saver.save(checkpoint);
    Ok(())
}

fn take(checkpoint: &mut Checkpoint, learner: &Learner) {
    checkpoint.weights = learner.layer().to_rows();
    checkpoint.wins = learner.wins();
}

fn diagnose(layer: &Layer, wins: &[u32], p: f64, checkpoint: &Checkpoint, rate: f32) -> MetricsRow {
    let diagnostics = layer.diagnostics(p);
    MetricsRow {
        phase: Phase::Unsupervised,
        epoch: checkpoint.epoch,
        rate: shortest(rate),
        train_error_pct: None,
        validation_error_pct: None,
        test_error_pct: None,
        on_sphere: Some(diagnostics.on_sphere),
        negative_units: Some(diagnostics.negative_units),
        silent_units: Some(silent(wins)),
        epoch_ms: rounded(checkpoint.epoch_ms.last().copied().unwrap_or_default()),
    }
}

/// Says so when hardly a unit is left that inputs without negative numbers can drive. Too strong a push, or too high a rate,
/// does that to all units within a few epochs, and none comes back: the readout will be no better than chance.
fn collapse(row: &MetricsRow, hidden: usize) -> Option<String> {
    let negative = row.negative_units.filter(|&negative| negative * 10 > hidden * 9)?;
    let epoch = row.epoch;
    Some(format!(
        "warning: epoch {epoch}: {negative} of {hidden} units have a negative mean weight, so that pixels hardly drive them; a \
         smaller delta or rate prevents that"
    ))
}

/// Units that were never ranked first.
pub(super) fn silent(wins: &[u32]) -> usize {
    wins.iter().filter(|&&times| times == 0).count()
}
