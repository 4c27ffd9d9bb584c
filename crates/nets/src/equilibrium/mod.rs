//! Equilibrium propagation (Scellier & Bengio 2017): one kind of dynamics for inference and for errors, one local rule.
//!
//! ```text
//! E = ½ Σ s² − Σ_l s_lᵀ W_l s_{l−1} − Σ b·s,  C = ½ ‖y − d‖²,  F = E + β C
//! for each minibatch:
//!     s⁰ = free_steps steps of ds/dt = −∂F/∂s with β = 0          the outputs are the prediction
//!     s^β = nudged_steps more with β ≠ 0, from s⁰                  (a second time with −β, or not)
//!     ΔW_l = α_l/β · mean [ s_l^β s_{l−1}^βᵀ − s_l⁰ s_{l−1}⁰ᵀ ]    likewise the biases; with both signs [s^β − s^−β]/2β
//! ```
//!
//! 1. In the phases each worker has its own samples, in the update its own units: two barriers a minibatch. No sum is divided,
//!    so the bits do not depend on the number of workers.
//! 2. W_1 is read once a minibatch, together with its update ([`crate::dense`]): W_1 x + b_1 stays the same in all steps.
//! 3. a⁺ b⁺ᵀ − a⁻ b⁻ᵀ is summed as (a⁺ − a⁻) b⁺ᵀ + a⁻ (b⁺ − b⁻)ᵀ, in which nothing large cancels. Inputs are clamped, so of the
//!    first layer only the first term is left.

mod relax;
mod spec;
mod step;

pub use spec::{EquilibriumSpec, Particles, Signs};

use crate::dense::{DenseRows, Pending};
use crate::error::{Error, Result};
use crate::eval::{self, check_epoch, check_finite_or, check_inputs, check_out};
use crate::learner::{Classifier, Labelled, Learner, State, Tensor};
use crate::workers::{Exchange, Shared, SharedColumns, Workers, all_rows, rows, staged_rows};
use relax::{Ended, Network, Nudge, Relaxation, Units, copy_rows};
use rivalry_core::ops::{NonZeros, Products};
use rivalry_core::{Barrier, Compute, Inputs, Kernels, Matrix, Random, range_of};
use std::ops::Range;
use std::sync::RwLockReadGuard;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// What to do when weights are no longer finite.
const HINT: &str = "lower alphas or beta";

/// A network that learns by equilibrium propagation, divided among worker threads.
///
/// # Example
/// ```
/// use rivalry_core::{Compute, Inputs, Kernels, Random};
/// use rivalry_nets::{Classifier, EquilibriumPropagation, EquilibriumSpec, Labelled, Learner};
/// let values = [1., 0., 0., 0., 1., 0., 0., 0., 1.];
/// let data = Labelled { inputs: Inputs::f32(&values, 3)?, labels: &[0, 1, 2] };
/// let compute = Compute::new(Some(2), Kernels::best())?;
/// let spec = EquilibriumSpec { batch: 3, ..EquilibriumSpec::ours(3, &[20], 3)? };
/// let mut network = EquilibriumPropagation::new(spec, &mut Random::keyed(1, "weights", 0), &compute)?;
/// for _ in 0..100 {
///     network.epoch(&compute, &data, &[0, 1, 2], 1.0)?;
/// }
/// assert_eq!(network.errors(&compute, &data)?, 0);
/// # Ok::<(), rivalry_nets::Error>(())
/// ```
#[derive(Debug)]
pub struct EquilibriumPropagation {
    spec: EquilibriumSpec,
    /// Names the stream of the signs of β.
    sign_seed: u64,
    minibatches: u64,
    workers: Workers<Memory>,
    /// The units of each worker.
    units: Vec<Shared<Units>>,
    /// W_1 x + b_1 of the present minibatch [batch × units].
    first: SharedColumns,
    /// The samples of each worker at the end of their phases.
    fixed_points: Vec<Shared<FixedPoints>>,
    /// The states of all layers side by side, a row per training sample, where they persist.
    particles: Option<Exchange>,
    health: Health,
}

