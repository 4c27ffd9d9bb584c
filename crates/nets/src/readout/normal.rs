//! The normal equations of linear readouts: G = Σ x xᵀ and Σ t xᵀ over samples that come in blocks, so that the features of a
//! large data set never have to be in memory at once.
//!
//! ```text
//! for each block of 256 samples:
//!     copy the block once by rows and once transposed, 256 features at a time
//!     for each pair of features' blocks J ≤ I:  G[J, I] += X_Jᵀ X_I       (gemm_tn)
//!     for each J:                               C[J]    += [T, 1]ᵀ X_J    (gemm_tn)
//! ```
//!
//! 1. G is symmetric, so only the blocks J ≤ I are computed: half of the products.
//! 2. A pair of blocks and its result, 256 KiB each, stay in the second-level cache; copied rows of 256 features are not spread
//!    over as many memory pages as whole rows are.
//! 3. Workers take rows of blocks J as they become free, the longest first. Every number of G is summed by one worker, its
//!    samples in order, so the bits do not depend on who takes which.

use crate::error::{Error, Result};
use crate::eval::{check_inputs, check_labels, check_size};
use crate::learner::Labelled;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::{factor, factor::LltError, solve};
use faer::{MatMut, MatRef, Par};
use rivalry_core::{Compute, Elements, Inputs, Matrix, ops};
use std::sync::{Mutex, PoisonError};

/// Features of a block.
const FEATURES: usize = 256;
/// Samples of a block.
const SAMPLES: usize = 256;

/// Sums over samples from which [`NormalEquations::ridge`] and [`NormalEquations::svm`] are solved.
///
/// # Example
/// ```
/// use rivalry_core::{Compute, Inputs, Kernels};
/// use rivalry_nets::{Classifier, Labelled, NormalEquations};
/// let compute = Compute::new(Some(2), Kernels::best())?;
/// let data = Labelled { inputs: Inputs::f32(&[1.0, 0.0, 0.9, 0.1, 0.0, 1.0], 2)?, labels: &[0, 0, 1] };
/// let mut equations = NormalEquations::new(2, 2)?;
/// equations.add(&compute, &data)?; // once for every block of samples
/// let readout = equations.ridge(0.01)?;
/// assert_eq!(readout.predict(&compute, &data.inputs)?, [0, 0, 1]);
/// # Ok::<(), rivalry_nets::Error>(())
/// ```
#[derive(Debug)]
pub struct NormalEquations {
    width: usize,
    classes: usize,
    samples: usize,
    /// The samples of each class.
    counts: Vec<u64>,
    /// G [width × width] row by row, filled from the first feature of the row's block on.
    gram: Vec<f32>,
    /// For each block of features Σ t xᵀ of each class, then Σ xᵀ: [classes + 1 × own features].
    sums: Vec<Matrix>,
    /// For each block of features the current samples.
    blocks: Vec<Block>,
}

/// Some samples, some of their features.
#[derive(Debug)]
struct Block {
    /// [SAMPLES × own features]
    by_sample: Matrix,
    /// The same transposed.
    by_feature: Matrix,
}

impl NormalEquations {
    /// Starts from no samples.
    ///
    /// # Errors
    /// [`Error::Invalid`] unless there are 1 to 256 classes and 1 to 2¹⁷ features.
    ///
    /// # Allocates
    /// The square of `width` in floats, and 2 KiB for each feature.
    pub fn new(width: usize, classes: usize) -> Result<NormalEquations> {
        check_size("classes", classes, 1, 256)?;
        NormalEquations::unlabelled(width, classes)
    }

    /// As [`NormalEquations::new`]; without classes only G and Σ x are summed.
    pub(crate) fn unlabelled(width: usize, classes: usize) -> Result<NormalEquations> {
        check_size("the number of features", width, 1, 1 << 17)?;
        let sizes = (0..width).step_by(FEATURES).map(|first| FEATURES.min(width - first));
        let block = |own| Block { by_sample: Matrix::zeros(SAMPLES, own), by_feature: Matrix::zeros(own, SAMPLES) };
        Ok(NormalEquations {
            width,
            classes,
            samples: 0,
            counts: vec![0; classes],
            gram: vec![0.0; width * width],
            sums: sizes.clone().map(|own| Matrix::zeros(classes + 1, own)).collect(),
            blocks: sizes.map(block).collect(),
        })
    }

