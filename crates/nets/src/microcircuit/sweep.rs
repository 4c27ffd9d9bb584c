//! The two sweeps of a minibatch: the units of one worker, and what the workers tell each other.
//!
//! ```text
//! up, k = 1 … N:        v_k = W^up_k r_{k−1} + b,  r_k = φ(v_k)                      a barrier behind each r_k
//! output:               u_N = v_N + λ_N (target − v_N)
//! down, k = N−1 … 1:    v^I_k = W^IP_k r_k + b,  u^I_k = v^I_k + λ_I (u_{k+1} − v^I_k)
//!                       D_k = φ(u_{k+1}) − φ(u^I_k)                                  a barrier behind each D_k
//!                       v^A_k = W^down_k D_k,  u_k = v_k + λ_k v^A_k
//! ```
//!
//! 1. W^PI_k = −W^down_k, so v^A_k is one product with the difference D_k in place of two that nearly cancel. Where a state has
//!    another W^PI_k, the product (W^PI_k + W^down_k) φ(u^I_k) is added.
//! 2. What learning multiplies are differences of rates, φ(v + d) − φ(v) with d small, which `logistic_change` computes from v and
//!    d to the full accuracy of d.
//! 3. A layer learns from the last minibatch when the next one reaches it ([`crate::dense`]), so each matrix is read once.

use super::spec::MicrocircuitSpec;
use crate::dense::{Dense, Pending, Samples};
use crate::workers::SharedColumns;
use rivalry_core::ops::{self, Received};
use rivalry_core::{Barrier, Kernels, Matrix, Strips};
use std::ops::Range;

/// The units of one worker in every layer, and its copy of what all workers computed.
#[derive(Debug)]
pub(super) struct Units {
    /// Which units of each layer they are.
    pub(super) ranges: Vec<Range<usize>>,
    /// W^up of each layer.
    pub(super) up: Vec<Dense>,
    /// W^IP of each hidden layer: the rows of the interneurons that stand for the own units of the layer above.
    pub(super) ip: Vec<Dense>,
    /// W^down of each hidden layer.
    pub(super) down: Vec<Strips>,
    /// W^PI + W^down of each hidden layer, where it is not zero.
    pub(super) mismatch: Vec<Option<Strips>>,
    /// v of each layer, u of each layer, v^A of each hidden layer [batch × own units].
    pub(super) basal: Vec<Matrix>,
    pub(super) soma: Vec<Matrix>,
    pub(super) apical: Vec<Matrix>,
    /// v^I of the interneurons of each hidden layer [batch × own units above].
    interneurons: Vec<Matrix>,
    /// η/batch · (φ(u) − φ(v)) of the own units of each layer, and of the interneurons of each hidden layer.
    delta_up: Vec<Matrix>,
    delta_ip: Vec<Matrix>,
    /// Of each hidden layer: φ(v), φ(u) [batch × units], D and φ(u^I) [batch × units above].
    up_rates: Vec<Matrix>,
    rates: Vec<Matrix>,
    differences: Vec<Matrix>,
    interneuron_rates: Vec<Matrix>,
    /// Room for an intermediate result of each layer [batch × own units].
    spare: Vec<Matrix>,
}

/// What each worker publishes of its own units, a matrix for each hidden layer.
#[derive(Debug)]
pub(super) struct Published {
    up_rates: Vec<SharedColumns>,
    rates: Vec<SharedColumns>,
    differences: Vec<SharedColumns>,
    interneuron_rates: Vec<SharedColumns>,
}

/// One worker at work.
#[derive(Debug, Clone, Copy)]
pub(super) struct Worker<'a> {
    pub(super) number: usize,
    pub(super) kernels: &'a Kernels,
    pub(super) spec: &'a MicrocircuitSpec,
    pub(super) published: &'a Published,
    pub(super) barrier: &'a Barrier,
}

impl Published {
    pub(super) fn new(batch: usize, ranges: &[Vec<Range<usize>>]) -> Published {
        let hidden = ranges[0].len() - 1;
        let of = |first: usize| {
            let columns = |layer: usize| SharedColumns::new(batch, ranges.iter().map(|own| own[layer].clone()));
            (first..first + hidden).map(columns).collect::<Vec<SharedColumns>>()
        };
        Published { up_rates: of(0), rates: of(0), differences: of(1), interneuron_rates: of(1) }
    }
}

