//! The weights of a shard, and what is kept beside them: powers for p ≠ 2, digits where scores are screened.

use crate::isa::Kernels;
use crate::kernels::IntegerNorm;
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
    /// Whether the powers are those of the weights. While scores are screened, p = 3, 4, 5 does without.
    current: bool,
    screen: Option<Screen>,
    /// No weight has a larger magnitude.
    largest: f64,
}

/// What scores are made with: w′, stored, or to be computed from the weights.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scored<'a> {
    pub(crate) rows: &'a Matrix,
    pub(crate) power: Option<IntegerNorm>,
}

impl Rows {
    /// Copies the units of a range out of a layer.
    pub(crate) fn new(units: Range<usize>, layer: &Layer, rule: &Rule) -> Rows {
        let mut weights = Matrix::zeros(units.len(), layer.inputs());
        for (row, unit) in units.clone().enumerate() {
            weights.row_mut(row).copy_from_slice(layer.row(unit));
        }
        let powers = rule.has_powers().then(|| Matrix::zeros(units.len(), layer.inputs()));
        let largest = largest(&weights);
        Rows { current: powers.is_none(), weights, powers, screen: None, largest }
    }

    pub(crate) fn weights(&self) -> &Matrix {
        &self.weights
    }

    /// Whether every weight stays finite when none of them changes by more than `rate` and its rounding. The bound on the
    /// weights grows with every call and is measured again where it grew too large, so the answer is exact in `largest`.
    pub(crate) fn stay_finite(&mut self, rate: f32) -> bool {
        const LIMIT: f64 = f32::MAX as f64 / 1.01;
        let rate = f64::from(rate);
        if self.largest + rate > LIMIT {
            self.largest = largest(&self.weights);
            if self.largest + rate > LIMIT {
                return false;
            }
        }
        self.largest += 1.01 * rate;
        true
    }

    /// Has scores screened from now on, by `screen`, or no longer.
    pub(crate) fn set_screen(&mut self, screen: Option<Screen>) {
        self.screen = screen;
    }

    /// Whether there is a screen.
    pub(crate) fn screens(&self) -> bool {
        self.screen.is_some()
    }

    /// What scores are made with, and the screen if the next minibatch is to be screened.
    pub(crate) fn begin(&mut self, kernels: &Kernels, rule: &Rule) -> (Scored<'_>, Option<&mut Screen>) {
        let Rows { weights, powers, current, screen, .. } = self;
        let stored = screen.as_ref().is_none_or(|screen| !screen.is_due()) || rule.whole().is_none();
        if let Some(powers) = powers.as_mut().filter(|_| stored && !*current) {
            for row in 0..weights.rows() {
                rule.power(kernels, weights.lanes(row), powers.lanes_mut(row));
            }
            *current = true;
        }
        let scored = match powers {
            Some(powers) if stored => Scored { rows: powers, power: None },
            _ => Scored { rows: weights, power: rule.whole() },
        };
        (scored, screen.as_mut().and_then(|screen| screen.begin(kernels, scored).then_some(screen)))
    }

    /// Has the weights of a row changed and renews what is kept beside them, while the row is in the first-level cache.
    pub(crate) fn change(&mut self, kernels: &Kernels, rule: &Rule, row: usize, change: impl FnOnce(&mut [Lanes])) {
        let Rows { weights, powers, current, screen, .. } = self;
        change(weights.lanes_mut(row));
        let screened = screen.as_mut().filter(|screen| screen.screens());
        let power = rule.whole().filter(|_| screened.is_some());
        match powers {
            Some(powers) if power.is_none() => rule.power(kernels, weights.lanes(row), powers.lanes_mut(row)),
            _ => *current = powers.is_none(),
        }
        if let Some(screen) = screened {
            let rows = powers.as_ref().filter(|_| power.is_none()).unwrap_or(weights);
            screen.renew(kernels, Scored { rows, power }, row);
        }
    }
}

/// The largest magnitude in a matrix.
fn largest(weights: &Matrix) -> f64 {
    let rows = (0..weights.rows()).flat_map(|row| weights.row(row));
    f64::from(rows.fold(0.0_f32, |largest, w| largest.max(w.abs())))
}
