//! Equilibrium propagation against naive loops in f64 and against finite differences of its loss.

use crate::{assert_same_everywhere, assert_step, compute, cosine, difference, exact, insert, samples};
use rivalry_core::{Inputs, Random};
use rivalry_nets::{
    Classifier, EquilibriumPropagation, EquilibriumSpec, Labelled, Learner, Particles, Signs, State, Tensor, Updates,
};

const BATCH: usize = 7;

/// The network of a state in f64.
struct Exact {
    sizes: Vec<usize>,
    weights: Vec<Vec<f64>>,
    biases: Vec<Vec<f64>>,
    updates: Updates,
    epsilon: f64,
}

impl Exact {
    fn new(sizes: &[usize], state: &State, updates: Updates, epsilon: f64) -> Exact {
        let read = |kind: &str| (1..sizes.len()).map(|layer| exact(state, &format!("{kind}.{layer}"))).collect();
        Exact { sizes: sizes.to_vec(), weights: read("weight"), biases: read("bias"), updates, epsilon }
    }

    /// Steps of one sample: `layers[0]` are the inputs, which are clamped.
    fn relax(&self, layers: &mut [Vec<f64>], steps: usize, beta: f64, label: usize) {
        let top = layers.len() - 1;
        let (first, second): (Vec<usize>, Vec<usize>) =
            (1..=top).partition(|l| l % 2 == if beta == 0.0 { 1 } else { top % 2 });
        for _ in 0..steps {
            let mut old = layers.to_vec();
            for &l in first.iter().chain(&second) {
                if self.updates == Updates::InTurn {
                    old = layers.to_vec();
                }
                let in_turn_at_top = self.updates == Updates::InTurn && l == top;
                let epsilon = if in_turn_at_top { self.epsilon / (1.0 + beta) } else { self.epsilon };
                for unit in 0..self.sizes[l] {
                    let row = &self.weights[l - 1][unit * self.sizes[l - 1]..][..self.sizes[l - 1]];
                    let mut force = self.biases[l - 1][unit] - old[l][unit];
                    force += row.iter().zip(&old[l - 1]).map(|(w, s)| w * s).sum::<f64>();
                    if l + 1 < layers.len() {
                        let above = old[l + 1].iter().enumerate();
                        force += above.map(|(i, s)| self.weights[l][i * self.sizes[l] + unit] * s).sum::<f64>();
                    } else {
                        force += beta * (f64::from(u8::from(unit == label)) - old[l][unit]);
                    }
                    layers[l][unit] = (old[l][unit] + epsilon * force).clamp(0.0, 1.0);
                }
            }
        }
    }

    /// Σ of s_l s_{l−1}ᵀ and of s_l of one sample, for every layer: what weights and biases learn from.
    fn products(&self, layers: &[Vec<f64>]) -> Vec<(Vec<f64>, Vec<f64>)> {
        let product = |l: usize| layers[l].iter().flat_map(|s| layers[l - 1].iter().map(move |b| s * b)).collect();
        (1..layers.len()).map(|l| (product(l), layers[l].clone())).collect()
    }
}

fn zeros(sizes: &[usize], x: &[f64]) -> Vec<Vec<f64>> {
    let states = sizes[1..].iter().map(|&units| vec![0.0; units]);
    std::iter::once(x.to_vec()).chain(states).collect()
}

fn start(sizes: &[usize], range: f64) -> State {
    let (mut state, mut random) = (State::default(), Random::keyed(1, "weights", 0));
    for layer in 1..sizes.len() {
        let (units, below) = (sizes[layer], sizes[layer - 1]);
        insert(&mut state, &format!("weight.{layer}"), &[units, below], range, &mut random);
        insert(&mut state, &format!("bias.{layer}"), &[units], 0.1, &mut random);
        let states: Vec<f32> = (0..BATCH * units).map(|_| random.uniform() as f32).collect();
        state.insert(format!("state.{layer}"), Tensor::new([BATCH, units], states));
    }
    state
}