/// What the last epoch was like.
#[derive(Debug, Clone, Default)]
struct Health {
    minibatches: u64,
    steps: u64,
    /// Summed over the minibatches.
    residual: f64,
    /// For every class, whether its output was above 0 for some sample.
    alive: Vec<bool>,
}

/// The samples of a worker at the end of their phases: the states of each layer [samples × units].
#[derive(Debug)]
struct FixedPoints {
    samples: Range<usize>,
    free: Vec<Matrix>,
    /// With β, and with −β where there are two nudged phases.
    nudged: [Vec<Matrix>; 2],
    ended: Ended,
}

/// The working memory of one worker.
#[derive(Debug)]
struct Memory {
    relaxation: Relaxation,
    labels: Vec<u8>,
    /// The inputs of the present and of the previous minibatch, where kernels cannot read them in place, and their non-zeros.
    staged: [Matrix; 2],
    nonzeros: [NonZeros; 2],
    /// δ of the own units of each layer [2 · batch × units], and the states below that they meet [2 · batch × units].
    deltas: Vec<Matrix>,
    below: Vec<Matrix>,
    health: Health,
}

impl Memory {
    fn new(spec: &EquilibriumSpec, workers: usize, units: &Units) -> Memory {
        let batch = spec.batch;
        let matrices = |columns: &[usize]| columns.iter().map(|&columns| Matrix::zeros(2 * batch, columns)).collect();
        let own: Vec<usize> = units.ranges.iter().map(Range::len).collect();
        Memory {
            relaxation: Relaxation::new(spec, batch.div_ceil(workers)),
            labels: Vec::with_capacity(batch),
            staged: [(); 2].map(|()| Matrix::zeros(batch, spec.inputs)),
            nonzeros: [(); 2].map(|()| NonZeros::new(batch, spec.inputs)),
            deltas: matrices(&own),
            below: matrices(&spec.hidden),
            health: Health::default(),
        }
    }
}

impl EquilibriumPropagation {
    /// Draws initial weights, U(±scale · √(6/(n_in + n_out))) row by row from the inputs up, and divides the network among the
    /// workers. Biases are 0.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a setting is out of range or there is not one α per layer.
    ///
    /// # Allocates
    /// The weights, some minibatches of states for each worker; persistent particles with the first epoch.
    pub fn new(spec: EquilibriumSpec, random: &mut Random, compute: &Compute) -> Result<EquilibriumPropagation> {
        spec.check()?;
        let (threads, widths) = (compute.threads(), spec.widths());
        let range = |layer: usize, worker: usize| range_of(widths[layer + 1], 16, worker, threads);
        let layers = spec.alphas.len();
        let units = compute.map(|worker| {
            let ranges: Vec<Range<usize>> = (0..layers).map(|layer| range(layer, worker)).collect();
            let rows = ranges.iter().zip(&widths).map(|(own, &inputs)| DenseRows::zeros(own.len(), inputs));
            Shared::new(Units { layers: rows.collect(), ranges })
        });
        let capacity = spec.batch.div_ceil(threads);
        let states = || widths[1..].iter().map(|&units| Matrix::zeros(capacity, units)).collect();
        let points =
            || FixedPoints { samples: 0..0, free: states(), nudged: [states(), states()], ended: Ended::default() };
        let mut network = EquilibriumPropagation {
            sign_seed: 0,
            minibatches: 0,
            workers: Workers::new(compute, |worker| Memory::new(&spec, threads, &units[worker].read())),
            first: SharedColumns::new(spec.batch, (0..threads).map(|worker| range(0, worker))),
            fixed_points: (0..threads).map(|_| Shared::new(points())).collect(),
            particles: None,
            health: Health::default(),
            units,
            spec,
        };
        for (layer, pair) in widths.windows(2).enumerate() {
            let bound = network.spec.start_scale * libm::sqrt(6.0 / (pair[0] + pair[1]) as f64);
            for units in &mut network.units {
                for row in units.get_mut().layers[layer].weights.rows_mut() {
                    row.fill_with(|| (bound * (2.0 * random.uniform() - 1.0)) as f32);
                }
            }
        }
        network.sign_seed = random.next_u64();
        Ok(network)
    }

