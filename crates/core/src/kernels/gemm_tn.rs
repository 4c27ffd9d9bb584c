//! The product δᵀ X, a weight gradient summed over the examples of a minibatch: written to memory or handed to Adam.
//!
//! ```text
//! for each class, for each example in order:
//!     G[class, ·] = fma(δ[class, example], h[example, ·], G[class, ·])     from +0
//! ```
//!
//! 1. A tile of C classes × V vectors of features stays in registers over all examples.
//! 2. The columns of a tile of all examples stay in the first-level cache while all classes pass.
//! 3. An example that is zero in the columns of a tile adds ±0 and can be left out: [`NonZeros`] lists the others.
//! 4. With Adam, weights and moments are prefetched while the sums are added up.

use super::elementwise::{Adam, AdamStep, Moments};
use crate::matrix::{Matrix, Panel};
use crate::vector::{LANES, Lanes, Simd};

/// Vectors of features that share a list of [`NonZeros`].
const LIST: usize = 4;

/// For every 64 features, the examples that are not all zero there. The others add nothing to a gradient.
#[derive(Debug)]
pub struct NonZeros {
    /// Where the examples of each 64 features begin, and where the last end.
    starts: Vec<u32>,
    examples: Vec<u32>,
    /// The rows and vectors of the examples that were looked at.
    shape: [usize; 2],
}

impl NonZeros {
    /// Makes room for a minibatch.
    pub fn new(batch: usize, features: usize) -> NonZeros {
        let blocks = features.div_ceil(LIST * LANES);
        NonZeros { starts: Vec::with_capacity(blocks + 1), examples: Vec::with_capacity(blocks * batch), shape: [0; 2] }
    }

    /// Records where the examples of a minibatch are not zero. Allocates nothing unless the minibatch is larger than the one there
    /// is room for.
    pub fn record(&mut self, examples: Panel<'_>) {
        self.shape = [examples.rows(), examples.width()];
        self.starts.clear();
        self.examples.clear();
        for first in (0..examples.width()).step_by(LIST) {
            self.starts.push(self.examples.len() as u32);
            let block = examples.columns(first, LIST.min(examples.width() - first));
            let is_nonzero = |example: &u32| block.lanes(*example as usize).as_flattened().iter().any(|x| *x != 0.0);
            self.examples.extend((0..examples.rows() as u32).filter(is_nonzero));
        }
        self.starts.push(self.examples.len() as u32);
    }

    /// The rows and vectors of the examples that were recorded.
    pub(crate) fn shape(&self) -> [usize; 2] {
        self.shape
    }

    /// The examples that are not zero at vector `i`, unless it is all of them.
    fn at(&self, i: usize, examples: usize) -> Option<&[u32]> {
        let [start, end] = [0, 1].map(|behind| self.starts[i / LIST + behind] as usize);
        (end - start < examples).then(|| &self.examples[start..end])
    }
}

/// The operands of a gradient.
#[derive(Debug, Clone, Copy)]
pub struct Products<'a> {
    /// δ [classes × at least batch].
    pub deltas: &'a Matrix,
    /// h [batch × features].
    pub examples: Panel<'a>,
    /// What [`NonZeros::record`] saw in these examples. It pays where much is zero and many classes share it.
    pub nonzeros: Option<&'a NonZeros>,
}

/// Writes the gradient to `out`, whose rows are `stride` vectors apart.
#[inline(always)]
pub(crate) fn gemm_tn<S: Simd, const C: usize, const V: usize>(
    simd: S,
    products: Products<'_>,
    out: &mut [Lanes],
    stride: usize,
) {
    tiles::<S, C, V>(simd, products, stride, &mut Written { out });
}

/// Takes a step of Adam with the gradient, which never leaves the registers. All rows are `stride` vectors apart.
#[inline(always)]
pub(crate) fn gemm_tn_adam<S: Simd, const C: usize, const V: usize>(
    simd: S,
    products: Products<'_>,
    step: AdamStep,
    moments: Moments<'_>,
    weights: &mut [Lanes],
    stride: usize,
) {
    let mut stepped = Stepped { adam: Adam::new(simd, step), moments, weights };
    tiles::<S, C, V>(simd, products, stride, &mut stepped);
}

