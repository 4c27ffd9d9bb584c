//! The rival: hidden layers of rectified units and a readout, trained end to end by backpropagation and Adam.
//!
//! Plainly, per minibatch, with h_0 the inputs: h_l = max(W_l h_{l−1}, 0) up to the last hidden layer L; s = S h_L;
//! δ = ∂C/∂s; e_L = Sᵀ δ and e_l = W_{l+1}ᵀ e_{l+1}, each where the unit is active; ∂C/∂S = Σ δ h_Lᵀ, ∂C/∂W_l = Σ e_l h_{l−1}ᵀ;
//! one step of Adam on all of them. No biases, as in the paper.
//!
//! 1. Each hidden layer comes in blocks of 80 units, and each worker owns some blocks of every layer. Forwards, workers
//!    publish the activations of a layer, and behind a barrier every worker reads all of them. Of the last layer they publish
//!    what each block adds to the sums of the classes; behind a barrier every worker adds that in the order of the blocks (so
//!    the sums do not depend on who owns which) and takes the loss.
//! 2. Backwards, workers publish what each block adds to the errors of the layer below, step that block, and behind a
//!    barrier add up, in the order of the blocks, what reaches their own units.
//! 3. With one hidden layer that is one barrier a minibatch. The sums are kept for two minibatches in turn, so nobody
//!    overwrites what another still reads; with more layers other barriers lie between any reading and the next writing.
//!
//! The products run on core's kernels rather than on a matrix library: these fix the order of every sum, so a network has
//! the same bits on every instruction set, and they allocate nothing.

mod block;

use crate::error::Result;
use crate::eval::{self, check_epoch, check_finite, check_inputs, check_out, check_size};
use crate::learner::{Classifier, Labelled, Learner, State, Tensor};
use crate::loss::{Head, Loss};
use crate::optim::Adam;
use crate::workers::{Exchange, Workers, all_rows, rows};
use block::{Block, ReadoutColumns, Scratch, Step, UNITS};
use rivalry_core::ops::NonZeros;
use rivalry_core::{Barrier, Compute, Inputs, Kernels, Matrix, Panel, Random, range_of};
use std::ops::Range;

/// The tensors of one matrix of weights in a state: the suffix of the name, and which matrix it is.
const TENSORS: [(&str, Of); 3] =
    [("", |weights, _| weights), ("_first_moment", |_, adam| &adam.first), ("_second_moment", |_, adam| &adam.second)];

type Of = for<'a> fn(&'a Matrix, &'a Adam) -> &'a Matrix;

/// The shape of a network and its loss.
#[derive(Debug, Clone, PartialEq)]
pub struct BackpropSpec {
    /// The length of a sample.
    pub inputs: usize,
    /// The number of units of each hidden layer, from the inputs up.
    pub hidden: Vec<usize>,
    /// The number of classes.
    pub classes: usize,
    /// The output and its loss.
    pub head: Head,
    /// The number of samples in a minibatch.
    pub batch: usize,
}

impl BackpropSpec {
    fn check(&self) -> Result<()> {
        check_size("the length of a sample", self.inputs, 1, 1 << 31)?;
        check_size("the number of hidden layers", self.hidden.len(), 1, 64)?;
        self.hidden.iter().try_for_each(|&units| check_size("hidden", units, 1, 1 << 31))?;
        check_size("classes", self.classes, 2, 256)?;
        check_size("readout_batch", self.batch, 1, 1 << 20)?;
        self.head.check()
    }

    /// Units and inputs of every hidden layer.
    fn layers(&self) -> impl Iterator<Item = [usize; 2]> {
        let inputs = std::iter::once(&self.inputs).chain(&self.hidden);
        self.hidden.iter().zip(inputs).map(|(&units, &inputs)| [units, inputs])
    }

    fn last_hidden(&self) -> usize {
        self.hidden[self.hidden.len() - 1]
    }
}

