//! Features with mean 0 and standard deviation 1, as readouts with one penalty for all weights want them.

use crate::error::{Error, Result};
use crate::learner::{State, Tensor};
use rivalry_core::{Compute, Elements, Inputs, Matrix, range_of};
use std::sync::{Mutex, PoisonError};

/// Standard deviations below this part of the mean are what rounding leaves of a constant feature.
const CONSTANT: f64 = 1e-6;

/// The mean and the inverse standard deviation of each feature of a training set.
///
/// # Example
/// ```
/// use rivalry_core::{Compute, Inputs, Kernels, Matrix};
/// use rivalry_nets::Standardisation;
/// let compute = Compute::new(Some(1), Kernels::best())?;
/// let mut features = Matrix::zeros(2, 2);
/// features.row_mut(0).copy_from_slice(&[1.0, 7.0]);
/// features.row_mut(1).copy_from_slice(&[5.0, 7.0]);
/// let standardisation = Standardisation::fit(&compute, &Inputs::matrix(&features)?)?;
/// standardisation.apply(&compute, &mut features)?;
/// assert_eq!((features.row(0), features.row(1)), (&[-1.0, 0.0][..], &[1.0, 0.0][..]));
/// # Ok::<(), rivalry_nets::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Standardisation {
    mean: Vec<f32>,
    /// 1 / s.d., or 0 for a constant feature.
    scale: Vec<f32>,
}

impl Standardisation {
    /// Computes mean and standard deviation of every feature of the training set.
    ///
    /// # Numerics
    /// Sums in f64 in the order of the samples: the same bits for any number of threads.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is no sample, or the features are bytes.
    pub fn fit(compute: &Compute, features: &Inputs<'_>) -> Result<Standardisation> {
        let Elements::F32(values) = features.elements() else {
            return Err(Error::invalid("features are floats, these are bytes"));
        };
        if features.samples() == 0 {
            return Err(Error::invalid("there are no samples to standardise by"));
        }
        let samples = features.samples() as f64;
        let parts = compute.map(|worker| {
            let own = range_of(features.inputs(), 16, worker, compute.threads());
            let sums = |of: &dyn Fn(usize, f64) -> f64| {
                let mut sums = vec![0.0; own.len()];
                for row in values.chunks_exact(features.stride()).take(features.samples()) {
                    let row = &row[own.clone()];
                    sums.iter_mut().zip(row).enumerate().for_each(|(at, (sum, &x))| *sum += of(at, f64::from(x)));
                }
                sums.iter_mut().for_each(|sum| *sum /= samples);
                sums
            };
            let means = sums(&|_, x| x);
            let variances = sums(&|at, x| (x - means[at]) * (x - means[at]));
            means.into_iter().zip(variances).collect::<Vec<_>>()
        });
        let (mut mean, mut scale) = (Vec::new(), Vec::new());
        for (average, variance) in parts.into_iter().flatten() {
            let deviation = libm::sqrt(variance);
            mean.push(average as f32);
            scale.push(if deviation > CONSTANT * average.abs() { (1.0 / deviation) as f32 } else { 0.0 });
        }
        Standardisation::new(mean, scale)
    }

    fn new(mean: Vec<f32>, scale: Vec<f32>) -> Result<Standardisation> {
        if mean.iter().chain(&scale).all(|value| value.is_finite()) {
            return Ok(Standardisation { mean, scale });
        }
        Err(Error::invalid("a mean or a standard deviation of the features is not finite"))
    }

    /// The number of features.
    pub fn width(&self) -> usize {
        self.mean.len()
    }

    /// Replaces every feature x by (x − mean) / s.d., and a constant one by 0.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is another number of features.
    pub fn apply(&self, compute: &Compute, features: &mut Matrix) -> Result<()> {
        self.check(features.columns())?;
        let rows = Mutex::new(features.rows_mut());
        compute.map(|_| {
            loop {
                let next = rows.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some(row) = next else { return };
                self.apply_to(row);
            }
        });
        Ok(())
    }

    /// As [`Standardisation::apply`], for one sample.
    pub(crate) fn apply_to(&self, row: &mut [f32]) {
        for ((x, mean), scale) in row.iter_mut().zip(&self.mean).zip(&self.scale) {
            *x = (*x - mean) * scale;
        }
    }

    pub(crate) fn check(&self, width: usize) -> Result<()> {
        if width == self.width() {
            return Ok(());
        }
        let own = self.width();
        Err(Error::invalid(format!("a sample has {width} features, the standardisation is for {own}")))
    }

    /// Adds `feature_mean` and `feature_scale` `[features]`.
    pub(crate) fn add_to(&self, state: &mut State) {
        state.insert("feature_mean", Tensor::new([self.width()], self.mean.clone()));
        state.insert("feature_scale", Tensor::new([self.width()], self.scale.clone()));
    }

    pub(crate) fn from_state(state: &State, width: usize) -> Result<Standardisation> {
        let mean = state.f32("feature_mean", &[width])?.to_vec();
        Standardisation::new(mean, state.f32("feature_scale", &[width])?.to_vec())
    }
}
