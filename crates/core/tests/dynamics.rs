//! The operations of networks whose units have dynamics, against their formulas in f64; the same bits everywhere.

mod common;

use common::{assert_panics, bits, matrix, normals, wholes};
use rivalry_core::ops::{ClippedStep, NonZeroInputs, Received, clipped_step, learn, receive};
use rivalry_core::ops::{logistic, logistic_change};
use rivalry_core::{Kernels, Matrix, Strips};

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

/// Numbers of a matrix, some of whose groups of eight columns are zero.
fn sparse(rows: usize, columns: usize) -> Vec<f32> {
    let mut values = wholes(1, rows * columns, 9);
    for (i, x) in values.iter_mut().enumerate() {
        *x = if (i / columns + i % columns / 8).is_multiple_of(3) || i % columns / 8 == 1 { 0.0 } else { *x };
    }
    values
}

fn strips(inputs: usize, units: usize, rows: &[f32]) -> Strips {
    let mut strips = Strips::zeros(inputs, units);
    strips.set_all(rows.iter().copied());
    strips
}

#[test]
fn units_receive_the_sum_of_all_terms_and_zeros_may_be_left_out() {
    for (examples, inputs, units) in [(1, 1, 1), (3, 20, 40), (10, 130, 33), (23, 64, 100)] {
        let x = matrix(examples, inputs, &sparse(examples, inputs));
        let more = matrix(examples, 5, &wholes(4, examples * 5, 9));
        let [weights, others] = [inputs, 5].map(|inputs| strips(inputs, units, &wholes(2, inputs * units, 9)));
        let mut nonzeros = NonZeroInputs::new(examples, inputs);
        nonzeros.record(x.panel(0, examples));
        for kernels in Kernels::all() {
            for nonzeros in [None, Some(&nonzeros)] {
                let first = Received { nonzeros, ..Received::from(x.panel(0, examples), &weights) };
                let terms = [first, Received::from(more.panel(0, examples), &others)];
                let mut out = matrix(examples + 1, units + 16, &vec![7.0; (examples + 1) * (units + 16)]);
                receive(kernels, &terms, units.div_ceil(16), &mut out, 16);
                assert_eq!(out.row(examples), vec![7.0; units + 16], "a row too many");
                for example in 0..examples {
                    assert_eq!(out.row(example)[..16], [7.0; 16], "columns before");
                    for unit in 0..units {
                        let products = |x: &Matrix, w: &Strips| -> f32 {
                            x.row(example).iter().zip(w.unit(unit)).map(|(x, w)| x * w).sum()
                        };
                        let expected = products(&x, &weights) + products(&more, &others);
                        assert_eq!(out.row(example)[16 + unit], expected, "{}", kernels.name());
                    }
                }
            }
        }
    }
}

#[test]
fn what_units_receive_has_the_same_bits_everywhere_and_however_inputs_are_divided() {
    let (examples, inputs, units) = (13, 500, 70);
    let x = matrix(examples, inputs, &normals(1, examples * inputs));
    let weights = normals(2, inputs * units);
    let whole = strips(inputs, units, &weights);
    let part = |range: std::ops::Range<usize>| {
        let rows = (0..units).flat_map(|unit| weights[unit * inputs..][range.clone()].to_vec()).collect::<Vec<f32>>();
        let own: Vec<f32> = (0..examples).flat_map(|row| x.row(row)[range.clone()].to_vec()).collect();
        (matrix(examples, range.len(), &own), strips(range.len(), units, &rows))
    };
    let parts = [part(0..160), part(160..192), part(192..500)];
    let mut first: Option<Vec<f32>> = None;
    for kernels in Kernels::all() {
        let terms: Vec<Received<'_>> = parts.iter().map(|(x, w)| Received::from(x.panel(0, examples), w)).collect();
        for terms in [vec![Received::from(x.panel(0, examples), &whole)], terms] {
            let mut out = Matrix::zeros(examples, units);
            receive(kernels, &terms, 5, &mut out, 0);
            let exact =
                x.row(7).iter().zip(&weights[11 * inputs..]).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum::<f64>();
            assert!((f64::from(out.row(7)[11]) - exact).abs() < 1e-4);
            let first = first.get_or_insert_with(|| out.to_rows());
            assert_eq!(bits(first), bits(&out.to_rows()), "{}, {} terms", kernels.name(), terms.len());
        }
    }
}

#[test]
fn clipped_steps_are_those_of_the_formula() {
    for units in [1, 15, 16, 17, 33, 500] {
        let (examples, inputs) = (7, 20);
        let states: Vec<f32> = normals(1, (examples + 2) * units).iter().map(|s| s.clamp(0.0, 1.0)).collect();
        let states = matrix(examples + 2, units, &states);
        let x = matrix(examples, inputs, &normals(2, examples * inputs));
        let weights = strips(inputs, units, &normals(3, inputs * units));
        let step = ClippedStep { epsilon: 0.5, leak: 1.25 };
        for bias_rows in [1, examples + 2] {
            let bias = matrix(bias_rows, units, &normals(4, bias_rows * units));
            let mut first: Option<(Vec<f32>, f32)> = None;
            for kernels in Kernels::all() {
                let mut next = matrix(examples + 2, units, &vec![7.0; (examples + 2) * units]);
                let (terms, rows) = ([Received::from(x.panel(0, examples), &weights)], 1..examples + 1);
                let to = (&mut next, rows.clone());
                let largest = clipped_step(kernels, step, &terms, [&states, &bias], to, [0, units.div_ceil(16)]);
                let mut expected_largest = 0.0_f64;
                for row in rows {
                    for unit in 0..units {
                        let products = x.row(row - 1).iter().zip(weights.unit(unit));
                        let received: f64 = products.map(|(x, w)| f64::from(*x) * f64::from(w)).sum();
                        let bias = f64::from(bias.row(row.min(bias_rows - 1))[unit]);
                        let s = f64::from(states.row(row)[unit]);
                        let expected = (s + 0.5 * (received + bias - 1.25 * s)).clamp(0.0, 1.0);
                        assert!((f64::from(next.row(row)[unit]) - expected).abs() <= 1e-5);
                        expected_largest = expected_largest.max((expected - s).abs());
                    }
                }
                assert!((f64::from(largest) - expected_largest).abs() <= 1e-5);
                assert_eq!([next.row(0), next.row(examples + 1)], [vec![7.0; units], vec![7.0; units]]);
                let found = (next.to_rows(), largest);
                let first = first.get_or_insert_with(|| found.clone());
                assert!(bits(&first.0) == bits(&found.0) && first.1 == found.1, "{}", kernels.name());
            }
        }
    }
}

