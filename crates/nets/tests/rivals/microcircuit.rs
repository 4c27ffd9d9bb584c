//! Dendritic microcircuits against naive loops in f64, backpropagation, and a network without a teacher.

use crate::{assert_same_everywhere, assert_step, compute, cosine, difference, exact, insert, largest, samples};
use rivalry_core::{Inputs, Random};
use rivalry_nets::{Classifier, Labelled, Learner, Microcircuit, MicrocircuitSpec, State, Tensor};

const BATCH: usize = 7;

fn phi(v: f64) -> f64 {
    1.0 / (1.0 + (-v).exp())
}

/// W x, or W [x, 1].
fn product(weights: &[f64], rows: usize, x: &[f64]) -> Vec<f64> {
    let columns = weights.len() / rows;
    let dot = |row: &[f64]| row.iter().zip(x.iter().chain([&1.0])).map(|(w, x)| w * x).sum();
    weights.chunks_exact(columns).map(dot).collect()
}

/// A self-predicting network, or one with unrelated weights of interneurons.
fn start(sizes: &[usize], self_predicting: bool) -> State {
    let (mut state, mut random) = (State::default(), Random::keyed(1, "weights", 0));
    let top = sizes.len() - 1;
    for k in 1..=top {
        insert(&mut state, &format!("up.{k}"), &[sizes[k], sizes[k - 1] + 1], 0.5, &mut random);
    }
    for k in 1..top {
        let shape = [sizes[k], sizes[k + 1]];
        insert(&mut state, &format!("down.{k}"), &shape, 1.0, &mut random);
        insert(&mut state, &format!("ip.{k}"), &[sizes[k + 1], sizes[k] + 1], 0.5, &mut random);
        insert(&mut state, &format!("pi.{k}"), &shape, 1.0, &mut random);
        if self_predicting {
            let up = state.tensors[&format!("up.{}", k + 1)].clone();
            state.insert(format!("ip.{k}"), up);
            let pi: Vec<f32> = exact(&state, &format!("down.{k}")).iter().map(|&down| -down as f32).collect();
            state.insert(format!("pi.{k}"), Tensor::new(shape, pi));
        }
    }
    state
}

fn spec(sizes: &[usize]) -> MicrocircuitSpec {
    let layers = sizes.len() - 1;
    MicrocircuitSpec {
        batch: BATCH,
        lambdas: (0..layers).map(|k| 0.3 / (k + 1) as f32).collect(),
        eta_up: (0..layers).map(|k| 0.5 / (k + 1) as f32).collect(),
        eta_ip: vec![0.4; layers - 1],
        ..MicrocircuitSpec::of_sizes(sizes).unwrap()
    }
}

