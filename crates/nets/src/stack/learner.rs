//! A stack as a [`Learner`]: the layers learn by the fast rule one after the other, from below.
//!
//! ```text
//! for each layer l:  E epochs of the fast rule on v_{l−1};  scale_l;  from then on W_l stays
//! ```
//! Epochs are counted through: epoch e belongs to layer ⌊e / E⌋. The features that a layer learns from are computed once.

use crate::competitive::encoder::{FeatureSpec, LayerEncoder, mean_largest_current};
use crate::competitive::fast::{FastLearner, FastSpec};
use crate::error::{Error, Result};
use crate::learner::{Encoder, Labelled, Learner, State, Tensor, Values};
use crate::stack::encoder::StackEncoder;
use rivalry_core::{Compute, Engine, Inputs, Matrix, Random, Rule};

/// The name of the counter of finished epochs in the state.
const EPOCHS: &str = "stack_epochs";

/// The shape of a stack and how its layers learn.
#[derive(Debug, Clone, PartialEq)]
pub struct StackSpec {
    /// The length of a sample.
    pub inputs: usize,
    /// The layers, from the lowest up.
    pub layers: Vec<StackLayer>,
    /// The number of samples in a minibatch.
    pub batch: usize,
    /// The standard deviation of the initial weights.
    pub init_sigma: f64,
    /// How scores are computed; the weights do not depend on it.
    pub engine: Engine,
    /// The epochs of each layer, at least 1.
    pub epochs: u32,
    /// By what currents are divided before the power; the mean of the largest current of each layer where nothing is given.
    pub current_scale: Option<f64>,
}

/// One layer of a stack.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StackLayer {
    /// The number of units.
    pub units: usize,
    /// The rule by which they learn.
    pub rule: Rule,
    /// The power n of their features.
    pub power_n: f64,
}

/// Layers that learn one after the other.
///
/// # Example
/// ```
/// use rivalry_core::{Compute, Engine, Inputs, Kernels, Random, Rule};
/// use rivalry_nets::{Encoder, Labelled, Learner, StackLayer, StackLearner, StackSpec};
/// let pixels: Vec<u8> = (0..200 * 9).map(|i| (i * 31 % 256) as u8).collect();
/// let data = Labelled::unlabelled(Inputs::u8(&pixels, 9)?);
/// let lower = StackLayer { units: 20, rule: Rule::new(3.0, 2, 0.1)?, power_n: 2.0 };
/// let upper = StackLayer { units: 10, rule: Rule::new(2.0, 2, 0.1)?, ..lower };
/// let spec = StackSpec {
///     inputs: 9, layers: vec![lower, upper], batch: 10, init_sigma: 1.0, engine: Engine::Auto, epochs: 3,
///     current_scale: None,
/// };
/// let compute = Compute::new(Some(2), Kernels::best())?;
/// let mut learner = StackLearner::new(spec, &mut Random::keyed(1, "weights", 0))?;
/// for epoch in 0..6 {
///     let order = Random::keyed(1, "order", epoch).order(200);
///     learner.epoch(&compute, &data, &order, 0.02)?;
/// }
/// assert_eq!(learner.stack().expect("two layers").width(), 10);
/// # Ok::<(), rivalry_nets::Error>(())
/// ```
#[derive(Debug)]
pub struct StackLearner {
    spec: StackSpec,
    layers: Vec<FastLearner>,
    /// Finished epochs of all layers.
    epochs: u32,
    /// The layers that have finished.
    stack: Option<StackEncoder>,
    /// What the present layer learns from, unless it is the lowest.
    below: Option<Matrix>,
}

impl StackLearner {
    /// Draws the initial weights of all layers from N(0, init_sigma²), the lowest first.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is no layer or no epoch; otherwise as [`FastLearner::new`].
    ///
    /// # Allocates
    /// The layers; from the second layer on, its inputs [samples × units below].
    pub fn new(spec: StackSpec, random: &mut Random) -> Result<StackLearner> {
        if spec.layers.is_empty() || spec.epochs == 0 {
            return Err(Error::invalid("a stack needs a layer, and each layer an epoch"));
        }
        let mut inputs = spec.inputs;
        let mut layers = Vec::with_capacity(spec.layers.len());
        for &StackLayer { units: hidden, rule, .. } in &spec.layers {
            let StackSpec { batch, init_sigma, engine, .. } = spec;
            layers.push(FastLearner::new(FastSpec { inputs, hidden, rule, batch, init_sigma, engine }, random)?);
            inputs = hidden;
        }
        Ok(StackLearner { spec, layers, epochs: 0, stack: None, below: None })
    }

    /// The layers that have finished; nothing before the lowest one has.
    pub fn stack(&self) -> Option<&StackEncoder> {
        self.stack.as_ref()
    }

