//! The loops of a supervised readout: powers of currents, the gradient of the power loss, its sum over a minibatch, Adam.
//!
//! All of them are whole vectors in, whole vectors out, and use only operations with one rounding, so a readout has the
//! same bits on every instruction set.

use crate::matrix::Panel;
use crate::vector::{LANES, Lanes, Simd};

/// An exponent. Multiples of ½ are multiplications and a square root; any other goes through f64, lane by lane.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Exponent {
    /// A number of halves: x^(halves/2).
    Halves(u32),
    /// Any other exponent.
    Real(f64),
}

impl Exponent {
    /// Chooses the fast form where it applies.
    pub fn new(exponent: f64) -> Exponent {
        let halves = exponent * 2.0;
        if (0.0..=256.0).contains(&halves) && halves == libm::trunc(halves) {
            Exponent::Halves(halves as u32)
        } else {
            Exponent::Real(exponent)
        }
    }
}

/// x^exponent for x ≥ 0: squares are multiplied in from the lowest bit of the exponent, the root last.
#[inline(always)]
fn raised<S: Simd>(simd: S, x: S::F32x16, exponent: Exponent) -> S::F32x16 {
    match exponent {
        Exponent::Halves(halves) => {
            let mut product = simd.splat_f32x16(1.0);
            let (mut square, mut bits) = (x, halves / 2);
            while bits > 0 {
                if bits & 1 == 1 {
                    product = simd.mul_f32x16(product, square);
                }
                square = simd.mul_f32x16(square, square);
                bits >>= 1;
            }
            if halves % 2 == 1 { simd.mul_f32x16(product, simd.sqrt_f32x16(x)) } else { product }
        }
        Exponent::Real(exponent) => {
            let mut lanes = [0.0; LANES];
            simd.store_f32x16(x, &mut lanes);
            for lane in &mut lanes {
                *lane = libm::pow(f64::from(*lane), exponent) as f32;
            }
            simd.load_f32x16(&lanes)
        }
    }
}

/// h = (max(s, 0) · factor)^n in place.
#[inline(always)]
pub(crate) fn features<S: Simd>(simd: S, scores: &mut [Lanes], factor: f32, n: Exponent) {
    let (zero, factor) = (simd.splat_f32x16(0.0), simd.splat_f32x16(factor));
    for lanes in scores {
        let rectified = simd.max_f32x16(simd.load_f32x16(lanes), zero);
        simd.store_f32x16(raised(simd, simd.mul_f32x16(rectified, factor), n), lanes);
    }
}

/// The constants of the power loss C = Σ |tanh(β s) − t|^m.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PowerLoss {
    /// β, the steepness of the tanh.
    pub beta: f32,
    /// m, the exponent of the loss.
    pub m: f32,
    /// m again, in the form that is computed with.
    pub exponent: Exponent,
}

/// Turns sums s into ∂C/∂s, with targets t = ±1.
///
/// With E = exp(2 t β s): |c − t| = 2/(E + 1) =: d and 1 − c² = d·(d·E), without cancellation at either end, so
/// ∂C/∂s = −t·m·β·d^m·(d·E).
#[inline(always)]
pub(crate) fn power_loss<S: Simd>(simd: S, loss: PowerLoss, sums: &mut [Lanes], targets: &[Lanes]) {
    let one = simd.splat_f32x16(1.0);
    let two = simd.splat_f32x16(2.0);
    let rate = simd.splat_f32x16(2.0 * loss.beta);
    let minus_m_beta = simd.splat_f32x16(-loss.m * loss.beta);
    for (sums, targets) in sums.iter_mut().zip(targets) {
        let t = simd.load_f32x16(targets);
        let e = exp(simd, simd.mul_f32x16(rate, simd.mul_f32x16(t, simd.load_f32x16(sums))));
        let d = simd.div_f32x16(two, simd.add_f32x16(e, one));
        let steep = simd.mul_f32x16(raised(simd, d, loss.exponent), simd.mul_f32x16(d, e));
        simd.store_f32x16(simd.mul_f32x16(simd.mul_f32x16(minus_m_beta, t), steep), sums);
    }
}

