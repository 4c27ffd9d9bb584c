//! Safe fronts of the loops that a supervised readout runs on: features, the power loss, its gradient, Adam.

use crate::isa::Kernels;
pub use crate::kernels::gradient::{Deltas, Ink, Products};
pub use crate::kernels::readout::{AdamStep, Exponent, PowerLoss};
use crate::matrix::{Matrix, Panel};
use crate::vector::Lanes;

/// Turns the scores of one example into features in place: h = (max(s, 0) · factor)^n.
///
/// With factor = c / scale this is h = (max(I, 0) / scale)^n, since the current is I = c·s.
///
/// Source: Krotov & Hopfield 2019, eq. 1; the scale is ours (it keeps h within f32 for large n; the paper has 1).
///
/// # Numerics
/// For n a multiple of ½, products and one square root; otherwise `libm::pow` in f64. Padding stays zero for n > 0.
pub fn features(kernels: &Kernels, scores: &mut [Lanes], factor: f32, n: Exponent) {
    kernels.features(scores, factor, n);
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
pub fn gradient(kernels: &Kernels, examples: Panel<'_>, deltas: Deltas<'_>, out: &mut Matrix) {
    fits(examples, deltas, out);
    let stride = out.stride();
    kernels.gradient(examples, deltas, out.memory_mut(), stride);
}

/// Takes a step of Adam on a matrix of weights with the gradient of a minibatch, as [`gradient`] and [`adam`] in turn do, with
/// the same bits. The gradient is never written down.
///
/// Source: Kingma & Ba 2015, algorithm 1.
///
/// # Shapes
/// As [`gradient`], with `weights` and both moments for its `out`.
///
/// # Numerics
/// Where an example is zero, δ has no effect even if it is infinite or NaN, if the products bring the ink.
///
/// # Panics
/// If the shapes do not fit, or the ink is that of a minibatch of another size.
pub fn descend(
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
    kernels.descend(products, step, moments.map(Matrix::memory_mut), weights.memory_mut(), stride);
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
