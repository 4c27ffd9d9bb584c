//! The learning rule of Krotov & Hopfield 2019, as every shard runs it: score → rank → update.
//!
//! ```text
//! I  = (sgn W ∘ |W|^(p−1)) X                 score      every unit, every example
//! y  = 1 for the largest I of an example,    rank
//!      −Δ for the k-th largest, 0 elsewhere
//! ds = y Xᵀ − rowsum(y ∘ I) ∘ W              update     only rows with y ≠ 0 somewhere
//! W += ε ds / max(max |ds|, 1e−30)
//! ```
//!
//! The units are divided among shards, one per worker. A minibatch has two barriers: one between score and rank, where the
//! top k of each example are exchanged, and one between rank and update, where the largest changes are. A shard goes from the
//! update to the scores of the next minibatch at once, because it scores only rows that it updated itself. What it publishes
//! is overwritten only after the next barrier, when every shard has read it.

pub(crate) mod balance;
pub(crate) mod dense;
pub(crate) mod exchange;
pub(crate) mod layer;
pub(crate) mod parameters;
pub(crate) mod rows;
pub(crate) mod screened_units;
pub(crate) mod screening;
pub(crate) mod shard;
pub(crate) mod thresholds;
pub(crate) mod top_k;
pub(crate) mod update;

use crate::compute::{Compute, range_of};
use crate::error::{Error, Result};
use crate::inputs::Inputs;
use crate::isa::Kernels;
use crate::matrix::Matrix;
use balance::BalanceCounts;
use layer::Layer;
use parameters::{Engine, Rule};
use shard::{Applied, Minibatch, Shard, Shared, Sizes};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The learning rate ε of each minibatch: the largest single weight change in it.
#[derive(Debug, Clone, Copy)]
pub enum Rates<'a> {
    /// The same for all.
    Constant(f32),
    /// One for each.
    PerMinibatch(&'a [f32]),
}

/// A layer, its rule, and everything that learning needs, allocated once.
///
/// # Example
/// ```
/// use rivalry_core::{Compute, Inputs, Kernels, Layer, Learner, Random, Rates, Rule};
/// let pixels: Vec<u8> = (0..200 * 9).map(|i| (i * 31 % 256) as u8).collect();
/// let inputs = Inputs::u8(&pixels, 9)?;
/// let layer = Layer::normal(20, 9, 1.0, &mut Random::keyed(1, "weights", 0))?;
/// let compute = Compute::new(Some(2), Kernels::best())?;
/// let mut learner = Learner::new(layer, Rule::new(3.0, 7, 0.4)?, 10, &compute)?;
/// for epoch in 0..5 {
///     let order = Random::keyed(1, "order", epoch).order(inputs.samples());
///     learner.learn(&compute, &inputs, &order, Rates::Constant(0.04 * (1.0 - epoch as f32 / 5.0)))?;
/// }
/// assert_eq!(learner.wins().iter().sum::<u32>(), 200);
/// # Ok::<(), rivalry_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Learner {
    rule: Rule,
    hidden: usize,
    inputs: usize,
    batch: usize,
    kernels: &'static Kernels,
    engine: Engine,
    shards: Vec<Mutex<Shard>>,
    shared: Shared,
    /// The number of the next minibatch.
    minibatches: u32,
}

impl Learner {
    /// Spreads a layer over worker threads.
    ///
    /// # Errors
    /// [`Error::Value`] if k exceeds the number of units (unless Δ = 0) or the minibatch is empty or larger than 2³⁰.
    ///
    /// # Allocates
    /// All memory of learning: weights, powers for p ≠ 2, staged examples, changes of at most 2·batch rows per worker. The
    /// first call of [`Learner::learn`] that screens adds the int8 levels, half as much as the weights.
    pub fn new(layer: Layer, rule: Rule, batch: usize, compute: &Compute) -> Result<Learner> {
        if rule.ranks() > layer.hidden() {
            return Err(Error::value("k", format!("at most the {} hidden units", layer.hidden()), rule.k()));
        }
        if !(1..=1 << 30).contains(&batch) {
            return Err(Error::value("batch", "1 to 1073741824 examples", batch));
        }
        let sizes = Sizes { batch, k: rule.ranks(), shards: compute.threads() };
        let shards = compute.map(|worker| {
            let units = range_of(layer.hidden(), 1, worker, sizes.shards);
            Mutex::new(Shard::new(worker, units, &layer, &rule, sizes))
        });
        let shared = Shared::new(sizes);
        let (hidden, inputs) = (layer.hidden(), layer.inputs());
        let (kernels, engine) = (compute.kernels(), Engine::Auto);
        Ok(Learner { rule, hidden, inputs, batch, kernels, engine, shards, shared, minibatches: 1 })
    }

