//! The slow learner: hidden dynamics with inhibition and a plasticity threshold (Krotov & Hopfield 2019, eqs. 8 and 9),
//! without labels. The fast rule is their shortcut, in which only ranks count.
//!
//! ```text
//! I  = (sgn W ∘ |W|^(p−1)) X
//! h  = the steady state of τ dh_μ/dt = I_μ − w_inh Σ_{ν≠μ} max(h_ν, 0) − h_μ
//! g  = 1 where h > 0 and h ≥ θ;  −Δ where 0 ≤ h < θ;  0 where h < 0
//! ds = g Xᵀ − rowsum(g ∘ I) ∘ W;  W += ε ds / max(max |ds|, 1e−30)
//! ```
//!
//! 1. The dynamics are not integrated: [`steady_state`] has their end in closed form.
//! 2. S is at least the largest I, so a unit with I < w_inh max I has h < 0: it neither counts in S nor learns. Int8 scores
//!    show which units these are, and their currents are not computed ([`rivalry_core::ScreenedUnits`]).
//! 3. Each worker owns a range of units, for which it computes I, g and ds; the steady state of an example needs the strong
//!    currents of all workers, and each worker finds it for its share of the examples. Four barriers a minibatch: behind the
//!    bounds, behind the currents, behind the steady states, behind the largest changes.
//! 4. Few units learn from an example: [`changes`] leaves the others out, and w′ is computed again only for units that changed.

mod changes;
mod steady_state;

use crate::error::{Error, Result};
use crate::eval::{check_inputs, check_order, check_rate, check_size};
use crate::learner::{Labelled, Learner, State, Tensor};
use crate::workers::{self, Exchange};
use changes::Changes;
use rivalry_core::{Barrier, Compute, Inputs, Kernels, Layer, Matrix, Random, Rates, Rule, ScreenedUnits, range_of};
use std::ops::Range;
use steady_state::{Current, SteadyState};

/// The names of the counters in the state, in the order of [`Counts`].
const COUNTERS: [&str; 4] = ["examples", "active", "hebbian", "anti_hebbian"];

/// What the plasticity threshold θ is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HStarOf {
    /// θ = h_star · the largest h of the example. Ours: it follows the norms of the weights, which change.
    Max,
    /// θ = h_star, as in the paper.
    Value,
}

/// The shape of a layer and how it learns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SlowSpec {
    /// The length of a sample.
    pub inputs: usize,
    /// The number of hidden units.
    pub hidden: usize,
    /// The Lebesgue norm p of eq. 2.
    pub p: f64,
    /// The anti-Hebbian strength Δ of eq. 9.
    pub delta: f64,
    /// The strength of inhibition of eq. 8; from 1 on the winner takes all.
    pub w_inh: f64,
    /// The plasticity threshold h* of eq. 9.
    pub h_star: f64,
    /// What h* is measured in.
    pub h_star_of: HStarOf,
    /// The number of samples in a minibatch.
    pub batch: usize,
    /// The standard deviation of the initial weights.
    pub init_sigma: f64,
}

/// A layer that learns by hidden dynamics and a plasticity threshold.
///
/// # Example
/// ```
/// use rivalry_core::{Compute, Inputs, Kernels, Random};
/// use rivalry_nets::{HStarOf, Labelled, Learner, SlowLearner, SlowSpec};
/// let pixels: Vec<u8> = (0..200 * 9).map(|i| (i * 31 % 256) as u8).collect();
/// let inputs = Inputs::u8(&pixels, 9)?;
/// let scales = inputs.unit_length_scales();
/// let data = Labelled::unlabelled(inputs.with_scales(&scales)?);
/// let (h_star, h_star_of) = (0.5, HStarOf::Max);
/// let sizes = (9, 20);
/// let spec = SlowSpec {
///     inputs: sizes.0, hidden: sizes.1, p: 3.0, delta: 0.4, w_inh: 0.9, h_star, h_star_of, batch: 10, init_sigma: 1.0,
/// };
/// let compute = Compute::new(Some(2), Kernels::best())?;
/// let mut learner = SlowLearner::new(spec, &mut Random::keyed(1, "weights", 0))?;
/// for epoch in 0..5 {
///     let order = Random::keyed(1, "order", epoch).order(200);
///     learner.epoch(&compute, &data, &order, 0.04 * (1.0 - epoch as f32 / 5.0))?;
/// }
/// assert_eq!(learner.wins().iter().sum::<u32>(), 200);
/// # Ok::<(), rivalry_nets::Error>(())
/// ```
#[derive(Debug)]
pub struct SlowLearner {
    spec: SlowSpec,
    rule: Rule,
    layer: Layer,
    /// How often each unit had the largest current, in the last epoch.
    wins: Vec<u32>,
    counts: Counts,
}

