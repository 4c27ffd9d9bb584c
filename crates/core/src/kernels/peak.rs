//! Nothing but fused multiply-adds in registers: the machine's peak, which every throughput is a share of.

use crate::vector::{LANES, Simd};

/// Floating-point operations of one turn with N chains.
pub(crate) const fn operations(chains: usize) -> u64 {
    2 * LANES as u64 * chains as u64
}

/// Runs `turns` turns of N independent chains: enough to hide the latency of a multiply-add, few enough to stay in
/// registers. The result only keeps the work from being removed.
#[inline(always)]
pub(crate) fn peak<S: Simd, const N: usize>(simd: S, turns: u64) -> f32 {
    let (a, b) = (simd.splat_f32x16(std::hint::black_box(0.999)), simd.splat_f32x16(std::hint::black_box(1e-3)));
    let mut chains = [simd.splat_f32x16(1.0); N];
    for _ in 0..turns {
        for chain in &mut chains {
            *chain = simd.fma_f32x16(*chain, a, b);
        }
    }
    let mut sum = 0.0;
    for chain in chains {
        sum += simd.sum_f32x16(chain);
    }
    sum
}
