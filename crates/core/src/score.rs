//! The scores of a block of units for a block of examples: the safe front of the kernel.

use crate::isa::Kernels;
use crate::kernels::score::BLOCK;
use crate::matrix::{Matrix, Panel};
use crate::vector::LANES;

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
/// use rivalry_core::{Kernels, Matrix, score};
/// let (mut units, mut examples) = (Matrix::zeros(2, 3), Matrix::zeros(1, 3));
/// units.row_mut(1).copy_from_slice(&[1.0, 2.0, 3.0]);
/// examples.row_mut(0).copy_from_slice(&[4.0, 5.0, 6.0]);
/// let mut out = [f32::NAN; 2];
/// score::score(Kernels::best(), units.panel(0, 2), examples.panel(0, 1), &mut out, 2);
/// assert_eq!(out, [0.0, 32.0]);
/// ```
pub fn score(kernels: &Kernels, units: Panel<'_>, examples: Panel<'_>, out: &mut [f32], out_stride: usize) {
    assert_eq!(units.width(), examples.width(), "units and examples have different widths");
    let room = examples.rows().saturating_sub(1) * out_stride + units.rows();
    assert!(units.rows() <= out_stride && room <= out.len(), "too little room for scores");
    kernels.score(units, examples, out, out_stride);
}

/// Computes scores as [`score`] does, into the rows `first_row ..` and the columns `first_column ..` of a matrix: one row per
/// example, one column per unit.
///
/// # Panics
/// If the widths differ or the matrix is too small.
pub fn score_into(
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
    score(kernels, units, examples, out, stride * LANES);
}

/// Computes the scores over each block of `block` inputs on their own, for units that memory holds and few examples.
///
/// s_b(unit, example) = Σ_{i in block b} w_i x_i, written to row b · examples + example of `out`, column unit.
///
/// # Shapes
/// `units` [units × inputs], `examples` [examples × inputs], `out` at least [blocks · examples × units].
///
/// # Numerics
/// Each block as [`score`] computes the columns of that block.
///
/// # Panics
/// If the widths differ, `block` is no multiple of 16 from 16 to 1024, or the matrix is too small.
///
/// # Allocates
/// Nothing.
pub fn score_blocks(kernels: &Kernels, units: Panel<'_>, examples: Panel<'_>, block: usize, out: &mut Matrix) {
    assert_eq!(units.width(), examples.width(), "units and examples have different widths");
    assert!((1..=BLOCK * LANES).contains(&block) && block.is_multiple_of(LANES), "a block of {block} inputs");
    let block = block / LANES;
    let rows = units.width().div_ceil(block) * examples.rows();
    assert!(rows <= out.rows() && units.rows() <= out.columns(), "too small a matrix for scores");
    let stride = out.stride() * LANES;
    kernels.score_blocks(units, examples, block, out.memory_mut().as_flattened_mut(), stride);
}
