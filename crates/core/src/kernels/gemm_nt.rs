//! The product X Wᵀ, s(unit, example) = Σ_i w_i x_i, in the canonical order of sums. Both operands are contiguous along i, so
//! nothing is packed and an updated row can be used at once.
//!
//! ```text
//! for each block of 1024 inputs, for each unit and example:
//!     lane[i mod 16] = fma(w_i, x_i, lane[i mod 16])    from +0, i increasing
//!     s += lanes reduced by the tree +8, +4, +2, +1
//! ```
//!
//! 1. A tile of M units × N examples runs at once, so that each vector that is loaded serves N or M multiply-adds. Every pair
//!    keeps its own sums, so the bits stay the same.
//! 2. Where sixteen lanes take two registers, a tile runs once per register. Then it can be twice as large.
//! 3. M rows of units stay in the first-level cache while the examples stream past. Each tile prefetches its share of the next
//!    M units.
//! 4. A tile at the edge repeats the last row and drops the result.

use super::{Element, IntegerNorm, powered_by, vector};
use crate::matrix::Panel;
use crate::vector::{LANES, Lanes, Simd};

/// Vectors in a block of 1024 inputs.
pub(crate) const BLOCK: usize = 64;

/// Writes s(unit, example) to `out[example · out_stride + unit]`.
#[inline(always)]
pub(crate) fn gemm_nt<S: Simd, const M: usize, const N: usize>(
    simd: S,
    units: Panel<'_>,
    examples: Panel<'_>,
    out: &mut [f32],
    out_stride: usize,
) {
    let mut first = 0;
    loop {
        let width = (units.width() - first).min(BLOCK);
        let (block_units, block_examples) = (units.columns(first, width), examples.columns(first, width));
        let mut unit = 0;
        while unit < units.rows() {
            tiles::<S, M, N>(simd, block_units, unit, block_examples, first > 0, out, out_stride);
            unit += M;
        }
        first += BLOCK;
        if first >= units.width() {
            break;
        }
    }
}

/// Writes s(unit, example) over each block of `block` vectors on its own to `out[(number · examples + example) · out_stride +
/// unit]`. A tile of units is read from end to end while the next one is prefetched, which suits units that come from memory.
#[inline(always)]
pub(crate) fn gemm_nt_blocks<S: Simd, const M: usize, const N: usize>(
    simd: S,
    units: Panel<'_>,
    examples: Panel<'_>,
    block: usize,
    out: &mut [f32],
    out_stride: usize,
) {
    for unit in (0..units.rows()).step_by(M) {
        for first in (0..units.width()).step_by(block) {
            let width = (units.width() - first).min(block);
            let (units, examples) = (units.columns(first, width), examples.columns(first, width));
            let out = &mut out[first / block * examples.rows() * out_stride..];
            tiles::<S, M, N>(simd, units, unit, examples, false, out, out_stride);
        }
    }
}

/// M units against every example, over one block of inputs.
#[inline(always)]
fn tiles<S: Simd, const M: usize, const N: usize>(
    simd: S,
    units: Panel<'_>,
    unit: usize,
    examples: Panel<'_>,
    add: bool,
    out: &mut [f32],
    out_stride: usize,
) {
    let mut w: [&[Lanes]; M] = [&[]; M];
    for (m, row) in w.iter_mut().enumerate() {
        *row = units.lanes((unit + m).min(units.rows() - 1));
    }
    let wanted = M.min(units.rows() - unit);
    let last = examples.rows().saturating_sub(1);
    // Each tile prefetches its share of the next M units.
    let part = units.width().div_ceil(examples.rows().div_ceil(N).max(1));
    let coming = unit + M..(unit + 2 * M).min(units.rows());
    for (number, example) in (0..examples.rows()).step_by(N).enumerate() {
        let [start, end] = [number, number + 1].map(|number| (number * part).min(units.width()));
        for unit in coming.clone() {
            for line in &units.lanes(unit)[start..end] {
                simd.prefetch(line);
            }
        }
        let mut x: [&[Lanes]; N] = [&[]; N];
        for (n, row) in x.iter_mut().enumerate() {
            *row = examples.lanes((example + n).min(last));
        }
        let sums = tile::<S, M, N>(simd, units.width(), w, x);
        for (n, sums) in sums.iter().enumerate().take(examples.rows() - example) {
            let out = &mut out[(example + n) * out_stride + unit..][..wanted];
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = if add { *out + sum } else { *sum };
            }
        }
    }
}

