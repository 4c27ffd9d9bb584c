//! The rival: the same network, inputs–hidden–classes, trained end to end by backpropagation and Adam.
//!
//! Plainly, per minibatch: h = max(W x, 0); s = S h; ∂C/∂s; the gradients by the chain rule; one step of Adam on W and S.
//! No biases, as in the paper.
//!
//! Hidden units come in blocks of 80. Each worker owns some of the blocks: it computes their activations and publishes
//! their shares of the sums; behind one barrier every worker adds all shares in order (so the sums do not depend on who
//! owns what), takes the loss, and steps its own blocks. Shares are kept for two minibatches in turn, so nobody overwrites
//! what another still reads.
//!
//! The products run on core's kernels rather than on a matrix library: these fix the order of every sum, so a network has
//! the same bits on every instruction set, and they allocate nothing.

mod block;
mod loss;
mod spec;
mod state;

pub use spec::{BackpropSpec, Head};
pub use state::BackpropState;

use crate::error::{Error, Result};
use crate::shares::Shares;
use block::{Block, Scratch, Step, UNITS};
use loss::Loss;
use rivalry_core::{Barrier, Compute, Inputs, Kernels, Matrix, Random, range_of};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Examples whose classes are told at once.
const EVALUATED: usize = 128;

/// A network divided among the workers.
#[derive(Debug)]
pub struct Backprop {
    spec: BackpropSpec,
    loss: Loss,
    steps: u64,
    kernels: &'static Kernels,
    parts: Vec<Mutex<Part>>,
    shares: Shares,
    barrier: Barrier,
}

/// The blocks of one worker, and its working memory.
#[derive(Debug)]
struct Part {
    /// Numbers of the blocks.
    numbers: Range<usize>,
    blocks: Vec<Block>,
    scratch: Scratch,
}

impl Backprop {
    /// Draws initial weights and spreads them over the workers: W from N(0, 2/inputs) row by row, then S from N(0, 2/hidden).
    ///
    /// Source: He, Zhang, Ren & Sun 2015, eq. 10. The paper does not say how its end-to-end network starts.
    ///
    /// # Errors
    /// [`Error::Value`] unless there are 2 to 256 classes, at least one input and one unit, a minibatch of 1 to 2²⁰, and
    /// for the power loss β above 0 and m at least 1, both finite.
    ///
    /// # Allocates
    /// Three floats for each weight and a minibatch of activations for each unit; for each worker a minibatch of examples.
    ///
    /// # Example
    /// ```
    /// use rivalry_core::{Compute, Inputs, Kernels, Random};
    /// use rivalry_nets::{Backprop, BackpropSpec, Head};
    /// // Exclusive or, which no network without hidden units can tell; the third input is always on.
    /// let (values, labels) = ([0., 0., 1., 0., 1., 1., 1., 0., 1., 1., 1., 1.], [0, 1, 1, 0]);
    /// let (compute, inputs) = (Compute::new(Some(2), Kernels::best())?, Inputs::f32(&values, 3)?);
    /// let head = Head::Power { beta: 1.0, loss_m: 2.0 };
    /// let spec = BackpropSpec { inputs: 3, hidden: 40, classes: 2, head, batch: 4 };
    /// let mut network = Backprop::new(spec, &mut Random::keyed(1, "weights", 0), &compute)?;
    /// for _ in 0..300 {
    ///     network.epoch(&compute, &inputs, &labels, &[0, 1, 2, 3], 0.01)?;
    /// }
    /// assert_eq!(network.errors(&compute, &inputs, &labels)?, 0);
    /// # Ok::<(), rivalry_nets::Error>(())
    /// ```
    pub fn new(spec: BackpropSpec, random: &mut Random, compute: &Compute) -> Result<Backprop> {
        spec.check()?;
        let numbers = spec.hidden.div_ceil(UNITS);
        let parts = compute.map(|worker| {
            let numbers = range_of(numbers, 1, worker, compute.threads());
            let blocks = numbers.clone().map(|_| Block::new(spec.inputs, spec.classes, spec.batch)).collect();
            Mutex::new(Part { numbers, blocks, scratch: Scratch::new(spec.inputs, spec.classes, spec.batch) })
        });
        let shares = Shares::new(numbers, spec.classes, spec.batch);
        let barrier = compute.barrier();
        let mut network =
            Backprop { spec, loss: Loss::new(spec.head), steps: 0, kernels: compute.kernels(), parts, shares, barrier };
        network.start(random);
        Ok(network)
    }

