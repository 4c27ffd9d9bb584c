//! The only phase of a network that backpropagation trains as a whole.

use std::time::Instant;

use rivalry_core::{Inputs, Random};
use rivalry_nets::{Backprop, BackpropSpec, BackpropState, Head, Schedule};

use super::readout::{EVALUATIONS, length};
use super::saver::Saver;
use super::{Finished, Job, is_evaluated};
use crate::config::{Config, Method};
use crate::progress::Progress;
use crate::rows::Phase;
use crate::run::checkpoint::Checkpoint;

/// Goes through the epochs that are left.
pub(super) fn run(job: &Job<'_>, checkpoint: &mut Checkpoint, saver: &mut Saver<'_>) -> anyhow::Result<()> {
    let (experiment, splits, compute) = (job.experiment, job.splits, &job.compute.core);
    let length = length(experiment);
    let (labelled, evaluate) = (splits.labelled.scaled(length)?, splits.evaluate.scaled(length)?);
    let (labelled, evaluate) = (labelled.view()?, evaluate.view()?);
    let spec = BackpropSpec {
        inputs: labelled.inputs(),
        hidden: experiment.hidden.first(),
        classes: splits.classes,
        head: head(experiment),
        batch: experiment.readout_batch,
    };
    let mut random = Random::keyed(experiment.seed, "weights", 0);
    let mut network = Backprop::new(spec, &mut random, compute)?;
    if let Some(state) = state(checkpoint) {
        network.restore(&state)?;
    }
    let schedule = Schedule::parse(&experiment.readout_rates)?;
    let (epochs, labels) = (experiment.readout_epochs, splits.labelled.labels());
    let mut progress = Progress::new(job.common, Phase::EndToEnd.name(), epochs.into());

    for epoch in checkpoint.epoch..epochs {
        let rate = schedule.rate(epoch, epochs);
        let started = Instant::now();
        let order = Random::keyed(experiment.seed, "readout-order", epoch).order(labels.len());
        network.epoch(compute, &labelled, labels, &order, rate)?;
        let epoch_ms = started.elapsed().as_secs_f64() * 1e3;
        checkpoint.epoch_ms.push(epoch_ms);
        checkpoint.epoch = epoch + 1;
        let mut error = None;
        if is_evaluated(checkpoint.epoch, epochs, EVALUATIONS) {
            let wrong = |inputs: &Inputs<'_>, labels: &[u8]| network.errors(compute, inputs, labels);
            let finished = Finished { phase: Phase::EndToEnd, epoch: checkpoint.epoch, rate, epoch_ms };
            let row = finished.row(job, [wrong(&labelled, labels)?, wrong(&evaluate, splits.evaluate.labels())?]);
            error = row.test_error_pct.or(row.validation_error_pct);
            checkpoint.metrics.push(row);
        }
        progress.tick(checkpoint.epoch.into(), labels.len() as u64, error);
        if saver.is_due() || checkpoint.epoch == epochs {
            take(checkpoint, &spec, network.state());
            saver.save(checkpoint);
        }
    }
    progress.finish();
    Ok(())
}

fn head(experiment: &Config) -> Head {
    match experiment.method {
        Method::EndToEndSoftmax => Head::Softmax,
        _ => Head::Power { beta: experiment.beta, loss_m: experiment.loss_m },
    }
}

/// The network of the checkpoint, if it has begun.
fn state(checkpoint: &Checkpoint) -> Option<BackpropState> {
    let ([first_moment, second_moment], readout) = (checkpoint.moments.clone()?, checkpoint.readout.clone()?);
    Some(BackpropState { weights: checkpoint.weights.clone(), first_moment, second_moment, readout })
}

fn take(checkpoint: &mut Checkpoint, spec: &BackpropSpec, state: BackpropState) {
    (checkpoint.hidden, checkpoint.inputs) = (spec.hidden, spec.inputs);
    checkpoint.wins = vec![0; spec.hidden];
    checkpoint.weights = state.weights;
    checkpoint.moments = Some([state.first_moment, state.second_moment]);
    checkpoint.readout = Some(state.readout);
}
