//! Features of a learned layer, h = (max(W·v, 0) / scale)^n, computed once for a whole data set.
//!
//! Each worker owns a range of columns (hidden units) for every sample, in whole blocks of `BLOCK`: it computes them,
//! and the readout lets it keep them, so a feature is read only by the core whose memory it lies near. Plain W here, not
//! the powers that learning ranks with.

use crate::error::{Error, Result};
use rivalry_core::ops::{self, Exponent};
use rivalry_core::{Compute, Inputs, Kernels, Layer, Matrix, Panel, range_of};
use std::ops::Range;

/// Columns whose share of a sum is added up on its own; shares are then added in order, whoever computed them.
pub(crate) const BLOCK: usize = 256;

/// Examples that are staged as f32 at once.
const STAGED: usize = 96;

/// How features are made from currents.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FeatureSpec {
    /// The exponent n of eq. 1.
    pub power_n: f64,
    /// The current that counts as 1.
    pub current_scale: f64,
}

/// The features of every sample [samples × hidden], divided among the workers by columns.
#[derive(Debug)]
pub struct Features {
    samples: usize,
    hidden: usize,
    parts: Vec<Part>,
}

/// The columns of one worker.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) columns: Range<usize>,
    pub(crate) values: Matrix,
}

impl Part {
    /// Blocks of [`BLOCK`] columns, of which the last may be smaller.
    pub(crate) fn blocks(&self) -> usize {
        self.columns.len().div_ceil(BLOCK)
    }

    /// The own columns of some samples, in their order.
    pub(crate) fn gather<'a>(&'a self, samples: &'a [u32]) -> Panel<'a> {
        self.values.panel(0, self.values.rows()).gather(samples)
    }
}

impl Features {
    /// Computes h = (max(I, 0) / scale)^n with I = c Σ W x and c the scale of the example.
    ///
    /// Source: Krotov & Hopfield 2019, eq. 1.
    ///
    /// # Shapes
    /// The result is [samples × hidden].
    ///
    /// # Numerics
    /// Scores in the canonical order of rivalry-core; the same bits for any number of threads and instruction set.
    ///
    /// # Errors
    /// [`Error::Value`] unless n and the scale are finite and above 0, or if an example has another length than the
    /// units; [`Error::Overflow`] if a feature is not finite.
    ///
    /// # Allocates
    /// samples · hidden floats.
    ///
    /// # Example
    /// ```
    /// use rivalry_core::{Compute, Inputs, Kernels, Layer};
    /// use rivalry_nets::{FeatureSpec, Features};
    /// let layer = Layer::from_rows(2, 2, &[1.0, 0.0, 0.0, -1.0])?;
    /// let inputs = Inputs::f32(&[3.0, 5.0], 2)?;
    /// let spec = FeatureSpec { power_n: 2.0, current_scale: 1.0 };
    /// let features = Features::compute(&Compute::new(Some(1), Kernels::best())?, &layer, &inputs, spec)?;
    /// assert_eq!(features.row(0), [9.0, 0.0]);
    /// # Ok::<(), rivalry_nets::Error>(())
    /// ```
    pub fn compute(compute: &Compute, layer: &Layer, inputs: &Inputs<'_>, spec: FeatureSpec) -> Result<Features> {
        check(layer, inputs)?;
        for (what, value) in [("power_n", spec.power_n), ("current_scale", spec.current_scale)] {
            if !(value.is_finite() && value > 0.0) {
                return Err(Error::value(what, "a finite number above 0", value));
            }
        }
        let parts = compute.map(|worker| {
            let columns = range_of(layer.hidden(), BLOCK, worker, compute.threads());
            compute_part(compute.kernels(), layer, inputs, spec, columns)
        });
        let parts = parts.into_iter().collect::<Result<Vec<Part>>>()?;
        Ok(Features { samples: inputs.samples(), hidden: layer.hidden(), parts })
    }