    /// Chooses how scores are found; a new learner has [`Engine::Auto`].
    pub fn with_engine(self, engine: Engine) -> Learner {
        Learner { engine, ..self }
    }

    /// Learns from consecutive minibatches of `order`; a remainder smaller than a minibatch is dropped.
    ///
    /// ds = y Xᵀ − rowsum(y ∘ I) ∘ W;  W += ε ds / max(max |ds|, 1e−30), see [`Rule`].
    ///
    /// Source: Krotov & Hopfield 2019, eqs. 2, 3, 10, and the author's notebook (normalisation by the largest change).
    ///
    /// # Shapes
    /// `order` holds sample numbers below `inputs.samples()`.
    ///
    /// # Numerics
    /// The same bits for any number of threads and on every instruction set; see the [crate docs](crate#numerics).
    ///
    /// # Errors
    /// [`Error::Shape`] if the inputs have another length than the units, another number of threads than the
    /// learner was made for, the order holds less than a minibatch, or there is not one rate per minibatch; [`Error::Value`] if a
    /// sample number or a rate is out of range; [`Error::Engine`] if it is to screen what cannot be screened. Nothing is
    /// learned then. [`Error::Overflow`] if a current, a change or a weight leaves the range of f32: the weights are then those before
    /// that minibatch.
    ///
    /// # Allocates
    /// Nothing per minibatch; a constant amount per call.
    pub fn learn(&mut self, compute: &Compute, inputs: &Inputs<'_>, order: &[u32], rates: Rates<'_>) -> Result<()> {
        self.check(compute, inputs, order, rates)?;
        let engine = self.engine.on(inputs, self.rule.ranks())?;
        let first = self.minibatches;
        // Before anything is learned: a number never comes twice, even if a caught panic ends this call.
        self.minibatches = first.wrapping_add((order.len() / self.batch) as u32);
        let (kernels, rule, shared, barrier) = (self.kernels, &self.rule, &self.shared, compute.barrier());
        let overflows = compute.map(|worker| {
            let _guard = barrier.guard();
            let mut shard = lock(&self.shards[worker]);
            shard.clear_wins();
            shard.prepare(engine);
            for (i, samples) in order.chunks_exact(self.batch).enumerate() {
                let rate = match rates {
                    Rates::Constant(rate) => rate,
                    Rates::PerMinibatch(rates) => rates[i],
                };
                let next = order.chunks_exact(self.batch).nth(i + 1).unwrap_or(&[]);
                let minibatch = Minibatch { number: first.wrapping_add(i as u32), inputs, samples, next, rate };
                shard.score(kernels, rule, minibatch, shared);
                barrier.wait();
                shard.rank(kernels, rule, minibatch, shared);
                barrier.wait();
                // Every worker sees the same maximum, so all of them stop here together.
                if shard.update(kernels, rule, minibatch, shared) == Applied::Overflow {
                    return Some(i);
                }
            }
            None
        });
        match overflows.into_iter().flatten().next() {
            Some(minibatch) => Err(Error::Overflow { minibatch }),
            None => Ok(()),
        }
    }

    fn check(&self, compute: &Compute, inputs: &Inputs<'_>, order: &[u32], rates: Rates<'_>) -> Result<()> {
        if inputs.inputs() != self.inputs {
            return Err(Error::shape("inputs of an example", self.inputs, inputs.inputs()));
        }
        if compute.threads() != self.shards.len() {
            return Err(Error::shape("threads", self.shards.len(), compute.threads()));
        }
        if order.len() < self.batch {
            let expected = format!("at least one minibatch of {} examples", self.batch);
            return Err(Error::shape("examples", expected, order.len()));
        }
        if let Some(sample) = order.iter().find(|&&sample| sample as usize >= inputs.samples()) {
            return Err(Error::value("sample", format!("below {}", inputs.samples()), sample));
        }
        let given = match &rates {
            Rates::Constant(rate) => std::slice::from_ref(rate),
            Rates::PerMinibatch(rates) if rates.len() != order.len() / self.batch => {
                return Err(Error::shape("rates", order.len() / self.batch, rates.len()));
            }
            Rates::PerMinibatch(rates) => rates,
        };
        match given.iter().find(|rate| !(rate.is_finite() && **rate >= 0.0)) {
            Some(rate) => Err(Error::value("rate", "a finite number of at least 0", rate)),
            None => Ok(()),
        }
    }

