//! Dendritic microcircuits (Sacramento et al. 2018): errors as what interneurons cannot explain of the feedback.
//!
//! Every unit has three compartments. Basal input from below predicts the soma; apical input from above moves it. In each hidden
//! layer interneurons imitate the units above; what they miss stays in the apical compartment and is learned from. In steady
//! state that takes two sweeps, which `sweep.rs` writes down. Learning, with the rates after the sweep down:
//!
//! ```text
//! W^up_k += η_k   mean (φ(u_k) − φ(v_k)) [r_{k−1}, 1]ᵀ
//! W^IP_k += η^IP_k mean (φ(u^I_k) − φ(v^I_k)) [r_k, 1]ᵀ         W^down, W^PI stay
//! ```
//!
//! Each worker owns some units of every layer, and their interneurons. Nothing is summed over workers, so the bits do not depend
//! on their number. With N layers they meet 2 (N − 1) times a minibatch.

mod spec;
mod sweep;

pub use spec::MicrocircuitSpec;

use crate::dense::{Averaging, Dense, Samples};
use crate::error::Result;
use crate::eval::{self, check_epoch, check_inputs, check_out};
use crate::learner::{Classifier, Labelled, Learner, State, Tensor};
use crate::workers::{Workers, all_rows, rows, staged_rows};
use rivalry_core::ops::{self, NonZeroInputs};
use rivalry_core::{Compute, Inputs, Matrix, Random, Strips, range_of};
use std::ops::Range;
use sweep::{Published, Units, Worker};

/// What to do when weights are no longer finite.
const HINT: &str = "lower eta_up or eta_ip";
/// Which potentials of the units of a worker are meant.
type PotentialsOf = fn(&Units) -> &[Matrix];

/// A network of dendritic microcircuits, divided among worker threads.
///
/// # Example
/// ```
/// use rivalry_core::{Compute, Inputs, Kernels, Random};
/// use rivalry_nets::{Classifier, Labelled, Learner, Microcircuit, MicrocircuitSpec};
/// let values = [1., 0., 0., 0., 1., 0., 0., 0., 1.];
/// let data = Labelled { inputs: Inputs::f32(&values, 3)?, labels: &[0, 1, 2] };
/// let compute = Compute::new(Some(2), Kernels::best())?;
/// let spec = MicrocircuitSpec { batch: 3, ..MicrocircuitSpec::ours(3, &[20], 3)? };
/// let mut network = Microcircuit::new(spec, &mut Random::keyed(1, "weights", 0), &compute)?;
/// for _ in 0..100 {
///     network.epoch(&compute, &data, &[0, 1, 2], 1.0)?;
/// }
/// assert_eq!(network.errors(&compute, &data)?, 0);
/// # Ok::<(), rivalry_nets::Error>(())
/// ```
#[derive(Debug)]
pub struct Microcircuit {
    spec: MicrocircuitSpec,
    epochs: u64,
    /// How many sets of weights the mean consists of.
    averaged: u64,
    /// The samples of the last minibatch, of which the compartments still hold the potentials.
    samples: usize,
    workers: Workers<Part>,
    published: Published,
}

/// One worker's units, and its working memory.
#[derive(Debug)]
struct Part {
    units: Units,
    /// The mean of W^up, where one is kept.
    average: Vec<Dense>,
    labels: Vec<u8>,
    /// The inputs of the present and of the previous minibatch, where kernels cannot read them in place, and their non-zeros.
    staged: [Matrix; 2],
    nonzeros: [NonZeroInputs; 2],
}

