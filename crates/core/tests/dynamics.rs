//! The operations of networks whose units have dynamics, against their formulas in f64; the same bits everywhere.

mod common;

use common::{assert_panics, bits, matrix, normals, wholes};
use rivalry_core::ops::{ClippedStep, NonZeros, Products, clipped_step, gemm_nn, gemm_tn, gemm_tn_add};
use rivalry_core::ops::{logistic, logistic_change};
use rivalry_core::{Kernels, Matrix};

fn phi(v: f64) -> f64 {
    1.0 / (1.0 + (-v).exp())
}

/// Potentials around 0, and far away from it.
fn potentials() -> Vec<f32> {
    let mut values: Vec<f32> = normals(1, 1003).iter().map(|v| 6.0 * v).collect();
    values.extend([0.0, -0.0, 1e-30, 17.0, -17.0, 80.0, -80.0, 1e30, -1e30]);
    values
}

#[test]
fn the_logistic_function_is_that_of_f64_with_the_same_bits_everywhere() {
    let values = potentials();
    let mut first: Option<Vec<f32>> = None;
    for kernels in Kernels::all() {
        let mut rates = Matrix::zeros(1, values.len());
        logistic(kernels, &matrix(1, values.len(), &values), 0..1, &mut rates);
        for (&v, &rate) in values.iter().zip(rates.row(0)) {
            assert!((f64::from(rate) - phi(f64::from(v))).abs() <= 1e-7, "phi({v}) = {rate}");
        }
        let first = first.get_or_insert_with(|| rates.to_rows());
        assert_eq!(bits(first), bits(&rates.to_rows()), "{}", kernels.name());
    }
}

#[test]
fn changes_of_the_logistic_function_keep_the_accuracy_of_what_caused_them() {
    let values: Vec<f32> = normals(1, 600).iter().map(|v| 4.0 * v).collect();
    for size in [1e-30, 1e-9, 1e-4, 0.1, 1.0, 5.0] {
        let moves: Vec<f32> = normals(2, values.len()).iter().map(|d| size * d).collect();
        let mut first: Option<[Vec<f32>; 2]> = None;
        for kernels in Kernels::all() {
            let (mut changes, mut rates) = (matrix(1, moves.len(), &moves), Matrix::zeros(1, moves.len()));
            logistic_change(kernels, &matrix(1, values.len(), &values), 0..1, &mut changes, &mut rates);
            for (i, (&v, &d)) in values.iter().zip(&moves).enumerate() {
                let (v, d) = (f64::from(v), f64::from(d));
                let (rate, change) = (f64::from(rates.row(0)[i]), f64::from(changes.row(0)[i]));
                assert!((rate - phi(v + d)).abs() <= 2e-7, "phi({v} + {d}) = {rate}");
                let exact = -(-d).exp_m1() * phi(v + d) * phi(-v);
                assert!(
                    (change - exact).abs() <= 5e-6 * exact.abs(),
                    "phi({v} + {d}) - phi({v}) = {change}, not {exact}"
                );
            }
            let found = [changes.to_rows(), rates.to_rows()];
            let first = first.get_or_insert_with(|| found.clone());
            assert!((0..2).all(|i| bits(&first[i]) == bits(&found[i])), "{}", kernels.name());
        }
    }
}

#[test]
fn extreme_potentials_give_finite_rates() {
    for kernels in Kernels::all() {
        let values = [0.0, 100.0, -100.0, 1e30, -1e30];
        for d in [0.0, 1.0, -1.0, 200.0, -200.0, 1e30, -1e30] {
            let (mut changes, mut rates) = (matrix(1, 5, &[d; 5]), Matrix::zeros(1, 5));
            logistic_change(kernels, &matrix(1, 5, &values), 0..1, &mut changes, &mut rates);
            assert!(rates.row(0).iter().all(|rate| (0.0..=1.0).contains(rate)), "{d}: {rates:?}");
            assert!(changes.row(0).iter().all(|change| (-1.001..=1.001).contains(change)), "{d}: {changes:?}");
        }
    }
}

#[test]
fn clipped_steps_are_those_of_the_formula() {
    for columns in [1, 15, 16, 17, 33, 500] {
        let [state, drive, bias] = [1, 2, 3].map(|seed| normals(seed, columns));
        let state: Vec<f32> = state.iter().map(|s| s.clamp(0.0, 1.0)).collect();
        let step = ClippedStep { epsilon: 0.5, leak: 1.25 };
        let mut first: Option<(Vec<f32>, f32)> = None;
        for kernels in Kernels::all() {
            let [state, drive, bias] = [&state, &drive, &bias].map(|values| matrix(1, columns, values));
            let mut next = matrix(2, columns, &vec![7.0; 2 * columns]);
            let largest = clipped_step(kernels, step, [(&state, 0), (&drive, 0), (&bias, 0)], (&mut next, 1));
            let mut expected_largest = 0.0_f64;
            for i in 0..columns {
                let [s, drive, bias] = [&state, &drive, &bias].map(|matrix| f64::from(matrix.row(0)[i]));
                let expected = (s + 0.5 * (drive + bias - 1.25 * s)).clamp(0.0, 1.0);
                assert!((f64::from(next.row(1)[i]) - expected).abs() <= 1e-6);
                expected_largest = expected_largest.max((expected - s).abs());
            }
            assert!((f64::from(largest) - expected_largest).abs() <= 1e-6);
            assert_eq!(next.row(0), vec![7.0; columns]);
            let found = (next.to_rows(), largest);
            let first = first.get_or_insert_with(|| found.clone());
            assert!(bits(&first.0) == bits(&found.0) && first.1 == found.1, "{}", kernels.name());
        }
    }
}