/// Examples of the last epoch, and over them the units that were active, learned, and learned with the opposite sign.
type Counts = [u64; 4];

impl SlowLearner {
    /// Draws initial weights from N(0, init_sigma²).
    ///
    /// # Errors
    /// As [`SlowLearner::from_layer`] and [`Layer::normal`].
    ///
    /// # Allocates
    /// The layer; an epoch allocates what learning needs.
    pub fn new(spec: SlowSpec, random: &mut Random) -> Result<SlowLearner> {
        let layer = Layer::normal(spec.hidden, spec.inputs, spec.init_sigma, random)?;
        SlowLearner::from_layer(spec, layer)
    }

    /// Starts from a given layer.
    ///
    /// # Errors
    /// [`Error::Invalid`] unless the layer has the shape of the spec, w_inh and h_star are finite and at least 0, and a
    /// minibatch has 1 to 2²⁰ samples; [`Error::Core`] as [`Rule::new`] for p and Δ.
    pub fn from_layer(spec: SlowSpec, layer: Layer) -> Result<SlowLearner> {
        let (found, expected) = ([layer.hidden(), layer.inputs()], [spec.hidden, spec.inputs]);
        if found != expected {
            return Err(Error::invalid(format!("the layer has the shape {found:?}, the learner {expected:?}")));
        }
        for (what, value) in [("w_inh", spec.w_inh), ("h_star", spec.h_star)] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(Error::invalid(format!("{what} = {value} is not a finite number of at least 0")));
            }
        }
        check_size("batch", spec.batch, 1, 1 << 20)?;
        // No rank k here; what a rule knows about p and Δ is the same.
        let rule = Rule::new(spec.p, 2, spec.delta)?;
        Ok(SlowLearner { spec, rule, layer, wins: vec![0; spec.hidden], counts: [0; 4] })
    }

    /// The layer as it stands.
    pub fn layer(&self) -> &Layer {
        &self.layer
    }

    /// How often each unit had the largest current of a sample, in the last epoch.
    pub fn wins(&self) -> &[u32] {
        &self.wins
    }

    /// Learns from consecutive minibatches of `order`; a remainder smaller than a minibatch is dropped.
    ///
    /// ds = g Xᵀ − rowsum(g ∘ I) ∘ W;  W += ε ds / max(max |ds|, 1e−30), with g from the steady state of the hidden dynamics.
    ///
    /// Source: Krotov & Hopfield 2019, eqs. 2, 3, 8, 9; ε scaled as in the authors' notebook for the fast rule.
    ///
    /// # Shapes
    /// `order` holds sample numbers below `inputs.samples()`; rates are one, or one per minibatch.
    ///
    /// # Numerics
    /// Currents as in rivalry-core, the steady state in f64, changes in f32 with one rounding per operation; tiny weights are
    /// flushed as there. The same bits for any number of threads and on every instruction set.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a shape, a sample number or a rate does not fit; nothing is learned then. [`Error::Core`] with
    /// an overflow if a current or a change leaves the range of f32: the weights are then those before that minibatch.
    ///
    /// # Allocates
    /// Nothing per minibatch; per call a copy of the layer, its powers and its changes.
    pub fn learn(&mut self, compute: &Compute, inputs: &Inputs<'_>, order: &[u32], rates: Rates<'_>) -> Result<()> {
        self.check(inputs, order, rates)?;
        let shared = Shared {
            spec: &self.spec,
            rule: &self.rule,
            inputs,
            reached: Exchange::new(compute.threads(), self.spec.batch),
            strong: (0..compute.threads()).map(|_| Default::default()).collect(),
            states: (0..self.spec.batch).map(|_| Default::default()).collect(),
            largest: Exchange::new(compute.threads(), 1),
            barrier: compute.barrier(),
        };
        let (kernels, layer) = (compute.kernels(), &self.layer);
        let parts = compute.map(|worker| {
            let _guard = shared.barrier.guard();
            let own = range_of(self.spec.hidden, 1, worker, compute.threads());
            let examples = range_of(self.spec.batch, 1, worker, compute.threads());
            let mut part = Part::new(&shared, layer, own, examples);
            shared.strong[worker].write().currents.reserve(self.spec.batch * part.units.len());
            for (i, samples) in order.chunks_exact(self.spec.batch).enumerate() {
                let rate = match rates {
                    Rates::Constant(rate) => rate,
                    Rates::PerMinibatch(rates) => rates[i],
                };
                // Every worker sees the same numbers, so all of them stop here together.
                if !part.minibatch(kernels, &shared, worker, samples, rate) {
                    return (part, Some(i));
                }
            }
            (part, None)
        });
        self.collect(&parts)?;
        match parts[0].1 {
            Some(minibatch) => Err(rivalry_core::Error::Overflow { minibatch }.into()),
            None => Ok(()),
        }
    }

    fn check(&self, inputs: &Inputs<'_>, order: &[u32], rates: Rates<'_>) -> Result<()> {
        check_inputs(inputs, self.spec.inputs)?;
        let batch = self.spec.batch;
        if order.len() < batch {
            return Err(Error::invalid(format!("{} samples are fewer than a minibatch of {batch}", order.len())));
        }
        let given = match &rates {
            Rates::Constant(rate) => std::slice::from_ref(rate),
            Rates::PerMinibatch(rates) => rates,
        };
        let minibatches = order.len() / batch;
        if matches!(rates, Rates::PerMinibatch(rates) if rates.len() != minibatches) {
            return Err(Error::invalid(format!("{minibatches} minibatches have {} rates", given.len())));
        }
        check_order(order, inputs.samples())?;
        given.iter().try_for_each(|&rate| check_rate(rate))
    }

    /// Takes weights and counts of all parts.
    fn collect(&mut self, parts: &[(Part, Option<usize>)]) -> Result<()> {
        let rows: Vec<f32> = parts.iter().flat_map(|(part, _)| part.screened.weights().to_rows()).collect();
        self.layer = Layer::from_rows(self.spec.hidden, self.spec.inputs, &rows)?;
        self.wins.fill(0);
        self.counts = [0; 4];
        for (part, _) in parts {
            self.wins.iter_mut().zip(&part.wins).for_each(|(sum, wins)| *sum += wins);
            self.counts.iter_mut().zip(part.counts).for_each(|(sum, count)| *sum += count);
        }
        Ok(())
    }
}