impl Microcircuit {
    /// Draws initial weights row by row and divides the network among the workers: W^up and its biases U(±up_range) from the
    /// inputs up, then W^down U(±down_range). It starts self-predicting: W^IP_k = W^up_{k+1}, W^PI = −W^down.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) if a setting is out of range or there is not one per layer.
    ///
    /// # Allocates
    /// The weights, and some minibatches of potentials for each worker.
    pub fn new(spec: MicrocircuitSpec, random: &mut Random, compute: &Compute) -> Result<Microcircuit> {
        spec.check()?;
        let (threads, widths) = (compute.threads(), spec.widths());
        let ranges = |worker| {
            widths[1..].iter().map(|&units| range_of(units, 16, worker, threads)).collect::<Vec<Range<usize>>>()
        };
        let all: Vec<Vec<Range<usize>>> = (0..threads).map(ranges).collect();
        let part = |worker: usize| {
            let units = Units::new(&spec, all[worker].clone());
            let average = if spec.average_after.is_some() { units.up.clone() } else { Vec::new() };
            let staged = [(); 2].map(|()| Matrix::zeros(spec.batch, spec.inputs));
            let nonzeros = [(); 2].map(|()| NonZeroInputs::new(spec.batch, spec.inputs));
            Part { units, average, labels: Vec::with_capacity(spec.batch), staged, nonzeros }
        };
        let mut network = Microcircuit {
            workers: Workers::new(compute, part),
            published: Published::new(spec.batch, &all),
            epochs: 0,
            averaged: 0,
            samples: 0,
            spec,
        };
        let mut draw = |range: f64| (range * (2.0 * random.uniform() - 1.0)) as f32;
        let (up, down) = (network.spec.up_range, network.spec.down_range);
        let layers = widths.len() - 1;
        for (layer, &inputs) in widths[..layers].iter().enumerate() {
            for part in network.workers.parts_mut() {
                let Dense { weights, bias } = &mut part.units.up[layer];
                for (unit, bias) in bias.iter_mut().enumerate() {
                    weights.set(unit, std::iter::repeat_with(|| draw(up)).take(inputs));
                    *bias = draw(up);
                }
            }
        }
        for layer in 0..layers - 1 {
            for part in network.workers.parts_mut() {
                part.units.down[layer].set_all(std::iter::repeat_with(|| draw(down)));
                part.units.ip[layer].clone_from(&part.units.up[layer + 1]);
            }
        }
        Ok(network)
    }

    /// Takes one step on one minibatch, all of `data`, from a given state: what an epoch of one minibatch does.
    ///
    /// Returns `up.k`, `ip.k`, and of every layer the basal potentials `basal.k` and those of the soma `soma.k` [samples × units].
    ///
    /// # Shapes
    /// `state` has, for k = 1 … N, `up.k` [units × units below + 1], and for each hidden layer `ip.k` [units above × units + 1],
    /// `down.k` and `pi.k` [units × units above]. The last column of `up.k` and `ip.k` are the biases.
    ///
    /// # Errors
    /// As [`Microcircuit::new`] and [`Learner::epoch`]; also if a tensor is missing or has another shape, or the minibatch is
    /// empty or larger than `spec.batch`.
    ///
    /// # Example
    /// ```
    /// use rivalry_core::{Compute, Inputs, Kernels};
    /// use rivalry_nets::{Labelled, Microcircuit, MicrocircuitSpec, State, Tensor};
    /// let spec = MicrocircuitSpec { batch: 1, ..MicrocircuitSpec::of_sizes(&[1, 1, 2])? };
    /// let mut state = State::default();
    /// for (name, shape) in [("up.1", [1, 2]), ("up.2", [2, 2]), ("ip.1", [2, 2]), ("down.1", [1, 2]), ("pi.1", [1, 2])] {
    ///     state.insert(name, Tensor::new(shape, vec![0.0_f32; shape[0] * shape[1]]));
    /// }
    /// let data = Labelled { inputs: Inputs::f32(&[1.0], 1)?, labels: &[0] };
    /// let after = Microcircuit::step(&Compute::new(Some(1), Kernels::best())?, spec, &state, &data)?;
    /// assert_eq!(after.f32("basal.2", &[1, 2])?, [0.0; 2]);
    /// assert!(after.f32("soma.2", &[1, 2])?[0] > 0.0 && after.f32("soma.2", &[1, 2])?[1] < 0.0);
    /// # Ok::<(), rivalry_nets::Error>(())
    /// ```
    pub fn step(compute: &Compute, spec: MicrocircuitSpec, state: &State, data: &Labelled<'_>) -> Result<State> {
        let samples = data.inputs.samples();
        eval::check_size("the samples of a minibatch", samples, 1, spec.batch)?;
        let spec = MicrocircuitSpec { average_after: None, ..spec };
        let mut network = Microcircuit::new(spec, &mut Random::keyed(0, "unused", 0), compute)?;
        network.restore_weights(state)?;
        network.epoch(compute, data, &(0..samples as u32).collect::<Vec<u32>>(), 1.0)?;
        let mut after = network.state();
        after.tensors.retain(|name, _| name.starts_with("up.") || name.starts_with("ip."));
        after.counters.clear();
        let parts = network.workers.lock();
        for (layer, &units) in network.spec.widths()[1..].iter().enumerate() {
            let potentials: [(&str, PotentialsOf); 2] = [("basal", |it| &it.basal), ("soma", |it| &it.soma)];
            for (name, of) in potentials {
                let rows = (0..samples)
                    .flat_map(|row| parts.iter().flat_map(move |part| of(&part.units)[layer].row(row).iter().copied()));
                let tensor = Tensor::new([samples, units], rows.collect::<Vec<f32>>());
                after.insert(format!("{name}.{}", layer + 1), tensor);
            }
        }
        Ok(after)
    }

