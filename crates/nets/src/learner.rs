//! The three traits that every way of learning implements, and the state that it is saved as.
//!
//! A program drives all of them with one loop:
//!
//! ```text
//! learner.restore(state)                 when a checkpoint exists
//! for each epoch:
//!     learner.epoch(data, order, rate)
//!     learner.diagnostics()              or errors of learner.classifier()
//!     state = learner.state()            now and then
//! ```
//!
//! A [`Learner`] changes weights. An [`Encoder`] turns inputs into features and changes nothing. A [`Classifier`] turns
//! inputs into one score per class. Nothing here depends on the number of threads: the same settings, data and orders
//! give the same state bit for bit with any [`Compute`].

use crate::error::{Error, Result};
use crate::eval;
use rivalry_core::{Compute, Inputs, Matrix};
use std::collections::BTreeMap;

/// One way of learning, with all that it needs between epochs.
pub trait Learner {
    /// Learns from the samples that `order` names, minibatch by minibatch, at one learning rate.
    ///
    /// # Errors
    /// The data does not fit the learner, a number in `order` or the rate is out of range (nothing is learned then), or
    /// weights leave the range of f32.
    ///
    /// # Allocates
    /// Nothing per minibatch; a constant amount per call.
    fn epoch(&mut self, compute: &Compute, data: &Labelled<'_>, order: &[u32], rate: f32) -> Result<()>;

    /// Measures the health of the weights, by the name of its column in metrics.csv.
    fn diagnostics(&self) -> Vec<(&'static str, f64)>;

    /// Copies everything that the rest of the training depends on.
    fn state(&self) -> State;

    /// Continues from a state that [`Learner::state`] gave, also with another number of threads.
    ///
    /// # Errors
    /// A tensor or counter is missing, or has another shape or type. Nothing changes then.
    fn restore(&mut self, state: &State) -> Result<()>;

    /// The learner as a classifier, where it learns to tell classes.
    fn classifier(&self) -> Option<&dyn Classifier> {
        None
    }
}

/// Inputs to features: a learned layer, random directions, the inputs themselves.
pub trait Encoder {
    /// The number of features of a sample.
    fn width(&self) -> usize;

    /// Computes the features of every sample.
    ///
    /// # Shapes
    /// `inputs` [samples × inputs], `out` [samples × width].
    ///
    /// # Numerics
    /// The same bits for any number of threads and on every instruction set.
    ///
    /// # Errors
    /// A shape does not fit, or a feature is not finite.
    fn encode(&self, compute: &Compute, inputs: &Inputs<'_>, out: &mut Matrix) -> Result<()>;

    /// Allocates a matrix for the features of every sample and computes them.
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    fn features(&self, compute: &Compute, inputs: &Inputs<'_>) -> Result<Matrix> {
        let mut out = Matrix::zeros(inputs.samples(), self.width());
        self.encode(compute, inputs, &mut out)?;
        Ok(out)
    }
}

/// Inputs to classes. Predictions and the count of errors are written once, here.
pub trait Classifier {
    /// The number of classes.
    fn classes(&self) -> usize;

    /// Computes one score per class; the largest is the prediction.
    ///
    /// # Shapes
    /// `inputs` [samples × inputs], `out` [samples × classes].
    ///
    /// # Errors
    /// A shape does not fit, or training diverged.
    fn scores(&self, compute: &Compute, inputs: &Inputs<'_>, out: &mut Matrix) -> Result<()>;

    /// Predicts the class of every sample: the one with the largest score, the lowest among equals.
    ///
    /// # Errors
    /// As [`Classifier::scores`].
    ///
    /// # Allocates
    /// The predictions, and the scores of some thousand samples at a time.
    fn predict(&self, compute: &Compute, inputs: &Inputs<'_>) -> Result<Vec<u8>> {
        eval::predict(self, compute, inputs)
    }

    /// Counts the samples whose predicted class is not their label.
    ///
    /// # Errors
    /// As [`Classifier::scores`]; also if the labels do not fit.
    ///
    /// # Allocates
    /// As [`Classifier::predict`].
    fn errors(&self, compute: &Compute, data: &Labelled<'_>) -> Result<usize> {
        eval::check_labels(data, self.classes())?;
        let predicted = self.predict(compute, &data.inputs)?;
        Ok(predicted.iter().zip(data.labels).filter(|(predicted, label)| predicted != label).count())
    }
}

/// Samples and their classes.
#[derive(Debug, Clone, Copy)]
pub struct Labelled<'a> {
    /// The samples.
    pub inputs: Inputs<'a>,
    /// One class per sample; empty for learning without labels.
    pub labels: &'a [u8],
}

impl<'a> Labelled<'a> {
    /// Samples without labels.
    pub fn unlabelled(inputs: Inputs<'a>) -> Labelled<'a> {
        Labelled { inputs, labels: &[] }
    }
}

/// Everything that the rest of a training depends on: tensors and counters by name.
///
/// # Example
/// ```
/// use rivalry_nets::{State, Tensor};
/// let mut state = State::default();
/// state.insert("weights", Tensor::new([1, 2], vec![0.5_f32, -0.5]));
/// assert_eq!(state.f32("weights", &[1, 2])?, [0.5, -0.5]);
/// assert!(state.f32("weights", &[2, 1]).is_err());
/// # Ok::<(), rivalry_nets::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// Arrays, in the order of their names.
    pub tensors: BTreeMap<String, Tensor>,
    /// Numbers, such as the steps taken.
    pub counters: BTreeMap<String, u64>,
}

/// A row-major array.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// The length of each axis.
    pub shape: Vec<usize>,
    /// As many numbers as the product of the shape.
    pub values: Values,
}

/// The numbers of a tensor.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Single precision.
    F32(Vec<f32>),
    /// Double precision.
    F64(Vec<f64>),
    /// Counts below 2³².
    U32(Vec<u32>),
    /// Counts below 2⁶⁴.
    U64(Vec<u64>),
}

impl Tensor {
    /// Puts a shape and its numbers together.
    ///
    /// # Panics
    /// If the shape does not hold as many numbers.
    pub fn new(shape: impl Into<Vec<usize>>, values: impl Into<Values>) -> Tensor {
        let tensor = Tensor { shape: shape.into(), values: values.into() };
        assert_eq!(tensor.shape.iter().product::<usize>(), tensor.values.len(), "numbers of a tensor");
        tensor
    }
}

impl Values {
    /// How many numbers there are.
    pub fn len(&self) -> usize {
        match self {
            Values::F32(values) => values.len(),
            Values::F64(values) => values.len(),
            Values::U32(values) => values.len(),
            Values::U64(values) => values.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn type_name(&self) -> &'static str {
        match self {
            Values::F32(_) => "f32",
            Values::F64(_) => "f64",
            Values::U32(_) => "u32",
            Values::U64(_) => "u64",
        }
    }
}

impl From<Vec<f32>> for Values {
    fn from(values: Vec<f32>) -> Values {
        Values::F32(values)
    }
}

impl From<Vec<f64>> for Values {
    fn from(values: Vec<f64>) -> Values {
        Values::F64(values)
    }
}

impl From<Vec<u32>> for Values {
    fn from(values: Vec<u32>) -> Values {
        Values::U32(values)
    }
}

impl From<Vec<u64>> for Values {
    fn from(values: Vec<u64>) -> Values {
        Values::U64(values)
    }
}

impl State {
    /// Adds a tensor, or replaces the one of that name.
    pub fn insert(&mut self, name: impl Into<String>, tensor: Tensor) {
        self.tensors.insert(name.into(), tensor);
    }