/// A network divided among worker threads.
///
/// # Example
/// ```
/// use rivalry_core::{Compute, Inputs, Kernels, Random};
/// use rivalry_nets::{Backprop, BackpropSpec, Classifier, Head, Labelled, Learner};
/// // Exclusive or, which no network without hidden units can tell; the third input is always on.
/// let values = [0., 0., 1., 0., 1., 1., 1., 0., 1., 1., 1., 1.];
/// let data = Labelled { inputs: Inputs::f32(&values, 3)?, labels: &[0, 1, 1, 0] };
/// let head = Head::Power { beta: 1.0, loss_m: 2.0 };
/// let spec = BackpropSpec { inputs: 3, hidden: vec![40, 20], classes: 2, head, batch: 4 };
/// let compute = Compute::new(Some(2), Kernels::best())?;
/// let mut network = Backprop::new(spec, &mut Random::keyed(1, "weights", 0), &compute)?;
/// for _ in 0..300 {
///     network.epoch(&compute, &data, &[0, 1, 2, 3], 0.01)?;
/// }
/// assert_eq!(network.errors(&compute, &data)?, 0);
/// # Ok::<(), rivalry_nets::Error>(())
/// ```
#[derive(Debug)]
pub struct Backprop {
    spec: BackpropSpec,
    loss: Loss,
    steps: u64,
    workers: Workers<Part>,
    /// Activations of every hidden layer but the last, [units] rows of [batch].
    activations: Vec<Exchange>,
    /// What the blocks of the layer above add to the errors of those layers, [blocks above × batch] rows of [units].
    errors: Vec<Exchange>,
    /// What the blocks of the last layer add to the sums, [2 minibatches × blocks × classes] rows of [batch].
    sums: Exchange,
}

/// The blocks of one worker, and its working memory.
#[derive(Debug)]
struct Part {
    /// Of every hidden layer, the own blocks.
    layers: Vec<Blocks>,
    /// The columns of the readout that read the own blocks of the last layer.
    readout: Vec<ReadoutColumns>,
    memory: Memory,
    scratch: Scratch,
}

/// The own blocks of a layer, and their numbers.
#[derive(Debug)]
struct Blocks {
    numbers: Range<usize>,
    blocks: Vec<Block>,
}

impl Blocks {
    fn iter_mut(&mut self) -> impl Iterator<Item = (usize, &mut Block)> {
        self.numbers.clone().zip(&mut self.blocks)
    }
}

/// What a worker keeps of a minibatch.
#[derive(Debug)]
struct Memory {
    /// [batch × inputs], for inputs that kernels cannot read in place.
    staged: Matrix,
    /// Where the inputs are not zero.
    nonzeros: NonZeros,
    /// Activations of every hidden layer but the last, [batch × units].
    activations: Vec<Matrix>,
    /// What a block adds to their errors, [batch × units].
    errors: Vec<Matrix>,
    /// What a block adds to the sums, [classes × batch].
    partial_sums: Matrix,
    /// [classes × batch]: the sums, then δ.
    delta: Matrix,
    /// [classes × batch]: what the loss compares with.
    targets: Matrix,
}

impl Part {
    fn new(spec: &BackpropSpec, worker: usize, workers: usize) -> Part {
        let &BackpropSpec { inputs, classes, batch, .. } = spec;
        let layers = spec.layers().map(|[units, inputs]| {
            let numbers = range_of(units.div_ceil(UNITS), 1, worker, workers);
            Blocks { blocks: numbers.clone().map(|_| Block::new(inputs, batch)).collect(), numbers }
        });
        let layers: Vec<Blocks> = layers.collect();
        let readout = layers.last().map_or(0, |last| last.blocks.len());
        let inner =
            || spec.hidden[1..].iter().zip(&spec.hidden).map(|(_, &units)| Matrix::zeros(batch, units)).collect();
        let memory = Memory {
            staged: Matrix::zeros(batch, inputs),
            nonzeros: NonZeros::new(batch, inputs),
            activations: inner(),
            errors: inner(),
            partial_sums: Matrix::zeros(classes, batch),
            delta: Matrix::zeros(classes, batch),
            targets: Matrix::zeros(classes, batch),
        };
        let readout = (0..readout).map(|_| ReadoutColumns::new(classes)).collect();
        Part { layers, readout, memory, scratch: Scratch::new(classes, batch) }
    }
}

