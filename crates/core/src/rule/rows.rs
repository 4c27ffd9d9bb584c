//! The weights of a shard and their powers for p ≠ 2. Weights change only here, so that the powers stay consistent.

use crate::isa::Kernels;
use crate::kernels::IntegerNorm;

use crate::matrix::Matrix;
use crate::rule::layer::Layer;
use crate::rule::parameters::Rule;

use crate::vector::Lanes;
use std::ops::Range;

/// The rows of a shard.
#[derive(Debug)]
pub(crate) struct Rows {
    weights: Matrix,
    powers: Option<Matrix>,
    /// Whether the powers are those of the weights. Screening computes those of p = 3, 4, 5 on the fly.
    current: bool,
    /// No weight has a larger magnitude.
    largest: f64,
}

/// What scores are computed from: w′, stored, or to be computed from the weights.
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
        Rows { current: powers.is_none(), weights, powers, largest }
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

    /// Returns what scores are computed from, up to date, for a minibatch that is screened or not.
    pub(crate) fn refresh(&mut self, kernels: &Kernels, rule: &Rule, screened: bool) -> Scored<'_> {
        let Rows { weights, powers, current, .. } = &mut *self;
        if let Some(powers) = powers.as_mut().filter(|_| !*current && !on_the_fly(rule, screened)) {
            for row in 0..weights.rows() {
                rule.power(kernels, weights.lanes(row), powers.lanes_mut(row));
            }
            *current = true;
        }
        self.scored(rule, screened)
    }

    /// Returns what scores are computed from.
    pub(crate) fn scored(&self, rule: &Rule, screened: bool) -> Scored<'_> {
        match &self.powers {
            Some(powers) if !on_the_fly(rule, screened) => Scored { rows: powers, power: None },
            _ => Scored { rows: &self.weights, power: rule.integer_norm() },
        }
    }

    /// Changes the weights of a row, and its powers while the row is in the first-level cache.
    pub(crate) fn change(
        &mut self,
        kernels: &Kernels,
        rule: &Rule,
        screened: bool,
        row: usize,
        change: impl FnOnce(&mut [Lanes]),
    ) {
        let Rows { weights, powers, current, .. } = self;
        change(weights.lanes_mut(row));
        match powers {
            Some(powers) if !on_the_fly(rule, screened) => {
                rule.power(kernels, weights.lanes(row), powers.lanes_mut(row));
            }
            _ => *current = powers.is_none(),
        }
    }
}

/// Whether powers are computed where they are needed: screening scores so few units exactly that this is cheaper.
fn on_the_fly(rule: &Rule, screened: bool) -> bool {
    screened && rule.integer_norm().is_some()
}

/// The largest magnitude in a matrix.
fn largest(weights: &Matrix) -> f64 {
    let rows = (0..weights.rows()).flat_map(|row| weights.row(row));
    f64::from(rows.fold(0.0_f32, |largest, w| largest.max(w.abs())))
}
