//! The product X Wᵀ on every instruction set: integers exactly, reals to the bit of the specification and within a
//! bound of f64, nothing written outside.

mod common;

use common::{CANARY, assert_panics, bits, gamma, matrix, normals, spec, wholes};
use rivalry_core::{Kernels, Matrix, Panel, ops};

/// More than two tiles of the largest kernel, and one more.
const UNITS: usize = 17;
const EXAMPLES: usize = 7;

/// Widths around every edge: of vectors, and of blocks of 1024 inputs.
fn widths() -> impl Iterator<Item = usize> {
    (0..=33).chain(1008..=1040).chain(2047..=2050)
}

/// Scores of [examples × units], after checking that nothing but them was written.
fn scores(kernels: &Kernels, units: Panel<'_>, examples: Panel<'_>) -> Vec<f32> {
    let (stride, behind) = (units.rows() + 5, 9);
    let mut out = vec![f32::from_bits(CANARY); examples.rows() * stride + behind];
    ops::gemm_nt(kernels, units, examples, &mut out, stride);
    let (rows, rest) = out.split_at(examples.rows() * stride);
    let mut scores = Vec::new();
    for row in rows.chunks_exact(stride) {
        scores.extend_from_slice(&row[..units.rows()]);
        assert!(row[units.rows()..].iter().all(|gap| gap.to_bits() == CANARY), "{}: a gap was written", kernels.name());
    }
    assert!(rest.iter().all(|gap| gap.to_bits() == CANARY), "{}: written behind the end", kernels.name());
    scores
}

/// Compares every number of units and examples with the top left part of `expected` [EXAMPLES × UNITS].
fn check_all_shapes(width: usize, w: &Matrix, x: &Matrix, expected: &[f32]) {
    for kernels in Kernels::all() {
        for units in 1..=UNITS {
            for examples in 1..=EXAMPLES {
                let found = scores(kernels, w.panel(0, units), x.panel(0, examples));
                for (example, found) in found.chunks_exact(units).enumerate() {
                    let expected = &expected[example * UNITS..][..units];
                    let place = || format!("{}: {units} units, example {example} of {examples}", kernels.name());
                    assert!(bits(found) == bits(expected), "{}, width {width}: {found:?} for {expected:?}", place());
                }
            }
        }
    }
}

#[test]
fn integers_are_exact_at_every_width_and_shape() {
    for width in widths() {
        let (w, x) = (wholes(1, UNITS * width, 9), wholes(2, EXAMPLES * width, 255));
        let (w, x) = (matrix(UNITS, width, &w), matrix(EXAMPLES, width, &x));
        let mut exact = Vec::new();
        for example in 0..EXAMPLES {
            for unit in 0..UNITS {
                let products = w.row(unit).iter().zip(x.row(example)).map(|(w, x)| *w as i64 * *x as i64);
                exact.push(products.sum::<i64>() as f32);
            }
        }
        check_all_shapes(width, &w, &x, &exact);
    }
}

#[test]
fn reals_have_the_bits_of_the_specification_and_are_within_the_bound_of_f64() {
    for width in widths() {
        let (w, x) = (normals(3, UNITS * width), normals(4, EXAMPLES * width));
        let (w, x) = (matrix(UNITS, width, &w), matrix(EXAMPLES, width, &x));
        let mut expected = Vec::new();
        for example in 0..EXAMPLES {
            for unit in 0..UNITS {
                let products = w.row(unit).iter().zip(x.row(example)).map(|(w, x)| f64::from(*w) * f64::from(*x));
                let (exact, size) =
                    products.fold((0.0, 0.0), |(sum, size), product| (sum + product, size + product.abs()));
                let found = spec::score(w.row(unit), x.row(example));
                // A product goes through at most 64 multiply-adds of its lane, 4 levels of the tree, then the blocks.
                let bound = gamma(64.0 + 4.0 + width.div_ceil(1024) as f64) * size;
                assert!((f64::from(found) - exact).abs() <= bound, "width {width}: {found} for {exact}");
                expected.push(found);
            }
        }
        check_all_shapes(width, &w, &x, &expected);
    }
}

#[test]
fn many_units_and_examples_cover_every_tile() {
    for (units, examples, width) in [(96, 100, 49), (100, 31, 784), (61, 53, 1025), (1, 65, 100), (130, 1, 100)] {
        let (w, x) = (normals(5, units * width), normals(6, examples * width));
        let (w, x) = (matrix(units, width, &w), matrix(examples, width, &x));
        for kernels in Kernels::all() {
            let found = scores(kernels, w.panel(0, units), x.panel(0, examples));
            for (place, found) in found.into_iter().enumerate() {
                let expected = spec::score(w.row(place % units), x.row(place / units));
                assert_eq!(found.to_bits(), expected.to_bits(), "{}, place {place}", kernels.name());
            }
        }
    }
}

#[test]
fn panels_start_anywhere_gather_and_narrow() {
    let width = 1100;
    let (w, x) = (matrix(30, width, &normals(7, 30 * width)), matrix(20, width, &normals(8, 20 * width)));
    let (who, which) = ([12, 0, 4, 4, 17, 9, 1, 3, 11, 2, 16, 5], [3, 3, 0, 8, 1]);
    for kernels in Kernels::all() {
        let found = scores(kernels, w.panel(11, 18).gather(&who), x.panel(4, 9).gather(&which));
        let narrow = scores(kernels, w.panel(11, 18).columns(3, 2), x.panel(4, 9).gather(&which).columns(3, 2));
        for (example, &sample) in which.iter().enumerate() {
            let x = x.row(4 + sample as usize);
            for (place, &unit) in who.iter().enumerate() {
                let expected = spec::score(w.row(11 + unit as usize), x);
                assert_eq!(found[example * who.len() + place].to_bits(), expected.to_bits(), "{}", kernels.name());
            }
            for unit in 0..18 {
                let expected = spec::score(&w.row(11 + unit)[48..80], &x[48..80]);
                assert_eq!(narrow[example * 18 + unit].to_bits(), expected.to_bits(), "{}", kernels.name());
            }
        }
    }
}

