//! Equilibrium propagation (Scellier & Bengio 2017): one kind of dynamics for inference and for errors, one local rule.
//!
//! ```text
//! E = ½ Σ s² − Σ_l s_lᵀ W_l s_{l−1} − Σ b·s,  C = ½ ‖y − d‖²,  F = E + β C
//! for each minibatch:
//!     s⁰ = free_steps steps of ds/dt = −∂F/∂s with β = 0          the outputs are the prediction (steps: `relax.rs`)
//!     s^β = nudged_steps more with β ≠ 0, from s⁰                  (with `Signs::Both` also s^−β)
//!     ΔW_l = α_l/β · mean [ s_l^β s_{l−1}^βᵀ − s_l⁰ s_{l−1}⁰ᵀ ]    likewise the biases; with both signs
//!         α_l/2β · mean [ s_l^β s_{l−1}^βᵀ − s_l^−β s_{l−1}^−βᵀ ]
//! ```
//!
//! 1. In the phases each worker has its own samples, in the update its own units: two barriers a minibatch. No sum is divided,
//!    so the bits do not depend on the number of workers.
//! 2. W_1 is read once a minibatch, together with its update ([`crate::dense`]): W_1 x + b_1 stays the same in all steps.
//! 3. a⁺ b⁺ᵀ − a⁻ b⁻ᵀ is summed as (a⁺ − a⁻) b⁺ᵀ + a⁻ (b⁺ − b⁻)ᵀ, in which nothing large cancels. Inputs are clamped, so of the
//!    first layer only the first term is left.

mod minibatch;
mod relax;
mod spec;
mod step;

pub use spec::{EquilibriumSpec, Particles, Signs, Updates};

use crate::dense::Averaging;
use crate::error::{Error, Result};
use crate::eval::{self, check_epoch, check_inputs, check_out};
use crate::learner::{Classifier, Labelled, Learner, State, Tensor};
use crate::workers::{Exchange, Shared, SharedColumns, Workers, all_rows};
use minibatch::{Agreement, FixedPoints, Health, Memory};
use relax::{Ended, Relaxation, Units};
use rivalry_core::{Compute, Inputs, Matrix, Random, range_of};
use std::ops::Range;
use std::sync::RwLockReadGuard;
use std::sync::atomic::AtomicU32;

