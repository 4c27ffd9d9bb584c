//! Steps against the cases that other programs made.

use crate::cases::{Case, cases};
use crate::{assert_same_everywhere, assert_step};
use rivalry_core::{Compute, Inputs};
use rivalry_nets::{EquilibriumPropagation, EquilibriumSpec, Labelled, Microcircuit, MicrocircuitSpec, State};

fn numbers(case: &Case, key: &str) -> Vec<f32> {
    case.numbers(key).iter().map(|&value| value as f32).collect()
}

fn sizes(case: &Case) -> Vec<usize> {
    case.numbers("sizes").iter().map(|&size| size as usize).collect()
}

fn check(learner: &str, step: impl Fn(&Compute, &Case, &State, &Labelled<'_>) -> State) {
    for case in cases(learner) {
        let [before, expected] = case.states();
        let shape = &before.tensors["inputs"].shape;
        let labels = before.u32("labels", &shape[..1]).unwrap().iter().map(|&label| label as u8).collect::<Vec<u8>>();
        let inputs = Inputs::f32(before.f32("inputs", shape).unwrap(), shape[1]).unwrap();
        let data = Labelled { inputs, labels: &labels };
        let after = assert_same_everywhere(|compute| step(compute, &case, &before, &data));
        assert_step(&case.name, &before, &after, &expected);
    }
}

#[test]
fn steps_of_equilibrium_propagation_are_those_of_the_folder_of_cases() {
    check("equilibrium-propagation", |compute, case, state, data| {
        let spec = EquilibriumSpec {
            batch: case.size("minibatch"),
            beta: case.number("beta") as f32,
            epsilon: case.number("epsilon") as f32,
            free_steps: case.size("free_steps"),
            nudged_steps: case.size("nudged_steps"),
            alphas: numbers(case, "rates"),
            ..EquilibriumSpec::fixed(&sizes(case)).unwrap()
        };
        EquilibriumPropagation::step(compute, spec, state, data).unwrap()
    });
}

#[test]
fn steps_of_dendritic_microcircuits_are_those_of_the_folder_of_cases() {
    check("dendritic-microcircuit", |compute, case, state, data| {
        let spec = MicrocircuitSpec {
            batch: case.size("minibatch"),
            lambdas: numbers(case, "lambdas"),
            lambda_interneuron: case.number("lambda_interneuron") as f32,
            eta_up: numbers(case, "rates"),
            eta_ip: numbers(case, "ip_rates"),
            targets: [case.number("on") as f32, case.number("off") as f32],
            ..MicrocircuitSpec::of_sizes(&sizes(case)).unwrap()
        };
        Microcircuit::step(compute, spec, state, data).unwrap()
    });
}
