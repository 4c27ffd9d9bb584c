//! From pixels of a patch to a vector of unit length: contrast normalised, whitened, scaled.
//!
//! ```text
//! x = (pixels − their mean) / √(their variance + floor)
//! z = Z (x − m)            Z = V (Λ + ε)^(−1/2) Vᵀ of the covariance V Λ Vᵀ of a sample, m its mean
//! u = z / ‖z‖              0 where z is 0
//! ```

use crate::error::{Error, Result};
use crate::eval::unit_length;
use crate::learner::{State, Tensor};
use crate::patches::eigen;
use crate::readout::normal::NormalEquations;
use rivalry_core::{Compute, Inputs, Kernels, Matrix, Panel, ops, range_of};

/// Patches of a block.
const BLOCK: usize = 256;

/// How patches are normalised, with the mean and the whitening matrix of a sample of them.
///
/// # Example
/// ```
/// use rivalry_core::{Compute, Kernels, Random};
/// use rivalry_nets::{ChannelOrder, ImageShape, PatchSample, Whitening};
/// let shape = ImageShape { height: 8, width: 8, channels: 1, order: ChannelOrder::Planes };
/// let images: Vec<u8> = (0..20 * 64).map(|i| (i * i % 251) as u8).collect();
/// let sample = PatchSample::draw(&images, shape, 3, 500, &mut Random::keyed(1, "patches", 0))?;
/// let compute = Compute::new(Some(2), Kernels::best())?;
/// let whitening = Whitening::fit(&compute, &sample, 10.0, 0.1)?;
/// let patches = whitening.apply(&compute, &sample)?; // the rows that filters are learned from
/// let length: f32 = patches.row(7).iter().map(|x| x * x).sum();
/// assert!((length - 1.0).abs() < 1e-5);
/// # Ok::<(), rivalry_nets::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Whitening {
    var_floor: f64,
    mean: Vec<f32>,
    /// Z [inputs × inputs]
    matrix: Matrix,
}

/// Raw pixels of patches, [patches × inputs], in the order (row, column, channel).
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawPatches<'a> {
    pub(crate) pixels: &'a [u8],
    pub(crate) inputs: usize,
}

impl Whitening {
    /// Puts the floor of the variance, the mean and the matrix Z [inputs × inputs], row by row, together.
    ///
    /// # Errors
    /// [`Error::Invalid`] unless the floor is finite and above 0, the sizes fit, and all numbers are finite.
    pub fn new(var_floor: f64, mean: Vec<f32>, matrix: &[f32]) -> Result<Whitening> {
        check_above_zero("var_floor", var_floor)?;
        let inputs = mean.len();
        if inputs == 0 || matrix.len() != inputs * inputs {
            let found = matrix.len();
            return Err(Error::invalid(format!("a whitening of {inputs} inputs needs {inputs}² numbers, not {found}")));
        }
        if mean.iter().chain(matrix).any(|value| !value.is_finite()) {
            return Err(Error::invalid("a number of the whitening is not finite"));
        }
        let mut rows = Matrix::zeros(inputs, inputs);
        for (i, row) in matrix.chunks_exact(inputs).enumerate() {
            rows.row_mut(i).copy_from_slice(row);
        }
        Ok(Whitening { var_floor, mean, matrix: rows })
    }

    /// Computes mean and Z of a sample of patches.
    ///
    /// Source: Coates, Ng & Lee 2011, section 3.2: floor 10 and ε = 0.1 for pixels 0 … 255.
    ///
    /// # Numerics
    /// Covariance summed in f32, eigenvectors in f64 by plain loops: the same bits for any number of threads and on every
    /// machine.
    ///
    /// # Errors
    /// [`Error::Invalid`] unless floor and ε are finite and above 0.
    ///
    /// # Allocates
    /// The normalised sample.
    pub fn fit(compute: &Compute, sample: &crate::PatchSample, var_floor: f64, epsilon: f64) -> Result<Whitening> {
        check_above_zero("var_floor", var_floor)?;
        check_above_zero("epsilon", epsilon)?;
        let raw = sample.raw();
        let mut rows = Matrix::zeros(sample.patches(), raw.inputs);
        for (patch, row) in rows.rows_mut().enumerate() {
            normalise(raw.patch(patch), var_floor, row);
        }
        let mut equations = NormalEquations::unlabelled(raw.inputs, 0)?;
        equations.add_all(compute, &Inputs::matrix(&rows)?, &[])?;
        let (means, size) = (equations.means(), raw.inputs);
        let covariance = |at: usize| equations.covariance(at / size, at % size, &means);
        let (values, vectors) = eigen::symmetric((0..size * size).map(covariance).collect(), size);
        // Rounding may leave an eigenvalue of a direction without variance just below 0.
        let scales: Vec<f64> = values.iter().map(|value| 1.0 / libm::sqrt(value.max(0.0) + epsilon)).collect();
        let entry = |at: usize| -> f32 {
            let (i, j) = (at / size, at % size);
            let terms =
                scales.iter().enumerate().map(|(k, scale)| scale * vectors[k * size + i] * vectors[k * size + j]);
            terms.sum::<f64>() as f32
        };
        let matrix: Vec<f32> = (0..size * size).map(entry).collect();
        Whitening::new(var_floor, means.iter().map(|&mean| mean as f32).collect(), &matrix)
    }

