//! Networks trained end to end against plain f64 loops and finite differences, for one and more hidden layers.

use rivalry_core::{Compute, Inputs, Kernels, Random};
use rivalry_nets::{Backprop, BackpropSpec, Classifier, Head, Labelled, Learner, State};

const SAMPLES: usize = 70;
const INPUTS: usize = 30;
const CLASSES: usize = 3;
const BATCH: usize = 16;
const POWER: Head = Head::Power { beta: 0.7, loss_m: 6.0 };

/// One layer of two whole blocks of units and a part of a third; and chains of blocks that do and do not fill up.
const SHAPES: [&[usize]; 3] = [&[190], &[190, 90], &[50, 170, 80]];

fn compute(threads: usize) -> Compute {
    Compute::new(Some(threads), Kernels::best()).unwrap()
}

fn spec(head: Head, hidden: &[usize]) -> BackpropSpec {
    BackpropSpec { inputs: INPUTS, hidden: hidden.to_vec(), classes: CLASSES, head, batch: BATCH }
}

fn network(head: Head, hidden: &[usize], compute: &Compute) -> Backprop {
    Backprop::new(spec(head, hidden), &mut Random::keyed(2, "weights", 0), compute).unwrap()
}

fn data() -> (Vec<u8>, Vec<u8>) {
    let mut random = Random::keyed(5, "synthetic", 0);
    let pixels = (0..SAMPLES * INPUTS).map(|_| (random.next_u64() >> 56) as u8).collect();
    let labels = (0..SAMPLES).map(|_| (random.next_u64() % CLASSES as u64) as u8).collect();
    (pixels, labels)
}

/// The names of the matrices of a network from the inputs up, the readout last, and their shapes.
fn matrices(hidden: &[usize]) -> Vec<(String, [usize; 2])> {
    let name = |layer: usize| if hidden.len() == 1 { "weights".to_owned() } else { format!("weights.{}", layer + 1) };
    let widths = [&[INPUTS], hidden, &[CLASSES]].concat();
    let shapes = widths.windows(2).map(|pair| [pair[1], pair[0]]);
    (0..hidden.len()).map(name).chain(["readout".to_owned()]).zip(shapes).collect()
}

/// The network in f64: every matrix, row-major.
#[derive(Clone)]
struct Exact {
    shapes: Vec<[usize; 2]>,
    matrices: Vec<Vec<f64>>,
}

impl Exact {
    /// Reads the tensors of a state whose names end in `suffix`.
    fn new(state: &State, hidden: &[usize], suffix: &str) -> Exact {
        let matrices = matrices(hidden);
        let read = |(name, shape): &(String, [usize; 2])| {
            let values = state.f32(&format!("{name}{suffix}"), shape).unwrap();
            values.iter().map(|&value| f64::from(value)).collect()
        };
        Exact { shapes: matrices.iter().map(|it| it.1).collect(), matrices: matrices.iter().map(read).collect() }
    }

    fn zeros(&self) -> Exact {
        Exact { shapes: self.shapes.clone(), matrices: self.matrices.iter().map(|m| vec![0.0; m.len()]).collect() }
    }

    /// The inputs, the activations of every hidden layer, and the sums.
    fn forward(&self, x: &[f64]) -> Vec<Vec<f64>> {
        let mut values = vec![x.to_vec()];
        for (layer, matrix) in self.matrices.iter().enumerate() {
            let below = &values[layer];
            let last = layer + 1 == self.matrices.len();
            let current = |row: &[f64]| row.iter().zip(below).map(|(w, x)| w * x).sum::<f64>();
            let rows = matrix.chunks_exact(self.shapes[layer][1]).map(current);
            values.push(rows.map(|sum| if last { sum } else { sum.max(0.0) }).collect());
        }
        values
    }

    fn loss(&self, head: Head, x: &[f64], label: usize) -> f64 {
        let sums = self.forward(x).pop().unwrap();
        match head {
            Head::Power { beta, loss_m } => {
                let off = |(class, s): (usize, &f64)| (beta * s).tanh() - if class == label { 1.0 } else { -1.0 };
                sums.iter().enumerate().map(|sum| off(sum).abs().powf(loss_m)).sum()
            }
            Head::Softmax => sums.iter().map(|s| s.exp()).sum::<f64>().ln() - sums[label],
        }
    }

