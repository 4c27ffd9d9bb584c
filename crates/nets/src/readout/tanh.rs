//! The supervised readout c = tanh(β S h): one linear layer on features that stay as they are, trained by Adam.
//!
//! Plainly, per minibatch: sums s = S h; δ = ∂C/∂s; the gradient ∂C/∂S = Σ δ hᵀ; one step of Adam.
//!
//! 1. Each worker owns some columns of S, in whole blocks of 256 features. It publishes the partial sums of each of its
//!    blocks; behind one barrier every worker adds those of all blocks in order (so the sums do not depend on who owns
//!    which), takes the loss, and steps its own columns.
//! 2. Partial sums are kept for two minibatches in turn, so nobody overwrites what another still reads, and one barrier a
//!    minibatch is enough.
//! 3. Features are read where they are, row by row in the order of the minibatch, and those of the next rows are prefetched
//!    meanwhile: a minibatch lies anywhere in memory.

use crate::error::{Error, Result};
use crate::eval::{self, check_epoch, check_finite, check_inputs, check_out, check_size};
use crate::learner::{Classifier, Labelled, Learner, State, Tensor};
use crate::loss::{Head, Loss};
use crate::optim::Adam;
use crate::workers::{Exchange, Workers, all_rows, rows};
use rivalry_core::ops::{self, Products};
use rivalry_core::{Compute, Inputs, Kernels, LANES, Matrix, Panel, Random, range_of};
use std::ops::Range;

/// Features whose partial sum is taken on its own; partial sums are then added in order.
const BLOCK: usize = 256;

/// The names in the state, all [classes × inputs].
const TENSORS: [&str; 3] = ["readout", "readout_first_moment", "readout_second_moment"];

/// The shape of a readout, its loss, and how it starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReadoutSpec {
    /// The number of features that it reads.
    pub inputs: usize,
    /// The number of classes.
    pub classes: usize,
    /// The output and its loss.
    pub head: Head,
    /// The number of samples in a minibatch.
    pub batch: usize,
    /// The standard deviation of the initial weights.
    pub init_sigma: f64,
}

/// A readout divided among worker threads.
///
/// # Example
/// ```
/// use rivalry_core::{Compute, Inputs, Kernels, Matrix, Random};
/// use rivalry_nets::{Classifier, Head, Labelled, Learner, Readout, ReadoutSpec};
/// let compute = Compute::new(Some(2), Kernels::best())?;
/// let mut features = Matrix::zeros(2, 2);
/// features.row_mut(0)[0] = 1.0;
/// features.row_mut(1)[1] = 1.0;
/// let data = Labelled { inputs: Inputs::matrix(&features)?, labels: &[0, 1] };
/// let head = Head::Power { beta: 1.0, loss_m: 2.0 };
/// let spec = ReadoutSpec { inputs: 2, classes: 2, head, batch: 2, init_sigma: 0.01 };
/// let mut readout = Readout::new(spec, &mut Random::keyed(1, "readout-weights", 0), &compute)?;
/// for _ in 0..100 {
///     readout.epoch(&compute, &data, &[0, 1], 0.01)?;
/// }
/// assert_eq!(readout.errors(&compute, &data)?, 0);
/// # Ok::<(), rivalry_nets::Error>(())
/// ```
#[derive(Debug)]
pub struct Readout {
    spec: ReadoutSpec,
    loss: Loss,
    steps: u64,
    workers: Workers<Columns>,
    /// [2 minibatches × blocks × classes] rows of [batch].
    partial_sums: Exchange,
}

/// The columns of S of one worker, and its working memory.
#[derive(Debug)]
struct Columns {
    columns: Range<usize>,
    weights: Matrix,
    adam: Adam,
    /// [own blocks · classes × batch]: the partial sums of each block.
    partial_sums: Matrix,
    /// [classes × batch]: the sums, then δ.
    sums: Matrix,
    /// [classes × batch]: what the loss compares with.
    targets: Matrix,
}

impl Columns {
    fn new(spec: &ReadoutSpec, columns: Range<usize>, weights: &[f32]) -> Columns {
        let (classes, batch, width) = (spec.classes, spec.batch, columns.len());
        Columns {
            weights: slice_columns(weights, spec.inputs, &columns),
            adam: Adam::new(classes, width),
            partial_sums: Matrix::zeros(width.div_ceil(BLOCK) * classes, batch),
            sums: Matrix::zeros(classes, batch),
            targets: Matrix::zeros(classes, batch),
            columns,
        }
    }

