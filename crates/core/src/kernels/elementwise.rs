//! Elementwise kernels of a supervised readout: rectified powers, the gradient of the power loss, Adam.
//!
//! Each reads and writes whole vectors. They use only operations with one rounding and their own exponential, so the results have
//! the same bits on every instruction set.

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

/// x^exponent for x ≥ 0, by repeated squaring from the lowest bit of the exponent; the root comes last.
#[inline(always)]
fn pow<S: Simd>(simd: S, x: S::F32x16, exponent: Exponent) -> S::F32x16 {
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
pub(crate) fn rectified_power<S: Simd>(simd: S, scores: &mut [Lanes], factor: f32, n: Exponent) {
    let (zero, factor) = (simd.splat_f32x16(0.0), simd.splat_f32x16(factor));
    for lanes in scores {
        // The maximum is its second operand where one is NaN. That may be −0, which the addition turns into +0.
        let rectified = simd.add_f32x16(simd.max_f32x16(zero, simd.load_f32x16(lanes)), zero);
        simd.store_f32x16(pow(simd, simd.mul_f32x16(rectified, factor), n), lanes);
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
/// ∂C/∂s = −t·m·β·d^m·(d·E). Where d^m is below 2⁻⁶⁰, the example is predicted
/// perfectly and the derivative is 0.
#[inline(always)]
pub(crate) fn power_loss<S: Simd>(simd: S, loss: PowerLoss, sums: &mut [Lanes], targets: &[Lanes]) {
    let one = simd.splat_f32x16(1.0);
    let two = simd.splat_f32x16(2.0);
    let rate = simd.splat_f32x16(2.0 * loss.beta);
    let minus_m_beta = simd.splat_f32x16(-loss.m * loss.beta);
    let smallest = libm::exp2(-60.0 / f64::from(loss.m)) as f32;
    for (sums, targets) in sums.iter_mut().zip(targets) {
        let t = simd.load_f32x16(targets);
        let e = exp(simd, simd.mul_f32x16(rate, simd.mul_f32x16(t, simd.load_f32x16(sums))));
        let d = simd.flush_f32x16(simd.div_f32x16(two, simd.add_f32x16(e, one)), smallest);
        let steep = simd.mul_f32x16(pow(simd, d, loss.exponent), simd.mul_f32x16(d, e));
        simd.store_f32x16(simd.mul_f32x16(simd.mul_f32x16(minus_m_beta, t), steep), sums);
    }
}

/// exp(x) with x clamped so that the result is a normal number: 2^n · 2^f with |f| ≤ ½, 2^f by its Taylor polynomial of
/// degree 7 (relative error below 1e-7).
#[inline(always)]
pub(super) fn exp<S: Simd>(simd: S, x: S::F32x16) -> S::F32x16 {
    let [power, fraction, scale] = exp_parts(simd, x);
    simd.mul_f32x16(simd.fma_f32x16(power, fraction, simd.splat_f32x16(1.0)), scale)
}

/// exp(x) − 1, with x clamped as by [`exp`], without the loss of digits that the subtraction has near 0: 2^n (2^f − 1) + (2^n − 1).
#[inline(always)]
pub(super) fn exp_minus_1<S: Simd>(simd: S, x: S::F32x16) -> S::F32x16 {
    let [power, fraction, scale] = exp_parts(simd, x);
    let below = simd.sub_f32x16(scale, simd.splat_f32x16(1.0));
    simd.fma_f32x16(scale, simd.mul_f32x16(power, fraction), below)
}

/// (2^f − 1)/f, f and 2^n.
#[inline(always)]
fn exp_parts<S: Simd>(simd: S, x: S::F32x16) -> [S::F32x16; 3] {
    let scaled = simd.mul_f32x16(x, simd.splat_f32x16(std::f32::consts::LOG2_E));
    let y = simd.max_f32x16(simd.splat_f32x16(-126.0), simd.min_f32x16(simd.splat_f32x16(126.0), scaled));
    let integer = simd.round_f32x16(y);
    let fraction = simd.sub_f32x16(y, integer);
    // (ln 2)^j / j! for j = 7 … 1.
    const TAYLOR: [f32; 7] =
        [1.525_273_4e-5, 1.540_353e-4, 1.333_355_8e-3, 9.618_129e-3, 5.550_411e-2, 0.240_226_5, std::f32::consts::LN_2];
    let mut power = simd.splat_f32x16(TAYLOR[0]);
    for coefficient in &TAYLOR[1..] {
        power = simd.fma_f32x16(power, fraction, simd.splat_f32x16(*coefficient));
    }
    [power, fraction, simd.exp2_int_f32x16(integer)]
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

/// 2⁻¹⁰⁰ and 2⁻¹²⁰: what is smaller in the first and the second moment is 0.
const SMALLEST: [f32; 2] = [f32::from_bits(27 << 23), f32::from_bits(7 << 23)];

/// The first and the second moment of as many weights.
pub(crate) type Moments<'a> = [&'a mut [Lanes]; 2];

/// m = β₁ m + (1−β₁) g;  v = β₂ v + (1−β₂) g²;  w −= rate · m / (√(v · correction) + ε).
///
/// A gradient below 2⁻⁵⁵ and moments below 2⁻¹⁰⁰ and 2⁻¹²⁰ count as 0: beside ε = 10⁻⁸ none of them moves a weight, and
/// moments that nothing renews would stay subnormal for ever.
#[inline(always)]
pub(crate) fn adam<S: Simd>(
    simd: S,
    step: AdamStep,
    gradient: &[Lanes],
    [first, second]: Moments<'_>,
    weights: &mut [Lanes],
) {
    let adam = Adam::new(simd, step);
    for (((gradient, first), second), weights) in gradient.iter().zip(first).zip(second).zip(weights) {
        adam.step(simd, simd.load_f32x16(gradient), [first, second], weights);
    }
}

/// The constants of a step in registers.
pub(super) struct Adam<S: Simd> {
    keep: [S::F32x16; 2],
    take: [S::F32x16; 2],
    rate: S::F32x16,
    correction: S::F32x16,
    epsilon: S::F32x16,
}

impl<S: Simd> Adam<S> {
    #[inline(always)]
    pub(super) fn new(simd: S, step: AdamStep) -> Adam<S> {
        let decays = [step.first_decay, step.second_decay];
        Adam {
            keep: decays.map(|decay| simd.splat_f32x16(decay)),
            take: decays.map(|decay| simd.splat_f32x16(1.0 - decay)),
            rate: simd.splat_f32x16(step.rate),
            correction: simd.splat_f32x16(step.correction),
            epsilon: simd.splat_f32x16(step.epsilon),
        }
    }

    /// As [`adam`], for sixteen weights.
    #[inline(always)]
    pub(super) fn step(&self, simd: S, g: S::F32x16, [first, second]: [&mut Lanes; 2], weights: &mut Lanes) {
        let g = simd.flush_f32x16(g, 1.0 / (1_u64 << 55) as f32);
        let m = simd.fma_f32x16(self.keep[0], simd.load_f32x16(first), simd.mul_f32x16(self.take[0], g));
        let g2 = simd.mul_f32x16(g, g);
        let v = simd.fma_f32x16(self.keep[1], simd.load_f32x16(second), simd.mul_f32x16(self.take[1], g2));
        let (m, v) = (simd.flush_f32x16(m, SMALLEST[0]), simd.flush_f32x16(v, SMALLEST[1]));
        let root = simd.sqrt_f32x16(simd.mul_f32x16(v, self.correction));
        let change = simd.div_f32x16(simd.mul_f32x16(self.rate, m), simd.add_f32x16(root, self.epsilon));
        simd.store_f32x16(m, first);
        simd.store_f32x16(v, second);
        simd.store_f32x16(simd.sub_f32x16(simd.load_f32x16(weights), change), weights);
    }
}
