//! Every error with its exact text, one line each, and the hint that goes with it.

use rivalry_core::{Compute, Error, Inputs, Kernels, Layer, Learner, Random, Rates, Rule};

/// Asserts the text of an error: one line, lower case.
fn assert_error<T>(result: Result<T, Error>, text: &str) {
    match result {
        Ok(_) => panic!("no error for: {text}"),
        Err(error) => {
            assert_eq!(error.to_string(), text);
            assert!(!text.contains('\n') && !error.hint().is_some_and(|hint| hint.contains('\n')));
        }
    }
}

fn random() -> Random {
    Random::keyed(1, "weights", 0)
}

#[test]
fn rules() {
    for (p, found) in [(0.5, "0.5"), (f64::NAN, "NaN"), (f64::INFINITY, "inf"), (-3.0, "-3")] {
        assert_error(Rule::new(p, 2, 0.4), &format!("p is {found}, but must be a finite number of at least 1"));
    }
    for k in [0, 1] {
        assert_error(Rule::new(3.0, k, 0.4), &format!("k is {k}, but must be a rank of at least 2"));
    }
    for (delta, found) in [(-0.1, "-0.1"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        let text = format!("delta is {found}, but must be a finite number of at least 0");
        assert_error(Rule::new(3.0, 2, delta), &text);
    }
    assert!(Rule::new(3.0, 2, 1e39).is_err());
    assert_eq!(Rule::new(1.0, 2, 0.0).map(|rule| (rule.p(), rule.k(), rule.delta())), Ok((1.0, 2, 0.0)));
}

#[test]
fn layers() {
    let none = "hidden is 0, but must be 1 to 2147483648 units";
    assert_error(Layer::normal(0, 3, 1.0, &mut random()), none);
    assert_error(Layer::from_rows(0, 3, &[]), none);
    let many = "hidden is 2147483649, but must be 1 to 2147483648 units";
    assert_error(Layer::normal((1 << 31) + 1, 3, 1.0, &mut random()), many);
    assert_error(Layer::normal(3, 0, 1.0, &mut random()), "inputs is 0, but must be at least 1");
    assert_error(Layer::from_rows(3, 0, &[]), "inputs is 0, but must be at least 1");
    for (sigma, found) in [(-1.0, "-1"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        let text = format!("init_sigma is {found}, but must be a finite number of at least 0");
        assert_error(Layer::normal(3, 3, sigma, &mut random()), &text);
    }
    let text = "weights: 5 given, but 2 x 3 numbers needed";
    assert_error(Layer::from_rows(2, 3, &[0.0; 5]), text);
    let text = format!("hidden x inputs is 2147483648 x {}, but must be at most 4294967296 weights in all", usize::MAX);
    assert_error(Layer::from_rows(1 << 31, usize::MAX, &[]), &text);
    let text = "a weight is NaN at unit 1, input 2, but must be a finite number";
    assert_error(Layer::from_rows(2, 3, &[0.0, 0.0, 0.0, 0.0, 0.0, f32::NAN]), text);
    let text = "a weight is -inf at unit 0, input 1, but must be a finite number";
    assert_error(Layer::from_rows(2, 3, &[0.0, f32::NEG_INFINITY, f32::NAN, 0.0, 0.0, 0.0]), text);
    assert_eq!(Layer::normal(1, 1, 0.0, &mut random()).unwrap().to_rows(), [0.0]);
}

#[test]
fn inputs() {
    assert_error(Inputs::u8(&[0; 12], 5), "inputs: 12 given, but a multiple of 5 elements needed");
    assert_error(Inputs::f32(&[0.0; 12], 5), "inputs: 12 given, but a multiple of 5 elements needed");
    assert_error(Inputs::u8(&[0; 12], 0), "inputs: 0 given, but at least 1 in an example needed");
    assert_error(Inputs::f32(&[], 0), "inputs: 0 given, but at least 1 in an example needed");
    let text = "an input is inf at sample 1, input 2, but must be a finite number";
    assert_error(Inputs::f32(&[0.0, 0.0, 0.0, 0.0, 0.0, f32::INFINITY], 3), text);
    assert_eq!(Inputs::u8(&[], 3).unwrap().samples(), 0);

    let view = Inputs::u8(&[1; 12], 4).unwrap();
    assert_error(view.with_scales(&[1.0; 2]), "scales: 2 given, but 3 needed");
    for (scale, found) in [(-0.5, "-0.5"), (f32::NAN, "NaN"), (f32::INFINITY, "inf")] {
        let text = format!("scale of an example is {found}, but must be a finite number of at least 0");
        assert_error(view.with_scales(&[1.0, scale, 1.0]), &text);
    }
}

#[test]
fn learners() {
    let [one, two] = [1, 2].map(|threads| Compute::new(Some(threads), Kernels::best()).unwrap());
    let layer = Layer::normal(5, 4, 1.0, &mut random()).unwrap();
    let new = |k, batch| Learner::new(layer.clone(), Rule::new(3.0, k, 0.4).unwrap(), batch, &two);
    assert_error(new(6, 3), "k is 6, but must be at most the 5 hidden units");
    assert_error(new(5, 0), "batch is 0, but must be 1 to 1073741824 examples");
    assert_error(new(5, (1 << 30) + 1), "batch is 1073741825, but must be 1 to 1073741824 examples");

    let mut learner = new(5, 3).unwrap();
    let bytes = [7; 24];
    let (inputs, wide) = (Inputs::u8(&bytes, 4).unwrap(), Inputs::u8(&bytes, 6).unwrap());
    let order = [0, 1, 2, 3, 4, 5];
    let rate = Rates::Constant(0.1);
    let result = learner.learn(&two, &wide, &order, rate);
    assert_error(result, "inputs of an example: 6 given, but 4 needed");
    assert_error(learner.learn(&one, &inputs, &order, rate), "threads: 1 given, but 2 needed");
    let result = learner.learn(&two, &inputs, &order[..2], rate);
    assert_error(result, "examples: 2 given, but at least one minibatch of 3 examples needed");
    let result = learner.learn(&two, &inputs, &[0, 1, 6], rate);
    assert_error(result, "sample is 6, but must be below 6");
    // One in the remainder that would be dropped is no less wrong.
    assert_error(learner.learn(&two, &inputs, &[0, 1, 2, 9], rate), "sample is 9, but must be below 6");
    let result = learner.learn(&two, &inputs, &order, Rates::PerMinibatch(&[0.1; 3]));
    assert_error(result, "rates: 3 given, but 2 needed");
    for (rate, found) in [(-0.1, "-0.1"), (f32::NAN, "NaN"), (f32::INFINITY, "inf")] {
        let text = format!("rate is {found}, but must be a finite number of at least 0");
        assert_error(learner.learn(&two, &inputs, &order, Rates::Constant(rate)), &text);
        assert_error(learner.learn(&two, &inputs, &order, Rates::PerMinibatch(&[0.1, rate])), &text);
    }
    assert_eq!(learner.layer().to_rows(), layer.to_rows(), "an error taught something");
    assert_eq!(learner.wins(), [0; 5]);
    assert!(learner.learn(&two, &inputs, &order, rate).is_ok());
    assert_eq!((learner.hidden(), learner.inputs(), learner.batch()), (5, 4, 3));
}

#[test]
fn numbers_of_threads() {
    assert_error(Compute::new(Some(0), Kernels::best()), "the number of threads is 0, but must be 1 to 1024");
    assert_error(Compute::new(Some(1025), Kernels::best()), "the number of threads is 1025, but must be 1 to 1024");
    assert!(Compute::new(None, Kernels::best()).unwrap().threads() >= 1);
    let refused = Error::Threads { threads: 9, found: "Resource temporarily unavailable".into() };
    let text = "cannot start 9 threads: Resource temporarily unavailable";
    assert_error::<()>(Err(refused), text);
}

#[test]
fn instruction_sets() {
    let here: Vec<&str> = Kernels::all().iter().map(|kernels| kernels.name()).collect();
    for name in ["mmx", "", "AVX2", "avx512 "] {
        let text = format!("this machine has no instruction set {name}, only {}", here.join(", "));
        assert_error(Kernels::named(name), &text);
    }
}

#[test]
fn hints() {
    let hint = |error: Error| error.hint();
    assert_eq!(hint(Rule::new(0.0, 2, 0.0).unwrap_err()), None);
    let shape = "arrays are row-major: [hidden, inputs] for weights, [samples, inputs] for inputs";
    assert_eq!(hint(Inputs::u8(&[0; 3], 2).unwrap_err()).as_deref(), Some(shape));
    let isa = "`auto` picks the fastest instruction set of this machine";
    assert_eq!(hint(Kernels::named("mmx").unwrap_err()).as_deref(), Some(isa));
    let threads = Error::Threads { threads: 9, found: String::new() };
    assert_eq!(hint(threads).as_deref(), Some("ask for fewer threads"));
}

#[test]
fn numbers_that_leave_the_range_of_f32_are_an_error_and_leave_the_weights_alone() {
    for (weight, input, p) in [(1e10, 1.0, 5.0), (1.0, 3e38, 2.0), (1e19, 1.0, 3.0)] {
        for threads in [1, 2] {
            let compute = Compute::new(Some(threads), Kernels::best()).unwrap();
            let rows = [weight; 4 * 40];
            let layer = Layer::from_rows(4, 40, &rows).unwrap();
            let mut learner = Learner::new(layer, Rule::new(p, 2, 0.4).unwrap(), 2, &compute).unwrap();
            let values = [input; 2 * 40];
            let inputs = Inputs::f32(&values, 40).unwrap();
            let error = learner.learn(&compute, &inputs, &[0, 1], Rates::Constant(0.1)).unwrap_err();
            let expected = "weights leave the range of f32 in minibatch 0";
            assert_eq!(error.to_string(), expected, "p = {p}");
            assert_eq!(learner.layer().to_rows(), rows);
        }
    }
}

#[test]
fn weights_that_a_rate_would_take_out_of_the_range_of_f32_are_an_error_and_are_left_alone() {
    // rate / max |ds| beyond f32; a weight that its largest change would take beyond f32; the same two steps later.
    for (weights, x, rate, learned) in
        [([0.5, -0.5], 1e-33, 3e38, 0), ([3e38, -3e38], 1e-30, 3e38, 0), ([2e37, -2e37], 1e-30, 1.7e38, 2)]
    {
        for threads in [1, 2, 3] {
            let compute = Compute::new(Some(threads), Kernels::best()).unwrap();
            let layer = Layer::from_rows(2, 1, &weights).unwrap();
            let mut learner = Learner::new(layer, Rule::new(1.0, 2, 0.0).unwrap(), 1, &compute).unwrap();
            let values = [x; 4];
            let inputs = Inputs::f32(&values, 1).unwrap();
            let outcome = learner.learn(&compute, &inputs, &[0, 1, 2, 3], Rates::Constant(rate));
            assert_eq!(outcome, Err(Error::Overflow { minibatch: learned }), "{weights:?}");
            let found = learner.layer().to_rows();
            assert!(found.iter().all(|w| w.is_finite()), "{found:?}");
            assert_eq!(found == weights, learned == 0);
        }
    }
}
