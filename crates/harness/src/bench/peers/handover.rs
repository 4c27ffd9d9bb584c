//! What programs read: where they start, the samples in their order and the settings. `scripts/peers/handover.py` says it
//! in full.

use std::path::Path;

use rivalry_data::npy;
use rivalry_nets::State;
use serde_json::{Value, json};

use crate::bench::definition::{Case, PatchWork, Work};
use crate::bench::examples::Sets;
use crate::bench::workload::learners::{Spec, VAR_FLOOR, encoder, image_shape, tensors};
use crate::bench::workload::{Order, random_layer};
use crate::compute::Compute;
use crate::files;

/// What was written to a folder.
pub(super) struct Handover {
    /// The numbers that learning moves, in the order of a result.
    pub(super) start: Vec<f32>,
    /// The settings of a learner or of patches, and the names of the tensors that stand in the folder.
    pub(super) settings: Value,
}

/// Writes the initial tensors, the samples and labels of the warm-up and of one iteration in their order, and a learning
/// rate for each minibatch.
pub(super) fn write(case: &Case, compute: &Compute, sets: &mut Sets<'_>, folder: &Path) -> anyhow::Result<Handover> {
    let definition = &case.definition;
    let product = definition.work.product().expect("peers suit work with data");
    let examples = sets.get(product)?;
    let (mut state, mut settings, mut rate) = (State::default(), json!({}), 0.0);
    match &definition.work {
        Work::Epoch(epoch) => rate = epoch.rate,
        Work::Learner(work) => {
            let spec = Spec::of(work)?;
            (rate, settings) = (spec.rate(), settings_of(&spec));
            state = spec.learner(&compute.core)?.state();
        }
        Work::Patches(work) => (state, settings) = (encoder(*work)?.state(), settings_of_patches(*work)?),
        _ => {}
    }
    let minibatches = match definition.work {
        Work::Score(_) => 1,
        _ => definition.check + definition.minibatches,
    };
    let (samples, width) = (examples.samples(), examples.inputs);
    let order = match definition.work {
        // Ours encodes the first images, too.
        Work::Patches(_) => (0..minibatches * product.batch).map(|image| (image % samples) as u32).collect(),
        _ => Order::new(("order", 0), samples, product.batch).take(minibatches),
    };
    let inputs: Vec<u8> = order.iter().flat_map(|&sample| examples.row(sample as usize)).copied().collect();
    let labels: Vec<u8> = order.iter().map(|&sample| examples.labels()[sample as usize]).collect();
    let mut start = Vec::new();
    let put = |name: &str, bytes: Vec<u8>| files::write(&folder.join(format!("{name}.npy")), &bytes);
    put("inputs", npy::write_u8(&[order.len(), width], &inputs))?;
    put("labels", npy::write_u8(&[order.len()], &labels))?;
    put("rates", npy::write_f32(&[minibatches], &vec![rate; minibatches]))?;
    if state.tensors.is_empty() {
        start = random_layer(product, &examples)?.to_rows();
        put("weights", npy::write_f32(&[product.hidden, width], &start))?;
    }
    let tensors = tensors(&state);
    for (name, shape, values) in &tensors {
        put(name, npy::write_f32(shape, values))?;
        start.extend_from_slice(values);
    }
    settings["tensors"] = tensors.iter().map(|(name, ..)| *name).collect();
    Ok(Handover { start, settings })
}

fn settings_of(spec: &Spec) -> Value {
    let sizes = |inputs: usize, hidden: &[usize], classes: usize| [&[inputs], hidden, &[classes]].concat();
    match spec {
        Spec::Slow(spec) => json!({ "p": spec.p, "delta": spec.delta, "w_inh": spec.w_inh, "h_star": spec.h_star }),
        Spec::Equilibrium(spec) => json!({
            "sizes": sizes(spec.inputs, &spec.hidden, spec.classes),
            "free_steps": spec.free_steps,
            "nudged_steps": spec.nudged_steps,
            "beta": spec.beta,
            "epsilon": spec.epsilon,
            "alphas": spec.alphas,
        }),
        Spec::Microcircuit(spec) => json!({
            "sizes": sizes(spec.inputs, &spec.hidden, spec.classes),
            "lambdas": spec.lambdas,
            "lambda_interneuron": spec.lambda_interneuron,
            "eta_up": spec.eta_up,
            "eta_ip": spec.eta_ip,
            "targets": spec.targets,
        }),
    }
}

fn settings_of_patches(work: PatchWork) -> anyhow::Result<Value> {
    let shape = image_shape(work.data)?;
    let shape = [shape.channels, shape.height, shape.width];
    Ok(json!({ "shape": shape, "side": work.side, "cells": work.cells, "var_floor": VAR_FLOOR }))
}