impl Backprop {
    /// Draws initial weights and divides them among the workers: W_l from N(0, 2/inputs of the layer) row by row, from the
    /// inputs up, then S from N(0, 2/hidden).
    ///
    /// Source: He, Zhang, Ren & Sun 2015, eq. 10. The paper does not say how its end-to-end network starts.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) unless there are 2 to 256 classes, at least one input, one hidden layer and
    /// one unit in each, a minibatch of 1 to 2²⁰, and for the power loss β above 0 and m at least 1, both finite.
    ///
    /// # Allocates
    /// Three floats for each weight and a minibatch of activations for each unit; for each worker a minibatch of samples.
    pub fn new(spec: BackpropSpec, random: &mut Random, compute: &Compute) -> Result<Backprop> {
        spec.check()?;
        let workers = Workers::new(compute, |worker| Part::new(&spec, worker, compute.threads()));
        let inner = || spec.hidden[1..].iter().zip(&spec.hidden).map(|(&above, &units)| [above, units]);
        let blocks = |units: usize| units.div_ceil(UNITS);
        let mut network = Backprop {
            activations: inner().map(|[_, units]| Exchange::new(blocks(units) * UNITS, spec.batch)).collect(),
            errors: inner().map(|[above, units]| Exchange::new(blocks(above) * spec.batch, units)).collect(),
            sums: Exchange::new(2 * blocks(spec.last_hidden()) * spec.classes, spec.batch),
            loss: Loss::new(spec.head),
            steps: 0,
            workers,
            spec,
        };
        network.start(random);
        Ok(network)
    }

    /// Draws row by row, so that the weights do not depend on the blocks.
    fn start(&mut self, random: &mut Random) {
        let mut draw = |fan_in: usize| (libm::sqrt(2.0 / fan_in as f64) * random.normal()) as f32;
        let layers: Vec<[usize; 2]> = self.spec.layers().collect();
        for (layer, [units, inputs]) in layers.into_iter().enumerate() {
            for unit in 0..units {
                let (part, block) = self.owner(layer, unit / UNITS);
                part.layers[layer].blocks[block].weights.row_mut(unit % UNITS).fill_with(|| draw(inputs));
            }
        }
        let hidden = self.spec.last_hidden();
        for class in 0..self.spec.classes {
            for unit in 0..hidden {
                let (part, block) = self.owner(self.spec.hidden.len() - 1, unit / UNITS);
                part.readout[block].weights.row_mut(class)[unit % UNITS] = draw(hidden);
            }
        }
    }

    /// The part that owns a block of a layer, and the place of the block in there.
    fn owner(&mut self, layer: usize, number: usize) -> (&mut Part, usize) {
        let mut parts = self.workers.parts_mut();
        let part = parts.find(|part| part.layers[layer].numbers.contains(&number)).expect("every block has an owner");
        let first = part.layers[layer].numbers.start;
        (part, number - first)
    }

    /// Activations of all layers, and what the own blocks of the last one add to the sums.
    fn forward(&self, kernels: &Kernels, own: &mut Part, x: Panel<'_>, turn: usize, barrier: &Barrier) {
        let (samples, last) = (x.rows(), self.spec.hidden.len() - 1);
        for (layer, blocks) in own.layers.iter_mut().enumerate() {
            let below = match layer {
                0 => x,
                _ => own.memory.activations[layer - 1].panel(0, samples),
            };
            for (i, (number, block)) in blocks.iter_mut().enumerate() {
                block.forward(kernels, below);
                if layer < last {
                    self.activations[layer].publish(number * UNITS, &block.activations, [UNITS, samples]);
                } else {
                    let sums = &mut own.memory.partial_sums;
                    block::partial_sums(kernels, &own.readout[i].weights, &block.activations, sums);
                    self.sums.publish(self.sums_row(turn, number, 0), sums, [self.spec.classes, samples]);
                }
            }
            barrier.wait();
            if layer < last {
                self.activations[layer].transpose(samples, &mut own.memory.activations[layer]);
            }
        }
    }

