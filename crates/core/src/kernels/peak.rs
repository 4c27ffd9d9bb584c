//! Nothing but fused multiply-adds in registers: the machine's peak, which every throughput is a share of.

use crate::vector::{LANES, Simd};

/// Runs N independent chains of multiply-adds: enough to hide the latency of one, few enough to stay in registers. Returns
/// the floating-point operations done (a multiply-add is two), and a result that keeps the work from being removed.
#[inline(always)]
pub(crate) fn peak<S: Simd, const N: usize>(simd: S, rounds: u64) -> (u64, f32) {
    let (a, b) = (simd.splat_f32x16(std::hint::black_box(0.999)), simd.splat_f32x16(std::hint::black_box(1e-3)));
    let mut chains = [simd.splat_f32x16(1.0); N];
    for _ in 0..rounds {
        for chain in &mut chains {
            *chain = simd.fma_f32x16(*chain, a, b);
        }
    }
    let mut sum = 0.0;
    for chain in chains {
        sum += simd.sum_f32x16(chain);
    }
    (rounds * (2 * LANES * N) as u64, sum)
}
