//! Evaluation, and the checks of what a learner is given: written once, used by all of them.

use crate::error::{Error, Result};
use crate::learner::{Classifier, Labelled};
use rivalry_core::{Compute, Inputs, Matrix, range_of};

/// Samples that are scored at once, so that the scores of a large data set do not all stand in memory.
const SCORED: usize = 1 << 14;

/// Predicts the class of every sample, a block of samples at a time.
pub(crate) fn predict<C>(classifier: &C, compute: &Compute, inputs: &Inputs<'_>) -> Result<Vec<u8>>
where
    C: Classifier + ?Sized,
{
    let mut predicted = Vec::with_capacity(inputs.samples());
    for first in (0..inputs.samples()).step_by(SCORED) {
        let block = inputs.range(first..inputs.samples().min(first + SCORED));
        let mut scores = Matrix::zeros(block.samples(), classifier.classes());
        classifier.scores(compute, &block, &mut scores)?;
        predicted.extend((0..block.samples()).map(|sample| largest(scores.row(sample)) as u8));
    }
    Ok(predicted)
}

/// Samples whose sums are computed at once, by one worker.
pub(crate) const BLOCK: usize = 128;

/// Computes the scores of all samples on all threads. `sums(memory, samples, sums)` writes those of at most [`BLOCK`] samples
/// to `sums` [classes × BLOCK], in which zeros stand; `memory()` is what a worker needs for that.
pub(crate) fn scores<M>(
    compute: &Compute,
    inputs: &Inputs<'_>,
    out: &mut Matrix,
    memory: impl Fn() -> M + Sync,
    sums: impl Fn(&mut M, &Inputs<'_>, &mut Matrix) + Sync,
) {
    let classes = out.columns();
    let scores = compute.map(|worker| {
        let own = range_of(inputs.samples(), BLOCK, worker, compute.threads());
        let (mut memory, mut block) = (memory(), Matrix::zeros(classes, BLOCK));
        let mut scores = Vec::with_capacity(own.len() * classes);
        for first in own.clone().step_by(BLOCK) {
            let samples = inputs.range(first..own.end.min(first + BLOCK));
            (0..classes).for_each(|class| block.row_mut(class).fill(0.0));
            sums(&mut memory, &samples, &mut block);
            for sample in 0..samples.samples() {
                scores.extend((0..classes).map(|class| block.row(class)[sample]));
            }
        }
        scores
    });
    let scores = scores.iter().flat_map(|scores| scores.chunks_exact(classes));
    scores.enumerate().for_each(|(sample, scores)| out.row_mut(sample).copy_from_slice(scores));
}

/// Adds to every row of sums the row of the same class of a block's partial sums.
pub(crate) fn add(sums: &mut Matrix, partial: &Matrix, first: usize) {
    for class in 0..sums.rows() {
        for (sum, partial) in sums.row_mut(class).iter_mut().zip(partial.row(first + class)) {
            *sum += partial;
        }
    }
}

/// The index of the largest score, the lowest among equals.
fn largest(scores: &[f32]) -> usize {
    (0..scores.len()).fold(0, |best, class| if scores[class] > scores[best] { class } else { best })
}

/// Checks that every sample has a label below the number of classes.
pub(crate) fn check_labels(data: &Labelled<'_>, classes: usize) -> Result<()> {
    let (labels, samples) = (data.labels.len(), data.inputs.samples());
    if labels != samples {
        return Err(Error::invalid(format!("{samples} samples have {labels} labels")));
    }
    match data.labels.iter().position(|&label| usize::from(label) >= classes) {
        Some(at) => {
            let label = data.labels[at];
            Err(Error::invalid(format!("label {label} at sample {at} is not below the {classes} classes")))
        }
        None => Ok(()),
    }
}

/// Checks that samples have the length that a learner was made for.
pub(crate) fn check_inputs(inputs: &Inputs<'_>, expected: usize) -> Result<()> {
    match inputs.inputs() {
        found if found == expected => Ok(()),
        found => Err(Error::invalid(format!("a sample has {found} inputs, the network takes {expected}"))),
    }
}

/// Checks that a matrix of results has one row per sample and as many columns as there are results of a sample.
pub(crate) fn check_out(out: &Matrix, samples: usize, columns: usize) -> Result<()> {
    if (out.rows(), out.columns()) == (samples, columns) {
        return Ok(());
    }
    let (rows, found) = (out.rows(), out.columns());
    Err(Error::invalid(format!("the output matrix is {rows} x {found}, the results are {samples} x {columns}")))
}

/// Checks what an epoch of learning from labels is given; a network has so many inputs and classes.
pub(crate) fn check_epoch(data: &Labelled<'_>, [inputs, classes]: [usize; 2], order: &[u32], rate: f32) -> Result<()> {
    check_inputs(&data.inputs, inputs)?;
    check_labels(data, classes)?;
    check_order(order, data.inputs.samples())?;
    check_rate(rate)
}

/// Checks that every number in an order is that of a sample.
pub(crate) fn check_order(order: &[u32], samples: usize) -> Result<()> {
    match order.iter().find(|&&sample| sample as usize >= samples) {
        Some(sample) => Err(Error::invalid(format!("the order names sample {sample}, but there are only {samples}"))),
        None => Ok(()),
    }
}

/// Checks a learning rate.
pub(crate) fn check_rate(rate: f32) -> Result<()> {
    if rate.is_finite() && rate >= 0.0 {
        Ok(())
    } else {
        Err(Error::invalid(format!("the learning rate {rate} is not a finite number of at least 0")))
    }
}

/// Checks a size of a network.
pub(crate) fn check_size(what: &str, value: usize, least: usize, most: usize) -> Result<()> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(Error::invalid(format!("{what} = {value} is not from {least} to {most}")))
}

/// Checks a real setting: finite and within bounds.
pub(crate) fn check_real(what: &str, value: f64, [least, most]: [f64; 2]) -> Result<()> {
    if value >= least && value <= most {
        return Ok(());
    }
    Err(Error::invalid(format!("{what} = {value} is not from {least} to {most}")))
}

/// Checks a list that has one number per layer.
pub(crate) fn check_count(what: &str, found: usize, expected: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::invalid(format!("{what} has {found} numbers, the network needs {expected}")))
}

/// Checks that weights are finite, which they no longer are when training diverged.
pub(crate) fn check_finite(what: &str, weights: &[f32]) -> Result<()> {
    check_finite_or(what, weights, "lower readout_rates or beta")
}

/// As [`check_finite`], with what to do about it.
pub(crate) fn check_finite_or(what: &str, weights: &[f32], hint: &'static str) -> Result<()> {
    match weights.iter().find(|weight| !weight.is_finite()) {
        None => Ok(()),
        Some(weight) => {
            let message = format!("training diverged: there is {weight} among the {what}");
            Err(Error::Overflow { message, hint })
        }
    }
}

/// Scales a vector to unit length; 0 stays 0.
pub(crate) fn unit_length(row: &mut [f32]) {
    let squares: f64 = row.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    let scale = (1.0 / libm::sqrt(squares)) as f32;
    if scale.is_finite() {
        row.iter_mut().for_each(|x| *x *= scale);
    }
}