    /// Errors from the last layer down, and a step of Adam on every own block.
    fn backward(&self, kernels: &Kernels, own: &mut Part, x: Panel<'_>, step: Step, barrier: &Barrier) {
        let (samples, last) = (x.rows(), self.spec.hidden.len() - 1);
        let Part { layers, readout, memory, scratch } = own;
        for layer in (0..=last).rev() {
            if layer < last {
                barrier.wait();
            }
            for (i, (number, block)) in layers[layer].iter_mut().enumerate() {
                if layer == last {
                    readout[i].backward(kernels, &memory.delta, &block.activations, scratch);
                } else {
                    self.gather_errors(layer, number, samples, &mut scratch.errors);
                }
                block.mask(&mut scratch.errors);
                let (below, nonzeros) = match layer {
                    0 => (x, Some(&memory.nonzeros)),
                    _ => {
                        let errors = &mut memory.errors[layer - 1];
                        block.errors_below(kernels, scratch, errors);
                        let columns = errors.columns();
                        self.errors[layer - 1].publish(number * self.spec.batch, errors, [samples, columns]);
                        (memory.activations[layer - 1].panel(0, samples), None)
                    }
                };
                block.step(kernels, below, nonzeros, &scratch.errors, step);
                if layer == last {
                    readout[i].step(kernels, scratch, step);
                }
            }
        }
    }

    /// Adds up ∂C/∂h of a block over the blocks of the layer above, in order, [UNITS × batch].
    fn gather_errors(&self, layer: usize, number: usize, samples: usize, errors: &mut Matrix) {
        let own = number * UNITS..self.spec.hidden[layer].min((number + 1) * UNITS);
        let above = self.spec.hidden[layer + 1].div_ceil(UNITS);
        let mut sums = [0.0; UNITS];
        for sample in 0..samples {
            let rows = (0..above).map(|block| block * self.spec.batch + sample);
            self.errors[layer].sum(rows, own.clone(), &mut sums[..own.len()]);
            for (unit, &sum) in sums.iter().enumerate() {
                errors.row_mut(unit)[sample] = sum;
            }
        }
    }

    fn sums_row(&self, turn: usize, block: usize, class: usize) -> usize {
        (turn * self.spec.last_hidden().div_ceil(UNITS) + block) * self.spec.classes + class
    }

    /// The sums of the classes over all blocks of the last layer, in order.
    fn add_sums(&self, turn: usize, samples: usize, sums: &mut Matrix) {
        for class in 0..self.spec.classes {
            let blocks = 0..self.spec.last_hidden().div_ceil(UNITS);
            let rows = blocks.map(|block| self.sums_row(turn, block, class));
            self.sums.sum(rows, 0..samples, &mut sums.row_mut(class)[..samples]);
        }
    }
}

