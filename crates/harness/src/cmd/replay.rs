//! `rivalry replay`: one pass of the rule over consecutive minibatches in file order, driven from any other program.
//!
//! Everything is read and checked before the first step, and nothing is written unless the result is finite.

use std::path::Path;

use rivalry_core::{Inputs, Layer, Rates, Rule};
use rivalry_data::npy::{self, Dtype, Npy};

use crate::cli::{Common, ReplayArgs};
use crate::compute::Compute;
use crate::failure::failure;
use crate::output;
use crate::run::files;

/// Runs the command.
pub(crate) fn run(args: &ReplayArgs, common: &Common) -> anyhow::Result<()> {
    files::check_writable(&args.out)?;
    let rule = Rule::new(args.p, args.k, args.delta)?;
    let weights = read(&args.weights)?;
    let inputs = read(&args.inputs)?;
    let rates = read_rates(&args.rates)?;
    let (weights, inputs) = (parse(&weights, &args.weights)?, parse(&inputs, &args.inputs)?);

    let [hidden, width] = matrix(&weights, &args.weights, "[hidden, inputs]")?;
    let [samples, found] = matrix(&inputs, &args.inputs, "[samples, inputs]")?;
    if found != width {
        let message =
            format!("inputs {}: expected {width} inputs as in the weights, found {found}", args.inputs.display());
        return Err(failure(message, "weights are [hidden, inputs], inputs are [samples, inputs]"));
    }
    if args.k > hidden {
        let message = format!("--k: expected at most the {hidden} hidden units of the weights, found {}", args.k);
        return Err(failure(message, "the unit of rank k is pushed away, so there must be k units"));
    }
    check_samples(args.batch, rates.len(), samples)?;

    let compute = Compute::new(common)?;
    let layer = Layer::from_rows(hidden, width, &weights_f32(&weights, &args.weights)?)?;
    let numbers = numbers(&inputs, &args.inputs)?;
    let view = match &numbers {
        Numbers::U8(values) => Inputs::u8(values, width)?,
        Numbers::F32(values) => Inputs::f32(values, width)?,
    };
    let mut learner = compute.learner(layer, rule, args.batch)?;
    let order: Vec<u32> = (0..samples as u32).collect();
    learner.learn(&compute.core, &view, &order, Rates::PerMinibatch(&rates))?;

    let learned = learner.layer().to_rows();
    if !learned.iter().all(|weight| weight.is_finite()) {
        let message = "new weights: expected finite numbers, found NaN or infinity; nothing was written";
        return Err(failure(message, "smaller rates, weights or inputs keep numbers in range"));
    }
    files::write(&args.out, &npy::write_f32(&[hidden, width], &learned))?;
    if common.json {
        let summary =
            serde_json::json!({ "out": args.out, "hidden": hidden, "inputs": width, "minibatches": rates.len() });
        output::result(&format!("{summary}\n"))?;
    }
    Ok(())
}

fn check_samples(batch: usize, minibatches: usize, samples: usize) -> anyhow::Result<()> {
    let hint = "one rate for each minibatch, and every minibatch whole";
    if batch == 0 {
        return Err(failure("--batch: expected at least 1, found 0", hint));
    }
    if u32::try_from(samples).is_err() {
        let message = format!("inputs: expected at most {} samples, found {samples}", u32::MAX);
        return Err(failure(message, "replay them in parts"));
    }
    if batch.checked_mul(minibatches) != Some(samples) {
        let message =
            format!("inputs: expected {minibatches} rates x {batch} samples a minibatch, found {samples} samples");
        return Err(failure(message, hint));
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| {
        failure(format!("array {}: expected a readable .npy file, found: {error}", path.display()), "check the path")
    })
}

fn parse<'a>(bytes: &'a [u8], path: &Path) -> anyhow::Result<Npy<'a>> {
    Ok(npy::parse(bytes).map_err(|error| error.in_file(path))?)
}

fn matrix(array: &Npy<'_>, path: &Path, expected: &str) -> anyhow::Result<[usize; 2]> {
    match array.shape() {
        &[rows, columns] if rows > 0 && columns > 0 => Ok([rows, columns]),
        shape => {
            let message = format!("array {}: expected shape {expected}, found {shape:?}", path.display());
            Err(failure(message, "arrays have two dimensions, neither of them 0"))
        }
    }
}

fn weights_f32(array: &Npy<'_>, path: &Path) -> anyhow::Result<Vec<f32>> {
    let weights = match array.dtype() {
        Dtype::F32 | Dtype::F64 => array.to_f32().map_err(|error| error.in_file(path))?,
        _ => return Err(wrong_type(array, path, "f32 or f64")),
    };
    check_finite(&weights, path)?;
    Ok(weights)
}

enum Numbers<'a> {
    U8(&'a [u8]),
    F32(Vec<f32>),
}

fn numbers<'a>(array: &Npy<'a>, path: &Path) -> anyhow::Result<Numbers<'a>> {
    if let Some(values) = array.as_u8() {
        return Ok(Numbers::U8(values));
    }
    if array.dtype() != Dtype::F32 {
        return Err(wrong_type(array, path, "u8 or f32"));
    }
    let values = array.to_f32().map_err(|error| error.in_file(path))?;
    check_finite(&values, path)?;
    Ok(Numbers::F32(values))
}

fn read_rates(path: &Path) -> anyhow::Result<Vec<f32>> {
    let bytes = read(path)?;
    let array = parse(&bytes, path)?;
    if !matches!(array.dtype(), Dtype::F32 | Dtype::F64) {
        return Err(wrong_type(&array, path, "f32 or f64"));
    }
    if array.shape().len() != 1 || array.is_empty() {
        let message = format!("rates {}: expected shape [minibatches], found {:?}", path.display(), array.shape());
        return Err(failure(message, "one rate for each minibatch"));
    }
    let rates = array.to_f32().map_err(|error| error.in_file(path))?;
    if let Some(bad) = rates.iter().position(|rate| !(rate.is_finite() && *rate >= 0.0)) {
        let place = path.display();
        let message = format!("rates {place}: expected finite numbers of at least 0, found {} at {bad}", rates[bad]);
        return Err(failure(message, "a rate of 0 leaves the weights as they are"));
    }
    Ok(rates)
}

fn wrong_type(array: &Npy<'_>, path: &Path, expected: &str) -> anyhow::Error {
    let found = array.dtype().as_str();
    failure(format!("array {}: expected type {expected}, found {found}", path.display()), "convert it with astype")
}

fn check_finite(values: &[f32], path: &Path) -> anyhow::Result<()> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(bad) => {
            let message =
                format!("array {}: expected finite f32 numbers, found {} at {bad}", path.display(), values[bad]);
            Err(failure(message, "NaN and infinity would spread to every weight"))
        }
    }
}
