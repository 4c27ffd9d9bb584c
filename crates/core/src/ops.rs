//! Operations that networks are made of: matrix products, the rectified power, the power loss, Adam, dynamics of units. Safe wrappers: each
//! checks its shapes and calls a kernel.
//!
//! | name | result |
//! |---|---|
//! | [`gemm_nt`], [`gemm_nt_into`], [`gemm_nt_blocks`] | X Wᵀ: rows times rows, as forward passes need it |
//! | [`gemm_tn`], [`gemm_tn_adam`] | δᵀ X: a weight gradient, written down or used at once |
//! | [`signed_power`] | w′ = sgn(w) \|w\|^(p−1), the weights that currents are made with |
//! | [`rectified_power`] | (max(s, 0) · factor)ⁿ |
//! | [`power_loss`] | ∂C/∂s of C = Σ \|tanh(β s) − t\|^m |
//! | [`adam`] | a step of Adam with a given gradient |
//! | [`logistic`], [`logistic_change`] | φ(v); φ(v + d) and φ(v + d) − φ(v) |
//! | [`receive`], [`learn`] | X W and W += Xᵀ δ with the weights in [`Strips`](crate::Strips) |
//! | [`clipped_step`] | clip(s + ε (X W + bias − leak · s), 0, 1), likewise |
//! | [`peak`] | nothing: the multiply-adds that the f32 peak is measured with |
//!
//! Kernels work on whole vectors of 16, so they also compute in the padding of a row. What they leave there may be anything
//! (0⁰ is 1, 0 · ∞ is NaN); the wrappers set it to zero again, so that the padding of a [`Matrix`] is always zero.
//!
//! All results have the same bits on every instruction set.

mod strips;

use crate::compute::Compute;
use crate::isa::Kernels;
pub use crate::kernels::elementwise::{AdamStep, Exponent, PowerLoss};
use crate::kernels::gemm_nt::BLOCK;
pub use crate::kernels::gemm_tn::{NonZeros, Products};
use crate::matrix::{Matrix, Panel};
use crate::rule::parameters::Rule;
use crate::vector::LANES;
use std::ops::Range;
pub use strips::{ClippedStep, NonZeroInputs, Received, clipped_step, learn, receive};

/// Multiplies examples by units: `out[example · out_stride + unit] = Σ_i units[unit, i] · examples[example, i]`.
///
/// Source: the product ⟨W, v⟩ of Krotov & Hopfield 2019, eq. 2, with the powers already taken (w′ for p ≠ 2).
///
/// # Shapes
/// `units` [units × inputs], `examples` [examples × inputs], `out` [examples × out_stride], out_stride ≥ units; the last row
/// may end behind the last unit.
///
/// # Numerics
/// The canonical order of the [crate docs](crate#numerics); the same bits on every instruction set.
///
/// # Panics
/// If the widths differ or `out` is too small.
///
/// # Allocates
/// Nothing.
///
/// # Example
/// ```
/// use rivalry_core::{Kernels, Matrix, ops};
/// let (mut units, mut examples) = (Matrix::zeros(2, 3), Matrix::zeros(1, 3));
/// units.row_mut(1).copy_from_slice(&[1.0, 2.0, 3.0]);
/// examples.row_mut(0).copy_from_slice(&[4.0, 5.0, 6.0]);
/// let mut out = [f32::NAN; 2];
/// ops::gemm_nt(Kernels::best(), units.panel(0, 2), examples.panel(0, 1), &mut out, 2);
/// assert_eq!(out, [0.0, 32.0]);
/// ```
pub fn gemm_nt(kernels: &Kernels, units: Panel<'_>, examples: Panel<'_>, out: &mut [f32], out_stride: usize) {
    assert_eq!(units.width(), examples.width(), "units and examples have different widths");
    let room = examples.rows().saturating_sub(1) * out_stride + units.rows();
    assert!(units.rows() <= out_stride && room <= out.len(), "too little room for scores");
    kernels.gemm_nt(units, examples, out, out_stride);
}

