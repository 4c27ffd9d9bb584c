//! The operations of a readout against their formulas in f64, within bounds counted in roundings; the same bits everywhere.

mod common;

use common::{ROUNDING, assert_panics, bits, gamma, matrix, normals, wholes};
use rivalry_core::ops::{
    AdamStep, Exponent, NonZeros, PowerLoss, Products, adam, gemm_tn, gemm_tn_adam, power_loss, rectified_power,
};
use rivalry_core::{Kernels, Matrix};

/// Runs an operation in place on every instruction set and returns the result, which must have the same bits on all.
fn on_all(values: &[f32], operation: impl Fn(&Kernels, &mut Matrix)) -> Vec<f32> {
    let mut first: Option<Vec<f32>> = None;
    for kernels in Kernels::all() {
        let mut row = matrix(1, values.len(), values);
        operation(kernels, &mut row);
        let found = row.to_rows();
        let first = first.get_or_insert_with(|| found.clone());
        assert!(bits(first) == bits(&found), "{} differs", kernels.name());
    }
    first.unwrap()
}

#[test]
fn exponents_choose_the_fast_form() {
    assert_eq!(Exponent::new(4.5), Exponent::Halves(9));
    assert_eq!(Exponent::new(0.0), Exponent::Halves(0));
    assert_eq!(Exponent::new(128.0), Exponent::Halves(256));
    for other in [128.5, 4.3, -1.0, 1e-9, 1e30] {
        assert_eq!(Exponent::new(other), Exponent::Real(other));
    }
}

#[test]
fn features_are_powers_of_rectified_scores() {
    let mut scores = normals(1, 997);
    scores.extend([0.0, -0.0, -1e30, 1.0, 1e-3, 7.0]);
    for n in [0.5, 1.0, 1.5, 2.0, 3.0, 4.5, 6.0, 10.0, 12.5, 20.0, 0.3, 4.3, 9.99] {
        for factor in [1.0, 1.878, 0.3] {
            let found = on_all(&scores, |kernels, row| rectified_power(kernels, row, 0..1, factor, Exponent::new(n)));
            for (score, h) in scores.iter().zip(found) {
                let exact = (f64::from(score.max(0.0)) * f64::from(factor)).powf(n);
                // The scaled score is rounded once and enters n times, the product has at most n more, the root 2.
                let bound = gamma(2.0 * n + 3.0) * exact + f64::from(f32::MIN_POSITIVE);
                assert!((f64::from(h) - exact).abs() <= bound, "({score} x {factor})^{n}: {h} for {exact}");
            }
        }
    }
}

#[test]
fn features_at_the_ends_are_0_or_infinite_and_never_nan() {
    let scores = [f32::NEG_INFINITY, -f32::MAX, 0.0, 1e-30, 1e-45, 1e30, f32::MAX, f32::INFINITY];
    for n in [0.5, 1.0, 4.5, 6.0, 40.0, 2.3] {
        let found = on_all(&scores, |kernels, row| rectified_power(kernels, row, 0..1, 1.0, Exponent::new(n)));
        assert!(found.iter().all(|h| *h >= 0.0), "n {n}: {found:?}");
        assert_eq!(found[..3], [0.0; 3]);
        assert_eq!(found[7], f32::INFINITY);
    }
}

/// ∂C/∂s = −t·m·β·|c − t|^m·(1 + t c) by tanh where it cancels little, by its exponential form elsewhere.
fn exact_loss(beta: f64, m: f64, s: f64, t: f64) -> f64 {
    let c = (beta * s).tanh();
    if (beta * s).abs() <= 8.0 {
        m * (c - t).abs().powf(m - 1.0) * (c - t).signum() * (1.0 - c * c) * beta
    } else {
        let e = (-2.0 * (beta * s).abs()).exp();
        let (near, far) = (2.0 * e / (1.0 + e), 2.0 / (1.0 + e));
        let difference = if t * s > 0.0 { near } else { far };
        -t * m * beta * difference.powf(m - 1.0) * (near * far)
    }
}

