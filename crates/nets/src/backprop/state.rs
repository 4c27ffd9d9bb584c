//! What training changes, put together from the blocks and spread over them again.

use super::block::{Block, UNITS};
use super::{Backprop, lock};
use crate::error::{Error, Result};
use crate::readout::ReadoutState;
use rivalry_core::Matrix;
use std::sync::PoisonError;

/// Everything that training changes.
#[derive(Debug, Clone, PartialEq)]
pub struct BackpropState {
    /// W [hidden × inputs].
    pub weights: Vec<f32>,
    /// Adam's mean of the gradient ∂C/∂W.
    pub first_moment: Vec<f32>,
    /// Adam's mean of its square.
    pub second_moment: Vec<f32>,
    /// S with its moments [classes × hidden], and the steps taken.
    pub readout: ReadoutState,
}

impl Backprop {
    /// W [hidden × inputs].
    pub fn weights(&self) -> Vec<f32> {
        self.rows(|block| &block.weights)
    }

    /// S [classes × hidden].
    pub fn readout(&self) -> Vec<f32> {
        self.columns(|block| &block.readout)
    }

    /// Copies everything that training changes.
    pub fn state(&self) -> BackpropState {
        BackpropState {
            weights: self.weights(),
            first_moment: self.rows(|block| &block.adam.first),
            second_moment: self.rows(|block| &block.adam.second),
            readout: ReadoutState {
                weights: self.readout(),
                first_moment: self.columns(|block| &block.readout_adam.first),
                second_moment: self.columns(|block| &block.readout_adam.second),
                steps: self.steps,
            },
        }
    }

    /// Goes back to a state that [`Backprop::state`] gave.
    ///
    /// # Errors
    /// [`Error::Value`] if it is the state of a network of another shape.
    pub fn restore(&mut self, state: &BackpropState) -> Result<()> {
        let readout = &state.readout;
        let (hidden, inputs, classes) = (self.spec.hidden, self.spec.inputs, self.spec.classes);
        for (values, size) in [
            (&state.weights, hidden * inputs),
            (&state.first_moment, hidden * inputs),
            (&state.second_moment, hidden * inputs),
            (&readout.weights, classes * hidden),
            (&readout.first_moment, classes * hidden),
            (&readout.second_moment, classes * hidden),
        ] {
            if values.len() != size {
                return Err(Error::value("numbers of a network's state", size.to_string(), values.len()));
            }
        }
        for unit in 0..hidden {
            let (block, row) = self.block_of(unit);
            let own = unit * inputs..(unit + 1) * inputs;
            block.weights.row_mut(row).copy_from_slice(&state.weights[own.clone()]);
            block.adam.first.row_mut(row).copy_from_slice(&state.first_moment[own.clone()]);
            block.adam.second.row_mut(row).copy_from_slice(&state.second_moment[own]);
            for class in 0..classes {
                let at = class * hidden + unit;
                block.readout.row_mut(class)[row] = readout.weights[at];
                block.readout_adam.first.row_mut(class)[row] = readout.first_moment[at];
                block.readout_adam.second.row_mut(class)[row] = readout.second_moment[at];
            }
        }
        self.steps = readout.steps;
        Ok(())
    }

    /// The block of a unit, and its row in there.
    pub(super) fn block_of(&mut self, unit: usize) -> (&mut Block, usize) {
        let number = unit / UNITS;
        let mut parts = self.parts.iter_mut().map(|part| part.get_mut().unwrap_or_else(PoisonError::into_inner));
        let part = parts.find(|part| part.numbers.contains(&number)).expect("every block has an owner");
        (&mut part.blocks[number - part.numbers.start], unit % UNITS)
    }

    /// Puts the rows of all blocks one after another, [hidden × inputs].
    fn rows(&self, of: impl Fn(&Block) -> &Matrix) -> Vec<f32> {
        let mut rows = Vec::with_capacity(self.spec.hidden.next_multiple_of(UNITS) * self.spec.inputs);
        for part in &self.parts {
            for block in &lock(part).blocks {
                (0..UNITS).for_each(|row| rows.extend_from_slice(of(block).row(row)));
            }
        }
        rows.truncate(self.spec.hidden * self.spec.inputs);
        rows
    }

    /// Puts the columns of all blocks side by side, [classes × hidden].
    fn columns(&self, of: impl Fn(&Block) -> &Matrix) -> Vec<f32> {
        let hidden = self.spec.hidden;
        let mut rows = vec![0.0; self.spec.classes * hidden];
        for part in &self.parts {
            let part = lock(part);
            for (number, block) in part.numbers.clone().zip(&part.blocks) {
                let own = number * UNITS..hidden.min((number + 1) * UNITS);
                for class in 0..self.spec.classes {
                    rows[class * hidden..][own.clone()].copy_from_slice(&of(block).row(class)[..own.len()]);
                }
            }
        }
        rows
    }
}