/// What a step gives, naively.
fn naive(spec: &EquilibriumSpec, sizes: &[usize], before: &State, x: &[f32], labels: &[u8]) -> State {
    let exact_network = Exact::new(sizes, before, spec.updates, f64::from(spec.epsilon));
    let mut after = before.clone();
    let mut sums: Vec<(Vec<f64>, Vec<f64>)> = exact_network.products(&zeros(sizes, &vec![0.0; sizes[0]]));
    let both = spec.signs == Signs::Both;
    let mut ends: Vec<(&str, Vec<Vec<Vec<f64>>>)> =
        vec![("state", vec![]), ("nudged", vec![]), ("nudged_back", vec![])];
    for (sample, &label) in labels.iter().enumerate() {
        let x: Vec<f64> = x[sample * sizes[0]..][..sizes[0]].iter().map(|&x| f64::from(x)).collect();
        let mut layers = zeros(sizes, &x);
        if spec.particles == Particles::Persistent {
            for l in 1..sizes.len() {
                layers[l] = exact(before, &format!("state.{l}"))[sample * sizes[l]..][..sizes[l]].to_vec();
            }
        }
        exact_network.relax(&mut layers, spec.free_steps, 0.0, usize::from(label));
        let beta = f64::from(spec.beta);
        let phases = [0.0, beta, -beta].map(|beta| {
            let mut nudged = layers.clone();
            let steps = if beta == 0.0 { 0 } else { spec.nudged_steps };
            exact_network.relax(&mut nudged, steps, beta, usize::from(label));
            nudged
        });
        let (minus, distance) = if both { (&phases[2], 2.0 * beta) } else { (&phases[0], beta) };
        let pairs = exact_network.products(&phases[1]).into_iter().zip(exact_network.products(minus));
        for (l, (plus, minus)) in pairs.enumerate() {
            let factor = f64::from(spec.alphas[l]) / distance / labels.len() as f64;
            let add = |sum: &mut Vec<f64>, plus: &[f64], minus: &[f64]| {
                sum.iter_mut().zip(difference(plus, minus)).for_each(|(sum, more)| *sum += factor * more);
            };
            add(&mut sums[l].0, &plus.0, &minus.0);
            add(&mut sums[l].1, &plus.1, &minus.1);
        }
        ends.iter_mut().zip(phases).for_each(|(ends, phase)| ends.1.push(phase));
    }
    let mut set = |name: String, shape: Vec<usize>, values: Vec<f64>| {
        after.insert(name, Tensor::new(shape, values.iter().map(|&value| value as f32).collect::<Vec<f32>>()));
    };
    for l in 1..sizes.len() {
        let add = |name: &str, change: &[f64]| -> Vec<f64> {
            exact(before, &format!("{name}.{l}")).iter().zip(change).map(|(value, change)| value + change).collect()
        };
        set(format!("weight.{l}"), vec![sizes[l], sizes[l - 1]], add("weight", &sums[l - 1].0));
        set(format!("bias.{l}"), vec![sizes[l]], add("bias", &sums[l - 1].1));
        for (name, samples) in &ends[..if both { 3 } else { 2 }] {
            let values = samples.iter().flat_map(|layers| layers[l].clone()).collect();
            set(format!("{name}.{l}"), vec![labels.len(), sizes[l]], values);
        }
    }
    after
}