/// Multiplies as [`gemm_nt`] does, into the rows `first_row ..` and the columns `first_column ..` of a matrix: one row per
/// example, one column per unit.
///
/// # Panics
/// If the widths differ or the matrix is too small.
pub fn gemm_nt_into(
    kernels: &Kernels,
    units: Panel<'_>,
    examples: Panel<'_>,
    out: &mut Matrix,
    [first_row, first_column]: [usize; 2],
) {
    assert!(
        first_column + units.rows() <= out.columns() && first_row + examples.rows() <= out.rows(),
        "too small a matrix for scores"
    );
    let stride = out.stride();
    let rows = &mut out.memory_mut()[first_row * stride..][..examples.rows() * stride];
    let out = rows.as_flattened_mut().get_mut(first_column..).unwrap_or_default();
    gemm_nt(kernels, units, examples, out, stride * LANES);
}

/// Multiplies as [`gemm_nt`] does, but each block of `block` inputs on its own.
///
/// `out[b · examples + example, unit] = Σ_{i in block b} units[unit, i] · examples[example, i]`. Made for few examples and
/// units that come from memory.
///
/// # Shapes
/// `units` [units × inputs], `examples` [examples × inputs], `out` at least [blocks · examples × units].
///
/// # Numerics
/// Each block as [`gemm_nt`] computes the columns of that block.
///
/// # Panics
/// If the widths differ, `block` is no multiple of 16 from 16 to 1024, or the matrix is too small.
///
/// # Allocates
/// Nothing.
pub fn gemm_nt_blocks(kernels: &Kernels, units: Panel<'_>, examples: Panel<'_>, block: usize, out: &mut Matrix) {
    assert_eq!(units.width(), examples.width(), "units and examples have different widths");
    assert!((1..=BLOCK * LANES).contains(&block) && block.is_multiple_of(LANES), "a block of {block} inputs");
    let block = block / LANES;
    let rows = units.width().div_ceil(block) * examples.rows();
    assert!(rows <= out.rows() && units.rows() <= out.columns(), "too small a matrix for scores");
    let stride = out.stride() * LANES;
    kernels.gemm_nt_blocks(units, examples, block, out.memory_mut().as_flattened_mut(), stride);
}

/// Multiplies deltas by examples: `out[class, ·] = Σ_example deltas[class, example] · examples[example, ·]`.
///
/// This is the weight gradient δᵀ X, a product TN in the usual layout of δ. Here δ is stored transposed, class by class.
///
/// # Shapes
/// `deltas` [classes × at least batch], `examples` [batch × features], `out` [classes × features]. Columns of `deltas` behind
/// the batch are not read.
///
/// # Numerics
/// Fused multiply-add from +0, examples in order: the same bits however the features are divided.
///
/// # Panics
/// If the shapes do not fit.
///
/// # Allocates
/// Nothing.
pub fn gemm_tn(kernels: &Kernels, deltas: &Matrix, examples: Panel<'_>, out: &mut Matrix) {
    check_shapes(deltas, examples, out);
    let stride = out.stride();
    kernels.gemm_tn(Products { deltas, examples, nonzeros: None }, out.memory_mut(), stride);
    out.clear_padding(0..out.rows());
}

/// Takes a step of Adam with the gradient of a minibatch, as [`gemm_tn`] and then [`adam`] do, with the same bits. The
/// gradient is never written to memory.
///
/// Source: Kingma & Ba 2015, algorithm 1.
///
/// # Shapes
/// As [`gemm_tn`], with `weights` and both moments for its `out`.
///
/// # Numerics
/// With [`NonZeros`], a δ that is infinite or NaN has no effect where 64 features of its example are all zero.
///
/// # Panics
/// If the shapes do not fit, or if the [`NonZeros`] are those of examples of another number or width.
///
/// # Allocates
/// Nothing.
pub fn gemm_tn_adam(
    kernels: &Kernels,
    products: Products<'_>,
    step: AdamStep,
    moments: [&mut Matrix; 2],
    weights: &mut Matrix,
) {
    check_shapes(products.deltas, products.examples, weights);
    let shape = [weights.rows(), weights.columns()];
    assert!(moments.iter().all(|moment| [moment.rows(), moment.columns()] == shape), "shapes of the moments");
    check_nonzeros(products);
    let (stride, [first, second]) = (weights.stride(), moments);
    let memory = [first.memory_mut(), second.memory_mut()];
    kernels.gemm_tn_adam(products, step, memory, weights.memory_mut(), stride);
    for matrix in [first, second, weights] {
        matrix.clear_padding(0..matrix.rows());
    }
}

