//! Weights in strips of sixteen units: how networks keep them whose units learn from what they and their inputs do.
//!
//! The weights from input 0 to sixteen units lie side by side, behind them those from input 1, and so on. A product with some
//! examples then reads a strip from its start to its end and adds up nothing across lanes, and so does the update.

use crate::vector::{LANES, Lanes};
use wide::f32x16;

/// The inputs of a strip are a multiple of this.
pub(crate) const GROUP: usize = 8;

/// Weights w [inputs × units], sixteen units after another. What is behind the last unit or input is zero.
///
/// # Example
/// ```
/// use rivalry_core::ops::{self, Received};
/// use rivalry_core::{Kernels, Matrix, Strips};
/// let mut weights = Strips::zeros(2, 3); // from two inputs to three units
/// (0..3).for_each(|unit| weights.set(unit, [1.0, unit as f32]));
/// let mut x = Matrix::zeros(1, 2);
/// x.row_mut(0).copy_from_slice(&[10.0, 1.0]);
/// let mut out = Matrix::zeros(1, 3);
/// ops::receive(Kernels::best(), &[Received::from(x.panel(0, 1), &weights)], 1, &mut out, 0);
/// assert_eq!(out.row(0), [10.0, 11.0, 12.0]);
/// ```
#[derive(Debug, Clone)]
pub struct Strips {
    inputs: usize,
    units: usize,
    /// The vectors of a strip: inputs, rounded up.
    length: usize,
    memory: Vec<f32x16>,
}

impl Strips {
    /// Allocates weights of zero.
    pub fn zeros(inputs: usize, units: usize) -> Strips {
        let length = inputs.next_multiple_of(GROUP);
        let memory = vec![f32x16::splat(0.0); units.div_ceil(LANES) * length];
        Strips { inputs, units, length, memory }
    }

    /// The number of inputs.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The number of units.
    pub fn units(&self) -> usize {
        self.units
    }

    /// The number of strips, ⌈units / 16⌉.
    pub fn strips(&self) -> usize {
        self.units.div_ceil(LANES)
    }

    /// The weights of a unit, from its inputs in order.
    ///
    /// # Panics
    /// If there is no such unit.
    pub fn unit(&self, unit: usize) -> impl ExactSizeIterator<Item = f32> {
        assert!(unit < self.units, "unit {unit} of {}", self.units);
        self.strip(unit / LANES)[..self.inputs].iter().map(move |lanes| lanes[unit % LANES])
    }

    /// Sets the weights of a unit, from its inputs in order.
    ///
    /// # Panics
    /// If there is no such unit.
    pub fn set(&mut self, unit: usize, weights: impl IntoIterator<Item = f32>) {
        assert!(unit < self.units, "unit {unit} of {}", self.units);
        let inputs = self.inputs;
        let strip = &mut self.strip_mut(unit / LANES)[..inputs];
        strip.iter_mut().zip(weights).for_each(|(lanes, weight)| lanes[unit % LANES] = weight);
    }

    /// Sets the weights of all units, one unit after another: what [`Strips::to_rows`] gives, or numbers that are drawn.
    pub fn set_all(&mut self, weights: impl IntoIterator<Item = f32>) {
        let mut weights = weights.into_iter();
        (0..self.units).for_each(|unit| self.set(unit, weights.by_ref().take(self.inputs)));
    }

    /// The weights of all units, one unit after another.
    pub fn to_rows(&self) -> Vec<f32> {
        (0..self.units).flat_map(|unit| self.unit(unit)).collect()
    }

    /// Makes these the weights of `from` with inputs and units exchanged.
    ///
    /// # Panics
    /// If the shapes do not fit.
    pub fn transpose(&mut self, from: &Strips) {
        assert_eq!([self.inputs, self.units], [from.units, from.inputs], "the shape of exchanged weights");
        let length = self.length;
        for strip in 0..from.strips() {
            let inputs = strip * LANES..length.min((strip + 1) * LANES);
            for (unit, lanes) in from.strip(strip)[..from.inputs].iter().enumerate() {
                let to = &mut self.strip_mut(unit / LANES)[inputs.clone()];
                to.iter_mut().zip(lanes).for_each(|(to, weight)| to[unit % LANES] = *weight);
            }
        }
    }

    /// All weights, with zeros behind the last unit or input, in the order of memory.
    pub fn values(&self) -> &[f32] {
        self.lanes().as_flattened()
    }

    /// All weights to write to, as [`Strips::values`]; what is behind the last unit or input stays zero.
    pub fn values_mut(&mut self) -> &mut [f32] {
        self.lanes_mut().as_flattened_mut()
    }

    /// The vectors of a strip, one for each input; those behind the last input are zero.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// One strip: the weights of sixteen units, input by input.
    pub(crate) fn strip(&self, strip: usize) -> &[Lanes] {
        &self.lanes()[strip * self.length..][..self.length]
    }

    /// One strip to write to.
    pub(crate) fn strip_mut(&mut self, strip: usize) -> &mut [Lanes] {
        let length = self.length;
        &mut self.lanes_mut()[strip * length..][..length]
    }

    fn lanes(&self) -> &[Lanes] {
        bytemuck::cast_slice(&self.memory)
    }

    fn lanes_mut(&mut self) -> &mut [Lanes] {
        bytemuck::cast_slice_mut(&mut self.memory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_go_in_and_out_by_unit_and_exchange_inputs_with_units() {
        for (inputs, units) in [(1, 1), (7, 16), (8, 17), (20, 33), (40, 5)] {
            let rows: Vec<f32> = (1..=inputs * units).map(|weight| weight as f32).collect();
            let (mut strips, mut exchanged) = (Strips::zeros(inputs, units), Strips::zeros(units, inputs));
            strips.set_all(rows.iter().copied());
            assert_eq!(strips.to_rows(), rows);
            exchanged.transpose(&strips);
            for unit in 0..inputs {
                let column: Vec<f32> = rows.iter().skip(unit).step_by(inputs).copied().collect();
                assert_eq!(exchanged.unit(unit).collect::<Vec<f32>>(), column, "{inputs} x {units}");
            }
            for strips in [&strips, &exchanged] {
                assert_eq!(strips.values().iter().filter(|weight| **weight != 0.0).count(), inputs * units);
            }
        }
    }
}
