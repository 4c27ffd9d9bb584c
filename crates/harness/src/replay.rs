//! One step of a learner from a given state, as `rivalry replay METHOD` takes it: tensors by name, settings as JSON.
//!
//! A learner is one entry of [`LEARNERS`]. Everything is read and checked before the first step, and nothing is returned
//! unless it is finite.

use std::path::Path;

use anyhow::Context;
use rivalry_core::{Inputs, Layer, Rates, Rule};
use rivalry_data::npy::{self, Dtype, Npy};
use rivalry_nets::Tensor;
use safetensors::SafeTensors;
use serde::Deserialize;

use crate::compute::Compute;
use crate::error::failure;

/// The learners by name, and one step of each: from the tensors and settings of a file to its results.
const LEARNERS: [(&str, Step); 1] = [("biological", biological)];

/// One step.
pub(crate) type Step = fn(&Case<'_>, &Compute) -> anyhow::Result<Vec<(String, Tensor)>>;

/// The names of the learners.
pub(crate) fn names() -> Vec<&'static str> {
    LEARNERS.iter().map(|(name, _)| *name).collect()
}

/// The step of a learner.
pub(crate) fn step(name: &str) -> Option<Step> {
    LEARNERS.iter().find(|(known, _)| *known == name).map(|(_, step)| *step)
}

/// The fast rule: one pass over consecutive minibatches.
fn biological(case: &Case<'_>, compute: &Compute) -> anyhow::Result<Vec<(String, Tensor)>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        p: f64,
        k: usize,
        delta: f64,
        #[serde(default)]
        balance: Option<f32>,
        batch: usize,
    }
    let Settings { p, k, delta, balance, batch } = case.settings()?;
    let rule = Rule::new(p, k, delta)?.with_balance(balance)?;
    let pass = Pass {
        weights: case.array("weights")?,
        inputs: case.array("inputs")?,
        rates: case.array("rates")?,
        batch,
        rule,
    };
    let (shape, learned) = pass.learn(compute)?;
    Ok(vec![("weights".to_owned(), Tensor::new(shape, learned))])
}

/// A file of one step: its tensors and settings.
pub(crate) struct Case<'a> {
    pub(crate) path: &'a Path,
    pub(crate) tensors: SafeTensors<'a>,
    pub(crate) settings: &'a str,
}

impl Case<'_> {
    fn settings<T: serde::de::DeserializeOwned>(&self) -> anyhow::Result<T> {
        serde_json::from_str(self.settings).map_err(|error| {
            let message = format!("the settings of {} cannot be used: {error}", self.path.display());
            failure(message, "they are one JSON object under the metadata key `settings`")
        })
    }

    fn array(&self, name: &str) -> anyhow::Result<Array> {
        let place = format!("the tensor `{name}` of {}", self.path.display());
        let view = self.tensors.tensor(name).with_context(|| format!("cannot use {place}"))?;
        let data = view.data();
        let values = match view.dtype() {
            safetensors::Dtype::U8 => Numbers::U8(data.to_vec()),
            safetensors::Dtype::F32 => {
                Numbers::Floats(data.chunks_exact(4).map(bytemuck::pod_read_unaligned).collect())
            }
            other => return Err(failure(format!("{place} is of type {other:?}, not U8 or F32"), "convert it")),
        };
        Array { place, shape: view.shape().to_vec(), values }.checked()
    }
}

/// An array and where it comes from, which errors name. Floats are finite.
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    place: String,
    values: Numbers,
}

enum Numbers {
    U8(Vec<u8>),
    Floats(Vec<f32>),
}

impl Array {
    pub(crate) fn of_npy(path: &Path) -> anyhow::Result<Self> {
        let bytes = read(path)?;
        let array: Npy<'_> = npy::parse(&bytes).map_err(|error| error.in_file(path))?;
        let values = match (array.as_u8(), array.dtype()) {
            (Some(values), _) => Numbers::U8(values.to_vec()),
            (None, Dtype::F32 | Dtype::F64) => Numbers::Floats(array.to_f32().map_err(|error| error.in_file(path))?),
            (None, other) => {
                let message = format!("{} holds {}, not u8, f32 or f64", path.display(), other.as_str());
                return Err(failure(message, "convert it with astype"));
            }
        };
        Self { place: path.display().to_string(), shape: array.shape().to_vec(), values }.checked()
    }