    /// β of a minibatch.
    fn beta(&self, minibatch: u64) -> f32 {
        let negative = self.spec.signs == Signs::Random
            && Random::keyed(self.sign_seed, "sign-of-beta", minibatch as u32).next_u64() >> 63 == 1;
        if negative { -self.spec.beta } else { self.spec.beta }
    }

    /// Relaxes the own samples of a minibatch: the free phase, then one or two nudged ones.
    fn relax(
        &self,
        kernels: &Kernels,
        network: &Network<'_>,
        (worker, memory): (usize, &mut Memory),
        (data, minibatch, beta): (&Labelled<'_>, &[u32], f32),
        agreement: &mut Agreement<'_>,
    ) {
        let Memory { relaxation, labels, .. } = memory;
        let mut points = self.fixed_points[worker].write();
        let own = range_of(minibatch.len(), 1, worker, self.units.len());
        let (samples, own_samples) = (own.len(), &minibatch[own.clone()]);
        labels.clear();
        labels.extend(own_samples.iter().map(|&sample| data.labels[sample as usize]));
        self.first.gather(own.clone(), &mut relaxation.first);
        relaxation.read_biases(network);
        match &self.particles {
            Some(particles) => self.load(particles, own_samples, &mut relaxation.states),
            None => relaxation.clear(samples),
        }
        points.ended =
            relaxation.free_phase(kernels, network, &self.spec, samples, |residual| agreement.largest(residual));
        points.samples = own;
        copy_rows(&relaxation.states, &mut points.free, samples);
        if let Some(particles) = &self.particles {
            self.store(particles, own_samples, &relaxation.states);
        }
        let phases = if self.spec.signs == Signs::Both { 2 } else { 1 };
        for (phase, beta) in [beta, -beta].into_iter().enumerate().take(phases) {
            if phase > 0 {
                copy_rows(&points.free, &mut relaxation.states, samples);
            }
            for _ in 0..self.spec.nudged_steps {
                relaxation.step(kernels, network, samples, Some(Nudge { beta, labels }));
            }
            copy_rows(&relaxation.states, &mut points.nudged[phase], samples);
        }
    }

    fn load(&self, particles: &Exchange, samples: &[u32], states: &mut [Matrix]) {
        let mut first = 0;
        for states in states {
            for (row, &sample) in samples.iter().enumerate() {
                particles.load(sample as usize, first, states.row_mut(row));
            }
            first += states.columns();
        }
    }

    fn store(&self, particles: &Exchange, samples: &[u32], states: &[Matrix]) {
        let mut first = 0;
        for states in states {
            for (row, &sample) in samples.iter().enumerate() {
                particles.store(sample as usize, first, states.row(row));
            }
            first += states.columns();
        }
    }

    /// Writes δ of the own units, and the states that they meet, of a minibatch whose phases have ended.
    fn contrast(&self, memory: &mut Memory, units: &Units, factor: f32, samples: usize) {
        let both = self.spec.signs == Signs::Both;
        for points in &self.fixed_points {
            let points = points.read();
            let plus = &points.nudged[0];
            let minus = if both { &points.nudged[1] } else { &points.free };
            for (row, sample) in points.samples.clone().enumerate() {
                for (layer, own) in units.ranges.iter().enumerate() {
                    let factor = self.spec.alphas[layer] * factor;
                    let [plus_own, minus_own] = [plus, minus].map(|states| &states[layer].row(row)[own.clone()]);
                    let deltas = memory.deltas[layer].row_mut(sample);
                    for ((delta, plus), minus) in deltas.iter_mut().zip(plus_own).zip(minus_own) {
                        *delta = factor * (plus - minus);
                    }
                    if layer == 0 {
                        continue;
                    }
                    let deltas = memory.deltas[layer].row_mut(samples + sample);
                    deltas.iter_mut().zip(minus_own).for_each(|(delta, minus)| *delta = factor * minus);
                    let [plus, minus] = [plus, minus].map(|states| states[layer - 1].row(row));
                    memory.below[layer - 1].row_mut(sample).copy_from_slice(plus);
                    let below = memory.below[layer - 1].row_mut(samples + sample);
                    for ((below, plus), minus) in below.iter_mut().zip(plus).zip(minus) {
                        *below = plus - minus;
                    }
                }
            }
        }
    }

    /// Learns from the last minibatch, if there was one, and computes W_1 x + b_1 of the next, if there is one.
    fn learn(
        &self,
        kernels: &Kernels,
        (worker, memory): (usize, &mut Memory),
        data: &Labelled<'_>,
        last: Option<(&[u32], f32)>,
        next: Option<&[u32]>,
    ) {
        let units = &mut *self.units[worker].write();
        if let Some((last, factor)) = last {
            self.contrast(memory, units, factor, last.len());
            if worker == 0 {
                self.observe(&mut memory.health);
            }
            for (layer, rows) in units.layers.iter_mut().enumerate().skip(1) {
                let examples = memory.below[layer - 1].panel(0, 2 * last.len());
                let products = Products { deltas: &memory.deltas[layer], examples, nonzeros: None };
                rows.learn(kernels, Pending { products, bias_examples: last.len() });
            }
        }
        // What was the present minibatch is the previous one now.
        memory.staged.swap(0, 1);
        memory.nonzeros.swap(0, 1);
        let ([staged, staged_last], [nonzeros, nonzeros_last]) = (&mut memory.staged, &mut memory.nonzeros);
        let pending = last.map(|(last, _)| Pending {
            products: Products {
                deltas: &memory.deltas[0],
                examples: staged_rows(&data.inputs, last, staged_last),
                nonzeros: Some(nonzeros_last),
            },
            bias_examples: last.len(),
        });
        match next {
            Some(next) => {
                let x = rows(kernels, &data.inputs, next, staged);
                nonzeros.record(x);
                units.layers[0].learn_and_apply(kernels, pending, x, &mut self.first.write(worker));
            }
            None => pending.into_iter().for_each(|pending| units.layers[0].learn(kernels, pending)),
        }
    }

    /// Notes how the phases of a minibatch ended.
    fn observe(&self, health: &mut Health) {
        let (mut residual, mut steps) = (0.0_f32, 0);
        for points in &self.fixed_points {
            let points = points.read();
            residual = residual.max(points.ended.residual);
            steps = points.ended.steps;
            let outputs = &points.free[self.spec.hidden.len()];
            for row in 0..points.samples.len() {
                health.alive.iter_mut().zip(outputs.row(row)).for_each(|(alive, output)| *alive |= *output > 0.0);
            }
        }
        health.minibatches += 1;
        health.steps += steps as u64;
        health.residual += f64::from(residual);
    }

    /// Makes room for particles, or checks that those there are belong to these samples.
    fn prepare_particles(&mut self, samples: usize) -> Result<()> {
        let known = self.particles.as_ref().map(Exchange::rows);
        match (self.spec.particles, known) {
            (Particles::Zero, _) => Ok(()),
            (Particles::Persistent, Some(known)) if known == samples => Ok(()),
            (Particles::Persistent, Some(known)) => {
                Err(Error::invalid(format!("there are particles of {known} samples, the data has {samples}")))
            }
            (Particles::Persistent, None) => {
                self.particles = Some(Exchange::new(samples, self.spec.widths()[1..].iter().sum()));
                Ok(())
            }
        }
    }
}

/// How workers agree on the largest of their numbers: three slots in rotation, so that no worker clears a number that another still reads.
struct Agreement<'a> {
    slots: &'a [AtomicU32; 3],
    barrier: &'a Barrier,
    round: usize,
}