    /// The weights and their moments, in the order of [`TENSORS`].
    fn tensors(&self) -> [&Matrix; 3] {
        [&self.weights, &self.adam.first, &self.adam.second]
    }

    fn tensors_mut(&mut self) -> [&mut Matrix; 3] {
        [&mut self.weights, &mut self.adam.first, &mut self.adam.second]
    }
}

impl Readout {
    /// Draws initial weights from N(0, init_sigma²) row by row and divides them among the workers.
    ///
    /// # Errors
    /// [`Error::Invalid`] unless there are 2 to 256 classes, at least one feature, a minibatch of 1 to 2²⁰, β above 0, m at
    /// least 1 and init_sigma at least 0, all finite.
    ///
    /// # Allocates
    /// Three floats for each weight, and the sums of a minibatch.
    pub fn new(spec: ReadoutSpec, random: &mut Random, compute: &Compute) -> Result<Readout> {
        check_size("classes", spec.classes, 2, 256)?;
        check_size("the number of features", spec.inputs, 1, 1 << 31)?;
        check_size("readout_batch", spec.batch, 1, 1 << 20)?;
        spec.head.check()?;
        if !(spec.init_sigma.is_finite() && spec.init_sigma >= 0.0) {
            return Err(Error::invalid(format!(
                "init_sigma = {} is not a finite number of at least 0",
                spec.init_sigma
            )));
        }
        let weights: Vec<f32> =
            (0..spec.classes * spec.inputs).map(|_| (spec.init_sigma * random.normal()) as f32).collect();
        let workers = Workers::new(compute, |worker| {
            Columns::new(&spec, range_of(spec.inputs, BLOCK, worker, compute.threads()), &weights)
        });
        let partial_sums = Exchange::new(2 * spec.inputs.div_ceil(BLOCK) * spec.classes, spec.batch);
        Ok(Readout { spec, loss: Loss::new(spec.head), steps: 0, workers, partial_sums })
    }

    /// S [classes × inputs].
    pub fn weights(&self) -> Vec<f32> {
        self.collect(0)
    }

    /// Puts the columns of one of the [`TENSORS`] together, [classes × inputs].
    fn collect(&self, tensor: usize) -> Vec<f32> {
        let ReadoutSpec { inputs, classes, .. } = self.spec;
        let mut rows = vec![0.0; classes * inputs];
        for part in self.workers.lock() {
            for class in 0..classes {
                rows[class * inputs..][part.columns.clone()].copy_from_slice(part.tensors()[tensor].row(class));
            }
        }
        rows
    }

    /// Publishes a worker's partial sums of a minibatch.
    fn publish(&self, kernels: &Kernels, own: &mut Columns, features: Panel<'_>, turn: usize) {
        partial_sums(kernels, features, &own.weights, &mut own.partial_sums);
        let first = self.partial_row(turn, own.columns.start / BLOCK, 0);
        self.partial_sums.publish(first, &own.partial_sums, [own.partial_sums.rows(), features.rows()]);
    }

    fn partial_row(&self, turn: usize, block: usize, class: usize) -> usize {
        (turn * self.spec.inputs.div_ceil(BLOCK) + block) * self.spec.classes + class
    }
}

/// Computes the partial sums of each block of columns, [blocks · classes × samples].
fn partial_sums(kernels: &Kernels, features: Panel<'_>, weights: &Matrix, sums: &mut Matrix) {
    // The roles of units and samples are exchanged, so that the sums of a class lie side by side.
    ops::gemm_nt_blocks(kernels, features, weights.panel(0, weights.rows()), BLOCK, sums);
}

/// The columns of a worker, of rows as wide as all of them.
fn own_columns<'a>(features: Panel<'a>, columns: &Range<usize>) -> Panel<'a> {
    features.columns(columns.start / LANES, columns.len().div_ceil(LANES))
}