    fn checked(self) -> anyhow::Result<Self> {
        if let Numbers::Floats(values) = &self.values
            && let Some(bad) = values.iter().position(|value| !value.is_finite())
        {
            let message = format!("{} holds {} at {bad}", self.place, values[bad]);
            return Err(failure(message, "NaN and infinity would spread to every weight"));
        }
        Ok(self)
    }

    fn matrix(&self, axes: &str) -> anyhow::Result<[usize; 2]> {
        match self.shape[..] {
            [rows, columns] if rows > 0 && columns > 0 => Ok([rows, columns]),
            _ => {
                let message = format!("{} has the shape {:?}, not {axes}", self.place, self.shape);
                Err(failure(message, "arrays have two dimensions, neither of them 0"))
            }
        }
    }

    fn floats(&self) -> anyhow::Result<&[f32]> {
        match &self.values {
            Numbers::Floats(values) => Ok(values),
            Numbers::U8(_) => {
                Err(failure(format!("{} holds u8, not f32 or f64", self.place), "convert it with astype"))
            }
        }
    }
}

/// One pass of the fast rule over consecutive minibatches in file order.
pub(crate) struct Pass {
    pub(crate) weights: Array,
    pub(crate) inputs: Array,
    pub(crate) rates: Array,
    pub(crate) batch: usize,
    pub(crate) rule: Rule,
}

impl Pass {
    /// The shape of the weights and what they become.
    pub(crate) fn learn(&self, compute: &Compute) -> anyhow::Result<([usize; 2], Vec<f32>)> {
        let [hidden, width] = self.weights.matrix("[hidden, inputs]")?;
        let [samples, found] = self.inputs.matrix("[samples, inputs]")?;
        if found != width {
            let message = format!("{} has {found} inputs a sample, the weights have {width}", self.inputs.place);
            return Err(failure(message, "weights are [hidden, inputs], inputs are [samples, inputs]"));
        }
        if self.rule.k() > hidden {
            let message = format!("k = {} needs as many hidden units, the weights have {hidden}", self.rule.k());
            return Err(failure(message, "the unit of rank k gets the anti-Hebbian update, so there must be k units"));
        }
        let rates = self.rates()?;
        self.check_samples(rates.len(), samples)?;
        let layer = Layer::from_rows(hidden, width, self.weights.floats()?)?;
        let inputs = match &self.inputs.values {
            Numbers::U8(values) => Inputs::u8(values, width)?,
            Numbers::Floats(values) => Inputs::f32(values, width)?,
        };
        let mut learner = compute.learner(layer, self.rule, self.batch)?;
        let order: Vec<u32> = (0..samples as u32).collect();
        learner.learn(&compute.core, &inputs, &order, Rates::PerMinibatch(rates))?;
        let learned = learner.layer().to_rows();
        if !learned.iter().all(|weight| weight.is_finite()) {
            let hint = "smaller rates, weights or inputs keep numbers in range";
            return Err(failure("the new weights hold NaN or infinity; nothing was written", hint));
        }
        Ok(([hidden, width], learned))
    }

    fn rates(&self) -> anyhow::Result<&[f32]> {
        let rates = self.rates.floats()?;
        if self.rates.shape.len() != 1 || rates.is_empty() {
            let message = format!("{} has the shape {:?}, not [minibatches]", self.rates.place, self.rates.shape);
            return Err(failure(message, "one rate for each minibatch"));
        }
        if let Some(bad) = rates.iter().position(|rate| *rate < 0.0) {
            let message = format!("{} holds the rate {} at {bad}, which is below 0", self.rates.place, rates[bad]);
            return Err(failure(message, "a rate of 0 leaves the weights as they are"));
        }
        Ok(rates)
    }

    fn check_samples(&self, minibatches: usize, samples: usize) -> anyhow::Result<()> {
        let (batch, hint) = (self.batch, "one rate for each minibatch, and every minibatch whole");
        if batch == 0 {
            return Err(failure("a minibatch of 0 samples teaches nothing", hint));
        }
        if u32::try_from(samples).is_err() {
            let message = format!("{} holds {samples} samples, more than {}", self.inputs.place, u32::MAX);
            return Err(failure(message, "replay them in parts"));
        }
        if batch.checked_mul(minibatches) != Some(samples) {
            let message = format!("{minibatches} rates and {batch} samples a minibatch do not make {samples} samples");
            return Err(failure(message, hint));
        }
        Ok(())
    }
}

/// The bytes of a file.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| failure(format!("cannot read {}: {error}", path.display()), "check the path"))
}