impl Units {
    /// Zeros.
    pub(super) fn new(spec: &MicrocircuitSpec, ranges: Vec<Range<usize>>) -> Units {
        let (widths, layers, batch) = (spec.widths(), ranges.len(), spec.batch);
        let own = |first: usize| ranges[first..].iter().map(|own| Matrix::zeros(batch, own.len())).collect::<Vec<_>>();
        let all = |first: usize| (1..layers).map(|k| Matrix::zeros(batch, widths[first + k])).collect::<Vec<_>>();
        Units {
            up: (0..layers).map(|k| Dense::zeros(ranges[k].len(), widths[k])).collect(),
            ip: (1..layers).map(|k| Dense::zeros(ranges[k].len(), widths[k])).collect(),
            down: (1..layers).map(|k| Strips::zeros(widths[k + 1], ranges[k - 1].len())).collect(),
            mismatch: vec![None; layers - 1],
            basal: own(0),
            soma: own(0),
            apical: own(0),
            interneurons: own(1),
            delta_up: own(0),
            delta_ip: own(1),
            up_rates: all(0),
            rates: all(0),
            differences: all(1),
            interneuron_rates: all(1),
            spare: own(0),
            ranges,
        }
    }

    /// Learns from the last minibatch on the way up, if there was one, and computes v of every layer and v^I of the next.
    pub(super) fn sweep_up(&mut self, worker: Worker<'_>, last: Option<Samples<'_>>, next: Samples<'_>) {
        let (kernels, published, samples) = (worker.kernels, worker.published, next.x.rows());
        for layer in 0..self.up.len() {
            if layer > 0 {
                self.meet(worker, layer - 1, last, Some(samples));
                let rates = &self.rates[layer - 1];
                let pending = |deltas| last.map(|last| pending(deltas, rates.panel(0, last.x.rows()).into()));
                let below = self.up_rates[layer - 1].panel(0, samples).into();
                let ip = pending(&self.delta_ip[layer - 1]);
                self.ip[layer - 1].learn_and_apply(kernels, ip, below, &mut self.interneurons[layer - 1]);
                let up = pending(&self.delta_up[layer]);
                self.up[layer].learn_and_apply(kernels, up, below, &mut self.basal[layer]);
            } else {
                let pending = last.map(|last| pending(&self.delta_up[0], last));
                self.up[0].learn_and_apply(kernels, pending, next, &mut self.basal[0]);
            }
            if layer + 1 < self.up.len() {
                let mut rates = published.up_rates[layer].write(worker.number);
                ops::logistic(kernels, &self.basal[layer], 0..samples, &mut rates);
            }
        }
    }

    /// Waits for a hidden layer, and copies its rates: φ(u) of the last minibatch and φ(v) of the next.
    fn meet(&mut self, worker: Worker<'_>, layer: usize, last: Option<Samples<'_>>, next: Option<usize>) {
        worker.barrier.wait();
        if let Some(last) = last {
            worker.published.rates[layer].gather(0..last.x.rows(), &mut self.rates[layer]);
        }
        if let Some(samples) = next {
            worker.published.up_rates[layer].gather(0..samples, &mut self.up_rates[layer]);
        }
    }

    /// Learns from the last minibatch, when none follows.
    pub(super) fn finish(&mut self, worker: Worker<'_>, last: Samples<'_>) {
        let (kernels, samples) = (worker.kernels, last.x.rows());
        self.up[0].learn(kernels, pending(&self.delta_up[0], last));
        for layer in 1..self.up.len() {
            self.meet(worker, layer - 1, Some(last), None);
            let rates = self.rates[layer - 1].panel(0, samples).into();
            self.ip[layer - 1].learn(kernels, pending(&self.delta_ip[layer - 1], rates));
            self.up[layer].learn(kernels, pending(&self.delta_up[layer], rates));
        }
    }

