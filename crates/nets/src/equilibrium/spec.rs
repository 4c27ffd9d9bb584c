//! The settings of equilibrium propagation, and the two recipes: that of the paper and ours.

use crate::error::{Error, Result};
use crate::eval::{check_count, check_real, check_size};

/// How the nudging factor β is chosen for a minibatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signs {
    /// β as it stands, which may be negative.
    Fixed,
    /// β or −β, at random for every minibatch: on average the bias of a one-sided difference cancels.
    Random,
    /// Two nudged phases, with β and −β: the centred difference, whose error is of second order in β.
    Both,
}

impl Signs {
    /// The number of nudged phases of a minibatch.
    pub(super) fn phases(self) -> usize {
        if self == Signs::Both { 2 } else { 1 }
    }
}

/// The order in which the layers of a step move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Updates {
    /// All from the old states, by ε down the gradient of F: Euler steps of the dynamics.
    Together,
    /// The layers 1, 3, …, then 2, 4, … from the new states, each by ε of the way to the minimum of F over the layer: successive
    /// over-relaxation. Nudged phases begin with the group that has the outputs. The fixed points are the same and are reached in
    /// a third to a quarter of the steps.
    InTurn,
}

impl Updates {
    /// The step size ε that the recipes have.
    #[must_use]
    pub fn epsilon(self) -> f32 {
        match self {
            Updates::Together => 0.5,
            Updates::InTurn => 1.5,
        }
    }
}

/// Where the free phase of a minibatch starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Particles {
    /// All units at 0, as in prediction.
    Zero,
    /// Where the last free phase of the same sample ended. Takes one f32 per sample and unit.
    Persistent,
}

/// The shape of a network and how it learns by equilibrium propagation.
///
/// # Example
/// ```
/// use rivalry_nets::EquilibriumSpec;
/// let spec = EquilibriumSpec { beta: 0.25, ..EquilibriumSpec::ours(784, &[500], 10)? };
/// assert_eq!(spec.alphas, [0.2, 0.05]);
/// assert!(EquilibriumSpec::ours(784, &[500; 4], 10).is_err());
/// # Ok::<(), rivalry_nets::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct EquilibriumSpec {
    /// The length of a sample.
    pub inputs: usize,
    /// The number of units of each hidden layer, from the inputs up.
    pub hidden: Vec<usize>,
    /// The number of classes.
    pub classes: usize,
    /// The number of samples in a minibatch.
    pub batch: usize,
    /// The steps of the free phase, at most.
    pub free_steps: usize,
    /// The steps of a nudged phase.
    pub nudged_steps: usize,
    /// β, how strongly the outputs are drawn to the label.
    pub beta: f32,
    /// The order of the layers in a step.
    pub updates: Updates,
    /// ε, the size of a step: at most 1 together, below 2 in turn.
    pub epsilon: f32,
    /// α, the learning rate of each layer from the inputs up.
    pub alphas: Vec<f32>,
    /// The sign of β.
    pub signs: Signs,
    /// Where free phases start.
    pub particles: Particles,
    /// The initial weights are U(±scale · √(6/(n_in + n_out))); 1 is that of Glorot & Bengio 2010.
    pub start_scale: f64,
    /// Every 4 steps the free phase ends if no state moved by this much in the last one; with 0 it takes all steps.
    pub tolerance: f32,
    /// After so many epochs, prediction uses the mean of the weights at up to 16 points of every later epoch; `None` is never.
    pub average_after: Option<u64>,
}

impl EquilibriumSpec {
    /// The paper's recipe for 1, 2 or 3 hidden layers: β = 1 with a random sign, persistent particles, Glorot's range.
    ///
    /// Source: Scellier & Bengio 2017, table 1 and section 4. Its code has C without the ½, so its β is twice ours.
    ///
    /// # Errors
    /// [`Error::Invalid`] for another number of hidden layers.
    pub fn paper(inputs: usize, hidden: &[usize], classes: usize) -> Result<EquilibriumSpec> {
        let [free_steps, nudged_steps] = [[20, 4], [100, 6], [500, 8]][depth(hidden)? - 1];
        Ok(EquilibriumSpec {
            inputs,
            hidden: hidden.to_vec(),
            classes,
            batch: 20,
            free_steps,
            nudged_steps,
            beta: 1.0,
            updates: Updates::Together,
            epsilon: Updates::Together.epsilon(),
            alphas: [&[0.1, 0.05][..], &[0.4, 0.1, 0.01], &[0.128, 0.032, 0.008, 0.002]][hidden.len() - 1].to_vec(),
            signs: Signs::Random,
            particles: Particles::Persistent,
            start_scale: 1.0,
            tolerance: 0.0,
            average_after: None,
        })
    }

