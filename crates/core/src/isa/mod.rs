//! One table of kernels per instruction set, and the choice among them at run time.
//!
//! This module holds the only `unsafe` of the crate: the intrinsics behind [`crate::vector::Simd`], and the calls through a
//! table. Both rest on one fact: a table can be reached only through [`Kernels::all`], [`Kernels::best`] and
//! [`Kernels::named`], which hand out what the CPU was found to have.

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use crate::error::{Error, Result};
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

/// The kernels of one instruction set that this machine has.
pub struct Kernels {
    name: &'static str,
    peak_chains: usize,
    stage_u8: unsafe fn(&[u8], &mut [Lanes]),
    stage_f32: unsafe fn(&[f32], &mut [Lanes]),
    gemm_nt: unsafe fn(Panel<'_>, Panel<'_>, &mut [f32], usize),
    gemm_nt_blocks: unsafe fn(Panel<'_>, Panel<'_>, usize, &mut [f32], usize),
    power: unsafe fn(IntegerNorm, &[Lanes], &mut [Lanes]),
    top_k: unsafe fn(Block<'_>, usize, &mut [f32], &mut [u32]),
    change_u8: unsafe fn(ActiveRow<'_>, &[u8], &[Lanes]) -> f32,
    change_f32: unsafe fn(ActiveRow<'_>, &[f32], &[Lanes]) -> f32,
    apply_u8: unsafe fn(ActiveRow<'_>, &[u8], Step, &mut [Lanes]),
    apply_f32: unsafe fn(ActiveRow<'_>, &[f32], Step, &mut [Lanes]),
    quantise: unsafe fn(&[Lanes], Option<IntegerNorm>, QuantiseBuffers<'_>) -> Quantised,
    pack: unsafe fn(Pixels<'_>, &mut Packed),
    screen: unsafe fn(screen::Block<'_>, &Packed, Bounds<'_>),
    top_distinct: unsafe fn(&[Lanes], &mut [f32]),
    select_ge: unsafe fn(&[Lanes], f32, &mut [u32]) -> usize,
    prefetch: unsafe fn(&[u8]),
    refine_dot: unsafe fn(RefineRows<'_>, &mut [f32]),
    gemv_gathered: unsafe fn(Panel<'_>, Option<IntegerNorm>, &[u8], &mut [f32]),
    rectified_power: unsafe fn(&mut [Lanes], f32, Exponent),
    power_loss: unsafe fn(PowerLoss, &mut [Lanes], &[Lanes]),
    gemm_tn: unsafe fn(Panel<'_>, Deltas<'_>, &mut [Lanes], usize),
    gemm_tn_adam: unsafe fn(Products<'_>, AdamStep, Moments<'_>, &mut [Lanes], usize),
    adam: unsafe fn(AdamStep, &[Lanes], Moments<'_>, &mut [Lanes]),
    peak: unsafe fn(u64) -> f32,
}

impl std::fmt::Debug for Kernels {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Kernels({})", self.name)
    }
}

impl Kernels {
    /// Every name that [`Kernels::named`] knows on some machine, fastest first.
    pub const NAMES: [&'static str; 4] = ["amx", "avx512", "avx2", "portable"];

    /// The tables that this machine can run, fastest first; the last one is always `portable`.
    pub fn all() -> Vec<&'static Kernels> {
        #[cfg(target_arch = "x86_64")]
        let detected = [
            amx::Amx::detect().map(|it| it.kernels()),
            avx512::Avx512::detect().map(|it| it.kernels()),
            avx2::Avx2::detect().map(|it| it.kernels()),
        ];
        #[cfg(not(target_arch = "x86_64"))]
        let detected: [Option<&'static Kernels>; 0] = [];
        detected.into_iter().flatten().chain([portable::Portable.kernels()]).collect()
    }

    /// The fastest table that this machine can run.
    pub fn best() -> &'static Kernels {
        Kernels::all()[0]
    }

    /// The table of a given name; `auto` is [`Kernels::best`].
    ///
    /// # Errors
    /// [`Error::Isa`] if the name is unknown or this machine lacks the instructions.
    ///
    /// # Example
    /// ```
    /// use rivalry_core::Kernels;
    /// assert_eq!(Kernels::named("portable")?.name(), "portable");
    /// assert!(Kernels::named("mmx").is_err());
    /// # Ok::<(), rivalry_core::Error>(())
    /// ```
    pub fn named(name: &str) -> Result<&'static Kernels> {
        let all = Kernels::all();
        if name == "auto" {
            return Ok(all[0]);
        }
        all.iter().find(|kernels| kernels.name == name).copied().ok_or_else(|| Error::Isa {
            available: all.iter().map(|kernels| kernels.name).collect::<Vec<_>>().join(", "),
            found: name.to_owned(),
        })
    }

    /// The name of the instruction set.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Multiply-adds in registers, without memory: (floating-point operations done, a result to keep).
    pub(crate) fn peak(&self, turns: u64) -> (u64, f32) {
        // SAFETY: this table was handed out because the CPU has its instructions.
        let result = unsafe { (self.peak)(turns) };
        (turns * crate::kernels::peak::operations(self.peak_chains), result)
    }

    /// Copies a u8 example into a padded row of f32.
    pub(crate) fn stage_u8(&self, example: &[u8], row: &mut [Lanes]) {
        // SAFETY: this table was handed out because the CPU has its instructions.
        unsafe { (self.stage_u8)(example, row) }
    }

    /// Copies an f32 example into a padded row.
    pub(crate) fn stage_f32(&self, example: &[f32], row: &mut [Lanes]) {
        // SAFETY: this table was handed out because the CPU has its instructions.
        unsafe { (self.stage_f32)(example, row) }
    }

    /// See [`crate::ops::gemm_nt`].
    pub(crate) fn gemm_nt(&self, units: Panel<'_>, examples: Panel<'_>, out: &mut [f32], out_stride: usize) {
        // SAFETY: this table was handed out because the CPU has its instructions.
        unsafe { (self.gemm_nt)(units, examples, out, out_stride) }
    }

    /// See [`crate::ops::gemm_nt_blocks`].
    pub(crate) fn gemm_nt_blocks(
        &self,
        units: Panel<'_>,
        examples: Panel<'_>,
        block: usize,
        out: &mut [f32],
        out_stride: usize,
    ) {
        // SAFETY: this table was handed out because the CPU has its instructions.
        unsafe { (self.gemm_nt_blocks)(units, examples, block, out, out_stride) }
    }

    /// Writes w′ of p = 3, 4 or 5.
    pub(crate) fn power(&self, p: IntegerNorm, weights: &[Lanes], powers: &mut [Lanes]) {
        // SAFETY: this table was handed out because the CPU has its instructions.
        unsafe { (self.power)(p, weights, powers) }
    }

    /// Offers a block of scores to every list of k.
    pub(crate) fn top_k(&self, block: Block<'_>, k: usize, best: &mut [f32], who: &mut [u32]) {
        // SAFETY: this table was handed out because the CPU has its instructions.
        unsafe { (self.top_k)(block, k, best, who) }
    }

    /// Returns max |ds| of a row pulled by u8 inputs.
    pub(crate) fn change_u8(&self, row: ActiveRow<'_>, inputs: &[u8], weights: &[Lanes]) -> f32 {
        // SAFETY: this table was handed out because the CPU has its instructions.
        unsafe { (self.change_u8)(row, inputs, weights) }
    }

    /// Returns max |ds| of a row pulled by f32 inputs.
    pub(crate) fn change_f32(&self, row: ActiveRow<'_>, inputs: &[f32], weights: &[Lanes]) -> f32 {
        // SAFETY: this table was handed out because the CPU has its instructions.
        unsafe { (self.change_f32)(row, inputs, weights) }
    }

    /// w += step · ds of a row pulled by u8 inputs.
    pub(crate) fn apply_u8(&self, row: ActiveRow<'_>, inputs: &[u8], step: Step, weights: &mut [Lanes]) {
        // SAFETY: this table was handed out because the CPU has its instructions.
        unsafe { (self.apply_u8)(row, inputs, step, weights) }
    }

    /// w += step · ds of a row pulled by f32 inputs.
    pub(crate) fn apply_f32(&self, row: ActiveRow<'_>, inputs: &[f32], step: Step, weights: &mut [Lanes]) {
        // SAFETY: this table was handed out because the CPU has its instructions.
        unsafe { (self.apply_f32)(row, inputs, step, weights) }
    }

    /// Writes the digits of a row or of its powers.
    pub(crate) fn quantise(&self, row: &[Lanes], power: Option<IntegerNorm>, to: QuantiseBuffers<'_>) -> Quantised {
        // SAFETY: this table was handed out because the CPU has its instructions.
        unsafe { (self.quantise)(row, power, to) }
    }

    /// Packs examples for [`Kernels::screen`].
    pub(crate) fn pack(&self, pixels: Pixels<'_>, packed: &mut Packed) {
        // SAFETY: this table was handed out because the CPU has its instructions.
        unsafe { (self.pack)(pixels, packed) }
    }

    /// Finds the intervals of a block of units for every packed example.
    pub(crate) fn screen(&self, block: screen::Block<'_>, packed: &Packed, ends: Bounds<'_>) {
        // SAFETY: this table was handed out because the CPU has its instructions.
        unsafe { (self.screen)(block, packed, ends) }
    }

    /// Finds the largest numbers of a few vectors.
    pub(crate) fn top_distinct(&self, numbers: &[Lanes], best: &mut [f32]) {
        // SAFETY: this table was handed out because the CPU has its instructions.
        unsafe { (self.top_distinct)(numbers, best) }
    }

    /// Lists the units whose upper end reaches the bar.
    pub(crate) fn select_ge(&self, upper: &[Lanes], bar: f32, found: &mut [u32]) -> usize {
        // SAFETY: this table was handed out because the CPU has its instructions.
        unsafe { (self.select_ge)(upper, bar, found) }
    }

    /// Asks for the cache lines of some memory.
    pub(crate) fn prefetch(&self, memory: &[u8]) {
        // SAFETY: this table was handed out because the CPU has its instructions.
        unsafe { (self.prefetch)(memory) }
    }

    /// Asks for the start of a row: by its end the hardware sees the stream.
    pub(crate) fn prefetch_row(&self, row: &[Lanes]) {
        const ASKED: usize = 12;
        self.prefetch(bytemuck::cast_slice(&row[..ASKED.min(row.len())]));
    }

    /// Sums the second digits of some rows.
    pub(crate) fn refine_dot(&self, at: RefineRows<'_>, sums: &mut [f32]) {
        // SAFETY: this table was handed out because the CPU has its instructions.
        unsafe { (self.refine_dot)(at, sums) }
    }

    /// Scores a few units for one example as it stands.
    pub(crate) fn gemv_gathered(&self, units: Panel<'_>, power: Option<IntegerNorm>, example: &[u8], out: &mut [f32]) {
        // SAFETY: this table was handed out because the CPU has its instructions.
        unsafe { (self.gemv_gathered)(units, power, example, out) }
    }

    /// See [`crate::ops::rectified_power`].
    pub(crate) fn rectified_power(&self, scores: &mut [Lanes], factor: f32, n: Exponent) {
        // SAFETY: this table was handed out because the CPU has its instructions.
        unsafe { (self.rectified_power)(scores, factor, n) }
    }

    /// See [`crate::ops::power_loss`].
    pub(crate) fn power_loss(&self, loss: PowerLoss, sums: &mut [Lanes], targets: &[Lanes]) {
        // SAFETY: this table was handed out because the CPU has its instructions.
        unsafe { (self.power_loss)(loss, sums, targets) }
    }

    /// See [`crate::ops::gemm_tn`].
    pub(crate) fn gemm_tn(&self, examples: Panel<'_>, deltas: Deltas<'_>, out: &mut [Lanes], out_stride: usize) {
        // SAFETY: this table was handed out because the CPU has its instructions.
        unsafe { (self.gemm_tn)(examples, deltas, out, out_stride) }
    }

    /// See [`crate::ops::gemm_tn_adam`].
    pub(crate) fn gemm_tn_adam(
        &self,
        products: Products<'_>,
        step: AdamStep,
        moments: Moments<'_>,
        weights: &mut [Lanes],
        stride: usize,
    ) {
        // SAFETY: as in `peak`.
        unsafe { (self.gemm_tn_adam)(products, step, moments, weights, stride) }
    }

    /// See [`crate::ops::adam`].
    pub(crate) fn adam(&self, step: AdamStep, gradient: &[Lanes], moments: Moments<'_>, weights: &mut [Lanes]) {
        // SAFETY: this table was handed out because the CPU has its instructions.
        unsafe { (self.adam)(step, gradient, moments, weights) }
    }
}

#[cfg(test)]
mod tests;
