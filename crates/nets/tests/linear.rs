//! Ridge and squared-hinge SVM against their conditions of optimality in f64.

use rivalry_core::{Compute, Inputs, Kernels, Matrix, Random};
use rivalry_nets::{Classifier, Labelled, LinearReadout, NormalEquations, SvmSpec};

const CLASSES: usize = 3;

fn compute(threads: usize, kernels: &'static Kernels) -> Compute {
    Compute::new(Some(threads), kernels).unwrap()
}

/// Samples of three overlapping classes with different means and lengths of features.
fn data(samples: usize, width: usize) -> (Matrix, Vec<u8>) {
    let mut random = Random::keyed(6, "linear", 0);
    let mut features = Matrix::zeros(samples, width);
    let labels: Vec<u8> = (0..samples).map(|_| (random.next_u64() % CLASSES as u64) as u8).collect();
    for (row, &label) in features.rows_mut().zip(&labels) {
        let common = random.normal();
        for (i, x) in row.iter_mut().enumerate() {
            let class = if i % CLASSES == usize::from(label) { 0.3 } else { 0.0 };
            *x = ((random.normal() + 0.5 * common + class) * (0.5 + (i % 7) as f64 / 7.0) + (i % 5) as f64) as f32;
        }
    }
    (features, labels)
}

fn equations(compute: &Compute, data: &Labelled<'_>) -> NormalEquations {
    let mut equations = NormalEquations::new(data.inputs.inputs(), CLASSES).unwrap();
    equations.add(compute, data).unwrap();
    equations
}

/// ½∇ of 1/n Σ loss + λ‖W‖² for each class, the bias last; `slope(t s)` is ½ ∂loss/∂(t s).
fn gradient(
    readout: &LinearReadout,
    features: &Matrix,
    labels: &[u8],
    lambda: f64,
    slope: impl Fn(f64) -> f64,
) -> Vec<f64> {
    let (width, samples) = (features.columns(), features.rows());
    let state = readout.state();
    let weights = state.f32("readout", &[CLASSES, width]).unwrap();
    let bias = state.f32("readout_bias", &[CLASSES]).unwrap();
    let mut gradient = Vec::new();
    for class in 0..CLASSES {
        let w = &weights[class * width..][..width];
        let mut own: Vec<f64> = w.iter().map(|&w| lambda * f64::from(w)).chain([0.0]).collect();
        for (sample, &label) in labels.iter().enumerate() {
            let x = features.row(sample);
            let t = if usize::from(label) == class { 1.0 } else { -1.0 };
            let s: f64 =
                w.iter().zip(x).map(|(&w, &x)| f64::from(w) * f64::from(x)).sum::<f64>() + f64::from(bias[class]);
            let r = t * slope(t * s) / samples as f64;
            own.iter_mut().zip(x).for_each(|(sum, &x)| *sum += r * f64::from(x));
            own[width] += r;
        }
        gradient.extend(own);
    }
    gradient
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |largest, value| if value.abs() <= largest { largest } else { value.abs() })
}

#[test]
fn the_gradient_vanishes_at_the_solutions() {
    let compute = compute(2, Kernels::best());
    // More than one block of features and of samples, and a part of one.
    for (samples, width) in [(700, 300), (256, 17), (2500, 40)] {
        let (features, labels) = data(samples, width);
        let data = Labelled { inputs: Inputs::matrix(&features).unwrap(), labels: &labels };
        let equations = equations(&compute, &data);
        for lambda in [0.01, 1.0] {
            let ridge = equations.ridge(lambda).unwrap();
            let found = largest(&gradient(&ridge, &features, &labels, lambda, |ts| ts - 1.0));
            assert!(found <= 2e-4, "ridge, {samples} x {width}, lambda {lambda}: {found:e}");
            let spec = SvmSpec { lambda, steps: 200 };
            let svm = equations.svm(&compute, &data, spec).unwrap();
            let hinge = |ts: f64| -(1.0 - ts).max(0.0);
            let found = largest(&gradient(&svm, &features, &labels, lambda, hinge));
            assert!(found <= 2e-4, "svm, {samples} x {width}, lambda {lambda}: {found:e}");
            // With a large penalty hardly any t s exceeds 1, and both losses are the same.
            let other = largest(&gradient(&ridge, &features, &labels, lambda, hinge));
            assert!(lambda >= 1.0 || other > 1e-3, "{samples} x {width}: {other:e}");
            assert!(svm.errors(&compute, &data).unwrap() < samples / 2);
        }
    }
}