#[test]
fn the_power_loss_is_within_its_bound_of_f64() {
    let mut sums: Vec<f32> = normals(2, 800).iter().map(|s| 4.0 * s).collect();
    sums.extend(normals(3, 200).iter().map(|s| 60.0 * s));
    sums.extend([0.0, -0.0, 1e-20, -1e-20, 1e-45]);
    let targets: Vec<f32> = (0..sums.len()).map(|i| if i % 3 == 0 { 1.0 } else { -1.0 }).collect();
    let target_row = matrix(1, targets.len(), &targets);
    for beta in [0.01_f32, 0.1, 1.0, 6.0] {
        for m in [1.0_f32, 1.5, 2.0, 4.0, 4.3, 6.0, 10.0] {
            let loss = PowerLoss { beta, m, exponent: Exponent::new(f64::from(m)) };
            let found = on_all(&sums, |kernels, row| power_loss(kernels, loss, row, &target_row));
            let (beta, m) = (f64::from(beta), f64::from(m));
            for ((s, t), found) in sums.iter().zip(&targets).zip(found) {
                let exact = exact_loss(beta, m, f64::from(*s), f64::from(*t));
                // E carries 3 roundings of its exponent x and 6 of its polynomial; d^m·d·E carries E and d m + 1 times.
                let x = (2.0 * beta * f64::from(*s)).abs();
                let of_e = 3.0 * x.min(88.0) + 6.0;
                let relative = gamma((m + 2.0) * (of_e + 3.0) + 4.0);
                // Where E is clamped to 2^±126 the derivative is below this.
                let clamped = m * beta * m.exp2() * (-123.0_f64).exp2();
                // Where d^m is below 2⁻⁶⁰ it is 0, and d·E is at most 2.
                let flushed = if found == 0.0 { 2.0 * m * beta * (-60.0_f64).exp2() } else { 0.0 };
                let absolute = clamped + flushed;
                let bound = relative * exact.abs() + absolute;
                let place = format!("beta {beta}, m {m}, s {s}, t {t}");
                assert!((f64::from(found) - exact).abs() <= bound, "{place}: {found} for {exact}, bound {bound}");
            }
        }
    }
}

#[test]
fn the_power_loss_of_a_saturated_tanh_is_finite() {
    let ends = [1e3, 1e10, 1e30, f32::MAX, f32::INFINITY, 1e-30, 1e-45, 0.0];
    let sums: Vec<f32> = ends.iter().flat_map(|end| [*end, -*end, *end, -*end]).collect();
    let targets: Vec<f32> = (0..sums.len()).map(|i| if i % 4 < 2 { 1.0 } else { -1.0 }).collect();
    let target_row = matrix(1, targets.len(), &targets);
    for beta in [0.01, 1.0, 1e6] {
        for m in [1.0, 2.0, 4.3, 6.0, 7.5, 40.0] {
            let loss = PowerLoss { beta, m, exponent: Exponent::new(f64::from(m)) };
            let found = on_all(&sums, |kernels, row| power_loss(kernels, loss, row, &target_row));
            for ((s, t), found) in sums.iter().zip(&targets).zip(found) {
                assert!(found.is_finite() && found * t <= 0.0, "beta {beta}, m {m}, s {s}, t {t}: {found}");
                // Far out there is nothing to learn from: neither if right nor, tanh being flat, if wrong.
                let flat = f64::from(beta) * f64::from(s.abs()) > 50.0;
                assert!(
                    !flat || found.abs() <= 1e-20 * beta * m * m.exp2(),
                    "beta {beta}, m {m}, s {s}, t {t}: {found}"
                );
            }
        }
    }
}

