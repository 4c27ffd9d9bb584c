//! What a worker does in a minibatch: it relaxes its own samples, then its own units learn from all samples.

use super::relax::{Ended, Network, Nudge, Relaxation, Units, copy_rows};
use super::{EquilibriumPropagation, EquilibriumSpec, Signs};
use crate::dense::{Pending, Samples};
use crate::learner::Labelled;
use crate::workers::{Exchange, rows, staged_rows};
use rivalry_core::ops::NonZeroInputs;
use rivalry_core::{Barrier, Kernels, Matrix, range_of};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// What the last epoch was like.
#[derive(Debug, Clone, Default)]
pub(super) struct Health {
    pub(super) minibatches: u64,
    pub(super) steps: u64,
    /// Summed over the minibatches.
    pub(super) residual: f64,
    /// For every class, whether its output was above 0 for some sample.
    pub(super) alive: Vec<bool>,
}

/// The samples of a worker at the end of their phases: the states of each layer [samples × units].
#[derive(Debug)]
pub(super) struct FixedPoints {
    pub(super) samples: Range<usize>,
    pub(super) free: Vec<Matrix>,
    /// With β; behind these samples the same with −β where there are two nudged phases.
    pub(super) nudged: Vec<Matrix>,
    pub(super) ended: Ended,
}

/// The working memory of one worker.
#[derive(Debug)]
pub(super) struct Memory {
    relaxation: Relaxation,
    labels: Vec<u8>,
    /// The inputs of the present and of the previous minibatch, where kernels cannot read them in place, and their non-zeros.
    staged: [Matrix; 2],
    nonzeros: [NonZeroInputs; 2],
    /// δ of the own units of each layer [2 · batch × units], and the states below that they meet [2 · batch × units].
    deltas: Vec<Matrix>,
    below: Vec<Matrix>,
    pub(super) health: Health,
}

impl Memory {
    pub(super) fn new(spec: &EquilibriumSpec, workers: usize, units: &Units) -> Memory {
        let batch = spec.batch;
        let matrices = |columns: &[usize]| columns.iter().map(|&columns| Matrix::zeros(2 * batch, columns)).collect();
        let own: Vec<usize> = units.ranges.iter().map(Range::len).collect();
        Memory {
            relaxation: Relaxation::new(spec, spec.signs.phases() * batch.div_ceil(workers)),
            labels: Vec::with_capacity(batch),
            staged: [(); 2].map(|()| Matrix::zeros(batch, spec.inputs)),
            nonzeros: [(); 2].map(|()| NonZeroInputs::new(batch, spec.inputs)),
            deltas: matrices(&own),
            below: matrices(&spec.hidden),
            health: Health::default(),
        }
    }
}

/// How workers agree on the largest of their numbers: three slots in rotation, so that no worker clears a number that another still reads.
pub(super) struct Agreement<'a> {
    pub(super) slots: &'a [AtomicU32; 3],
    pub(super) barrier: &'a Barrier,
    pub(super) round: usize,
}

impl Agreement<'_> {
    fn largest(&mut self, own: f32) -> f32 {
        // The bits of numbers of at least 0 are in their order.
        let slot = &self.slots[self.round % 3];
        slot.fetch_max(own.to_bits(), Relaxed);
        self.barrier.wait();
        // All workers read the previous slot before the barrier; it is used again after the next one.
        self.slots[(self.round + 2) % 3].store(0, Relaxed);
        self.round += 1;
        f32::from_bits(slot.load(Relaxed))
    }
}

