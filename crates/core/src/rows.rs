//! The weights of a shard, and what is kept beside them: powers for p ≠ 2, digits where scores are screened.

use crate::isa::Kernels;
use crate::layer::Layer;
use crate::matrix::Matrix;
use crate::rule::Rule;
use crate::screen::Screen;
use crate::vector::Lanes;
use std::ops::Range;

/// Rows whose parts stay consistent: weights change only here.
#[derive(Debug)]
pub(crate) struct Rows {
    weights: Matrix,
    powers: Option<Matrix>,
    screen: Option<Screen>,
}

impl Rows {
    /// Copies the units of a range out of a layer.
    pub(crate) fn new(units: Range<usize>, layer: &Layer, rule: &Rule, kernels: &Kernels) -> Rows {
        let mut weights = Matrix::zeros(units.len(), layer.inputs());
        for (row, unit) in units.clone().enumerate() {
            weights.row_mut(row).copy_from_slice(layer.row(unit));
        }
        let powers = rule.has_powers().then(|| {
            let mut powers = Matrix::zeros(units.len(), layer.inputs());
            for row in 0..units.len() {
                rule.power(kernels, weights.lanes(row), powers.lanes_mut(row));
            }
            powers
        });
        Rows { weights, powers, screen: None }
    }

    pub(crate) fn weights(&self) -> &Matrix {
        &self.weights
    }

    /// What scores are made with: w′.
    #[cfg(test)]
    pub(crate) fn scored(&self) -> &Matrix {
        self.powers.as_ref().unwrap_or(&self.weights)
    }

    /// Whether there is a screen.
    pub(crate) fn screens(&self) -> bool {
        self.screen.is_some()
    }

    /// Has scores screened from now on, by `screen`, or no longer.
    pub(crate) fn set_screen(&mut self, screen: Option<Screen>) {
        self.screen = screen;
    }

    /// What scores are made with, and the screen if the next minibatch is to be screened.
    pub(crate) fn begin(&mut self, kernels: &Kernels) -> (&Matrix, Option<&mut Screen>) {
        let scored = self.powers.as_ref().unwrap_or(&self.weights);
        let screen = self.screen.as_mut();
        (scored, screen.and_then(|screen| screen.begin(kernels, scored).then_some(screen)))
    }

    /// Adds step · ds to a row and renews what is kept beside it, while the row is in the first-level cache.
    pub(crate) fn apply(&mut self, kernels: &Kernels, rule: &Rule, step: f32, row: usize, change: &[Lanes]) {
        kernels.apply(step, change, self.weights.lanes_mut(row));
        if let Some(powers) = &mut self.powers {
            rule.power(kernels, self.weights.lanes(row), powers.lanes_mut(row));
        }
        if let Some(screen) = &mut self.screen {
            screen.renew(kernels, row, self.powers.as_ref().unwrap_or(&self.weights).lanes(row));
        }
    }
}