    /// Adds the gradient of one sample.
    fn add_gradient(&self, head: Head, x: &[f64], label: usize, gradient: &mut Exact) {
        let values = self.forward(x);
        let sums = values.last().unwrap();
        let total: f64 = sums.iter().map(|s| s.exp()).sum();
        let delta = |(class, s): (usize, &f64)| {
            let right = class == label;
            match head {
                Head::Power { beta, loss_m } => {
                    let (c, t) = ((beta * s).tanh(), if right { 1.0 } else { -1.0 });
                    loss_m * (c - t).abs().powf(loss_m - 1.0) * (c - t).signum() * (1.0 - c * c) * beta
                }
                Head::Softmax => s.exp() / total - if right { 1.0 } else { 0.0 },
            }
        };
        let mut errors: Vec<f64> = sums.iter().enumerate().map(delta).collect();
        for layer in (0..self.matrices.len()).rev() {
            let (below, width) = (&values[layer], self.shapes[layer][1]);
            let mut errors_below = vec![0.0; width];
            for (unit, error) in errors.iter().enumerate() {
                for i in 0..width {
                    gradient.matrices[layer][unit * width + i] += error * below[i];
                    errors_below[i] += error * self.matrices[layer][unit * width + i];
                }
            }
            errors = errors_below.iter().zip(below).map(|(e, &h)| if h > 0.0 { *e } else { 0.0 }).collect();
        }
    }
}

fn sample(pixels: &[u8], sample: u32) -> Vec<f64> {
    pixels[sample as usize * INPUTS..][..INPUTS].iter().map(|&pixel| f64::from(pixel) / 255.0).collect()
}

/// One minibatch at rate 0 moves nothing and leaves a tenth of its gradient in Adam's first moment.
fn gradient(head: Head, hidden: &[usize], order: &[u32]) -> (Exact, Exact) {
    let (compute, (pixels, labels)) = (compute(2), data());
    let mut network = network(head, hidden, &compute);
    let before = network.state();
    let data = Labelled { inputs: Inputs::u8(&pixels, INPUTS).unwrap(), labels: &labels };
    // Whole minibatches first, whose leftovers a smaller one must not see.
    let all: Vec<u32> = (0..SAMPLES as u32).collect();
    network.epoch(&compute, &data, &all[..4 * BATCH], 0.0).unwrap();
    network.restore(&before).unwrap();
    network.epoch(&compute, &data, order, 0.0).unwrap();
    let after = network.state();
    for (name, _) in matrices(hidden) {
        assert_eq!(after.tensors[&name], before.tensors[&name]);
    }
    assert_eq!(after.counters["readout_steps"], 1);
    let mut gradient = Exact::new(&after, hidden, "_first_moment");
    gradient.matrices.iter_mut().flatten().for_each(|m| *m /= f64::from(1.0 - 0.9_f32));
    (Exact::new(&before, hidden, ""), gradient)
}

#[track_caller]
fn agree(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0_f64, |largest, g| largest.max(g.abs()));
    assert!(largest > 1e-3, "a gradient of nothing: {largest}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= tolerance * largest, "{found} for {expected} at {i}, largest {largest}");
    }
}

#[test]
fn the_gradient_is_that_of_plain_loops() {
    let (pixels, labels) = data();
    for hidden in SHAPES {
        for head in [POWER, Head::Power { beta: 0.3, loss_m: 2.3 }, Head::Softmax] {
            for batch in [1, 5, BATCH] {
                let order: Vec<u32> = (0..batch as u32).map(|i| (i * 7 + 3) % SAMPLES as u32).collect();
                let (exact, found) = gradient(head, hidden, &order);
                let mut expected = exact.zeros();
                for &at in &order {
                    let label = usize::from(labels[at as usize]);
                    exact.add_gradient(head, &sample(&pixels, at), label, &mut expected);
                }
                for (found, expected) in found.matrices.iter().zip(&expected.matrices) {
                    agree(found, expected, 2e-5);
                }
            }
        }
    }
}

#[test]
fn the_gradient_is_the_slope_of_the_loss() {
    let (pixels, labels) = data();
    for hidden in SHAPES {
        for head in [POWER, Head::Softmax] {
            let order = [4, 9, 11];
            let (exact, found) = gradient(head, hidden, &order);
            let loss = |exact: &Exact| -> f64 {
                order.iter().map(|&at| exact.loss(head, &sample(&pixels, at), usize::from(labels[at as usize]))).sum()
            };
            for (matrix, found) in found.matrices.iter().enumerate() {
                let largest = found.iter().fold(0.0_f64, |largest, g| largest.max(g.abs()));
                // Some weights of every matrix: each needs two losses.
                for at in (0..found.len()).step_by(found.len() / 40 + 1) {
                    let slope = |step: f64| {
                        let [mut up, mut down] = [exact.clone(), exact.clone()];
                        up.matrices[matrix][at] += step;
                        down.matrices[matrix][at] -= step;
                        (loss(&up) - loss(&down)) / (2.0 * step)
                    };
                    // Where a unit is at its corner within the step, two steps disagree and the slope says nothing.
                    let (wide, narrow) = (slope(1e-6), slope(1e-7));
                    if (wide - narrow).abs() <= 1e-5 * largest {
                        let difference = (found[at] - wide).abs();
                        assert!(difference <= 1e-4 * largest, "{} for {wide} at {matrix}, {at}", found[at]);
                    }
                }
            }
        }
    }
}

