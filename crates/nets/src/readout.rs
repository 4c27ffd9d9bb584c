//! The supervised readout c = tanh(β S h), trained on fixed features by Adam to lower Σ |c − t|^m.
//!
//! Plainly, per minibatch: sums s = S h; ∂C/∂s; the gradient ∂C/∂S = Σ ∂C/∂s · hᵀ; one step of Adam.
//!
//! Each worker owns the columns of S that meet its columns of the features. It adds up its share of every sum in blocks
//! of 256 features and publishes the shares; behind one barrier every worker adds all shares in order (so the sums do
//! not depend on who owns what), takes the loss, and steps its own columns. Shares are kept for two minibatches in turn,
//! so nobody overwrites what another still reads.

mod spec;
mod state;

pub use spec::ReadoutSpec;
pub use state::ReadoutState;

use crate::adam::Adam;
use crate::error::{Error, Result};
use crate::features::{BLOCK, Features, Part};
use crate::shares::{Shares, shares};
use rivalry_core::ops::{self, Exponent, PowerLoss, Products};
use rivalry_core::{Barrier, Compute, Kernels, Matrix, Random, range_of};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Examples whose classes are told at once.
const EVALUATED: usize = 128;

/// A readout divided among the workers.
#[derive(Debug)]
pub struct Readout {
    spec: ReadoutSpec,
    loss: PowerLoss,
    steps: u64,
    kernels: &'static Kernels,
    parts: Vec<Mutex<Columns>>,
    shares: Shares,
    barrier: Barrier,
}

/// The columns of S of one worker, and its working memory.
#[derive(Debug)]
struct Columns {
    columns: Range<usize>,
    weights: Matrix,
    adam: Adam,
    /// [own blocks · classes × batch]: what each block of columns adds to the sums.
    shares: Matrix,
    /// [classes × batch]: the sums, then ∂C/∂s.
    sums: Matrix,
    /// [classes × batch]: +1 for the class of the example, −1 for the others.
    targets: Matrix,
}

impl Readout {
    /// Draws initial weights from N(0, init_sigma²) and spreads them over the workers.
    ///
    /// # Errors
    /// [`Error::Value`] unless there are 2 to 256 classes, at least one feature, a minibatch of 1 to 2²⁰, β above 0,
    /// m at least 1 and init_sigma at least 0, all finite.
    ///
    /// # Example
    /// ```
    /// use rivalry_core::{Compute, Inputs, Kernels, Layer, Random};
    /// use rivalry_nets::{FeatureSpec, Features, Readout, ReadoutSpec};
    /// let compute = Compute::new(Some(2), Kernels::best())?;
    /// let layer = Layer::from_rows(2, 2, &[1.0, 0.0, 0.0, 1.0])?;
    /// let (inputs, labels) = (Inputs::f32(&[1.0, 0.0, 0.0, 1.0], 2)?, [0, 1]);
    /// let features = Features::compute(&compute, &layer, &inputs, FeatureSpec { power_n: 1.0, current_scale: 1.0 })?;
    /// let spec = ReadoutSpec { classes: 2, hidden: 2, beta: 1.0, loss_m: 2.0, batch: 2, init_sigma: 0.01 };
    /// let mut readout = Readout::new(spec, &mut Random::keyed(1, "readout-weights", 0), &compute)?;
    /// for _ in 0..100 {
    ///     readout.epoch(&compute, &features, &labels, &[0, 1], 0.01)?;
    /// }
    /// assert_eq!(readout.errors(&compute, &features, &labels, &[0, 1])?, 0);
    /// # Ok::<(), rivalry_nets::Error>(())
    /// ```
    pub fn new(spec: ReadoutSpec, random: &mut Random, compute: &Compute) -> Result<Readout> {
        spec.check()?;
        let drawn: Vec<f32> =
            (0..spec.classes * spec.hidden).map(|_| (spec.init_sigma * random.normal()) as f32).collect();
        let parts = compute.map(|worker| {
            let columns = range_of(spec.hidden, BLOCK, worker, compute.threads());
            let (classes, width) = (spec.classes, columns.len());
            Mutex::new(Columns {
                weights: slice_columns(&drawn, spec.hidden, &columns),
                adam: Adam::new(classes, width),
                shares: Matrix::zeros(width.div_ceil(BLOCK) * classes, spec.batch),
                sums: Matrix::zeros(classes, spec.batch),
                targets: Matrix::zeros(classes, spec.batch),
                columns,
            })
        });
        let loss = PowerLoss { beta: spec.beta as f32, m: spec.loss_m as f32, exponent: Exponent::new(spec.loss_m) };
        let shares = Shares::new(spec.hidden.div_ceil(BLOCK), spec.classes, spec.batch);
        Ok(Readout { spec, loss, steps: 0, kernels: compute.kernels(), parts, shares, barrier: compute.barrier() })
    }

