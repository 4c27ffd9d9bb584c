//! The readout against plain f64 loops, and against itself on every instruction set and number of threads.

use rivalry_core::{Compute, Inputs, Kernels, Layer, Random};
use rivalry_nets::{FeatureSpec, Features, Readout, ReadoutSpec, ReadoutState, mean_largest_current};

const SAMPLES: usize = 70;
const INPUTS: usize = 30;
const HIDDEN: usize = 600;
const CLASSES: usize = 3;

fn spec() -> ReadoutSpec {
    ReadoutSpec { classes: CLASSES, hidden: HIDDEN, beta: 0.1, loss_m: 4.0, batch: 16, init_sigma: 0.01 }
}

fn data() -> (Vec<u8>, Vec<u8>, Layer) {
    let mut random = Random::keyed(5, "synthetic", 0);
    let pixels = (0..SAMPLES * INPUTS).map(|_| (random.next_u64() >> 56) as u8).collect();
    let labels = (0..SAMPLES).map(|_| (random.next_u64() % CLASSES as u64) as u8).collect();
    let layer = Layer::normal(HIDDEN, INPUTS, 0.3, &mut Random::keyed(5, "weights", 0)).unwrap();
    (pixels, labels, layer)
}

fn features(compute: &Compute, power_n: f64) -> Features {
    let (pixels, _, layer) = data();
    let inputs = Inputs::u8(&pixels, INPUTS).unwrap();
    let scales = inputs.unit_length_scales();
    let inputs = inputs.with_scales(&scales).unwrap();
    let current_scale = mean_largest_current(compute, &layer, &inputs).unwrap();
    Features::compute(compute, &layer, &inputs, FeatureSpec { power_n, current_scale }).unwrap()
}

fn trained(threads: usize, kernels: &'static Kernels, epochs: u32) -> (ReadoutState, usize) {
    let compute = Compute::new(Some(threads), kernels).unwrap();
    let features = features(&compute, 4.5);
    let (_, labels, _) = data();
    let mut readout = Readout::new(spec(), &mut Random::keyed(2, "readout-weights", 0), &compute).unwrap();
    for epoch in 0..epochs {
        let order = Random::keyed(2, "readout-order", epoch).order(SAMPLES);
        readout.epoch(&compute, &features, &labels, &order, 1e-2).unwrap();
    }
    let all: Vec<u32> = (0..SAMPLES as u32).collect();
    (readout.state(), readout.errors(&compute, &features, &labels, &all).unwrap())
}

#[test]
fn features_are_rectified_scaled_and_raised() {
    let compute = Compute::new(Some(2), Kernels::best()).unwrap();
    let (pixels, _, layer) = data();
    for power_n in [1.0, 4.5, 10.0, 2.3] {
        let features = features(&compute, power_n);
        let currents = |sample: usize| -> Vec<f64> {
            let x = &pixels[sample * INPUTS..][..INPUTS];
            let length = x.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
            let dot =
                |unit: usize| layer.row(unit).iter().zip(x).map(|(&w, &x)| f64::from(w) * f64::from(x)).sum::<f64>();
            (0..HIDDEN).map(|unit| (dot(unit) / length).max(0.0)).collect()
        };
        let all: Vec<Vec<f64>> = (0..SAMPLES).map(currents).collect();
        let largest = |currents: &Vec<f64>| currents.iter().copied().fold(0.0, f64::max);
        let scale = all.iter().map(largest).sum::<f64>() / SAMPLES as f64;
        for (sample, currents) in all.iter().enumerate() {
            for (found, current) in features.row(sample).iter().zip(currents) {
                let exact = (current / scale).powf(power_n);
                assert!(
                    (f64::from(*found) - exact).abs() <= 2e-5 * (1.0 + exact),
                    "{found} for {exact}, n = {power_n}"
                );
            }
        }
    }
}

