//! The controls: a layer that learned nothing, and no layer.

use rivalry_core::{Compute, Inputs, Kernels, Layer, Random};
use rivalry_nets::{Features, random_layer};

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
        assert!(error.to_string().starts_with("p: expected a finite number of at least 1"), "{error}");
    }
    assert!(random_layer(0, 5, 2.0, &mut Random::keyed(4, "weights", 0)).is_err());
}

#[test]
fn inputs_are_features_for_any_number_of_threads() {
    // Wider than one block of columns, so that several workers own some.
    let pixels: Vec<u8> = (0..3 * 600).map(|i| (i * 31 % 256) as u8).collect();
    let inputs = Inputs::u8(&pixels, 600).unwrap();
    let scales = inputs.unit_length_scales();
    let scaled = inputs.with_scales(&scales).unwrap();
    for kernels in Kernels::all() {
        for threads in [1, 2, 5] {
            let features = Features::of_inputs(&Compute::new(Some(threads), kernels).unwrap(), &scaled);
            assert_eq!((features.samples(), features.hidden()), (3, 600));
            for (sample, &scale) in scales.iter().enumerate() {
                let expected: Vec<f32> = pixels[sample * 600..][..600].iter().map(|&x| scale * f32::from(x)).collect();
                assert_eq!(features.row(sample), expected);
            }
        }
    }
}