    /// Takes the inputs themselves for features, h = c x: what a readout sees that has no hidden layer below it.
    ///
    /// # Shapes
    /// The result is [samples × inputs].
    ///
    /// # Numerics
    /// One rounding; the same bits for any number of threads and instruction set.
    ///
    /// # Allocates
    /// samples · inputs floats.
    ///
    /// # Example
    /// ```
    /// use rivalry_core::{Compute, Inputs, Kernels};
    /// use rivalry_nets::Features;
    /// let inputs = Inputs::f32(&[3.0, 4.0], 2)?;
    /// let scales = inputs.unit_length_scales();
    /// let features = Features::of_inputs(&Compute::new(Some(1), Kernels::best())?, &inputs.with_scales(&scales)?);
    /// assert_eq!(features.row(0), [0.6, 0.8]);
    /// # Ok::<(), rivalry_nets::Error>(())
    /// ```
    pub fn of_inputs(compute: &Compute, inputs: &Inputs<'_>) -> Features {
        let parts = compute.map(|worker| {
            let columns = range_of(inputs.inputs(), BLOCK, worker, compute.threads());
            let mut values = Matrix::zeros(inputs.samples(), columns.len());
            let mut staged = Matrix::zeros(1, inputs.inputs());
            for sample in 0..inputs.samples() {
                inputs.stage(compute.kernels(), sample, &mut staged, 0);
                let scale = inputs.scale(sample);
                for (value, x) in values.row_mut(sample).iter_mut().zip(&staged.row(0)[columns.clone()]) {
                    *value = scale * x;
                }
            }
            Part { columns, values }
        });
        Features { samples: inputs.samples(), hidden: inputs.inputs(), parts }
    }

    /// The number of samples.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// The number of features of a sample.
    pub fn hidden(&self) -> usize {
        self.hidden
    }

    /// The features of one sample.
    ///
    /// # Panics
    /// If `sample` is not below [`Features::samples`].
    pub fn row(&self, sample: usize) -> Vec<f32> {
        self.parts.iter().flat_map(|part| part.values.row(sample).iter().copied()).collect()
    }

    /// The columns of each worker, in order.
    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }
}

fn compute_part(
    kernels: &Kernels,
    layer: &Layer,
    inputs: &Inputs<'_>,
    spec: FeatureSpec,
    columns: Range<usize>,
) -> Result<Part> {
    let mut values = Matrix::zeros(inputs.samples(), columns.len());
    let units = layer.panel(columns.start, columns.len());
    let exponent = Exponent::new(spec.power_n);
    let mut staged = Matrix::zeros(STAGED, inputs.inputs());
    for first in (0..inputs.samples()).step_by(STAGED) {
        let examples = STAGED.min(inputs.samples() - first);
        let rows = inputs.stage_all(kernels, first..first + examples, &mut staged);
        ops::gemm_nt_into(kernels, units, rows, &mut values, [first, 0]);
        for sample in first..first + examples {
            let factor = (f64::from(inputs.scale(sample)) / spec.current_scale) as f32;
            ops::rectified_power(kernels, &mut values, sample..sample + 1, factor, exponent);
            if let Some(at) = values.row(sample).iter().position(|h| !h.is_finite()) {
                let found = format!("{} at sample {sample}, unit {}", values.row(sample)[at], columns.start + at);
                let hint = "scale the currents (current_scale = \"auto\") or lower power_n";
                return Err(Error::Overflow { what: "features", found, hint });
            }
        }
    }
    Ok(Part { columns, values })
}

/// The mean over the examples of the largest current of each, max(I, 0): the scale that puts the winner's feature near 1.
///
/// # Errors
/// [`Error::Value`] if an example has another length than the units, there is none, or no current is above 0.
///
/// # Numerics
/// Maxima are exact; their mean is taken in f64 in the order of the examples.
pub fn mean_largest_current(compute: &Compute, layer: &Layer, inputs: &Inputs<'_>) -> Result<f64> {
    check(layer, inputs)?;
    let largest = compute.map(|worker| {
        let samples = range_of(inputs.samples(), STAGED, worker, compute.threads());
        let mut staged = Matrix::zeros(STAGED, inputs.inputs());
        let mut scores = Matrix::zeros(STAGED, layer.hidden());
        let mut largest = Vec::with_capacity(samples.len());
        for first in samples.clone().step_by(STAGED) {
            let examples = STAGED.min(samples.end - first);
            let rows = inputs.stage_all(compute.kernels(), first..first + examples, &mut staged);
            ops::gemm_nt_into(compute.kernels(), layer.panel(0, layer.hidden()), rows, &mut scores, [0, 0]);
            for row in 0..examples {
                let score = scores.row(row).iter().copied().fold(0.0, f32::max);
                largest.push(f64::from(score) * f64::from(inputs.scale(first + row)));
            }
        }
        largest
    });
    let mean = largest.iter().flatten().sum::<f64>() / inputs.samples() as f64;
    if mean.is_finite() && mean > 0.0 {
        Ok(mean)
    } else {
        Err(Error::value("mean largest current", "a finite number above 0", mean))
    }
}

fn check(layer: &Layer, inputs: &Inputs<'_>) -> Result<()> {
    if layer.inputs() == inputs.inputs() {
        Ok(())
    } else {
        Err(Error::value("inputs of an example", layer.inputs().to_string(), inputs.inputs()))
    }
}