impl Agreement<'_> {
    fn largest(&mut self, own: f32) -> f32 {
        // The bits of numbers of at least 0 are in their order.
        let slot = &self.slots[self.round % 3];
        slot.fetch_max(own.to_bits(), Relaxed);
        self.barrier.wait();
        // All workers read the previous slot before the barrier; it is used again after the next one.
        self.slots[(self.round + 2) % 3].store(0, Relaxed);
        self.round += 1;
        f32::from_bits(slot.load(Relaxed))
    }
}

impl Learner for EquilibriumPropagation {
    /// Trains on consecutive minibatches of `order`; the last one may be smaller. `rate` multiplies every α.
    ///
    /// ΔW_l = rate · α_l/β · mean [s_l^β s_{l−1}^βᵀ − s_l⁰ s_{l−1}⁰ᵀ]
    ///
    /// Source: Scellier & Bengio 2017, eqs. 1–11 and section 4; with both signs the centred difference, which is ours.
    ///
    /// # Shapes
    /// `data.inputs` [samples × inputs], x = c · element; `data.labels` one class per sample. With persistent particles every
    /// epoch has the same samples.
    ///
    /// # Numerics
    /// f32; the same bits for any number of threads and on every instruction set.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a label, a sample number or a shape does not fit, or the rate is not finite (nothing is learned
    /// then); [`Error::Overflow`] if weights are no longer finite.
    fn epoch(&mut self, compute: &Compute, data: &Labelled<'_>, order: &[u32], rate: f32) -> Result<()> {
        self.workers.check(compute)?;
        check_epoch(data, [self.spec.inputs, self.spec.classes], order, rate)?;
        self.prepare_particles(data.inputs.samples())?;
        let (this, kernels) = (&*self, compute.kernels());
        let minibatches = order.len().div_ceil(this.spec.batch);
        let minibatch = |number: usize| order.chunks(this.spec.batch).nth(number);
        let beta = |number: usize| this.beta(this.minibatches.wrapping_add(number as u64));
        let slots = [const { AtomicU32::new(0) }; 3];
        this.workers.run_numbered(compute, |worker, memory, barrier| {
            memory.health = Health { alive: vec![false; this.spec.classes], ..Health::default() };
            let mut network = Vec::with_capacity(this.units.len());
            let mut agreement = Agreement { slots: &slots, barrier, round: 0 };
            for number in 0..=minibatches {
                let last = number.checked_sub(1).and_then(|last| {
                    let samples = minibatch(last)?;
                    let phases = if this.spec.signs == Signs::Both { 2.0 } else { 1.0 };
                    Some((samples, rate / (phases * beta(last) * samples.len() as f32)))
                });
                this.learn(kernels, (worker, memory), data, last, minibatch(number));
                barrier.wait();
                if let Some(samples) = minibatch(number) {
                    network.extend(this.units.iter().map(Shared::read));
                    let examples = (data, samples, beta(number));
                    this.relax(kernels, &network, (worker, memory), examples, &mut agreement);
                    network.clear();
                    barrier.wait();
                }
            }
        });
        self.minibatches = self.minibatches.wrapping_add(minibatches as u64);
        self.health = self.workers.lock()[0].health.clone();
        self.check_finite()
    }

