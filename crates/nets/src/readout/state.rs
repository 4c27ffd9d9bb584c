//! Everything that training a readout changes, to be written down and gone back to.

use super::{Readout, lock, slice_columns};
use crate::error::{Error, Result};

/// Everything that training changes, [classes × hidden] each.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadoutState {
    /// S.
    pub weights: Vec<f32>,
    /// Adam's mean of the gradient.
    pub first_moment: Vec<f32>,
    /// Adam's mean of the squared gradient.
    pub second_moment: Vec<f32>,
    /// Steps taken.
    pub steps: u64,
}

impl Readout {
    /// Copies everything that training changes.
    pub fn state(&self) -> ReadoutState {
        ReadoutState {
            weights: self.weights(),
            first_moment: self.collect(|part| &part.adam.first),
            second_moment: self.collect(|part| &part.adam.second),
            steps: self.steps,
        }
    }

    /// Goes back to a state that [`Readout::state`] gave.
    ///
    /// # Errors
    /// [`Error::Value`] if it is the state of a readout of another shape.
    pub fn restore(&mut self, state: &ReadoutState) -> Result<()> {
        let size = self.spec.classes * self.spec.hidden;
        for values in [&state.weights, &state.first_moment, &state.second_moment] {
            if values.len() != size {
                return Err(Error::value("numbers of a readout's state", size.to_string(), values.len()));
            }
        }
        for part in &self.parts {
            let part = &mut *lock(part);
            part.weights = slice_columns(&state.weights, self.spec.hidden, &part.columns);
            part.adam.first = slice_columns(&state.first_moment, self.spec.hidden, &part.columns);
            part.adam.second = slice_columns(&state.second_moment, self.spec.hidden, &part.columns);
        }
        self.steps = state.steps;
        Ok(())
    }
}