#[test]
fn the_bits_do_not_depend_on_threads_kernels_or_the_division_into_blocks() {
    let (features, labels) = data(1100, 270);
    let solve = |compute: &Compute, parts: &[usize], rows: Option<&[f32]>| {
        let inputs = match rows {
            Some(rows) => Inputs::f32(rows, 270).unwrap(),
            None => Inputs::matrix(&features).unwrap(),
        };
        let mut equations = NormalEquations::new(270, CLASSES).unwrap();
        for ends in parts.windows(2) {
            let (inputs, labels) = (inputs.range(ends[0]..ends[1]), &labels[ends[0]..ends[1]]);
            equations.add(compute, &Labelled { inputs, labels }).unwrap();
        }
        let data = Labelled { inputs, labels: &labels };
        let svm = equations.svm(compute, &data, SvmSpec { lambda: 0.05, steps: 5 }).unwrap();
        let mut scores = Matrix::zeros(1100, CLASSES);
        svm.scores(compute, &inputs, &mut scores).unwrap();
        (equations.ridge(0.05).unwrap().state(), svm.state(), scores.to_rows())
    };
    let expected = solve(&compute(1, Kernels::named("portable").unwrap()), &[0, 1100], None);
    for kernels in Kernels::all() {
        for threads in [1, 2, 3] {
            let compute = compute(threads, kernels);
            assert!(solve(&compute, &[0, 1100], None) == expected, "{} x {threads}", kernels.name());
        }
    }
    let best = compute(2, Kernels::best());
    assert!(solve(&best, &[0, 256, 1024, 1100], None) == expected);
    assert!(solve(&best, &[0, 512, 1100], Some(&features.to_rows())) == expected);
}

#[test]
fn a_readout_comes_back_from_its_state() {
    let compute = compute(2, Kernels::best());
    let (features, labels) = data(300, 20);
    let data = Labelled { inputs: Inputs::matrix(&features).unwrap(), labels: &labels };
    let ridge = equations(&compute, &data).ridge(0.1).unwrap();
    let restored = LinearReadout::from_state(&ridge.state(), 20, CLASSES).unwrap();
    assert_eq!(restored.state(), ridge.state());
    assert_eq!(restored.predict(&compute, &data.inputs).unwrap(), ridge.predict(&compute, &data.inputs).unwrap());
    assert!(LinearReadout::from_state(&ridge.state(), 19, CLASSES).is_err());
}

#[test]
fn what_cannot_be_solved_is_refused_with_a_sentence() {
    let compute = compute(1, Kernels::best());
    let (features, labels) = data(30, 4);
    let data = Labelled { inputs: Inputs::matrix(&features).unwrap(), labels: &labels };
    let solved = equations(&compute, &data);
    assert_eq!(solved.ridge(0.0).unwrap_err().to_string(), "lambda = 0 is not a finite number above 0");
    assert!(solved.ridge(f64::NAN).is_err());
    let empty = NormalEquations::new(4, CLASSES).unwrap();
    assert_eq!(empty.ridge(1.0).unwrap_err().to_string(), "there are no samples to solve for");
    let fewer = Labelled { inputs: data.inputs.range(0..20), labels: &labels[..20] };
    let error = solved.svm(&compute, &fewer, SvmSpec { lambda: 1.0, steps: 1 }).unwrap_err();
    assert_eq!(error.to_string(), "20 samples are given, the equations are those of 30");
    let error = solved.svm(&compute, &data, SvmSpec { lambda: 1.0, steps: 0 }).unwrap_err();
    assert_eq!(error.to_string(), "the number of steps = 0 is not from 1 to 1048576");
    let mut equations = NormalEquations::new(4, 2).unwrap();
    let error = equations.add(&compute, &data).unwrap_err().to_string();
    assert!(error.starts_with("label 2 at sample"), "{error}");
    assert_eq!(equations.samples(), 0);
    // Two features that are the same cannot be told apart without a penalty that f32 can hold.
    let mut twins = Matrix::zeros(30, 2);
    for (i, row) in twins.rows_mut().enumerate() {
        row.fill(1000.0 * i as f32);
    }
    let mut equations = NormalEquations::new(2, CLASSES).unwrap();
    equations.add(&compute, &Labelled { inputs: Inputs::matrix(&twins).unwrap(), labels: &labels }).unwrap();
    assert_eq!(equations.ridge(1e-9).unwrap_err().hint().unwrap(), "raise lambda");
    assert!(LinearReadout::new(&[1.0; 5], vec![0.0; 2]).is_err());
    assert!(LinearReadout::new(&[f32::NAN; 4], vec![0.0; 2]).is_err());
}