/// Refuses a gradient of another shape than `out`.
fn check_shapes(deltas: &Matrix, examples: Panel<'_>, out: &Matrix) {
    assert_eq!(out.rows(), deltas.rows(), "classes of the gradient");
    assert_eq!(out.width(), examples.width(), "width of the gradient");
    assert!(
        examples.rows() <= deltas.columns(),
        "{} examples, {} columns of deltas",
        examples.rows(),
        deltas.columns()
    );
}

/// Writes w′ = sgn(w) |w|^(p−1) of every weight of some rows, for the p of a rule.
///
/// Source: Krotov & Hopfield 2019, eq. 2.
///
/// # Numerics
/// Products for p = 2 to 5, `libm::pow` in f64 otherwise; see the [crate docs](crate#numerics).
///
/// # Panics
/// If the matrices have different shapes, or a row does not exist.
pub fn signed_power(kernels: &Kernels, rule: &Rule, weights: &Matrix, rows: Range<usize>, powers: &mut Matrix) {
    let shape = [weights.rows(), weights.columns()];
    assert_eq!([powers.rows(), powers.columns()], shape, "shapes of weights and powers");
    for row in rows {
        rule.power(kernels, weights.lanes(row), powers.lanes_mut(row));
    }
}

/// Refuses non-zeros that were recorded of other examples: the rest would be left out in silence.
fn check_nonzeros(Products { examples, nonzeros, .. }: Products<'_>) {
    if let Some(nonzeros) = nonzeros {
        let (found, expected) = (nonzeros.shape(), [examples.rows(), examples.width()]);
        assert_eq!(found, expected, "the non-zeros are those of other examples [rows, vectors]");
    }
}

/// Replaces each score s of some rows by (max(s, 0) · factor)^n.
///
/// With factor = c / scale this is h = (max(I, 0) / scale)^n, since the current is I = c·s. With n = 1 it is a ReLU.
///
/// Source: Krotov & Hopfield 2019, eq. 1; the scale is ours (it keeps h within f32 for large n; the paper has 1).
///
/// # Numerics
/// For n a multiple of ½, products and one square root; otherwise `libm::pow` in f64. NaN stays NaN.
///
/// # Panics
/// If a row does not exist.
///
/// # Example
/// ```
/// use rivalry_core::{Kernels, Matrix, ops};
/// let mut scores = Matrix::zeros(1, 3);
/// scores.row_mut(0).copy_from_slice(&[-1.0, 2.0, 3.0]);
/// ops::rectified_power(Kernels::best(), &mut scores, 0..1, 0.5, ops::Exponent::new(2.0));
/// assert_eq!(scores.row(0), [0.0, 1.0, 2.25]);
/// ```
pub fn rectified_power(kernels: &Kernels, scores: &mut Matrix, rows: Range<usize>, factor: f32, n: Exponent) {
    for row in rows.clone() {
        kernels.rectified_power(scores.lanes_mut(row), factor, n);
    }
    scores.clear_padding(rows);
}

/// Replaces each sum s by ∂C/∂s for C = Σ |tanh(β s) − t|^m, with targets t = ±1.
///
/// Source: Krotov & Hopfield 2019, eqs. 1 and 12, differentiated.
///
/// # Numerics
/// NaN stays NaN.
///
/// # Panics
/// If the shapes differ.
pub fn power_loss(kernels: &Kernels, loss: PowerLoss, sums: &mut Matrix, targets: &Matrix) {
    assert_eq!([sums.rows(), sums.columns()], [targets.rows(), targets.columns()], "shapes of sums and targets");
    for row in 0..sums.rows() {
        kernels.power_loss(loss, sums.lanes_mut(row), targets.lanes(row));
    }
    sums.clear_padding(0..sums.rows());
}

/// Takes one step of Adam on a matrix of weights.
///
/// Source: Kingma & Ba 2015, algorithm 1.
///
/// # Panics
/// If the matrices have different shapes.
pub fn adam(kernels: &Kernels, step: AdamStep, gradient: &Matrix, moments: [&mut Matrix; 2], weights: &mut Matrix) {
    let [first, second] = moments;
    let shape = [weights.rows(), weights.columns()];
    let others = [gradient, first, second].map(|other| [other.rows(), other.columns()]);
    assert_eq!(others, [shape; 3], "shapes of the gradient and of the moments");
    for row in 0..weights.rows() {
        let moments = [first.lanes_mut(row), second.lanes_mut(row)];
        kernels.adam(step, gradient.lanes(row), moments, weights.lanes_mut(row));
    }
    for matrix in [first, second, weights] {
        matrix.clear_padding(0..matrix.rows());
    }
}

