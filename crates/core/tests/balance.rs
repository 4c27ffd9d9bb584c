//! The anti-Hebbian balance: against f64, and to the bit on every instruction set, engine and number of threads, also over a
//! checkpoint.

mod common;

use common::{bits, pixels};
use rivalry_core::{
    BalanceCounts, Compute, Engine, Error, Inputs, Kernels, Layer, Learner, Random, Rates, Rule, reference,
};

const HIDDEN: usize = 40;
const INPUTS: usize = 90;
const BATCH: usize = 15;
const MINIBATCHES: usize = 8;

/// (p, k, Δ, balance): from a balance that refuses nearly every anti-Hebbian update to one that allows all.
const CASES: [(f64, usize, f64, f32); 5] =
    [(3.0, 7, 0.6, 1.0), (2.0, 2, 0.4, 0.3), (2.5, 3, 0.4, 2.5), (3.0, 2, 0.9, 1e-3), (3.0, 7, 0.6, 1e6)];

fn rule((p, k, delta, balance): (f64, usize, f64, f32)) -> Rule {
    Rule::new(p, k, delta).unwrap().with_balance(Some(balance)).unwrap()
}

fn start() -> Layer {
    Layer::normal(HIDDEN, INPUTS, 1.0, &mut Random::keyed(1, "weights", 0)).unwrap()
}

/// Learns all minibatches in calls of `each`, each by a learner made from the weights and counts of the one before.
fn learn(rule: Rule, compute: &Compute, engine: Engine, inputs: &Inputs<'_>, each: usize) -> (Vec<u32>, BalanceCounts) {
    let order: Vec<u32> = (0..inputs.samples() as u32).collect();
    let new = |layer: Layer| Learner::new(layer, rule, BATCH, compute).unwrap().with_engine(engine);
    let mut learner = new(start());
    for order in order.chunks(each * BATCH) {
        learner = new(learner.layer()).with_balance_counts(&learner.balance_counts().unwrap()).unwrap();
        learner.learn(compute, inputs, order, Rates::Constant(0.03)).unwrap();
    }
    (bits(&learner.layer().to_rows()), learner.balance_counts().unwrap())
}

#[test]
fn weights_and_counts_are_those_of_the_reference() {
    let images = pixels(2, MINIBATCHES * BATCH * INPUTS);
    let inputs = Inputs::u8(&images, INPUTS).unwrap();
    for case in CASES {
        let rule = rule(case);
        let (found, counts) = learn(rule, &Compute::new(Some(2), Kernels::best()).unwrap(), Engine::Auto, &inputs, 100);
        let mut exact: Vec<f64> = start().to_rows().into_iter().map(f64::from).collect();
        let mut expected = BalanceCounts { wins: vec![1.0; HIDDEN], pushes: vec![0.0; HIDDEN] };
        for minibatch in images.chunks_exact(BATCH * INPUTS) {
            let scaled: Vec<f64> = minibatch.iter().map(|&pixel| f64::from(pixel) / 255.0).collect();
            reference::balanced_minibatch(&rule, INPUTS, &mut exact, &mut expected, &scaled, 0.03);
        }
        assert_eq!(counts, expected, "{rule:?}");
        for (found, exact) in found.into_iter().map(f32::from_bits).zip(exact) {
            assert!((f64::from(found) - exact).abs() <= 2e-5, "{found} for {exact}, {rule:?}");
        }
    }
}

#[test]
fn weights_and_counts_have_the_same_bits_on_all_hardware_and_over_checkpoints() {
    let images = pixels(3, MINIBATCHES * BATCH * INPUTS);
    let inputs = Inputs::u8(&images, INPUTS).unwrap();
    for case in CASES {
        let rule = rule(case);
        let one = Compute::new(Some(1), Kernels::best()).unwrap();
        let expected = learn(rule, &one, Engine::Dense, &inputs, MINIBATCHES);
        for kernels in Kernels::all() {
            for threads in [1, 2, 3, 7] {
                let compute = Compute::new(Some(threads), kernels).unwrap();
                for engine in [Engine::Dense, Engine::Screened] {
                    for each in [1, 3, MINIBATCHES] {
                        let found = learn(rule, &compute, engine, &inputs, each);
                        let what = format!("{}, {threads} threads, {engine:?}, {each} a call", kernels.name());
                        assert!(found == expected, "{what}, {rule:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_balance_that_allows_every_push_has_the_bits_of_the_rule_without() {
    let images = pixels(4, MINIBATCHES * BATCH * INPUTS);
    let inputs = Inputs::u8(&images, INPUTS).unwrap();
    let compute = Compute::new(Some(2), Kernels::best()).unwrap();
    let order: Vec<u32> = (0..inputs.samples() as u32).collect();
    let learned = |balance| {
        let rule = Rule::new(3.0, 7, 0.4).unwrap().with_balance(balance).unwrap();
        let mut learner = Learner::new(start(), rule, BATCH, &compute).unwrap();
        learner.learn(&compute, &inputs, &order, Rates::Constant(0.03)).unwrap();
        bits(&learner.layer().to_rows())
    };
    assert!(learned(None) == learned(Some(1e6)));
    assert!(learned(None) != learned(Some(1e-3)));
}

#[test]
fn a_minibatch_that_is_not_learned_is_not_counted() {
    let layer = Layer::from_rows(2, 1, &[1.0, 0.5]).unwrap();
    let rule = Rule::new(2.0, 2, 0.4).unwrap().with_balance(Some(1.0)).unwrap();
    let values = [1.0, 1.0, 3e38, 3e38];
    let inputs = Inputs::f32(&values, 1).unwrap();
    let compute = Compute::new(Some(2), Kernels::best()).unwrap();
    let mut learner = Learner::new(layer, rule, 2, &compute).unwrap();
    learner.learn(&compute, &inputs, &[0, 1], Rates::Constant(0.01)).unwrap();
    let before = learner.balance_counts();
    let outcome = learner.learn(&compute, &inputs, &[2, 3], Rates::Constant(0.01));
    assert_eq!(outcome, Err(Error::Overflow { minibatch: 0 }));
    assert_eq!(learner.balance_counts(), before);
}

#[test]
fn what_does_not_fit_is_refused() {
    for balance in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let error = Rule::new(3.0, 2, 0.4).unwrap().with_balance(Some(balance)).unwrap_err();
        let expected = format!("balance is {balance}, but must be a finite number above 0");
        assert_eq!(error.to_string(), expected);
    }
    let compute = Compute::new(Some(2), Kernels::best()).unwrap();
    let learner = |balance| {
        let rule = Rule::new(3.0, 2, 0.4).unwrap().with_balance(balance).unwrap();
        Learner::new(start(), rule, BATCH, &compute).unwrap()
    };
    let counts = |wins, pushes| BalanceCounts { wins: vec![wins; HIDDEN], pushes: vec![pushes; HIDDEN - 1] };
    assert_eq!(learner(None).balance_counts(), None);
    assert!(matches!(learner(None).with_balance_counts(&counts(1.0, 0.0)), Err(Error::Shape { what: "wins", .. })));
    let short = learner(Some(1.0)).with_balance_counts(&counts(1.0, 0.0));
    assert!(matches!(short, Err(Error::Shape { what: "pushes", .. })));
    let negative = learner(Some(1.0)).with_balance_counts(&counts(-1.0, 0.0));
    assert!(matches!(negative, Err(Error::Value { what: "wins", .. })));
}
