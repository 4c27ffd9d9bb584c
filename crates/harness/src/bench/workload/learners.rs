//! Minibatches of the other learners with our settings, by the same call as `rivalry train`, and images that filters of
//! patches encode.
//!
//! A learner starts from its random weights. The slow one sees images at unit length, the others pixels / 255. Its result
//! is every f32 tensor of its state, in the order of their names.

use std::time::Instant;

use rivalry_core::{Layer, Matrix, Random};
use rivalry_nets::{
    Activation, ChannelOrder, Encoder, EquilibriumPropagation, EquilibriumSpec, HStarOf, ImageShape, Labelled, Learner,
    Microcircuit, MicrocircuitSpec, PatchEncoder, PatchSpec, Pooled, SlowLearner, SlowSpec, State, Tensor, Values,
    Whitening,
};

use super::{Order, Steps, Task, Workload};
use crate::bench::definition::{Data, Definition, LearnerMethod, LearnerWork, PatchWork};
use crate::bench::examples::{CLASSES, SEED};
use crate::bench::limits::elapsed_ns;
use crate::error::failure;

/// Added to the variance of the pixels of a patch.
pub(in crate::bench) const VAR_FLOOR: f64 = 10.0;
/// How far the whitening is from the identity. Asymmetric, so that a transposed product has another result.
const WHITENING_SIGMA: f64 = 0.1;

/// A learner before it starts.
pub(in crate::bench) enum Spec {
    Slow(SlowSpec),
    Equilibrium(EquilibriumSpec),
    Microcircuit(MicrocircuitSpec),
}

impl Spec {
    /// Our settings.
    pub(in crate::bench) fn of(work: &LearnerWork) -> anyhow::Result<Self> {
        let (inputs, hidden, batch) = (work.data.inputs(), &work.hidden[..], work.batch);
        Ok(match work.method {
            LearnerMethod::Slow => {
                let &[hidden] = hidden else {
                    return Err(failure("the slow learner has one hidden layer", "give one number as `hidden`"));
                };
                let (h_star, h_star_of) = (0.5, HStarOf::Max);
                let (p, delta, w_inh, init_sigma) = (3.0, 0.4, 0.9, 1.0);
                Self::Slow(SlowSpec { inputs, hidden, p, delta, w_inh, h_star, h_star_of, batch, init_sigma })
            }
            LearnerMethod::EquilibriumPropagation => {
                Self::Equilibrium(EquilibriumSpec { batch, ..EquilibriumSpec::ours(inputs, hidden, CLASSES)? })
            }
            LearnerMethod::DendriticMicrocircuit => {
                Self::Microcircuit(MicrocircuitSpec { batch, ..MicrocircuitSpec::ours(inputs, hidden, CLASSES)? })
            }
        })
    }

    /// The learning rate; of the networks a factor of their own rates.
    pub(in crate::bench) fn rate(&self) -> f32 {
        if matches!(self, Self::Slow(_)) { 0.04 } else { 1.0 }
    }

    /// The learner with random weights, which do not depend on threads or kernels.
    pub(in crate::bench) fn learner(self, compute: &rivalry_core::Compute) -> anyhow::Result<Box<dyn Learner>> {
        let random = &mut Random::keyed(SEED, "weights", 0);
        Ok(match self {
            Self::Slow(spec) => Box::new(SlowLearner::new(spec, random)?),
            Self::Equilibrium(spec) => Box::new(EquilibriumPropagation::new(spec, random, compute)?),
            Self::Microcircuit(spec) => Box::new(Microcircuit::new(spec, random, compute)?),
        })
    }

    /// Products of every layer above the first with one sample, of its width and that below, in one minibatch. The first
    /// layer has two: for its sums, and for its change.
    fn products_above(&self) -> usize {
        match self {
            Self::Slow(_) => 0,
            // Up and down in each step of the free and of both nudged phases; the change, of both nudged phases.
            Self::Equilibrium(spec) => 2 * (spec.free_steps + 2 * spec.nudged_steps) + 2,
            // Sums and changes of pyramidal units and of interneurons, and the feedback.
            Self::Microcircuit(_) => 5,
        }
    }

