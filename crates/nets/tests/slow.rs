//! The slow learner against its definition in f64 and against the cases of other programs.

mod cases;

use rivalry_core::{Compute, Inputs, Kernels, Layer, Random, Rates, reference};
use rivalry_nets::{HStarOf, Labelled, Learner, SlowLearner, SlowSpec};

fn spec() -> SlowSpec {
    SlowSpec {
        inputs: 40,
        hidden: 24,
        p: 3.0,
        delta: 0.4,
        w_inh: 0.9,
        h_star: 0.5,
        h_star_of: HStarOf::Max,
        batch: 10,
        init_sigma: 0.3,
    }
}

#[test]
fn weights_are_those_of_the_cases() {
    for case in cases::cases("slow") {
        let &[hidden, inputs] = &case.shape("weights")[..] else { panic!("{}", case.name) };
        let h_star_of = match case.settings["h_star_of"].as_str() {
            Some("max") => HStarOf::Max,
            Some("value") => HStarOf::Value,
            other => panic!("{other:?}"),
        };
        let spec = SlowSpec {
            inputs,
            hidden,
            p: case.number("p"),
            delta: case.number("delta"),
            w_inh: case.number("w_inh"),
            h_star: case.number("h_star"),
            h_star_of,
            batch: case.size("batch"),
            init_sigma: 1.0,
        };
        let pixels = case.bytes("inputs");
        let values = if pixels.is_some() { Vec::new() } else { case.f32("inputs") };
        let inputs = match &pixels {
            Some(pixels) => Inputs::u8(pixels, spec.inputs).unwrap(),
            None => Inputs::f32(&values, spec.inputs).unwrap(),
        };
        let order: Vec<u32> = (0..inputs.samples() as u32).collect();
        let layer = Layer::from_rows(spec.hidden, spec.inputs, &case.f32("weights")).unwrap();
        let mut learner = SlowLearner::from_layer(spec, layer).unwrap();
        let compute = Compute::new(Some(2), Kernels::best()).unwrap();
        learner.learn(&compute, &inputs, &order, Rates::PerMinibatch(&case.f32("rates"))).unwrap();
        case.assert_close("weights", &learner.layer().to_rows(), 2e-5);
    }
}

/// One minibatch in f64 with plain loops and the dynamics integrated.
fn naive(spec: &SlowSpec, weights: &mut [f64], examples: &[f64], rate: f64) {
    let power = |w: f64| w.signum() * w.abs().powf(spec.p - 1.0);
    let mut change = vec![0.0; weights.len()];
    for x in examples.chunks_exact(spec.inputs) {
        let current = |w: &[f64]| w.iter().zip(x).map(|(w, x)| power(*w) * x).sum::<f64>();
        let currents: Vec<f64> = weights.chunks_exact(spec.inputs).map(current).collect();
        let h = reference::hidden_dynamics(&currents, spec.w_inh, 0.05, 20_000);
        let largest = h.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let threshold = spec.h_star * if spec.h_star_of == HStarOf::Max { largest } else { 1.0 };
        for (unit, &h) in h.iter().enumerate() {
            let g = if h > 0.0 && h >= threshold {
                1.0
            } else if h >= 0.0 && h < threshold {
                -spec.delta
            } else {
                0.0
            };
            let own = unit * spec.inputs..(unit + 1) * spec.inputs;
            for ((ds, x), w) in change[own.clone()].iter_mut().zip(x).zip(&weights[own]) {
                *ds += g * (x - currents[unit] * w);
            }
        }
    }
    let largest = change.iter().fold(1e-30_f64, |largest, ds| largest.max(ds.abs()));
    weights.iter_mut().zip(change).for_each(|(w, ds)| *w += rate * ds / largest);
}

#[test]
fn weights_are_those_of_the_definition_in_f64() {
    let compute = Compute::new(Some(2), Kernels::best()).unwrap();
    let mut random = Random::keyed(3, "slow", 0);
    let base = spec();
    for (p, w_inh, h_star, h_star_of) in [
        (2.0, 0.3, 0.8, HStarOf::Value),
        (3.0, 0.9, 0.5, HStarOf::Max),
        (2.5, 0.5, 0.7, HStarOf::Max),
        (4.0, 0.1, 0.5, HStarOf::Max),
        (3.0, 1.5, 0.5, HStarOf::Max),
        (2.0, 2.0, 9.0, HStarOf::Value),
    ] {
        let spec = SlowSpec { p, w_inh, h_star, h_star_of, ..base };
        let values: Vec<f32> = (0..30 * spec.inputs).map(|_| random.normal() as f32).collect();
        let mut learner = SlowLearner::new(spec, &mut random).unwrap();
        let mut expected: Vec<f64> = learner.layer().to_rows().iter().map(|&w| f64::from(w)).collect();
        let order: Vec<u32> = (0..30).collect();
        let rates = [0.04, 0.03, 0.02];
        let inputs = Inputs::f32(&values, spec.inputs).unwrap();
        learner.learn(&compute, &inputs, &order, Rates::PerMinibatch(&rates)).unwrap();
        let exact: Vec<f64> = values.iter().map(|&x| f64::from(x)).collect();
        for (minibatch, rate) in exact.chunks_exact(10 * spec.inputs).zip(rates) {
            naive(&spec, &mut expected, minibatch, f64::from(rate));
        }
        for (found, expected) in learner.layer().to_rows().iter().zip(&expected) {
            let difference = (f64::from(*found) - expected).abs();
            assert!(difference <= 1e-5, "p {p}, w_inh {w_inh}: {found} for {expected}");
        }
    }
}