/// Takes the vectors of a gradient.
trait Sink<S: Simd> {
    /// Announces the sum for this place, which may be behind the end.
    #[inline(always)]
    fn expect(&self, _: S, _: usize) {}
    /// Takes the sum for this place.
    fn take(&mut self, simd: S, place: usize, sum: S::F32x16);
}

struct Written<'a> {
    out: &'a mut [Lanes],
}

impl<S: Simd> Sink<S> for Written<'_> {
    #[inline(always)]
    fn take(&mut self, simd: S, place: usize, sum: S::F32x16) {
        simd.store_f32x16(sum, &mut self.out[place]);
    }
}

struct Stepped<'a, S: Simd> {
    adam: Adam<S>,
    moments: Moments<'a>,
    weights: &'a mut [Lanes],
}

impl<S: Simd> Sink<S> for Stepped<'_, S> {
    /// Prefetches weights and moments.
    #[inline(always)]
    fn expect(&self, simd: S, place: usize) {
        let [first, second] = &self.moments;
        for memory in [&**first, &**second, &*self.weights] {
            simd.prefetch(memory.as_ptr().wrapping_add(place));
        }
    }

    #[inline(always)]
    fn take(&mut self, simd: S, place: usize, sum: S::F32x16) {
        let [first, second] = &mut self.moments;
        self.adam.step(simd, sum, [&mut first[place], &mut second[place]], &mut self.weights[place]);
    }
}

/// Computes every vector of the gradient.
#[inline(always)]
fn tiles<S: Simd, const C: usize, const V: usize>(
    simd: S,
    products: Products<'_>,
    stride: usize,
    sink: &mut impl Sink<S>,
) {
    const { assert!(LIST.is_multiple_of(V), "a tile lies within one list of examples") };
    let width = products.examples.width();
    for first in (0..width).step_by(V) {
        for class in (0..products.deltas.rows()).step_by(C) {
            if first + V <= width {
                tile::<S, C, V>(simd, products, [class, first], stride, sink);
            } else {
                for i in first..width {
                    tile::<S, C, 1>(simd, products, [class, i], stride, sink);
                }
            }
        }
    }
}

/// Classes from `class` on and V vectors of features from `i` on.
#[inline(always)]
fn tile<S: Simd, const C: usize, const V: usize>(
    simd: S,
    Products { deltas, examples, nonzeros }: Products<'_>,
    [class, i]: [usize; 2],
    stride: usize,
    sink: &mut impl Sink<S>,
) {
    let last = deltas.rows() - 1;
    // A class behind the last one repeats it, and is not taken.
    let mut rows: [&[f32]; C] = [&[]; C];
    for (c, row) in rows.iter_mut().enumerate() {
        *row = &deltas.lanes(last.min(class + c)).as_flattened()[..examples.rows()];
    }
    let mut sums = [[simd.splat_f32x16(0.0); V]; C];
    let listed = nonzeros.and_then(|nonzeros| nonzeros.at(i, examples.rows()));
    for number in 0..listed.map_or(examples.rows(), <[u32]>::len) {
        let example = listed.map_or(number, |listed| listed[number] as usize);
        if number < C * V {
            sink.expect(simd, (class + number / V) * stride + i + number % V);
        }
        let h = &examples.lanes(example)[i..][..V];
        for c in 0..C {
            let delta = simd.splat_f32x16(rows[c][example]);
            for v in 0..V {
                sums[c][v] = simd.fma_f32x16(delta, simd.load_f32x16(&h[v]), sums[c][v]);
            }
        }
    }
    // Copied to memory first: an index that is not known at compile time would keep the sums in memory all the time.
    let mut finished = [[[0.0; LANES]; V]; C];
    for c in 0..C {
        for v in 0..V {
            simd.store_f32x16(sums[c][v], &mut finished[c][v]);
        }
    }
    for (c, finished) in finished.iter().enumerate().take(deltas.rows() - class) {
        for (v, sum) in finished.iter().enumerate() {
            sink.take(simd, (class + c) * stride + i + v, simd.load_f32x16(sum));
        }
    }
}