#[test]
fn networks_learn_random_labels_by_heart() {
    let (compute, (pixels, labels)) = (compute(2), data());
    let inputs = Inputs::u8(&pixels, INPUTS).unwrap();
    let scales = inputs.unit_length_scales();
    let data = Labelled { inputs: inputs.with_scales(&scales).unwrap(), labels: &labels };
    for (hidden, head) in SHAPES.iter().flat_map(|&hidden| [(hidden, POWER), (hidden, Head::Softmax)]) {
        let mut network = network(head, hidden, &compute);
        for epoch in 0..40 {
            let order = Random::keyed(2, "readout-order", epoch).order(SAMPLES);
            network.epoch(&compute, &data, &order, 1e-2).unwrap();
        }
        // Chance leaves two thirds of the 70 wrong.
        let errors = network.errors(&compute, &data).unwrap();
        assert!(errors <= 3, "{hidden:?} {head:?}: {errors} errors");
        let predicted = network.predict(&compute, &data.inputs).unwrap();
        assert_eq!(predicted.iter().zip(&labels).filter(|(a, b)| a != b).count(), errors);
    }
}

#[test]
fn initial_weights_are_those_of_he() {
    for hidden in SHAPES {
        let state = network(POWER, hidden, &compute(3)).state();
        for (name, shape) in matrices(hidden) {
            let values = state.f32(&name, &shape).unwrap();
            let variance = values.iter().map(|&w| f64::from(w).powi(2)).sum::<f64>() / values.len() as f64;
            let ratio = variance * shape[1] as f64 / 2.0;
            assert!((ratio - 1.0).abs() <= 0.3, "{name} of {hidden:?}: {ratio}");
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_in_one_sentence() {
    let (two, (pixels, mut labels)) = (compute(2), data());
    let inputs = Inputs::u8(&pixels, INPUTS).unwrap();
    let mut network = network(POWER, &[190, 90], &two);
    let before = network.state();
    let mut refused = |compute: &Compute, inputs: Inputs<'_>, labels: &[u8], order: &[u32], rate: f32| {
        network.epoch(compute, &Labelled { inputs, labels }, order, rate).unwrap_err().to_string()
    };
    assert_eq!(refused(&two, inputs, &labels, &[70], 0.1), "the order names sample 70, but there are only 70");
    assert_eq!(refused(&two, inputs, &labels[1..], &[0], 0.1), "70 samples have 69 labels");
    let expected = "the learning rate NaN is not a finite number of at least 0";
    assert_eq!(refused(&two, inputs, &labels, &[0], f32::NAN), expected);
    let narrow = Inputs::u8(&pixels, INPUTS / 2).unwrap();
    assert_eq!(refused(&two, narrow, &labels, &[0], 0.1), "a sample has 15 inputs, the network takes 30");
    let expected = "the network was made for 2 threads and is given 1";
    assert_eq!(refused(&compute(1), inputs, &labels, &[0], 0.1), expected);
    labels[3] = 12;
    let expected = "label 12 at sample 3 is not below the 3 classes";
    assert_eq!(refused(&two, inputs, &labels, &[0], 0.1), expected);
    assert!(network.state() == before, "nothing is learned");
    let error = network.errors(&two, &Labelled { inputs, labels: &labels }).unwrap_err();
    assert_eq!(error.to_string(), expected);

    let good = spec(POWER, &[190]);
    for (wrong, expected) in [
        (BackpropSpec { inputs: 0, ..good.clone() }, "the length of a sample = 0 is not from 1 to 2147483648"),
        (BackpropSpec { hidden: vec![5, 0], ..good.clone() }, "hidden = 0 is not from 1 to 2147483648"),
        (BackpropSpec { hidden: vec![], ..good.clone() }, "the number of hidden layers = 0 is not from 1 to 64"),
        (BackpropSpec { classes: 1, ..good.clone() }, "classes = 1 is not from 2 to 256"),
        (BackpropSpec { batch: 0, ..good.clone() }, "readout_batch = 0 is not from 1 to 1048576"),
        (spec(Head::Power { beta: 0.0, loss_m: 6.0 }, &[9]), "beta = 0 is not a finite number above 0"),
        (spec(Head::Power { beta: 1.0, loss_m: 0.5 }, &[9]), "loss_m = 0.5 is not a finite number of at least 1"),
    ] {
        let error = Backprop::new(wrong, &mut Random::keyed(2, "weights", 0), &two).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_network_that_diverged_is_an_error_with_a_hint() {
    let (compute, (pixels, labels)) = (compute(2), data());
    let data = Labelled { inputs: Inputs::u8(&pixels, INPUTS).unwrap(), labels: &labels };
    for hidden in SHAPES {
        let mut network = network(Head::Softmax, hidden, &compute);
        for _ in 0..3 {
            network.epoch(&compute, &data, &[0, 1, 2], 1e30).unwrap();
        }
        let error = network.errors(&compute, &data).unwrap_err();
        assert!(error.to_string().starts_with("training diverged: there is "), "{error}");
        assert_eq!(error.hint().unwrap(), "lower readout_rates or beta");
    }
}
