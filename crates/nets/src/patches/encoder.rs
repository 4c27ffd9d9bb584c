//! Features of an image from filters that see patches of it.
//!
//! ```text
//! for each position: u = the patch, normalised, whitened, at unit length
//!     s = the cosines F u
//!     a = max(mean d − d, 0) with d = √(2 − 2 s)        triangle
//!       = max(s, 0)^n                                   relu
//! for each of q × q cells: the mean of a over its positions, and over those of the mirror image if that is wanted; its root if that is wanted; standardised if that is wanted
//! ```
//! 1. Patches exist for one image at a time, and activations for about a hundred positions, so both stay in the caches.
//! 2. F u is computed as gemm_tn with the filters as columns: unlike gemm_nt it adds up nothing across lanes, which would take
//!    as long as the products of a patch of a hundred values.
//! 3. Workers take images as they become free; an image is encoded by one worker alone, so the bits do not depend on who
//!    takes which.

use crate::error::{Error, Result};
use crate::eval::{check_inputs, check_out, check_size};
use crate::learner::{Encoder, State, Tensor};
use crate::patches::filters::unit_filters;
use crate::patches::images::ImageShape;
use crate::patches::standardise::Standardisation;
use crate::patches::whitening::Whitening;
use rivalry_core::ops::{self, Exponent};
use rivalry_core::{Compute, Elements, Inputs, Kernels, LANES, Layer, Matrix};
use std::sync::{Mutex, PoisonError};

/// Positions whose activations are held at once, about.
const POSITIONS: usize = 96;
/// The positions of a tile of gemm_tn on most instruction sets.
const TILE: usize = 5;

/// The activation of a filter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activation {
    /// max(mean_filters d − d, 0), with d = √(2 − 2 s) the distance of filter and patch.
    ///
    /// Source: Coates, Ng & Lee 2011, section 3.3.1.
    Triangle,
    /// max(s, 0)^n with s the cosine of filter and patch.
    ///
    /// Source: Krotov & Hopfield 2019, eq. 1; Grinberg, Hopfield & Krotov 2019 for patches.
    Relu {
        /// The exponent n.
        power_n: f64,
    },
}

/// What becomes of the mean activation of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooled {
    /// It is the feature.
    Mean,
    /// Its square root is.
    Root,
}

/// How images become features.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PatchSpec {
    /// How the pixels of a sample form an image.
    pub shape: ImageShape,
    /// The side of a square patch.
    pub side: usize,
    /// Pixels from one position to the next.
    pub stride: usize,
    /// The activation of a filter.
    pub activation: Activation,
    /// q: the image is divided into q × q cells.
    pub cells: usize,
    /// What becomes of the mean activation of a cell.
    pub pooled: Pooled,
    /// Whether activations are those of the image and of its mirror image, left and right exchanged: for classes that do not
    /// depend on the side from which something is seen.
    pub mirrored: bool,
}