impl Learner for Backprop {
    /// Trains on consecutive minibatches of `order`; the last one may be smaller.
    ///
    /// C = Σ_α |tanh(β s_α) − t_α|^m, or −log softmax(s) of the class, summed over a minibatch; then a step of Adam on all
    /// weights.
    ///
    /// Source: Krotov & Hopfield 2019, eqs. 1 and 12 with n = 1, and its end-to-end baseline.
    ///
    /// # Shapes
    /// `data.inputs` [samples × inputs], x = c · element; `data.labels` one class per sample.
    ///
    /// # Numerics
    /// f32; the same bits for any number of threads and on every instruction set.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) if a label, a sample number or a shape does not fit, or the rate is not
    /// finite. Nothing is learned then.
    fn epoch(&mut self, compute: &Compute, data: &Labelled<'_>, order: &[u32], rate: f32) -> Result<()> {
        self.workers.check(compute)?;
        check_epoch(data, [self.spec.inputs, self.spec.classes], order, rate)?;
        let (this, kernels) = (&*self, compute.kernels());
        this.workers.run(compute, |own, barrier| {
            // Taken out, because the rows of a minibatch borrow it while the rest of the part changes.
            let mut staged = std::mem::replace(&mut own.memory.staged, Matrix::zeros(0, 0));
            for (i, minibatch) in order.chunks(this.spec.batch).enumerate() {
                let x = rows(kernels, &data.inputs, minibatch, &mut staged);
                own.memory.nonzeros.record(x);
                this.forward(kernels, own, x, i % 2, barrier);
                this.add_sums(i % 2, minibatch.len(), &mut own.memory.delta);
                let labels = minibatch.iter().map(|&sample| data.labels[sample as usize]);
                this.loss.derive(kernels, labels, &mut own.memory.delta, &mut own.memory.targets);
                let step = Step { number: this.steps + i as u64 + 1, rate };
                this.backward(kernels, own, x, step, barrier);
            }
            own.memory.staged = staged;
        });
        self.steps += order.len().div_ceil(self.spec.batch) as u64;
        Ok(())
    }

    /// Nothing: the errors of [`Learner::classifier`] say it all.
    fn diagnostics(&self) -> Vec<(&'static str, f64)> {
        Vec::new()
    }

    /// With one hidden layer `weights`, with more `weights.1`, `weights.2`, … [units × inputs]; `readout` [classes × hidden];
    /// each with Adam's moments under `…_first_moment` and `…_second_moment`; and the counter `readout_steps`.
    fn state(&self) -> State {
        let mut state = State::default();
        let parts = self.workers.lock();
        for (layer, [units, inputs]) in self.spec.layers().enumerate() {
            let blocks: Vec<&Block> = parts.iter().flat_map(|part| &part.layers[layer].blocks).collect();
            for (suffix, of) in TENSORS {
                let rows =
                    blocks.iter().flat_map(|block| (0..UNITS).map(|row| of(&block.weights, &block.adam).row(row)));
                let values = rows.take(units).flatten().copied().collect::<Vec<f32>>();
                state.insert(self.weights_name(layer) + suffix, Tensor::new([units, inputs], values));
            }
        }
        let (classes, hidden) = (self.spec.classes, self.spec.last_hidden());
        let columns: Vec<&ReadoutColumns> = parts.iter().flat_map(|part| &part.readout).collect();
        for (suffix, of) in TENSORS {
            let rows = (0..classes).flat_map(|class| {
                columns.iter().flat_map(move |columns| of(&columns.weights, &columns.adam).row(class)).take(hidden)
            });
            state.insert(
                format!("readout{suffix}"),
                Tensor::new([classes, hidden], rows.copied().collect::<Vec<f32>>()),
            );
        }
        state.counters.insert("readout_steps".to_owned(), self.steps);
        state
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        let steps = state.counter("readout_steps")?;
        let (classes, hidden) = (self.spec.classes, self.spec.last_hidden());
        let shapes: Vec<[usize; 2]> = self.spec.layers().collect();
        // Everything is checked before anything changes.
        let mut layers = Vec::new();
        for (layer, shape) in shapes.iter().enumerate() {
            layers.push(tensors(state, &self.weights_name(layer), shape)?);
        }
        let readout = tensors(state, "readout", &[classes, hidden])?;
        for (layer, &[units, inputs]) in shapes.iter().enumerate() {
            for unit in 0..units {
                let (part, block) = self.owner(layer, unit / UNITS);
                let block = &mut part.layers[layer].blocks[block];
                let own = [&mut block.weights, &mut block.adam.first, &mut block.adam.second];
                for (own, values) in own.into_iter().zip(layers[layer]) {
                    own.row_mut(unit % UNITS).copy_from_slice(&values[unit * inputs..][..inputs]);
                }
            }
        }
        for unit in 0..hidden {
            let (part, block) = self.owner(shapes.len() - 1, unit / UNITS);
            let columns = &mut part.readout[block];
            let own = [&mut columns.weights, &mut columns.adam.first, &mut columns.adam.second];
            for (own, values) in own.into_iter().zip(readout) {
                (0..classes).for_each(|class| own.row_mut(class)[unit % UNITS] = values[class * hidden + unit]);
            }
        }
        self.steps = steps;
        Ok(())
    }