    /// Takes all weights from a state; nothing changes unless all are there.
    fn restore_weights(&mut self, state: &State) -> Result<()> {
        let widths = self.spec.widths();
        let layers = widths.len() - 1;
        let (mut up, mut hidden) = (Vec::new(), Vec::new());
        for k in 1..=layers {
            up.push(state.f32(&format!("up.{k}"), &[widths[k], widths[k - 1] + 1])?);
            if k < layers {
                let ip = state.f32(&format!("ip.{k}"), &[widths[k + 1], widths[k] + 1])?;
                let fixed = ["down", "pi"].map(|name| state.f32(&format!("{name}.{k}"), &[widths[k], widths[k + 1]]));
                let [down, pi] = fixed;
                hidden.push((ip, down?, pi?));
            }
        }
        for part in self.workers.parts_mut() {
            let Units { ranges, up: own_up, ip, down, mismatch, .. } = &mut part.units;
            own_up.iter_mut().zip(&up).zip(&*ranges).for_each(|((rows, values), own)| rows.read(values, own.start));
            for (k, &(ip_values, down_values, pi_values)) in hidden.iter().enumerate() {
                ip[k].read(ip_values, ranges[k + 1].start);
                let place = ranges[k].start * widths[k + 2]..ranges[k].end * widths[k + 2];
                let [down_values, pi_values] = [down_values, pi_values].map(|values| &values[place.clone()]);
                let sums: Vec<f32> = down_values.iter().zip(pi_values).map(|(down, pi)| down + pi).collect();
                down[k].set_all(down_values.iter().copied());
                mismatch[k] = sums.iter().any(|sum| *sum != 0.0).then(|| {
                    let mut weights = Strips::zeros(widths[k + 2], ranges[k].len());
                    weights.set_all(sums.iter().copied());
                    weights
                });
            }
        }
        Ok(())
    }

    /// The layers that prediction uses, of one worker.
    fn predicting<'a>(&self, part: &'a Part) -> &'a [Dense] {
        if self.averaged > 0 { &part.average } else { &part.units.up }
    }
}

