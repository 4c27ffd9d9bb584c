//! The end-to-end network against plain f64 loops and finite differences, and against itself on every instruction set and
//! number of threads.

use rivalry_core::{Compute, Inputs, Kernels, Random};
use rivalry_nets::{Backprop, BackpropSpec, BackpropState, Head};

const SAMPLES: usize = 70;
const INPUTS: usize = 30;
/// Two whole blocks of units and a part of a third.
const HIDDEN: usize = 190;
const CLASSES: usize = 3;
const BATCH: usize = 16;
const POWER: Head = Head::Power { beta: 0.7, loss_m: 6.0 };

fn spec(head: Head) -> BackpropSpec {
    BackpropSpec { inputs: INPUTS, hidden: HIDDEN, classes: CLASSES, head, batch: BATCH }
}

fn data() -> (Vec<u8>, Vec<u8>) {
    let mut random = Random::keyed(5, "synthetic", 0);
    let pixels = (0..SAMPLES * INPUTS).map(|_| (random.next_u64() >> 56) as u8).collect();
    let labels = (0..SAMPLES).map(|_| (random.next_u64() % CLASSES as u64) as u8).collect();
    (pixels, labels)
}

fn network(head: Head, compute: &Compute) -> Backprop {
    Backprop::new(spec(head), &mut Random::keyed(2, "weights", 0), compute).unwrap()
}

fn trained(head: Head, threads: usize, kernels: &'static Kernels, epochs: u32) -> (BackpropState, usize) {
    let (compute, (pixels, labels)) = (Compute::new(Some(threads), kernels).unwrap(), data());
    let inputs = Inputs::u8(&pixels, INPUTS).unwrap();
    let scales = inputs.unit_length_scales();
    let inputs = inputs.with_scales(&scales).unwrap();
    let mut network = network(head, &compute);
    for epoch in 0..epochs {
        let order = Random::keyed(2, "readout-order", epoch).order(SAMPLES);
        network.epoch(&compute, &inputs, &labels, &order, 1e-2).unwrap();
    }
    (network.state(), network.errors(&compute, &inputs, &labels).unwrap())
}

/// The network in f64.
#[derive(Clone)]
struct Exact {
    weights: Vec<f64>,
    readout: Vec<f64>,
}

impl Exact {
    fn new(state: &BackpropState) -> Exact {
        let widened = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect();
        Exact { weights: widened(&state.weights), readout: widened(&state.readout.weights) }
    }

    fn activations(&self, x: &[f64]) -> Vec<f64> {
        self.weights.chunks_exact(INPUTS).map(|w| w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>().max(0.0)).collect()
    }

    fn sums(&self, h: &[f64]) -> Vec<f64> {
        self.readout.chunks_exact(HIDDEN).map(|s| s.iter().zip(h).map(|(s, h)| s * h).sum()).collect()
    }

    fn loss(&self, head: Head, x: &[f64], label: usize) -> f64 {
        let sums = self.sums(&self.activations(x));
        match head {
            Head::Power { beta, loss_m } => {
                let off = |(class, s): (usize, &f64)| (beta * s).tanh() - if class == label { 1.0 } else { -1.0 };
                sums.iter().enumerate().map(|sum| off(sum).abs().powf(loss_m)).sum()
            }
            Head::Softmax => sums.iter().map(|s| s.exp()).sum::<f64>().ln() - sums[label],
        }
    }

    /// Adds ∂C/∂W and ∂C/∂S of one example.
    fn add_gradient(&self, head: Head, x: &[f64], label: usize, gradient: &mut Exact) {
        let h = self.activations(x);
        let sums = self.sums(&h);
        let total: f64 = sums.iter().map(|s| s.exp()).sum();
        let mut errors = vec![0.0; HIDDEN];
        for (class, s) in sums.iter().enumerate() {
            let right = class == label;
            let delta = match head {
                Head::Power { beta, loss_m } => {
                    let (c, t) = ((beta * s).tanh(), if right { 1.0 } else { -1.0 });
                    loss_m * (c - t).abs().powf(loss_m - 1.0) * (c - t).signum() * (1.0 - c * c) * beta
                }
                Head::Softmax => s.exp() / total - if right { 1.0 } else { 0.0 },
            };
            for unit in 0..HIDDEN {
                gradient.readout[class * HIDDEN + unit] += delta * h[unit];
                errors[unit] += delta * self.readout[class * HIDDEN + unit];
            }
        }
        for unit in (0..HIDDEN).filter(|&unit| h[unit] > 0.0) {
            for (gradient, x) in gradient.weights[unit * INPUTS..].iter_mut().zip(x) {
                *gradient += errors[unit] * x;
            }
        }
    }
}

