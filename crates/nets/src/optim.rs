//! The optimiser of the supervised learners, Adam (Kingma & Ba 2015), and schedules of its learning rate.

use crate::error::{Error, Result};
use rivalry_core::ops::{self, AdamStep, Products};
use rivalry_core::{Kernels, Matrix};
use std::fmt;

/// β₁, the decay of the first moment.
const FIRST_DECAY: f64 = 0.9;
/// β₂, the decay of the second moment.
const SECOND_DECAY: f64 = 0.999;
/// ε, against division by zero.
const EPSILON: f32 = 1e-8;

/// The moments of one matrix of weights.
#[derive(Debug, Clone)]
pub(crate) struct Adam {
    pub(crate) first: Matrix,
    pub(crate) second: Matrix,
}

impl Adam {
    pub(crate) fn new(rows: usize, columns: usize) -> Adam {
        Adam { first: Matrix::zeros(rows, columns), second: Matrix::zeros(rows, columns) }
    }

    /// Takes step number `number`, counted from 1.
    pub(crate) fn step(&mut self, kernels: &Kernels, number: u64, rate: f32, gradient: &Matrix, weights: &mut Matrix) {
        ops::adam(kernels, step(number, rate), gradient, [&mut self.first, &mut self.second], weights);
    }

    /// Takes step number `number` with the gradient Σ δ·x over a minibatch.
    pub(crate) fn descend(
        &mut self,
        kernels: &Kernels,
        number: u64,
        rate: f32,
        products: Products<'_>,
        weights: &mut Matrix,
    ) {
        let moments = [&mut self.first, &mut self.second];
        ops::gemm_tn_adam(kernels, products, step(number, rate), moments, weights);
    }
}

/// The constants of step number `number`.
fn step(number: u64, rate: f32) -> AdamStep {
    let unbiased = |decay: f64| 1.0 - libm::pow(decay, number as f64);
    AdamStep {
        first_decay: FIRST_DECAY as f32,
        second_decay: SECOND_DECAY as f32,
        rate: (f64::from(rate) / unbiased(FIRST_DECAY)) as f32,
        correction: (1.0 / unbiased(SECOND_DECAY)) as f32,
        epsilon: EPSILON,
    }
}

/// Learning rates and the epochs at which each of them ends, written as the paper's protocols are: `1e-3:100,5e-4:150` is
/// 1e-3 up to epoch 100, then 5e-4 up to epoch 150.
///
/// # Example
/// ```
/// let schedule = rivalry_nets::Schedule::parse("1e-3:100,5e-4:150")?;
/// assert_eq!(schedule.rate(99, 150), 1e-3);
/// assert_eq!(schedule.rate(100, 150), 5e-4);
/// assert_eq!(schedule.rate(20, 30), 5e-4); // the ends scale with the number of epochs
/// # Ok::<(), rivalry_nets::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    steps: Vec<(f64, u32)>,
}

impl Schedule {
    /// Reads `rate:end,rate:end,…` with ends in increasing order.
    ///
    /// # Errors
    /// [`Error::Invalid`] for anything else, and unless every rate is finite and above 0.
    pub fn parse(text: &str) -> Result<Schedule> {
        let wrong = |found: &str| {
            let form = "a rate and the epoch where it ends, as in 1e-3:100,5e-4:150";
            Err(Error::invalid(format!("`{found}` in the rates `{text}` is not {form}")))
        };
        let mut steps: Vec<(f64, u32)> = Vec::new();
        for part in text.split(',') {
            let Some((rate, end)) = part.split_once(':') else { return wrong(part) };
            let (Ok(rate), Ok(end)) = (rate.trim().parse::<f64>(), end.trim().parse::<u32>()) else {
                return wrong(part);
            };
            let later = steps.last().map_or(0, |step| step.1) < end;
            if !(rate.is_finite() && rate > 0.0 && later) {
                return wrong(part);
            }
            steps.push((rate, end));
        }
        Ok(Schedule { steps })
    }

    /// The rate of an epoch (counted from 0) in a training of `epochs`: end epochs are scaled by epochs / last end.
    pub fn rate(&self, epoch: u32, epochs: u32) -> f32 {
        let (last_rate, last_end) = self.steps[self.steps.len() - 1];
        let place = u64::from(epoch) * u64::from(last_end);
        let step = self.steps.iter().find(|(_, end)| place < u64::from(*end) * u64::from(epochs));
        step.map_or(last_rate, |step| step.0) as f32
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (rate, end)) in self.steps.iter().enumerate() {
            write!(formatter, "{}{rate:e}:{end}", if i > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_scale_and_the_text_comes_back() {
        let text = "1e-3:100,5e-4:150,1e-4:200,5e-5:250,1e-5:300";
        let schedule = Schedule::parse(text).unwrap();
        assert_eq!(schedule.to_string(), text);
        let rates: Vec<f32> = [0, 19, 20, 29, 30, 40, 50, 59, 60].iter().map(|&e| schedule.rate(e, 60)).collect();
        assert_eq!(rates, [1e-3, 1e-3, 5e-4, 5e-4, 1e-4, 5e-5, 1e-5, 1e-5, 1e-5]);
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "1e-3", "1e-3:0", "0:10", "-1:10", "nan:10", "1e-3:100,1e-4:100", "1e-3:100,", "a:b"] {
            assert!(Schedule::parse(text).is_err(), "{text}");
        }
    }
}
