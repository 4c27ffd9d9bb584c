//! Stacks of layers against plain loops in f64.

use rivalry_core::{Compute, Engine, Inputs, Kernels, Layer, Random, Rule};
use rivalry_nets::{
    Encoder, FastLearner, FastSpec, FeatureSpec, Labelled, LayerEncoder, Learner, ReadoutOn, StackEncoder, StackLayer,
    StackLearner, StackSpec,
};

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

fn spec(epochs: u32) -> StackSpec {
    // Every layer by settings of its own.
    let layer = |units: usize, p: f64, k: usize, power_n: f64| {
        let rule = Rule::new(p, k, 0.1).unwrap().with_balance(Some(1.0)).unwrap();
        StackLayer { units, rule, power_n }
    };
    let (layers, engine) = (vec![layer(20, 3.0, 2, 1.0), layer(12, 2.0, 3, 2.0), layer(7, 2.5, 2, 3.0)], Engine::Auto);
    StackSpec { inputs: 9, layers, batch: 10, init_sigma: 1.0, engine, epochs, current_scale: None }
}

fn learned(spec: StackSpec, data: &Labelled<'_>, stops: &[u32], threads: usize) -> StackLearner {
    let all = spec.epochs * spec.layers.len() as u32;
    let compute = compute(threads, Kernels::best());
    let mut learner = StackLearner::new(spec.clone(), &mut Random::keyed(1, "weights", 0)).unwrap();
    for epoch in 0..all {
        if stops.contains(&epoch) {
            let state = learner.state();
            learner = StackLearner::new(spec.clone(), &mut Random::keyed(2, "other", 0)).unwrap();
            learner.restore(&state).unwrap();
        }
        let order = Random::keyed(1, "order", epoch).order(data.inputs.samples());
        learner.epoch(&compute, data, &order, 0.02).unwrap();
    }
    learner
}

#[test]
fn layers_learn_one_after_another_and_go_on_from_a_state_with_the_same_bits() {
    let pixels: Vec<u8> = (0..200 * 9).map(|i| (i * 31 % 256) as u8).collect();
    let data = Labelled::unlabelled(Inputs::u8(&pixels, 9).unwrap());
    let whole = learned(spec(2), &data, &[], 1);
    for (stops, threads) in [(vec![], 2), (vec![1, 2, 3, 4, 5], 1), (vec![2, 4], 3)] {
        assert_eq!(learned(spec(2), &data, &stops, threads).state(), whole.state(), "{stops:?} {threads}");
    }
    // The lowest layer is the one that learns alone.
    let StackSpec { inputs, layers, batch, init_sigma, engine, .. } = spec(2);
    let alone = FastSpec { inputs, hidden: 20, rule: layers[0].rule, batch, init_sigma, engine };
    let mut alone = FastLearner::new(alone, &mut Random::keyed(1, "weights", 0)).unwrap();
    let compute = compute(1, Kernels::best());
    for epoch in 0..2 {
        alone.epoch(&compute, &data, &Random::keyed(1, "order", epoch).order(200), 0.02).unwrap();
    }
    assert_eq!(whole.state().f32("weights.1", &[20, 9]).unwrap(), alone.layer().to_rows());
    let shapes = whole.stack().unwrap().layers().iter().map(|layer| (layer.width(), layer.spec().power_n));
    assert_eq!(shapes.collect::<Vec<_>>(), [(20, 1.0), (12, 2.0), (7, 3.0)]);
    let mut done = whole;
    let error = done.epoch(&compute, &data, &[0], 0.1).unwrap_err().to_string();
    assert_eq!(error, "every layer of the stack has learned all its epochs");
    let error = done.restore(&Default::default()).unwrap_err().to_string();
    assert_eq!(error, "the state has no counter `stack_epochs`");
    assert!(StackLearner::new(spec(0), &mut Random::keyed(1, "weights", 0)).is_err());
}
