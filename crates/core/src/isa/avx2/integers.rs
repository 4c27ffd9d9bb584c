//! IntegerNorm numbers in AVX2: sixteen of 32 bits are two registers, as are 64 pixels.

use super::{Avx2, Pair};
use crate::kernels;
use crate::vector::{Integers, LANES, Levels64, Pixels64};
use core::arch::x86_64::*;

/// Lanes 0–7, then lanes 8–15.
type WholePair = (__m256i, __m256i);

impl Integers for Avx2 {
    type I32x16 = WholePair;
    type U8x64 = WholePair;

    /// Two products of a pixel and a digit are added in 16 bits: 2 · 255 · 64 = 32 640 is the most that fits.
    const MAX_LEVEL: i8 = 64;

    #[inline(always)]
    fn zero_i32x16(self) -> WholePair {
        // SAFETY: the token proves AVX2.
        let zero = unsafe { _mm256_setzero_si256() };
        (zero, zero)
    }

    #[inline(always)]
    fn load_i32x16(self, from: &[i32; LANES]) -> WholePair {
        // SAFETY: the token proves AVX2; `from` is 64 readable bytes and the loads need no alignment.
        unsafe {
            let from = from.as_ptr().cast::<__m256i>();
            (_mm256_loadu_si256(from), _mm256_loadu_si256(from.add(1)))
        }
    }

    #[inline(always)]
    fn splat_u8x4(self, pixels: [u8; 4]) -> WholePair {
        // SAFETY: the token proves AVX2.
        let half = unsafe { _mm256_set1_epi32(i32::from_le_bytes(pixels)) };
        (half, half)
    }

    #[inline(always)]
    fn load_u8x64(self, from: &Pixels64) -> WholePair {
        // SAFETY: the token proves AVX2; `from` is 64 readable bytes and the loads need no alignment.
        unsafe {
            let from = from.as_ptr().cast::<__m256i>();
            (_mm256_loadu_si256(from), _mm256_loadu_si256(from.add(1)))
        }
    }

    /// Pairs of products in 16 bits, which [`Integers::MAX_LEVEL`] keeps from saturating, then pairs of those in 32.
    #[inline(always)]
    fn dot_u8i8x16(self, pixels: WholePair, digits: &Levels64, sum: WholePair) -> WholePair {
        // SAFETY: the token proves AVX2; `digits` is 64 readable bytes and the loads need no alignment.
        unsafe {
            let (from, ones) = (digits.as_ptr().cast::<__m256i>(), _mm256_set1_epi16(1));
            let low = _mm256_maddubs_epi16(pixels.0, _mm256_loadu_si256(from));
            let high = _mm256_maddubs_epi16(pixels.1, _mm256_loadu_si256(from.add(1)));
            (
                _mm256_add_epi32(sum.0, _mm256_madd_epi16(low, ones)),
                _mm256_add_epi32(sum.1, _mm256_madd_epi16(high, ones)),
            )
        }
    }

    #[inline(always)]
    fn sum_i32x16(self, a: WholePair) -> i32 {
        // SAFETY: the token proves AVX2.
        unsafe {
            let eight = _mm256_add_epi32(a.0, a.1);
            let four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256::<1>(eight));
            let two = _mm_add_epi32(four, _mm_shuffle_epi32::<0b01_00_11_10>(four));
            _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32::<0b10_11_00_01>(two)))
        }
    }

    #[inline(always)]
    fn float_i32x16(self, a: WholePair) -> Pair {
        // SAFETY: the token proves AVX2.
        unsafe { (_mm256_cvtepi32_ps(a.0), _mm256_cvtepi32_ps(a.1)) }
    }

    #[inline(always)]
    fn store_i8x16(self, whole: Pair, to: &mut [i8; LANES]) {
        // SAFETY: the token proves AVX2; `to` is 16 writable bytes and the store needs no alignment.
        unsafe {
            // Per half of 128 bits: lanes 0–3 and 8–11 │ 4–7 and 12–15, which one permutation puts in order.
            let words = _mm256_packs_epi32(_mm256_cvtps_epi32(whole.0), _mm256_cvtps_epi32(whole.1));
            let ordered = _mm256_permute4x64_epi64::<0b11_01_10_00>(words);
            let bytes = _mm_packs_epi16(_mm256_castsi256_si128(ordered), _mm256_extracti128_si256::<1>(ordered));
            _mm_storeu_si128(to.as_mut_ptr().cast(), bytes);
        }
    }

    #[inline(always)]
    fn compress_nonzero_u8x4(
        self,
        pixels: &Pixels64,
        first: u32,
        groups: &mut [u32; LANES],
        inked: &mut Pixels64,
    ) -> usize {
        kernels::pack::compress_nonzero(pixels, first, groups, inked)
    }
}