#[test]
fn learning_adds_the_sum_of_outer_products_in_the_strips_that_are_named() {
    for (examples, inputs, units) in [(1, 1, 1), (4, 20, 40), (7, 130, 33), (33, 1040, 7)] {
        let (x, deltas) = (sparse(examples, inputs), wholes(2, examples * units, 9));
        let before = wholes(3, inputs * units, 9);
        let (x, deltas) = (matrix(examples, inputs, &x), matrix(examples, units, &deltas));
        let mut nonzeros = NonZeroInputs::new(examples, inputs);
        nonzeros.record(x.panel(0, examples));
        for kernels in Kernels::all() {
            for nonzeros in [None, Some(&nonzeros)] {
                let mut weights = strips(inputs, units, &before);
                let (half, all) = (weights.strips() / 2, weights.strips());
                learn(kernels, (x.panel(0, examples), nonzeros), &deltas, &mut weights, half..all);
                assert!(
                    (0..units.min(16 * half))
                        .all(|unit| weights.unit(unit).eq(before[unit * inputs..][..inputs].iter().copied()))
                );
                learn(kernels, (x.panel(0, examples), nonzeros), &deltas, &mut weights, 0..half);
                for unit in 0..units {
                    for (input, weight) in weights.unit(unit).enumerate() {
                        let change: f32 = (0..examples).map(|row| x.row(row)[input] * deltas.row(row)[unit]).sum();
                        assert_eq!(weight, before[unit * inputs + input] + change, "{}", kernels.name());
                    }
                }
            }
        }
    }
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let kernels = Kernels::best();
    let add = |x: (usize, usize), deltas: (usize, usize), strips: std::ops::Range<usize>| {
        let (x, deltas) = (Matrix::zeros(x.0, x.1), Matrix::zeros(deltas.0, deltas.1));
        learn(kernels, (x.panel(0, x.rows()), None), &deltas, &mut Strips::zeros(20, 40), strips);
    };
    add((4, 20), (4, 40), 0..3);
    add((2, 20), (4, 40), 3..3);
    assert_panics("fewer deltas than examples", || add((4, 20), (3, 40), 0..3));
    assert_panics("other units", || add((4, 20), (4, 41), 0..3));
    assert_panics("too few inputs", || add((4, 16), (4, 40), 0..3));
    assert_panics("a strip too many", || add((4, 20), (4, 40), 1..4));
    let multiply = |x: (usize, usize), first: usize, out: (usize, usize), column: usize| {
        let (x, mut out) = (Matrix::zeros(x.0, x.1), Matrix::zeros(out.0, out.1));
        let weights = Strips::zeros(20, 40);
        let terms = [Received { first, ..Received::from(x.panel(0, x.rows()), &weights) }];
        receive(kernels, &terms, 2, &mut out, column);
    };
    multiply((2, 20), 1, (2, 32), 0);
    assert_panics("a strip that is not there", || multiply((2, 20), 2, (2, 32), 0));
    assert_panics("too few inputs", || multiply((2, 16), 0, (2, 32), 0));
    assert_panics("too few rows of the result", || multiply((3, 20), 0, (2, 32), 0));
    assert_panics("too few columns of the result", || multiply((2, 20), 0, (2, 32), 16));
    assert_panics("a column within a strip", || multiply((2, 20), 0, (2, 48), 8));
    let record_of_others = || {
        let (x, mut nonzeros) = (Matrix::zeros(3, 20), NonZeroInputs::new(3, 20));
        nonzeros.record(x.panel(0, 2));
        let (panel, mut weights) = (x.panel(0, 3), Strips::zeros(20, 40));
        learn(kernels, (panel, Some(&nonzeros)), &Matrix::zeros(3, 40), &mut weights, 0..1);
    };
    assert_panics("a record of other examples", record_of_others);
    let [one, two] = [20, 21].map(|columns| Matrix::zeros(1, columns));
    assert_panics("other rates", || logistic(kernels, &one, 0..1, &mut two.clone()));
    assert_panics("other changes", || logistic_change(kernels, &one, 0..1, &mut two.clone(), &mut one.clone()));
    let (step, weights) = (ClippedStep { epsilon: 0.5, leak: 1.0 }, Strips::zeros(20, 20));
    let terms = [Received::from(one.panel(0, 1), &weights)];
    assert_panics("another bias", || {
        _ = clipped_step(kernels, step, &terms, [&one, &two], (&mut one.clone(), 0..1), [0, 2]);
    });
    assert_panics("a row too many", || {
        _ = clipped_step(kernels, step, &terms, [&one, &one], (&mut one.clone(), 1..2), [0, 2]);
    });
}
