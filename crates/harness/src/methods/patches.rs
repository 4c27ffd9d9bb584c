//! `patches`, `patches-k-means`, `patches-random`: filters that see patches of an image, their responses averaged over
//! cells of the image, then a linear readout that is solved. Filters are learned by the paper's rule, by k-means, or drawn.
//!
//! 1. A sample of patches of the training images: normalised, whitened, at unit length.
//! 2. Filters from these patches.
//! 3. Features of every image, standardised by the training images; the readout in one step.

use anyhow::Context;
use rivalry_core::{Compute, Inputs, Layer, Matrix, Random};
use rivalry_data::{Order, Shape};
use rivalry_nets::{
    Activation, ChannelOrder, Classifier, Encoder, FastLearner, ImageShape, LinearLearner, LinearLoss, LinearReadout,
    PatchEncoder, PatchLearner, PatchSample, PatchSpec, Pooled, Standardisation, State, SvmSpec, Tensor, Whitening,
    k_means, random_filters, unit_filters,
};
use serde::Deserialize;

use super::biological::{fast_spec, rule};
use super::{Method, RULE, own, refuse};
use crate::config::Config;
use crate::dataset::{Examples, Length};
use crate::env;
use crate::error::failure;
use crate::rows::Phase;
use crate::run::phases::{Data, Job, PhaseRun, Rates};
use crate::run::tensors::{first_layer, shape_of};

/// The floor of the variance of a patch, and ε of the whitening, for pixels 0 … 255 (Coates, Ng & Lee 2011).
const VAR_FLOOR: f64 = 10.0;
const EPSILON: f64 = 0.1;
/// Rounds of k-means at most.
const ROUNDS: usize = 50;
/// Patches that the health of filters is measured on.
const MEASURED: usize = 10_000;

/// Where filters come from.
#[derive(Debug)]
pub(super) struct Patches {
    name: &'static str,
    summary: &'static str,
    phases: &'static [Phase],
    keys: &'static [&'static [&'static str]],
    /// Makes filters from patches; nothing where they are learned.
    filters: Option<MakeFilters>,
}

type MakeFilters = fn(&Config, &Compute, &Matrix) -> rivalry_nets::Result<Layer>;

pub(super) const COMPETING: Patches = Patches {
    name: "patches",
    summary: "filters of image patches by the paper's rule, pooled, then a linear readout",
    phases: &[Phase::Unsupervised, Phase::Readout],
    keys: &[&["hidden", "power_n"], RULE],
    filters: None,
};

pub(super) const K_MEANS: Patches = Patches {
    name: "patches-k-means",
    summary: "the same with the centroids of k-means as filters",
    phases: &[Phase::Readout],
    keys: &[&["hidden", "power_n"]],
    filters: Some(|config, compute, patches| {
        k_means(compute, patches, config.hidden.first(), ROUNDS, &mut Random::keyed(config.seed, "weights", 0))
    }),
};

pub(super) const RANDOM: Patches = Patches {
    name: "patches-random",
    summary: "the same with random patches as filters",
    phases: &[Phase::Readout],
    keys: &[&["hidden", "power_n"]],
    filters: Some(|config, _, patches| {
        random_filters(patches, config.hidden.first(), &mut Random::keyed(config.seed, "weights", 0))
    }),
};

#[derive(Deserialize)]
struct Settings {
    /// Side of a patch.
    patch: usize,
    /// How many patches are drawn.
    patches: usize,
    activation: ActivationKey,
    /// Cells along a side of the image.
    cells: usize,
    /// Whether the mirror image counts as much as the image.
    mirrored: MirroredKey,
    readout: ReadoutKey,
    /// Penalty on the weights of the readout.
    lambda: f64,
    /// Steps of the SVM.
    steps: usize,
    features_in: Place,
}

/// Where the features of all images are kept.
#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Place {
    /// In memory, or in a file where they would take more than a quarter of the machine's memory.
    Auto,
    Memory,
    File,
}