#[test]
fn a_step_is_that_of_naive_loops() {
    for sizes in [vec![20, 17, 3], vec![33, 40, 18, 5], vec![10, 7, 50, 16, 4]] {
        for (signs, particles, beta, updates) in [
            (Signs::Fixed, Particles::Persistent, -0.5, Updates::Together),
            (Signs::Fixed, Particles::Zero, 1.0, Updates::Together),
            (Signs::Both, Particles::Persistent, 0.5, Updates::Together),
            (Signs::Both, Particles::Zero, 0.25, Updates::Together),
            (Signs::Fixed, Particles::Persistent, -0.5, Updates::InTurn),
            (Signs::Both, Particles::Zero, 0.25, Updates::InTurn),
        ] {
            let spec = EquilibriumSpec {
                batch: BATCH,
                alphas: (1..sizes.len()).map(|l| 0.2 / l as f32).collect(),
                signs,
                particles,
                beta,
                updates,
                epsilon: updates.epsilon(),
                ..EquilibriumSpec::fixed(&sizes).unwrap()
            };
            let before = start(&sizes, 0.4);
            let (x, labels) = samples(sizes[0], sizes[sizes.len() - 1], BATCH);
            let data = Labelled { inputs: Inputs::f32(&x, sizes[0]).unwrap(), labels: &labels };
            let mut after = assert_same_everywhere(|compute| {
                EquilibriumPropagation::step(compute, spec.clone(), &before, &data).unwrap()
            });
            // The end of the free phase is returned also where it is not kept.
            assert!(after.tensors.contains_key("state.1"));
            let expected = naive(&spec, &sizes, &before, &x, &labels);
            assert_step(&format!("{sizes:?} {signs:?} {particles:?} {updates:?}"), &before, &after, &expected);
            // The comparison does see a difference.
            let mut values = exact(&after, "weight.2");
            values[3] += 1e-3;
            let values = values.iter().map(|&value| value as f32).collect::<Vec<f32>>();
            after.insert("weight.2", Tensor::new(after.tensors["weight.2"].shape.clone(), values));
            let red = std::panic::catch_unwind(|| assert_step("", &before, &after, &expected));
            assert!(red.is_err());
        }
    }
}

/// The loss at the free equilibrium, C = mean ½ ‖y − d‖².
fn loss(network: &Exact, x: &[f32], labels: &[u8]) -> f64 {
    let sizes = &network.sizes;
    let of = |(sample, &label): (usize, &u8)| {
        let x: Vec<f64> = x[sample * sizes[0]..][..sizes[0]].iter().map(|&x| f64::from(x)).collect();
        let mut layers = zeros(sizes, &x);
        network.relax(&mut layers, 400, 0.0, 0);
        let outputs = layers.last().unwrap().iter().enumerate();
        outputs.map(|(i, y)| 0.5 * (y - f64::from(u8::from(i == usize::from(label)))).powi(2)).sum::<f64>()
    };
    labels.iter().enumerate().map(of).sum::<f64>() / labels.len() as f64
}