    /// The number of samples so far.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// The number of features.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Adds samples with their classes, of which the targets are +1 for the class and −1 for the others.
    ///
    /// # Numerics
    /// Summed in f32: samples in order within blocks of 256, then blocks. The same bits for any number of threads and on every
    /// instruction set; data that is divided among several calls gives the same bits if all parts but the last hold a
    /// multiple of 256 samples.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a shape or a label does not fit. Nothing is added then.
    ///
    /// # Allocates
    /// A block of samples.
    pub fn add(&mut self, compute: &Compute, data: &Labelled<'_>) -> Result<()> {
        check_labels(data, self.classes)?;
        self.add_all(compute, &data.inputs, data.labels)
    }

    /// Adds samples without labels, or with labels that were checked.
    pub(crate) fn add_all(&mut self, compute: &Compute, inputs: &Inputs<'_>, labels: &[u8]) -> Result<()> {
        check_inputs(inputs, self.width)?;
        let mut targets = Matrix::zeros(self.classes + 1, SAMPLES);
        for first in (0..inputs.samples()).step_by(SAMPLES) {
            let samples = first..inputs.samples().min(first + SAMPLES);
            let block = inputs.range(samples.clone());
            for class in 0..self.classes {
                for (target, &label) in targets.row_mut(class).iter_mut().zip(&labels[samples.clone()]) {
                    *target = if usize::from(label) == class { 1.0 } else { -1.0 };
                }
            }
            targets.row_mut(self.classes).fill(1.0);
            self.copy(compute, &block);
            self.multiply(compute, block.samples(), &targets);
            self.samples += block.samples();
        }
        labels.iter().for_each(|&label| self.counts[usize::from(label)] += 1);
        Ok(())
    }

    /// Copies a block of samples, scaled, into all blocks of features.
    fn copy(&mut self, compute: &Compute, samples: &Inputs<'_>) {
        let blocks = Mutex::new(self.blocks.iter_mut().enumerate());
        compute.map(|_| {
            loop {
                let next = blocks.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some((number, block)) = next else { return };
                for sample in 0..samples.samples() {
                    let row = block.by_sample.row_mut(sample);
                    copy(samples, sample, number * FEATURES, row);
                    for (feature, x) in row.iter().enumerate() {
                        block.by_feature.row_mut(feature)[sample] = *x;
                    }
                }
            }
        });
    }

    /// Adds the products of the copied samples.
    fn multiply(&mut self, compute: &Compute, samples: usize, targets: &Matrix) {
        let (width, kernels) = (self.width, compute.kernels());
        let blocks = &self.blocks;
        let rows = Mutex::new(self.gram.chunks_mut(FEATURES * width).zip(&mut self.sums).enumerate());
        compute.map(|_| {
            let mut tile = Matrix::zeros(FEATURES, FEATURES);
            loop {
                let next = rows.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some((number, (rows, sums))) = next else { return };
                let own = &blocks[number];
                for (other, block) in blocks.iter().enumerate().skip(number) {
                    let columns = block.by_sample.columns();
                    let tile = fit(&mut tile, [own.by_feature.rows(), columns]);
                    ops::gemm_tn(kernels, &own.by_feature, block.by_sample.panel(0, samples), tile);
                    for (row, values) in rows.chunks_exact_mut(width).enumerate() {
                        add(&mut values[other * FEATURES..][..columns], tile.row(row));
                    }
                }
                let tile = fit(&mut tile, [targets.rows(), own.by_sample.columns()]);
                ops::gemm_tn(kernels, targets, own.by_sample.panel(0, samples), tile);
                (0..targets.rows()).for_each(|row| add(sums.row_mut(row), tile.row(row)));
            }
        });
    }
}

/// Copies consecutive features of a sample, scaled.
fn copy(inputs: &Inputs<'_>, sample: usize, first: usize, row: &mut [f32]) {
    let (scale, place) = (inputs.scale(sample), sample * inputs.stride() + first);
    match inputs.elements() {
        Elements::U8(pixels) => {
            row.iter_mut().zip(&pixels[place..]).for_each(|(x, &pixel)| *x = f32::from(pixel) * scale);
        }
        Elements::F32(values) => row.iter_mut().zip(&values[place..]).for_each(|(x, value)| *x = value * scale),
    }
}

