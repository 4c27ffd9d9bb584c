//! `rivalry replay`: one step of a learner from a given state, driven from any other program.
//!
//! The fast rule takes .npy files (`--weights W --inputs X --rates R …`), every learner a safetensors file (`METHOD --in IN
//! --out OUT`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rivalry_core::Rule;
use rivalry_data::npy;
use safetensors::SafeTensors;

use crate::cli::{Common, ReplayArgs};
use crate::compute::Compute;
use crate::error::failure;
use crate::files;
use crate::output;
use crate::replay::{self, Array, Case, Pass, read};
use crate::run::checkpoint::serialize;

/// Runs the command.
pub(crate) fn run(args: &ReplayArgs, common: &Common) -> anyhow::Result<()> {
    files::check_writable(&args.out)?;
    match (&args.method, &args.input) {
        (Some(method), Some(input)) => replay_file(method, input, &args.out, common),
        _ => replay_arrays(args, common),
    }
}

fn replay_file(method: &str, input: &Path, out: &Path, common: &Common) -> anyhow::Result<()> {
    let step = replay::step(method).context("the command line knows the names")?;
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
    files::write(out, &serialize(results.iter().map(|(name, tensor)| (name.as_str(), tensor)), metadata))?;
    if common.json {
        let shapes: BTreeMap<&str, &[usize]> =
            results.iter().map(|(name, tensor)| (name.as_str(), &tensor.shape[..])).collect();
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
    let pass = Pass { inputs: Array::of_npy(&inputs_path)?, rates: Array::of_npy(&rates_path)?, weights, batch };
    let (shape, learned) = pass.learn_fast(rule, &Compute::new(common)?)?;
    files::write(&args.out, &npy::write_f32(&shape, &learned))?;
    if common.json {
        let minibatches = pass.rates.shape[0];
        let summary = serde_json::json!(
            { "out": args.out, "hidden": shape[0], "inputs": shape[1], "minibatches": minibatches });
        output::result(&format!("{summary}\n"))?;
    }
    Ok(())
}