/// The same training in f64 with plain loops.
fn exact(epochs: u32) -> Vec<f64> {
    let compute = Compute::new(Some(1), Kernels::best()).unwrap();
    let features = features(&compute, 4.5);
    let (_, labels, _) = data();
    let start = Readout::new(spec(), &mut Random::keyed(2, "readout-weights", 0), &compute).unwrap();
    let mut weights: Vec<f64> = start.weights().into_iter().map(f64::from).collect();
    let (mut first, mut second, mut step) = (vec![0.0; weights.len()], vec![0.0; weights.len()], 0);
    for epoch in 0..epochs {
        for minibatch in Random::keyed(2, "readout-order", epoch).order(SAMPLES).chunks(16) {
            let mut gradient = vec![0.0; weights.len()];
            for &sample in minibatch {
                let h = features.row(sample as usize);
                for class in 0..CLASSES {
                    let row = &weights[class * HIDDEN..][..HIDDEN];
                    let c = (0.1 * row.iter().zip(&h).map(|(s, &h)| s * f64::from(h)).sum::<f64>()).tanh();
                    let t = if usize::from(labels[sample as usize]) == class { 1.0 } else { -1.0 };
                    let slope = 4.0 * (c - t).powi(3) * (1.0 - c * c) * 0.1;
                    for (g, &h) in gradient[class * HIDDEN..][..HIDDEN].iter_mut().zip(&h) {
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
    let (state, _) = trained(2, Kernels::best(), 2);
    for (found, exact) in state.weights.iter().zip(exact(2)) {
        assert!((f64::from(*found) - exact).abs() <= 2e-4, "{found} for {exact}");
    }
}

#[test]
fn training_has_the_same_bits_on_every_instruction_set_and_number_of_threads() {
    let (expected, errors) = trained(1, Kernels::named("portable").unwrap(), 3);
    assert_eq!(expected.steps, 15);
    for kernels in Kernels::all() {
        for threads in [1, 2, 3, 5] {
            assert_eq!(trained(threads, kernels, 3), (expected.clone(), errors), "{} x {threads}", kernels.name());
        }
    }
}

#[test]
fn training_learns_and_goes_on_from_a_state() {
    let compute = Compute::new(Some(2), Kernels::best()).unwrap();
    let kernels = Kernels::best();
    let (whole, errors) = trained(2, kernels, 60);
    // Labels are random, so chance leaves two thirds of the 70 wrong; what is learned is learned by heart.
    assert!(errors <= 12, "{errors} errors");
    let (half, _) = trained(2, kernels, 30);
    let mut readout = Readout::new(spec(), &mut Random::keyed(9, "readout-weights", 0), &compute).unwrap();
    readout.restore(&half).unwrap();
    let (features, (_, labels, _)) = (features(&compute, 4.5), data());
    for epoch in 30..60 {
        let order = Random::keyed(2, "readout-order", epoch).order(SAMPLES);
        readout.epoch(&compute, &features, &labels, &order, 1e-2).unwrap();
    }
    assert_eq!(readout.state(), whole);
}

#[test]
fn what_does_not_fit_is_refused_in_one_line() {
    let compute = Compute::new(Some(2), Kernels::best()).unwrap();
    let (features, (_, mut labels, layer)) = (features(&compute, 4.5), data());
    let mut readout = Readout::new(spec(), &mut Random::keyed(2, "readout-weights", 0), &compute).unwrap();
    let mut refused = |labels: &[u8], order: &[u32], rate: f32| {
        readout.epoch(&compute, &features, labels, order, rate).unwrap_err().to_string()
    };
    assert_eq!(refused(&labels, &[70], 0.1), "sample: expected below 70, found 70");
    assert_eq!(refused(&labels[1..], &[0], 0.1), "labels: expected 70, found 69");
    assert_eq!(refused(&labels, &[0], f32::NAN), "readout rate: expected a finite number of at least 0, found NaN");
    labels[0] = 3;
    assert_eq!(refused(&labels, &[0], 0.1), "label: expected below 3, found 3");
    for wrong in [
        ReadoutSpec { classes: 1, ..spec() },
        ReadoutSpec { beta: 0.0, ..spec() },
        ReadoutSpec { loss_m: 0.5, ..spec() },
        ReadoutSpec { batch: 0, ..spec() },
        ReadoutSpec { init_sigma: f64::NAN, ..spec() },
    ] {
        assert!(Readout::new(wrong, &mut Random::keyed(2, "readout-weights", 0), &compute).is_err(), "{wrong:?}");
    }
    let bright = vec![255_u8; INPUTS];
    let inputs = Inputs::u8(&bright, INPUTS).unwrap();
    let steep = FeatureSpec { power_n: 128.0, current_scale: 1e-3 };
    let error = Features::compute(&compute, &layer, &inputs, steep).unwrap_err();
    assert!(error.to_string().starts_with("features: expected finite numbers, found inf at sample 0"), "{error}");
    assert!(error.hint().is_some());
}