#[test]
fn units_that_learn_are_counted() {
    let compute = Compute::new(Some(2), Kernels::best()).unwrap();
    // One input, three units with currents 1, 0.9 and −1: for w_inh = 0.5, S = 1.9/1.5, so both positive ones are active with
    // h = 0.733 and 0.533.
    let spec = SlowSpec { inputs: 1, hidden: 3, p: 2.0, w_inh: 0.5, h_star: 0.9, batch: 2, ..spec() };
    let layer = Layer::from_rows(3, 1, &[0.9, 1.0, -1.0]).unwrap();
    let mut learner = SlowLearner::from_layer(spec, layer).unwrap();
    let data = Labelled::unlabelled(Inputs::f32(&[1.0; 5], 1).unwrap());
    learner.epoch(&compute, &data, &[0, 1, 2, 3, 4], 0.0).unwrap();
    let expected = [
        ("on_sphere", 2.0),
        ("negative_units", 1.0),
        ("silent_units", 2.0),
        ("active", 2.0),
        ("hebbian", 1.0),
        ("anti_hebbian", 1.0),
    ];
    assert_eq!(learner.diagnostics(), expected);
    // The fifth sample is less than a minibatch.
    assert_eq!(learner.wins(), [0, 4, 0]);
    assert_eq!(learner.state().counter("examples").unwrap(), 4);
}

#[test]
fn what_cannot_be_learned_is_refused_with_a_sentence() {
    let error =
        |spec: SlowSpec| SlowLearner::new(spec, &mut Random::keyed(1, "weights", 0)).expect_err("an error").to_string();
    assert_eq!(error(SlowSpec { w_inh: -0.1, ..spec() }), "w_inh = -0.1 is not a finite number of at least 0");
    assert_eq!(error(SlowSpec { h_star: f64::NAN, ..spec() }), "h_star = NaN is not a finite number of at least 0");
    assert_eq!(error(SlowSpec { batch: 0, ..spec() }), "batch = 0 is not from 1 to 1048576");
    assert_eq!(error(SlowSpec { p: 0.5, ..spec() }), "p is 0.5, but must be a finite number of at least 1");
    assert_eq!(error(SlowSpec { delta: -1.0, ..spec() }), "delta is -1, but must be a finite number of at least 0");

    let compute = Compute::new(Some(2), Kernels::best()).unwrap();
    let mut learner = SlowLearner::new(spec(), &mut Random::keyed(1, "weights", 0)).unwrap();
    let before = learner.state();
    let values = vec![1.0; 20 * 40];
    let inputs = Inputs::f32(&values, 40).unwrap();
    let order: Vec<u32> = (0..20).collect();
    let mut error = |inputs: &Inputs<'_>, order: &[u32], rates: Rates<'_>| {
        let error = learner.learn(&compute, inputs, order, rates).unwrap_err().to_string();
        assert!(learner.state() == before, "{error}");
        error
    };
    assert_eq!(error(&inputs, &order[..9], Rates::Constant(0.1)), "9 samples are fewer than a minibatch of 10");
    assert_eq!(error(&inputs, &order, Rates::PerMinibatch(&[0.1])), "2 minibatches have 1 rates");
    assert!(error(&inputs, &order, Rates::Constant(f32::NAN)).starts_with("the learning rate NaN"));
    assert!(error(&inputs.range(0..10), &order, Rates::Constant(0.1)).starts_with("the order names sample 10"));
    let narrow = Inputs::f32(&values, 20).unwrap();
    assert_eq!(error(&narrow, &order, Rates::Constant(0.1)), "a sample has 20 inputs, the network takes 40");

    // Currents beyond f32: the weights stay as they were before that minibatch.
    let huge = vec![f32::MAX; 20 * 40];
    let huge = Inputs::f32(&huge, 40).unwrap();
    let error = learner.learn(&compute, &huge, &order, Rates::Constant(0.1)).unwrap_err();
    assert_eq!(error.to_string(), "weights leave the range of f32 in minibatch 0");
    assert_eq!(learner.state().tensors["weights"], before.tensors["weights"]);
}
