//! The kernels compiled for AVX-512: the sizes of their tiles, and one entry each.

use super::super::Kernels;
use super::Avx512;
use crate::kernels;
use crate::kernels::gradient::{Deltas, Products};
use crate::kernels::pack::{Packed, Pixels};
use crate::kernels::power::Whole;
use crate::kernels::quantise::{Places, Quantised};
use crate::kernels::readout::{AdamStep, Exponent, Moments, PowerLoss};
use crate::kernels::screen::{self, Closer, Ends};
use crate::kernels::top_k::Block;
use crate::kernels::update::{ActiveRow, Step};
use crate::matrix::Panel;
use crate::vector::Lanes;

/// The kernels, one entry each.
pub(super) static KERNELS: Kernels = Kernels {
    name: "avx512",
    peak_chains: PEAK_CHAINS,
    stage_u8,
    stage_f32,
    score,
    score_blocks,
    power,
    top_k,
    change_u8,
    change_f32,
    apply_u8,
    apply_f32,
    quantise,
    pack,
    screen,
    highest,
    reach,
    prefetch,
    look_closer,
    score_few,
    features,
    power_loss,
    gradient,
    descend,
    adam,
    peak,
};

/// Units × examples of a tile of scores.
const SCORE: (usize, usize) = (8, 3);
/// Classes × vectors of features of a tile of the gradient.
const GRADIENT: (usize, usize) = (5, 4);
/// Examples that share a list of groups, and from how many groups of a hundred with ink on.
const SHARED: (usize, usize) = (6, 60);
/// Panels of a tile of whole-number scores: for one example, and for those that share a list.
const PANELS: (usize, usize) = (8, 4);
/// Independent multiply-adds that fill the pipelines and fit the registers.
pub(in crate::isa) const PEAK_CHAINS: usize = 12;

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in crate::isa) fn stage_u8(example: &[u8], row: &mut [Lanes]) {
    kernels::stage::stage(Avx512(()), example, row);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in crate::isa) fn stage_f32(example: &[f32], row: &mut [Lanes]) {
    kernels::stage::stage(Avx512(()), example, row);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in crate::isa) fn score(units: Panel<'_>, examples: Panel<'_>, out: &mut [f32], out_stride: usize) {
    kernels::score::score::<_, { SCORE.0 }, { SCORE.1 }>(Avx512(()), units, examples, out, out_stride);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in crate::isa) fn score_blocks(
    units: Panel<'_>,
    examples: Panel<'_>,
    block: usize,
    out: &mut [f32],
    out_stride: usize,
) {
    kernels::score::score_blocks::<_, { SCORE.0 }, { SCORE.1 }>(Avx512(()), units, examples, block, out, out_stride);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in crate::isa) fn power(p: Whole, weights: &[Lanes], powers: &mut [Lanes]) {
    kernels::power::power(Avx512(()), p, weights, powers);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in crate::isa) fn top_k(block: Block<'_>, k: usize, best: &mut [f32], who: &mut [u32]) {
    kernels::top_k::top_k(Avx512(()), block, k, best, who);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in crate::isa) fn change_u8(row: ActiveRow<'_>, inputs: &[u8], weights: &[Lanes]) -> f32 {
    kernels::update::change(Avx512(()), row, inputs, weights)
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in crate::isa) fn change_f32(row: ActiveRow<'_>, inputs: &[f32], weights: &[Lanes]) -> f32 {
    kernels::update::change(Avx512(()), row, inputs, weights)
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in crate::isa) fn apply_u8(row: ActiveRow<'_>, inputs: &[u8], step: Step, weights: &mut [Lanes]) {
    kernels::update::apply(Avx512(()), row, inputs, step, weights);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in crate::isa) fn apply_f32(row: ActiveRow<'_>, inputs: &[f32], step: Step, weights: &mut [Lanes]) {
    kernels::update::apply(Avx512(()), row, inputs, step, weights);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in crate::isa) fn quantise(row: &[Lanes], power: Option<Whole>, to: Places<'_>) -> Quantised {
    kernels::quantise::quantise(Avx512(()), row, power, to)
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in crate::isa) fn pack(pixels: Pixels<'_>, packed: &mut Packed) {
    kernels::pack::pack::<_, { SHARED.0 }, { SHARED.1 }>(Avx512(()), pixels, packed);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in crate::isa) fn screen(block: screen::Block<'_>, packed: &Packed, ends: Ends<'_>) {
    kernels::screen::screen::<_, { PANELS.0 }, { SHARED.0 }, { PANELS.1 }>(Avx512(()), block, packed, ends);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in crate::isa) fn highest(numbers: &[Lanes], best: &mut [f32]) {
    kernels::screen::highest(Avx512(()), numbers, best);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in crate::isa) fn reach(upper: &[Lanes], bar: f32, found: &mut [u32]) -> usize {
    kernels::screen::reach(Avx512(()), upper, bar, found)
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in crate::isa) fn prefetch(memory: &[u8]) {
    kernels::stage::prefetch(Avx512(()), memory);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in crate::isa) fn look_closer(at: Closer<'_>, sums: &mut [f32]) {
    kernels::screen::look_closer(Avx512(()), at, sums);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in crate::isa) fn score_few(units: Panel<'_>, power: Option<Whole>, example: &[u8], out: &mut [f32]) {
    kernels::score::score_few(Avx512(()), units, power, example, out);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in crate::isa) fn features(scores: &mut [Lanes], factor: f32, n: Exponent) {
    kernels::readout::features(Avx512(()), scores, factor, n);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in crate::isa) fn power_loss(loss: PowerLoss, sums: &mut [Lanes], targets: &[Lanes]) {
    kernels::readout::power_loss(Avx512(()), loss, sums, targets);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in crate::isa) fn gradient(examples: Panel<'_>, deltas: Deltas<'_>, out: &mut [Lanes], out_stride: usize) {
    kernels::gradient::gradient::<_, { GRADIENT.0 }, { GRADIENT.1 }>(Avx512(()), examples, deltas, out, out_stride);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in crate::isa) fn descend(
    products: Products<'_>,
    step: AdamStep,
    moments: Moments<'_>,
    weights: &mut [Lanes],
    stride: usize,
) {
    kernels::gradient::descend::<_, { GRADIENT.0 }, { GRADIENT.1 }>(
        Avx512(()),
        products,
        step,
        moments,
        weights,
        stride,
    );
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in crate::isa) fn adam(step: AdamStep, gradient: &[Lanes], moments: Moments<'_>, weights: &mut [Lanes]) {
    kernels::readout::adam(Avx512(()), step, gradient, moments, weights);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in crate::isa) fn peak(turns: u64) -> f32 {
    kernels::peak::peak::<_, PEAK_CHAINS>(Avx512(()), turns)
}