    /// Our recipe for 1, 2 or 3 hidden layers: both signs of a small β, particles from zero, half of Glorot's range, layers in
    /// turn.
    ///
    /// Source: ours. Prediction is then the free phase that training knows, and no output starts out of reach of the nudge.
    /// Over-relaxation: Young 1954, Trans. AMS 76:92; with a box it converges too (Cryer 1971, SIAM J. Control 9:385).
    ///
    /// # Errors
    /// As [`EquilibriumSpec::paper`].
    pub fn ours(inputs: usize, hidden: &[usize], classes: usize) -> Result<EquilibriumSpec> {
        let (free_steps, beta, alphas) = match depth(hidden)? {
            1 => (8, 0.2, vec![0.2, 0.05]),
            2 => (10, 0.1, vec![0.2, 0.05, 0.005]),
            _ => (16, 0.1, vec![0.4, 0.1, 0.02, 0.004]),
        };
        Ok(EquilibriumSpec {
            free_steps,
            nudged_steps: 3,
            beta,
            alphas,
            updates: Updates::InTurn,
            epsilon: Updates::InTurn.epsilon(),
            signs: Signs::Both,
            particles: Particles::Zero,
            start_scale: 0.5,
            ..EquilibriumSpec::paper(inputs, hidden, classes)?
        })
    }

    /// The paper's first recipe for layers of any widths, with β = 1 and never −1: to take single steps with.
    ///
    /// # Errors
    /// [`Error::Invalid`] unless there are the inputs, a hidden layer and the classes at least.
    pub fn fixed(sizes: &[usize]) -> Result<EquilibriumSpec> {
        let [inputs, hidden @ .., classes] = sizes else {
            return Err(Error::invalid(format!("sizes = {sizes:?} name no inputs and classes")));
        };
        let spec = EquilibriumSpec::paper(*inputs, &[1], *classes)?;
        let alphas = vec![0.1; sizes.len() - 1];
        Ok(EquilibriumSpec { hidden: hidden.to_vec(), alphas, signs: Signs::Fixed, ..spec })
    }

    /// Checks that a network can be made of it.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the first value that is out of range.
    pub fn check(&self) -> Result<()> {
        check_size("the length of a sample", self.inputs, 1, 1 << 31)?;
        check_size("the number of hidden layers", self.hidden.len(), 1, 64)?;
        self.hidden.iter().try_for_each(|&units| check_size("hidden", units, 1, 1 << 31))?;
        check_size("classes", self.classes, 2, 256)?;
        check_size("batch", self.batch, 1, 1 << 20)?;
        check_size("free_steps", self.free_steps, 1, 1 << 20)?;
        check_size("nudged_steps", self.nudged_steps, 1, 1 << 20)?;
        check_real("beta", f64::from(self.beta), [-100.0, 100.0])?;
        if self.beta == 0.0 {
            return Err(Error::invalid("beta = 0 draws the outputs nowhere"));
        }
        let largest = match self.updates {
            Updates::Together => 1.0,
            Updates::InTurn => 1.99,
        };
        check_real("epsilon", f64::from(self.epsilon), [1e-6, largest])?;
        if self.updates == Updates::InTurn && self.beta.abs() >= 1.0 {
            return Err(Error::invalid(format!(
                "beta = {} with layers in turn: only where |beta| < 1 do outputs nudged by either sign of it have a minimum",
                self.beta
            )));
        }
        check_count("alphas", self.alphas.len(), self.hidden.len() + 1)?;
        self.alphas.iter().try_for_each(|&alpha| check_real("alpha", f64::from(alpha), [0.0, 1e6]))?;
        check_real("start_scale", self.start_scale, [0.0, 100.0])?;
        check_real("tolerance", f64::from(self.tolerance), [0.0, 1.0])
    }

    /// The widths of the inputs and of every layer.
    pub(super) fn widths(&self) -> Vec<usize> {
        [&[self.inputs], &self.hidden[..], &[self.classes]].concat()
    }
}

/// The number of hidden layers, where there is a recipe for it.
fn depth(hidden: &[usize]) -> Result<usize> {
    match hidden.len() {
        depth @ 1..=3 => Ok(depth),
        other => Err(Error::invalid(format!("there is a recipe for 1 to 3 hidden layers, not for {other}"))),
    }
}