    /// Values of a patch.
    pub fn inputs(&self) -> usize {
        self.mean.len()
    }

    /// Normalises, whitens and scales every patch of a sample to unit length.
    ///
    /// # Shapes
    /// The result is [patches × inputs].
    ///
    /// # Errors
    /// [`Error::Invalid`] if patches have another size.
    pub fn apply(&self, compute: &Compute, sample: &crate::PatchSample) -> Result<Matrix> {
        let raw = sample.raw();
        if raw.inputs != self.inputs() {
            let (found, needed) = (raw.inputs, self.inputs());
            return Err(Error::invalid(format!("a patch has {found} values, the whitening is for {needed}")));
        }
        let parts = compute.map(|worker| {
            let own = range_of(sample.patches(), BLOCK, worker, compute.threads());
            let mut normalised = Matrix::zeros(BLOCK, raw.inputs);
            let (mut block, mut rows) = (Matrix::zeros(BLOCK, raw.inputs), Vec::with_capacity(own.len() * raw.inputs));
            for first in own.clone().step_by(BLOCK) {
                let patches = first..own.end.min(first + BLOCK);
                for (row, patch) in patches.clone().enumerate() {
                    self.centre(raw.patch(patch), normalised.row_mut(row));
                }
                self.whiten(compute.kernels(), normalised.panel(0, patches.len()), &mut block);
                (0..patches.len()).for_each(|row| rows.extend_from_slice(block.row(row)));
            }
            rows
        });
        let mut out = Matrix::zeros(sample.patches(), raw.inputs);
        let rows = parts.iter().flat_map(|rows| rows.chunks_exact(raw.inputs));
        out.rows_mut().zip(rows).for_each(|(to, row)| to.copy_from_slice(row));
        Ok(out)
    }

    /// Writes x − m of a patch.
    pub(crate) fn centre(&self, pixels: &[u8], row: &mut [f32]) {
        normalise(pixels, self.var_floor, row);
        row.iter_mut().zip(&self.mean).for_each(|(x, mean)| *x -= mean);
    }

    /// Writes u of some rows x − m into the first rows of a matrix.
    pub(crate) fn whiten(&self, kernels: &Kernels, centred: Panel<'_>, out: &mut Matrix) {
        let patches = centred.rows();
        ops::gemm_nt_into(kernels, self.matrix.panel(0, self.inputs()), centred, out, [0, 0]);
        for row in 0..patches {
            unit_length(out.row_mut(row));
        }
    }

    /// Its tensors in a state of their own: `patch_mean` and `patch_whitening`.
    pub fn state(&self) -> State {
        let mut state = State::default();
        self.add_to(&mut state);
        state
    }

    /// Adds `patch_mean` `[inputs]` and `patch_whitening` [inputs × inputs].
    pub(crate) fn add_to(&self, state: &mut State) {
        let inputs = self.inputs();
        state.insert("patch_mean", Tensor::new([inputs], self.mean.clone()));
        state.insert("patch_whitening", Tensor::new([inputs, inputs], self.matrix.to_rows()));
    }

    pub(crate) fn from_state(state: &State, var_floor: f64, inputs: usize) -> Result<Whitening> {
        let mean = state.f32("patch_mean", &[inputs])?.to_vec();
        Whitening::new(var_floor, mean, state.f32("patch_whitening", &[inputs, inputs])?)
    }
}

impl<'a> RawPatches<'a> {
    fn patch(self, patch: usize) -> &'a [u8] {
        &self.pixels[patch * self.inputs..][..self.inputs]
    }
}

/// Writes (pixel − mean) / √(variance + floor). Sums of pixels are integers, so that only the last step rounds.
fn normalise(pixels: &[u8], var_floor: f64, row: &mut [f32]) {
    let count = pixels.len() as i32;
    let (mut sum, mut squares) = (0_i32, 0_i64);
    for &pixel in pixels {
        sum += i32::from(pixel);
        squares += i64::from(i32::from(pixel) * i32::from(pixel));
    }
    let deviations = i64::from(count) * squares - i64::from(sum) * i64::from(sum);
    let variance = deviations as f64 / (f64::from(count) * f64::from(count));
    let scale = (1.0 / (libm::sqrt(variance + var_floor) * f64::from(count))) as f32;
    for (x, &pixel) in row.iter_mut().zip(pixels) {
        *x = (count * i32::from(pixel) - sum) as f32 * scale;
    }
}

fn check_above_zero(what: &str, value: f64) -> Result<()> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(Error::invalid(format!("{what} = {value} is not a finite number above 0")))
}