    /// How often each unit was rank 1 during the last call of [`Learner::learn`].
    ///
    /// # Allocates
    /// One count per unit.
    pub fn wins(&self) -> Vec<u32> {
        self.shards.iter().flat_map(|shard| lock(shard).wins().to_vec()).collect()
    }

    /// The counts of a balanced rule, for a checkpoint; `None` without a balance.
    ///
    /// # Allocates
    /// Two numbers per unit.
    pub fn balance_counts(&self) -> Option<BalanceCounts> {
        self.rule.balance().map(|_| {
            let mut all = BalanceCounts { wins: Vec::new(), pushes: Vec::new() };
            self.shards.iter().for_each(|shard| lock(shard).append_counts(&mut all));
            all
        })
    }

    /// Goes on from the counts of a checkpoint; a new learner has wins 1 and pushes 0.
    ///
    /// # Errors
    /// [`Error::Shape`] unless the rule has a balance and there is one count of each kind per unit; [`Error::Value`] unless
    /// all are finite and at least 0.
    pub fn with_balance_counts(self, counts: &BalanceCounts) -> Result<Learner> {
        let expected = if self.rule.balance().is_some() { self.hidden } else { 0 };
        for (what, values) in [("wins", &counts.wins), ("pushes", &counts.pushes)] {
            if values.len() != expected {
                return Err(Error::shape(what, expected, values.len()));
            }
            if let Some(count) = values.iter().find(|count| !(count.is_finite() && **count >= 0.0)) {
                return Err(Error::value(what, "a finite number of at least 0", count));
            }
        }
        self.shards.iter().for_each(|shard| lock(shard).restore_counts(counts));
        Ok(self)
    }

    /// Copies the layer as it stands.
    pub fn layer(&self) -> Layer {
        let mut weights = Matrix::zeros(self.hidden, self.inputs);
        for shard in &self.shards {
            let shard = lock(shard);
            for (row, unit) in shard.units().enumerate() {
                weights.row_mut(unit).copy_from_slice(shard.weights().row(row));
            }
        }
        Layer::from_matrix(weights)
    }

    /// The number of units.
    pub fn hidden(&self) -> usize {
        self.hidden
    }

    /// The length of an example.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The number of examples in a minibatch.
    pub fn batch(&self) -> usize {
        self.batch
    }
}

/// A shard is locked only by its own worker while learning, and by one reader otherwise; a panic elsewhere says nothing
/// about its weights.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn a_learner_learns_the_same_after_a_panic_that_was_caught() {
        let pixels: Vec<u8> = (0..40 * 9).map(|i| (i * 31 % 256) as u8).collect();
        let inputs = Inputs::u8(&pixels, 9).unwrap();
        let order: Vec<u32> = (0..40).collect();
        let compute = Compute::new(Some(2), Kernels::best()).unwrap();
        let new = || {
            let layer = Layer::normal(20, 9, 1.0, &mut Random::keyed(1, "weights", 0)).unwrap();
            Learner::new(layer, Rule::new(3.0, 3, 0.4).unwrap(), 10, &compute).unwrap()
        };
        let learn = |learner: &mut Learner| {
            learner.learn(&compute, &inputs, &order, Rates::Constant(0.02)).unwrap();
            (learner.layer().to_rows(), learner.wins())
        };
        let mut learner = new();
        // Minibatches larger than the shards were made for end every worker in a panic before it meets the others.
        learner.batch = 40;
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| learn(&mut learner)));
        assert!(outcome.is_err());
        learner.batch = 10;
        assert_eq!(learn(&mut learner), learn(&mut new()));
    }
}
