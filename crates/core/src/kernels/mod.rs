//! The bodies of the kernels, generic over the vector vocabulary and compiled once per instruction set.
//!
//! Everything is `#[inline(always)]` and free of closures: a body must melt into the entry of its table in `isa`,
//! which alone is compiled with the instructions enabled.
#![forbid(unsafe_code)]

pub(crate) mod elementwise;
pub(crate) mod gemm_nt;
pub(crate) mod gemm_tn;
pub(crate) mod pack;
pub(crate) mod peak;
pub(crate) mod power;
pub(crate) mod quantise;
pub(crate) mod screen;
pub(crate) mod stage;
#[cfg(target_arch = "x86_64")]
pub(crate) mod tiles;
pub(crate) mod top_k;
pub(crate) mod update;

#[cfg(test)]
pub(crate) mod tests;