/// What a step gives, naively, as learners.md writes it down.
fn naive(spec: &MicrocircuitSpec, sizes: &[usize], before: &State, x: &[f32], labels: &[u8]) -> State {
    let top = sizes.len() - 1;
    let read = |kind: &str, last: usize| -> Vec<Vec<f64>> {
        let all = (1..=last).map(|k| exact(before, &format!("{kind}.{k}")));
        std::iter::once(Vec::new()).chain(all).collect()
    };
    let (up, ip, down, pi) = (read("up", top), read("ip", top - 1), read("down", top - 1), read("pi", top - 1));
    let (mut new_up, mut new_ip) = (up.clone(), ip.clone());
    let (mut basals, mut somas) = (vec![Vec::new(); top + 1], vec![Vec::new(); top + 1]);
    let learn = |weights: &mut [f64], eta: f32, errors: &[f64], rates: &[f64]| {
        for (row, error) in weights.chunks_exact_mut(rates.len() + 1).zip(errors) {
            let factor = f64::from(eta) * error / labels.len() as f64;
            row.iter_mut().zip(rates.iter().chain([&1.0])).for_each(|(w, rate)| *w += factor * rate);
        }
    };
    for (sample, &label) in labels.iter().enumerate() {
        let mut rates = vec![x[sample * sizes[0]..][..sizes[0]].iter().map(|&x| f64::from(x)).collect::<Vec<f64>>()];
        let mut basal = vec![Vec::new()];
        for k in 1..=top {
            basal.push(product(&up[k], sizes[k], &rates[k - 1]));
            rates.push(basal[k].iter().map(|&v| phi(v)).collect());
        }
        let mut soma = basal.clone();
        for (class, u) in soma[top].iter_mut().enumerate() {
            let target = f64::from(spec.targets[usize::from(class != usize::from(label))]);
            let lambda = f64::from(spec.lambdas[top - 1]);
            *u = (1.0 - lambda) * *u + lambda * (target / (1.0 - target)).ln();
        }
        let up_rates = rates.clone();
        let mut errors_ip = vec![Vec::new(); top];
        for k in (1..top).rev() {
            let lambda = f64::from(spec.lambda_interneuron);
            let v = product(&ip[k], sizes[k + 1], &up_rates[k]);
            let u: Vec<f64> = v.iter().zip(&soma[k + 1]).map(|(v, u)| (1.0 - lambda) * v + lambda * u).collect();
            let above: Vec<f64> = soma[k + 1].iter().map(|&u| phi(u)).collect();
            let interneurons: Vec<f64> = u.iter().map(|&u| phi(u)).collect();
            let apical = product(&down[k], sizes[k], &above);
            let inhibition = product(&pi[k], sizes[k], &interneurons);
            for (unit, u) in soma[k].iter_mut().enumerate() {
                *u = basal[k][unit] + f64::from(spec.lambdas[k - 1]) * (apical[unit] + inhibition[unit]);
            }
            rates[k] = soma[k].iter().map(|&u| phi(u)).collect();
            errors_ip[k] = u.iter().zip(&v).map(|(&u, &v)| phi(u) - phi(v)).collect();
        }
        for k in 1..=top {
            let errors: Vec<f64> = soma[k].iter().zip(&basal[k]).map(|(&u, &v)| phi(u) - phi(v)).collect();
            learn(&mut new_up[k], spec.eta_up[k - 1], &errors, &rates[k - 1]);
            if k < top {
                learn(&mut new_ip[k], spec.eta_ip[k - 1], &errors_ip[k], &rates[k]);
            }
            basals[k].extend(basal[k].iter().copied());
            somas[k].extend(soma[k].iter().copied());
        }
    }
    let mut after = State::default();
    let mut set = |name: String, shape: [usize; 2], values: &[f64]| {
        after.insert(name, Tensor::new(shape, values.iter().map(|&value| value as f32).collect::<Vec<f32>>()));
    };
    for k in 1..=top {
        set(format!("up.{k}"), [sizes[k], sizes[k - 1] + 1], &new_up[k]);
        set(format!("basal.{k}"), [labels.len(), sizes[k]], &basals[k]);
        set(format!("soma.{k}"), [labels.len(), sizes[k]], &somas[k]);
        if k < top {
            set(format!("ip.{k}"), [sizes[k + 1], sizes[k] + 1], &new_ip[k]);
        }
    }
    after
}

#[test]
fn a_step_is_that_of_naive_loops() {
    for sizes in [vec![20, 17, 3], vec![33, 40, 18, 5], vec![10, 7, 50, 16, 4]] {
        for self_predicting in [true, false] {
            let (before, spec) = (start(&sizes, self_predicting), spec(&sizes));
            let (x, labels) = samples(sizes[0], sizes[sizes.len() - 1], BATCH);
            let data = Labelled { inputs: Inputs::f32(&x, sizes[0]).unwrap(), labels: &labels };
            let after =
                assert_same_everywhere(|compute| Microcircuit::step(compute, spec.clone(), &before, &data).unwrap());
            let expected = naive(&spec, &sizes, &before, &x, &labels);
            assert_step(&format!("{sizes:?} {self_predicting}"), &before, &after, &expected);
        }
    }
}

