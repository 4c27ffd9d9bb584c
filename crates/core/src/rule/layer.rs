//! The weights of a hidden layer [hidden × inputs], and what can be seen of their health.

use crate::error::{Error, Result};
use crate::matrix::{Matrix, Panel};
use crate::random::Random;

/// How far Σ|W|^p may be from 1 for a unit to count as on the sphere.
const SPHERE_TOLERANCE: f64 = 0.05;

/// Weights of the largest layer, 16 GiB of them: a mistyped size is an error, not an allocation that fails.
const MOST_WEIGHTS: u64 = 1 << 32;

/// The weights of a hidden layer; row μ holds the incoming weights of unit μ.
#[derive(Debug, Clone)]
pub struct Layer {
    weights: Matrix,
}

/// The health of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Diagnostics {
    /// Units that converged: | Σ|W|^p − 1 | < 0.05.
    pub on_sphere: usize,
    /// Units with negative mean weight: most sit in the false attractor at −v.
    pub negative_units: usize,
}

impl Layer {
    /// Draws weights from N(0, sigma²), unit by unit.
    ///
    /// # Errors
    /// [`Error::Value`] if a size is zero, there are more than 2³¹ units or 2³² weights, or sigma is not finite or negative.
    ///
    /// # Example
    /// ```
    /// use rivalry_core::{Layer, Random};
    /// let layer = Layer::normal(10, 784, 1.0, &mut Random::keyed(1, "weights", 0))?;
    /// assert_eq!((layer.hidden(), layer.inputs()), (10, 784));
    /// # Ok::<(), rivalry_core::Error>(())
    /// ```
    pub fn normal(hidden: usize, inputs: usize, sigma: f64, random: &mut Random) -> Result<Layer> {
        check_sizes(hidden, inputs)?;
        if !(sigma.is_finite() && sigma >= 0.0) {
            return Err(Error::value("init_sigma", "a finite number of at least 0", sigma));
        }
        let mut weights = Matrix::zeros(hidden, inputs);
        for unit in 0..hidden {
            weights.row_mut(unit).fill_with(|| (sigma * random.normal()) as f32);
        }
        Ok(Layer { weights })
    }

    /// Copies weights given row by row.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there are hidden · inputs of them; [`Error::Value`] as [`Layer::normal`], or if one is not
    /// finite.
    pub fn from_rows(hidden: usize, inputs: usize, rows: &[f32]) -> Result<Layer> {
        check_sizes(hidden, inputs)?;
        if hidden.checked_mul(inputs) != Some(rows.len()) {
            return Err(Error::shape("weights", format!("{hidden} x {inputs} numbers"), rows.len()));
        }
        if let Some(at) = rows.iter().position(|weight| !weight.is_finite()) {
            let found = format!("{} at unit {}, input {}", rows[at], at / inputs, at % inputs);
            return Err(Error::value("a weight", "a finite number", found));
        }
        let mut weights = Matrix::zeros(hidden, inputs);
        for (unit, row) in rows.chunks_exact(inputs).enumerate() {
            weights.row_mut(unit).copy_from_slice(row);
        }
        Ok(Layer { weights })
    }

    /// Takes a matrix of weights.
    pub(crate) fn from_matrix(weights: Matrix) -> Layer {
        Layer { weights }
    }

    /// The number of units.
    pub fn hidden(&self) -> usize {
        self.weights.rows()
    }

    /// The number of inputs.
    pub fn inputs(&self) -> usize {
        self.weights.columns()
    }

    /// The weights of one unit.
    ///
    /// # Panics
    /// If `unit` is not below [`Layer::hidden`].
    pub fn row(&self, unit: usize) -> &[f32] {
        self.weights.row(unit)
    }

