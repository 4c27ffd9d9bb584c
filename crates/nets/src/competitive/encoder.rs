//! Features of a hidden layer, h = (max(W·v, 0) / scale)^n: what stands between a learned layer and its readout.
//!
//! Plainly: the currents of a block of samples, then the power, then the next block. Workers take blocks of samples as
//! they become free; a sample is computed by one worker alone, so the bits do not depend on who takes which. Plain W here,
//! not the powers of W that learning ranks with.

use crate::error::{Error, Result};
use crate::eval::{check_inputs, check_out};
use crate::learner::Encoder;
use rivalry_core::ops::{self, Exponent};
use rivalry_core::{Compute, Inputs, Layer, Matrix};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Samples of a block: enough that a row of W, once read, serves many of them.
const BLOCK: usize = 96;

/// How features are made from currents.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FeatureSpec {
    /// The exponent n of eq. 1.
    pub power_n: f64,
    /// The current that counts as 1.
    pub current_scale: f64,
}

/// A hidden layer as an encoder. Units that shall not take part are left out with [`Layer::select`].
///
/// # Example
/// ```
/// use rivalry_core::{Compute, Inputs, Kernels, Layer};
/// use rivalry_nets::{Encoder, FeatureSpec, LayerEncoder};
/// let layer = Layer::from_rows(2, 2, &[1.0, 0.0, 0.0, -1.0])?;
/// let encoder = LayerEncoder::new(layer, FeatureSpec { power_n: 2.0, current_scale: 1.0 })?;
/// let compute = Compute::new(Some(1), Kernels::best())?;
/// let features = encoder.features(&compute, &Inputs::f32(&[3.0, 5.0], 2)?)?;
/// assert_eq!(features.row(0), [9.0, 0.0]);
/// # Ok::<(), rivalry_nets::Error>(())
/// ```
#[derive(Debug)]
pub struct LayerEncoder {
    layer: Layer,
    spec: FeatureSpec,
}

impl LayerEncoder {
    /// Puts a layer and the form of its features together.
    ///
    /// # Errors
    /// [`Error::Invalid`] unless n and the scale are finite and above 0.
    pub fn new(layer: Layer, spec: FeatureSpec) -> Result<LayerEncoder> {
        for (what, value) in [("power_n", spec.power_n), ("current_scale", spec.current_scale)] {
            if !(value.is_finite() && value > 0.0) {
                return Err(Error::invalid(format!("{what} = {value} is not a finite number above 0")));
            }
        }
        Ok(LayerEncoder { layer, spec })
    }

    /// How currents become features.
    pub fn spec(&self) -> FeatureSpec {
        self.spec
    }

    /// The layer.
    pub fn layer(&self) -> &Layer {
        &self.layer
    }
}

impl Encoder for LayerEncoder {
    fn width(&self) -> usize {
        self.layer.hidden()
    }