#[test]
fn with_transposed_feedback_and_a_small_lambda_hidden_layers_learn_as_by_backpropagation() {
    let sizes = [12, 10, 9, 4];
    let top = sizes.len() - 1;
    let mut before = start(&sizes, true);
    for k in 1..top {
        let up = exact(&before, &format!("up.{}", k + 1));
        let transposed = |sign: f64| -> Vec<f32> {
            let at = |(i, j): (usize, usize)| (sign * up[j * (sizes[k] + 1) + i]) as f32;
            (0..sizes[k]).flat_map(|i| (0..sizes[k + 1]).map(move |j| (i, j))).map(at).collect()
        };
        before.insert(format!("down.{k}"), Tensor::new([sizes[k], sizes[k + 1]], transposed(1.0)));
        before.insert(format!("pi.{k}"), Tensor::new([sizes[k], sizes[k + 1]], transposed(-1.0)));
    }
    let lambda = 0.01;
    let spec = MicrocircuitSpec {
        lambdas: vec![lambda; top],
        lambda_interneuron: 0.0,
        // Each layer's error is smaller by λ than that of the layer above.
        eta_up: vec![1e6, 1e4, 1e2],
        eta_ip: vec![0.0; top - 1],
        ..spec(&sizes)
    };
    let (x, labels) = samples(sizes[0], sizes[top], BATCH);
    let data = Labelled { inputs: Inputs::f32(&x, sizes[0]).unwrap(), labels: &labels };
    let after = Microcircuit::step(&compute(2), spec.clone(), &before, &data).unwrap();
    // Backpropagation of ½ λ Σ (target − v_N)², whose error at the outputs is what the teacher moves them by.
    let up: Vec<Vec<f64>> = (1..=top).map(|k| exact(&before, &format!("up.{k}"))).collect();
    let mut gradients: Vec<Vec<f64>> = up.iter().map(|weights| vec![0.0; weights.len()]).collect();
    for (sample, &label) in labels.iter().enumerate() {
        let mut rates = vec![x[sample * sizes[0]..][..sizes[0]].iter().map(|&x| f64::from(x)).collect::<Vec<f64>>()];
        let mut potentials = Vec::new();
        for k in 0..top {
            potentials.push(product(&up[k], sizes[k + 1], &rates[k]));
            rates.push(potentials[k].iter().map(|&v| phi(v)).collect());
        }
        let slope = |v: f64| phi(v) * (1.0 - phi(v));
        let mut errors: Vec<f64> = (0..sizes[top])
            .map(|class| {
                let target = f64::from(spec.targets[usize::from(class != usize::from(label))]);
                let v = potentials[top - 1][class];
                slope(v) * ((target / (1.0 - target)).ln() - v)
            })
            .collect();
        for k in (0..top).rev() {
            let width = sizes[k] + 1;
            for (unit, error) in errors.iter().enumerate() {
                let row = &mut gradients[k][unit * width..][..width];
                row.iter_mut().zip(rates[k].iter().chain([&1.0])).for_each(|(g, rate)| *g += error * rate);
            }
            if k > 0 {
                let back = |i: usize| errors.iter().enumerate().map(|(j, e)| e * up[k][j * width + i]).sum::<f64>();
                errors = (0..sizes[k]).map(|i| back(i) * slope(potentials[k - 1][i])).collect();
            }
        }
    }
    for (k, gradient) in gradients.iter().enumerate().take(top - 1) {
        let name = format!("up.{}", k + 1);
        let found = cosine(&difference(&exact(&after, &name), &exact(&before, &name)), gradient);
        assert!(found >= 0.9999, "{name}: {found}");
    }
}

#[test]
fn without_a_teacher_nothing_moves() {
    let sizes = [20, 33, 17, 4];
    let (x, labels) = samples(20, 4, BATCH);
    let data = Labelled { inputs: Inputs::f32(&x, 20).unwrap(), labels: &labels };
    let mut spec = spec(&sizes);
    let before = start(&sizes, true);
    let moved = |spec: &MicrocircuitSpec| {
        let after = Microcircuit::step(&compute(2), spec.clone(), &before, &data).unwrap();
        let names = ["up.1", "up.2", "up.3", "ip.1", "ip.2"];
        names
            .map(|name| largest(&difference(&exact(&after, name), &exact(&before, name))))
            .into_iter()
            .fold(0.0, f64::max)
    };
    assert!(moved(&spec) > 1e-4);
    spec.lambdas[2] = 0.0;
    assert!(moved(&spec) <= 1e-7, "{:e}", moved(&spec));
}

