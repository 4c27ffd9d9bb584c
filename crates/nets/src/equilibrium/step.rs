//! One step from a given state, through the same code as training; and how a network takes over the tensors of a state.

use super::minibatch::FixedPoints;
use super::{AVERAGE, EquilibriumPropagation, EquilibriumSpec, Particles};
use crate::error::Result;
use crate::eval::check_size;
use crate::learner::{Labelled, Learner, State, Tensor};
use crate::workers::{Exchange, Shared};
use rivalry_core::{Compute, Matrix, Random};

/// Which states of the samples of a worker are meant: the matrices, and which block of rows, 0 for β, 1 for −β.
type StatesOf = fn(&FixedPoints) -> (&[Matrix], usize);

impl EquilibriumPropagation {
    /// Takes one step on one minibatch, all of `data`, from a given state: what an epoch of one minibatch does.
    ///
    /// Returns `weight.l`, `bias.l`, the ends `state.l` of the free phase, those of the nudged phase `nudged.l`, and with both
    /// signs of β also `nudged_back.l`, the ends of the second.
    ///
    /// # Shapes
    /// `state` has `weight.l` [units × units below], `bias.l` (one per unit) and, with persistent particles, `state.l` [samples ×
    /// units], where the free phase starts.
    ///
    /// # Errors
    /// As [`EquilibriumPropagation::new`] and [`Learner::epoch`]; also if a tensor is missing or has another shape, or the
    /// minibatch is empty or larger than `spec.batch`.
    ///
    /// # Example
    /// ```
    /// use rivalry_core::{Compute, Inputs, Kernels};
    /// use rivalry_nets::{EquilibriumPropagation, EquilibriumSpec, Labelled, State, Tensor};
    /// let spec = EquilibriumSpec { batch: 1, alphas: vec![0.1, 0.1], ..EquilibriumSpec::fixed(&[2, 1, 2])? };
    /// let mut state = State::default();
    /// for (name, shape, values) in [
    ///     ("weight.1", vec![1, 2], vec![0.5_f32, 0.5]),
    ///     ("bias.1", vec![1], vec![0.0]),
    ///     ("state.1", vec![1, 1], vec![0.0]),
    ///     ("weight.2", vec![2, 1], vec![0.25, 0.75]),
    ///     ("bias.2", vec![2], vec![0.0, 0.0]),
    ///     ("state.2", vec![1, 2], vec![0.0, 0.0]),
    /// ] {
    ///     state.insert(name, Tensor::new(shape, values));
    /// }
    /// let data = Labelled { inputs: Inputs::f32(&[0.5, 0.5], 2)?, labels: &[0] };
    /// let after = EquilibriumPropagation::step(&Compute::new(Some(1), Kernels::best())?, spec, &state, &data)?;
    /// assert!(after.f32("weight.2", &[2, 1])?[0] > 0.25);
    /// # Ok::<(), rivalry_nets::Error>(())
    /// ```
    pub fn step(compute: &Compute, spec: EquilibriumSpec, state: &State, data: &Labelled<'_>) -> Result<State> {
        let samples = data.inputs.samples();
        check_size("the samples of a minibatch", samples, 1, spec.batch)?;
        let spec = EquilibriumSpec { average_after: None, ..spec };
        let mut network = EquilibriumPropagation::new(spec, &mut Random::keyed(0, "unused", 0), compute)?;
        network.restore_tensors(state)?;
        network.epoch(compute, data, &(0..samples as u32).collect::<Vec<u32>>(), 1.0)?;
        let mut after = network.state();
        after.counters.clear();
        let points: Vec<_> = network.fixed_points.iter().map(Shared::read).collect();
        let ends: [(&str, StatesOf); 3] =
            [("state", |it| (&it.free, 0)), ("nudged", |it| (&it.nudged, 0)), ("nudged_back", |it| (&it.nudged, 1))];
        let count = 1 + network.spec.signs.phases();
        for (layer, &units) in network.spec.widths()[1..].iter().enumerate() {
            for (name, states) in &ends[..count] {
                let rows = points.iter().flat_map(|points| {
                    let ((states, times), samples) = (states(points), points.samples.len());
                    let rows = times * samples..(times + 1) * samples;
                    rows.flat_map(move |row| states[layer].row(row).iter().copied())
                });
                let tensor = Tensor::new([samples, units], rows.collect::<Vec<f32>>());
                after.insert(format!("{name}.{}", layer + 1), tensor);
            }
        }
        Ok(after)
    }

    /// Takes weights, biases, their means and particles from a state; nothing changes unless all are there.
    pub(super) fn restore_tensors(&mut self, state: &State) -> Result<()> {
        let widths = self.spec.widths();
        let has_particles = state.tensors.keys().any(|name| name.starts_with("state."));
        let samples = state.tensors.get("state.1").and_then(|tensor| tensor.shape.first()).copied().unwrap_or_default();
        let layers = |prefix: &str| -> Result<Vec<(&[f32], &[f32])>> {
            let layer = |(layer, pair): (usize, &[usize])| {
                let name = |kind: &str| format!("{prefix}{kind}.{}", layer + 1);
                Ok((state.f32(&name("weight"), &[pair[1], pair[0]])?, state.f32(&name("bias"), &[pair[1]])?))
            };
            widths.windows(2).enumerate().map(layer).collect()
        };
        let units = layers("")?;
        let means = if self.means.is_empty() { Vec::new() } else { layers(AVERAGE)? };
        let mut particles = Vec::new();
        if self.spec.particles == Particles::Persistent && has_particles {
            for (layer, &units) in widths[1..].iter().enumerate() {
                particles.push(state.f32(&format!("state.{}", layer + 1), &[samples, units])?);
            }
        }
        self.units.iter_mut().for_each(|own| own.get_mut().set(&units));
        self.means.iter_mut().for_each(|own| own.get_mut().set(&means));
        self.particles = (!particles.is_empty()).then(|| {
            let exchange = Exchange::new(samples, widths[1..].iter().sum());
            let mut first = 0;
            for (values, &units) in particles.iter().zip(&widths[1..]) {
                values.chunks_exact(units).enumerate().for_each(|(row, states)| exchange.store(row, first, states));
                first += units;
            }
            exchange
        });
        Ok(())
    }
}
