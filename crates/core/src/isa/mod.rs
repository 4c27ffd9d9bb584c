//! The instruction sets: one file each, one table of kernels each, and the choice among them at run time.
//!
//! 1. The list below names every kernel once: its arguments and its generic body in [`crate::kernels`]. Two macros read it.
//!    `declare!` makes [`Kernels`], a table of function pointers, and a safe method for each. `table!` makes the table of one
//!    instruction set: each entry is the body, compiled with the instructions enabled.
//! 2. A token (`Avx2`, `Avx512`, …) proves that the CPU has the instructions: `detect` is the only way to one outside of a
//!    table.
//! 3. [`Kernels::all`] hands out the tables of the tokens that were detected, so the calls through a table are sound.
//!
//! This module holds the only `unsafe` of the crate: the intrinsics behind [`crate::vector::Simd`], and those calls.
//!
//! To add a kernel, write its body and one line of the list. To add an instruction set, write its file: a token, `impl Simd`,
//! `impl Integers`, its tile sizes, and `for_every_kernel!(table!(…))`; then add it to [`Kernels::all`].

use crate::error::{Error, Result};
use crate::kernels;
use crate::kernels::IntegerNorm;
use crate::kernels::elementwise::{AdamStep, Exponent, Moments, PowerLoss};
use crate::kernels::gemm_tn::Products;
use crate::kernels::pack::{Packed, Pixels};
use crate::kernels::quantise::{QuantiseBuffers, Quantised};
use crate::kernels::screen::{Bounds, RefineRows, WeightPanels};
use crate::kernels::select::ScoreBlock;
use crate::kernels::strips::{NonZeroInputs, Received, Rows, Stepped};
use crate::kernels::update::{ActiveRow, UpdateStep};
use crate::matrix::Panel;
use crate::strips::Strips;
use crate::vector::Lanes;
use std::ops::Range;