/// Computes the logistic function of some rows, φ(v) = 1 / (1 + exp(−v)).
///
/// # Numerics
/// Within 1e-7 of φ. Beyond |v| = 87 the exponential is that of 87.
///
/// # Panics
/// If the matrices have different columns, or a row does not exist.
///
/// # Allocates
/// Nothing.
///
/// # Example
/// ```
/// use rivalry_core::{Kernels, Matrix, ops};
/// let mut rates = Matrix::zeros(1, 3);
/// ops::logistic(Kernels::best(), &Matrix::zeros(1, 3), 0..1, &mut rates);
/// assert_eq!(rates.row(0), [0.5; 3]);
/// ```
pub fn logistic(kernels: &Kernels, values: &Matrix, rows: Range<usize>, rates: &mut Matrix) {
    assert_eq!(values.columns(), rates.columns(), "columns of values and rates");
    for row in rows.clone() {
        kernels.logistic(values.lanes(row), rates.lanes_mut(row));
    }
    rates.clear_padding(rows);
}

/// Computes φ(v + d) of some rows, and φ(v + d) − φ(v) in place of d, where φ is [`logistic`].
///
/// # Numerics
/// The difference is not taken between rates: it has a relative error of some 1e-6, however small d is, for |v| and |d| up to
/// 40.
///
/// # Panics
/// If the matrices have different columns, or a row does not exist.
///
/// # Allocates
/// Nothing.
///
/// # Example
/// ```
/// use rivalry_core::{Kernels, Matrix, ops};
/// let (values, mut changes, mut rates) = (Matrix::zeros(1, 1), Matrix::zeros(1, 1), Matrix::zeros(1, 1));
/// changes.row_mut(0)[0] = 1e-20;
/// ops::logistic_change(Kernels::best(), &values, 0..1, &mut changes, &mut rates);
/// assert_eq!(rates.row(0)[0], 0.5);
/// assert!((changes.row(0)[0] - 0.25e-20).abs() < 1e-26);
/// ```
pub fn logistic_change(
    kernels: &Kernels,
    values: &Matrix,
    rows: Range<usize>,
    changes: &mut Matrix,
    rates: &mut Matrix,
) {
    assert!([changes.columns(), rates.columns()] == [values.columns(); 2], "columns of values, changes and rates");
    for row in rows.clone() {
        kernels.logistic_change(values.lanes(row), changes.lanes_mut(row), rates.lanes_mut(row));
    }
    changes.clear_padding(rows.clone());
    rates.clear_padding(rows);
}

