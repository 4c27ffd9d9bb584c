//! Cases made by other programs: `LEARNER/CASE/{in,out}.safetensors` in the folder that `RIVALRY_LEARNERS` names.

use crate::{assert_same_everywhere, assert_step};
use rivalry_core::{Compute, Inputs};
use rivalry_nets::{
    EquilibriumPropagation, EquilibriumSpec, Labelled, Microcircuit, MicrocircuitSpec, State, Tensor, Values,
};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("RIVALRY_LEARNERS").filter(|folder| !folder.is_empty());
    if folder.is_none() {
        // Not `eprintln!`, which the test harness would swallow.
        let _ = writeln!(std::io::stderr(), "\n!! SKIPPED conformance of the learners: RIVALRY_LEARNERS is not set");
    }
    folder.map(PathBuf::from)
}

/// Settings, and all tensors; labels, which are i32, as u32.
fn read(path: &Path) -> (Value, State) {
    let bytes = std::fs::read(path).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let settings = serde_json::from_str(&header.metadata().as_ref().unwrap()["settings"]).unwrap();
    let mut state = State::default();
    for (name, view) in SafeTensors::deserialize(&bytes).unwrap().iter() {
        let words = view.data().chunks_exact(4).map(|word| <[u8; 4]>::try_from(word).unwrap());
        let values = match view.dtype() {
            Dtype::F32 => Values::F32(words.map(f32::from_le_bytes).collect()),
            Dtype::I32 => Values::U32(words.map(u32::from_le_bytes).collect()),
            other => panic!("{name} is {other:?}"),
        };
        state.insert(name, Tensor::new(view.shape(), values));
    }
    (settings, state)
}

fn numbers(settings: &Value, key: &str) -> Vec<f32> {
    settings[key].as_array().unwrap().iter().map(|value| value.as_f64().unwrap() as f32).collect()
}

fn number(settings: &Value, key: &str) -> f32 {
    settings[key].as_f64().unwrap() as f32
}

fn count(settings: &Value, key: &str) -> usize {
    settings[key].as_u64().unwrap() as usize
}

fn sizes(settings: &Value) -> Vec<usize> {
    settings["sizes"].as_array().unwrap().iter().map(|value| value.as_u64().unwrap() as usize).collect()
}

fn check(learner: &str, step: impl Fn(&Compute, &Value, &State, &Labelled<'_>) -> State) {
    let Some(folder) = folder() else { return };
    let mut cases = 0;
    for entry in std::fs::read_dir(folder.join(learner)).expect("RIVALRY_LEARNERS has a folder for each learner") {
        let case = entry.unwrap().path();
        let (settings, before) = read(&case.join("in.safetensors"));
        let (_, expected) = read(&case.join("out.safetensors"));
        let shape = &before.tensors["inputs"].shape;
        let labels = before.u32("labels", &shape[..1]).unwrap().iter().map(|&label| label as u8).collect::<Vec<u8>>();
        let inputs = Inputs::f32(before.f32("inputs", shape).unwrap(), shape[1]).unwrap();
        let data = Labelled { inputs, labels: &labels };
        let after = assert_same_everywhere(|compute| step(compute, &settings, &before, &data));
        assert_step(case.to_str().unwrap(), &before, &after, &expected);
        cases += 1;
    }
    assert!(cases > 0, "no case of {learner}");
}

#[test]
fn steps_of_equilibrium_propagation_are_those_of_the_folder_of_cases() {
    check("equilibrium-propagation", |compute, settings, state, data| {
        let spec = EquilibriumSpec {
            batch: count(settings, "minibatch"),
            beta: number(settings, "beta"),
            epsilon: number(settings, "epsilon"),
            free_steps: count(settings, "free_steps"),
            nudged_steps: count(settings, "nudged_steps"),
            alphas: numbers(settings, "rates"),
            ..EquilibriumSpec::fixed(&sizes(settings)).unwrap()
        };
        EquilibriumPropagation::step(compute, spec, state, data).unwrap()
    });
}

#[test]
fn steps_of_dendritic_microcircuits_are_those_of_the_folder_of_cases() {
    check("dendritic-microcircuit", |compute, settings, state, data| {
        let spec = MicrocircuitSpec {
            batch: count(settings, "minibatch"),
            lambdas: numbers(settings, "lambdas"),
            lambda_interneuron: number(settings, "lambda_interneuron"),
            eta_up: numbers(settings, "rates"),
            eta_ip: numbers(settings, "ip_rates"),
            targets: [number(settings, "on"), number(settings, "off")],
            ..MicrocircuitSpec::of_sizes(&sizes(settings)).unwrap()
        };
        Microcircuit::step(compute, spec, state, data).unwrap()
    });
}