/// Filters with everything that turns an image into their features.
///
/// # Example
/// ```
/// use rivalry_core::{Compute, Inputs, Kernels, Random};
/// use rivalry_nets::{
///     Activation, ChannelOrder, Encoder, ImageShape, PatchEncoder, PatchSample, PatchSpec, Pooled, Standardisation,
///     Whitening, random_filters,
/// };
/// let compute = Compute::new(Some(2), Kernels::best())?;
/// let shape = ImageShape { height: 8, width: 8, channels: 1, order: ChannelOrder::Planes };
/// let images: Vec<u8> = (0..20 * 64).map(|i| (i * i % 251) as u8).collect();
/// let mut random = Random::keyed(1, "patches", 0);
/// let sample = PatchSample::draw(&images, shape, 3, 500, &mut random)?;
/// let whitening = Whitening::fit(&compute, &sample, 10.0, 0.1)?;
/// let filters = random_filters(&whitening.apply(&compute, &sample)?, 10, &mut random)?;
/// let (activation, pooled) = (Activation::Triangle, Pooled::Root);
/// let spec = PatchSpec { shape, side: 3, stride: 1, activation, cells: 2, pooled, mirrored: false };
/// let encoder = PatchEncoder::new(spec, filters, whitening)?;
/// let inputs = Inputs::u8(&images, 64)?;
/// let mut features = encoder.features(&compute, &inputs)?; // 2 · 2 cells of 10 filters
/// let standardisation = Standardisation::fit(&compute, &Inputs::matrix(&features)?)?;
/// standardisation.apply(&compute, &mut features)?; // training images, encoded already
/// let encoder = encoder.with_standardisation(standardisation)?; // all others
/// assert_eq!(encoder.features(&compute, &inputs)?.row(3), features.row(3));
/// # Ok::<(), rivalry_nets::Error>(())
/// ```
#[derive(Debug)]
pub struct PatchEncoder {
    spec: PatchSpec,
    filters: Layer,
    /// The filters as columns [inputs × filters].
    columns: Matrix,
    whitening: Whitening,
    standardisation: Option<Standardisation>,
    /// The row and column of each position in the image.
    positions: Vec<[usize; 2]>,
    /// The cell of each position.
    cell_of: Vec<usize>,
    /// The number of positions of each cell.
    counts: Vec<usize>,
}

impl PatchEncoder {
    /// Puts filters, which are scaled to unit length, and the whitening that they were learned with together.
    ///
    /// # Errors
    /// [`Error::Invalid`] if patches do not fit the images, filters or whitening have another size than patches, the stride is
    /// 0, there are more cells than positions, or n is not a finite number above 0.
    pub fn new(spec: PatchSpec, filters: Layer, whitening: Whitening) -> Result<PatchEncoder> {
        spec.shape.check(spec.side)?;
        check_size("the stride", spec.stride, 1, 1 << 15)?;
        let inputs = spec.shape.patch_inputs(spec.side);
        for (what, found) in [("filters", filters.inputs()), ("whitening", whitening.inputs())] {
            if found != inputs {
                return Err(Error::invalid(format!("a patch has {inputs} values, the {what} {found}")));
            }
        }
        if let Activation::Relu { power_n } = spec.activation
            && !(power_n.is_finite() && power_n > 0.0)
        {
            return Err(Error::invalid(format!("power_n = {power_n} is not a finite number above 0")));
        }
        let [rows, columns] = [spec.shape.height, spec.shape.width].map(|size| (size - spec.side) / spec.stride + 1);
        check_size("the number of cells in a row", spec.cells, 1, rows.min(columns))?;
        let (mut positions, mut cell_of) = (Vec::new(), Vec::new());
        let mut counts = vec![0; spec.cells * spec.cells];
        for row in 0..rows {
            for column in 0..columns {
                let cell = cell(row, rows, spec.cells) * spec.cells + cell(column, columns, spec.cells);
                positions.push([row * spec.stride, column * spec.stride]);
                cell_of.push(cell);
                counts[cell] += 1;
            }
        }
        let filters = unit_filters(&filters)?;
        let mut transposed = Matrix::zeros(inputs, filters.hidden());
        for input in 0..inputs {
            let column = (0..filters.hidden()).map(|filter| filters.row(filter)[input]);
            transposed.row_mut(input).iter_mut().zip(column).for_each(|(to, w)| *to = w);
        }
        let (columns, standardisation) = (transposed, None);
        Ok(PatchEncoder { spec, filters, columns, whitening, standardisation, positions, cell_of, counts })
    }

    /// Standardises every feature from now on.
    ///
    /// # Errors
    /// [`Error::Invalid`] if that is for another number of features.
    pub fn with_standardisation(self, standardisation: Standardisation) -> Result<PatchEncoder> {
        standardisation.check(self.width())?;
        Ok(PatchEncoder { standardisation: Some(standardisation), ..self })
    }