impl Learner for Microcircuit {
    /// Trains on consecutive minibatches of `order`; the last one may be smaller. `rate` multiplies every η.
    ///
    /// Source: Sacramento, Costa, Bengio & Senn 2018, in steady state. The soma is u = v + λ v^A: the paper's convex mixture with
    /// its attenuation 1 − λ taken into the units of W^up.
    ///
    /// # Shapes
    /// `data.inputs` [samples × inputs], x = c · element; `data.labels` one class per sample.
    ///
    /// # Numerics
    /// f32; the same bits for any number of threads and on every instruction set.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) if a label, a sample number or a shape does not fit, or the rate is not finite (nothing is learned
    /// then); [`Error::Overflow`](crate::Error::Overflow) if weights are no longer finite.
    fn epoch(&mut self, compute: &Compute, data: &Labelled<'_>, order: &[u32], rate: f32) -> Result<()> {
        self.workers.check(compute)?;
        check_epoch(data, [self.spec.inputs, self.spec.classes], order, rate)?;
        let (this, kernels) = (&*self, compute.kernels());
        let averages = this.spec.average_after.is_some_and(|after| this.epochs >= after);
        let begun = Averaging::of(averages, order.len().div_ceil(this.spec.batch), this.averaged);
        let averaged = this.workers.run_numbered(compute, |number, part, barrier| {
            let mut averaging = begun;
            let worker = Worker { number, kernels, spec: &this.spec, published: &this.published, barrier };
            let mut last: Option<&[u32]> = None;
            for (i, minibatch) in order.chunks(this.spec.batch).enumerate() {
                part.labels.clear();
                part.labels.extend(minibatch.iter().map(|&sample| data.labels[sample as usize]));
                // What was the present minibatch is the previous one now.
                part.staged.swap(0, 1);
                part.nonzeros.swap(0, 1);
                let ([staged, staged_last], [nonzeros, nonzeros_last]) = (&mut part.staged, &mut part.nonzeros);
                let x = rows(kernels, &data.inputs, minibatch, staged);
                nonzeros.record(x);
                let learned = last.map(|last| Samples {
                    x: staged_rows(&data.inputs, last, staged_last),
                    nonzeros: Some(nonzeros_last),
                });
                part.units.sweep_up(worker, learned, Samples { x, nonzeros: Some(nonzeros) });
                part.units.sweep_down(worker, &part.labels, rate);
                last = Some(minibatch);
                // The update of this minibatch is still to come: the mean takes the weights before it.
                averaging.after(i + 1, &part.units.up, &mut part.average);
            }
            if let Some(last) = last {
                let x = staged_rows(&data.inputs, last, &part.staged[0]);
                part.units.finish(worker, Samples { x, nonzeros: Some(&part.nonzeros[0]) });
            }
            averaging.averaged
        });
        self.samples = order.chunks(self.spec.batch).next_back().map_or(0, <[u32]>::len);
        self.epochs += 1;
        self.averaged = averaged;
        self.check_finite()
    }

    /// `mean_apical`, mean |v^A| over the hidden units and the last minibatch; `self_prediction_error`, mean |W^IP_k − W^up_{k+1}|.
    fn diagnostics(&self) -> Vec<(&'static str, f64)> {
        let parts = self.workers.lock();
        let (mut apical, mut potentials, mut difference, mut weights) = (0.0, 0_u64, 0.0, 0_u64);
        for layer in 0..self.spec.hidden.len() {
            for sample in 0..self.samples {
                for v in parts.iter().flat_map(|part| part.units.apical[layer].row(sample)) {
                    apical += f64::from(v.abs());
                    potentials += 1;
                }
            }
            for part in &parts {
                let (ip, up) = (&part.units.ip[layer], &part.units.up[layer + 1]);
                // Unit by unit, so that the sum does not depend on how units are divided among workers.
                for unit in 0..up.bias.len() {
                    let pairs = ip.weights.unit(unit).zip(up.weights.unit(unit));
                    for (ip, up) in pairs.chain([(ip.bias[unit], up.bias[unit])]) {
                        difference += f64::from((ip - up).abs());
                        weights += 1;
                    }
                }
            }
        }
        let apical = apical / potentials.max(1) as f64;
        vec![("mean_apical", apical), ("self_prediction_error", difference / weights.max(1) as f64)]
    }

