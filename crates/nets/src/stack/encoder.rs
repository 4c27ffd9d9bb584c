//! Layers on top of each other, each learned without labels on the features of the one below, which then stays as it is.
//!
//! ```text
//! v_0 = the inputs;  for each layer l: h_l = (max(W_l v_{l−1}, 0) / scale_l)^n_l,  v_l = h_l / ‖h_l‖
//! features: v of the top layer, or v_1, v_2, … side by side
//! ```
//! A stack is learned from below: encode with the layers so far, let a learner learn from the features, add its layer.

use crate::competitive::encoder::LayerEncoder;
use crate::error::{Error, Result};
use crate::eval::{check_inputs, check_out};
use crate::learner::Encoder;
use rivalry_core::{Compute, Inputs, Matrix};
use std::sync::{Mutex, PoisonError};

/// Samples that pass all layers before the next ones do, so that the features in between fit memory.
const BLOCK: usize = 1 << 12;

/// Which layers the features are taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadoutOn {
    /// The top layer.
    Top,
    /// All layers, side by side from the lowest on.
    All,
}

/// Hidden layers on top of each other as an encoder.
///
/// # Example
/// ```
/// use rivalry_core::{Compute, Engine, Inputs, Kernels, Random, Rule};
/// use rivalry_nets::{
///     Encoder, FastLearner, FastSpec, FeatureSpec, Labelled, LayerEncoder, Learner, ReadoutOn, StackEncoder,
///     mean_largest_current,
/// };
/// let compute = Compute::new(Some(2), Kernels::best())?;
/// let pixels: Vec<u8> = (0..200 * 9).map(|i| (i * 31 % 256) as u8).collect();
/// let inputs = Inputs::u8(&pixels, 9)?;
/// let rule = Rule::new(2.0, 2, 0.1)?;
/// let mut stack: Option<StackEncoder> = None;
/// for (number, hidden) in [20, 10].into_iter().enumerate() {
///     let below = stack.as_ref().map(|stack| stack.features(&compute, &inputs)).transpose()?;
///     let seen = match &below {
///         Some(features) => Inputs::matrix(features)?,
///         None => inputs,
///     };
///     let spec = FastSpec { inputs: seen.inputs(), hidden, rule, batch: 10, init_sigma: 1.0, engine: Engine::Auto };
///     let mut learner = FastLearner::new(spec, &mut Random::keyed(1, "weights", number as u32))?;
///     learner.epoch(&compute, &Labelled::unlabelled(seen), &Random::keyed(1, "order", 0).order(200), 0.02)?;
///     let layer = learner.layer();
///     let current_scale = mean_largest_current(&compute, &layer, &seen)?;
///     let layer = LayerEncoder::new(layer, FeatureSpec { power_n: 2.0, current_scale })?;
///     stack = Some(match stack {
///         Some(stack) => stack.with_layer(layer)?,
///         None => StackEncoder::new(layer),
///     });
/// }
/// let stack = stack.expect("two layers").reading(ReadoutOn::All);
/// assert_eq!(stack.features(&compute, &inputs)?.columns(), 20 + 10);
/// # Ok::<(), rivalry_nets::Error>(())
/// ```
#[derive(Debug)]
pub struct StackEncoder {
    layers: Vec<LayerEncoder>,
    on: ReadoutOn,
}

impl StackEncoder {
    /// Starts with the lowest layer; features are those of the top layer.
    pub fn new(lowest: LayerEncoder) -> StackEncoder {
        StackEncoder { layers: vec![lowest], on: ReadoutOn::Top }
    }

    /// Adds a layer that learned from the features of the top layer.
    ///
    /// # Errors
    /// [`Error::Invalid`] unless it has as many inputs as that has units.
    pub fn with_layer(mut self, layer: LayerEncoder) -> Result<StackEncoder> {
        let (below, inputs) = (self.top().width(), layer.layer().inputs());
        if inputs != below {
            return Err(Error::invalid(format!("the layer has {inputs} inputs, the one below has {below} units")));
        }
        self.layers.push(layer);
        Ok(self)
    }

    /// Chooses which layers the features are taken from.
    pub fn reading(self, on: ReadoutOn) -> StackEncoder {
        StackEncoder { on, ..self }
    }

    /// The layers, the lowest first.
    pub fn layers(&self) -> &[LayerEncoder] {
        &self.layers
    }

    fn top(&self) -> &LayerEncoder {
        &self.layers[self.layers.len() - 1]
    }
}

impl Encoder for StackEncoder {
    fn width(&self) -> usize {
        match self.on {
            ReadoutOn::Top => self.top().width(),
            ReadoutOn::All => self.layers.iter().map(|layer| layer.width()).sum(),
        }
    }

    /// Computes v of the top layer or of all layers. A sample that drives no unit of a layer has zeros there.
    ///
    /// Source: Krotov & Hopfield 2019, eq. 1, layer by layer; unit length as their inputs have it.
    ///
    /// # Shapes
    /// `inputs` [samples × inputs of the lowest layer], `out` [samples × width].
    ///
    /// # Numerics
    /// Lengths in f64; the same bits for any number of threads and on every instruction set.
    ///
    /// # Errors
    /// As [`LayerEncoder::encode`].
    ///
    /// # Allocates
    /// The features of all layers for 4096 samples.
    fn encode(&self, compute: &Compute, inputs: &Inputs<'_>, out: &mut Matrix) -> Result<()> {
        check_inputs(inputs, self.layers[0].layer().inputs())?;
        check_out(out, inputs.samples(), self.width())?;
        let mut rows = out.rows_mut();
        for first in (0..inputs.samples()).step_by(BLOCK) {
            let block = inputs.range(first..inputs.samples().min(first + BLOCK));
            let mut features: Vec<Matrix> = Vec::with_capacity(self.layers.len());
            for layer in &self.layers {
                let seen = match features.last() {
                    Some(below) => Inputs::matrix(below)?,
                    None => block,
                };
                let mut own = layer.features(compute, &seen)?;
                unit_lengths(compute, &mut own);
                features.push(own);
            }
            let from = if self.on == ReadoutOn::Top { self.layers.len() - 1 } else { 0 };
            for (sample, row) in rows.by_ref().take(block.samples()).enumerate() {
                let mut rest = row;
                for features in &features[from..] {
                    let (own, behind) = rest.split_at_mut(features.columns());
                    own.copy_from_slice(features.row(sample));
                    rest = behind;
                }
            }
        }
        Ok(())
    }
}

/// Scales every row to unit length; a row of zeros stays.
fn unit_lengths(compute: &Compute, features: &mut Matrix) {
    let rows = Mutex::new(features.rows_mut());
    compute.map(|_| {
        loop {
            let next = rows.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(row) = next else { return };
            crate::eval::unit_length(row);
        }
    });
}