    /// The number of the layer that learns, or learned last.
    fn present(&self) -> usize {
        ((self.epochs / self.spec.epochs) as usize).min(self.layers.len() - 1)
    }

    fn add(&mut self, layer: usize, current_scale: f64) -> Result<()> {
        let spec = FeatureSpec { power_n: self.spec.layers[layer].power_n, current_scale };
        let layer = LayerEncoder::new(self.layers[layer].layer(), spec)?;
        self.stack = Some(match self.stack.take() {
            Some(stack) => stack.with_layer(layer)?,
            None => StackEncoder::new(layer),
        });
        Ok(())
    }
}

impl Learner for StackLearner {
    /// An epoch of the layer whose turn it is.
    ///
    /// # Errors
    /// As [`FastLearner::epoch`] and [`mean_largest_current`]; [`Error::Invalid`] when every layer has finished.
    fn epoch(&mut self, compute: &Compute, data: &Labelled<'_>, order: &[u32], rate: f32) -> Result<()> {
        if u64::from(self.epochs) >= u64::from(self.spec.epochs) * self.layers.len() as u64 {
            return Err(Error::invalid("every layer of the stack has learned all its epochs"));
        }
        let present = self.present();
        if let (Some(stack), None) = (&self.stack, &self.below) {
            self.below = Some(stack.features(compute, &data.inputs)?);
        }
        let inputs = match &self.below {
            Some(below) => Inputs::matrix(below)?,
            None => data.inputs,
        };
        self.layers[present].epoch(compute, &Labelled::unlabelled(inputs), order, rate)?;
        if (self.epochs + 1).is_multiple_of(self.spec.epochs) {
            let current_scale = match self.spec.current_scale {
                Some(scale) => scale,
                None => mean_largest_current(compute, &self.layers[present].layer(), &inputs)?,
            };
            self.add(present, current_scale)?;
            self.below = None;
        }
        self.epochs += 1;
        Ok(())
    }

    /// Those of the layer that learns, and its number, counted from 1.
    fn diagnostics(&self) -> Vec<(&'static str, f64)> {
        // After its last epoch a layer is still the one that was measured.
        let measured = (self.epochs.saturating_sub(1) / self.spec.epochs) as usize;
        let mut diagnostics = self.layers[measured].diagnostics();
        diagnostics.push(("layer", (measured + 1) as f64));
        diagnostics
    }

    /// `weights.l` [units × inputs of layer l] and the rest of each layer's state with the same suffix, `current_scale.l` of
    /// those that have finished, and the counter `stack_epochs`.
    fn state(&self) -> State {
        let mut state = State::default();
        for (number, layer) in (1..).zip(&self.layers) {
            let own = layer.state().tensors.into_iter();
            state.tensors.extend(own.map(|(name, tensor)| (format!("{name}.{number}"), tensor)));
        }
        for (number, layer) in (1..).zip(self.stack.iter().flat_map(StackEncoder::layers)) {
            state.insert(format!("current_scale.{number}"), Tensor::new([1], vec![layer.spec().current_scale]));
        }
        state.counters.insert(EPOCHS.to_owned(), self.epochs.into());
        state
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        let epochs = state.counter(EPOCHS)?;
        let finished = epochs / u64::from(self.spec.epochs);
        let too_many = || Error::invalid(format!("the state has {epochs} epochs, more than the layers have together"));
        let epochs =
            u32::try_from(epochs).ok().filter(|_| finished <= self.layers.len() as u64).ok_or_else(too_many)?;
        let scales = (1..=finished).map(|number| {
            let name = format!("current_scale.{number}");
            match state.tensors.get(&name) {
                Some(Tensor { values: Values::F64(scale), .. }) if scale.len() == 1 => Ok(scale[0]),
                _ => Err(Error::invalid(format!("the state has no number `{name}`"))),
            }
        });
        let scales = scales.collect::<Result<Vec<f64>>>()?;
        let mut restored = StackLearner::new(self.spec.clone(), &mut Random::keyed(0, "weights", 0))?;
        for (number, layer) in (1..).zip(&mut restored.layers) {
            let suffix = format!(".{number}");
            let own = state.tensors.iter().filter_map(|(name, tensor)| Some((name.strip_suffix(&suffix)?, tensor)));
            let mut of_layer = State::default();
            of_layer.tensors.extend(own.map(|(name, tensor)| (name.to_owned(), tensor.clone())));
            layer.restore(&of_layer)?;
        }
        restored.epochs = epochs;
        for (layer, scale) in scales.into_iter().enumerate() {
            restored.add(layer, scale)?;
        }
        *self = restored;
        Ok(())
    }
}