fn example(pixels: &[u8], sample: u32) -> Vec<f64> {
    pixels[sample as usize * INPUTS..][..INPUTS].iter().map(|&pixel| f64::from(pixel) / 255.0).collect()
}

/// One minibatch at rate 0 moves nothing and leaves a tenth of its gradient in Adam's first moment.
fn gradient(head: Head, order: &[u32]) -> (BackpropState, Exact) {
    let (compute, (pixels, labels)) = (Compute::new(Some(2), Kernels::best()).unwrap(), data());
    let mut network = network(head, &compute);
    let before = network.state();
    let inputs = Inputs::u8(&pixels, INPUTS).unwrap();
    // Whole minibatches first, whose leftovers a smaller one must not see.
    let all: Vec<u32> = (0..SAMPLES as u32).collect();
    network.epoch(&compute, &inputs, &labels, &all[..4 * BATCH], 0.0).unwrap();
    network.restore(&before).unwrap();
    network.epoch(&compute, &inputs, &labels, order, 0.0).unwrap();
    let after = network.state();
    assert_eq!(after.weights, before.weights);
    assert_eq!(after.readout.weights, before.readout.weights);
    assert_eq!(after.readout.steps, 1);
    let tenfold = |moment: &[f32]| moment.iter().map(|&m| f64::from(m) / f64::from(1.0 - 0.9_f32)).collect();
    (before, Exact { weights: tenfold(&after.first_moment), readout: tenfold(&after.readout.first_moment) })
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
    for head in [POWER, Head::Power { beta: 0.3, loss_m: 2.3 }, Head::Softmax] {
        for batch in [1, 5, BATCH] {
            let order = &Random::keyed(9, "readout-order", 0).order(SAMPLES)[..batch];
            let (state, found) = gradient(head, order);
            let network = Exact::new(&state);
            let mut exact = Exact { weights: vec![0.0; HIDDEN * INPUTS], readout: vec![0.0; CLASSES * HIDDEN] };
            for &sample in order {
                let label = usize::from(labels[sample as usize]);
                network.add_gradient(head, &example(&pixels, sample), label, &mut exact);
            }
            agree(&found.weights, &exact.weights, 1e-5);
            agree(&found.readout, &exact.readout, 1e-5);
        }
    }
}

#[test]
fn the_gradient_is_the_slope_of_the_loss() {
    const STEP: f64 = 1e-5;
    let (pixels, labels) = data();
    let order: Vec<u32> = (10..10 + BATCH as u32).collect();
    for head in [POWER, Head::Softmax] {
        let (state, found) = gradient(head, &order);
        let mut network = Exact::new(&state);
        let loss = |network: &Exact| -> f64 {
            let of =
                |&sample: &u32| network.loss(head, &example(&pixels, sample), usize::from(labels[sample as usize]));
            order.iter().map(of).sum()
        };
        let mut slopes = |select: fn(&mut Exact) -> &mut Vec<f64>, at: usize| {
            select(&mut network)[at] += STEP;
            let above = loss(&network);
            select(&mut network)[at] -= 2.0 * STEP;
            let below = loss(&network);
            select(&mut network)[at] += STEP;
            (above - below) / (2.0 * STEP)
        };
        // Every class, and units of every block.
        let places: Vec<usize> = (0..CLASSES * HIDDEN).step_by(7).collect();
        let expected: Vec<f64> = places.iter().map(|&at| slopes(|network| &mut network.readout, at)).collect();
        agree(&places.iter().map(|&at| found.readout[at]).collect::<Vec<_>>(), &expected, 1e-4);
        let places: Vec<usize> = (0..HIDDEN * INPUTS).step_by(13).collect();
        let expected: Vec<f64> = places.iter().map(|&at| slopes(|network| &mut network.weights, at)).collect();
        agree(&places.iter().map(|&at| found.weights[at]).collect::<Vec<_>>(), &expected, 1e-4);
    }
}

#[test]
fn training_has_the_same_bits_on_every_instruction_set_and_number_of_threads() {
    for head in [POWER, Head::Softmax] {
        let (expected, errors) = trained(head, 1, Kernels::named("portable").unwrap(), 3);
        assert_eq!(expected.readout.steps, 15);
        for kernels in Kernels::all() {
            for threads in [1, 2, 3, 7] {
                let found = trained(head, threads, kernels, 3);
                assert!(found == (expected.clone(), errors), "{head:?}, {} x {threads}", kernels.name());
            }
        }
    }
}

