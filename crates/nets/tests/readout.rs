//! The readout against plain f64 loops, and what it refuses.

use rivalry_core::{Compute, Inputs, Kernels, Matrix, Random};
use rivalry_nets::{Classifier, Head, Labelled, Learner, Readout, ReadoutSpec};

const SAMPLES: usize = 70;
/// Two whole blocks of features and a part of a third.
const FEATURES: usize = 600;
const CLASSES: usize = 3;

fn compute() -> Compute {
    Compute::new(Some(2), Kernels::best()).unwrap()
}

fn spec() -> ReadoutSpec {
    let head = Head::Power { beta: 0.1, loss_m: 4.0 };
    ReadoutSpec { inputs: FEATURES, classes: CLASSES, head, batch: 16, init_sigma: 0.01 }
}

fn readout(compute: &Compute) -> Readout {
    Readout::new(spec(), &mut Random::keyed(2, "readout-weights", 0), compute).unwrap()
}

/// Features that are zero half of the time, and random labels.
fn data() -> (Matrix, Vec<u8>) {
    let mut random = Random::keyed(5, "synthetic", 0);
    let mut features = Matrix::zeros(SAMPLES, FEATURES);
    for sample in 0..SAMPLES {
        features.row_mut(sample).fill_with(|| (0.5 * random.normal()).max(0.0) as f32);
    }
    let labels = (0..SAMPLES).map(|_| (random.next_u64() % CLASSES as u64) as u8).collect();
    (features, labels)
}

/// Two epochs in f64 with plain loops.
fn exact(start: &[f32], features: &Matrix, labels: &[u8]) -> Vec<f64> {
    let mut weights: Vec<f64> = start.iter().map(|&weight| f64::from(weight)).collect();
    let (mut first, mut second, mut step) = (vec![0.0; weights.len()], vec![0.0; weights.len()], 0);
    for epoch in 0..2 {
        for minibatch in Random::keyed(2, "readout-order", epoch).order(SAMPLES).chunks(16) {
            let mut gradient = vec![0.0; weights.len()];
            for &sample in minibatch {
                let h = features.row(sample as usize);
                for class in 0..CLASSES {
                    let row = &weights[class * FEATURES..][..FEATURES];
                    let c = (0.1 * row.iter().zip(h).map(|(s, &h)| s * f64::from(h)).sum::<f64>()).tanh();
                    let t = if usize::from(labels[sample as usize]) == class { 1.0 } else { -1.0 };
                    let slope = 4.0 * (c - t).powi(3) * (1.0 - c * c) * 0.1;
                    for (g, &h) in gradient[class * FEATURES..][..FEATURES].iter_mut().zip(h) {
                        *g += slope * f64::from(h);
                    }
                }
            }
            step += 1;
            for i in 0..weights.len() {
                first[i] = 0.9 * first[i] + 0.1 * gradient[i];
                second[i] = 0.999 * second[i] + 0.001 * gradient[i] * gradient[i];
                let (m, v) = (first[i] / (1.0 - 0.9_f64.powi(step)), second[i] / (1.0 - 0.999_f64.powi(step)));
                weights[i] -= 1e-2 * m / (v.sqrt() + 1e-8);
            }
        }
    }
    weights
}

#[test]
fn training_follows_the_gradient_of_the_loss() {
    let (compute, (features, labels)) = (compute(), data());
    let data = Labelled { inputs: Inputs::matrix(&features).unwrap(), labels: &labels };
    let mut readout = readout(&compute);
    let exact = exact(&readout.weights(), &features, &labels);
    for epoch in 0..2 {
        let order = Random::keyed(2, "readout-order", epoch).order(SAMPLES);
        readout.epoch(&compute, &data, &order, 1e-2).unwrap();
    }
    for (found, exact) in readout.weights().iter().zip(exact) {
        assert!((f64::from(*found) - exact).abs() <= 2e-4, "{found} for {exact}");
    }
}