    /// For k = 1 … N `up.k` [units × units below + 1], and for each hidden layer `ip.k` [units above × units + 1], `down.k` and
    /// `pi.k` [units × units above]; with a mean `average.k`, like `up.k`; the counters `epochs` and `averaged`.
    fn state(&self) -> State {
        let (mut state, widths, parts) = (State::default(), self.spec.widths(), self.workers.lock());
        let layers = widths.len() - 1;
        for k in 1..=layers {
            let mut insert = |name: &str, [rows, columns]: [usize; 2], of: &dyn Fn(&Part) -> Vec<f32>| {
                let values: Vec<f32> = parts.iter().flat_map(|part| of(part)).collect();
                state.insert(format!("{name}.{k}"), Tensor::new([rows, columns], values));
            };
            insert("up", [widths[k], widths[k - 1] + 1], &|part| part.units.up[k - 1].to_rows());
            if self.spec.average_after.is_some() {
                insert("average", [widths[k], widths[k - 1] + 1], &|part| part.average[k - 1].to_rows());
            }
            if k < layers {
                insert("ip", [widths[k + 1], widths[k] + 1], &|part| part.units.ip[k - 1].to_rows());
                insert("down", [widths[k], widths[k + 1]], &|part| part.units.down[k - 1].to_rows());
                insert("pi", [widths[k], widths[k + 1]], &|part| {
                    let down = part.units.down[k - 1].to_rows();
                    let sums = part.units.mismatch[k - 1].as_ref().map(Strips::to_rows);
                    let sums = sums.unwrap_or_else(|| vec![0.0; down.len()]);
                    sums.iter().zip(down).map(|(sum, down)| sum - down).collect()
                });
            }
        }
        state.counters.insert("epochs".to_owned(), self.epochs);
        state.counters.insert("averaged".to_owned(), self.averaged);
        state
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        let [epochs, averaged] = [state.counter("epochs")?, state.counter("averaged")?];
        let widths = self.spec.widths();
        let mut averages = Vec::new();
        if self.spec.average_after.is_some() {
            for k in 1..widths.len() {
                averages.push(state.f32(&format!("average.{k}"), &[widths[k], widths[k - 1] + 1])?);
            }
        }
        self.restore_weights(state)?;
        for part in self.workers.parts_mut() {
            let means = part.average.iter_mut().zip(&averages).zip(&part.units.ranges);
            means.for_each(|((mean, values), own)| mean.read(values, own.start));
        }
        [self.epochs, self.averaged] = [epochs, averaged];
        Ok(())
    }

    fn classifier(&self) -> Option<&dyn Classifier> {
        Some(self)
    }
}

impl Microcircuit {
    fn check_finite(&self) -> Result<()> {
        for part in self.workers.lock() {
            part.units.up.iter().chain(&part.units.ip).try_for_each(|layer| layer.check_finite(HINT))?;
        }
        Ok(())
    }
}

impl Classifier for Microcircuit {
    fn classes(&self) -> usize {
        self.spec.classes
    }

    /// Computes the basal potentials of the outputs: the sweep up, with the mean of the weights where there is one.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) if a shape does not fit; [`Error::Overflow`](crate::Error::Overflow) if training diverged.
    fn scores(&self, compute: &Compute, inputs: &Inputs<'_>, out: &mut Matrix) -> Result<()> {
        check_inputs(inputs, self.spec.inputs)?;
        check_out(out, inputs.samples(), self.spec.classes)?;
        self.check_finite()?;
        let (kernels, widths, parts) = (compute.kernels(), self.spec.widths(), self.workers.lock());
        let layers: Vec<(&[Dense], &[Range<usize>])> =
            parts.iter().map(|part| (self.predicting(part), &part.units.ranges[..])).collect();
        let matrices = || widths[1..].iter().map(|&units| Matrix::zeros(eval::BLOCK, units)).collect::<Vec<_>>();
        let memory = || (Matrix::zeros(eval::BLOCK, widths[0]), matrices(), matrices());
        eval::scores(compute, inputs, out, memory, |(staged, basal, rates), samples, sums| {
            let mut below = all_rows(kernels, samples, staged);
            for (layer, (basal, rates)) in basal.iter_mut().zip(rates.iter_mut()).enumerate() {
                for (rows, ranges) in &layers {
                    rows[layer].apply(kernels, below, basal, ranges[layer].start);
                }
                ops::logistic(kernels, basal, 0..below.rows(), rates);
                below = rates.panel(0, below.rows());
            }
            let outputs = &basal[widths.len() - 2];
            for sample in 0..samples.samples() {
                outputs.row(sample).iter().enumerate().for_each(|(class, &score)| sums.row_mut(class)[sample] = score);
            }
        });
        Ok(())
    }
}