#[test]
fn small_nudges_give_the_gradient_of_the_loss() {
    let sizes = [8, 6, 5, 3];
    let (mut before, (x, labels)) = (start(&sizes, 0.3), samples(8, 3, BATCH));
    // In the open interval, where the loss has a derivative.
    for (layer, &units) in sizes.iter().enumerate().skip(1) {
        before.insert(format!("bias.{layer}"), Tensor::new([units], vec![0.35_f32; units]));
    }
    let mut gradient = Vec::new();
    for (l, name) in (1..sizes.len()).flat_map(|l| [(l, "weight"), (l, "bias")]) {
        for i in 0..before.tensors[&format!("{name}.{l}")].values.len() {
            let [plus, minus] = [1e-6, -1e-6].map(|step| {
                let mut network = Exact::new(&sizes, &before, Updates::Together, 0.5);
                let values = if name == "weight" { &mut network.weights } else { &mut network.biases };
                values[l - 1][i] += step;
                loss(&network, &x, &labels)
            });
            gradient.push((minus - plus) / 2e-6);
        }
    }
    let network = Exact::new(&sizes, &before, Updates::Together, 0.5);
    for beta in [1e-4, -1e-4] {
        let mut update: Vec<f64> = Vec::new();
        let mut sums = network.products(&zeros(&sizes, &[0.0; 8]));
        for (sample, &label) in labels.iter().enumerate() {
            let x: Vec<f64> = x[sample * 8..][..8].iter().map(|&x| f64::from(x)).collect();
            let mut free = zeros(&sizes, &x);
            network.relax(&mut free, 400, 0.0, 0);
            let mut nudged = free.clone();
            network.relax(&mut nudged, 400, beta, usize::from(label));
            let pairs = network.products(&nudged).into_iter().zip(network.products(&free));
            for (sum, (plus, minus)) in sums.iter_mut().zip(pairs) {
                sum.0.iter_mut().zip(difference(&plus.0, &minus.0)).for_each(|(sum, more)| *sum += more / beta);
                sum.1.iter_mut().zip(difference(&plus.1, &minus.1)).for_each(|(sum, more)| *sum += more / beta);
            }
        }
        sums.iter().for_each(|(weights, biases)| update.extend(weights.iter().chain(biases)));
        let found = cosine(&update, &gradient);
        assert!(found >= 0.999_99, "beta {beta}: {found}");
    }
    // The learner itself, in f32, with nudges that f32 resolves.
    let spec = EquilibriumSpec {
        batch: BATCH,
        free_steps: 300,
        nudged_steps: 300,
        beta: 0.02,
        alphas: vec![10.0; 3],
        signs: Signs::Both,
        ..EquilibriumSpec::fixed(&sizes).unwrap()
    };
    let data = Labelled { inputs: Inputs::f32(&x, 8).unwrap(), labels: &labels };
    let after = EquilibriumPropagation::step(&compute(2), spec, &before, &data).unwrap();
    let names = (1..sizes.len()).flat_map(|l| [format!("weight.{l}"), format!("bias.{l}")]);
    let update: Vec<f64> = names.flat_map(|name| difference(&exact(&after, &name), &exact(&before, &name))).collect();
    let found = cosine(&update, &gradient);
    assert!(found >= 0.9999, "{found}");
}

#[test]
fn layers_in_turn_reach_the_same_equilibrium_in_fewer_steps() {
    let sizes = [8, 40, 30, 20, 3];
    let (before, (x, labels)) = (start(&sizes, 0.15), samples(8, 3, BATCH));
    let data = Labelled { inputs: Inputs::f32(&x, 8).unwrap(), labels: &labels };
    let ends = |updates: Updates, steps: usize| {
        let spec = EquilibriumSpec {
            batch: BATCH,
            free_steps: steps,
            nudged_steps: steps,
            beta: 0.5,
            signs: Signs::Both,
            particles: Particles::Zero,
            updates,
            epsilon: updates.epsilon(),
            ..EquilibriumSpec::fixed(&sizes).unwrap()
        };
        let after = EquilibriumPropagation::step(&compute(2), spec, &before, &data).unwrap();
        ["state.2", "state.4", "nudged.1", "nudged_back.4"].map(|name| exact(&after, name)).concat()
    };
    let equilibrium = ends(Updates::Together, 1000);
    let distance = |found: Vec<f64>| difference(&found, &equilibrium).iter().fold(0.0, |max: f64, d| max.max(d.abs()));
    assert!(distance(ends(Updates::InTurn, 1000)) < 1e-5);
    let [together, in_turn] = [Updates::Together, Updates::InTurn].map(|updates| distance(ends(updates, 20)));
    assert!(in_turn < together / 10.0, "after 20 steps {together:.1e} together, {in_turn:.1e} in turn");
}