    /// Trains on consecutive minibatches of `order`; the last one may be smaller.
    ///
    /// C = Σ_examples Σ_α |tanh(β Σ_μ S_αμ h_μ) − t_α|^m, summed over a minibatch, then a step of Adam.
    ///
    /// Source: Krotov & Hopfield 2019, eqs. 1 and 12.
    ///
    /// # Shapes
    /// `labels` has one class per sample of the features; `order` holds sample numbers.
    ///
    /// # Numerics
    /// The same bits for any number of threads and on every instruction set.
    ///
    /// # Errors
    /// [`Error::Value`] if a label, a sample number or a shape does not fit, or the rate is not finite. Nothing is learned
    /// then.
    ///
    /// # Allocates
    /// Nothing per minibatch; a constant amount per call.
    pub fn epoch(
        &mut self,
        compute: &Compute,
        features: &Features,
        labels: &[u8],
        order: &[u32],
        rate: f32,
    ) -> Result<()> {
        self.check(compute, features, labels, order)?;
        if !(rate.is_finite() && rate >= 0.0) {
            return Err(Error::value("readout rate", "a finite number of at least 0", rate));
        }
        let this = &*self;
        compute.map(|worker| {
            let _guard = this.barrier.guard();
            let (own, part) = (&mut *lock(&this.parts[worker]), &features.parts()[worker]);
            for (i, minibatch) in order.chunks(this.spec.batch).enumerate() {
                this.publish(own, part, minibatch, i % 2);
                this.barrier.wait();
                this.step(own, part, labels, minibatch, i, rate);
            }
        });
        self.steps += order.len().div_ceil(self.spec.batch) as u64;
        Ok(())
    }

    /// Publishes a worker's shares of the sums of a minibatch.
    fn publish(&self, own: &mut Columns, part: &Part, minibatch: &[u32], turn: usize) {
        shares(self.kernels, part, &own.weights, minibatch, &mut own.shares);
        self.shares.publish(turn, own.columns.start / BLOCK, &own.shares, minibatch.len());
    }

    /// Adds up all shares, takes the loss, and steps a worker's own columns.
    fn step(&self, own: &mut Columns, part: &Part, labels: &[u8], minibatch: &[u32], i: usize, rate: f32) {
        self.shares.add(i % 2, &mut own.sums, minibatch.len());
        for class in 0..self.spec.classes {
            let targets = &mut own.targets.row_mut(class)[..minibatch.len()];
            for (target, &sample) in targets.iter_mut().zip(minibatch) {
                *target = if usize::from(labels[sample as usize]) == class { 1.0 } else { -1.0 };
            }
        }
        ops::power_loss(self.kernels, self.loss, &mut own.sums, &own.targets);
        let products = Products { deltas: &own.sums, examples: part.gather(minibatch), nonzeros: None };
        own.adam.descend(self.kernels, self.steps + i as u64 + 1, rate, products, &mut own.weights);
    }

