//! A gradient summed over the examples of a minibatch, written down or stepped on at once.
//!
//! Plainly: G(class, ·) = Σ_examples δ(class, example) · h(example, ·), examples in order, by fused multiply-add from +0.
//!
//! The tile: C classes × V vectors of features stay in registers over all examples. Some columns of all examples stay in the
//! first-level cache while all classes go by.

use super::readout::{Adam, AdamStep, Moments};
use crate::matrix::Panel;
use crate::vector::{Lanes, Simd};

/// δ [classes × stride], of which the first examples of each row are in use.
#[derive(Debug, Clone, Copy)]
pub struct Deltas<'a> {
    /// ∂C/∂s, one row per class.
    pub values: &'a [f32],
    /// Floats per class.
    pub stride: usize,
    /// The number of classes.
    pub classes: usize,
}

/// Writes the gradient to `out`, whose rows are `stride` vectors apart.
#[inline(always)]
pub(crate) fn gradient<S: Simd, const C: usize, const V: usize>(
    simd: S,
    examples: Panel<'_>,
    deltas: Deltas<'_>,
    out: &mut [Lanes],
    stride: usize,
) {
    tiles::<S, C, V>(simd, examples, deltas, stride, &mut Written { out });
}

/// Takes a step of Adam with the gradient, which never leaves the registers. All rows are `stride` vectors apart.
#[inline(always)]
pub(crate) fn descend<S: Simd, const C: usize, const V: usize>(
    simd: S,
    examples: Panel<'_>,
    deltas: Deltas<'_>,
    step: AdamStep,
    moments: Moments<'_>,
    weights: &mut [Lanes],
    stride: usize,
) {
    let mut stepped = Stepped { adam: Adam::new(simd, step), moments, weights };
    tiles::<S, C, V>(simd, examples, deltas, stride, &mut stepped);
}

/// What becomes of the gradient.
trait Sink<S: Simd> {
    /// Says that the sum for this place, which may be behind the end, is being added up.
    fn expect(&self, simd: S, place: usize);
    /// Takes the sum for this place.
    fn take(&mut self, simd: S, place: usize, sum: S::F32x16);
}

struct Written<'a> {
    out: &'a mut [Lanes],
}

impl<S: Simd> Sink<S> for Written<'_> {
    #[inline(always)]
    fn expect(&self, _: S, _: usize) {}

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
    /// Asks memory for weights and moments, so that waiting for them and adding up go on at the same time.
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

/// Hands out every vector of the gradient.
#[inline(always)]
fn tiles<S: Simd, const C: usize, const V: usize>(
    simd: S,
    examples: Panel<'_>,
    deltas: Deltas<'_>,
    stride: usize,
    sink: &mut impl Sink<S>,
) {
    let width = examples.width();
    for first in (0..width).step_by(V) {
        for class in (0..deltas.classes).step_by(C) {
            if first + V <= width {
                tile::<S, C, V>(simd, examples, deltas, [class, first], stride, sink);
            } else {
                for i in first..width {
                    tile::<S, C, 1>(simd, examples, deltas, [class, i], stride, sink);
                }
            }
        }
    }
}

/// Classes from `class` on and V vectors of features from `i` on.
#[inline(always)]
fn tile<S: Simd, const C: usize, const V: usize>(
    simd: S,
    examples: Panel<'_>,
    deltas: Deltas<'_>,
    [class, i]: [usize; 2],
    stride: usize,
    sink: &mut impl Sink<S>,
) {
    let mut rows: [&[f32]; C] = [&[]; C];
    for (c, row) in rows.iter_mut().enumerate() {
        *row = &deltas.values[(class + c).min(deltas.classes - 1) * deltas.stride..][..examples.rows()];
    }
    let mut sums = [[simd.splat_f32x16(0.0); V]; C];
    #[expect(clippy::needless_range_loop, reason = "the index runs through C rows at once")]
    for example in 0..examples.rows() {
        if example < C * V {
            sink.expect(simd, (class + example / V) * stride + i + example % V);
        }
        let h = &examples.lanes(example)[i..][..V];
        for c in 0..C {
            let delta = simd.splat_f32x16(rows[c][example]);
            for v in 0..V {
                sums[c][v] = simd.fma_f32x16(delta, simd.load_f32x16(&h[v]), sums[c][v]);
            }
        }
    }
    for (c, sums) in sums.iter().enumerate().take(deltas.classes - class) {
        for (v, sum) in sums.iter().enumerate() {
            sink.take(simd, (class + c) * stride + i + v, *sum);
        }
    }
}
