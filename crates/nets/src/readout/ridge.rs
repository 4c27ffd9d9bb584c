//! Linear readouts that are solved and not trained step by step: their scores s = W x + b, and the ridge.

use crate::error::{Error, Result};
use crate::eval::{self, check_finite, check_inputs, check_out, check_size};
use crate::learner::{Classifier, State, Tensor};
use crate::readout::normal::NormalEquations;
use crate::workers::all_rows;
use rivalry_core::{Compute, Inputs, Matrix, ops};

/// One score per class, s = W x + b.
#[derive(Debug, Clone)]
pub struct LinearReadout {
    /// W [classes × inputs]
    weights: Matrix,
    bias: Vec<f32>,
}

impl LinearReadout {
    /// Puts W [classes × inputs], row by row, and one bias per class together.
    ///
    /// # Errors
    /// [`Error::Invalid`] unless there are 1 to 256 classes and as many weights for each; [`Error::Overflow`] if one is not
    /// finite.
    pub fn new(weights: &[f32], bias: Vec<f32>) -> Result<LinearReadout> {
        check_size("classes", bias.len(), 1, 256)?;
        let inputs = weights.len() / bias.len();
        if inputs == 0 || inputs * bias.len() != weights.len() {
            return Err(Error::invalid(format!(
                "{} weights do not divide among {} classes",
                weights.len(),
                bias.len()
            )));
        }
        check_finite("readout weights", weights)?;
        check_finite("readout biases", &bias)?;
        let mut matrix = Matrix::zeros(bias.len(), inputs);
        for (class, row) in weights.chunks_exact(inputs).enumerate() {
            matrix.row_mut(class).copy_from_slice(row);
        }
        Ok(LinearReadout { weights: matrix, bias })
    }

    /// Reads what [`LinearReadout::state`] gave.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a tensor is missing or has another shape or type; as [`LinearReadout::new`] otherwise.
    pub fn from_state(state: &State, inputs: usize, classes: usize) -> Result<LinearReadout> {
        let weights = state.f32("readout", &[classes, inputs])?;
        LinearReadout::new(weights, state.f32("readout_bias", &[classes])?.to_vec())
    }

    /// `readout` [classes × inputs] and `readout_bias` `[classes]`.
    pub fn state(&self) -> State {
        let mut state = State::default();
        let shape = [self.weights.rows(), self.weights.columns()];
        state.insert("readout", Tensor::new(shape, self.weights.to_rows()));
        state.insert("readout_bias", Tensor::new([self.bias.len()], self.bias.clone()));
        state
    }

    /// W [classes × inputs].
    pub(crate) fn weights(&self) -> &Matrix {
        &self.weights
    }

    /// b, one for each class.
    pub(crate) fn bias(&self) -> &[f32] {
        &self.bias
    }
}

impl Classifier for LinearReadout {
    fn classes(&self) -> usize {
        self.bias.len()
    }

    /// Computes s = W x + b.
    ///
    /// # Numerics
    /// The same bits for any number of threads and on every instruction set.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a shape does not fit.
    fn scores(&self, compute: &Compute, inputs: &Inputs<'_>, out: &mut Matrix) -> Result<()> {
        let (width, kernels) = (self.weights.columns(), compute.kernels());
        check_inputs(inputs, width)?;
        check_out(out, inputs.samples(), self.classes())?;
        let staged = if inputs.panel().is_some() { 0 } else { eval::BLOCK };
        eval::scores(
            compute,
            inputs,
            out,
            || Matrix::zeros(staged, width),
            |staged, samples, sums| {
                let classes = self.weights.panel(0, self.weights.rows());
                // The roles of units and samples are exchanged, so that the sums of a class lie side by side.
                ops::gemm_nt_into(kernels, all_rows(kernels, samples, staged), classes, sums, [0, 0]);
                for (class, bias) in self.bias.iter().enumerate() {
                    sums.row_mut(class).iter_mut().for_each(|sum| *sum += bias);
                }
            },
        );
        Ok(())
    }
}

impl NormalEquations {
    /// Solves for the readout of least squares with a penalty on its weights.
    ///
    /// minimise 1/n Σ_samples Σ_classes (W x + b − t)² + λ ‖W‖², with t = +1 for the class and −1 for the others:
    /// W = (C + λ 1)⁻¹ cov(x, t), b = mean t − W μ, with μ and C the mean and the covariance of the features.
    ///
    /// Source: Hoerl & Kennard 1970. Here λ stands beside the mean over samples, and the bias has no penalty.
    ///
    /// # Numerics
    /// In f32. The same bits for any number of threads; the factorisation (crate faer) chooses its instructions by the CPU,
    /// so the last bits may differ between two kinds of CPU.
    ///
    /// # Errors
    /// [`Error::Invalid`] unless λ is finite and above 0 and there are samples; [`Error::Overflow`] if λ is too small for the
    /// features to be solved for in f32.
    ///
    /// # Allocates
    /// The square of the number of features in floats.
    pub fn ridge(&self, lambda: f64) -> Result<LinearReadout> {
        let means = self.means();
        let (mut weights, targets) = self.targets(&means);
        self.factor(lambda)?.solve(&mut weights);
        let bias = targets.iter().zip(weights.chunks_exact(self.width())).map(|(target, row)| {
            let shift: f64 = row.iter().zip(&means).map(|(&w, mean)| f64::from(w) * mean).sum();
            (target - shift) as f32
        });
        LinearReadout::new(&weights, bias.collect())
    }
}