/// The kernels: `name(arguments) = body`. A body takes the token first. The sizes in capitals are those of the file that
/// expands the list.
macro_rules! for_every_kernel {
    ($macro:ident!($($arguments:tt)*)) => {
        $macro! {
            [$($arguments)*]
            /// Copies a u8 example into a padded row of f32.
            fn stage_u8(example: &[u8], row: &mut [Lanes]) = kernels::stage;
            /// Copies an f32 example into a padded row.
            fn stage_f32(example: &[f32], row: &mut [Lanes]) = kernels::stage;
            /// See [`crate::ops::gemm_nt`].
            fn gemm_nt(units: Panel<'_>, examples: Panel<'_>, out: &mut [f32], out_stride: usize)
                = kernels::gemm_nt::gemm_nt::<_, { GEMM_NT.0 }, { GEMM_NT.1 }>;
            /// See [`crate::ops::gemm_nt_blocks`].
            fn gemm_nt_blocks(units: Panel<'_>, examples: Panel<'_>, block: usize, out: &mut [f32], out_stride: usize)
                = kernels::gemm_nt::gemm_nt_blocks::<_, { GEMM_NT.0 }, { GEMM_NT.1 }>;
            /// Computes the scores of the rows of a panel for one u8 example.
            fn gemv_gathered(units: Panel<'_>, power: Option<IntegerNorm>, example: &[u8], out: &mut [f32])
                = kernels::gemm_nt::gemv_gathered;
            /// Writes w′ of p = 3, 4 or 5.
            fn power(p: IntegerNorm, weights: &[Lanes], powers: &mut [Lanes]) = kernels::power;
            /// Inserts a block of scores into every list of k.
            fn top_k(block: ScoreBlock<'_>, k: usize, best: &mut [f32], who: &mut [u32]) = kernels::select::top_k;
            /// Returns max |ds| of a row, of u8 inputs.
            fn change_u8(row: ActiveRow<'_>, inputs: &[u8], weights: &[Lanes]) -> f32 = kernels::update::change;
            /// Returns max |ds| of a row, of f32 inputs.
            fn change_f32(row: ActiveRow<'_>, inputs: &[f32], weights: &[Lanes]) -> f32 = kernels::update::change;
            /// Adds step · ds to a row, of u8 inputs.
            fn apply_u8(row: ActiveRow<'_>, inputs: &[u8], step: UpdateStep, weights: &mut [Lanes]) = kernels::update::apply;
            /// Adds step · ds to a row, of f32 inputs.
            fn apply_f32(row: ActiveRow<'_>, inputs: &[f32], step: UpdateStep, weights: &mut [Lanes]) = kernels::update::apply;
            /// Writes the coarse and the residual int8 levels of a row or of its powers.
            fn quantise(row: &[Lanes], power: Option<IntegerNorm>, to: QuantiseBuffers<'_>) -> Quantised
                = kernels::quantise::quantise;
            /// Packs examples for `screen`.
            fn pack(pixels: Pixels<'_>, packed: &mut Packed) = kernels::pack::pack::<_, { LISTS.0 }, { LISTS.1 }>;
            /// Computes score bounds of a block of units for every packed example.
            fn screen(block: WeightPanels<'_>, packed: &Packed, bounds: Bounds<'_>)
                = kernels::screen::screen::<_, { SCREEN_PANELS.0 }, { LISTS.0 }, { SCREEN_PANELS.1 }>;
            /// Computes the residual dot products of some rows.
            fn refine_dot(at: RefineRows<'_>, sums: &mut [f32]) = kernels::screen::refine_dot;
            /// Finds the largest distinct numbers of a few vectors.
            fn top_distinct(numbers: &[Lanes], best: &mut [f32]) = kernels::select::top_distinct;
            /// Lists the units whose upper bound is at least a threshold.
            fn select_ge(upper: &[Lanes], threshold: f32, found: &mut [u32]) -> usize = kernels::select::select_ge;
            /// Prefetches every cache line of some memory.
            fn prefetch(memory: &[u8]) = kernels::prefetch;
            /// See [`crate::ops::rectified_power`].
            fn rectified_power(scores: &mut [Lanes], factor: f32, n: Exponent) = kernels::elementwise::rectified_power;
            /// See [`crate::ops::power_loss`].
            fn power_loss(loss: PowerLoss, sums: &mut [Lanes], targets: &[Lanes]) = kernels::elementwise::power_loss;
            /// See [`crate::ops::gemm_tn`].
            fn gemm_tn(products: Products<'_>, out: &mut [Lanes], out_stride: usize)
                = kernels::gemm_tn::gemm_tn::<_, { GEMM_TN.0 }, { GEMM_TN.1 }>;
            /// See [`crate::ops::gemm_tn_adam`].
            fn gemm_tn_adam(
                products: Products<'_>,
                step: AdamStep,
                moments: Moments<'_>,
                weights: &mut [Lanes],
                stride: usize
            ) = kernels::gemm_tn::gemm_tn_adam::<_, { GEMM_TN.0 }, { GEMM_TN.1 }>;
            /// See [`crate::ops::adam`].
            fn adam(step: AdamStep, gradient: &[Lanes], moments: Moments<'_>, weights: &mut [Lanes])
                = kernels::elementwise::adam;
            /// See [`crate::ops::logistic`].
            fn logistic(values: &[Lanes], rates: &mut [Lanes]) = kernels::dynamics::logistic;
            /// See [`crate::ops::logistic_change`].
            fn logistic_change(values: &[Lanes], changes: &mut [Lanes], rates: &mut [Lanes])
                = kernels::dynamics::logistic_change;
            /// See [`crate::ops::receive`].
            fn receive(terms: &[Received<'_>], strips: usize, out: Rows<'_>)
                = kernels::strips::receive::<_, { STRIPS.0 }, { STRIPS.1 }>;
            /// See [`crate::ops::clipped_step`].
            fn clipped_step(terms: &[Received<'_>], strips: usize, stepped: Stepped<'_>) -> f32
                = kernels::strips::clipped_step::<_, { STRIPS.0 }, { STRIPS.1 }>;
            /// See [`crate::ops::learn`].
            fn learn_strips(
                x: Panel<'_>,
                nonzeros: Option<&NonZeroInputs>,
                deltas: Panel<'_>,
                weights: &mut Strips,
                strips: Range<usize>
            ) = kernels::strips::learn::<_, { LEARN.0 }, { LEARN.1 }>;
            /// Runs multiply-adds in registers; returns the floating-point operations done, and a result to keep.
            fn peak(rounds: u64) -> (u64, f32) = kernels::gemm_nt::peak::<_, PEAK_CHAINS>;
        }
    };
}

/// Makes the table type and a safe method for each kernel.
macro_rules! declare {
    ([] $($(#[$doc:meta])* fn $kernel:ident($($argument:ident: $type:ty),*) $(-> $out:ty)? = $body:expr;)*) => {
        /// The kernels of one instruction set that this machine has.
        pub struct Kernels {
            name: &'static str,
            $($kernel: unsafe fn($($type),*) $(-> $out)?,)*
        }

        impl Kernels {
            $(
                $(#[$doc])*
                pub(crate) fn $kernel(&self, $($argument: $type),*) $(-> $out)? {
                    // SAFETY: this table was handed out because the CPU has its instructions.
                    unsafe { (self.$kernel)($($argument),*) }
                }
            )*
        }
    };
}

/// Makes `KERNELS`, the table of one instruction set: its name, its token, and the attribute that enables its instructions.
macro_rules! table {
    (
        [$name:literal, $token:expr, #[$enable:meta]]
        $($(#[$doc:meta])* fn $kernel:ident($($argument:ident: $type:ty),*) $(-> $out:ty)? = $body:expr;)*
    ) => {
        /// The kernels of this instruction set.
        pub(super) const KERNELS: Kernels = Kernels {
            name: $name,
            $(
                $kernel: {
                    #[$enable]
                    fn $kernel($($argument: $type),*) $(-> $out)? {
                        $body($token, $($argument),*)
                    }
                    $kernel
                },
            )*
        };
        static TABLE: Kernels = KERNELS;
    };
}

for_every_kernel!(declare!());

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

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

    /// Prefetches the start of a row: by its end the hardware has recognised the stream.
    pub(crate) fn prefetch_row(&self, row: &[Lanes]) {
        const CACHE_LINES: usize = 12;
        self.prefetch(bytemuck::cast_slice(&row[..CACHE_LINES.min(row.len())]));
    }
}

#[cfg(test)]
mod tests;
