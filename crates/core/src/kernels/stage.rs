//! Inputs as f32 in padded rows, ready for the score kernel; and the one place that reads raw inputs as vectors.

use crate::vector::{LANES, Lanes, Simd};

/// What an input is made of: bytes or floats.
pub(crate) trait Element: Copy {
    /// Sixteen inputs as f32, exactly.
    fn load<S: Simd>(simd: S, from: &[Self; LANES]) -> S::F32x16;
    /// Zero.
    const ZERO: Self;
}

impl Element for u8 {
    #[inline(always)]
    fn load<S: Simd>(simd: S, from: &[u8; LANES]) -> S::F32x16 {
        simd.load_u8x16(from)
    }
    const ZERO: u8 = 0;
}

impl Element for f32 {
    #[inline(always)]
    fn load<S: Simd>(simd: S, from: &[f32; LANES]) -> S::F32x16 {
        simd.load_f32x16(from)
    }
    const ZERO: f32 = 0.0;
}

/// Vector `i` of an example, zeros behind its end.
#[inline(always)]
pub(crate) fn vector<S: Simd, E: Element>(simd: S, example: &[E], i: usize) -> S::F32x16 {
    let rest = &example[i * LANES..];
    match rest.first_chunk() {
        Some(whole) => E::load(simd, whole),
        None => {
            let mut padded = [E::ZERO; LANES];
            padded[..rest.len()].copy_from_slice(rest);
            E::load(simd, &padded)
        }
    }
}

/// Copies one example into a padded row.
#[inline(always)]
pub(crate) fn stage<S: Simd, E: Element>(simd: S, example: &[E], row: &mut [Lanes]) {
    for (i, lanes) in row.iter_mut().enumerate() {
        simd.store_f32x16(vector(simd, example, i), lanes);
    }
}

/// Asks for every cache line of a row.
#[inline(always)]
pub(crate) fn prefetch<S: Simd>(simd: S, row: &[Lanes]) {
    for lanes in row {
        simd.prefetch(lanes);
    }
}