    /// From the outputs down: u of every layer, and what is to be learned at a rate.
    pub(super) fn sweep_down(&mut self, worker: Worker<'_>, labels: &[u8], rate: f32) {
        let (spec, samples, top) = (worker.spec, labels.len(), self.up.len() - 1);
        let potentials = spec.targets.map(|target| logit(f64::from(target)) as f32);
        let rate = rate / samples as f32;
        for (sample, &label) in labels.iter().enumerate() {
            let basal = self.basal[top].row(sample);
            let changes = self.delta_up[top].row_mut(sample);
            for ((class, change), v) in self.ranges[top].clone().zip(changes).zip(basal) {
                let target = potentials[usize::from(class != usize::from(label))];
                *change = spec.lambdas[top] * (target - v);
            }
        }
        self.move_soma(worker, top, samples, rate);
        for layer in (0..top).rev() {
            self.compare(worker, layer, samples, rate);
            worker.barrier.wait();
            worker.published.differences[layer].gather(0..samples, &mut self.differences[layer]);
            let (down, differences) = (&self.down[layer], self.differences[layer].panel(0, samples));
            let term = Received::from(differences, down);
            ops::receive(worker.kernels, &[term], down.strips(), &mut self.apical[layer], 0);
            if let Some(mismatch) = &self.mismatch[layer] {
                worker.published.interneuron_rates[layer].gather(0..samples, &mut self.interneuron_rates[layer]);
                let rates = self.interneuron_rates[layer].panel(0, samples);
                let (term, spare) = (Received::from(rates, mismatch), &mut self.spare[layer]);
                ops::receive(worker.kernels, &[term], mismatch.strips(), spare, 0);
                for sample in 0..samples {
                    let apical = self.apical[layer].row_mut(sample);
                    apical.iter_mut().zip(spare.row(sample)).for_each(|(apical, more)| *apical += more);
                }
            }
            for sample in 0..samples {
                let changes = self.delta_up[layer].row_mut(sample);
                for (change, apical) in changes.iter_mut().zip(self.apical[layer].row(sample)) {
                    *change = spec.lambdas[layer] * apical;
                }
            }
            self.move_soma(worker, layer, samples, rate);
        }
    }

    /// u = v + d with d in `delta_up`, which becomes the change of the rate times η; the rates φ(u) of a hidden layer are published.
    fn move_soma(&mut self, worker: Worker<'_>, layer: usize, samples: usize, rate: f32) {
        let deltas = &mut self.delta_up[layer];
        for sample in 0..samples {
            let potentials = self.basal[layer].row(sample).iter().zip(deltas.row(sample));
            let soma = self.soma[layer].row_mut(sample);
            soma.iter_mut().zip(potentials).for_each(|(soma, (basal, change))| *soma = basal + change);
        }
        if layer < self.rates.len() {
            let mut rates = worker.published.rates[layer].write(worker.number);
            ops::logistic_change(worker.kernels, &self.basal[layer], 0..samples, deltas, &mut rates);
        } else {
            ops::logistic_change(worker.kernels, &self.basal[layer], 0..samples, deltas, &mut self.spare[layer]);
        }
        scale(deltas, samples, worker.spec.eta_up[layer] * rate);
    }

    /// Publishes how far the own units above a hidden layer are from their interneurons in it, and what the latter are to learn.
    fn compare(&mut self, worker: Worker<'_>, layer: usize, samples: usize, rate: f32) {
        let lambda = worker.spec.lambda_interneuron;
        let (interneurons, deltas) = (&mut self.interneurons[layer], &mut self.delta_ip[layer]);
        let soma = &mut self.spare[layer + 1];
        let mut differences = worker.published.differences[layer].write(worker.number);
        for sample in 0..samples {
            let above = self.soma[layer + 1].row(sample).iter().zip(interneurons.row(sample));
            let changes = deltas.row_mut(sample).iter_mut().zip(differences.row_mut(sample));
            for (((u, v), (delta, difference)), soma) in above.zip(changes).zip(soma.row_mut(sample)) {
                *delta = lambda * (u - v);
                *difference = (1.0 - lambda) * (u - v);
                *soma = v + *delta;
            }
        }
        let mut rates = worker.published.interneuron_rates[layer].write(worker.number);
        ops::logistic_change(worker.kernels, interneurons, 0..samples, deltas, &mut rates);
        // v^I is not needed any more, so rates that are never read overwrite it.
        ops::logistic_change(worker.kernels, soma, 0..samples, &mut differences, interneurons);
        scale(deltas, samples, worker.spec.eta_ip[layer] * rate);
    }
}

fn pending<'a>(deltas: &'a Matrix, samples: Samples<'a>) -> Pending<'a> {
    Pending { samples, deltas, bias_samples: samples.x.rows() }
}

fn scale(matrix: &mut Matrix, rows: usize, factor: f32) {
    for row in 0..rows {
        matrix.row_mut(row).iter_mut().for_each(|value| *value *= factor);
    }
}

/// The potential at which φ has this value.
fn logit(rate: f64) -> f64 {
    libm::log(rate / (1.0 - rate))
}
