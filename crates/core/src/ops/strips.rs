//! Products with weights in strips, and what is made of them.

use crate::isa::Kernels;
pub use crate::kernels::strips::{ClippedStep, NonZeroInputs, Received};
use crate::kernels::strips::{Rows, Stepped};
use crate::matrix::{Matrix, Panel};
use crate::strips::Strips;
use crate::vector::LANES;
use std::ops::Range;

/// Writes what some units receive: `out[example, column + i] = Σ_terms Σ_k x[example, k] w[k, unit i]`.
///
/// # Shapes
/// Every term has the rows 0 .. n of `out` as its examples. So many `strips` of sixteen units are written, from `column` on, a
/// multiple of 16.
///
/// # Numerics
/// Fused multiply-add from +0, terms and inputs in order: the same bits on every instruction set, and for one term in place of
/// several that divide its inputs.
///
/// # Panics
/// If the shapes do not fit, or the [`NonZeroInputs`] are those of other examples.
///
/// # Allocates
/// Nothing.
pub fn receive(kernels: &Kernels, terms: &[Received<'_>], strips: usize, out: &mut Matrix, column: usize) {
    let examples = check(terms, strips);
    let (stride, first) = (out.stride(), first_strip(column, strips, out));
    assert!(examples <= out.rows(), "{examples} examples, {} rows", out.rows());
    kernels.receive(terms, strips, Rows { memory: &mut out.memory_mut()[first..], stride });
    out.clear_padding(0..examples);
}

/// Takes a step of the states of some units, `next = clip(s + ε (what they receive + b − leak · s), 0, 1)`, and returns the
/// largest |next − s|.
///
/// # Shapes
/// Every term has as many examples as `rows` of the state s and of `next`. The bias b has one row for all examples, or is
/// read in the same rows. So many `strips` of sixteen units take the step, from `column` on, a multiple of 16.
///
/// # Numerics
/// As [`receive`]. A state that would be NaN becomes 0.
///
/// # Panics
/// If the shapes do not fit, or the [`NonZeroInputs`] are those of other examples.
///
/// # Allocates
/// Nothing.
///
/// # Example
/// ```
/// use rivalry_core::ops::{self, ClippedStep, Received};
/// use rivalry_core::{Kernels, Matrix, Strips};
/// let (mut weights, [mut x, mut state, bias, mut next]) = (Strips::zeros(1, 2), [(); 4].map(|()| Matrix::zeros(1, 2)));
/// weights.set(0, [0.25]);
/// weights.set(1, [9.0]);
/// x.row_mut(0)[0] = 1.0;
/// state.row_mut(0).copy_from_slice(&[0.5, 0.5]);
/// let step = ClippedStep { epsilon: 0.5, leak: 1.0 };
/// let received = [Received::from(x.panel(0, 1), &weights)];
/// let largest = ops::clipped_step(Kernels::best(), step, &received, [&state, &bias], (&mut next, 0..1), [0, 1]);
/// assert_eq!(next.row(0), [0.375, 1.0]);
/// assert_eq!(largest, 0.5);
/// ```
pub fn clipped_step(
    kernels: &Kernels,
    step: ClippedStep,
    terms: &[Received<'_>],
    [state, bias]: [&Matrix; 2],
    (next, rows): (&mut Matrix, Range<usize>),
    [column, strips]: [usize; 2],
) -> f32 {
    assert_eq!(check(terms, strips), rows.len(), "examples of a step");
    let (stride, first) = (next.stride(), first_strip(column, strips, next));
    assert!([state, bias].iter().all(|matrix| matrix.columns() == next.columns()), "columns of the states");
    assert!(rows.start <= rows.end && rows.end <= next.rows(), "{rows:?} of {} states", next.rows());
    let state = state.panel(rows.start, rows.len()).columns(first, strips);
    let bias_rows = if bias.rows() == 1 { 0..1 } else { rows.clone() };
    let bias = bias.panel(bias_rows.start, bias_rows.len()).columns(first, strips);
    let memory = next.memory_mut().get_mut(rows.start * stride + first..).unwrap_or_default();
    let largest = kernels.clipped_step(terms, strips, Stepped { step, state, bias, next: Rows { memory, stride } });
    next.clear_padding(rows);
    largest
}

/// Learns by a sum of outer products in some strips: `w[k, unit] += Σ_example x[example, k] δ[example, unit]`.
///
/// # Shapes
/// `x` [examples × inputs], `deltas` [at least examples × units].
///
/// # Numerics
/// The sum by fused multiply-add from +0, examples in order, then one addition: a change far below a weight is not rounded
/// example by example. The same bits on every instruction set.
///
/// # Panics
/// If the shapes do not fit, or the [`NonZeroInputs`] are those of other examples.
///
/// # Allocates
/// Nothing.
///
/// # Example
/// ```
/// use rivalry_core::{Kernels, Matrix, Strips, ops};
/// let (mut x, mut deltas, mut weights) = (Matrix::zeros(1, 2), Matrix::zeros(1, 1), Strips::zeros(2, 1));
/// x.row_mut(0).copy_from_slice(&[3.0, 4.0]);
/// deltas.row_mut(0)[0] = 2.0;
/// weights.set(0, [1.0, 1.0]);
/// ops::learn(Kernels::best(), (x.panel(0, 1), None), &deltas, &mut weights, 0..1);
/// assert_eq!(weights.to_rows(), [7.0, 9.0]);
/// ```
pub fn learn(
    kernels: &Kernels,
    (x, nonzeros): (Panel<'_>, Option<&NonZeroInputs>),
    deltas: &Matrix,
    weights: &mut Strips,
    strips: Range<usize>,
) {
    assert!(strips.start <= strips.end && strips.end <= weights.strips(), "{strips:?} of {}", weights.strips());
    assert!(weights.length() <= x.width() * LANES, "{} inputs, {} vectors", weights.inputs(), x.width());
    assert!(deltas.columns() == weights.units() && x.rows() <= deltas.rows(), "the shape of δ");
    check_nonzeros(x, nonzeros);
    kernels.learn_strips(x, nonzeros, deltas.panel(0, x.rows()), weights, strips);
}

/// Checks terms for so many strips and returns the number of their examples.
fn check(terms: &[Received<'_>], strips: usize) -> usize {
    let examples = terms.first().expect("units receive at least one term").x.rows();
    for &Received { x, nonzeros, weights, first } in terms {
        assert_eq!(x.rows(), examples, "examples of a term");
        assert!(first + strips <= weights.strips(), "{first} + {strips} of {} strips", weights.strips());
        assert!(weights.length() <= x.width() * LANES, "{} inputs, {} vectors", weights.inputs(), x.width());
        check_nonzeros(x, nonzeros);
    }
    examples
}

/// The vector of a column, from which so many strips fit into a row.
fn first_strip(column: usize, strips: usize, matrix: &Matrix) -> usize {
    assert!(column.is_multiple_of(LANES), "column {column}");
    assert!(column / LANES + strips <= matrix.width(), "{strips} strips from column {column}");
    column / LANES
}

/// Refuses a record of other examples: the rest would be left out in silence.
fn check_nonzeros(x: Panel<'_>, nonzeros: Option<&NonZeroInputs>) {
    if let Some(nonzeros) = nonzeros {
        assert_eq!(nonzeros.shape(), [x.rows(), x.width()], "the record is of other examples [rows, vectors]");
    }
}