/// What to do when weights are no longer finite.
const HINT: &str = "lower alphas or beta";
/// The names of the counters in the state.
const COUNTERS: [&str; 4] = ["minibatches", "epochs", "averaged", "sign_seed"];
/// What the names of means begin with.
const AVERAGE: &str = "average_";

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
    epochs: u64,
    /// How many sets of weights the means consist of.
    averaged: u64,
    workers: Workers<Memory>,
    /// The units of each worker.
    units: Vec<Shared<Units>>,
    /// The same units with the means of their weights, where they are kept.
    means: Vec<Shared<Units>>,
    /// W_1 x + b_1 of the present minibatch [batch × units].
    first: SharedColumns,
    /// The samples of each worker at the end of their phases.
    fixed_points: Vec<Shared<FixedPoints>>,
    /// The states of all layers side by side, a row per training sample, where they persist.
    particles: Option<Exchange>,
    health: Health,
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
        let units = || {
            compute.map(|worker| {
                let ranges: Vec<Range<usize>> = (0..layers).map(|layer| range(layer, worker)).collect();
                Shared::new(Units::new(ranges, &widths))
            })
        };
        let (means, units) = (if spec.average_after.is_some() { units() } else { Vec::new() }, units());
        let capacity = spec.batch.div_ceil(threads);
        let states = |rows: usize| widths[1..].iter().map(|&units| Matrix::zeros(rows, units)).collect();
        let points = || {
            let nudged = states(spec.signs.phases() * capacity);
            FixedPoints { samples: 0..0, free: states(capacity), nudged, ended: Ended::default() }
        };
        let mut network = EquilibriumPropagation {
            sign_seed: 0,
            minibatches: 0,
            epochs: 0,
            averaged: 0,
            workers: Workers::new(compute, |worker| Memory::new(&spec, threads, &units[worker].read())),
            first: SharedColumns::new(spec.batch, (0..threads).map(|worker| range(0, worker))),
            fixed_points: (0..threads).map(|_| Shared::new(points())).collect(),
            particles: None,
            health: Health::default(),
            units,
            means,
            spec,
        };
        for (layer, pair) in widths.windows(2).enumerate() {
            let bound = network.spec.start_scale * libm::sqrt(6.0 / (pair[0] + pair[1]) as f64);
            for units in &mut network.units {
                let draws = std::iter::repeat_with(|| (bound * (2.0 * random.uniform() - 1.0)) as f32);
                units.get_mut().layers[layer].weights.set_all(draws);
            }
        }
        network.units.iter_mut().for_each(|units| units.get_mut().transpose());
        network.sign_seed = random.next_u64();
        Ok(network)
    }

    /// β of a minibatch.
    fn beta(&self, minibatch: u64) -> f32 {
        let negative = self.spec.signs == Signs::Random
            && Random::keyed(self.sign_seed, "sign-of-beta", minibatch as u32).next_u64() >> 63 == 1;
        if negative { -self.spec.beta } else { self.spec.beta }
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
        let averages = this.spec.average_after.is_some_and(|after| this.epochs >= after);
        let begun = Averaging::of(averages, minibatches, this.averaged);
        let averaged = this.workers.run_numbered(compute, |worker, memory, barrier| {
            let mut averaging = begun;
            memory.health = Health { alive: vec![false; this.spec.classes], ..Health::default() };
            let mut network = Vec::with_capacity(this.units.len());
            let mut agreement = Agreement { slots: &slots, barrier, round: 0 };
            for number in 0..=minibatches {
                let last = number.checked_sub(1).and_then(|last| {
                    let samples = minibatch(last)?;
                    let phases = this.spec.signs.phases() as f32;
                    Some((samples, rate / (phases * beta(last) * samples.len() as f32)))
                });
                this.learn(kernels, (worker, memory), data, last, minibatch(number));
                if let Some(mean) = this.means.get(worker) {
                    averaging.after(number, &this.units[worker].read().layers, &mut mean.write().layers);
                }
                barrier.wait();
                if let Some(samples) = minibatch(number) {
                    network.extend(this.units.iter().map(Shared::read));
                    let examples = (data, samples, beta(number));
                    this.relax(kernels, &network, (worker, memory), examples, &mut agreement);
                    network.clear();
                    barrier.wait();
                }
            }
            this.means.get(worker).into_iter().for_each(|mean| mean.write().transpose());
            averaging.averaged
        });
        (self.epochs, self.averaged) = (self.epochs + 1, averaged);
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

    /// `weight.l` [units × units below] and `bias.l` (one per unit) from l = 1 at the inputs up; their means `average_weight.l`
    /// and `average_bias.l`, where they are kept; with persistent particles, once there are any, `state.l` [samples × units];
    /// the counters `minibatches`, `epochs`, `averaged` and `sign_seed`.
    fn state(&self) -> State {
        let (mut state, widths) = (State::default(), self.spec.widths());
        for (prefix, units) in [("", &self.units), (AVERAGE, &self.means)] {
            let units: Vec<_> = units.iter().map(Shared::read).collect();
            for (layer, pair) in widths.windows(2).enumerate().filter(|_| !units.is_empty()) {
                let rows = units.iter().flat_map(|units| units.layers[layer].weights.to_rows());
                let weights = Tensor::new([pair[1], pair[0]], rows.collect::<Vec<f32>>());
                state.insert(format!("{prefix}weight.{}", layer + 1), weights);
                let bias = units.iter().flat_map(|units| units.layers[layer].bias.iter().copied());
                let bias = Tensor::new([pair[1]], bias.collect::<Vec<f32>>());
                state.insert(format!("{prefix}bias.{}", layer + 1), bias);
            }
        }
        let mut first = 0;
        for (layer, &units) in widths[1..].iter().enumerate() {
            if let Some(particles) = &self.particles {
                let mut values = vec![0.0; particles.rows() * units];
                let rows = values.chunks_exact_mut(units).enumerate();
                rows.for_each(|(sample, row)| particles.load(sample, first, row));
                state.insert(format!("state.{}", layer + 1), Tensor::new([particles.rows(), units], values));
            }
            first += units;
        }
        let counts = [self.minibatches, self.epochs, self.averaged, self.sign_seed];
        state.counters.extend(COUNTERS.map(str::to_owned).into_iter().zip(counts));
        state
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        let mut counts = [0; 4];
        for (count, name) in counts.iter_mut().zip(COUNTERS) {
            *count = state.counter(name)?;
        }
        self.restore_tensors(state)?;
        [self.minibatches, self.epochs, self.averaged, self.sign_seed] = counts;
        if self.means.is_empty() {
            self.averaged = 0;
        }
        Ok(())
    }

    fn classifier(&self) -> Option<&dyn Classifier> {
        Some(self)
    }
}

impl EquilibriumPropagation {
    fn check_finite(&self) -> Result<()> {
        for units in &self.units {
            units.read().layers.iter().try_for_each(|layer| layer.check_finite(HINT))?;
        }
        Ok(())
    }
}

impl Classifier for EquilibriumPropagation {
    fn classes(&self) -> usize {
        self.spec.classes
    }

    /// Computes the outputs at the end of a free phase from zero states, with the means of the weights where there are any.
    /// With a tolerance, 128 consecutive samples stop
    /// together.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a shape does not fit; [`Error::Overflow`] if training diverged.
    fn scores(&self, compute: &Compute, inputs: &Inputs<'_>, out: &mut Matrix) -> Result<()> {
        check_inputs(inputs, self.spec.inputs)?;
        check_out(out, inputs.samples(), self.spec.classes)?;
        self.check_finite()?;
        let (spec, kernels) = (&self.spec, compute.kernels());
        let units = if self.averaged > 0 { &self.means } else { &self.units };
        let network: Vec<RwLockReadGuard<'_, Units>> = units.iter().map(Shared::read).collect();
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
