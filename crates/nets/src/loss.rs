//! What becomes of the sums of the classes, and the loss that supervised learners lower.

use crate::error::{Error, Result};
use rivalry_core::ops::{self, Exponent, PowerLoss};
use rivalry_core::{Kernels, Matrix};

/// The output of a classifier, as a function of the sums s of its classes, and its loss C.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Head {
    /// The paper's: c = tanh(β s), C = Σ |c − t|^m with t = +1 for the class and −1 for the others.
    ///
    /// Source: Krotov & Hopfield 2019, eqs. 1 and 12.
    Power {
        /// β, the steepness of the tanh.
        beta: f64,
        /// m, the exponent of the loss.
        loss_m: f64,
    },
    /// The usual one: c = exp(s) / Σ exp(s), C = −log c of the class.
    Softmax,
}

impl Head {
    pub(crate) fn check(self) -> Result<()> {
        match self {
            Head::Power { beta, .. } if !(beta.is_finite() && beta > 0.0) => {
                Err(Error::invalid(format!("beta = {beta} is not a finite number above 0")))
            }
            Head::Power { loss_m, .. } if !(loss_m.is_finite() && loss_m >= 1.0) => {
                Err(Error::invalid(format!("loss_m = {loss_m} is not a finite number of at least 1")))
            }
            Head::Power { .. } | Head::Softmax => Ok(()),
        }
    }
}

/// A head in the form that is computed with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Loss {
    Power(PowerLoss),
    Softmax,
}

impl Loss {
    pub(crate) fn new(head: Head) -> Loss {
        match head {
            Head::Power { beta, loss_m } => {
                Loss::Power(PowerLoss { beta: beta as f32, m: loss_m as f32, exponent: Exponent::new(loss_m) })
            }
            Head::Softmax => Loss::Softmax,
        }
    }

    /// Turns the sums [classes × batch] of the first samples into δ = ∂C/∂s and all columns behind them into zeros: what an
    /// earlier, larger minibatch left in the activations then counts for nothing. `targets` [classes × batch] is working
    /// memory.
    pub(crate) fn derive(
        self,
        kernels: &Kernels,
        labels: impl ExactSizeIterator<Item = u8> + Clone,
        sums: &mut Matrix,
        targets: &mut Matrix,
    ) {
        let samples = labels.len();
        match self {
            Loss::Power(loss) => {
                for class in 0..sums.rows() {
                    for (target, label) in targets.row_mut(class).iter_mut().zip(labels.clone()) {
                        *target = if usize::from(label) == class { 1.0 } else { -1.0 };
                    }
                }
                ops::power_loss(kernels, loss, sums, targets);
            }
            Loss::Softmax => {
                for (sample, label) in labels.enumerate() {
                    softmax(sums, sample, usize::from(label));
                }
            }
        }
        for class in 0..sums.rows() {
            sums.row_mut(class)[samples..].fill(0.0);
        }
    }
}

/// ∂C/∂s = exp(s) / Σ exp(s) − [class is the label], with the largest sum subtracted first so that nothing overflows.
/// `libm`, because the exponential of the system differs between machines in the last bit.
fn softmax(sums: &mut Matrix, sample: usize, label: usize) {
    let largest = (0..sums.rows()).map(|class| sums.row(class)[sample]).fold(f32::NEG_INFINITY, f32::max);
    let mut total = 0.0;
    for class in 0..sums.rows() {
        let sum = &mut sums.row_mut(class)[sample];
        // Below e⁻⁶⁰ nothing is learned from it, and arithmetic with subnormal numbers is slow.
        *sum = if *sum - largest < -60.0 { 0.0 } else { libm::expf(*sum - largest) };
        total += *sum;
    }
    for class in 0..sums.rows() {
        let sum = &mut sums.row_mut(class)[sample];
        *sum = *sum / total - if class == label { 1.0 } else { 0.0 };
    }
}
