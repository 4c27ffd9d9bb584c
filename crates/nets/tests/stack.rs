//! Stacks of layers against plain loops in f64.

use rivalry_core::{Compute, Inputs, Kernels, Layer, Random};
use rivalry_nets::{Encoder, FeatureSpec, LayerEncoder, ReadoutOn, StackEncoder};

fn compute(threads: usize, kernels: &'static Kernels) -> Compute {
    Compute::new(Some(threads), kernels).unwrap()
}

/// v of each layer in f64.
fn naive(layers: &[(Layer, FeatureSpec)], sample: &[f32]) -> Vec<Vec<f64>> {
    let mut below: Vec<f64> = sample.iter().map(|&x| f64::from(x)).collect();
    let mut all = Vec::new();
    for (layer, spec) in layers {
        let current =
            |unit| -> f64 { layer.row(unit).iter().zip(&below).map(|(&w, x): (&f32, &f64)| f64::from(w) * x).sum() };
        let h: Vec<f64> =
            (0..layer.hidden()).map(|unit| (current(unit).max(0.0) / spec.current_scale).powf(spec.power_n)).collect();
        let length = h.iter().map(|h| h * h).sum::<f64>().sqrt();
        below = h.iter().map(|h| if length > 0.0 { h / length } else { 0.0 }).collect();
        all.push(below.clone());
    }
    all
}

#[test]
fn a_stack_computes_its_layers_one_after_another() {
    let mut random = Random::keyed(7, "stack", 0);
    // More samples than pass at once, and one that drives nothing.
    let samples = 4100;
    let mut values: Vec<f32> = (0..samples * 12).map(|_| random.normal() as f32).collect();
    values[24..36].fill(0.0);
    let inputs = Inputs::f32(&values, 12).unwrap();
    let layer = |hidden, inputs, power_n, current_scale, random: &mut Random| {
        (Layer::normal(hidden, inputs, 0.5, random).unwrap(), FeatureSpec { power_n, current_scale })
    };
    let layers = [layer(20, 12, 2.0, 1.5, &mut random), layer(33, 20, 1.0, 0.5, &mut random)];
    let stack = |on| {
        let encoders = layers.clone().map(|(layer, spec)| LayerEncoder::new(layer, spec).unwrap());
        let [first, second] = encoders;
        StackEncoder::new(first).with_layer(second).unwrap().reading(on)
    };
    let best = compute(2, Kernels::best());
    let all = stack(ReadoutOn::All).features(&best, &inputs).unwrap();
    let top = stack(ReadoutOn::Top).features(&best, &inputs).unwrap();
    assert_eq!((all.columns(), top.columns()), (53, 33));
    assert_eq!(all.row(2), [0.0; 53]);
    for sample in [0, 1, 2, 4095, 4096, 4099] {
        let expected = naive(&layers, &values[sample * 12..][..12]).concat();
        for (found, expected) in all.row(sample).iter().zip(&expected) {
            assert!((f64::from(*found) - expected).abs() <= 1e-5, "{found} for {expected}");
        }
        assert_eq!(&all.row(sample)[20..], top.row(sample));
    }
    let some = inputs.range(0..50);
    for kernels in Kernels::all() {
        for threads in [1, 2, 3] {
            let found = stack(ReadoutOn::All).features(&compute(threads, kernels), &some).unwrap();
            assert!(found.to_rows() == all.to_rows()[..50 * 53], "{} x {threads}", kernels.name());
        }
    }
    let wrong = LayerEncoder::new(layers[0].0.clone(), layers[0].1).unwrap();
    let error = stack(ReadoutOn::Top).with_layer(wrong).unwrap_err();
    assert_eq!(error.to_string(), "the layer has 12 inputs, the one below has 33 units");
}
