//! Products with weights in strips of sixteen units ([`Strips`]): what units receive, a step of their states, and the sum
//! of outer products that local learners add to the weights.
//!
//! ```text
//! received:  a[c, u] = Σ_terms Σ_k x[c, k] w[k, u]            by fused multiply-add from +0, terms and k in order
//! learned:   w[k, u] = w[k, u] + Σ_c x[c, k] δ[c, u]          the sum likewise, c in order, then one addition
//! ```
//!
//! 1. A tile of C examples × V strips stays in registers over all inputs of all terms. Nothing is added up across lanes, and a
//!    strip is read once, from its start to its end.
//! 2. For the outer products a tile is C inputs × V strips, over the examples of a minibatch.
//! 3. Eight inputs that are zero add ±0 and can be left out: [`NonZeroInputs`] lists the others.

use crate::matrix::Panel;
use crate::strips::{GROUP, Strips};
use crate::vector::{LANES, Lanes, Simd};
use std::ops::Range;

/// For every eight inputs of a minibatch, the examples in which not all of them are zero.
#[derive(Debug)]
pub struct NonZeroInputs {
    /// Where the examples of each eight inputs begin, and where the last end.
    starts: Vec<u32>,
    examples: Vec<u32>,
    /// The rows and vectors of the minibatch that was looked at.
    shape: [usize; 2],
}

impl NonZeroInputs {
    /// Makes room for a minibatch.
    pub fn new(batch: usize, inputs: usize) -> NonZeroInputs {
        let groups = inputs.next_multiple_of(LANES) / GROUP;
        NonZeroInputs {
            starts: Vec::with_capacity(groups + 1),
            examples: Vec::with_capacity(groups * batch),
            shape: [0; 2],
        }
    }

    /// Records where the examples of a minibatch are not zero. Allocates nothing unless the minibatch is larger than the one there
    /// is room for.
    pub fn record(&mut self, examples: Panel<'_>) {
        self.shape = [examples.rows(), examples.width()];
        self.starts.clear();
        self.examples.clear();
        for group in 0..examples.width() * (LANES / GROUP) {
            self.starts.push(self.examples.len() as u32);
            let inputs = |example: u32| &examples.lanes(example as usize).as_flattened()[group * GROUP..][..GROUP];
            let is_nonzero = |&example: &u32| inputs(example).iter().any(|x| *x != 0.0);
            self.examples.extend((0..examples.rows() as u32).filter(is_nonzero));
        }
        self.starts.push(self.examples.len() as u32);
    }

    /// The rows and vectors of the minibatch that was recorded.
    pub(crate) fn shape(&self) -> [usize; 2] {
        self.shape
    }

    fn of(&self, group: usize) -> &[u32] {
        let [start, end] = [group, group + 1].map(|group| self.starts[group] as usize);
        &self.examples[start..end]
    }
}

/// One term of what units receive: Σ_k x[example, k] w[k, unit].
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    /// x [examples × inputs].
    pub x: Panel<'a>,
    /// Where x is not zero, if that was recorded.
    pub nonzeros: Option<&'a NonZeroInputs>,
    /// w.
    pub weights: &'a Strips,
    /// Which strip of w belongs to the first strip of the result.
    pub first: usize,
}

impl<'a> Received<'a> {
    /// What all units receive from inputs of which any may be different from zero.
    pub fn from(x: Panel<'a>, weights: &'a Strips) -> Received<'a> {
        Received { x, nonzeros: None, weights, first: 0 }
    }
}

/// The constants of a step of clipped states.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClippedStep {
    /// ε, the size of the step.
    pub epsilon: f32,
    /// The factor of the state's own decay.
    pub leak: f32,
}

/// What a step of clipped states reads beside the terms, and where it writes: rows of examples, from the first wanted strip on.
#[derive(Debug)]
pub(crate) struct Stepped<'a> {
    pub(crate) step: ClippedStep,
    pub(crate) state: Panel<'a>,
    /// One row for all examples, or one each.
    pub(crate) bias: Panel<'a>,
    pub(crate) next: Rows<'a>,
}