#[test]
fn blocks_are_scored_on_their_own_and_nothing_else_is_written() {
    let who = [12, 0, 4, 4, 17, 9, 1, 3, 11, 2, 16, 5, 8, 8, 6, 13, 7];
    for (width, block) in [(100, 16), (976, 256), (1024, 256), (1300, 1024), (40, 48)] {
        let (w, x) = (matrix(20, width, &normals(10, 20 * width)), matrix(11, width, &normals(11, 11 * width)));
        for (kernels, examples) in Kernels::all().into_iter().flat_map(|kernels| [(kernels, 1), (kernels, 10)]) {
            let rows = width.div_ceil(block) * examples;
            let mut out = matrix(rows + 1, 20, &vec![f32::from_bits(CANARY); (rows + 1) * 20]);
            ops::gemm_nt_blocks(kernels, w.panel(2, 18).gather(&who), x.panel(1, examples), block, &mut out);
            for (row, example) in (0..rows).map(|row| (row, row % examples)) {
                let first = row / examples * block;
                let columns = first..width.min(first + block);
                let expected = |&unit: &u32| {
                    spec::score(&w.row(2 + unit as usize)[columns.clone()], &x.row(1 + example)[columns.clone()])
                };
                let (found, rest) = out.row(row).split_at(who.len());
                assert_eq!(
                    bits(found),
                    bits(&who.iter().map(expected).collect::<Vec<_>>()),
                    "{}, row {row}",
                    kernels.name()
                );
                assert!(rest.iter().all(|gap| gap.to_bits() == CANARY), "{}: a gap was written", kernels.name());
            }
            assert!(out.row(rows).iter().all(|gap| gap.to_bits() == CANARY), "{}", kernels.name());
        }
    }
    let mut out = Matrix::zeros(4, 3);
    let (w, x) = (Matrix::zeros(3, 20), Matrix::zeros(2, 20));
    let mut run = |x: Panel<'_>, block| ops::gemm_nt_blocks(Kernels::best(), w.panel(0, 3), x, block, &mut out);
    run(x.panel(0, 2), 16);
    assert_panics("another width", || run(x.panel(0, 2).columns(0, 1), 16));
    for block in [0, 8, 20, 1040] {
        assert_panics("such a block", || run(x.panel(0, 2), block));
    }
    let mut short = Matrix::zeros(3, 3);
    assert_panics("too little room", || {
        ops::gemm_nt_blocks(Kernels::best(), w.panel(0, 3), x.panel(0, 2), 16, &mut short)
    });
}

#[test]
fn numbers_at_the_ends_of_f32_go_the_same_way_everywhere() {
    let special = [0.0, -0.0, 1e-30, -1e-30, f32::MIN_POSITIVE, 1e-45, -1e-45, 1e38, -1e38, 3e38, 1.0, -1.0];
    for width in [1, 2, 16, 17, 40] {
        let mut pick = wholes(9, 40 * width, 500).into_iter().map(|n| special[(n + 500.0) as usize % special.len()]);
        let w = matrix(20, width, &pick.by_ref().take(20 * width).collect::<Vec<_>>());
        let x = matrix(20, width, &pick.collect::<Vec<_>>());
        for kernels in Kernels::all() {
            for (place, found) in scores(kernels, w.panel(0, 20), x.panel(0, 20)).into_iter().enumerate() {
                let expected = spec::score(w.row(place % 20), x.row(place / 20));
                let same = found.to_bits() == expected.to_bits() || (found.is_nan() && expected.is_nan());
                assert!(same, "{}, width {width}: {found} for {expected}", kernels.name());
            }
        }
    }
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let (w, x) = (Matrix::zeros(3, 20), Matrix::zeros(2, 20));
    let kernels = Kernels::best();
    let run = |w: Panel<'_>, x: Panel<'_>, length, stride| ops::gemm_nt(kernels, w, x, &mut vec![0.0; length], stride);
    run(w.panel(0, 3), x.panel(0, 2), 6, 3);
    assert_panics("another width", || run(w.panel(0, 3).columns(0, 1), x.panel(0, 2), 6, 3));
    assert_panics("a short stride", || run(w.panel(0, 3), x.panel(0, 2), 6, 2));
    assert_panics("too little room", || run(w.panel(0, 3), x.panel(0, 2), 5, 3));
    assert_panics("rows behind the end", || run(w.panel(1, 3), x.panel(0, 2), 6, 3));
    assert_panics("a gathered row behind the end", || run(w.panel(1, 2).gather(&[2]), x.panel(0, 2), 6, 3));
    // The second list would name rows of the matrix that the panel lacks.
    assert_panics("a panel gathered twice", || _ = w.panel(0, 2).gather(&[0; 3]).gather(&[2]));
    assert_panics("columns behind the end", || run(w.panel(0, 3).columns(1, 2), x.panel(0, 2), 6, 3));
}
