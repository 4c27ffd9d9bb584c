//! The controls of the learned layer: a layer that learned nothing, and no layer at all.

use crate::error::{Error, Result};
use crate::eval::{check_inputs, check_out};
use crate::learner::Encoder;
use crate::workers::stage;
use rivalry_core::{Compute, Inputs, Layer, Matrix, Random};

/// Draws a layer of random directions on the p-sphere: weights from N(0, 1), each unit then scaled so that Σ|W|^p = 1.
///
/// This is where the learned layer starts (N(0, 1)) with the norm at which its units end (eqs. 4–5), so that the two differ
/// in the directions of the units only. With a [`LayerEncoder`](crate::LayerEncoder) it is the control `random`.
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
/// [`Error::Invalid`] unless p is finite and at least 1; [`Error::Core`] as [`Layer::normal`].
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
        return Err(Error::invalid(format!("p = {p} is not a finite number of at least 1")));
    }
    let mut rows = Layer::normal(hidden, inputs, 1.0, random)?.to_rows();
    for row in rows.chunks_exact_mut(inputs) {
        let norm: f64 = row.iter().map(|&w| libm::pow(f64::from(w.abs()), p)).sum();
        let scale = libm::pow(norm, -1.0 / p);
        row.iter_mut().for_each(|w| *w = (f64::from(*w) * scale) as f32);
    }
    Ok(Layer::from_rows(hidden, inputs, &rows)?)
}

/// The inputs themselves as features, h = c x: what a readout sees that has no hidden layer below it.
///
/// # Example
/// ```
/// use rivalry_core::{Compute, Inputs, Kernels};
/// use rivalry_nets::{Encoder, Raw};
/// let inputs = Inputs::f32(&[3.0, 4.0], 2)?;
/// let scales = inputs.unit_length_scales();
/// let compute = Compute::new(Some(1), Kernels::best())?;
/// let features = Raw::new(2).features(&compute, &inputs.with_scales(&scales)?)?;
/// assert_eq!(features.row(0), [0.6, 0.8]);
/// # Ok::<(), rivalry_nets::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Raw {
    inputs: usize,
}

impl Raw {
    /// For samples of that length.
    pub fn new(inputs: usize) -> Raw {
        Raw { inputs }
    }
}

impl Encoder for Raw {
    fn width(&self) -> usize {
        self.inputs
    }

    /// Copies every sample, times its scale c.
    ///
    /// # Numerics
    /// One rounding; the same bits for any number of threads and instruction set.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a shape does not fit.
    fn encode(&self, compute: &Compute, inputs: &Inputs<'_>, out: &mut Matrix) -> Result<()> {
        check_inputs(inputs, self.inputs)?;
        check_out(out, inputs.samples(), self.inputs)?;
        // As fast as memory takes it, so one thread is enough.
        stage(compute.kernels(), inputs, 0..inputs.samples(), out);
        Ok(())
    }
}
