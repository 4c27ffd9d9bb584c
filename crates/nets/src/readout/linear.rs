//! A solved readout as a [`Learner`]: one epoch sums up the normal equations of the features and solves them.

use crate::error::{Error, Result};
use crate::learner::{Classifier, Labelled, Learner, State};
use crate::readout::normal::NormalEquations;
use crate::readout::ridge::LinearReadout;
use crate::readout::svm::SvmSpec;
use rivalry_core::Compute;

/// What a linear readout minimises.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LinearLoss {
    /// Squared errors: [`NormalEquations::ridge`] with this λ.
    Ridge(f64),
    /// Squared hinge: [`NormalEquations::svm`].
    Svm(SvmSpec),
}

/// A linear readout that is solved in one epoch. The order of the samples and the rate have no effect.
///
/// # Example
/// ```
/// use rivalry_core::{Compute, Inputs, Kernels};
/// use rivalry_nets::{Labelled, Learner, LinearLearner, LinearLoss};
/// let data = Labelled { inputs: Inputs::f32(&[0.0, 1.0, 2.0, 3.0], 1)?, labels: &[0, 0, 1, 1] };
/// let compute = Compute::new(Some(1), Kernels::best())?;
/// let mut learner = LinearLearner::new(1, 2, LinearLoss::Ridge(0.01));
/// learner.epoch(&compute, &data, &[], 1.0)?;
/// assert_eq!(learner.classifier().expect("it is solved").errors(&compute, &data)?, 0);
/// # Ok::<(), rivalry_nets::Error>(())
/// ```
#[derive(Debug)]
pub struct LinearLearner {
    inputs: usize,
    classes: usize,
    loss: LinearLoss,
    solved: Option<LinearReadout>,
}

impl LinearLearner {
    /// A readout of features [samples × inputs] that is still to be solved for.
    pub fn new(inputs: usize, classes: usize, loss: LinearLoss) -> LinearLearner {
        LinearLearner { inputs, classes, loss, solved: None }
    }
}

impl Learner for LinearLearner {
    /// Solves for the readout of all samples.
    ///
    /// # Errors
    /// As [`NormalEquations::add`], [`NormalEquations::ridge`] and [`NormalEquations::svm`].
    ///
    /// # Allocates
    /// The square of the number of features in floats, twice.
    fn epoch(&mut self, compute: &Compute, data: &Labelled<'_>, _order: &[u32], _rate: f32) -> Result<()> {
        let mut equations = NormalEquations::new(self.inputs, self.classes)?;
        equations.add(compute, data)?;
        self.solved = Some(match self.loss {
            LinearLoss::Ridge(lambda) => equations.ridge(lambda)?,
            LinearLoss::Svm(spec) => equations.svm(compute, data, spec)?,
        });
        Ok(())
    }

    /// Nothing: a solved readout has no health of its own.
    fn diagnostics(&self) -> Vec<(&'static str, f64)> {
        Vec::new()
    }

    /// That of [`LinearReadout::state`]; nothing before the epoch.
    fn state(&self) -> State {
        self.solved.as_ref().map(LinearReadout::state).unwrap_or_default()
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        if !state.tensors.contains_key("readout") {
            return Err(Error::invalid("the state has no tensor `readout`"));
        }
        self.solved = Some(LinearReadout::from_state(state, self.inputs, self.classes)?);
        Ok(())
    }

    fn classifier(&self) -> Option<&dyn Classifier> {
        self.solved.as_ref().map(|solved| solved as &dyn Classifier)
    }
}
