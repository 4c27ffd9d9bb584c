//! The fast rule of Krotov & Hopfield 2019 as a [`Learner`]: a hidden layer whose units compete, learned without labels.
//!
//! The rule and its speed live in core ([`rivalry_core::Learner`]); here are its state and the health of its units.

use crate::error::{Error, Result};
use crate::learner::{Labelled, Learner, State, Tensor};
use rivalry_core::{BalanceCounts, Compute, Engine, Layer, Random, Rates, Rule};

/// The shape of a layer and how it learns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FastSpec {
    /// The length of a sample.
    pub inputs: usize,
    /// The number of hidden units.
    pub hidden: usize,
    /// p, k, Δ and the anti-Hebbian balance, if any.
    pub rule: Rule,
    /// The number of samples in a minibatch.
    pub batch: usize,
    /// The standard deviation of the initial weights.
    pub init_sigma: f64,
    /// How scores are computed; the weights do not depend on it.
    pub engine: Engine,
}

/// A layer that learns by the fast rule.
///
/// # Example
/// ```
/// use rivalry_core::{BalanceCounts, Compute, Engine, Inputs, Kernels, Random, Rule};
/// use rivalry_nets::{FastLearner, FastSpec, Labelled, Learner};
/// let pixels: Vec<u8> = (0..200 * 9).map(|i| (i * 31 % 256) as u8).collect();
/// let data = Labelled::unlabelled(Inputs::u8(&pixels, 9)?);
/// let rule = Rule::new(3.0, 7, 0.4)?;
/// let spec = FastSpec { inputs: 9, hidden: 20, rule, batch: 10, init_sigma: 1.0, engine: Engine::Auto };
/// let compute = Compute::new(Some(2), Kernels::best())?;
/// let mut learner = FastLearner::new(spec, &mut Random::keyed(1, "weights", 0))?;
/// for epoch in 0..5 {
///     let order = Random::keyed(1, "order", epoch).order(200);
///     learner.epoch(&compute, &data, &order, 0.04 * (1.0 - epoch as f32 / 5.0))?;
/// }
/// assert_eq!(learner.wins().iter().sum::<u32>(), 200);
/// # Ok::<(), rivalry_nets::Error>(())
/// ```
#[derive(Debug)]
pub struct FastLearner {
    spec: FastSpec,
    held: Held,
}

/// Where the weights are: together, or divided among the workers of the first epoch since.
#[derive(Debug)]
enum Held {
    Together { layer: Layer, wins: Vec<u32>, counts: Option<BalanceCounts> },
    Divided(Box<rivalry_core::Learner>),
}

impl FastLearner {
    /// Draws initial weights from N(0, init_sigma²).
    ///
    /// # Errors
    /// As [`Layer::normal`].
    ///
    /// # Allocates
    /// The layer; the first epoch allocates what learning needs.
    pub fn new(spec: FastSpec, random: &mut Random) -> Result<FastLearner> {
        let layer = Layer::normal(spec.hidden, spec.inputs, spec.init_sigma, random)?;
        Ok(FastLearner { spec, held: Held::Together { layer, wins: vec![0; spec.hidden], counts: None } })
    }

    /// Copies the layer as it stands.
    pub fn layer(&self) -> Layer {
        match &self.held {
            Held::Together { layer, .. } => layer.clone(),
            Held::Divided(learner) => learner.layer(),
        }
    }

    /// How often each unit had the largest current of a sample, in the last epoch.
    pub fn wins(&self) -> Vec<u32> {
        match &self.held {
            Held::Together { wins, .. } => wins.clone(),
            Held::Divided(learner) => learner.wins(),
        }
    }

    /// How often each unit won and was the target of an anti-Hebbian update, where the rule balances them.
    fn counts(&self) -> Option<BalanceCounts> {
        match &self.held {
            Held::Together { counts: Some(counts), .. } => Some(counts.clone()),
            Held::Together { .. } => {
                let hidden = self.spec.hidden;
                self.spec.rule.balance().map(|_| BalanceCounts { wins: vec![1.0; hidden], pushes: vec![0.0; hidden] })
            }
            Held::Divided(learner) => learner.balance_counts(),
        }
    }

    /// The layer divided among the workers, which it is from the first epoch on.
    fn divided(&mut self, compute: &Compute) -> Result<&mut rivalry_core::Learner> {
        let spec = self.spec;
        if let Held::Together { layer, counts, .. } = &self.held {
            let mut learner = rivalry_core::Learner::new(layer.clone(), spec.rule, spec.batch, compute)?;
            if let Some(counts) = counts {
                learner = learner.with_balance_counts(counts)?;
            }
            self.held = Held::Divided(Box::new(learner.with_engine(spec.engine)));
        }
        match &mut self.held {
            Held::Divided(learner) => Ok(learner),
            Held::Together { .. } => unreachable!("divided above"),
        }
    }
}

impl Learner for FastLearner {
    /// One call of [`rivalry_core::Learner::learn`]; a remainder of `order` smaller than a minibatch is dropped.
    ///
    /// # Errors
    /// [`Error::Core`](crate::Error::Core) as there.
    fn epoch(&mut self, compute: &Compute, data: &Labelled<'_>, order: &[u32], rate: f32) -> Result<()> {
        Ok(self.divided(compute)?.learn(compute, &data.inputs, order, Rates::Constant(rate))?)
    }

    /// Units on the p-sphere (converged), of negative mean weight (in the false attractor), and dead in the last epoch (never
    /// the winner).
    fn diagnostics(&self) -> Vec<(&'static str, f64)> {
        let counts = self.layer().diagnostics(self.spec.rule.p());
        let dead = self.wins().iter().filter(|&&wins| wins == 0).count();
        vec![
            ("on_sphere", counts.on_sphere as f64),
            ("negative_units", counts.negative_units as f64),
            ("silent_units", dead as f64),
        ]
    }

    /// `weights` [hidden × inputs] and `wins` `[hidden]`; with a balance also its counts `balance_wins` and `balance_pushes`
    /// `[hidden]`.
    fn state(&self) -> State {
        let FastSpec { inputs, hidden, .. } = self.spec;
        let mut state = State::default();
        state.insert("weights", Tensor::new([hidden, inputs], self.layer().to_rows()));
        state.insert("wins", Tensor::new([hidden], self.wins()));
        if let Some(counts) = self.counts() {
            state.insert("balance_wins", Tensor::new([hidden], counts.wins));
            state.insert("balance_pushes", Tensor::new([hidden], counts.pushes));
        }
        state
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        let FastSpec { inputs, hidden, .. } = self.spec;
        let layer = Layer::from_rows(hidden, inputs, state.f32("weights", &[hidden, inputs])?)?;
        let wins = state.u32("wins", &[hidden])?.to_vec();
        let counts = |name| -> Result<Vec<f32>> {
            let counts = state.f32(name, &[hidden])?;
            match counts.iter().find(|count| !(count.is_finite() && **count >= 0.0)) {
                Some(count) => Err(Error::invalid(format!("{count} in the tensor `{name}` of the state is no count"))),
                None => Ok(counts.to_vec()),
            }
        };
        let counts = match self.spec.rule.balance() {
            Some(_) => Some(BalanceCounts { wins: counts("balance_wins")?, pushes: counts("balance_pushes")? }),
            None => None,
        };
        self.held = Held::Together { layer, wins, counts };
        Ok(())
    }
}