impl Learner for Readout {
    /// Trains on consecutive minibatches of `order`; the last one may be smaller.
    ///
    /// C = Σ_samples Σ_α |tanh(β Σ_μ S_αμ h_μ) − t_α|^m, summed over a minibatch, then a step of Adam.
    ///
    /// Source: Krotov & Hopfield 2019, eqs. 1 and 12.
    ///
    /// # Shapes
    /// `data.inputs` [samples × inputs], read in place where they are the rows of a matrix; `data.labels` one class per
    /// sample.
    ///
    /// # Numerics
    /// The same bits for any number of threads and on every instruction set.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a label, a sample number or a shape does not fit, or the rate is not finite. Nothing is learned
    /// then.
    fn epoch(&mut self, compute: &Compute, data: &Labelled<'_>, order: &[u32], rate: f32) -> Result<()> {
        self.workers.check(compute)?;
        check_epoch(data, [self.spec.inputs, self.spec.classes], order, rate)?;
        let (this, kernels) = (&*self, compute.kernels());
        let staged = if data.inputs.panel().is_some() { 0 } else { this.spec.batch };
        this.workers.run(compute, |own, barrier| {
            let mut staged = Matrix::zeros(staged, this.spec.inputs);
            for (i, minibatch) in order.chunks(this.spec.batch).enumerate() {
                let features = rows(kernels, &data.inputs, minibatch, &mut staged);
                let features = own_columns(features, &own.columns);
                this.publish(kernels, own, features, i % 2);
                barrier.wait();
                for class in 0..this.spec.classes {
                    let blocks = 0..this.spec.inputs.div_ceil(BLOCK);
                    let all = blocks.map(|block| this.partial_row(i % 2, block, class));
                    let sums = &mut own.sums.row_mut(class)[..minibatch.len()];
                    this.partial_sums.sum(all, 0..minibatch.len(), sums);
                }
                let labels = minibatch.iter().map(|&sample| data.labels[sample as usize]);
                this.loss.derive(kernels, labels, &mut own.sums, &mut own.targets);
                let products = Products { deltas: &own.sums, examples: features, nonzeros: None };
                own.adam.descend(kernels, this.steps + i as u64 + 1, rate, products, &mut own.weights);
            }
        });
        self.steps += order.len().div_ceil(self.spec.batch) as u64;
        Ok(())
    }

    /// Nothing: the errors of [`Learner::classifier`] say it all.
    fn diagnostics(&self) -> Vec<(&'static str, f64)> {
        Vec::new()
    }

    /// `readout` with Adam's moments `readout_first_moment` and `readout_second_moment`, [classes × inputs] each, and the
    /// counter `readout_steps`.
    fn state(&self) -> State {
        let ReadoutSpec { inputs, classes, .. } = self.spec;
        let mut state = State::default();
        for (tensor, name) in TENSORS.into_iter().enumerate() {
            state.insert(name, Tensor::new([classes, inputs], self.collect(tensor)));
        }
        state.counters.insert("readout_steps".to_owned(), self.steps);
        state
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        let ReadoutSpec { inputs, classes, .. } = self.spec;
        let steps = state.counter("readout_steps")?;
        let mut tensors = [&[][..]; 3];
        for (tensor, name) in tensors.iter_mut().zip(TENSORS) {
            *tensor = state.f32(name, &[classes, inputs])?;
        }
        for part in self.workers.parts_mut() {
            let columns = part.columns.clone();
            for (own, values) in part.tensors_mut().into_iter().zip(tensors) {
                *own = slice_columns(values, inputs, &columns);
            }
        }
        self.steps = steps;
        Ok(())
    }

    fn classifier(&self) -> Option<&dyn Classifier> {
        Some(self)
    }
}

impl Classifier for Readout {
    fn classes(&self) -> usize {
        self.spec.classes
    }

    /// Computes the sums s = S h, in the same order as training does.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a shape does not fit; [`Error::Overflow`] if training diverged.
    fn scores(&self, compute: &Compute, inputs: &Inputs<'_>, out: &mut Matrix) -> Result<()> {
        let (width, classes) = (self.spec.inputs, self.spec.classes);
        check_inputs(inputs, width)?;
        check_out(out, inputs.samples(), classes)?;
        let weights = self.weights();
        check_finite("readout weights", &weights)?;
        let weights = slice_columns(&weights, width, &(0..width));
        let blocks = width.div_ceil(BLOCK);
        let memory = || [Matrix::zeros(eval::BLOCK, width), Matrix::zeros(blocks * classes, eval::BLOCK)];
        eval::scores(compute, inputs, out, memory, |[staged, partial], samples, sums| {
            partial_sums(compute.kernels(), all_rows(compute.kernels(), samples, staged), &weights, partial);
            (0..blocks).for_each(|block| eval::add(sums, partial, block * classes));
        });
        Ok(())
    }
}

/// Some columns of [rows × width].
fn slice_columns(values: &[f32], width: usize, columns: &Range<usize>) -> Matrix {
    let mut matrix = Matrix::zeros(values.len() / width, columns.len());
    for (row, values) in values.chunks_exact(width).enumerate() {
        matrix.row_mut(row).copy_from_slice(&values[columns.clone()]);
    }
    matrix
}