    /// Counts the samples of `subset` whose largest sum (the lowest class among equals) is not their label's.
    ///
    /// # Errors
    /// [`Error::Value`] as [`Readout::epoch`]; [`Error::Overflow`] if training diverged.
    pub fn errors(&self, compute: &Compute, features: &Features, labels: &[u8], subset: &[u32]) -> Result<usize> {
        self.check(compute, features, labels, subset)?;
        let rows = self.weights();
        if let Some(at) = rows.iter().position(|weight| !weight.is_finite()) {
            let found = format!("{} at class {}, unit {}", rows[at], at / self.spec.hidden, at % self.spec.hidden);
            return Err(Error::Overflow { what: "readout weights", found, hint: "lower readout_rates or beta" });
        }
        let parts: Vec<Matrix> =
            features.parts().iter().map(|part| slice_columns(&rows, self.spec.hidden, &part.columns)).collect();
        let most = features.parts().iter().map(Part::blocks).max().unwrap_or(0);
        let rows = [most * self.spec.classes, self.spec.classes];
        let errors = compute.map(|worker| {
            let own = &subset[range_of(subset.len(), EVALUATED, worker, compute.threads())];
            let mut sums = rows.map(|rows| Matrix::zeros(rows, EVALUATED));
            own.chunks(EVALUATED).map(|samples| self.wrong(features, &parts, labels, samples, &mut sums)).sum::<usize>()
        });
        Ok(errors.into_iter().sum())
    }

    /// Counts the wrong ones of at most [`EVALUATED`] samples.
    fn wrong(
        &self,
        features: &Features,
        weights: &[Matrix],
        labels: &[u8],
        samples: &[u32],
        [found, total]: &mut [Matrix; 2],
    ) -> usize {
        for class in 0..self.spec.classes {
            total.row_mut(class).fill(0.0);
        }
        for (part, weights) in features.parts().iter().zip(weights) {
            shares(self.kernels, part, weights, samples, found);
            for row in 0..part.blocks() * self.spec.classes {
                for (total, share) in total.row_mut(row % self.spec.classes).iter_mut().zip(found.row(row)) {
                    *total += share;
                }
            }
        }
        let told = |example: usize| {
            let better = |best: usize, class: usize| {
                if total.row(class)[example] > total.row(best)[example] { class } else { best }
            };
            (0..self.spec.classes).fold(0, better)
        };
        let labels = samples.iter().map(|&sample| usize::from(labels[sample as usize]));
        labels.enumerate().filter(|&(example, label)| told(example) != label).count()
    }

    fn check(&self, compute: &Compute, features: &Features, labels: &[u8], samples: &[u32]) -> Result<()> {
        let sizes = [
            ("features of an example", self.spec.hidden, features.hidden()),
            ("labels", features.samples(), labels.len()),
            ("threads", self.parts.len(), compute.threads()),
            ("threads the features were made with", self.parts.len(), features.parts().len()),
        ];
        for (what, expected, found) in sizes {
            if expected != found {
                return Err(Error::value(what, expected.to_string(), found));
            }
        }
        for &sample in samples {
            let Some(&label) = labels.get(sample as usize) else {
                return Err(Error::value("sample", format!("below {}", labels.len()), sample));
            };
            if usize::from(label) >= self.spec.classes {
                return Err(Error::value("label", format!("below {}", self.spec.classes), label));
            }
        }
        Ok(())
    }

    /// S [classes × hidden].
    pub fn weights(&self) -> Vec<f32> {
        self.collect(|part| &part.weights)
    }

    /// Puts the columns of all workers together, [classes × hidden].
    fn collect(&self, of: impl Fn(&Columns) -> &Matrix) -> Vec<f32> {
        let mut rows = vec![0.0; self.spec.classes * self.spec.hidden];
        for part in &self.parts {
            let part = lock(part);
            for class in 0..self.spec.classes {
                rows[class * self.spec.hidden..][part.columns.clone()].copy_from_slice(of(&part).row(class));
            }
        }
        rows
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

/// Columns are locked only by their own worker while training, and by one reader otherwise.
fn lock(part: &Mutex<Columns>) -> MutexGuard<'_, Columns> {
    part.lock().unwrap_or_else(PoisonError::into_inner)
}
