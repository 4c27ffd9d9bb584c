//! Operations that networks are made of: matrix products, rectified powers, the power loss, Adam.

use crate::isa::Kernels;
pub use crate::kernels::elementwise::{AdamStep, Exponent, PowerLoss};
use crate::kernels::gemm_nt::BLOCK;
pub use crate::kernels::gemm_tn::{Deltas, NonZeros, Products};
use crate::matrix::{Matrix, Panel};
use crate::vector::{LANES, Lanes};

/// Turns the scores of one example into features in place: h = (max(s, 0) · factor)^n.
///
/// With factor = c / scale this is h = (max(I, 0) / scale)^n, since the current is I = c·s.
///
/// Source: Krotov & Hopfield 2019, eq. 1; the scale is ours (it keeps h within f32 for large n; the paper has 1).
///
/// # Numerics
/// For n a multiple of ½, products and one square root; otherwise `libm::pow` in f64. Padding stays zero for n > 0.
pub fn rectified_power(kernels: &Kernels, scores: &mut [Lanes], factor: f32, n: Exponent) {
    kernels.rectified_power(scores, factor, n);
}

/// Turns sums s into ∂C/∂s for C = Σ |tanh(β s) − t|^m, with targets t = ±1.
///
/// Source: Krotov & Hopfield 2019, eqs. 1 and 12, differentiated.
///
/// # Panics
/// If there are more sums than targets.
pub fn power_loss(kernels: &Kernels, loss: PowerLoss, sums: &mut [Lanes], targets: &[Lanes]) {
    assert!(sums.len() <= targets.len(), "{} vectors of sums, {} of targets", sums.len(), targets.len());
    kernels.power_loss(loss, sums, targets);
}

/// Sums a gradient over the examples of a minibatch: `out[class] = Σ_example δ(class, example) · h(example)`.
///
/// # Shapes
/// `examples` [batch × features]; `deltas` [classes × stride], stride ≥ batch; `out` [classes × features].
///
/// # Numerics
/// Fused multiply-add from +0, examples in order: the same bits however the features are divided.
///
/// # Panics
/// If the shapes do not fit.
pub fn gemm_tn(kernels: &Kernels, examples: Panel<'_>, deltas: Deltas<'_>, out: &mut Matrix) {
    fits(examples, deltas, out);
    let stride = out.stride();
    kernels.gemm_tn(examples, deltas, out.memory_mut(), stride);
}

/// Takes a step of Adam on a matrix of weights with the gradient of a minibatch, as [`gemm_tn`] and [`adam`] in turn do, with
/// the same bits. The gradient is never written down.
///
/// Source: Kingma & Ba 2015, algorithm 1.
///
/// # Shapes
/// As [`gemm_tn`], with `weights` and both moments for its `out`.
///
/// # Numerics
/// Where an example is zero, δ has no effect even if it is infinite or NaN, if the products bring the ink.
///
/// # Panics
/// If the shapes do not fit, or the ink is that of a minibatch of another size.
pub fn gemm_tn_adam(
    kernels: &Kernels,
    products: Products<'_>,
    step: AdamStep,
    moments: [&mut Matrix; 2],
    weights: &mut Matrix,
) {
    fits(products.examples, products.deltas, weights);
    let shape = (weights.rows(), weights.columns());
    assert!(moments.iter().all(|moment| (moment.rows(), moment.columns()) == shape), "shapes of the moments");
    let stride = weights.stride();
    kernels.gemm_tn_adam(products, step, moments.map(Matrix::memory_mut), weights.memory_mut(), stride);
}

/// Refuses a gradient of another shape than `out`.
fn fits(examples: Panel<'_>, deltas: Deltas<'_>, out: &Matrix) {
    assert_eq!(out.rows(), deltas.classes, "classes of the gradient");
    assert_eq!(out.width(), examples.width(), "width of the gradient");
    assert!(deltas.classes * deltas.stride <= deltas.values.len() && examples.rows() <= deltas.stride, "deltas");
}

/// One step of Adam on a matrix of weights.
///
/// Source: Kingma & Ba 2015, algorithm 1.
///
/// # Panics
/// If the matrices have different shapes.
pub fn adam(kernels: &Kernels, step: AdamStep, gradient: &Matrix, moments: [&mut Matrix; 2], weights: &mut Matrix) {
    let [first, second] = moments;
    let shape = (weights.rows(), weights.columns());
    let others = [gradient, first, second].map(|other| (other.rows(), other.columns()));
    assert_eq!(others, [shape; 3], "shapes of the gradient and of the moments");
    for row in 0..weights.rows() {
        let moments = [first.lanes_mut(row), second.lanes_mut(row)];
        kernels.adam(step, gradient.lanes(row), moments, weights.lanes_mut(row));
    }
}

/// Computes the scores of units for examples.
///
/// s(unit, example) = Σ_i w_i x_i, written to `out[example · out_stride + unit]`.
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

/// Computes scores as [`gemm_nt`] does, into the rows `first_row ..` and the columns `first_column ..` of a matrix: one row per
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

/// Computes the scores over each block of `block` inputs on their own, for units that memory holds and few examples.
///
/// s_b(unit, example) = Σ_{i in block b} w_i x_i, written to row b · examples + example of `out`, column unit.
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