/// Rows to write to, `stride` vectors apart.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    pub(crate) memory: &'a mut [Lanes],
    pub(crate) stride: usize,
}

/// Takes what an example's sixteen units receive. May be called twice with the same.
trait Sink<S: Simd> {
    fn take(&mut self, simd: S, example: usize, strip: usize, sum: S::F32x16);
}

impl<S: Simd> Sink<S> for Rows<'_> {
    #[inline(always)]
    fn take(&mut self, simd: S, example: usize, strip: usize, sum: S::F32x16) {
        simd.store_f32x16(sum, &mut self.memory[example * self.stride + strip]);
    }
}

struct Stepping<'a, S: Simd> {
    stepped: Stepped<'a>,
    largest: S::F32x16,
}

impl<S: Simd> Sink<S> for Stepping<'_, S> {
    #[inline(always)]
    fn take(&mut self, simd: S, example: usize, strip: usize, sum: S::F32x16) {
        let Stepped { step, state, bias, next } = &mut self.stepped;
        let s = simd.load_f32x16(&state.lanes(example)[strip]);
        let bias = simd.load_f32x16(&bias.lanes(example.min(bias.rows() - 1))[strip]);
        let current = simd.add_f32x16(sum, bias);
        let fall = simd.fma_f32x16(simd.splat_f32x16(-step.leak), s, current);
        let moved = simd.fma_f32x16(simd.splat_f32x16(step.epsilon), fall, s);
        // The maximum is its second operand where one is NaN or both are zeros, so −0 does not stay.
        let clipped = simd.min_f32x16(simd.max_f32x16(moved, simd.splat_f32x16(0.0)), simd.splat_f32x16(1.0));
        self.largest = simd.max_f32x16(simd.abs_f32x16(simd.sub_f32x16(clipped, s)), self.largest);
        next.take(simd, example, strip, clipped);
    }
}