    /// Of the last epoch: `free_steps`, the mean number of steps of a free phase; `residual`, the largest change of a state in
    /// the last of them, mean over minibatches; `dead_outputs`, the share of outputs that were never above 0.
    fn diagnostics(&self) -> Vec<(&'static str, f64)> {
        let Health { minibatches, steps, residual, ref alive } = self.health;
        let count = minibatches.max(1) as f64;
        let dead = alive.iter().filter(|&&alive| !alive).count() as f64 / self.spec.classes as f64;
        vec![("free_steps", steps as f64 / count), ("residual", residual / count), ("dead_outputs", dead)]
    }

    /// `weight.l` [units × units below] and `bias.l` (one per unit) from l = 1 at the inputs up; with persistent particles, once there
    /// are any, `state.l` [samples × units]; the counters `minibatches` and `sign_seed`.
    fn state(&self) -> State {
        let (mut state, widths) = (State::default(), self.spec.widths());
        let units: Vec<_> = self.units.iter().map(Shared::read).collect();
        let mut first = 0;
        for (layer, pair) in widths.windows(2).enumerate() {
            let rows = units.iter().flat_map(|units| units.layers[layer].weights.to_rows());
            state.insert(format!("weight.{}", layer + 1), Tensor::new([pair[1], pair[0]], rows.collect::<Vec<f32>>()));
            let bias = units.iter().flat_map(|units| units.layers[layer].bias.iter().copied());
            state.insert(format!("bias.{}", layer + 1), Tensor::new([pair[1]], bias.collect::<Vec<f32>>()));
            if let Some(particles) = &self.particles {
                let mut values = vec![0.0; particles.rows() * pair[1]];
                let rows = values.chunks_exact_mut(pair[1]).enumerate();
                rows.for_each(|(sample, row)| particles.load(sample, first, row));
                state.insert(format!("state.{}", layer + 1), Tensor::new([particles.rows(), pair[1]], values));
            }
            first += pair[1];
        }
        state.counters.insert("minibatches".to_owned(), self.minibatches);
        state.counters.insert("sign_seed".to_owned(), self.sign_seed);
        state
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        let counters = [state.counter("minibatches")?, state.counter("sign_seed")?];
        self.restore_tensors(state)?;
        [self.minibatches, self.sign_seed] = counters;
        Ok(())
    }