    /// Draws row by row, so that the weights do not depend on the blocks.
    fn start(&mut self, random: &mut Random) {
        let mut draw = |fan_in: usize| (libm::sqrt(2.0 / fan_in as f64) * random.normal()) as f32;
        let BackpropSpec { inputs, hidden, classes, .. } = self.spec;
        for unit in 0..hidden {
            let (block, row) = self.block_of(unit);
            block.weights.row_mut(row).fill_with(|| draw(inputs));
        }
        for class in 0..classes {
            for unit in 0..hidden {
                let (block, row) = self.block_of(unit);
                block.readout.row_mut(class)[row] = draw(hidden);
            }
        }
    }

    /// Trains on consecutive minibatches of `order`; the last one may be smaller.
    ///
    /// h_μ = max(Σ_i W_μi x_i, 0); s_α = Σ_μ S_αμ h_μ; C = Σ_α |tanh(β s_α) − t_α|^m, or −log softmax(s) of the class, summed
    /// over a minibatch; then a step of Adam on W and S.
    ///
    /// Source: Krotov & Hopfield 2019, eqs. 1 and 12 with n = 1, and its end-to-end baseline.
    ///
    /// # Shapes
    /// `inputs` [samples × inputs], x = c · element; `labels` one class per sample; `order` sample numbers.
    ///
    /// # Numerics
    /// f32; the same bits for any number of threads and on every instruction set. The derivative of max(·, 0) at 0 is 0.
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
        inputs: &Inputs<'_>,
        labels: &[u8],
        order: &[u32],
        rate: f32,
    ) -> Result<()> {
        self.check(compute, inputs, labels)?;
        if let Some(sample) = order.iter().find(|&&sample| sample as usize >= inputs.samples()) {
            return Err(Error::value("sample", format!("below {}", inputs.samples()), sample));
        }
        if !(rate.is_finite() && rate >= 0.0) {
            return Err(Error::value("readout rate", "a finite number of at least 0", rate));
        }
        let this = &*self;
        compute.map(|worker| {
            let _guard = this.barrier.guard();
            let own = &mut *lock(&this.parts[worker]);
            for (i, minibatch) in order.chunks(this.spec.batch).enumerate() {
                let samples = minibatch.iter().map(|&sample| sample as usize);
                stage(this.kernels, inputs, samples, &mut own.scratch.examples);
                own.scratch.nonzeros.record(own.scratch.examples.panel(0, minibatch.len()));
                for (number, block) in own.numbers.clone().zip(&mut own.blocks) {
                    block.forward(this.kernels, &mut own.scratch, minibatch.len());
                    this.shares.publish(i % 2, number, &own.scratch.share, minibatch.len());
                }
                this.barrier.wait();
                this.shares.add(i % 2, &mut own.scratch.deltas, minibatch.len());
                let labels = minibatch.iter().map(|&sample| labels[sample as usize]);
                this.loss.derive(this.kernels, labels, &mut own.scratch.deltas, &mut own.scratch.targets);
                let step = Step { number: this.steps + i as u64 + 1, rate };
                for block in &mut own.blocks {
                    block.backward(this.kernels, &mut own.scratch, minibatch.len(), step);
                }
            }
        });
        self.steps += order.len().div_ceil(self.spec.batch) as u64;
        Ok(())
    }

    /// Counts the samples whose largest sum (the lowest class among equals) is not their label's.
    ///
    /// # Errors
    /// [`Error::Value`] as [`Backprop::epoch`]; [`Error::Overflow`] if training diverged.
    ///
    /// # Allocates
    /// A few hundred examples and activations per worker.
    pub fn errors(&self, compute: &Compute, inputs: &Inputs<'_>, labels: &[u8]) -> Result<usize> {
        self.check(compute, inputs, labels)?;
        for (what, values) in [("weights", self.weights()), ("readout weights", self.readout())] {
            if let Some(at) = values.iter().position(|weight| !weight.is_finite()) {
                let found = format!("{} at weight {at}", values[at]);
                return Err(Error::Overflow { what, found, hint: "lower readout_rates or beta" });
            }
        }
        let parts: Vec<MutexGuard<'_, Part>> = self.parts.iter().map(lock).collect();
        let blocks: Vec<&Block> = parts.iter().flat_map(|part| &part.blocks).collect();
        let errors = compute.map(|worker| {
            let mut told = Told {
                examples: Matrix::zeros(EVALUATED, self.spec.inputs),
                activations: Matrix::zeros(UNITS, EVALUATED),
                share: Matrix::zeros(self.spec.classes, EVALUATED),
                sums: Matrix::zeros(self.spec.classes, EVALUATED),
            };
            let own = range_of(inputs.samples(), EVALUATED, worker, compute.threads());
            own.clone()
                .step_by(EVALUATED)
                .map(|first| {
                    let samples = first..own.end.min(first + EVALUATED);
                    told.sum(self.kernels, &blocks, inputs, samples.clone());
                    told.wrong(&labels[samples])
                })
                .sum::<usize>()
        });
        Ok(errors.into_iter().sum())
    }

    fn check(&self, compute: &Compute, inputs: &Inputs<'_>, labels: &[u8]) -> Result<()> {
        let sizes = [
            ("inputs of an example", self.spec.inputs, inputs.inputs()),
            ("labels", inputs.samples(), labels.len()),
            ("threads", self.parts.len(), compute.threads()),
        ];
        for (what, expected, found) in sizes {
            if expected != found {
                return Err(Error::value(what, expected.to_string(), found));
            }
        }
        match labels.iter().find(|&&label| usize::from(label) >= self.spec.classes) {
            Some(label) => Err(Error::value("label", format!("below {}", self.spec.classes), label)),
            None => Ok(()),
        }
    }
}