/// Runs `rounds` rounds of fused multiply-adds in registers on every thread and rerounds the number of
/// floating-point operations that all of them did together (a multiply-add is two).
///
/// # Example
/// ```
/// use rivalry_core::{Compute, Kernels, ops};
/// let compute = Compute::new(Some(1), Kernels::best())?;
/// let start = std::time::Instant::now();
/// let operations = ops::peak(&compute, 10_000);
/// println!("{:.1} GFLOP/s", operations as f64 / start.elapsed().as_nanos() as f64);
/// # Ok::<(), rivalry_core::Error>(())
/// ```
pub fn peak(compute: &Compute, rounds: u64) -> u64 {
    let work = compute.map(|_| {
        let (operations, result) = compute.kernels().peak(rounds);
        std::hint::black_box(result);
        operations
    });
    work.into_iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strips::Strips;

    /// Numbers that make something of the zeros in a padding: 0⁰, 0 · ∞, 0 / 0.
    const HARD: [f32; 6] = [0.0, -1.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1e30];

    fn hard(rows: usize, columns: usize) -> Matrix {
        let mut matrix = Matrix::zeros(rows, columns);
        for row in 0..rows {
            matrix.row_mut(row).iter_mut().zip(row..).for_each(|(value, i)| *value = HARD[i % HARD.len()]);
        }
        matrix
    }

    fn assert_padding(what: &str, matrices: &[&Matrix]) {
        for matrix in matrices {
            for row in 0..matrix.rows() {
                let padding = &matrix.lanes(row).as_flattened()[matrix.columns()..];
                assert!(padding.iter().all(|pad| pad.to_bits() == 0), "{what}: {padding:?}");
            }
        }
    }

    #[test]
    fn no_operation_leaves_anything_in_the_padding() {
        let step = AdamStep { first_decay: 0.9, second_decay: 0.999, rate: 0.1, correction: 1.0, epsilon: 0.0 };
        for kernels in Kernels::all() {
            for columns in [1, 15, 17, 33] {
                let what = format!("{}, {columns} columns", kernels.name());
                for n in [0.0, 0.5, 2.0, 2.3, -1.0] {
                    let mut scores = hard(3, columns);
                    rectified_power(kernels, &mut scores, 0..3, f32::INFINITY, Exponent::new(n));
                    assert_padding(&format!("{what}, power {n}"), &[&scores]);
                }
                let mut sums = hard(3, columns);
                let loss = PowerLoss { beta: 1.0, m: 6.0, exponent: Exponent::new(6.0) };
                power_loss(kernels, loss, &mut sums, &hard(3, columns));
                assert_padding(&format!("{what}, loss"), &[&sums]);
                let (deltas, examples) = (hard(3, 6), hard(6, columns));
                let mut gradient = hard(3, columns);
                gemm_tn(kernels, &deltas, examples.panel(0, 6), &mut gradient);
                assert_padding(&format!("{what}, gemm_tn"), &[&gradient]);
                let [mut first, mut second, mut weights] = [hard(3, columns), hard(3, columns), hard(3, columns)];
                adam(kernels, step, &gradient, [&mut first, &mut second], &mut weights);
                assert_padding(&format!("{what}, adam"), &[&first, &second, &weights]);
                let products = Products { deltas: &deltas, examples: examples.panel(0, 6), nonzeros: None };
                gemm_tn_adam(kernels, products, step, [&mut first, &mut second], &mut weights);
                assert_padding(&format!("{what}, gemm_tn_adam"), &[&first, &second, &weights]);
                let (mut changes, mut rates) = (hard(3, columns), hard(3, columns));
                logistic_change(kernels, &hard(3, columns), 0..3, &mut changes, &mut rates);
                assert_padding(&format!("{what}, logistic_change"), &[&changes, &rates]);
                logistic(kernels, &hard(3, columns), 0..3, &mut rates);
                assert_padding(&format!("{what}, logistic"), &[&rates]);
                let mut weights = Strips::zeros(6, columns);
                let strips = weights.strips();
                learn(kernels, (hard(3, 6).panel(0, 3), None), &rates, &mut weights, 0..strips);
                let terms = [Received::from(deltas.panel(0, 3), &weights)];
                receive(kernels, &terms, strips, &mut changes, 0);
                let step = ClippedStep { epsilon: 0.5, leak: 1.0 };
                clipped_step(kernels, step, &terms, [&gradient, &first], (&mut rates, 0..3), [0, strips]);
                assert_padding(&format!("{what}, receive and clipped_step"), &[&changes, &rates]);
                let mut out = hard(2 * columns.div_ceil(16), 5);
                gemm_nt_blocks(kernels, hard(5, columns).panel(0, 5), hard(2, columns).panel(0, 2), 16, &mut out);
                assert_padding(&format!("{what}, gemm_nt_blocks"), &[&out]);
                gemm_nt_into(kernels, hard(3, columns).panel(0, 3), hard(2, columns).panel(0, 2), &mut out, [0, 2]);
                assert_padding(&format!("{what}, gemm_nt_into"), &[&out]);
            }
        }
    }

    #[test]
    fn powers_keep_the_sign() {
        let mut weights = Matrix::zeros(2, 17);
        for row in 0..2 {
            weights.row_mut(row).iter_mut().zip(-8 * row as i32..).for_each(|(w, value)| *w = value as f32);
        }
        for kernels in Kernels::all() {
            for p in [2, 3, 4, 5] {
                let mut powers = Matrix::zeros(2, 17);
                let rule = Rule::new(f64::from(p), 2, 0.0).unwrap();
                signed_power(kernels, &rule, &weights, 0..weights.rows(), &mut powers);
                for (power, w) in powers.to_rows().iter().zip(weights.to_rows()) {
                    assert_eq!(*power, w.abs().powi(p - 2) * w, "{}, p {p}", kernels.name());
                }
                assert_padding(kernels.name(), &[&powers]);
            }
        }
    }
}
