//! Competing hidden units: the unsupervised learning rule of Krotov & Hopfield (PNAS 2019, doi 10.1073/pnas.1820458116)
//! and its kernels. No files, no clock, no printing, no allocation in a minibatch.
//!
//! Start at [`Learner`]; [`Rule`] states the algorithm and [`mod@reference`] is its definition in f64.
//!
//! # Numerics
//!
//! One specification for all instruction sets, numbers of threads and shards: the weights have the same bits everywhere.
//!
//! - **Inputs.** x is the pixel as f32, exact for u8, or the f32 input. c is its scale: f32(1/255), 1, or one per example.
//! - **Powers.** w′ = sgn(w)|w|^(p−1): p = 2 w; p = 3 w·|w|; p = 4 w·(w·w); p = 5 (w·|w|)·(w·w); any other p through
//!   `libm::pow` in f64. w = 0 gives 0.
//! - **Scores.** s(unit, example) = Σ w′x in 16 lanes (lane = i mod 16) by fused multiply-add from +0 in increasing i, zero
//!   padding, lanes added by the tree +8, +4, +2, +1; this over blocks of 1024 inputs, blocks added in order.
//! - **Ranks.** Descending s, then lower unit; −0 equals +0; taken before the scale. I = c·s. −∞ and NaN are never ranked.
//! - **Update.** Per active row, examples in the order of the minibatch: d = fma(g·c, x, d), a = a + g·I; then
//!   ds = fma(−a, w, d); t = ε / max(max |ds|, 1e−30) over all rows; w = fma(t, ds, w). A minibatch with max |ds| = 0
//!   changes nothing, and one whose currents, changes or weights leave the range of f32 is an error. With Δ = 0 rank k learns
//!   nothing and is not looked for.
//! - **Flush of tiny weights.** A row that was updated then has 0 in place of every weight whose magnitude is below
//!   2^(−120/(p−1)), this bound itself kept between 2⁻¹⁰⁰ and 2⁻³⁰. The authors' code does not do this.
//! - **Balance** (off by default). Counts are f32, see [`Rule::with_balance`]; a contribution that the balance refuses is left
//!   out of d and of a.
//!
//! All arithmetic is f32 with one rounding per operation. The portable path fuses too (see `isa/portable.rs` for its cost).

#![deny(unsafe_code)]

mod compute;
mod error;
mod inputs;
#[allow(unsafe_code)]
mod isa;
mod kernels;
mod matrix;
pub mod ops;
mod random;
pub mod reference;
mod rule;
mod strips;
mod vector;

pub use compute::{Barrier, Compute, range_of};
pub use error::{Error, Result};
pub use inputs::{Elements, Inputs};
pub use isa::Kernels;
pub use matrix::{Matrix, Panel};
pub use random::Random;
pub use rule::balance::BalanceCounts;
pub use rule::layer::{Diagnostics, Layer};
pub use rule::parameters::{Engine, Rule};
pub use rule::screened_units::ScreenedUnits;
pub use rule::top_k::TopK;
pub use rule::{Learner, Rates};
pub use strips::Strips;
pub use vector::{LANES, Lanes};