impl EquilibriumPropagation {
    /// Relaxes the own samples of a minibatch: the free phase, then one or two nudged ones.
    pub(super) fn relax(
        &self,
        kernels: &Kernels,
        network: &Network<'_>,
        (worker, memory): (usize, &mut Memory),
        (data, minibatch, beta): (&Labelled<'_>, &[u32], f32),
        agreement: &mut Agreement<'_>,
    ) {
        let Memory { relaxation, labels, .. } = memory;
        let mut points = self.fixed_points[worker].write();
        let own = range_of(minibatch.len(), 1, worker, self.units.len());
        let (samples, own_samples) = (own.len(), &minibatch[own.clone()]);
        labels.clear();
        labels.extend(own_samples.iter().map(|&sample| data.labels[sample as usize]));
        self.first.gather(own.clone(), &mut relaxation.first);
        relaxation.read_biases(network);
        match &self.particles {
            Some(particles) => self.load(particles, own_samples, &mut relaxation.states),
            None => relaxation.clear(samples),
        }
        points.ended =
            relaxation.free_phase(kernels, network, &self.spec, samples, |residual| agreement.largest(residual));
        points.samples = own;
        copy_rows(&relaxation.states, &mut points.free, 0, samples);
        if let Some(particles) = &self.particles {
            self.store(particles, own_samples, &relaxation.states);
        }
        // Both nudged phases at once, one below the other: the weights are read once for the two.
        let phases = self.spec.signs.phases();
        let nudge = |phase: usize| Nudge {
            samples: phase * samples..(phase + 1) * samples,
            beta: if phase == 0 { beta } else { -beta },
        };
        let nudges = [nudge(0), nudge(1)];
        if phases > 1 {
            copy_rows(&points.free, &mut relaxation.states, samples, samples);
            for row in 0..samples {
                relaxation.first.copy_row(row, samples + row);
            }
        }
        nudges[..phases].iter().for_each(|nudge| relaxation.nudge(nudge, labels));
        for _ in 0..self.spec.nudged_steps {
            relaxation.step(kernels, network, phases * samples, &nudges[..phases]);
        }
        copy_rows(&relaxation.states, &mut points.nudged, 0, phases * samples);
    }

    fn load(&self, particles: &Exchange, samples: &[u32], states: &mut [Matrix]) {
        let mut first = 0;
        for states in states {
            for (row, &sample) in samples.iter().enumerate() {
                particles.load(sample as usize, first, states.row_mut(row));
            }
            first += states.columns();
        }
    }

    fn store(&self, particles: &Exchange, samples: &[u32], states: &[Matrix]) {
        let mut first = 0;
        for states in states {
            for (row, &sample) in samples.iter().enumerate() {
                particles.store(sample as usize, first, states.row(row));
            }
            first += states.columns();
        }
    }

    /// Writes δ of the own units, and the states that they meet, of a minibatch whose phases have ended.
    fn contrast(&self, memory: &mut Memory, units: &Units, factor: f32, samples: usize) {
        let both = self.spec.signs == Signs::Both;
        for points in &self.fixed_points {
            let points = points.read();
            for (row, sample) in points.samples.clone().enumerate() {
                let plus = |layer: usize| points.nudged[layer].row(row);
                let minus = |layer: usize| match both {
                    true => points.nudged[layer].row(points.samples.len() + row),
                    false => points.free[layer].row(row),
                };
                for (layer, own) in units.ranges.iter().enumerate() {
                    let factor = self.spec.alphas[layer] * factor;
                    let [plus_own, minus_own] = [plus(layer), minus(layer)].map(|states| &states[own.clone()]);
                    let deltas = memory.deltas[layer].row_mut(sample);
                    for ((delta, plus), minus) in deltas.iter_mut().zip(plus_own).zip(minus_own) {
                        *delta = factor * (plus - minus);
                    }
                    if layer == 0 {
                        continue;
                    }
                    let deltas = memory.deltas[layer].row_mut(samples + sample);
                    deltas.iter_mut().zip(minus_own).for_each(|(delta, minus)| *delta = factor * minus);
                    let [plus, minus] = [plus(layer - 1), minus(layer - 1)];
                    memory.below[layer - 1].row_mut(sample).copy_from_slice(plus);
                    let below = memory.below[layer - 1].row_mut(samples + sample);
                    for ((below, plus), minus) in below.iter_mut().zip(plus).zip(minus) {
                        *below = plus - minus;
                    }
                }
            }
        }
    }

    /// Learns from the last minibatch, if there was one, and computes W_1 x + b_1 of the next, if there is one.
    pub(super) fn learn(
        &self,
        kernels: &Kernels,
        (worker, memory): (usize, &mut Memory),
        data: &Labelled<'_>,
        last: Option<(&[u32], f32)>,
        next: Option<&[u32]>,
    ) {
        let units = &mut *self.units[worker].write();
        if let Some((last, factor)) = last {
            self.contrast(memory, units, factor, last.len());
            if worker == 0 {
                self.observe(&mut memory.health);
            }
            for (layer, rows) in units.layers.iter_mut().enumerate().skip(1) {
                let samples = memory.below[layer - 1].panel(0, 2 * last.len()).into();
                rows.learn(kernels, Pending { samples, deltas: &memory.deltas[layer], bias_samples: last.len() });
            }
            units.transpose();
        }
        // What was the present minibatch is the previous one now.
        memory.staged.swap(0, 1);
        memory.nonzeros.swap(0, 1);
        let ([staged, staged_last], [nonzeros, nonzeros_last]) = (&mut memory.staged, &mut memory.nonzeros);
        let pending = last.map(|(last, _)| Pending {
            samples: Samples { x: staged_rows(&data.inputs, last, staged_last), nonzeros: Some(nonzeros_last) },
            deltas: &memory.deltas[0],
            bias_samples: last.len(),
        });
        match next {
            Some(next) => {
                let x = rows(kernels, &data.inputs, next, staged);
                nonzeros.record(x);
                let samples = Samples { x, nonzeros: Some(nonzeros) };
                units.layers[0].learn_and_apply(kernels, pending, samples, &mut self.first.write(worker));
            }
            None => pending.into_iter().for_each(|pending| units.layers[0].learn(kernels, pending)),
        }
    }

    /// Notes how the phases of a minibatch ended.
    fn observe(&self, health: &mut Health) {
        let (mut residual, mut steps) = (0.0_f32, 0);
        for points in &self.fixed_points {
            let points = points.read();
            residual = residual.max(points.ended.residual);
            steps = points.ended.steps;
            let outputs = &points.free[self.spec.hidden.len()];
            for row in 0..points.samples.len() {
                health.alive.iter_mut().zip(outputs.row(row)).for_each(|(alive, output)| *alive |= *output > 0.0);
            }
        }
        health.minibatches += 1;
        health.steps += steps as u64;
        health.residual += f64::from(residual);
    }
}
