//! The shape and the loss of a network that is trained end to end, and what is allowed.

use crate::error::{Error, Result};

/// The shape and the loss of a network inputs–hidden–classes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BackpropSpec {
    /// The length of an example.
    pub inputs: usize,
    /// The number of hidden units.
    pub hidden: usize,
    /// The number of classes.
    pub classes: usize,
    /// The output and its loss.
    pub head: Head,
    /// The number of examples in a minibatch.
    pub batch: usize,
}

/// What becomes of the sums s of the classes, and the loss that is lowered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Head {
    /// The paper's: c = tanh(β s), C = Σ |c − t|^m with t = +1 for the class and −1 for the others.
    Power {
        /// β, the steepness of the tanh.
        beta: f64,
        /// m, the exponent of the loss.
        loss_m: f64,
    },
    /// The usual one: c = exp(s) / Σ exp(s), C = −Σ log c of the class.
    Softmax,
}

/// More units or inputs than this would overflow sizes long after they overflow memory.
const MOST: usize = 1 << 31;

impl BackpropSpec {
    pub(crate) fn check(&self) -> Result<()> {
        let sizes = [
            ("inputs of a network", self.inputs, 1, MOST),
            ("hidden", self.hidden, 1, MOST),
            ("classes", self.classes, 2, 256),
            ("readout_batch", self.batch, 1, 1 << 20),
        ];
        for (what, value, least, most) in sizes {
            if !(least..=most).contains(&value) {
                return Err(Error::value(what, format!("{least} to {most}"), value));
            }
        }
        match self.head {
            Head::Softmax => Ok(()),
            Head::Power { beta, .. } if !(beta.is_finite() && beta > 0.0) => {
                Err(Error::value("beta", "a finite number above 0", beta))
            }
            Head::Power { loss_m, .. } if !(loss_m.is_finite() && loss_m >= 1.0) => {
                Err(Error::value("loss_m", "a finite number of at least 1", loss_m))
            }
            Head::Power { .. } => Ok(()),
        }
    }
}