/// exp(x) with x clamped so that the result is a normal number: 2^n · 2^f with |f| ≤ ½, 2^f by its Taylor polynomial of
/// degree 7 (relative error below 1e-7).
#[inline(always)]
fn exp<S: Simd>(simd: S, x: S::F32x16) -> S::F32x16 {
    let scaled = simd.mul_f32x16(x, simd.splat_f32x16(std::f32::consts::LOG2_E));
    let y = simd.max_f32x16(simd.min_f32x16(scaled, simd.splat_f32x16(126.0)), simd.splat_f32x16(-126.0));
    let whole = simd.round_f32x16(y);
    let part = simd.sub_f32x16(y, whole);
    // (ln 2)^j / j! for j = 7 … 0.
    const TAYLOR: [f32; 8] = [
        1.525_273_4e-5,
        1.540_353e-4,
        1.333_355_8e-3,
        9.618_129e-3,
        5.550_411e-2,
        0.240_226_5,
        std::f32::consts::LN_2,
        1.0,
    ];
    let mut power = simd.splat_f32x16(TAYLOR[0]);
    for coefficient in &TAYLOR[1..] {
        power = simd.fma_f32x16(power, part, simd.splat_f32x16(*coefficient));
    }
    simd.mul_f32x16(power, simd.exp2_whole_f32x16(whole))
}

/// ∂C/∂S(class, ·) = Σ_examples δ(class, example) · h(example, ·), examples in order, by fused multiply-add from +0.
#[inline(always)]
pub(crate) fn gradient<S: Simd, const C: usize, const V: usize>(
    simd: S,
    examples: Panel<'_>,
    deltas: Deltas<'_>,
    out: &mut [Lanes],
    out_stride: usize,
) {
    let mut class = 0;
    while class < deltas.classes {
        let mut i = 0;
        while i + V <= examples.width() {
            gradient_tile::<S, C, V>(simd, examples, deltas, class, i, out, out_stride);
            i += V;
        }
        while i < examples.width() {
            gradient_tile::<S, C, 1>(simd, examples, deltas, class, i, out, out_stride);
            i += 1;
        }
        class += C;
    }
}

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

/// C classes and V vectors of features, kept in registers over all examples.
#[inline(always)]
fn gradient_tile<S: Simd, const C: usize, const V: usize>(
    simd: S,
    examples: Panel<'_>,
    deltas: Deltas<'_>,
    class: usize,
    i: usize,
    out: &mut [Lanes],
    out_stride: usize,
) {
    let mut rows: [&[f32]; C] = [&[]; C];
    for (c, row) in rows.iter_mut().enumerate() {
        *row = &deltas.values[(class + c).min(deltas.classes - 1) * deltas.stride..][..examples.rows()];
    }
    let mut sums = [[simd.splat_f32x16(0.0); V]; C];
    #[expect(clippy::needless_range_loop, reason = "the index runs through C rows at once")]
    for example in 0..examples.rows() {
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
            simd.store_f32x16(*sum, &mut out[(class + c) * out_stride + i + v]);
        }
    }
}

/// One step of Adam (Kingma & Ba 2015), with the bias corrections worked into `rate` and `root`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamStep {
    /// Decay of the first moment, β₁.
    pub first_decay: f32,
    /// Decay of the second moment, β₂.
    pub second_decay: f32,
    /// rate / (1 − β₁^t).
    pub rate: f32,
    /// 1 / (1 − β₂^t).
    pub correction: f32,
    /// ε, against division by zero.
    pub epsilon: f32,
}

/// The first and the second moment of a row.
pub(crate) type Moments<'a> = [&'a mut [Lanes]; 2];

/// m = β₁ m + (1−β₁) g;  v = β₂ v + (1−β₂) g²;  w −= rate · m / (√(v · correction) + ε).
#[inline(always)]
pub(crate) fn adam<S: Simd>(
    simd: S,
    step: AdamStep,
    gradient: &[Lanes],
    [first, second]: Moments<'_>,
    weights: &mut [Lanes],
) {
    let (keep_first, keep_second) = (simd.splat_f32x16(step.first_decay), simd.splat_f32x16(step.second_decay));
    let (take_first, take_second) =
        (simd.splat_f32x16(1.0 - step.first_decay), simd.splat_f32x16(1.0 - step.second_decay));
    let (rate, correction) = (simd.splat_f32x16(step.rate), simd.splat_f32x16(step.correction));
    let epsilon = simd.splat_f32x16(step.epsilon);
    for (((gradient, first), second), weights) in gradient.iter().zip(first).zip(second).zip(weights) {
        let g = simd.load_f32x16(gradient);
        let m = simd.fma_f32x16(keep_first, simd.load_f32x16(first), simd.mul_f32x16(take_first, g));
        let g2 = simd.mul_f32x16(g, g);
        let v = simd.fma_f32x16(keep_second, simd.load_f32x16(second), simd.mul_f32x16(take_second, g2));
        let root = simd.sqrt_f32x16(simd.mul_f32x16(v, correction));
        let change = simd.div_f32x16(simd.mul_f32x16(rate, m), simd.add_f32x16(root, epsilon));
        simd.store_f32x16(m, first);
        simd.store_f32x16(v, second);
        simd.store_f32x16(simd.sub_f32x16(simd.load_f32x16(weights), change), weights);
    }
}
