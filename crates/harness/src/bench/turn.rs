//! One turn of ours where other programs take theirs on the same work, and how far two results are apart.

use rivalry_core::Kernels;

use super::definition::{Case, Kind};
use super::examples::Sets;
use super::workload::{self, Handover};
use crate::failure::failure;

/// What a turn found.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// Time of one minibatch: that of an iteration, divided by its minibatches.
    pub ns: u64,
    /// SHA-256 after the warm-up, which is the expected one.
    pub checksum: String,
    /// As the column has it.
    pub engine: &'static str,
    /// Floating-point operations of one minibatch.
    pub operations: f64,
    /// Weights, or scores by example, after the iteration.
    pub result: Vec<f32>,
}

/// Starts a benchmark anew, checks it and times one iteration.
///
/// # Errors
/// The data is not here, or the answer is not the expected one.
pub fn ours(case: &Case, kernels: &'static Kernels, sets: &mut Sets<'_>) -> anyhow::Result<Turn> {
    let (definition, compute) = (&case.definition, case.compute(kernels)?);
    let mut work = workload::prepare(definition, &compute, sets)?;
    let checksum = work.check()?;
    if checksum != definition.checksum {
        let message = format!("checksum: expected {}, found {checksum}", definition.checksum);
        return Err(failure(message, "`rivalry bench verify` checks every benchmark"));
    }
    let minibatches = definition.minibatches as u64;
    let ns = (work.iterate()? + minibatches / 2) / minibatches;
    Ok(Turn { ns, checksum, engine: work.engine(), operations: work.operations(), result: work.result() })
}

/// The same work for another program: warm-up and one iteration.
///
/// # Errors
/// The data is not here, or other programs are not measured on this kind.
pub fn hand_over(case: &Case, kernels: &'static Kernels, sets: &mut Sets<'_>) -> anyhow::Result<Handover> {
    workload::hand_over(&case.definition, &case.compute(kernels)?, sets)
}

/// How far a result is from ours: for weights Σ|theirs − ours| as a share of how far ours moved, Σ|ours − start|; for
/// scores max|theirs − ours| as a share of max|ours|. NaN if there is a NaN, infinite for another length.
pub fn deviation(kind: Kind, start: &[f32], ours: &[f32], theirs: &[f32]) -> f64 {
    if ours.len() != theirs.len() {
        return f64::INFINITY;
    }
    let distances = |a: &[f32], b: &[f32]| -> Vec<f64> {
        a.iter().zip(b).map(|(&a, &b)| (f64::from(a) - f64::from(b)).abs()).collect()
    };
    // `f64::max` would drop a NaN.
    let largest = |values: &[f64]| values.iter().copied().fold(0.0, |a, b| if b.is_nan() || b > a { b } else { a });
    match kind {
        Kind::Epoch => distances(theirs, ours).iter().sum::<f64>() / distances(ours, start).iter().sum::<f64>(),
        _ => {
            let sizes: Vec<f64> = ours.iter().map(|&score| f64::from(score).abs()).collect();
            largest(&distances(theirs, ours)) / largest(&sizes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_apart_by_a_share_of_their_way_and_scores_by_one_of_the_largest() {
        let start = [0.0, 0.0];
        assert_eq!(deviation(Kind::Epoch, &start, &[1.0, 3.0], &[1.0, 2.0]), 0.25);
        assert_eq!(deviation(Kind::Score, &[], &[1.0, -4.0], &[1.0, -3.0]), 0.25);
        assert_eq!(deviation(Kind::Score, &[], &[1.0], &[1.0, 2.0]), f64::INFINITY);
    }

    #[test]
    fn nothing_that_is_no_number_is_near() {
        for kind in [Kind::Epoch, Kind::Score] {
            for theirs in [[f32::NAN, 1.0], [1.0, f32::NAN]] {
                let apart = deviation(kind, &[0.0, 0.0], &[1.0, 1.0], &theirs);
                assert!(apart.is_nan(), "{kind:?} {theirs:?}: {apart}");
            }
        }
    }
}