    /// The numbers of an f32 tensor of a given shape.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is missing or has another type or shape.
    pub fn f32(&self, name: &str, shape: &[usize]) -> Result<&[f32]> {
        match self.tensor(name, shape)? {
            Values::F32(values) => Ok(values),
            other => Err(wrong_type(name, other, "f32")),
        }
    }

    /// The numbers of a u32 tensor of a given shape.
    ///
    /// # Errors
    /// As [`State::f32`].
    pub fn u32(&self, name: &str, shape: &[usize]) -> Result<&[u32]> {
        match self.tensor(name, shape)? {
            Values::U32(values) => Ok(values),
            other => Err(wrong_type(name, other, "u32")),
        }
    }

    /// A counter.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is missing.
    pub fn counter(&self, name: &str) -> Result<u64> {
        self.counters.get(name).copied().ok_or_else(|| Error::invalid(format!("the state has no counter `{name}`")))
    }

    fn tensor(&self, name: &str, shape: &[usize]) -> Result<&Values> {
        let Some(tensor) = self.tensors.get(name) else {
            return Err(Error::invalid(format!("the state has no tensor `{name}`")));
        };
        if tensor.shape == shape && tensor.values.len() == shape.iter().product::<usize>() {
            Ok(&tensor.values)
        } else {
            let found = &tensor.shape;
            Err(Error::invalid(format!("the tensor `{name}` of the state has the shape {found:?}, not {shape:?}")))
        }
    }
}

fn wrong_type(name: &str, found: &Values, needed: &str) -> Error {
    Error::invalid(format!("the tensor `{name}` of the state is {}, not {needed}", found.type_name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_gives_back_what_fits_and_says_what_does_not() {
        let mut state = State::default();
        state.insert("weights", Tensor::new([2, 1], vec![1.0_f32, 2.0]));
        state.insert("wins", Tensor::new([2], vec![3_u32, 4]));
        state.counters.insert("steps".to_owned(), 5);
        assert_eq!(state.f32("weights", &[2, 1]).unwrap(), [1.0, 2.0]);
        assert_eq!(state.u32("wins", &[2]).unwrap(), [3, 4]);
        assert_eq!(state.counter("steps").unwrap(), 5);
        for (error, expected) in [
            (state.f32("bias", &[2]).unwrap_err(), "the state has no tensor `bias`"),
            (state.f32("wins", &[2]).unwrap_err(), "the tensor `wins` of the state is u32, not f32"),
            (
                state.f32("weights", &[1, 2]).unwrap_err(),
                "the tensor `weights` of the state has the shape [2, 1], not [1, 2]",
            ),
            (state.counter("epoch").unwrap_err(), "the state has no counter `epoch`"),
        ] {
            assert_eq!(error.to_string(), expected);
        }
        // Fields are public, so a tensor may also lie about its shape.
        state.tensors.get_mut("weights").unwrap().shape = vec![3];
        assert!(state.f32("weights", &[3]).is_err());
    }
}
