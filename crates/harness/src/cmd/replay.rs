//! `rivalry replay`: one step of a learner from a given state, driven from any other program.
//!
//! The fast rule takes .npy files (`--weights W --inputs X --rates R …`), every learner a safetensors file (`METHOD --in IN
//! --out OUT`): tensors by name, settings as JSON under the metadata key `settings`. A learner is one entry of [`LEARNERS`].
//!
//! Everything is read and checked before the first step, and nothing is written unless the result is finite.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rivalry_core::{Inputs, Layer, Rates, Rule};
use rivalry_data::npy::{self, Dtype, Npy};
use rivalry_nets::Tensor;
use safetensors::SafeTensors;
use serde::Deserialize;

use crate::cli::{Common, ReplayArgs};
use crate::compute::Compute;
use crate::error::failure;
use crate::files;
use crate::output;
use crate::run::checkpoint::serialize;

/// The learners by name, and one step of each: from the tensors and settings of a file to its results.
const LEARNERS: [(&str, Step); 1] = [("biological", biological)];

type Step = fn(&Case<'_>, &Compute) -> anyhow::Result<Vec<(&'static str, Tensor)>>;

/// The names of the learners, for the command line.
pub(crate) fn names() -> Vec<&'static str> {
    LEARNERS.iter().map(|(name, _)| *name).collect()
}

/// Runs the command.
pub(crate) fn run(args: &ReplayArgs, common: &Common) -> anyhow::Result<()> {
    files::check_writable(&args.out)?;
    match (&args.method, &args.input) {
        (Some(method), Some(input)) => replay_file(method, input, &args.out, common),
        _ => replay_arrays(args, common),
    }
}

fn replay_file(method: &str, input: &Path, out: &Path, common: &Common) -> anyhow::Result<()> {
    let (_, step) = LEARNERS.iter().find(|(name, _)| *name == method).context("the command line knows the names")?;
    let place = input.display();
    let bytes = read(input)?;
    let (_, header) = SafeTensors::read_metadata(&bytes).with_context(|| format!("cannot use {place}"))?;
    let tensors = SafeTensors::deserialize(&bytes).with_context(|| format!("cannot use {place}"))?;
    let Some(settings) = header.metadata().as_ref().and_then(|metadata| metadata.get("settings")) else {
        let message = format!("{place} has no settings");
        return Err(failure(message, "put them into the metadata as JSON, under the key `settings`"));
    };
    let results = step(&Case { path: input, tensors, settings }, &Compute::new(common)?)?;
    let metadata = BTreeMap::from([("settings".to_owned(), settings.clone())]);
    files::write(out, &serialize(results.iter().map(|(name, tensor)| (*name, tensor)), metadata))?;
    if common.json {
        let shapes: BTreeMap<&str, &[usize]> =
            results.iter().map(|(name, tensor)| (*name, &tensor.shape[..])).collect();
        output::result(&format!("{}\n", serde_json::json!({ "out": out, "tensors": shapes })))?;
    }
    Ok(())
}

fn replay_arrays(args: &ReplayArgs, common: &Common) -> anyhow::Result<()> {
    let missing = "give METHOD --in --out, or all of --weights --inputs --rates --batch --p --k --delta --out";
    let path = |path: &Option<PathBuf>| path.clone().with_context(|| missing);
    let [weights_path, inputs_path, rates_path] = [path(&args.weights)?, path(&args.inputs)?, path(&args.rates)?];
    let (Some(batch), Some(p), Some(k), Some(delta)) = (args.batch, args.p, args.k, args.delta) else {
        anyhow::bail!(missing);
    };
    let rule = Rule::new(p, k, delta)?;
    let weights = Array::of_npy(&weights_path)?;
    let pass = Pass { inputs: Array::of_npy(&inputs_path)?, rates: Array::of_npy(&rates_path)?, weights, batch, rule };
    let (shape, learned) = pass.learn(&Compute::new(common)?)?;
    files::write(&args.out, &npy::write_f32(&shape, &learned))?;
    if common.json {
        let minibatches = pass.rates.shape[0];
        let summary = serde_json::json!(
            { "out": args.out, "hidden": shape[0], "inputs": shape[1], "minibatches": minibatches });
        output::result(&format!("{summary}\n"))?;
    }
    Ok(())
}

/// The fast rule: one pass over consecutive minibatches.
fn biological(case: &Case<'_>, compute: &Compute) -> anyhow::Result<Vec<(&'static str, Tensor)>> {
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
    Ok(vec![("weights", Tensor::new(shape, learned))])
}

/// A file of one step: its tensors and settings.
struct Case<'a> {
    path: &'a Path,
    tensors: SafeTensors<'a>,
    settings: &'a str,
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
struct Array {
    place: String,
    shape: Vec<usize>,
    values: Numbers,
}

enum Numbers {
    U8(Vec<u8>),
    Floats(Vec<f32>),
}

impl Array {
    fn of_npy(path: &Path) -> anyhow::Result<Self> {
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
struct Pass {
    weights: Array,
    inputs: Array,
    rates: Array,
    batch: usize,
    rule: Rule,
}

impl Pass {
    /// The shape of the weights and what they become.
    fn learn(&self, compute: &Compute) -> anyhow::Result<([usize; 2], Vec<f32>)> {
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

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| failure(format!("cannot read {}: {error}", path.display()), "check the path"))
}