    fn classifier(&self) -> Option<&dyn Classifier> {
        Some(self)
    }
}

impl Backprop {
    fn weights_name(&self, layer: usize) -> String {
        if self.spec.hidden.len() == 1 { "weights".to_owned() } else { format!("weights.{}", layer + 1) }
    }
}

/// The three tensors of one matrix of weights in a state.
fn tensors<'a>(state: &'a State, name: &str, shape: &[usize]) -> Result<[&'a [f32]; 3]> {
    let [weights, first, second] = TENSORS.map(|(suffix, _)| state.f32(&format!("{name}{suffix}"), shape));
    Ok([weights?, first?, second?])
}

impl Classifier for Backprop {
    fn classes(&self) -> usize {
        self.spec.classes
    }

    /// Computes the sums s of the classes, in the same order as training does.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) if a shape does not fit; [`Error::Overflow`](crate::Error::Overflow) if
    /// training diverged.
    fn scores(&self, compute: &Compute, inputs: &Inputs<'_>, out: &mut Matrix) -> Result<()> {
        let BackpropSpec { classes, ref hidden, .. } = self.spec;
        check_inputs(inputs, self.spec.inputs)?;
        check_out(out, inputs.samples(), classes)?;
        let parts = self.workers.lock();
        let blocks = |layer: usize| parts.iter().flat_map(move |part| part.layers[layer].blocks.iter());
        let layers: Vec<Vec<&Block>> = (0..hidden.len()).map(|layer| blocks(layer).collect()).collect();
        let readout: Vec<&ReadoutColumns> = parts.iter().flat_map(|part| &part.readout).collect();
        for matrix in layers.iter().flatten().map(|block| &block.weights).chain(readout.iter().map(|it| &it.weights)) {
            (0..matrix.rows()).try_for_each(|row| check_finite("weights", matrix.row(row)))?;
        }
        let kernels = compute.kernels();
        let memory = || Scores {
            staged: Matrix::zeros(eval::BLOCK, self.spec.inputs),
            layers: hidden.iter().map(|&units| Matrix::zeros(eval::BLOCK, units)).collect(),
            block: Matrix::zeros(UNITS, eval::BLOCK),
            partial: Matrix::zeros(classes, eval::BLOCK),
        };
        eval::scores(compute, inputs, out, memory, |memory, samples, sums| {
            let mut below = all_rows(kernels, samples, &mut memory.staged);
            for (layer, activations) in memory.layers.iter_mut().enumerate() {
                for (number, block) in layers[layer].iter().enumerate() {
                    block::activate(kernels, &block.weights, below, &mut memory.block);
                    if layer + 1 < hidden.len() {
                        block::transpose_into(&memory.block, activations, number * UNITS, samples.samples());
                    } else {
                        block::partial_sums(kernels, &readout[number].weights, &memory.block, &mut memory.partial);
                        eval::add(sums, &memory.partial, 0);
                    }
                }
                below = activations.panel(0, samples.samples());
            }
        });
        Ok(())
    }
}

/// What a worker needs to compute scores.
struct Scores {
    staged: Matrix,
    /// Of every hidden layer, activations [samples × units]; those of the last stay unused.
    layers: Vec<Matrix>,
    /// Activations of a block, [UNITS × samples].
    block: Matrix,
    /// What a block adds to the sums, [classes × samples].
    partial: Matrix,
}