    fn classifier(&self) -> Option<&dyn Classifier> {
        Some(self)
    }
}

impl EquilibriumPropagation {
    fn check_finite(&self) -> Result<()> {
        for units in &self.units {
            for layer in &units.read().layers {
                check_finite_or("biases", &layer.bias, HINT)?;
                (0..layer.bias.len()).try_for_each(|row| check_finite_or("weights", layer.weights.row(row), HINT))?;
            }
        }
        Ok(())
    }
}

impl Classifier for EquilibriumPropagation {
    fn classes(&self) -> usize {
        self.spec.classes
    }

    /// Computes the outputs at the end of a free phase from zero states. With a tolerance, 128 consecutive samples stop
    /// together.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a shape does not fit; [`Error::Overflow`] if training diverged.
    fn scores(&self, compute: &Compute, inputs: &Inputs<'_>, out: &mut Matrix) -> Result<()> {
        check_inputs(inputs, self.spec.inputs)?;
        check_out(out, inputs.samples(), self.spec.classes)?;
        self.check_finite()?;
        let (spec, kernels) = (&self.spec, compute.kernels());
        let network: Vec<RwLockReadGuard<'_, Units>> = self.units.iter().map(Shared::read).collect();
        let memory = || (Matrix::zeros(eval::BLOCK, spec.inputs), Relaxation::new(spec, eval::BLOCK));
        eval::scores(compute, inputs, out, memory, |(staged, relaxation), samples, sums| {
            let x = all_rows(kernels, samples, staged);
            for units in &network {
                units.layers[0].apply(kernels, x, &mut relaxation.first, units.ranges[0].start);
            }
            relaxation.read_biases(&network);
            relaxation.clear(x.rows());
            relaxation.free_phase(kernels, &network, spec, x.rows(), |largest| largest);
            let outputs = &relaxation.states[spec.hidden.len()];
            for sample in 0..x.rows() {
                outputs.row(sample).iter().enumerate().for_each(|(class, &score)| sums.row_mut(class)[sample] = score);
            }
        });
        Ok(())
    }
}