/// What all workers read during a call, and where they exchange numbers.
struct Shared<'a> {
    spec: &'a SlowSpec,
    rule: &'a Rule,
    inputs: &'a Inputs<'a>,
    /// Per worker and example: a lower bound of the largest score of its units, NaN where a score is not finite.
    reached: Exchange,
    /// Per worker.
    strong: Vec<workers::Shared<Strong>>,
    /// Per example; `None` where a current is not finite.
    states: Vec<workers::Shared<Option<SteadyState>>>,
    /// Per worker: its max |ds|.
    largest: Exchange,
    barrier: Barrier,
}

/// The currents of the units of one worker that can have h ≥ 0, example after example, and where those of each end.
#[derive(Default)]
struct Strong {
    currents: Vec<Current>,
    ends: Vec<usize>,
}

impl Strong {
    fn of(&self, example: usize) -> &[Current] {
        let first = example.checked_sub(1).map_or(0, |last| self.ends[last]);
        &self.currents[first..self.ends[example]]
    }
}

/// The units of one worker, and its working memory.
struct Part {
    units: Range<usize>,
    /// The examples of a minibatch whose steady state this worker finds.
    examples: Range<usize>,
    screened: ScreenedUnits,
    changes: Changes,
    /// [batch × inputs], unscaled
    staged: Matrix,
    reached: Vec<f32>,
    /// The strong currents of all workers for one example.
    strong: Vec<Current>,
    active: Vec<f64>,
    wins: Vec<u32>,
    counts: Counts,
}

