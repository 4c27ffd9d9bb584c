//! The rivals that learn without backpropagation: single steps against cases of other programs and against naive loops in f64,
//! and what the theory promises of them.

#[path = "../cases/mod.rs"]
mod cases;
mod conformance;
mod equilibrium;
mod microcircuit;

use rivalry_core::{Compute, Kernels, Random};
use rivalry_nets::{State, Tensor, Values};

fn compute(threads: usize) -> Compute {
    Compute::new(Some(threads), Kernels::best()).unwrap()
}

/// The numbers of a tensor, in f64.
fn exact(state: &State, name: &str) -> Vec<f64> {
    match &state.tensors[name].values {
        Values::F32(values) => values.iter().map(|&value| f64::from(value)).collect(),
        other => panic!("{name} is {other:?}"),
    }
}

/// Adds a tensor of random numbers U(±range).
fn insert(state: &mut State, name: &str, shape: &[usize], range: f64, random: &mut Random) {
    let count = shape.iter().product::<usize>();
    let values: Vec<f32> = (0..count).map(|_| (range * (2.0 * random.uniform() - 1.0)) as f32).collect();
    state.insert(name, Tensor::new(shape, values));
}

/// Inputs in [0, 1), many of them 0, and labels.
fn samples(inputs: usize, classes: usize, samples: usize) -> (Vec<f32>, Vec<u8>) {
    let mut random = Random::keyed(3, "synthetic", 0);
    let inputs = (0..samples * inputs).map(|_| (random.uniform() as f32 - 0.4).max(0.0)).collect();
    (inputs, (0..samples).map(|_| (random.next_u64() % classes as u64) as u8).collect())
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// The largest magnitude; NaN is not left out.
fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |largest, value| if value.abs() <= largest { largest } else { value.abs() })
}

/// Asserts that a step has the expected result: what it learned within 2e-3 of the largest change and 2e-7, states within 1e-5.
fn assert_step(what: &str, before: &State, found: &State, expected: &State) {
    let names: Vec<&String> = expected.tensors.keys().collect();
    assert_eq!(found.tensors.keys().collect::<Vec<_>>(), names, "{what}");
    for name in names {
        assert_eq!(found.tensors[name].shape, expected.tensors[name].shape, "{what}: {name}");
        let wanted = exact(expected, name);
        let learned = ["weight.", "bias.", "up.", "ip."].iter().any(|kind| name.starts_with(kind));
        let bound = if learned { 2e-3 * largest(&difference(&wanted, &exact(before, name))) + 2e-7 } else { 1e-5 };
        let off = largest(&difference(&exact(found, name), &wanted));
        assert!(off <= bound, "{what}: {name} is off by {off:e}, bound {bound:e}");
    }
}

/// The same state after a step with any number of threads and on any instruction set.
fn assert_same_everywhere(step: impl Fn(&Compute) -> State) -> State {
    let expected = step(&compute(1));
    for kernels in Kernels::all() {
        for threads in [1, 2, 3] {
            let found = step(&Compute::new(Some(threads), kernels).unwrap());
            assert!(found == expected, "{} x {threads}", kernels.name());
        }
    }
    expected
}