#[test]
fn a_free_phase_with_a_tolerance_stops_early_and_alike_for_any_number_of_threads() {
    let sizes = [20, 30, 20, 5];
    let (before, (x, labels)) = (start(&sizes, 0.1), samples(20, 5, BATCH));
    let data = Labelled { inputs: Inputs::f32(&x, 20).unwrap(), labels: &labels };
    let spec = EquilibriumSpec {
        batch: BATCH,
        free_steps: 200,
        tolerance: 1e-2,
        alphas: vec![0.1; 3],
        ..EquilibriumSpec::fixed(&sizes).unwrap()
    };
    assert_same_everywhere(|compute| EquilibriumPropagation::step(compute, spec.clone(), &before, &data).unwrap());
    let mut network = EquilibriumPropagation::new(spec, &mut Random::keyed(1, "weights", 0), &compute(3)).unwrap();
    network.epoch(&compute(3), &data, &[0, 1, 2, 3, 4, 5, 6], 1.0).unwrap();
    let health = network.diagnostics();
    let [(_, steps), (_, residual), (_, dead)] = health[..] else { panic!("{health:?}") };
    assert!((4.0..200.0).contains(&steps) && steps % 4.0 == 0.0, "{steps} steps");
    assert!(residual < 1e-2 && (0.0..=1.0).contains(&dead), "{residual}, {dead}");
}

#[test]
fn outputs_that_are_out_of_reach_are_reported_as_dead() {
    let (x, labels) = samples(4, 2, BATCH);
    let data = Labelled { inputs: Inputs::f32(&x, 4).unwrap(), labels: &labels };
    let spec = EquilibriumSpec { batch: BATCH, ..EquilibriumSpec::ours(4, &[3], 2).unwrap() };
    let compute = compute(2);
    let mut network = EquilibriumPropagation::new(spec, &mut Random::keyed(1, "weights", 0), &compute).unwrap();
    let mut state = network.state();
    state.insert("bias.2", Tensor::new([2], vec![-50.0_f32, 1.0]));
    network.restore(&state).unwrap();
    network.epoch(&compute, &data, &[0, 1, 2, 3, 4, 5, 6], 0.0).unwrap();
    assert_eq!(network.diagnostics()[2], ("dead_outputs", 0.5));
}

#[test]
fn settings_out_of_range_are_refused_with_a_sentence() {
    let good = EquilibriumSpec::ours(4, &[3], 2).unwrap();
    let refused = |spec: EquilibriumSpec| {
        EquilibriumPropagation::new(spec, &mut Random::keyed(1, "weights", 0), &compute(1)).unwrap_err().to_string()
    };
    for (spec, expected) in [
        (EquilibriumSpec { hidden: vec![], ..good.clone() }, "the number of hidden layers = 0 is not from 1 to 64"),
        (EquilibriumSpec { classes: 1, ..good.clone() }, "classes = 1 is not from 2 to 256"),
        (EquilibriumSpec { beta: 0.0, ..good.clone() }, "beta = 0 draws the outputs nowhere"),
        (EquilibriumSpec { beta: f32::NAN, ..good.clone() }, "beta = NaN is not from -100 to 100"),
        (EquilibriumSpec { epsilon: 0.0, ..good.clone() }, "epsilon = 0 is not from 0.000001 to 1.99"),
        (EquilibriumSpec { updates: Updates::Together, ..good.clone() }, "epsilon = 1.5 is not from 0.000001 to 1"),
        (
            EquilibriumSpec { beta: -1.0, ..good.clone() },
            "beta = -1 with layers in turn: only where |beta| < 1 do outputs nudged by either sign of it have a minimum",
        ),
        (EquilibriumSpec { free_steps: 0, ..good.clone() }, "free_steps = 0 is not from 1 to 1048576"),
        (EquilibriumSpec { nudged_steps: 0, ..good.clone() }, "nudged_steps = 0 is not from 1 to 1048576"),
        (EquilibriumSpec { alphas: vec![0.1], ..good.clone() }, "alphas has 1 numbers, the network needs 2"),
        (EquilibriumSpec { alphas: vec![0.1, -1.0], ..good.clone() }, "alpha = -1 is not from 0 to 1000000"),
        (EquilibriumSpec { tolerance: -1.0, ..good.clone() }, "tolerance = -1 is not from 0 to 1"),
    ] {
        assert_eq!(refused(spec), expected);
    }
    assert!(EquilibriumSpec::paper(4, &[1; 4], 2).is_err());
    assert!(EquilibriumSpec::fixed(&[4]).is_err());
}