    fn operations(&self, work: &LearnerWork) -> f64 {
        let outputs = (!matches!(self, Self::Slow(_))).then_some(CLASSES);
        let widths: Vec<usize> = work.hidden.iter().copied().chain(outputs).collect();
        let above: usize = widths.windows(2).map(|pair| pair[0] * pair[1]).sum();
        let products = 2 * work.data.inputs() * widths[0] + self.products_above() * above;
        2.0 * work.batch as f64 * products as f64
    }
}

/// A learner and the samples to come.
struct LearnerSteps<'a> {
    task: Task<'a>,
    learner: Box<dyn Learner>,
    /// Of images at unit length.
    scales: Option<Vec<f32>>,
    order: Order,
    rate: f32,
}

pub(super) fn learner<'a>(task: Task<'a>, work: &LearnerWork) -> anyhow::Result<Workload<'a>> {
    let spec = Spec::of(work)?;
    let (operations, rate, order) = (spec.operations(work), spec.rate(), task.order("order"));
    let (scales, engine) = match spec {
        Spec::Slow(_) => (Some(task.examples.view()?.unit_length_scales()), "screened"),
        Spec::Equilibrium(_) | Spec::Microcircuit(_) => (None, "dense"),
    };
    let learner = spec.learner(&task.compute.core)?;
    let steps = Box::new(LearnerSteps { task, learner, scales, order, rate });
    Ok(Workload { engine, operations, repeats: false, steps })
}

impl Steps for LearnerSteps<'_> {
    fn run(&mut self, minibatches: usize) -> anyhow::Result<u64> {
        let order = self.order.take(minibatches);
        let view = self.task.examples.view()?;
        let inputs = match &self.scales {
            Some(scales) => view.with_scales(scales)?,
            None => view,
        };
        let data = Labelled { inputs, labels: self.task.examples.labels() };
        let start = Instant::now();
        self.learner.epoch(&self.task.compute.core, &data, &order, self.rate)?;
        Ok(elapsed_ns(start))
    }

    fn result(&self) -> Vec<f32> {
        tensors(&self.learner.state()).into_iter().flat_map(|(_, _, values)| values).copied().collect()
    }
}

/// Name, shape and numbers of every f32 tensor, in the order of their names.
pub(in crate::bench) fn tensors<'a>(state: &'a State) -> Vec<(&'a str, &'a [usize], &'a [f32])> {
    let of = |(name, tensor): (&'a String, &'a Tensor)| match &tensor.values {
        Values::F32(values) => Some((name.as_str(), &tensor.shape[..], &values[..])),
        _ => None,
    };
    state.tensors.iter().filter_map(of).collect()
}

/// Filters, and the features that the last run computed.
struct PatchFeatures<'a> {
    task: Task<'a>,
    encoder: PatchEncoder,
    features: Matrix,
    /// Images that the checksum covers.
    checked: usize,
}

pub(super) fn patches<'a>(task: Task<'a>, work: PatchWork, definition: &Definition) -> anyhow::Result<Workload<'a>> {
    let encoder = encoder(work)?;
    let [images, checked] = [definition.check.max(definition.minibatches), definition.check].map(|it| it * work.batch);
    let samples = task.examples.samples();
    if images > samples {
        let message = format!("{images} images in a row are more than the {samples} of the data");
        return Err(failure(message, "choose smaller `minibatches` or `check`"));
    }
    let shape = image_shape(work.data)?;
    let positions = (shape.height - work.side + 1) * (shape.width - work.side + 1);
    // Whitening, then the filters.
    let inputs = encoder.filters().inputs();
    let operations = 2.0 * (work.batch * positions) as f64 * (inputs * (inputs + work.filters)) as f64;
    let features = Matrix::zeros(0, encoder.width());
    let steps = Box::new(PatchFeatures { task, encoder, features, checked });
    Ok(Workload { engine: "dense", operations, repeats: true, steps })
}

