//! One step of a learner from a given state, as `rivalry replay METHOD` takes it: tensors by name, settings as JSON.
//!
//! A learner is one entry of [`LEARNERS`]. Everything is read and checked before the first step, and nothing is returned
//! unless it is finite.

use std::path::Path;

use anyhow::Context;
use rivalry_core::{Inputs, Layer, Rates, Rule};
use rivalry_data::npy::{self, Dtype, Npy};
use rivalry_nets::{
    Activation, ChannelOrder, Encoder, EquilibriumPropagation, EquilibriumSpec, ImageShape, Labelled, Microcircuit,
    MicrocircuitSpec, PatchEncoder, PatchSpec, Pooled, SlowLearner, SlowSpec, State, Tensor, Whitening,
};
use safetensors::SafeTensors;
use serde::Deserialize;

use crate::compute::Compute;
use crate::error::failure;
use crate::methods::ThresholdOf;

/// The learners by name, and one step of each: from the tensors and settings of a file to its results.
const LEARNERS: [(&str, Step); 5] = [
    ("biological", biological),
    ("slow", slow),
    ("patches", patches),
    ("equilibrium-propagation", equilibrium),
    ("dendritic-microcircuit", microcircuit),
];

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
    let (shape, learned) = case.pass(batch)?.learn_fast(rule, compute)?;
    Ok(vec![("weights".to_owned(), Tensor::new(shape, learned))])
}

/// The slow dynamics: one pass over consecutive minibatches.
fn slow(case: &Case<'_>, compute: &Compute) -> anyhow::Result<Vec<(String, Tensor)>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        p: f64,
        delta: f64,
        w_inh: f64,
        h_star: f64,
        h_star_of: ThresholdOf,
        batch: usize,
    }
    let Settings { p, delta, w_inh, h_star, h_star_of, batch } = case.settings()?;
    let (shape, learned) = case.pass(batch)?.learn(|layer, inputs, order, rates| {
        let (width, hidden, h_star_of, init_sigma) = (layer.inputs(), layer.hidden(), h_star_of.into(), 1.0);
        let spec = SlowSpec { inputs: width, hidden, p, delta, w_inh, h_star, h_star_of, batch, init_sigma };
        let mut learner = SlowLearner::from_layer(spec, layer)?;
        learner.learn(&compute.core, inputs, order, Rates::PerMinibatch(rates))?;
        Ok(learner.layer().to_rows())
    })?;
    Ok(vec![("weights".to_owned(), Tensor::new(shape, learned))])
}

/// The features of images by given filters, before root and standardisation.
fn patches(case: &Case<'_>, compute: &Compute) -> anyhow::Result<Vec<(String, Tensor)>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        patch: usize,
        stride: usize,
        pool: usize,
        activation: String,
        #[serde(default)]
        power_n: Option<f64>,
        var_floor: f64,
    }
    let Settings { patch: side, stride, pool: cells, activation, power_n, var_floor } = case.settings()?;
    let activation = match (activation.as_str(), power_n) {
        ("triangle", None) => Activation::Triangle,
        ("relu", Some(power_n)) => Activation::Relu { power_n },
        (other, _) => {
            let message = format!("the activation of {} is `{other}`", case.path.display());
            return Err(failure(message, "it is triangle, or relu with power_n"));
        }
    };
    let (images, filters, whiten) = (case.array("images")?, case.array("filters")?, case.array("whiten")?);
    let [samples, height, width, channels] = images.shape[..] else {
        let message = format!("{} has the shape {:?}", images.place, images.shape);
        return Err(failure(message, "it is [samples, height, width, channels]"));
    };
    let order = ChannelOrder::Pixels;
    let shape = ImageShape { height, width, channels, order };
    let [count, inputs] = filters.matrix("[filters, inputs]")?;
    let filters = Layer::from_rows(count, inputs, filters.floats()?)?;
    let whitening = Whitening::new(var_floor, case.array("mean")?.floats()?.to_vec(), whiten.floats()?)?;
    let spec = PatchSpec { shape, side, stride, activation, cells, pooled: Pooled::Mean, mirrored: false };
    let encoder = PatchEncoder::new(spec, filters, whitening)?;
    let features = encoder.features(&compute.core, &images.inputs(shape.inputs())?)?;
    Ok(vec![("features".to_owned(), Tensor::new([samples, encoder.width()], features.to_rows()))])
}

