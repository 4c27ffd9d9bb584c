//! The derivative of the loss by the sums of the classes, for both heads.

use super::spec::Head;
use rivalry_core::ops::{self, Exponent, PowerLoss};
use rivalry_core::{Kernels, Matrix};

/// A head in the form that is computed with.
#[derive(Debug, Clone, Copy)]
pub(super) enum Loss {
    Power(PowerLoss),
    Softmax,
}

impl Loss {
    pub(super) fn new(head: Head) -> Loss {
        match head {
            Head::Power { beta, loss_m } => {
                Loss::Power(PowerLoss { beta: beta as f32, m: loss_m as f32, exponent: Exponent::new(loss_m) })
            }
            Head::Softmax => Loss::Softmax,
        }
    }

    /// Turns the sums [classes × batch] of the first examples into ∂C/∂s and everything behind them into zeros: what an
    /// earlier, larger minibatch left in the activations then counts for nothing. `targets` [classes × batch] is working memory.
    pub(super) fn derive(
        self,
        kernels: &Kernels,
        labels: impl ExactSizeIterator<Item = u8> + Clone,
        sums: &mut Matrix,
        targets: &mut Matrix,
    ) {
        let examples = labels.len();
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
                for (example, label) in labels.enumerate() {
                    softmax(sums, example, usize::from(label));
                }
            }
        }
        for class in 0..sums.rows() {
            sums.row_mut(class)[examples..].fill(0.0);
        }
    }
}

/// ∂C/∂s = exp(s) / Σ exp(s) − [class is the label], with the largest sum taken off first so that nothing overflows.
/// `libm`, because the exponential of the system differs between machines in the last bit.
fn softmax(sums: &mut Matrix, example: usize, label: usize) {
    let largest = (0..sums.rows()).map(|class| sums.row(class)[example]).fold(f32::NEG_INFINITY, f32::max);
    let mut total = 0.0;
    for class in 0..sums.rows() {
        let sum = &mut sums.row_mut(class)[example];
        // Below e⁻⁶⁰ nothing is learned from it, and subnormal numbers take their time.
        *sum = if *sum - largest < -60.0 { 0.0 } else { libm::expf(*sum - largest) };
        total += *sum;
    }
    for class in 0..sums.rows() {
        let sum = &mut sums.row_mut(class)[example];
        *sum = *sum / total - if class == label { 1.0 } else { 0.0 };
    }
}