impl Place {
    fn is_file(self, features: u64) -> bool {
        let most = env::memory_mib().map_or(u64::MAX, |mib| (mib << 20) / 4);
        self == Self::File || self == Self::Auto && features.saturating_mul(4) > most
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ActivationKey {
    Triangle,
    Relu,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum MirroredKey {
    Off,
    On,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ReadoutKey {
    Ridge,
    Svm,
}

fn spec(config: &Config, settings: &Settings, shape: ImageShape) -> PatchSpec {
    let activation = match settings.activation {
        ActivationKey::Triangle => Activation::Triangle,
        ActivationKey::Relu => Activation::Relu { power_n: config.power_n },
    };
    let Settings { patch, cells, mirrored, .. } = *settings;
    let mirrored = mirrored == MirroredKey::On;
    PatchSpec { shape, side: patch, stride: 1, activation, cells, pooled: Pooled::Root, mirrored }
}

/// The images of a run, in a state that is kept: an encoder is rebuilt without the data.
fn image_shape(state: &State) -> anyhow::Result<ImageShape> {
    let shape = state.u32("image_shape", &[4])?;
    let order = if shape[3] == 0 { ChannelOrder::Planes } else { ChannelOrder::Pixels };
    let [height, width, channels] = [0, 1, 2].map(|axis| shape[axis] as usize);
    Ok(ImageShape { height, width, channels, order })
}

impl Patches {
    /// The sample of patches as filters see it, and in a state what turns any patch into that.
    fn sample(&self, job: &Job<'_>) -> anyhow::Result<(Matrix, State)> {
        let (config, compute) = (job.config, &job.compute.core);
        let Shape { height, width, channels, order } = job.splits.shape;
        let Some(images) = job.splits.learn.pixels().filter(|_| height > 1) else {
            let message = format!("method {} needs images of pixels from 0 to 255", self.name);
            return Err(failure(message, "give u8 images with their shape: [samples, height, width, channels]"));
        };
        let is_planes = order == Order::Planes;
        let order = if is_planes { ChannelOrder::Planes } else { ChannelOrder::Pixels };
        let shape = ImageShape { height, width, channels, order };
        let settings: Settings = own(config)?;
        let mut random = Random::keyed(config.seed, "patches", 0);
        let sample = PatchSample::draw(images, shape, settings.patch, settings.patches, &mut random)?;
        let whitening = Whitening::fit(compute, &sample, VAR_FLOOR, EPSILON)?;
        let mut state = whitening.state();
        let axes = [height as u32, width as u32, channels as u32, u32::from(!is_planes)];
        state.insert("image_shape", Tensor::new([4], axes.to_vec()));
        Ok((whitening.apply(compute, &sample)?, state))
    }

    fn encoder_of(&self, config: &Config, state: &State) -> anyhow::Result<PatchEncoder> {
        let spec = spec(config, &own(config)?, image_shape(state)?);
        let filters = unit_filters(&first_layer(state)?.context("it has no filters")?)?;
        let mut state = state.clone();
        state.insert("filters", Tensor::new([filters.hidden(), filters.inputs()], filters.to_rows()));
        Ok(PatchEncoder::from_state(spec, filters.hidden(), VAR_FLOOR, &state)?)
    }

    fn readout<'a>(&self, job: &Job<'a>, state: &State) -> anyhow::Result<PhaseRun<'a>> {
        let (config, compute) = (job.config, &job.compute.core);
        let settings: Settings = own(config)?;
        let encoder = self.encoder_of(config, state)?;
        let features = |encoder: &PatchEncoder, examples: &'a Examples<'_>, file: &str| {
            let compute = |inputs: &Inputs<'_>| encoder.features(compute, inputs);
            match settings.features_in.is_file(encoder.width() as u64 * examples.samples() as u64) {
                true => Data::features_in_file(examples, &job.folder.file(file), compute),
                false => Data::features(examples, Length::AsItIs, compute),
            }
        };
        let train = features(&encoder, &job.splits.labelled, "features.train")?;
        let standardisation = Standardisation::fit(compute, &train.view()?.inputs)?;
        let train = train.changed(|features| standardisation.apply(compute, features))?;
        let encoder = encoder.with_standardisation(standardisation)?;
        let mut kept = encoder.state();
        kept.tensors.remove("filters");
        let loss = match settings.readout {
            ReadoutKey::Ridge => LinearLoss::Ridge(settings.lambda),
            ReadoutKey::Svm => LinearLoss::Svm(SvmSpec { lambda: settings.lambda, steps: settings.steps }),
        };
        let learner = LinearLearner::new(train.view()?.inputs.inputs(), job.splits.classes, loss);
        Ok(PhaseRun {
            phase: Phase::Readout,
            // Solved in one epoch, which has no rate.
            rates: Rates::Linear(1.0),
            order: "readout-order",
            learner: Box::new(learner),
            train,
            evaluate: Some(features(&encoder, &job.splits.evaluate, "features.evaluate")?),
            kept,
        })
    }
}

impl Method for Patches {
    fn name(&self) -> &'static str {
        self.name
    }

    fn summary(&self) -> &'static str {
        self.summary
    }

    fn keys(&self) -> &'static [&'static [&'static str]] {
        self.keys
    }

