//! Evaluation, and the checks of what a learner is given: written once, used by all of them.

use crate::error::{Error, Result};
use crate::learner::{Classifier, Labelled};
use rivalry_core::{Compute, Inputs, Matrix};

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
