//! The shape and the loss of a readout, and what is allowed.

use crate::error::{Error, Result};

/// The shape and the loss of a readout.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReadoutSpec {
    /// The number of classes.
    pub classes: usize,
    /// The number of features.
    pub hidden: usize,
    /// β, the steepness of the tanh.
    pub beta: f64,
    /// m, the exponent of the loss.
    pub loss_m: f64,
    /// The number of examples in a minibatch.
    pub batch: usize,
    /// The standard deviation of the initial weights.
    pub init_sigma: f64,
}

impl ReadoutSpec {
    pub(crate) fn check(&self) -> Result<()> {
        let sizes = [
            ("classes", self.classes, 2, 256),
            ("features of a readout", self.hidden, 1, 1 << 31),
            ("readout_batch", self.batch, 1, 1 << 20),
        ];
        for (what, value, least, most) in sizes {
            if !(least..=most).contains(&value) {
                return Err(Error::value(what, format!("{least} to {most}"), value));
            }
        }
        if !(self.beta.is_finite() && self.beta > 0.0) {
            return Err(Error::value("beta", "a finite number above 0", self.beta));
        }
        if !(self.loss_m.is_finite() && self.loss_m >= 1.0) {
            return Err(Error::value("loss_m", "a finite number of at least 1", self.loss_m));
        }
        if !(self.init_sigma.is_finite() && self.init_sigma >= 0.0) {
            return Err(Error::value("init_sigma of the readout", "a finite number of at least 0", self.init_sigma));
        }
        Ok(())
    }
}