    fn own_keys(&self) -> &'static [&'static str] {
        &["patch", "patches", "activation", "cells", "mirrored", "readout", "lambda", "steps", "features_in"]
    }

    fn check_own(&self, config: &Config) -> Result<(), toml::de::Error> {
        let settings: Settings = own(config)?;
        let counts = [
            ("patch", settings.patch, 1 << 10),
            ("patches", settings.patches, 1 << 28),
            ("cells", settings.cells, 1 << 10),
            ("steps", settings.steps, 1 << 20),
        ];
        if let Some((key, _, most)) = counts.into_iter().find(|&(_, count, most)| count == 0 || count > most) {
            return Err(refuse(key, &format!("from 1 to {most}")));
        }
        if settings.lambda.is_finite() && settings.lambda > 0.0 { Ok(()) } else { Err(refuse("lambda", "above 0")) }
    }

    fn readout_keys(&self) -> Vec<&'static str> {
        vec![
            "power_n",
            "activation",
            "cells",
            "mirrored",
            "readout",
            "lambda",
            "steps",
            "features_in",
            "labels_per_class",
        ]
    }

    fn is_of_readout(&self, tensor: &str) -> bool {
        tensor.starts_with("readout") || tensor.starts_with("feature_")
    }

    fn phases(&self) -> &'static [Phase] {
        self.phases
    }

    fn start(&self, job: &Job<'_>) -> anyhow::Result<State> {
        let Some(make) = self.filters else { return Ok(State::default()) };
        let (patches, mut state) = self.sample(job)?;
        let filters = make(job.config, &job.compute.core, &patches)?;
        state.insert("weights", Tensor::new([filters.hidden(), filters.inputs()], filters.to_rows()));
        Ok(state)
    }

    fn begin<'a>(&self, phase: Phase, job: &Job<'a>, state: &State) -> anyhow::Result<PhaseRun<'a>> {
        if phase == Phase::Readout {
            return self.readout(job, state);
        }
        let (patches, kept) = self.sample(job)?;
        let fast =
            FastLearner::new(fast_spec(job, patches.columns())?, &mut Random::keyed(job.config.seed, "weights", 0))?;
        let mut measured = Matrix::zeros(patches.rows().min(MEASURED), patches.columns());
        (0..measured.rows()).for_each(|patch| measured.row_mut(patch).copy_from_slice(patches.row(patch)));
        Ok(PhaseRun {
            phase,
            rates: Rates::Linear(job.config.rate),
            order: "order",
            learner: Box::new(PatchLearner::new(fast, measured)),
            train: Data::matrix(patches),
            evaluate: None,
            kept,
        })
    }

    fn fields_shape(&self, config: &Config, image: Shape) -> Shape {
        let side = own::<Settings>(config).map_or(1, |settings| settings.patch);
        Shape { height: side, width: side, channels: image.channels, order: Order::Pixels }
    }

    fn encoder(&self, config: &Config, trained: &State) -> anyhow::Result<Option<Box<dyn Encoder>>> {
        Ok(Some(Box::new(self.encoder_of(config, trained)?)))
    }

    fn classifier(&self, _config: &Config, trained: &State, _compute: &Compute) -> anyhow::Result<Box<dyn Classifier>> {
        let [classes, inputs] = shape_of(trained, "readout")?;
        Ok(Box::new(LinearReadout::from_state(trained, inputs, classes)?))
    }

    /// Patches are no bytes, so every filter is scored. What does not fit the images is refused before anything is made.
    fn engine(&self, job: &Job<'_>) -> anyhow::Result<&'static str> {
        let (Shape { height, width, .. }, settings) = (job.splits.shape, own::<Settings>(job.config)?);
        let side = height.min(width);
        if settings.patch > side {
            let message = format!("patch = {} is larger than the images, which are {height} × {width}", settings.patch);
            return Err(failure(message, format!("set patch={side} or less")));
        }
        let positions = side - settings.patch + 1;
        if settings.cells > positions {
            let message = format!("cells = {} are more than the {positions} positions of a patch", settings.cells);
            return Err(failure(message, format!("set cells={positions} or less")));
        }
        if self.filters.is_some() {
            return Ok("");
        }
        let zeros = [0.0; 1];
        Ok(job.compute.engine.on(&Inputs::f32(&zeros, 1)?, rule(job.config)?.ranks())?.name())
    }

    /// The patches, the features, and the square of their number twice.
    fn numbers(&self, config: &Config, inputs: usize, features: usize) -> u64 {
        let Ok(Settings { patch, patches, cells, features_in, .. }) = own(config) else { return 0 };
        let width = (config.hidden.first() * cells * cells) as u64;
        // A patch has at most three channels, or all of the image.
        let values = ((3 * patch * patch).min(inputs) * patches) as u64;
        let squares = width.saturating_mul(width).saturating_mul(2);
        let features = width.saturating_mul(features as u64);
        let in_memory = if features_in.is_file(features) { 0 } else { features };
        in_memory.saturating_add(squares).saturating_add(values)
    }

    fn passes(&self, config: &Config) -> f64 {
        config.hidden.first() as f64 / 4.0
    }

    /// The readout is solved in one.
    fn epochs(&self, config: &Config, phase: Phase) -> u32 {
        if phase == Phase::Unsupervised { config.epochs } else { 1 }
    }
}