    /// The filters.
    pub fn filters(&self) -> &Layer {
        &self.filters
    }

    /// `filters` [filters × inputs], `patch_mean` `[inputs]`, `patch_whitening` [inputs × inputs], and `feature_mean` and
    /// `feature_scale` `[features]` where features are standardised.
    pub fn state(&self) -> State {
        let mut state = State::default();
        let shape = [self.filters.hidden(), self.filters.inputs()];
        state.insert("filters", Tensor::new(shape, self.filters.to_rows()));
        self.whitening.add_to(&mut state);
        if let Some(standardisation) = &self.standardisation {
            standardisation.add_to(&mut state);
        }
        state
    }

    /// Reads what [`PatchEncoder::state`] gave.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a tensor is missing or has another shape or type; as [`PatchEncoder::new`] otherwise.
    pub fn from_state(spec: PatchSpec, filters: usize, var_floor: f64, state: &State) -> Result<PatchEncoder> {
        spec.shape.check(spec.side)?;
        let inputs = spec.shape.patch_inputs(spec.side);
        let layer = Layer::from_rows(filters, inputs, state.f32("filters", &[filters, inputs])?)?;
        let encoder = PatchEncoder::new(spec, layer, Whitening::from_state(state, var_floor, inputs)?)?;
        if !state.tensors.contains_key("feature_mean") {
            return Ok(encoder);
        }
        let standardisation = Standardisation::from_state(state, encoder.width())?;
        encoder.with_standardisation(standardisation)
    }

    /// Encodes one image.
    fn image(&self, kernels: &Kernels, image: &[u8], memory: &mut Memory, features: &mut [f32]) {
        self.spec.shape.by_pixel(image, &mut memory.image);
        features.fill(0.0);
        self.add_activations(kernels, memory, features);
        if self.spec.mirrored {
            self.spec.shape.mirror(&mut memory.image);
            self.add_activations(kernels, memory, features);
        }
        let views = if self.spec.mirrored { 2 } else { 1 };
        for (features, &count) in features.chunks_exact_mut(self.filters.hidden()).zip(&self.counts) {
            let count = (views * count) as f32;
            match self.spec.pooled {
                Pooled::Mean => features.iter_mut().for_each(|sum| *sum /= count),
                Pooled::Root => features.iter_mut().for_each(|sum| *sum = (*sum / count).sqrt()),
            }
        }
        if let Some(standardisation) = &self.standardisation {
            standardisation.apply_to(features);
        }
    }

    /// Adds the activations of the image in the memory, cell by cell.
    fn add_activations(&self, kernels: &Kernels, memory: &mut Memory, features: &mut [f32]) {
        let (filters, side) = (self.filters.hidden(), self.spec.side);
        let chunk = memory.patches.rows();
        for (number, positions) in self.positions.chunks(chunk).enumerate() {
            for (row, &position) in positions.iter().enumerate() {
                self.spec.shape.patch(&memory.image, position, side, &mut memory.patch);
                self.whitening.centre(&memory.patch, memory.centred.row_mut(row));
            }
            self.whitening.whiten(kernels, memory.centred.panel(0, positions.len()), &mut memory.patches);
            let columns = self.columns.panel(0, self.columns.rows());
            ops::gemm_tn(kernels, &memory.patches, columns, &mut memory.scores);
            if let Activation::Relu { power_n } = self.spec.activation {
                ops::rectified_power(kernels, &mut memory.scores, 0..positions.len(), 1.0, Exponent::new(power_n));
            }
            for row in 0..positions.len() {
                let sums = &mut features[self.cell_of[number * chunk + row] * filters..][..filters];
                let scores = memory.scores.row_mut(row);
                match self.spec.activation {
                    Activation::Triangle => add_triangle(scores, sums),
                    Activation::Relu { .. } => sums.iter_mut().zip(scores).for_each(|(sum, a)| *sum += *a),
                }
            }
        }
    }
}

