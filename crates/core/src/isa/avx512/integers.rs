//! IntegerNorm numbers in AVX-512: sixteen of 32 bits are one register, as are 64 pixels.

use super::Avx512;
use crate::vector::{Integers, LANES, Levels64, Pixels64};
use core::arch::x86_64::*;

impl Integers for Avx512 {
    type I32x16 = __m512i;
    type U8x64 = __m512i;

    const MAX_LEVEL: i8 = 127;

    #[inline(always)]
    fn zero_i32x16(self) -> __m512i {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    fn load_i32x16(self, from: &[i32; LANES]) -> __m512i {
        // SAFETY: the token proves AVX-512F; `from` is 64 readable bytes and the load needs no alignment.
        unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
    }

    #[inline(always)]
    fn splat_u8x4(self, pixels: [u8; 4]) -> __m512i {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_set1_epi32(i32::from_le_bytes(pixels)) }
    }

    #[inline(always)]
    fn load_u8x64(self, from: &Pixels64) -> __m512i {
        // SAFETY: the token proves AVX-512F; `from` is 64 readable bytes and the load needs no alignment.
        unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
    }

    /// One instruction, and none of its sums can leave 32 bits before 65 536 inputs.
    #[inline(always)]
    fn dot_u8i8x16(self, pixels: __m512i, digits: &Levels64, sum: __m512i) -> __m512i {
        // SAFETY: the token proves AVX-512 VNNI; `digits` is 64 readable bytes and the load needs no alignment.
        unsafe { _mm512_dpbusd_epi32(sum, pixels, _mm512_loadu_si512(digits.as_ptr().cast())) }
    }

    #[inline(always)]
    fn sum_i32x16(self, a: __m512i) -> i32 {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_reduce_add_epi32(a) }
    }

    #[inline(always)]
    fn float_i32x16(self, a: __m512i) -> __m512 {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_cvtepi32_ps(a) }
    }

    #[inline(always)]
    fn store_i8x16(self, whole: __m512, to: &mut [i8; LANES]) {
        // SAFETY: the token proves AVX-512F; `to` is 16 writable bytes and the store needs no alignment.
        unsafe { _mm_storeu_si128(to.as_mut_ptr().cast(), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(whole))) }
    }

    #[inline(always)]
    fn compress_nonzero_u8x4(
        self,
        pixels: &Pixels64,
        first: u32,
        groups: &mut [u32; LANES],
        inked: &mut Pixels64,
    ) -> usize {
        // SAFETY: the token proves AVX-512F; all three references are 64 bytes and nothing here needs alignment.
        unsafe {
            let all = _mm512_loadu_si512(pixels.as_ptr().cast());
            let numbers = _mm512_add_epi32(
                _mm512_set1_epi32(first as i32),
                _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
            );
            let not_empty = _mm512_test_epi32_mask(all, all);
            _mm512_storeu_si512(groups.as_mut_ptr().cast(), _mm512_maskz_compress_epi32(not_empty, numbers));
            _mm512_storeu_si512(inked.as_mut_ptr().cast(), _mm512_maskz_compress_epi32(not_empty, all));
            not_empty.count_ones() as usize
        }
    }
}