#[test]
fn training_learns_by_heart_and_goes_on_from_a_state() {
    let (compute, (pixels, labels)) = (Compute::new(Some(2), Kernels::best()).unwrap(), data());
    let inputs = Inputs::u8(&pixels, INPUTS).unwrap();
    let scales = inputs.unit_length_scales();
    let inputs = inputs.with_scales(&scales).unwrap();
    for head in [POWER, Head::Softmax] {
        // Labels are random, so chance leaves two thirds of the 70 wrong.
        let (whole, errors) = trained(head, 2, Kernels::best(), 40);
        assert!(errors <= 3, "{head:?}: {errors} errors");
        let (half, _) = trained(head, 3, Kernels::best(), 20);
        let mut network = Backprop::new(spec(head), &mut Random::keyed(9, "weights", 0), &compute).unwrap();
        network.restore(&half).unwrap();
        for epoch in 20..40 {
            let order = Random::keyed(2, "readout-order", epoch).order(SAMPLES);
            network.epoch(&compute, &inputs, &labels, &order, 1e-2).unwrap();
        }
        assert!(network.state() == whole, "{head:?}");
    }
}

#[test]
fn initial_weights_are_those_of_he() {
    let compute = Compute::new(Some(3), Kernels::best()).unwrap();
    let network = network(POWER, &compute);
    let variance = |values: &[f32]| values.iter().map(|&w| f64::from(w).powi(2)).sum::<f64>() / values.len() as f64;
    for (values, fan_in) in [(network.weights(), INPUTS), (network.readout(), HIDDEN)] {
        let ratio = variance(&values) * fan_in as f64 / 2.0;
        assert!((ratio - 1.0).abs() <= 0.15, "{ratio}");
    }
}

#[test]
fn what_does_not_fit_is_refused_in_one_line() {
    let compute = Compute::new(Some(2), Kernels::best()).unwrap();
    let (pixels, mut labels) = data();
    let inputs = Inputs::u8(&pixels, INPUTS).unwrap();
    let mut network = network(POWER, &compute);
    let before = network.state();
    let mut refused = |compute: &Compute, inputs: &Inputs<'_>, labels: &[u8], order: &[u32], rate: f32| {
        network.epoch(compute, inputs, labels, order, rate).unwrap_err().to_string()
    };
    assert_eq!(refused(&compute, &inputs, &labels, &[70], 0.1), "sample: expected below 70, found 70");
    assert_eq!(refused(&compute, &inputs, &labels[1..], &[0], 0.1), "labels: expected 70, found 69");
    let expected = "readout rate: expected a finite number of at least 0, found NaN";
    assert_eq!(refused(&compute, &inputs, &labels, &[0], f32::NAN), expected);
    let narrow = Inputs::u8(&pixels, INPUTS / 2).unwrap();
    assert_eq!(refused(&compute, &narrow, &labels, &[0], 0.1), "inputs of an example: expected 30, found 15");
    let other = Compute::new(Some(1), Kernels::best()).unwrap();
    assert_eq!(refused(&other, &inputs, &labels, &[0], 0.1), "threads: expected 2, found 1");
    labels[3] = 3;
    assert_eq!(refused(&compute, &inputs, &labels, &[0], 0.1), "label: expected below 3, found 3");
    assert!(network.state() == before, "nothing is learned");

    let short = BackpropState { weights: before.weights[1..].to_vec(), ..before };
    let error = network.restore(&short).unwrap_err().to_string();
    assert_eq!(error, "numbers of a network's state: expected 5700, found 5699");
    for (wrong, what) in [
        (BackpropSpec { inputs: 0, ..spec(POWER) }, "inputs of a network"),
        (BackpropSpec { hidden: 0, ..spec(POWER) }, "hidden"),
        (BackpropSpec { classes: 1, ..spec(POWER) }, "classes"),
        (BackpropSpec { batch: 0, ..spec(POWER) }, "readout_batch"),
        (spec(Head::Power { beta: 0.0, loss_m: 6.0 }), "beta"),
        (spec(Head::Power { beta: 1.0, loss_m: f64::NAN }), "loss_m"),
    ] {
        let error = Backprop::new(wrong, &mut Random::keyed(2, "weights", 0), &compute).unwrap_err();
        assert!(error.to_string().starts_with(&format!("{what}: expected")), "{error}");
    }
}

#[test]
fn a_network_that_ran_away_is_an_error_with_a_hint() {
    let (compute, (pixels, labels)) = (Compute::new(Some(2), Kernels::best()).unwrap(), data());
    let inputs = Inputs::u8(&pixels, INPUTS).unwrap();
    let mut network = network(Head::Softmax, &compute);
    for _ in 0..3 {
        network.epoch(&compute, &inputs, &labels, &[0, 1, 2], 1e30).unwrap();
    }
    let error = network.errors(&compute, &inputs, &labels).unwrap_err();
    assert!(error.to_string().contains("weights: expected finite numbers, found"), "{error}");
    assert!(error.hint().is_some());
}
