//! Learning rates by epoch, written as the paper's protocols are: `"1e-3:100,5e-4:150"` is 1e-3 up to epoch 100, then
//! 5e-4 up to epoch 150.

use crate::error::{Error, Result};
use std::fmt;

/// Rates and the epochs at which each of them ends.
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
    /// [`Error::Value`] for anything else, and unless every rate is finite and above 0.
    pub fn parse(text: &str) -> Result<Schedule> {
        let wrong = |found: &str| {
            Err(Error::value("readout_rates", "rates with increasing end epochs like \"1e-3:100,5e-4:150\"", found))
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