impl Part {
    fn new(shared: &Shared<'_>, layer: &Layer, units: Range<usize>, examples: Range<usize>) -> Part {
        let spec = shared.spec;
        Part {
            screened: ScreenedUnits::new(layer, units.clone(), shared.rule, spec.batch),
            changes: Changes::new(units.len(), spec.inputs, spec.batch),
            staged: Matrix::zeros(spec.batch, spec.inputs),
            reached: vec![0.0; spec.batch],
            strong: Vec::with_capacity(spec.hidden),
            active: Vec::with_capacity(spec.hidden),
            wins: vec![0; spec.hidden],
            counts: [0; 4],
            units,
            examples,
        }
    }

    /// Learns one minibatch; false, and nothing learned, if numbers leave the range of f32.
    fn minibatch(&mut self, kernels: &Kernels, shared: &Shared<'_>, worker: usize, samples: &[u32], rate: f32) -> bool {
        self.bound(kernels, shared, worker, samples);
        shared.barrier.wait();
        if !self.find_strong(kernels, shared, worker, samples) {
            return false;
        }
        shared.barrier.wait();
        self.steady_states(shared);
        shared.barrier.wait();
        if shared.states.iter().any(|state| state.read().is_none()) {
            return false;
        }
        self.choose(shared, worker, samples);
        let examples = self.staged.panel(0, samples.len());
        let largest = self.changes.compute(kernels, examples, self.screened.weights());
        shared.largest.store(worker, 0, &[largest]);
        shared.barrier.wait();
        let largest = shared.largest.largest(0);
        if largest.is_finite() {
            self.apply(kernels, shared.rule, rate / largest.max(1e-30));
        }
        largest.is_finite()
    }

    /// Bounds the scores of the own units, and publishes a lower bound of the largest.
    fn bound(&mut self, kernels: &Kernels, shared: &Shared<'_>, worker: usize, samples: &[u32]) {
        let numbers = samples.iter().map(|&sample| sample as usize);
        let examples = shared.inputs.stage_all(kernels, numbers, &mut self.staged);
        self.screened.bound(kernels, shared.rule, shared.inputs, samples, examples, &mut self.reached);
        shared.reached.store(worker, 0, &self.reached);
    }

    /// Computes and publishes the currents I = c Σ w′ x of the own units that can have h ≥ 0; false if any worker
    /// found a score that is not finite.
    fn find_strong(&mut self, kernels: &Kernels, shared: &Shared<'_>, worker: usize, samples: &[u32]) -> bool {
        let mut strong = shared.strong[worker].write();
        let Strong { currents, ends } = &mut *strong;
        currents.clear();
        ends.clear();
        for (example, &sample) in samples.iter().enumerate() {
            let reached = shared.reached.largest(example);
            if reached.is_nan() {
                return false;
            }
            let scale = shared.inputs.scale(sample as usize);
            let threshold = threshold(reached, scale, shared.spec.w_inh);
            let found = (example, sample);
            self.screened.at_least(kernels, shared.rule, shared.inputs, found, threshold, |row, score| {
                currents.push(Current { unit: (self.units.start + row) as u32, current: scale * score });
            });
            ends.push(currents.len());
        }
        true
    }

    /// Finds and publishes the steady states of this worker's share of the examples.
    fn steady_states(&mut self, shared: &Shared<'_>) {
        for example in self.examples.clone() {
            self.strong.clear();
            for strong in &shared.strong {
                self.strong.extend_from_slice(strong.read().of(example));
            }
            let state = SteadyState::of(&self.strong, shared.spec.w_inh, &mut self.active);
            state.iter().for_each(|state| self.wins[state.winner as usize] += 1);
            *shared.states[example].write() = state;
        }
        self.counts[0] += self.examples.len() as u64;
    }

