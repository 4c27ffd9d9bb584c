//! The only phase of a network that backpropagation trains as a whole.

use std::time::Instant;

use rivalry_core::Random;
use rivalry_nets::{Backprop, BackpropSpec, Classifier, Head, Labelled, Learner, Schedule, State, Tensor};

use super::readout::{EVALUATIONS, length};
use super::saver::Saver;
use super::{Finished, Job, is_evaluated};
use crate::config::{Config, Method};
use crate::progress::Progress;
use crate::rows::Phase;
use crate::run::checkpoint::{Checkpoint, ReadoutState, floats};

/// Goes through the epochs that are left.
pub(super) fn run(job: &Job<'_>, checkpoint: &mut Checkpoint, saver: &mut Saver<'_>) -> anyhow::Result<()> {
    let (experiment, splits, compute) = (job.experiment, job.splits, &job.compute.core);
    let length = length(experiment);
    let (labelled, evaluate) = (splits.labelled.scaled(length)?, splits.evaluate.scaled(length)?);
    let labelled = Labelled { inputs: labelled.view()?, labels: splits.labelled.labels() };
    let evaluate = Labelled { inputs: evaluate.view()?, labels: splits.evaluate.labels() };
    let spec = BackpropSpec {
        inputs: labelled.inputs.inputs(),
        hidden: vec![experiment.hidden.first()],
        classes: splits.classes,
        head: head(experiment),
        batch: experiment.readout_batch,
    };
    let mut random = Random::keyed(experiment.seed, "weights", 0);
    let mut network = Backprop::new(spec.clone(), &mut random, compute)?;
    if let Some(state) = state(checkpoint, splits.classes) {
        network.restore(&state)?;
    }
    let schedule = Schedule::parse(&experiment.readout_rates)?;
    let epochs = experiment.readout_epochs;
    let mut progress = Progress::new(job.common, Phase::EndToEnd.name(), epochs.into());

    for epoch in checkpoint.epoch..epochs {
        let rate = schedule.rate(epoch, epochs);
        let started = Instant::now();
        let order = Random::keyed(experiment.seed, "readout-order", epoch).order(splits.labelled.samples());
        network.epoch(compute, &labelled, &order, rate)?;
        let epoch_ms = started.elapsed().as_secs_f64() * 1e3;
        checkpoint.epoch_ms.push(epoch_ms);
        checkpoint.epoch = epoch + 1;
        let mut error = None;
        if is_evaluated(checkpoint.epoch, epochs, EVALUATIONS) {
            let finished = Finished { phase: Phase::EndToEnd, epoch: checkpoint.epoch, rate, epoch_ms };
            let row = finished.row(job, [network.errors(compute, &labelled)?, network.errors(compute, &evaluate)?]);
            error = row.test_error_pct.or(row.validation_error_pct);
            checkpoint.metrics.push(row);
        }
        progress.tick(checkpoint.epoch.into(), splits.labelled.samples() as u64, error);
        if saver.is_due() || checkpoint.epoch == epochs {
            take(checkpoint, &spec, &network.state())?;
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
fn state(checkpoint: &Checkpoint, classes: usize) -> Option<State> {
    let ([first_moment, second_moment], readout) = (checkpoint.moments.clone()?, checkpoint.readout.as_ref()?);
    let mut state = State::default();
    let values = [checkpoint.weights.clone(), first_moment, second_moment];
    for (name, values) in WEIGHTS.into_iter().zip(values) {
        state.insert(name, Tensor::new([checkpoint.hidden, checkpoint.inputs], values));
    }
    readout.insert(classes, &mut state);
    Some(state)
}

/// The tensors of the hidden layer in the network's state.
const WEIGHTS: [&str; 3] = ["weights", "weights_first_moment", "weights_second_moment"];

fn take(checkpoint: &mut Checkpoint, spec: &BackpropSpec, state: &State) -> anyhow::Result<()> {
    let [weights, first_moment, second_moment] = WEIGHTS.map(|name| floats(state, name));
    (checkpoint.hidden, checkpoint.inputs) = (spec.hidden[0], spec.inputs);
    checkpoint.wins = vec![0; spec.hidden[0]];
    checkpoint.weights = weights?;
    checkpoint.moments = Some([first_moment?, second_moment?]);
    checkpoint.readout = Some(ReadoutState::of(state)?);
    Ok(())
}