/// M · N sums over `width` vectors.
#[inline(always)]
fn tile<S: Simd, const M: usize, const N: usize>(
    simd: S,
    width: usize,
    w: [&[Lanes]; M],
    x: [&[Lanes]; N],
) -> [[f32; M]; N] {
    let mut running = [[[simd.zero_register(); M]; N]; 2];
    for (part, running) in running.iter_mut().enumerate().take(S::REGISTERS) {
        let mut sums = [[simd.zero_register(); M]; N];
        for i in 0..width {
            let mut examples = [simd.zero_register(); N];
            for n in 0..N {
                examples[n] = simd.load_register(&x[n][i], part);
            }
            for m in 0..M {
                let unit = simd.load_register(&w[m][i], part);
                for n in 0..N {
                    sums[n][m] = simd.fma_register(unit, examples[n], sums[n][m]);
                }
            }
        }
        *running = sums;
    }
    let mut sums = [[0.0; M]; N];
    for n in 0..N {
        let mut joined = [simd.splat_f32x16(0.0); M];
        for m in 0..M {
            joined[m] = simd.join([running[0][n][m], running[1][n][m]]);
        }
        sums[n] = simd.reduce_sums_f32x16(joined);
    }
    sums
}

/// Writes s(rows[i], example) to `out[i]` for the rows of a panel and one example of raw inputs. The rows hold w′, or weights of
/// which w′ is computed on the fly.
#[inline(always)]
pub(crate) fn gemv_gathered<S: Simd, E: Element>(
    simd: S,
    units: Panel<'_>,
    power: Option<IntegerNorm>,
    example: &[E],
    out: &mut [f32],
) {
    match power {
        None => few::<S, E, 1>(simd, units, example, out),
        Some(IntegerNorm::Three) => few::<S, E, 3>(simd, units, example, out),
        Some(IntegerNorm::Four) => few::<S, E, 4>(simd, units, example, out),
        Some(IntegerNorm::Five) => few::<S, E, 5>(simd, units, example, out),
    }
}

/// 8, 4, 2, then 1 rows at once. P is the norm, or 1 for rows as they are.
#[inline(always)]
fn few<S: Simd, E: Element, const P: u8>(simd: S, units: Panel<'_>, example: &[E], out: &mut [f32]) {
    let mut unit = 0;
    while unit + 8 <= units.rows() {
        few_tile::<S, E, P, 8>(simd, units, unit, example, out);
        unit += 8;
    }
    if unit + 4 <= units.rows() {
        few_tile::<S, E, P, 4>(simd, units, unit, example, out);
        unit += 4;
    }
    if unit + 2 <= units.rows() {
        few_tile::<S, E, P, 2>(simd, units, unit, example, out);
        unit += 2;
    }
    if unit < units.rows() {
        few_tile::<S, E, P, 1>(simd, units, unit, example, out);
    }
}

/// M units and one example, over all blocks of inputs.
#[inline(always)]
fn few_tile<S: Simd, E: Element, const P: u8, const M: usize>(
    simd: S,
    units: Panel<'_>,
    unit: usize,
    example: &[E],
    out: &mut [f32],
) {
    let out = &mut out[unit..unit + M];
    let mut first = 0;
    loop {
        let width = (units.width() - first).min(BLOCK);
        let mut w: [&[Lanes]; M] = [&[]; M];
        for (m, row) in w.iter_mut().enumerate() {
            *row = &units.lanes(unit + m)[first..][..width];
        }
        let mut running = [simd.splat_f32x16(0.0); M];
        for i in 0..width {
            let x = vector(simd, example, first + i);
            for m in 0..M {
                let w = powered_by::<S, P>(simd, simd.load_f32x16(&w[m][i]));
                running[m] = simd.fma_f32x16(w, x, running[m]);
            }
        }
        for (out, sum) in out.iter_mut().zip(simd.reduce_sums_f32x16(running)) {
            *out = if first > 0 { *out + sum } else { sum };
        }
        first += BLOCK;
        if first >= units.width() {
            return;
        }
    }
}

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
        sum += simd.reduce_sum_f32x16(chain);
    }
    (rounds * (2 * LANES * N) as u64, sum)
}