#[test]
fn particles_belong_to_their_samples() {
    let compute = compute(2);
    let spec = EquilibriumSpec { batch: 3, ..EquilibriumSpec::paper(4, &[3], 2).unwrap() };
    let mut network = EquilibriumPropagation::new(spec, &mut Random::keyed(1, "weights", 0), &compute).unwrap();
    let (x, labels) = samples(4, 2, BATCH);
    let data = |count: usize| Labelled { inputs: Inputs::f32(&x[..4 * count], 4).unwrap(), labels: &labels[..count] };
    assert!(!network.state().tensors.contains_key("state.1"));
    network.epoch(&compute, &data(BATCH), &[6, 0, 3], 1.0).unwrap();
    let states = exact(&network.state(), "state.1");
    assert_eq!(states[3..9], [0.0; 6], "samples 1 and 2 were not met");
    assert!(states[..3].iter().chain(&states[18..]).any(|state| *state > 0.0));
    let error = network.epoch(&compute, &data(5), &[0], 1.0).unwrap_err();
    assert_eq!(error.to_string(), "there are particles of 7 samples, the data has 5");
}

#[test]
fn prediction_uses_the_mean_of_the_weights_once_there_is_one() {
    let compute = compute(2);
    let (x, labels) = samples(12, 3, 40);
    let data = Labelled { inputs: Inputs::f32(&x, 12).unwrap(), labels: &labels };
    let spec = EquilibriumSpec { batch: 5, average_after: Some(1), ..EquilibriumSpec::ours(12, &[9, 7], 3).unwrap() };
    let new = |spec: &EquilibriumSpec| {
        EquilibriumPropagation::new(spec.clone(), &mut Random::keyed(1, "weights", 0), &compute).unwrap()
    };
    let scores = |network: &EquilibriumPropagation| {
        let mut out = rivalry_core::Matrix::zeros(40, 3);
        network.scores(&compute, &data.inputs, &mut out).unwrap();
        out.to_rows()
    };
    let mut network = new(&spec);
    let mut learn = |rate: f32| {
        network.epoch(&compute, &data, &(0..40).collect::<Vec<u32>>(), rate).unwrap();
        (scores(&network), network.state())
    };
    let (_, first) = learn(1.0);
    assert_eq!(first.counters["averaged"], 0);
    // With a rate of 0 the mean is that of equal weights.
    let (_, second) = learn(0.0);
    assert_eq!(second.counters["averaged"], 8);
    let apart = |state: &State, name: &str| {
        let difference = difference(&exact(state, &format!("average_{name}")), &exact(state, name));
        difference.iter().fold(0.0, |most: f64, d| most.max(d.abs()))
    };
    assert!(apart(&second, "weight.2") <= 1e-6 && apart(&second, "bias.1") <= 1e-6);
    let (predicted, third) = learn(1.0);
    assert_eq!(third.counters["averaged"], 16);
    assert!(apart(&third, "weight.1") > 0.0 && apart(&third, "weight.3") > 0.0 && apart(&third, "bias.2") > 0.0);
    // The mean alone decides, also after a checkpoint.
    let mut restored = new(&spec);
    restored.restore(&third).unwrap();
    assert_eq!(scores(&restored), predicted);
    let mut of_means = State::default();
    for (name, tensor) in third.tensors.iter().filter(|(name, _)| name.starts_with("average_")) {
        of_means.insert(name.strip_prefix("average_").unwrap(), tensor.clone());
    }
    of_means.counters.clone_from(&third.counters);
    let mut plain = new(&EquilibriumSpec { average_after: None, ..spec });
    plain.restore(&of_means).unwrap();
    assert_eq!(scores(&plain), predicted);
    plain.restore(&third).unwrap();
    assert_ne!(scores(&plain), predicted);
}