/// The working memory of one worker that tells classes.
struct Told {
    examples: Matrix,
    activations: Matrix,
    share: Matrix,
    sums: Matrix,
}

impl Told {
    /// Sums the shares of all blocks in order, as training does.
    fn sum(&mut self, kernels: &Kernels, blocks: &[&Block], inputs: &Inputs<'_>, samples: Range<usize>) {
        let examples = samples.len();
        stage(kernels, inputs, samples, &mut self.examples);
        for class in 0..self.sums.rows() {
            self.sums.row_mut(class).fill(0.0);
        }
        for block in blocks {
            let x = self.examples.panel(0, examples);
            block::activate(kernels, &block.weights, x, &mut self.activations);
            block::add_up(kernels, &block.readout, &self.activations, &mut self.share);
            for class in 0..self.sums.rows() {
                for (sum, share) in self.sums.row_mut(class).iter_mut().zip(self.share.row(class)) {
                    *sum += share;
                }
            }
        }
    }

    fn wrong(&self, labels: &[u8]) -> usize {
        let sum = |class: usize, example: usize| self.sums.row(class)[example];
        let told = |example: usize| {
            let better = |best, class| if sum(class, example) > sum(best, example) { class } else { best };
            (0..self.sums.rows()).fold(0, better)
        };
        labels.iter().enumerate().filter(|&(example, &label)| told(example) != usize::from(label)).count()
    }
}

/// Copies examples, scaled, into the first rows.
fn stage(kernels: &Kernels, inputs: &Inputs<'_>, samples: impl ExactSizeIterator<Item = usize>, rows: &mut Matrix) {
    for (row, sample) in samples.enumerate() {
        inputs.stage(kernels, sample, rows, row);
        let scale = inputs.scale(sample);
        rows.row_mut(row).iter_mut().for_each(|x| *x *= scale);
    }
}

/// Blocks are locked only by their own worker while training, and by one reader otherwise.
fn lock(part: &Mutex<Part>) -> MutexGuard<'_, Part> {
    part.lock().unwrap_or_else(PoisonError::into_inner)
}
