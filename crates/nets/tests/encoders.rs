//! Encoders: features of a layer, random directions, the inputs themselves.

use rivalry_core::{Compute, Inputs, Kernels, Layer, Matrix, Random};
use rivalry_nets::{Encoder, FeatureSpec, LayerEncoder, Raw, mean_largest_current, random_layer};

/// More than two blocks of samples, the last one smaller.
const SAMPLES: usize = 250;
const INPUTS: usize = 30;
const HIDDEN: usize = 100;

fn compute(threads: usize) -> Compute {
    Compute::new(Some(threads), Kernels::best()).unwrap()
}

fn data() -> (Vec<u8>, Layer) {
    let mut random = Random::keyed(5, "synthetic", 0);
    let pixels = (0..SAMPLES * INPUTS).map(|_| (random.next_u64() >> 56) as u8).collect();
    (pixels, Layer::normal(HIDDEN, INPUTS, 0.3, &mut Random::keyed(5, "weights", 0)).unwrap())
}

#[test]
fn features_are_rectified_scaled_and_raised() {
    let (compute, (pixels, layer)) = (compute(2), data());
    let inputs = Inputs::u8(&pixels, INPUTS).unwrap();
    let scales = inputs.unit_length_scales();
    let inputs = inputs.with_scales(&scales).unwrap();
    let currents = |sample: usize| -> Vec<f64> {
        let x = &pixels[sample * INPUTS..][..INPUTS];
        let length = x.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        let dot = |unit: usize| layer.row(unit).iter().zip(x).map(|(&w, &x)| f64::from(w) * f64::from(x)).sum::<f64>();
        (0..HIDDEN).map(|unit| (dot(unit) / length).max(0.0)).collect()
    };
    let all: Vec<Vec<f64>> = (0..SAMPLES).map(currents).collect();
    let largest = |currents: &Vec<f64>| currents.iter().copied().fold(0.0, f64::max);
    let scale = all.iter().map(largest).sum::<f64>() / SAMPLES as f64;
    let current_scale = mean_largest_current(&compute, &layer, &inputs).unwrap();
    assert!((current_scale - scale).abs() <= 1e-6 * scale);
    for power_n in [1.0, 4.5, 10.0, 2.3] {
        let encoder = LayerEncoder::new(layer.clone(), FeatureSpec { power_n, current_scale }).unwrap();
        let features = encoder.features(&compute, &inputs).unwrap();
        for (sample, currents) in all.iter().enumerate() {
            for (found, current) in features.row(sample).iter().zip(currents) {
                let exact = (current / scale).powf(power_n);
                let difference = (f64::from(*found) - exact).abs();
                assert!(difference <= 2e-5 * (1.0 + exact), "{found} for {exact}, n = {power_n}");
            }
        }
    }
}

#[test]
fn features_have_the_same_bits_on_every_instruction_set_and_number_of_threads() {
    let (pixels, layer) = data();
    let inputs = Inputs::u8(&pixels, INPUTS).unwrap();
    let encoder = LayerEncoder::new(layer, FeatureSpec { power_n: 4.5, current_scale: 1.5 }).unwrap();
    let features = |threads, kernels| {
        let compute = Compute::new(Some(threads), kernels).unwrap();
        let scale = mean_largest_current(&compute, encoder.layer(), &inputs).unwrap();
        (encoder.features(&compute, &inputs).unwrap().to_rows(), scale)
    };
    let expected = features(1, Kernels::named("portable").unwrap());
    for kernels in Kernels::all() {
        for threads in [1, 2, 3, 5] {
            assert!(features(threads, kernels) == expected, "{} x {threads}", kernels.name());
        }
    }
}

#[test]
fn features_that_overflow_are_an_error_that_names_the_first() {
    let (compute, (_, layer)) = (compute(3), data());
    let mut pixels = vec![0_u8; SAMPLES * INPUTS];
    pixels[120 * INPUTS..].fill(255);
    let inputs = Inputs::u8(&pixels, INPUTS).unwrap();
    let steep = LayerEncoder::new(layer, FeatureSpec { power_n: 128.0, current_scale: 1e-3 }).unwrap();
    let error = steep.features(&compute, &inputs).unwrap_err();
    let message = error.to_string();
    assert!(message.starts_with("the feature of unit ") && message.ends_with(" for sample 120 is inf"), "{message}");
    assert_eq!(error.hint().unwrap(), "scale the currents (current_scale = \"auto\") or lower power_n");
}