#[test]
fn settings_out_of_range_are_refused_with_a_sentence() {
    let good = MicrocircuitSpec::ours(4, &[3], 2).unwrap();
    let refused = |spec: MicrocircuitSpec| {
        Microcircuit::new(spec, &mut Random::keyed(1, "weights", 0), &compute(1)).unwrap_err().to_string()
    };
    for (spec, expected) in [
        (MicrocircuitSpec { hidden: vec![0], ..good.clone() }, "hidden = 0 is not from 1 to 2147483648"),
        (MicrocircuitSpec { batch: 0, ..good.clone() }, "batch = 0 is not from 1 to 1048576"),
        (MicrocircuitSpec { lambdas: vec![0.1], ..good.clone() }, "lambdas has 1 numbers, the network needs 2"),
        (MicrocircuitSpec { lambdas: vec![0.1, f32::NAN], ..good.clone() }, "lambda = NaN is not from 0 to 100"),
        (MicrocircuitSpec { lambda_interneuron: 1.5, ..good.clone() }, "lambda_interneuron = 1.5 is not from 0 to 1"),
        (MicrocircuitSpec { eta_up: vec![0.1; 3], ..good.clone() }, "eta_up has 3 numbers, the network needs 2"),
        (MicrocircuitSpec { eta_ip: vec![], ..good.clone() }, "eta_ip has 0 numbers, the network needs 1"),
        (MicrocircuitSpec { eta_ip: vec![-1.0], ..good.clone() }, "eta = -1 is not from 0 to 1000000"),
        (
            MicrocircuitSpec { targets: [1.0, 0.1], ..good.clone() },
            "a target rate = 1 is not from 0.000001 to 0.999999",
        ),
        (MicrocircuitSpec { up_range: f64::INFINITY, ..good.clone() }, "up_range = inf is not from 0 to 1000"),
    ] {
        assert_eq!(refused(spec), expected);
    }
    assert!(MicrocircuitSpec::ours(4, &[1; 3], 2).is_err());
    assert!(MicrocircuitSpec::of_sizes(&[]).is_err());
}

#[test]
fn prediction_uses_the_mean_of_the_weights_once_there_is_one() {
    let compute = compute(2);
    let (x, labels) = samples(12, 3, 40);
    let data = Labelled { inputs: Inputs::f32(&x, 12).unwrap(), labels: &labels };
    let spec = MicrocircuitSpec { batch: 5, average_after: Some(1), ..MicrocircuitSpec::ours(12, &[9], 3).unwrap() };
    let mut network = Microcircuit::new(spec, &mut Random::keyed(1, "weights", 0), &compute).unwrap();
    let mut scores = |rate: f32| {
        network.epoch(&compute, &data, &(0..40).collect::<Vec<u32>>(), rate).unwrap();
        let mut out = rivalry_core::Matrix::zeros(40, 3);
        network.scores(&compute, &data.inputs, &mut out).unwrap();
        (out.to_rows(), network.state())
    };
    let (_, first) = scores(1.0);
    assert_eq!(first.counters["averaged"], 0);
    // With a rate of 0 the mean is that of equal weights.
    let (_, second) = scores(0.0);
    assert_eq!(second.counters["averaged"], 8);
    assert!(largest(&difference(&exact(&second, "average.1"), &exact(&second, "up.1"))) <= 1e-6);
    let (_, third) = scores(1.0);
    assert_eq!(third.counters["averaged"], 16);
    let mean = exact(&third, "average.1");
    assert!(largest(&difference(&mean, &exact(&third, "up.1"))) > 0.0);
    assert!(largest(&difference(&mean, &exact(&second, "average.1"))) > 0.0);
}