    /// Computes h = (max(I, 0) / scale)^n with I = c Σ W x and c the scale of the sample.
    ///
    /// Source: Krotov & Hopfield 2019, eq. 1; the scale is ours (the paper has 1).
    ///
    /// # Shapes
    /// `inputs` [samples × inputs], `out` [samples × hidden].
    ///
    /// # Numerics
    /// Scores in the canonical order of rivalry-core; the same bits for any number of threads and instruction set.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a shape does not fit; [`Error::Overflow`] if a feature is not finite.
    ///
    /// # Allocates
    /// A block of samples and of features for each worker.
    fn encode(&self, compute: &Compute, inputs: &Inputs<'_>, out: &mut Matrix) -> Result<()> {
        check_inputs(inputs, self.layer.inputs())?;
        check_out(out, inputs.samples(), self.width())?;
        let exponent = Exponent::new(self.spec.power_n);
        let rows = Mutex::new(out.rows_mut().enumerate());
        let currents = Currents { compute, layer: &self.layer, inputs };
        let overflows = compute.map(|_| {
            let mut block = currents.block();
            loop {
                // The lock is held while row addresses are taken, not while anything is computed.
                let own: Vec<(usize, &mut [f32])> =
                    rows.lock().unwrap_or_else(PoisonError::into_inner).by_ref().take(BLOCK).collect();
                let &(first, _) = own.first()?;
                currents.score(first..first + own.len(), &mut block);
                for (row, (sample, features)) in own.into_iter().enumerate() {
                    let factor = (f64::from(inputs.scale(sample)) / self.spec.current_scale) as f32;
                    ops::rectified_power(compute.kernels(), &mut block.scores, row..row + 1, factor, exponent);
                    if let Some(unit) = block.scores.row(row).iter().position(|h| !h.is_finite()) {
                        return Some((sample, unit, block.scores.row(row)[unit]));
                    }
                    features.copy_from_slice(block.scores.row(row));
                }
            }
        });
        match overflows.into_iter().flatten().min_by_key(|&(sample, unit, _)| (sample, unit)) {
            None => Ok(()),
            Some((sample, unit, found)) => {
                let message = format!("the feature of unit {unit} for sample {sample} is {found}");
                let hint = "scale the currents (current_scale = \"auto\") or lower power_n";
                Err(Error::Overflow { message, hint })
            }
        }
    }
}

/// The scores s = Σ W x of a layer for blocks of samples.
struct Currents<'a> {
    compute: &'a Compute,
    layer: &'a Layer,
    inputs: &'a Inputs<'a>,
}

/// The working memory of one worker.
struct Block {
    staged: Matrix,
    scores: Matrix,
}

impl Currents<'_> {
    fn block(&self) -> Block {
        let samples = BLOCK.min(self.inputs.samples());
        Block {
            staged: Matrix::zeros(samples, self.inputs.inputs()),
            scores: Matrix::zeros(samples, self.layer.hidden()),
        }
    }

    /// Writes the scores of some samples into the first rows of the block.
    fn score(&self, samples: Range<usize>, block: &mut Block) {
        let kernels = self.compute.kernels();
        let rows = self.inputs.stage_all(kernels, samples, &mut block.staged);
        ops::gemm_nt_into(kernels, self.layer.panel(0, self.layer.hidden()), rows, &mut block.scores, [0, 0]);
    }
}

/// The mean over the samples of the largest current of each, max(I, 0): the scale that puts the winner's feature near 1.
///
/// # Errors
/// [`Error::Invalid`] if a sample has another length than the units, there is none, or no current is above 0.
///
/// # Numerics
/// Maxima are exact; their mean is taken in f64 in the order of the samples.
pub fn mean_largest_current(compute: &Compute, layer: &Layer, inputs: &Inputs<'_>) -> Result<f64> {
    check_inputs(inputs, layer.inputs())?;
    let currents = Currents { compute, layer, inputs };
    let largest = compute.map(|worker| {
        let own = rivalry_core::range_of(inputs.samples(), BLOCK, worker, compute.threads());
        let (mut block, mut largest) = (currents.block(), Vec::with_capacity(own.len()));
        for first in own.clone().step_by(BLOCK) {
            let samples = first..own.end.min(first + BLOCK);
            currents.score(samples.clone(), &mut block);
            largest.extend(samples.enumerate().map(|(row, sample)| {
                // A NaN stays, where `f32::max` would drop it.
                let larger = |a: f32, b: f32| if b > a || b.is_nan() { b } else { a };
                let score = block.scores.row(row).iter().copied().fold(0.0, larger);
                f64::from(score) * f64::from(inputs.scale(sample))
            }));
        }
        largest
    });
    let mean = largest.iter().flatten().sum::<f64>() / inputs.samples() as f64;
    if mean.is_finite() && mean > 0.0 {
        Ok(mean)
    } else {
        Err(Error::invalid(format!("the mean largest current is {mean}, so no unit can be driven by these samples")))
    }
}