/// Random filters, mean 0, and a random whitening close to the identity.
pub(in crate::bench) fn encoder(work: PatchWork) -> anyhow::Result<PatchEncoder> {
    let PatchWork { side, cells, .. } = work;
    let shape = image_shape(work.data)?;
    let inputs = shape.patch_inputs(side);
    let filters = Layer::normal(work.filters, inputs, 1.0, &mut Random::keyed(SEED, "weights", 0))?;
    let mut whitening =
        Layer::normal(inputs, inputs, WHITENING_SIGMA, &mut Random::keyed(SEED, "weights", 1))?.to_rows();
    (0..inputs).for_each(|input| whitening[input * (inputs + 1)] += 1.0);
    let whitening = Whitening::new(VAR_FLOOR, vec![0.0; inputs], &whitening)?;
    let (activation, pooled) = (Activation::Triangle, Pooled::Mean);
    Ok(PatchEncoder::new(
        PatchSpec { shape, side, stride: 1, activation, cells, pooled, mirrored: false },
        filters,
        whitening,
    )?)
}

/// Images of one channel count as images of planes.
pub(in crate::bench) fn image_shape(data: Data) -> anyhow::Result<ImageShape> {
    let [side, channels] = match data {
        Data::Mnist | Data::Digits { .. } => [28, 1],
        Data::Cifar10 => [32, 3],
        Data::Noise { .. } => {
            return Err(failure("noise has no patches, since it forms no images", "choose other `data`"));
        }
    };
    Ok(ImageShape { height: side, width: side, channels, order: ChannelOrder::Planes })
}

impl Steps for PatchFeatures<'_> {
    fn run(&mut self, minibatches: usize) -> anyhow::Result<u64> {
        let images = minibatches * self.task.product.batch;
        if self.features.rows() != images {
            self.features = Matrix::zeros(images, self.encoder.width());
        }
        let view = self.task.examples.first(images)?;
        let start = Instant::now();
        self.encoder.encode(&self.task.compute.core, &view, &mut self.features)?;
        Ok(elapsed_ns(start))
    }

    fn result(&self) -> Vec<f32> {
        let images = self.checked.min(self.features.rows());
        (0..images).flat_map(|image| self.features.row(image)).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(method: LearnerMethod, hidden: &[usize]) -> LearnerWork {
        LearnerWork { method, data: Data::Mnist, hidden: hidden.to_vec(), batch: 10 }
    }

    #[test]
    fn operations_are_those_of_all_products() {
        for (method, hidden, above) in [
            (LearnerMethod::Slow, &[50][..], 0),
            (LearnerMethod::EquilibriumPropagation, &[50], 30 * 500),
            (LearnerMethod::DendriticMicrocircuit, &[50, 20], 5 * (1000 + 200)),
        ] {
            let work = work(method, hidden);
            let expected = 20.0 * f64::from(2 * 784 * 50 + above);
            assert_eq!(Spec::of(&work).unwrap().operations(&work), expected, "{method:?}");
        }
    }

    #[test]
    fn what_no_learner_can_do_is_refused() {
        for (method, hidden, expected) in [
            (LearnerMethod::Slow, &[5, 5][..], "one hidden layer"),
            (LearnerMethod::EquilibriumPropagation, &[5; 4], "1 to 3 hidden layers"),
            (LearnerMethod::DendriticMicrocircuit, &[5; 3], "1 or 2 hidden layers"),
        ] {
            let error = Spec::of(&work(method, hidden)).err().unwrap().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let noise = PatchWork { data: Data::Noise { samples: 9, inputs: 9 }, filters: 2, side: 2, cells: 1, batch: 1 };
        assert!(encoder(noise).unwrap_err().to_string().contains("noise has no patches"));
    }

    #[test]
    fn a_result_is_every_tensor_in_the_order_of_names() {
        let compute = rivalry_core::Compute::new(Some(2), rivalry_core::Kernels::best()).unwrap();
        let spec = Spec::of(&work(LearnerMethod::EquilibriumPropagation, &[20])).unwrap();
        let state = spec.learner(&compute).unwrap().state();
        let found: Vec<(&str, &[usize])> = tensors(&state).iter().map(|(name, shape, _)| (*name, *shape)).collect();
        let expected = [("bias.1", &[20][..]), ("bias.2", &[10]), ("weight.1", &[20, 784]), ("weight.2", &[10, 20])];
        assert_eq!(found, expected);
    }
}