/// Equilibrium propagation on one minibatch.
fn equilibrium(case: &Case<'_>, compute: &Compute) -> anyhow::Result<Vec<(String, Tensor)>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        #[serde(rename = "learner")]
        _learner: String,
        sizes: Vec<usize>,
        minibatch: usize,
        beta: f32,
        epsilon: f32,
        free_steps: usize,
        nudged_steps: usize,
        rates: Vec<f32>,
    }
    let Settings { sizes, minibatch, beta, epsilon, free_steps, nudged_steps, rates, .. } = case.settings()?;
    let base = EquilibriumSpec::fixed(&sizes)?;
    let spec = EquilibriumSpec { batch: minibatch, beta, epsilon, free_steps, nudged_steps, alphas: rates, ..base };
    case.step_of_labels(|state, data| EquilibriumPropagation::step(&compute.core, spec, state, data))
}

/// A dendritic microcircuit on one minibatch.
fn microcircuit(case: &Case<'_>, compute: &Compute) -> anyhow::Result<Vec<(String, Tensor)>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        #[serde(rename = "learner")]
        _learner: String,
        sizes: Vec<usize>,
        minibatch: usize,
        lambdas: Vec<f32>,
        lambda_interneuron: f32,
        rates: Vec<f32>,
        ip_rates: Vec<f32>,
        on: f32,
        off: f32,
    }
    let Settings { sizes, minibatch, lambdas, lambda_interneuron, rates, ip_rates, on, off, .. } = case.settings()?;
    let base = MicrocircuitSpec::of_sizes(&sizes)?;
    let (eta_up, eta_ip, targets) = (rates, ip_rates, [on, off]);
    let spec = MicrocircuitSpec { batch: minibatch, lambdas, lambda_interneuron, eta_up, eta_ip, targets, ..base };
    case.step_of_labels(|state, data| Microcircuit::step(&compute.core, spec, state, data))
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

    /// A step on labelled samples, from the other tensors as the state.
    fn step_of_labels(
        &self,
        step: impl FnOnce(&State, &Labelled<'_>) -> rivalry_nets::Result<State>,
    ) -> anyhow::Result<Vec<(String, Tensor)>> {
        let inputs = self.array("inputs")?;
        let [_, width] = inputs.matrix("[samples, inputs]")?;
        let mut state = State::default();
        for name in self.tensors.names().into_iter().filter(|name| !["inputs", "labels"].contains(name)) {
            let array = self.array(name)?;
            state.insert(name, Tensor::new(array.shape.clone(), array.floats()?.to_vec()));
        }
        let data = Labelled { inputs: inputs.inputs(width)?, labels: &self.labels()? };
        Ok(step(&state, &data)?.tensors.into_iter().collect())
    }

    /// The classes of the samples, integers below 256.
    fn labels(&self) -> anyhow::Result<Vec<u8>> {
        let place = format!("the tensor `labels` of {}", self.path.display());
        let view = self.tensors.tensor("labels").with_context(|| format!("cannot use {place}"))?;
        let labels: Option<Vec<u8>> = match view.dtype() {
            safetensors::Dtype::U8 => Some(view.data().to_vec()),
            safetensors::Dtype::I32 => {
                let labels = view.data().chunks_exact(4).map(bytemuck::pod_read_unaligned::<i32>);
                labels.map(|label| u8::try_from(label).ok()).collect()
            }
            _ => None,
        };
        labels.ok_or_else(|| failure(format!("{place} does not hold classes"), "they are U8 or I32, from 0 to 255"))
    }

    /// A pass over the samples of the file.
    fn pass(&self, batch: usize) -> anyhow::Result<Pass> {
        let (weights, inputs, rates) = (self.array("weights")?, self.array("inputs")?, self.array("rates")?);
        Ok(Pass { weights, inputs, rates, batch })
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

    fn inputs(&self, width: usize) -> rivalry_core::Result<Inputs<'_>> {
        match &self.values {
            Numbers::U8(values) => Inputs::u8(values, width),
            Numbers::Floats(values) => Inputs::f32(values, width),
        }
    }

    fn rates(&self) -> anyhow::Result<&[f32]> {
        let rates = self.floats()?;
        if self.shape.len() != 1 || rates.is_empty() {
            let message = format!("{} has the shape {:?}, not [minibatches]", self.place, self.shape);
            return Err(failure(message, "one rate for each minibatch"));
        }
        if let Some(bad) = rates.iter().position(|rate| *rate < 0.0) {
            let message = format!("{} holds the rate {} at {bad}, which is below 0", self.place, rates[bad]);
            return Err(failure(message, "a rate of 0 leaves the weights as they are"));
        }
        Ok(rates)
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

/// One pass of a rule over consecutive minibatches in file order.
pub(crate) struct Pass {
    pub(crate) weights: Array,
    pub(crate) inputs: Array,
    pub(crate) rates: Array,
    pub(crate) batch: usize,
}

impl Pass {
    /// The shape of the weights and what they become by the fast rule.
    pub(crate) fn learn_fast(&self, rule: Rule, compute: &Compute) -> anyhow::Result<([usize; 2], Vec<f32>)> {
        self.learn(|layer, inputs, order, rates| {
            let hidden = layer.hidden();
            if rule.k() > hidden {
                let message = format!("k = {} needs as many hidden units, the weights have {hidden}", rule.k());
                let hint = "the unit of rank k gets the anti-Hebbian update, so there must be k units";
                return Err(failure(message, hint));
            }
            let mut learner = compute.learner(layer, rule, self.batch)?;
            learner.learn(&compute.core, inputs, order, Rates::PerMinibatch(rates))?;
            Ok(learner.layer().to_rows())
        })
    }

    /// The shape of the weights and what they become by a rule: a function of the layer, the samples, their order and the
    /// rates, once all of these are known to fit.
    fn learn(
        &self,
        rule: impl FnOnce(Layer, &Inputs<'_>, &[u32], &[f32]) -> anyhow::Result<Vec<f32>>,
    ) -> anyhow::Result<([usize; 2], Vec<f32>)> {
        let [hidden, width] = self.weights.matrix("[hidden, inputs]")?;
        let [samples, found] = self.inputs.matrix("[samples, inputs]")?;
        if found != width {
            let message = format!("{} has {found} inputs a sample, the weights have {width}", self.inputs.place);
            return Err(failure(message, "weights are [hidden, inputs], inputs are [samples, inputs]"));
        }
        let rates = self.rates.rates()?;
        check_samples(&self.inputs, self.batch, rates.len(), samples)?;
        let layer = Layer::from_rows(hidden, width, self.weights.floats()?)?;
        let order: Vec<u32> = (0..samples as u32).collect();
        let learned = rule(layer, &self.inputs.inputs(width)?, &order, rates)?;
        if !learned.iter().all(|weight| weight.is_finite()) {
            let hint = "smaller rates, weights or inputs keep numbers in range";
            return Err(failure("the new weights hold NaN or infinity; nothing was written", hint));
        }
        Ok(([hidden, width], learned))
    }
}

/// Every minibatch has a rate and is whole.
fn check_samples(inputs: &Array, batch: usize, minibatches: usize, samples: usize) -> anyhow::Result<()> {
    let hint = "one rate for each minibatch, and every minibatch whole";
    if batch == 0 {
        return Err(failure("a minibatch of 0 samples teaches nothing", hint));
    }
    if u32::try_from(samples).is_err() {
        let message = format!("{} holds {samples} samples, more than {}", inputs.place, u32::MAX);
        return Err(failure(message, "replay them in parts"));
    }
    if batch.checked_mul(minibatches) != Some(samples) {
        let message = format!("{minibatches} rates and {batch} samples a minibatch do not make {samples} samples");
        return Err(failure(message, hint));
    }
    Ok(())
}

/// The bytes of a file.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| failure(format!("cannot read {}: {error}", path.display()), "check the path"))
}