#[test]
fn settings_and_shapes_that_do_not_fit_are_refused() {
    let (compute, (pixels, layer)) = (compute(2), data());
    for (power_n, current_scale, expected) in [
        (0.0, 1.0, "power_n = 0 is not a finite number above 0"),
        (f64::NAN, 1.0, "power_n = NaN is not a finite number above 0"),
        (1.0, f64::INFINITY, "current_scale = inf is not a finite number above 0"),
    ] {
        let error = LayerEncoder::new(layer.clone(), FeatureSpec { power_n, current_scale }).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let narrow = Inputs::u8(&pixels, INPUTS / 2).unwrap();
    let encoder = LayerEncoder::new(layer, FeatureSpec { power_n: 1.0, current_scale: 1.0 }).unwrap();
    let error = encoder.features(&compute, &narrow).unwrap_err().to_string();
    assert_eq!(error, "a sample has 15 inputs, the network takes 30");
    let inputs = Inputs::u8(&pixels, INPUTS).unwrap();
    let error = encoder.encode(&compute, &inputs, &mut Matrix::zeros(SAMPLES, HIDDEN - 1)).unwrap_err().to_string();
    assert_eq!(error, "the output matrix is 250 x 99, the results are 250 x 100");
    let dark = vec![0_u8; INPUTS];
    let error = mean_largest_current(&compute, encoder.layer(), &Inputs::u8(&dark, INPUTS).unwrap()).unwrap_err();
    assert!(error.to_string().starts_with("the mean largest current is 0"), "{error}");
}

#[test]
fn a_random_layer_has_the_directions_of_the_start_and_the_norm_of_the_end() {
    let start = Layer::normal(50, 33, 1.0, &mut Random::keyed(4, "weights", 0)).unwrap();
    for p in [1.0, 2.0, 2.5, 3.0, 5.0] {
        let layer = random_layer(50, 33, p, &mut Random::keyed(4, "weights", 0)).unwrap();
        for unit in 0..50 {
            let norm: f64 = layer.row(unit).iter().map(|&w| f64::from(w.abs()).powf(p)).sum();
            assert!((norm - 1.0).abs() <= 1e-5, "{norm}");
            let ratio = layer.row(unit)[0] / start.row(unit)[0];
            for (scaled, drawn) in layer.row(unit).iter().zip(start.row(unit)) {
                assert!((scaled / drawn - ratio).abs() <= 1e-5 * ratio, "{scaled} for {drawn}");
            }
        }
    }
    for p in [0.5, f64::NAN, f64::INFINITY] {
        let error = random_layer(5, 5, p, &mut Random::keyed(4, "weights", 0)).unwrap_err();
        assert_eq!(error.to_string(), format!("p = {p} is not a finite number of at least 1"));
    }
    assert!(random_layer(0, 5, 2.0, &mut Random::keyed(4, "weights", 0)).is_err());
}

#[test]
fn raw_features_are_the_inputs_times_their_scale() {
    let pixels: Vec<u8> = (0..3 * 600).map(|i| (i * 31 % 256) as u8).collect();
    let inputs = Inputs::u8(&pixels, 600).unwrap();
    let scales = inputs.unit_length_scales();
    let scaled = inputs.with_scales(&scales).unwrap();
    for kernels in Kernels::all() {
        let compute = Compute::new(Some(2), kernels).unwrap();
        let features = Raw::new(600).features(&compute, &scaled).unwrap();
        assert_eq!((features.rows(), features.columns()), (3, 600));
        for (sample, &scale) in scales.iter().enumerate() {
            let expected: Vec<f32> = pixels[sample * 600..][..600].iter().map(|&x| scale * f32::from(x)).collect();
            assert_eq!(features.row(sample), expected);
        }
    }
    let error = Raw::new(599).features(&compute(1), &scaled).unwrap_err().to_string();
    assert_eq!(error, "a sample has 600 inputs, the network takes 599");
}

#[test]
fn a_current_that_is_not_a_number_is_not_left_out_of_the_mean() {
    let compute = Compute::new(Some(1), Kernels::best()).unwrap();
    // The first unit's sum is ∞ − ∞, the second one's is 1.
    let layer = Layer::from_rows(2, 17, &{
        let mut rows = [0.0; 34];
        (rows[0], rows[1], rows[17 + 2]) = (3e38, -3e38, 1.0);
        rows
    });
    let mut sample = [0.0; 17];
    (sample[0], sample[1], sample[2]) = (3e38, 3e38, 1.0);
    let error = mean_largest_current(&compute, &layer.unwrap(), &Inputs::f32(&sample, 17).unwrap()).unwrap_err();
    assert!(error.to_string().contains("NaN"), "{error}");
}