#[test]
fn scores_are_the_sums_and_the_largest_is_the_prediction() {
    let (compute, (features, labels)) = (compute(), data());
    let inputs = Inputs::matrix(&features).unwrap();
    let mut readout = readout(&compute);
    let order: Vec<u32> = (0..SAMPLES as u32).collect();
    readout.epoch(&compute, &Labelled { inputs, labels: &labels }, &order, 1e-2).unwrap();
    let mut scores = Matrix::zeros(SAMPLES, CLASSES);
    readout.scores(&compute, &inputs, &mut scores).unwrap();
    let predicted = readout.predict(&compute, &inputs).unwrap();
    for sample in 0..SAMPLES {
        let mut sums = [0.0; CLASSES];
        for (class, sum) in sums.iter_mut().enumerate() {
            let row = &readout.weights()[class * FEATURES..][..FEATURES];
            *sum = row.iter().zip(features.row(sample)).map(|(&s, &h)| f64::from(s) * f64::from(h)).sum();
            let found = scores.row(sample)[class];
            assert!((f64::from(found) - *sum).abs() <= 1e-5 * (1.0 + sum.abs()), "{found} for {sum}");
        }
        let largest = sums.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        assert_eq!(sums[usize::from(predicted[sample])], largest);
    }
    // Equal scores: the lowest class.
    let dark = Matrix::zeros(2, FEATURES);
    assert_eq!(readout.predict(&compute, &Inputs::matrix(&dark).unwrap()).unwrap(), [0, 0]);
    let error = readout.scores(&compute, &inputs, &mut Matrix::zeros(SAMPLES, 4)).unwrap_err().to_string();
    assert_eq!(error, "the output matrix is 70 x 4, the results are 70 x 3");
}

#[test]
fn a_readout_that_diverged_is_an_error_with_a_hint() {
    let (compute, (mut features, labels)) = (compute(), data());
    features.row_mut(0).fill(f32::INFINITY);
    let data = Labelled { inputs: Inputs::matrix(&features).unwrap(), labels: &labels };
    let mut readout = readout(&compute);
    readout.epoch(&compute, &data, &[0], 1e-2).unwrap();
    let error = readout.errors(&compute, &data).unwrap_err();
    assert_eq!(error.to_string(), "training diverged: there is NaN among the readout weights");
    assert!(error.hint().is_some());
}

#[test]
fn what_does_not_fit_is_refused_in_one_sentence() {
    let (compute, (features, mut labels)) = (compute(), data());
    let inputs = Inputs::matrix(&features).unwrap();
    let mut readout = readout(&compute);
    let before = readout.state();
    let mut refused = |labels: &[u8], order: &[u32], rate: f32| {
        readout.epoch(&compute, &Labelled { inputs, labels }, order, rate).unwrap_err().to_string()
    };
    assert_eq!(refused(&labels, &[70], 0.1), "the order names sample 70, but there are only 70");
    assert_eq!(refused(&[], &[0], 0.1), "70 samples have 0 labels");
    assert_eq!(refused(&labels, &[0], -1.0), "the learning rate -1 is not a finite number of at least 0");
    labels[0] = 3;
    assert_eq!(refused(&labels, &[0], 0.1), "label 3 at sample 0 is not below the 3 classes");
    assert!(readout.state() == before, "nothing is learned");
    for (wrong, expected) in [
        (ReadoutSpec { classes: 1, ..spec() }, "classes = 1 is not from 2 to 256"),
        (ReadoutSpec { inputs: 0, ..spec() }, "the number of features = 0 is not from 1 to 2147483648"),
        (ReadoutSpec { batch: 0, ..spec() }, "readout_batch = 0 is not from 1 to 1048576"),
        (ReadoutSpec { init_sigma: f64::NAN, ..spec() }, "init_sigma = NaN is not a finite number of at least 0"),
        (
            ReadoutSpec { head: Head::Power { beta: 0.1, loss_m: f64::NAN }, ..spec() },
            "loss_m = NaN is not a finite number of at least 1",
        ),
    ] {
        let error = Readout::new(wrong, &mut Random::keyed(2, "readout-weights", 0), &compute).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}