/// The cell of a position: that with ⌊cell · positions / cells⌋ ≤ position < ⌊(cell + 1) · positions / cells⌋.
fn cell(position: usize, positions: usize, cells: usize) -> usize {
    (0..cells).rfind(|cell| cell * positions / cells <= position).unwrap_or(0)
}

/// Replaces cosines by distances and adds max(mean − distance, 0) of each filter.
fn add_triangle(scores: &mut [f32], sums: &mut [f32]) {
    // In lanes, so that it is computed in vectors; lanes are then added in order.
    let mut lanes = [0.0_f32; LANES];
    let mut vectors = scores.chunks_exact_mut(LANES);
    for vector in &mut vectors {
        for (lane, s) in lanes.iter_mut().zip(vector) {
            *s = (2.0 - 2.0 * *s).max(0.0).sqrt();
            *lane += *s;
        }
    }
    for (lane, s) in lanes.iter_mut().zip(vectors.into_remainder()) {
        *s = (2.0 - 2.0 * *s).max(0.0).sqrt();
        *lane += *s;
    }
    let mean = lanes.iter().sum::<f32>() / scores.len() as f32;
    sums.iter_mut().zip(scores).for_each(|(sum, d)| *sum += (mean - *d).max(0.0));
}

/// The working memory of one worker.
struct Memory {
    /// An image with the channels of a pixel side by side.
    image: Vec<u8>,
    patch: Vec<u8>,
    /// Patches before and after whitening [positions of a chunk × inputs].
    centred: Matrix,
    patches: Matrix,
    /// [positions of a chunk × filters]
    scores: Matrix,
}

impl Memory {
    fn new(encoder: &PatchEncoder) -> Memory {
        let inputs = encoder.filters.inputs();
        let chunks = encoder.positions.len().div_ceil(POSITIONS);
        let chunk = encoder.positions.len().div_ceil(chunks).next_multiple_of(TILE);
        Memory {
            image: vec![0; encoder.spec.shape.inputs()],
            patch: vec![0; inputs],
            centred: Matrix::zeros(chunk, inputs),
            patches: Matrix::zeros(chunk, inputs),
            scores: Matrix::zeros(chunk, encoder.filters.hidden()),
        }
    }
}

impl Encoder for PatchEncoder {
    /// q² cells of all filters.
    fn width(&self) -> usize {
        self.counts.len() * self.filters.hidden()
    }

    /// Computes the features of every image, in the order (cell row, cell column, filter).
    ///
    /// Source: Coates, Ng & Lee 2011, with cosines of unit filters in place of distances from centroids; the root is ours.
    ///
    /// # Shapes
    /// `inputs` [images × shape.inputs()] of bytes, whose scale is not looked at; `out` [images × width].
    ///
    /// # Numerics
    /// The same bits for any number of threads and on every instruction set. A triangle takes the distance of a patch that
    /// coincides with a filter from a rounded cosine: it may be 5e-4 in place of 0.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a shape does not fit or the inputs are not bytes.
    ///
    /// # Allocates
    /// For each worker the activations of about a hundred positions.
    fn encode(&self, compute: &Compute, inputs: &Inputs<'_>, out: &mut Matrix) -> Result<()> {
        check_inputs(inputs, self.spec.shape.inputs())?;
        check_out(out, inputs.samples(), self.width())?;
        let Elements::U8(pixels) = inputs.elements() else {
            return Err(Error::invalid("patches are cut out of pixels of 8 bits, these samples are floats"));
        };
        let images = pixels.chunks_exact(inputs.inputs()).zip(out.rows_mut());
        let images = Mutex::new(images);
        compute.map(|_| {
            let mut memory = Memory::new(self);
            loop {
                let next = images.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some((image, features)) = next else { return };
                self.image(compute.kernels(), image, &mut memory, features);
            }
        });
        Ok(())
    }
}
