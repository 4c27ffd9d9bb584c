//! The kernels compiled for any CPU: the sizes of their tiles, and one entry each.

use super::super::Kernels;
use super::Portable;
use crate::kernels;
use crate::kernels::elementwise::{AdamStep, Exponent, Moments, PowerLoss};
use crate::kernels::gemm_tn::{Deltas, Products};
use crate::kernels::pack::{Packed, Pixels};
use crate::kernels::power::IntegerNorm;
use crate::kernels::quantise::{QuantiseBuffers, Quantised};
use crate::kernels::screen::{self, Bounds, RefineRows};
use crate::kernels::top_k::Block;
use crate::kernels::update::{ActiveRow, Step};
use crate::matrix::Panel;
use crate::vector::Lanes;

/// The kernels, one entry each.
pub(super) static KERNELS: Kernels = Kernels {
    name: "portable",
    peak_chains: PEAK_CHAINS,
    stage_u8,
    stage_f32,
    gemm_nt,
    gemm_nt_blocks,
    power,
    top_k,
    change_u8,
    change_f32,
    apply_u8,
    apply_f32,
    quantise,
    pack,
    screen,
    top_distinct,
    select_ge,
    prefetch,
    refine_dot,
    gemv_gathered,
    rectified_power,
    power_loss,
    gemm_tn,
    gemm_tn_adam,
    adam,
    peak,
};

/// Units × examples of a tile of scores.
const GEMM_NT: (usize, usize) = (4, 1);
/// Classes × vectors of features of a tile of the gradient.
const GEMM_TN: (usize, usize) = (2, 1);
/// Examples that share a list of groups, and from how many groups of a hundred with ink on.
const SHARED: (usize, usize) = (2, 75);
/// Panels of a tile of whole-number scores: for one example, and for those that share a list.
const PANELS: (usize, usize) = (8, 4);
/// Independent multiply-adds that fill the pipelines and fit the registers.
const PEAK_CHAINS: usize = 4;

fn stage_u8(example: &[u8], row: &mut [Lanes]) {
    kernels::stage::stage(Portable, example, row);
}

fn stage_f32(example: &[f32], row: &mut [Lanes]) {
    kernels::stage::stage(Portable, example, row);
}

fn gemm_nt(units: Panel<'_>, examples: Panel<'_>, out: &mut [f32], out_stride: usize) {
    kernels::gemm_nt::gemm_nt::<_, { GEMM_NT.0 }, { GEMM_NT.1 }>(Portable, units, examples, out, out_stride);
}

fn gemm_nt_blocks(units: Panel<'_>, examples: Panel<'_>, block: usize, out: &mut [f32], out_stride: usize) {
    kernels::gemm_nt::gemm_nt_blocks::<_, { GEMM_NT.0 }, { GEMM_NT.1 }>(
        Portable, units, examples, block, out, out_stride,
    );
}

fn power(p: IntegerNorm, weights: &[Lanes], powers: &mut [Lanes]) {
    kernels::power::power(Portable, p, weights, powers);
}

fn top_k(block: Block<'_>, k: usize, best: &mut [f32], who: &mut [u32]) {
    kernels::top_k::top_k(Portable, block, k, best, who);
}

fn change_u8(row: ActiveRow<'_>, inputs: &[u8], weights: &[Lanes]) -> f32 {
    kernels::update::change(Portable, row, inputs, weights)
}

fn change_f32(row: ActiveRow<'_>, inputs: &[f32], weights: &[Lanes]) -> f32 {
    kernels::update::change(Portable, row, inputs, weights)
}

fn apply_u8(row: ActiveRow<'_>, inputs: &[u8], step: Step, weights: &mut [Lanes]) {
    kernels::update::apply(Portable, row, inputs, step, weights);
}

fn apply_f32(row: ActiveRow<'_>, inputs: &[f32], step: Step, weights: &mut [Lanes]) {
    kernels::update::apply(Portable, row, inputs, step, weights);
}

fn quantise(row: &[Lanes], power: Option<IntegerNorm>, to: QuantiseBuffers<'_>) -> Quantised {
    kernels::quantise::quantise(Portable, row, power, to)
}

fn pack(pixels: Pixels<'_>, packed: &mut Packed) {
    kernels::pack::pack::<_, { SHARED.0 }, { SHARED.1 }>(Portable, pixels, packed);
}

fn screen(block: screen::Block<'_>, packed: &Packed, ends: Bounds<'_>) {
    kernels::screen::screen::<_, { PANELS.0 }, { SHARED.0 }, { PANELS.1 }>(Portable, block, packed, ends);
}

fn top_distinct(numbers: &[Lanes], best: &mut [f32]) {
    kernels::screen::top_distinct(Portable, numbers, best);
}

fn select_ge(upper: &[Lanes], bar: f32, found: &mut [u32]) -> usize {
    kernels::screen::select_ge(Portable, upper, bar, found)
}

fn prefetch(memory: &[u8]) {
    kernels::stage::prefetch(Portable, memory);
}

fn refine_dot(at: RefineRows<'_>, sums: &mut [f32]) {
    kernels::screen::refine_dot(Portable, at, sums);
}

fn gemv_gathered(units: Panel<'_>, power: Option<IntegerNorm>, example: &[u8], out: &mut [f32]) {
    kernels::gemm_nt::gemv_gathered(Portable, units, power, example, out);
}

fn rectified_power(scores: &mut [Lanes], factor: f32, n: Exponent) {
    kernels::elementwise::rectified_power(Portable, scores, factor, n);
}

fn power_loss(loss: PowerLoss, sums: &mut [Lanes], targets: &[Lanes]) {
    kernels::elementwise::power_loss(Portable, loss, sums, targets);
}

fn gemm_tn(examples: Panel<'_>, deltas: Deltas<'_>, out: &mut [Lanes], out_stride: usize) {
    kernels::gemm_tn::gemm_tn::<_, { GEMM_TN.0 }, { GEMM_TN.1 }>(Portable, examples, deltas, out, out_stride);
}

fn gemm_tn_adam(products: Products<'_>, step: AdamStep, moments: Moments<'_>, weights: &mut [Lanes], stride: usize) {
    kernels::gemm_tn::gemm_tn_adam::<_, { GEMM_TN.0 }, { GEMM_TN.1 }>(
        Portable, products, step, moments, weights, stride,
    );
}

fn adam(step: AdamStep, gradient: &[Lanes], moments: Moments<'_>, weights: &mut [Lanes]) {
    kernels::elementwise::adam(Portable, step, gradient, moments, weights);
}

fn peak(turns: u64) -> f32 {
    kernels::peak::peak::<_, PEAK_CHAINS>(Portable, turns)
}