    /// Units `first .. first + units` for the score kernel.
    ///
    /// # Panics
    /// If they are not all there.
    pub fn panel(&self, first: usize, units: usize) -> Panel<'_> {
        self.weights.panel(first, units)
    }

    /// All weights row by row, without padding.
    ///
    /// # Allocates
    /// hidden · inputs floats.
    pub fn to_rows(&self) -> Vec<f32> {
        self.weights.to_rows()
    }

    /// A layer of some of the units, in the given order.
    ///
    /// # Panics
    /// If a unit is not below [`Layer::hidden`].
    pub fn select(&self, units: &[usize]) -> Layer {
        let mut weights = Matrix::zeros(units.len(), self.inputs());
        for (row, &unit) in units.iter().enumerate() {
            weights.row_mut(row).copy_from_slice(self.row(unit));
        }
        Layer { weights }
    }

    /// Counts the units that converged and those of negative mean weight.
    ///
    /// Source: eqs. 4–5, by which Σ|W|^p of every unit that learns tends to 1.
    pub fn diagnostics(&self, p: f64) -> Diagnostics {
        let negative = |unit: &usize| self.row(*unit).iter().map(|&w| f64::from(w)).sum::<f64>() < 0.0;
        Diagnostics { on_sphere: self.converged(p).len(), negative_units: (0..self.hidden()).filter(negative).count() }
    }

    /// The units on the p-sphere: | Σ|W|^p − 1 | < 0.05.
    pub fn converged(&self, p: f64) -> Vec<usize> {
        (0..self.hidden()).filter(|&unit| (norm(self.row(unit), p) - 1.0).abs() < SPHERE_TOLERANCE).collect()
    }
}

/// Σ|w|^p in f64.
fn norm(row: &[f32], p: f64) -> f64 {
    let power = |w: &f32| {
        let w = f64::from(w.abs());
        match p {
            2.0 => w * w,
            3.0 => w * w * w,
            4.0 => w * w * (w * w),
            5.0 => w * w * (w * w) * w,
            _ => libm::pow(w, p),
        }
    };
    row.iter().map(power).sum()
}

fn check_sizes(hidden: usize, inputs: usize) -> Result<()> {
    if !(1..=1 << 31).contains(&hidden) {
        return Err(Error::value("hidden", "1 to 2147483648 units", hidden));
    }
    if inputs == 0 {
        return Err(Error::value("inputs", "at least 1", inputs));
    }
    if hidden.checked_mul(inputs).is_none_or(|weights| weights as u64 > MOST_WEIGHTS) {
        let expected = format!("at most {MOST_WEIGHTS} weights in all");
        return Err(Error::value("hidden x inputs", expected, format!("{hidden} x {inputs}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diagnostics_count_the_sphere_and_the_negative() {
        let rows = [0.6, 0.8, -0.6, -0.8, 3.0, -1.0];
        let layer = Layer::from_rows(3, 2, &rows).unwrap();
        assert_eq!(layer.diagnostics(2.0), Diagnostics { on_sphere: 2, negative_units: 1 });
        assert_eq!(layer.converged(2.0), [0, 1]);
        assert_eq!(layer.select(&[2, 0]).to_rows(), [3.0, -1.0, 0.6, 0.8]);
        for p in [2.0, 2.5, 3.0, 4.0, 5.0] {
            let exact: f64 = [3.0_f64, 1.0].iter().map(|w| w.powf(p)).sum();
            assert!((norm(&[3.0, -1.0], p) - exact).abs() <= 1e-9 * exact);
        }
    }

    #[test]
    fn bad_weights_are_refused() {
        assert!(Layer::from_rows(2, 2, &[1.0; 3]).is_err());
        assert!(Layer::from_rows(0, 2, &[]).is_err());
        let error = Layer::from_rows(1 << 31, usize::MAX, &[]).unwrap_err();
        assert!(error.to_string().ends_with("but must be at most 4294967296 weights in all"), "{error}");
        let error = Layer::from_rows(2, 2, &[1.0, 1.0, 1.0, f32::NAN]).unwrap_err();
        assert_eq!(error.to_string(), "a weight is NaN at unit 1, input 1, but must be a finite number");
    }
}