/// Writes what so many strips of units receive from the terms, which have as many examples each.
#[inline(always)]
pub(crate) fn receive<S: Simd, const C: usize, const V: usize>(
    simd: S,
    terms: &[Received<'_>],
    strips: usize,
    mut out: Rows<'_>,
) {
    tiles::<S, C, V>(simd, terms, strips, &mut out);
}

/// Writes clip(s + ε (what is received + bias − leak · s), 0, 1) and returns the largest |change|.
#[inline(always)]
pub(crate) fn clipped_step<S: Simd, const C: usize, const V: usize>(
    simd: S,
    terms: &[Received<'_>],
    strips: usize,
    stepped: Stepped<'_>,
) -> f32 {
    let mut stepping = Stepping { stepped, largest: simd.splat_f32x16(0.0) };
    tiles::<S, C, V>(simd, terms, strips, &mut stepping);
    let mut lanes = [0.0; LANES];
    simd.store_f32x16(stepping.largest, &mut lanes);
    lanes.into_iter().fold(0.0, f32::max)
}

#[inline(always)]
fn tiles<S: Simd, const C: usize, const V: usize>(
    simd: S,
    terms: &[Received<'_>],
    strips: usize,
    sink: &mut impl Sink<S>,
) {
    let examples = terms.first().map_or(0, |term| term.x.rows());
    for first in (0..strips).step_by(V) {
        for example in (0..examples).step_by(C) {
            // An example behind the last one repeats it.
            let mut chosen = [examples - 1; C];
            for (c, chosen) in chosen.iter_mut().enumerate() {
                *chosen = (example + c).min(examples - 1);
            }
            if first + V <= strips {
                tile::<S, C, V>(simd, terms, chosen, first, sink);
            } else {
                for strip in first..strips {
                    tile::<S, C, 1>(simd, terms, chosen, strip, sink);
                }
            }
        }
    }
}

#[inline(always)]
fn tile<S: Simd, const C: usize, const V: usize>(
    simd: S,
    terms: &[Received<'_>],
    examples: [usize; C],
    first: usize,
    sink: &mut impl Sink<S>,
) {
    let mut sums = [[simd.splat_f32x16(0.0); V]; C];
    for &Received { x, nonzeros, weights, first: first_of_term } in terms {
        let mut x_rows: [&[[f32; GROUP]]; C] = [&[]; C];
        for c in 0..C {
            x_rows[c] = x.lanes(examples[c]).as_flattened()[..weights.length()].as_chunks().0;
        }
        let mut w_strips: [&[[Lanes; GROUP]]; V] = [&[]; V];
        for (v, strip) in w_strips.iter_mut().enumerate() {
            *strip = weights.strip(first_of_term + first + v).as_chunks().0;
        }
        for group in 0..weights.length() / GROUP {
            if nonzeros.is_some_and(|nonzeros| nonzeros.of(group).is_empty()) {
                continue;
            }
            let mut x = [&[0.0; GROUP]; C];
            for c in 0..C {
                x[c] = &x_rows[c][group];
            }
            let mut w = [&[[0.0; LANES]; GROUP]; V];
            for v in 0..V {
                w[v] = &w_strips[v][group];
            }
            for k in 0..GROUP {
                for v in 0..V {
                    let w = simd.load_f32x16(&w[v][k]);
                    for c in 0..C {
                        sums[c][v] = simd.fma_f32x16(simd.splat_f32x16(x[c][k]), w, sums[c][v]);
                    }
                }
            }
        }
    }
    for c in 0..C {
        for (v, &sum) in sums[c].iter().enumerate() {
            sink.take(simd, examples[c], first + v, sum);
        }
    }
}

/// Adds Σ_c x[c, k] δ[c, u] to some strips.
#[inline(always)]
pub(crate) fn learn<S: Simd, const C: usize, const V: usize>(
    simd: S,
    x: Panel<'_>,
    nonzeros: Option<&NonZeroInputs>,
    deltas: Panel<'_>,
    weights: &mut Strips,
    strips: Range<usize>,
) {
    const { assert!(GROUP.is_multiple_of(C), "a tile lies within one list of examples") };
    for first in strips.clone().step_by(V) {
        for group in 0..weights.length() / GROUP {
            let listed = nonzeros.map(|nonzeros| nonzeros.of(group)).filter(|listed| listed.len() < x.rows());
            if listed.is_some_and(<[u32]>::is_empty) {
                continue;
            }
            for part in (0..GROUP).step_by(C) {
                let input = group * GROUP + part;
                if first + V <= strips.end {
                    learn_tile::<S, C, V>(simd, [x, deltas], listed, [input, first], weights);
                } else {
                    for strip in first..strips.end {
                        learn_tile::<S, C, 1>(simd, [x, deltas], listed, [input, strip], weights);
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn learn_tile<S: Simd, const C: usize, const V: usize>(
    simd: S,
    [x, deltas]: [Panel<'_>; 2],
    listed: Option<&[u32]>,
    [input, first]: [usize; 2],
    weights: &mut Strips,
) {
    let mut sums = [[simd.splat_f32x16(0.0); V]; C];
    for number in 0..listed.map_or(x.rows(), <[u32]>::len) {
        let example = listed.map_or(number, |listed| listed[number] as usize);
        let x = &x.lanes(example).as_flattened()[input..][..C];
        let deltas = &deltas.lanes(example)[first..][..V];
        for v in 0..V {
            let delta = simd.load_f32x16(&deltas[v]);
            for c in 0..C {
                sums[c][v] = simd.fma_f32x16(simd.splat_f32x16(x[c]), delta, sums[c][v]);
            }
        }
    }
    for v in 0..V {
        for (weights, sums) in weights.strip_mut(first + v)[input..][..C].iter_mut().zip(&sums) {
            simd.store_f32x16(simd.add_f32x16(simd.load_f32x16(weights), sums[v]), weights);
        }
    }
}