#[test]
fn the_gradient_is_the_sum_over_examples_in_order() {
    for classes in 1..=11 {
        for (batch, features, stride) in
            [(1, 1, 1), (2, 16, 5), (5, 17, 5), (7, 63, 7), (3, 100, 9), (4, 130, 4), (0, 20, 2)]
        {
            let which: Vec<u32> = (0..batch as u32).map(|example| (example * 5 + 1) % 8).collect();
            for integers in [true, false] {
                let (h, deltas) = if integers {
                    (wholes(1, 8 * features, 99), wholes(2, classes * stride, 99))
                } else {
                    (normals(1, 8 * features), normals(2, classes * stride))
                };
                let h = matrix(8, features, &h);
                for kernels in Kernels::all() {
                    let mut out = matrix(classes, features, &vec![f32::NAN; classes * features]);
                    let panel = h.panel(0, 8).gather(&which);
                    gemm_tn(kernels, &matrix(classes, stride, &deltas), panel, &mut out);
                    for class in 0..classes {
                        let (mut size, deltas) = (0.0, &deltas[class * stride..][..batch]);
                        for (feature, found) in out.row(class).iter().enumerate() {
                            let (mut expected, mut exact) = (0.0_f32, 0.0_f64);
                            for (delta, example) in deltas.iter().zip(&which) {
                                let h = h.row(*example as usize)[feature];
                                expected = delta.mul_add(h, expected);
                                exact += f64::from(*delta) * f64::from(h);
                                size += f64::from(*delta * h).abs();
                            }
                            assert_eq!(found.to_bits(), expected.to_bits(), "{}, {classes} classes", kernels.name());
                            let bound = if integers { 0.0 } else { gamma(batch as f64) * size };
                            assert!((f64::from(*found) - exact).abs() <= bound, "{}: {found}", kernels.name());
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn adam_is_within_its_bound_of_f64() {
    let (rows, columns) = (3, 53);
    let count = rows * columns;
    let (w, g, first) = (normals(1, count), normals(2, count), normals(3, count));
    let second: Vec<f32> = normals(4, count).iter().map(|v| v * v).collect();
    for (time, rate, epsilon) in [(1, 1e-3, 1e-8), (2, 4e-3, 1e-8), (1000, 1e-5, 1e-2)] {
        // At the first step the moments are zero.
        let keep = if time == 1 { 0.0 } else { 1.0 };
        let step = AdamStep {
            first_decay: 0.9,
            second_decay: 0.999,
            rate: (rate / (1.0 - 0.9_f64.powi(time))) as f32,
            correction: (1.0 / (1.0 - 0.999_f64.powi(time))) as f32,
            epsilon,
        };
        let mut results = Vec::new();
        for kernels in Kernels::all() {
            let start = |values: &[f32], keep: f32| {
                matrix(rows, columns, &values.iter().map(|value| keep * value).collect::<Vec<_>>())
            };
            let (mut w, mut first, mut second) = (start(&w, 1.0), start(&first, keep), start(&second, keep));
            adam(kernels, step, &start(&g, 1.0), [&mut first, &mut second], &mut w);
            results.push([first.to_rows(), second.to_rows(), w.to_rows()]);
        }
        for result in &results {
            assert!((0..3).all(|part| bits(&result[part]) == bits(&results[0][part])), "instruction sets differ");
        }
        let [new_first, new_second, new_w] = &results[0];
        for i in 0..count {
            let [w, g, first, second] = [w[i], g[i], keep * first[i], keep * second[i]].map(f64::from);
            let [b1, b2, rate, correction, epsilon] =
                [step.first_decay, step.second_decay, step.rate, step.correction, step.epsilon].map(f64::from);
            let (m, v) = (b1 * first + (1.0 - b1) * g, b2 * second + (1.0 - b2) * g * g);
            let size = (b1 * first).abs() + ((1.0 - b1) * g).abs();
            assert!((f64::from(new_first[i]) - m).abs() <= gamma(2.0) * size, "first moment {}: {m}", new_first[i]);
            assert!((f64::from(new_second[i]) - v).abs() <= gamma(3.0) * v, "second moment {}: {v}", new_second[i]);
            let root = (v * correction).sqrt() + epsilon;
            // m has 2 roundings of its parts, the product 1, the root (3 + 1) / 2 + 1, the sum 1, the quotient 1.
            let bound = gamma(8.0) * rate * size / root + ROUNDING * f64::from(new_w[i]).abs();
            let exact = w - rate * m / root;
            assert!((f64::from(new_w[i]) - exact).abs() <= bound, "step {time}: {} for {exact}", new_w[i]);
        }
    }
}

#[test]
fn moments_that_nothing_renews_end_at_0_and_never_become_subnormal() {
    let step = AdamStep { first_decay: 0.9, second_decay: 0.999, rate: 1e-3, correction: 1.0, epsilon: 1e-8 };
    for kernels in Kernels::all() {
        for gradient in [0.0, 1e-20, -1e-44] {
            let g = matrix(1, 20, &[gradient; 20]);
            let mut all = [matrix(1, 20, &[0.5; 20]), matrix(1, 20, &[1e-3; 20]), matrix(1, 20, &[1e-6; 20])];
            for _ in 0..100_000 {
                let [w, first, second] = &mut all;
                adam(kernels, step, &g, [first, second], w);
                let subnormal = |row: &[f32]| row.iter().any(|number| number.is_subnormal());
                assert!(!all.iter().any(|matrix| subnormal(matrix.row(0))), "{}", kernels.name());
            }
            assert!(all[1].row(0).iter().chain(all[2].row(0)).all(|moment| *moment == 0.0), "{}", kernels.name());
            assert!(all[0].row(0).iter().all(|w| w.is_finite() && *w < 0.5), "{}", kernels.name());
        }
    }
}

#[test]
fn descending_has_the_bits_of_a_gradient_and_a_step_of_adam() {
    let step = AdamStep { first_decay: 0.9, second_decay: 0.999, rate: 0.01, correction: 1.7, epsilon: 1e-8 };
    for (classes, features, batch) in [(1, 1, 1), (3, 20, 4), (10, 130, 7), (80, 64, 100), (7, 1040, 33)] {
        // Some features of some examples are zero, among them some whole blocks.
        let mut examples = normals(1, batch * features);
        for (i, x) in examples.iter_mut().enumerate() {
            let (example, block) = (i / features, i % features / 64);
            *x = if (example + block).is_multiple_of(3) || i.is_multiple_of(5) { 0.0 } else { *x };
        }
        let (examples, deltas) =
            (matrix(batch, features, &examples), matrix(classes, batch, &normals(2, classes * batch)));
        let mut nonzeros = NonZeros::new(batch, features);
        nonzeros.record(examples.panel(0, batch));
        let count = classes * features;
        let second: Vec<f32> = normals(5, count).iter().map(|v| v * v).collect();
        let fresh = || [normals(3, count), normals(4, count), second.clone()].map(|v| matrix(classes, features, &v));
        for kernels in Kernels::all() {
            let ([mut w, mut first, mut second], mut gradients) = (fresh(), Matrix::zeros(classes, features));
            gemm_tn(kernels, &deltas, examples.panel(0, batch), &mut gradients);
            adam(kernels, step, &gradients, [&mut first, &mut second], &mut w);
            for nonzeros in [None, Some(&nonzeros)] {
                let [mut found, mut found_first, mut found_second] = fresh();
                let products = Products { deltas: &deltas, examples: examples.panel(0, batch), nonzeros };
                gemm_tn_adam(kernels, products, step, [&mut found_first, &mut found_second], &mut found);
                for (expected, found) in [(&w, found), (&first, found_first), (&second, found_second)] {
                    let place = format!("{}: {classes} x {features}, batch {batch}", kernels.name());
                    assert_eq!(bits(&found.to_rows()), bits(&expected.to_rows()), "{place}");
                }
            }
        }
    }
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let kernels = Kernels::best();
    let loss = PowerLoss { beta: 1.0, m: 6.0, exponent: Exponent::Halves(12) };
    for shape in [(1, 33), (2, 32), (3, 33)] {
        let targets = Matrix::zeros(shape.0, shape.1);
        assert_panics("other targets", || power_loss(kernels, loss, &mut Matrix::zeros(2, 33), &targets));
    }
    let mut scores = Matrix::zeros(2, 5);
    assert_panics("a row behind the end", || rectified_power(kernels, &mut scores, 1..3, 1.0, Exponent::Halves(2)));

    let h = Matrix::zeros(4, 20);
    let run = |deltas: Matrix, rows, columns| {
        gemm_tn(kernels, &deltas, h.panel(0, 4), &mut Matrix::zeros(rows, columns));
    };
    run(Matrix::zeros(3, 4), 3, 20);
    run(Matrix::zeros(3, 9), 3, 20);
    assert_panics("fewer deltas than examples", || run(Matrix::zeros(3, 3), 3, 20));
    assert_panics("other classes", || run(Matrix::zeros(3, 4), 2, 20));
    assert_panics("another width", || run(Matrix::zeros(3, 4), 3, 33));

    let step = AdamStep { first_decay: 0.9, second_decay: 0.999, rate: 0.1, correction: 1.0, epsilon: 1e-8 };
    let good = (3, 20);
    let run = |shapes: [(usize, usize); 4]| {
        let [g, mut first, mut second, mut w] = shapes.map(|(rows, columns)| Matrix::zeros(rows, columns));
        adam(kernels, step, &g, [&mut first, &mut second], &mut w);
    };
    let run_at_once = |[first, second, w]: [(usize, usize); 3]| {
        let [mut first, mut second, mut w] = [first, second, w].map(|(rows, columns)| Matrix::zeros(rows, columns));
        let deltas = Matrix::zeros(3, 4);
        let products = Products { deltas: &deltas, examples: h.panel(0, 4), nonzeros: None };
        gemm_tn_adam(kernels, products, step, [&mut first, &mut second], &mut w);
    };
    run([good; 4]);
    run_at_once([good; 3]);
    for wrong in [(2, 20), (4, 20), (3, 16), (3, 40), (3, 19)] {
        for place in 0..4 {
            let mut shapes = [good; 4];
            shapes[place] = wrong;
            assert_panics(&format!("matrix {place} of shape {wrong:?}"), || run(shapes));
        }
        for place in 0..3 {
            let mut shapes = [good; 3];
            shapes[place] = wrong;
            assert_panics(&format!("matrix {place} of shape {wrong:?}, at once"), || run_at_once(shapes));
        }
    }
}

#[test]
fn the_non_zeros_of_other_examples_are_refused() {
    let step = AdamStep { first_decay: 0.9, second_decay: 0.999, rate: 0.1, correction: 1.0, epsilon: 1e-8 };
    let (ones, deltas) = (matrix(9, 70, &[1.0; 630]), matrix(2, 9, &[1.0; 18]));
    let run = |recorded: Option<(&Matrix, usize)>, kernels: &Kernels| {
        let mut nonzeros = NonZeros::new(9, 140);
        if let Some((examples, rows)) = recorded {
            nonzeros.record(examples.panel(0, rows));
        }
        let [mut first, mut second, mut weights] = [(); 3].map(|()| Matrix::zeros(2, 70));
        let products = Products { deltas: &deltas, examples: ones.panel(0, 5), nonzeros: Some(&nonzeros) };
        gemm_tn_adam(kernels, products, step, [&mut first, &mut second], &mut weights);
        first.to_rows()
    };
    for kernels in Kernels::all() {
        assert!(run(Some((&ones, 5)), kernels).iter().all(|moment| *moment > 0.49), "{}", kernels.name());
        // With those of fewer examples, the gradient would leave out the rest in silence.
        assert_panics("fewer examples", || _ = run(Some((&ones, 4)), kernels));
        assert_panics("more examples", || _ = run(Some((&ones, 6)), kernels));
        assert_panics("another width", || _ = run(Some((&Matrix::zeros(9, 140), 5)), kernels));
        assert_panics("nothing recorded", || _ = run(None, kernels));
    }
}

#[test]
fn nan_stays_nan() {
    // Any NaN will do: they are made alike, so that instruction sets can be compared.
    let alike = |row: &mut Matrix| row.row_mut(0).iter_mut().filter(|x| x.is_nan()).for_each(|x| *x = f32::NAN);
    let values = [f32::NAN, 1.0, -f32::NAN];
    for n in [0.5, 1.0, 4.5, 2.3] {
        let found = on_all(&values, |kernels, row| {
            rectified_power(kernels, row, 0..1, 1.0, Exponent::new(n));
            alike(row);
        });
        assert!(found[0].is_nan() && found[1] == 1.0 && found[2].is_nan(), "n {n}: {found:?}");
    }
    let (loss, targets) = (PowerLoss { beta: 1.0, m: 6.0, exponent: Exponent::new(6.0) }, matrix(1, 3, &[1.0; 3]));
    let found = on_all(&values, |kernels, row| {
        power_loss(kernels, loss, row, &targets);
        alike(row);
    });
    assert!(found[0].is_nan() && found[1].is_finite() && found[2].is_nan(), "{found:?}");
}
