//! The control of the learned layer: one that learned nothing.

use crate::error::{Error, Result};
use rivalry_core::{Layer, Random};

/// Draws a layer of random directions on the p-sphere: weights from N(0, 1), each unit then scaled so that Σ|W|^p = 1.
///
/// This is where the learned layer starts (N(0, 1)) with the norm at which its units end (eqs. 4–5), so that the two differ
/// in the directions of the units only.
///
/// Source: ours; the paper has no such control.
///
/// # Shapes
/// [hidden × inputs]
///
/// # Numerics
/// Norms in f64 through `libm`, one rounding per weight: the same bits on every machine.
///
/// # Errors
/// [`Error::Value`] unless p is finite and at least 1; [`Error::Core`] as [`Layer::normal`].
///
/// # Allocates
/// Three times the layer.
///
/// # Example
/// ```
/// use rivalry_core::Random;
/// let layer = rivalry_nets::random_layer(10, 784, 3.0, &mut Random::keyed(1, "weights", 0))?;
/// assert_eq!(layer.converged(3.0).len(), 10);
/// # Ok::<(), rivalry_nets::Error>(())
/// ```
pub fn random_layer(hidden: usize, inputs: usize, p: f64, random: &mut Random) -> Result<Layer> {
    if !(p.is_finite() && p >= 1.0) {
        return Err(Error::value("p", "a finite number of at least 1", p));
    }
    let mut rows = Layer::normal(hidden, inputs, 1.0, random)?.to_rows();
    for row in rows.chunks_exact_mut(inputs) {
        let norm: f64 = row.iter().map(|&w| libm::pow(f64::from(w.abs()), p)).sum();
        let scale = libm::pow(norm, -1.0 / p);
        row.iter_mut().for_each(|w| *w = (f64::from(*w) * scale) as f32);
    }
    Ok(Layer::from_rows(hidden, inputs, &rows)?)
}