/// The matrix, or one of the needed shape in its place.
fn fit(matrix: &mut Matrix, [rows, columns]: [usize; 2]) -> &mut Matrix {
    if (matrix.rows(), matrix.columns()) != (rows, columns) {
        *matrix = Matrix::zeros(rows, columns);
    }
    matrix
}

fn add(sums: &mut [f32], values: &[f32]) {
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
}

/// The centred equations of a penalty λ, factorised: C + λ 1 = L Lᵀ with C the covariance of the features.
pub(crate) struct Factor {
    width: usize,
    /// L, column by column; what lies above the diagonal is not read.
    values: Vec<f32>,
}

impl NormalEquations {
    /// Factorises C + λ 1, C = G/n − μ μᵀ.
    ///
    /// faer is told to use one thread, so the bits do not depend on their number. It chooses its instructions by the CPU, whatever
    /// kernels [`Compute`] has, and the last bits differ among CPUs.
    pub(crate) fn factor(&self, lambda: f64) -> Result<Factor> {
        if !(lambda.is_finite() && lambda > 0.0) {
            return Err(Error::invalid(format!("lambda = {lambda} is not a finite number above 0")));
        }
        if self.samples == 0 {
            return Err(Error::invalid("there are no samples to solve for"));
        }
        let (width, one_over_n) = (self.width, 1.0 / self.samples as f64);
        let means = self.means();
        let mut values = self.gram.clone();
        for (row, values) in values.chunks_exact_mut(width).enumerate() {
            for (column, value) in values.iter_mut().enumerate().skip(row) {
                *value = (f64::from(*value) * one_over_n - means[row] * means[column]) as f32;
            }
            values[row] = (f64::from(values[row]) + lambda) as f32;
        }
        // Rows from the diagonal on are the columns of the lower triangle.
        let matrix = MatMut::from_column_major_slice_mut(&mut values, width, width);
        let scratch = factor::cholesky_in_place_scratch::<f32>(width, Par::Seq, Default::default());
        let mut memory = MemBuffer::new(scratch);
        let memory = MemStack::new(&mut memory);
        match factor::cholesky_in_place(matrix, Default::default(), Par::Seq, memory, Default::default()) {
            Ok(_) => Ok(Factor { width, values }),
            Err(LltError::NonPositivePivot { index }) => {
                let message = format!("the features are too dependent to be solved for in f32: feature {index}");
                Err(Error::Overflow { message, hint: "raise lambda" })
            }
        }
    }

    /// μ of each feature.
    pub(crate) fn means(&self) -> Vec<f64> {
        self.mean_of(self.classes)
    }

    /// The mean of t x of a class, or of x behind the last class.
    fn mean_of(&self, row: usize) -> Vec<f64> {
        let samples = self.samples as f64;
        self.sums.iter().flat_map(|sums| sums.row(row)).map(|&sum| f64::from(sum) / samples).collect()
    }

    /// The covariance of two features.
    pub(crate) fn covariance(&self, a: usize, b: usize, means: &[f64]) -> f64 {
        let (row, column) = (a.min(b), a.max(b));
        f64::from(self.gram[row * self.width + column]) / self.samples as f64 - means[a] * means[b]
    }

    /// The covariances of the targets of each class with all features, [classes × width], and the mean target of each class.
    pub(crate) fn targets(&self, means: &[f64]) -> (Vec<f32>, Vec<f64>) {
        let of_class = |count: &u64| 2.0 * *count as f64 / self.samples as f64 - 1.0;
        let targets: Vec<f64> = self.counts.iter().map(of_class).collect();
        let mut sides = Vec::with_capacity(self.classes * self.width);
        for (class, target) in targets.iter().enumerate() {
            let moments = self.mean_of(class);
            sides.extend(moments.iter().zip(means).map(|(moment, mean)| (moment - target * mean) as f32));
        }
        (sides, targets)
    }
}

impl Factor {
    /// Replaces each right-hand side b, one row of `width` after another, by (C + λ 1)⁻¹ b.
    pub(crate) fn solve(&self, sides: &mut [f32]) {
        let matrix = MatRef::from_column_major_slice(&self.values, self.width, self.width);
        let columns = sides.len() / self.width;
        let sides = MatMut::from_column_major_slice_mut(sides, self.width, columns);
        let scratch = solve::solve_in_place_scratch::<f32>(self.width, columns, Par::Seq);
        solve::solve_in_place(matrix, sides, Par::Seq, MemStack::new(&mut MemBuffer::new(scratch)));
    }
}