#[test]
fn added_gradients_are_gradients_and_an_addition() {
    for (classes, features, batch) in [(1, 1, 1), (3, 20, 4), (11, 130, 7), (80, 64, 100), (7, 1040, 33)] {
        let mut examples = wholes(1, batch * features, 9);
        // Some examples are zero in some blocks of 64 features.
        for (i, x) in examples.iter_mut().enumerate() {
            *x = if (i / features + i % features / 64).is_multiple_of(3) { 0.0 } else { *x };
        }
        let (examples, before) = (matrix(batch, features, &examples), wholes(3, classes * features, 9));
        let deltas = matrix(batch, classes, &wholes(2, batch * classes, 9));
        let mut nonzeros = NonZeros::new(batch, features);
        nonzeros.record(examples.panel(0, batch));
        let mut transposed = Matrix::zeros(classes, batch);
        for class in 0..classes {
            (0..batch).for_each(|example| transposed.row_mut(class)[example] = deltas.row(example)[class]);
        }
        for kernels in Kernels::all() {
            let mut expected = Matrix::zeros(classes, features);
            gemm_tn(kernels, &transposed, examples.panel(0, batch), &mut expected);
            for nonzeros in [None, Some(&nonzeros)] {
                let mut found = matrix(classes, features, &before);
                let products = Products { deltas: &deltas, examples: examples.panel(0, batch), nonzeros };
                // In two parts, of which neither touches the rows of the other.
                gemm_tn_add(kernels, products, 0..classes / 2, &mut found);
                let rest = &found.to_rows()[classes / 2 * features..];
                assert_eq!(bits(rest), bits(&before[classes / 2 * features..]));
                gemm_tn_add(kernels, products, classes / 2..classes, &mut found);
                for (i, (found, change)) in found.to_rows().iter().zip(expected.to_rows()).enumerate() {
                    assert_eq!(*found, before[i] + change, "{}: {classes} x {features}", kernels.name());
                }
            }
        }
    }
}

#[test]
fn products_with_parts_of_a_matrix_have_the_bits_of_one_with_the_whole() {
    for (rows, inner, columns) in [(1, 1, 1), (5, 33, 17), (20, 100, 130), (7, 500, 64)] {
        let (left, right) = (
            matrix(rows + 1, inner, &normals(1, (rows + 1) * inner)),
            matrix(inner, columns, &normals(2, inner * columns)),
        );
        let mut first: Option<Vec<f32>> = None;
        for kernels in Kernels::all() {
            for split in [0, inner / 3, inner] {
                let mut out = matrix(rows + 1, columns, &vec![3.0; (rows + 1) * columns]);
                gemm_nn(kernels, &left, [rows, 0], right.panel(0, split), &mut out);
                gemm_nn(kernels, &left, [rows, split], right.panel(split, inner - split), &mut out);
                assert_eq!(out.row(rows), vec![3.0; columns], "a row too many");
                for row in 0..rows {
                    for column in 0..columns {
                        let terms = (0..inner).map(|i| f64::from(left.row(row)[i]) * f64::from(right.row(i)[column]));
                        let exact = 3.0 + terms.sum::<f64>();
                        assert!((f64::from(out.row(row)[column]) - exact).abs() <= 1e-4);
                    }
                }
                let first = first.get_or_insert_with(|| out.to_rows());
                assert_eq!(bits(first), bits(&out.to_rows()), "{}, split at {split}", kernels.name());
            }
        }
    }
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let kernels = Kernels::best();
    let add = |deltas: (usize, usize), examples: usize, rows: std::ops::Range<usize>| {
        let (deltas, examples) = (Matrix::zeros(deltas.0, deltas.1), Matrix::zeros(examples, 20));
        let products = Products { deltas: &deltas, examples: examples.panel(0, examples.rows()), nonzeros: None };
        gemm_tn_add(kernels, products, rows, &mut Matrix::zeros(3, 20));
    };
    add((4, 3), 4, 0..3);
    add((4, 3), 2, 3..3);
    assert_panics("fewer deltas than examples", || add((3, 3), 4, 0..3));
    assert_panics("other classes", || add((4, 2), 4, 0..2));
    assert_panics("a row too many", || add((4, 3), 4, 1..4));
    let multiply = |left: (usize, usize), rows: usize, first: usize, out: (usize, usize)| {
        let (left, mut out) = (Matrix::zeros(left.0, left.1), Matrix::zeros(out.0, out.1));
        gemm_nn(kernels, &left, [rows, first], Matrix::zeros(5, 20).panel(0, 5), &mut out);
    };
    multiply((2, 8), 2, 3, (2, 20));
    assert_panics("too few columns", || multiply((2, 8), 2, 4, (2, 20)));
    assert_panics("too few rows", || multiply((2, 8), 3, 0, (3, 20)));
    assert_panics("too few rows of the result", || multiply((2, 8), 2, 0, (1, 20)));
    assert_panics("another width", || multiply((2, 8), 2, 0, (2, 40)));
    let [one, two] = [20, 21].map(|columns| Matrix::zeros(1, columns));
    assert_panics("other rates", || logistic(kernels, &one, 0..1, &mut two.clone()));
    assert_panics("other changes", || logistic_change(kernels, &one, 0..1, &mut two.clone(), &mut one.clone()));
    let step = ClippedStep { epsilon: 0.5, leak: 1.0 };
    assert_panics("another drive", || {
        _ = clipped_step(kernels, step, [(&one, 0), (&two, 0), (&one, 0)], (&mut one.clone(), 0));
    });
}
