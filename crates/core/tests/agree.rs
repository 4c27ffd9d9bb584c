//! The fast rule against the f64 reference, and against itself on every instruction set and number of threads.

use rivalry_core::{Compute, Inputs, Kernels, Layer, Learner, Random, Rates, Rule, reference};

struct Case {
    hidden: usize,
    inputs: usize,
    batch: usize,
    rule: Rule,
}

/// Random pixels, a third of them blank.
fn pixels(samples: usize, inputs: usize) -> Vec<u8> {
    let mut random = Random::keyed(3, "synthetic", 0);
    let mut pixel = || random.next_u64();
    (0..samples * inputs).map(|_| if pixel() % 3 == 0 { 0 } else { (pixel() >> 32) as u8 }).collect()
}

fn learn(case: &Case, inputs: &Inputs<'_>, threads: usize, kernels: &'static Kernels) -> Vec<f32> {
    let compute = Compute::new(Some(threads), kernels).unwrap();
    let layer = Layer::normal(case.hidden, case.inputs, 1.0, &mut Random::keyed(1, "weights", 0)).unwrap();
    let mut learner = Learner::new(layer, case.rule, case.batch, &compute).unwrap();
    let order: Vec<u32> = (0..inputs.samples() as u32).collect();
    learner.learn(&compute, inputs, &order, Rates::Constant(0.02)).unwrap();
    learner.layer().to_rows()
}

fn cases() -> Vec<Case> {
    let case =
        |hidden, inputs, batch, p, k, delta| Case { hidden, inputs, batch, rule: Rule::new(p, k, delta).unwrap() };
    vec![
        case(20, 49, 10, 2.0, 2, 0.4),
        case(100, 784, 20, 3.0, 7, 0.4),
        case(37, 53, 19, 2.5, 3, 0.3),
        case(9, 17, 5, 4.0, 9, 0.0),
        case(33, 1, 7, 5.0, 2, 0.1),
        case(7, 1040, 4, 3.0, 2, 0.2),
        case(3, 2100, 3, 1.0, 2, 0.2),
    ]
}

#[test]
fn weights_are_those_of_the_reference() {
    for case in cases() {
        let pixels = pixels(6 * case.batch, case.inputs);
        let inputs = Inputs::u8(&pixels, case.inputs).unwrap();
        let layer = Layer::normal(case.hidden, case.inputs, 1.0, &mut Random::keyed(1, "weights", 0)).unwrap();
        let mut exact: Vec<f64> = layer.to_rows().into_iter().map(f64::from).collect();
        for minibatch in pixels.chunks_exact(case.batch * case.inputs) {
            let scaled: Vec<f64> = minibatch.iter().map(|&pixel| f64::from(pixel) / 255.0).collect();
            reference::minibatch(&case.rule, case.inputs, &mut exact, &scaled, 0.02);
        }
        for (fast, exact) in learn(&case, &inputs, 2, Kernels::best()).into_iter().zip(exact) {
            assert!((f64::from(fast) - exact).abs() <= 2e-5, "{fast} for {exact}, rule {:?}", case.rule);
        }
    }
}

#[test]
fn weights_have_the_same_bits_on_every_instruction_set_and_number_of_threads() {
    for case in cases() {
        let pixels = pixels(4 * case.batch, case.inputs);
        let values: Vec<f32> = pixels.iter().map(|&pixel| f32::from(pixel) / 77.0 - 1.0).collect();
        for inputs in [Inputs::u8(&pixels, case.inputs).unwrap(), Inputs::f32(&values, case.inputs).unwrap()] {
            let expected = learn(&case, &inputs, 1, Kernels::named("portable").unwrap());
            for kernels in Kernels::all() {
                for threads in [1, 2, 3, 7] {
                    let found = learn(&case, &inputs, threads, kernels);
                    let same = expected.iter().zip(&found).all(|(a, b)| a.to_bits() == b.to_bits());
                    assert!(same, "{} with {threads} threads, rule {:?}", kernels.name(), case.rule);
                }
            }
        }
    }
}