    /// Chooses g for every example and own unit, and counts.
    fn choose(&mut self, shared: &Shared<'_>, worker: usize, samples: &[u32]) {
        let (spec, delta, strong) = (shared.spec, shared.rule.delta(), shared.strong[worker].read());
        self.changes.clear();
        for (example, &sample) in samples.iter().enumerate() {
            let Some(state) = *shared.states[example].read() else { continue };
            let threshold = spec.h_star * if spec.h_star_of == HStarOf::Max { state.largest } else { 1.0 };
            for &Current { unit, current } in strong.of(example) {
                let (row, h) = (unit as usize - self.units.start, state.activity(unit, current, spec.w_inh));
                self.counts[1] += u64::from(h > 0.0);
                let g = if h > 0.0 && h >= threshold {
                    self.counts[2] += 1;
                    1.0
                } else if h >= 0.0 && h < threshold {
                    self.counts[3] += 1;
                    -delta
                } else {
                    continue;
                };
                self.changes.record(row, example, g, current, shared.inputs.scale(sample as usize));
            }
        }
    }

    /// Adds step · ds to the weights of every unit that learns; what becomes tiny is 0.
    fn apply(&mut self, kernels: &Kernels, rule: &Rule, step: f32) {
        let smallest = rule.smallest();
        for (row, ds) in self.changes.iter() {
            self.screened.change(kernels, rule, row, |weights| {
                for (w, ds) in weights.iter_mut().zip(ds) {
                    let next = *w + step * ds;
                    *w = if next.abs() < smallest { 0.0 } else { next };
                }
            });
        }
    }
}

/// Every unit with a smaller score has h < 0, because its current is below w_inh · max I. `reached` is a lower bound of the
/// largest score; the factor 1 − 2⁻²⁰ covers the roundings of both currents. −∞ where the largest current may be 0 or less,
/// or is so small that currents underflow.
fn threshold(reached: f32, scale: f32, w_inh: f64) -> f32 {
    const ROUNDINGS: f64 = 1.0 - 1.0 / (1 << 20) as f64;
    let reached = f64::from(reached);
    if reached * f64::from(scale) > 1e-30 { (w_inh.min(1.0) * reached * ROUNDINGS) as f32 } else { f32::NEG_INFINITY }
}

impl Learner for SlowLearner {
    /// One call of [`SlowLearner::learn`].
    fn epoch(&mut self, compute: &Compute, data: &Labelled<'_>, order: &[u32], rate: f32) -> Result<()> {
        self.learn(compute, &data.inputs, order, Rates::Constant(rate))
    }

    /// Units on the p-sphere, of negative mean weight, and dead in the last epoch (never of the largest current), as those of
    /// the fast learner; and the mean number of units of an example that were active (h > 0), learned (g = 1) and learned
    /// with the opposite sign (g = −Δ) in the last epoch.
    fn diagnostics(&self) -> Vec<(&'static str, f64)> {
        let health = self.layer.diagnostics(self.spec.p);
        let dead = self.wins.iter().filter(|&&wins| wins == 0).count();
        let mut all = vec![
            ("on_sphere", health.on_sphere as f64),
            ("negative_units", health.negative_units as f64),
            ("silent_units", dead as f64),
        ];
        let examples = self.counts[0].max(1) as f64;
        all.extend(COUNTERS.into_iter().zip(self.counts).skip(1).map(|(name, count)| (name, count as f64 / examples)));
        all
    }

    /// `weights` [hidden × inputs], `wins` `[hidden]`, and the counters of the last epoch: `examples`, and over them the units
    /// `active`, `hebbian` and `anti_hebbian`.
    fn state(&self) -> State {
        let SlowSpec { inputs, hidden, .. } = self.spec;
        let mut state = State::default();
        state.insert("weights", Tensor::new([hidden, inputs], self.layer.to_rows()));
        state.insert("wins", Tensor::new([hidden], self.wins.clone()));
        state.counters.extend(COUNTERS.map(str::to_owned).into_iter().zip(self.counts));
        state
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        let SlowSpec { inputs, hidden, .. } = self.spec;
        let layer = Layer::from_rows(hidden, inputs, state.f32("weights", &[hidden, inputs])?)?;
        let wins = state.u32("wins", &[hidden])?.to_vec();
        let mut counts = [0; 4];
        for (count, name) in counts.iter_mut().zip(COUNTERS) {
            *count = state.counter(name)?;
        }
        (self.layer, self.wins, self.counts) = (layer, wins, counts);
        Ok(())
    }
}
