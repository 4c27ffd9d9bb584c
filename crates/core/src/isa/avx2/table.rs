//! The kernels compiled for AVX2: the sizes of their tiles, and one entry each.

use super::super::Kernels;
use super::Avx2;
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
    name: "avx2",
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
const GEMM_NT: (usize, usize) = (4, 3);
/// Classes × vectors of features of a tile of the gradient.
const GEMM_TN: (usize, usize) = (5, 1);
/// Examples that share a list of groups, and from how many groups of a hundred with ink on.
const SHARED: (usize, usize) = (2, 75);
/// Panels of a tile of whole-number scores: for one example, and for those that share a list.
const PANELS: (usize, usize) = (4, 2);
/// Independent multiply-adds that fill the pipelines and fit the registers.
const PEAK_CHAINS: usize = 6;

#[target_feature(enable = "avx2,fma")]
fn stage_u8(example: &[u8], row: &mut [Lanes]) {
    kernels::stage::stage(Avx2(()), example, row);
}

#[target_feature(enable = "avx2,fma")]
fn stage_f32(example: &[f32], row: &mut [Lanes]) {
    kernels::stage::stage(Avx2(()), example, row);
}

#[target_feature(enable = "avx2,fma")]
fn gemm_nt(units: Panel<'_>, examples: Panel<'_>, out: &mut [f32], out_stride: usize) {
    kernels::gemm_nt::gemm_nt::<_, { GEMM_NT.0 }, { GEMM_NT.1 }>(Avx2(()), units, examples, out, out_stride);
}

#[target_feature(enable = "avx2,fma")]
fn gemm_nt_blocks(units: Panel<'_>, examples: Panel<'_>, block: usize, out: &mut [f32], out_stride: usize) {
    kernels::gemm_nt::gemm_nt_blocks::<_, { GEMM_NT.0 }, { GEMM_NT.1 }>(
        Avx2(()),
        units,
        examples,
        block,
        out,
        out_stride,
    );
}

#[target_feature(enable = "avx2,fma")]
fn power(p: IntegerNorm, weights: &[Lanes], powers: &mut [Lanes]) {
    kernels::power::power(Avx2(()), p, weights, powers);
}

#[target_feature(enable = "avx2,fma")]
fn top_k(block: Block<'_>, k: usize, best: &mut [f32], who: &mut [u32]) {
    kernels::top_k::top_k(Avx2(()), block, k, best, who);
}

#[target_feature(enable = "avx2,fma")]
fn change_u8(row: ActiveRow<'_>, inputs: &[u8], weights: &[Lanes]) -> f32 {
    kernels::update::change(Avx2(()), row, inputs, weights)
}

#[target_feature(enable = "avx2,fma")]
fn change_f32(row: ActiveRow<'_>, inputs: &[f32], weights: &[Lanes]) -> f32 {
    kernels::update::change(Avx2(()), row, inputs, weights)
}

#[target_feature(enable = "avx2,fma")]
fn apply_u8(row: ActiveRow<'_>, inputs: &[u8], step: Step, weights: &mut [Lanes]) {
    kernels::update::apply(Avx2(()), row, inputs, step, weights);
}

#[target_feature(enable = "avx2,fma")]
fn apply_f32(row: ActiveRow<'_>, inputs: &[f32], step: Step, weights: &mut [Lanes]) {
    kernels::update::apply(Avx2(()), row, inputs, step, weights);
}

#[target_feature(enable = "avx2,fma")]
fn quantise(row: &[Lanes], power: Option<IntegerNorm>, to: QuantiseBuffers<'_>) -> Quantised {
    kernels::quantise::quantise(Avx2(()), row, power, to)
}

#[target_feature(enable = "avx2,fma")]
fn pack(pixels: Pixels<'_>, packed: &mut Packed) {
    kernels::pack::pack::<_, { SHARED.0 }, { SHARED.1 }>(Avx2(()), pixels, packed);
}

#[target_feature(enable = "avx2,fma")]
fn screen(block: screen::Block<'_>, packed: &Packed, ends: Bounds<'_>) {
    kernels::screen::screen::<_, { PANELS.0 }, { SHARED.0 }, { PANELS.1 }>(Avx2(()), block, packed, ends);
}

#[target_feature(enable = "avx2,fma")]
fn top_distinct(numbers: &[Lanes], best: &mut [f32]) {
    kernels::screen::top_distinct(Avx2(()), numbers, best);
}

#[target_feature(enable = "avx2,fma")]
fn select_ge(upper: &[Lanes], bar: f32, found: &mut [u32]) -> usize {
    kernels::screen::select_ge(Avx2(()), upper, bar, found)
}

#[target_feature(enable = "avx2,fma")]
fn prefetch(memory: &[u8]) {
    kernels::stage::prefetch(Avx2(()), memory);
}

#[target_feature(enable = "avx2,fma")]
fn refine_dot(at: RefineRows<'_>, sums: &mut [f32]) {
    kernels::screen::refine_dot(Avx2(()), at, sums);
}

#[target_feature(enable = "avx2,fma")]
fn gemv_gathered(units: Panel<'_>, power: Option<IntegerNorm>, example: &[u8], out: &mut [f32]) {
    kernels::gemm_nt::gemv_gathered(Avx2(()), units, power, example, out);
}

#[target_feature(enable = "avx2,fma")]
fn rectified_power(scores: &mut [Lanes], factor: f32, n: Exponent) {
    kernels::elementwise::rectified_power(Avx2(()), scores, factor, n);
}

#[target_feature(enable = "avx2,fma")]
fn power_loss(loss: PowerLoss, sums: &mut [Lanes], targets: &[Lanes]) {
    kernels::elementwise::power_loss(Avx2(()), loss, sums, targets);
}

#[target_feature(enable = "avx2,fma")]
fn gemm_tn(examples: Panel<'_>, deltas: Deltas<'_>, out: &mut [Lanes], out_stride: usize) {
    kernels::gemm_tn::gemm_tn::<_, { GEMM_TN.0 }, { GEMM_TN.1 }>(Avx2(()), examples, deltas, out, out_stride);
}

#[target_feature(enable = "avx2,fma")]
fn gemm_tn_adam(products: Products<'_>, step: AdamStep, moments: Moments<'_>, weights: &mut [Lanes], stride: usize) {
    kernels::gemm_tn::gemm_tn_adam::<_, { GEMM_TN.0 }, { GEMM_TN.1 }>(
        Avx2(()),
        products,
        step,
        moments,
        weights,
        stride,
    );
}

#[target_feature(enable = "avx2,fma")]
fn adam(step: AdamStep, gradient: &[Lanes], moments: Moments<'_>, weights: &mut [Lanes]) {
    kernels::elementwise::adam(Avx2(()), step, gradient, moments, weights);
}

#[target_feature(enable = "avx2,fma")]
fn peak(turns: u64) -> f32 {
    kernels::peak::peak::<_, PEAK_CHAINS>(Avx2(()), turns)
}
