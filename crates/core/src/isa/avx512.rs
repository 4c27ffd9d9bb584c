//! AVX-512: sixteen lanes are one register.

use super::*;
use crate::vector::{Integers, LANES, Levels64, Pixels64, Simd};
use core::arch::x86_64::*;

/// Proof that this CPU has AVX-512 F, BW, DQ, VL and VNNI (Cascade Lake and Zen 4 onwards; the few older ones run as AVX2).
#[derive(Clone, Copy)]
pub(super) struct Avx512(pub(super) ());

impl Avx512 {
    pub(super) fn detect() -> Option<Avx512> {
        let all = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vnni");
        all.then_some(Avx512(()))
    }

    /// The kernels of this instruction set: only a machine that has it can be given them.
    pub(super) fn kernels(self) -> &'static Kernels {
        &TABLE
    }
}

impl Simd for Avx512 {
    type F32x16 = __m512;
    type Register = __m512;

    const REGISTERS: usize = 1;

    #[inline(always)]
    fn splat_f32x16(self, value: f32) -> __m512 {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    fn load_f32x16(self, from: &Lanes) -> __m512 {
        // SAFETY: the token proves AVX-512F; `from` is 64 readable bytes and the load needs no alignment.
        unsafe { _mm512_loadu_ps(from.as_ptr()) }
    }

    #[inline(always)]
    fn load_u8x16(self, from: &[u8; LANES]) -> __m512 {
        // SAFETY: the token proves AVX-512F; `from` is 16 readable bytes and the load needs no alignment.
        unsafe { _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(from.as_ptr().cast()))) }
    }

    #[inline(always)]
    fn store_f32x16(self, value: __m512, to: &mut Lanes) {
        // SAFETY: the token proves AVX-512F; `to` is 64 writable bytes and the store needs no alignment.
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), value) }
    }

    #[inline(always)]
    fn add_f32x16(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    fn sub_f32x16(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_sub_ps(a, b) }
    }

    #[inline(always)]
    fn mul_f32x16(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    fn div_f32x16(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_div_ps(a, b) }
    }

    #[inline(always)]
    fn fma_f32x16(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn sqrt_f32x16(self, a: __m512) -> __m512 {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_sqrt_ps(a) }
    }

    #[inline(always)]
    fn abs_f32x16(self, a: __m512) -> __m512 {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_abs_ps(a) }
    }

    #[inline(always)]
    fn max_f32x16(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_max_ps(a, b) }
    }

    #[inline(always)]
    fn min_f32x16(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_min_ps(a, b) }
    }

    #[inline(always)]
    fn round_f32x16(self, a: __m512) -> __m512 {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a) }
    }

    #[inline(always)]
    fn exp2_int_f32x16(self, a: __m512) -> __m512 {
        // SAFETY: the token proves AVX-512F.
        unsafe {
            let biased = _mm512_add_epi32(_mm512_cvtps_epi32(a), _mm512_set1_epi32(127));
            _mm512_castsi512_ps(_mm512_slli_epi32::<23>(biased))
        }
    }

    #[inline(always)]
    fn gt_f32x16(self, a: __m512, b: __m512) -> u16 {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b) }
    }

    #[inline(always)]
    fn ge_f32x16(self, a: __m512, b: __m512) -> u16 {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_cmp_ps_mask::<_CMP_GE_OQ>(a, b) }
    }

    #[inline(always)]
    fn keep_lt_f32x16(self, a: __m512, bound: f32) -> __m512 {
        // SAFETY: the token proves AVX-512F.
        unsafe {
            let below = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, _mm512_set1_ps(bound));
            _mm512_mask_mov_ps(_mm512_set1_ps(f32::NEG_INFINITY), below, a)
        }
    }

    #[inline(always)]
    fn flush_f32x16(self, a: __m512, bound: f32) -> __m512 {
        // SAFETY: the token proves AVX-512F.
        unsafe {
            let kept = _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(_mm512_abs_ps(a), _mm512_set1_ps(bound));
            _mm512_maskz_mov_ps(kept, a)
        }
    }

    #[inline(always)]
    fn reduce_max_f32x16(self, a: __m512) -> f32 {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_reduce_max_ps(a) }
    }

    #[inline(always)]
    fn zero_register(self) -> __m512 {
        self.splat_f32x16(0.0)
    }

    #[inline(always)]
    fn load_register(self, from: &Lanes, _: usize) -> __m512 {
        self.load_f32x16(from)
    }

    #[inline(always)]
    fn fma_register(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        self.fma_f32x16(a, b, c)
    }

    #[inline(always)]
    fn join(self, [all, _]: [__m512; 2]) -> __m512 {
        all
    }

    /// Two vectors share each shuffle, so four sums cost what two cost one by one; each addition is one of the tree.
    #[inline(always)]
    fn reduce_sum4_f32x16(self, [a, b, c, d]: [__m512; 4]) -> [f32; 4] {
        let mut sums = [0.0; 4];
        // SAFETY: the token proves AVX-512 F, DQ and VL; the store writes the four floats of `sums`, unaligned.
        unsafe {
            // Quarters of 4 lanes: [a0 a1 b0 b1] + [a2 a3 b2 b3] is the step +8 of both a and b.
            let ab = _mm512_add_ps(_mm512_shuffle_f32x4::<0x44>(a, b), _mm512_shuffle_f32x4::<0xEE>(a, b));
            let cd = _mm512_add_ps(_mm512_shuffle_f32x4::<0x44>(c, d), _mm512_shuffle_f32x4::<0xEE>(c, d));
            // [a0 b0 c0 d0] + [a1 b1 c1 d1] is the step +4 of all four.
            let four = _mm512_add_ps(_mm512_shuffle_f32x4::<0x88>(ab, cd), _mm512_shuffle_f32x4::<0xDD>(ab, cd));
            let two = _mm512_add_ps(four, _mm512_permute_ps::<0b01_00_11_10>(four));
            let one = _mm512_add_ps(two, _mm512_permute_ps::<0b10_11_00_01>(two));
            let firsts = _mm512_maskz_compress_ps(0x1111, one);
            _mm_storeu_ps(sums.as_mut_ptr(), _mm512_castps512_ps128(firsts));
        }
        sums
    }

    #[inline(always)]
    fn reduce_sum_f32x16(self, vector: __m512) -> f32 {
        // SAFETY: the token proves AVX-512 F and DQ, and with them AVX and SSE3.
        unsafe {
            let eight = _mm256_add_ps(_mm512_castps512_ps256(vector), _mm512_extractf32x8_ps::<1>(vector));
            let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
        }
    }

    #[inline(always)]
    fn prefetch(self, address: *const Lanes) {
        // SAFETY: a prefetch of any address has no effect but on caches and never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(address.cast()) }
    }
}

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
    fn dot_u8i8x16(self, pixels: __m512i, levels: &Levels64, sum: __m512i) -> __m512i {
        // SAFETY: the token proves AVX-512 VNNI; `levels` is 64 readable bytes and the load needs no alignment.
        unsafe { _mm512_dpbusd_epi32(sum, pixels, _mm512_loadu_si512(levels.as_ptr().cast())) }
    }

    #[inline(always)]
    fn reduce_sum_i32x16(self, a: __m512i) -> i32 {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_reduce_add_epi32(a) }
    }

    #[inline(always)]
    fn to_f32_i32x16(self, a: __m512i) -> __m512 {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_cvtepi32_ps(a) }
    }

    #[inline(always)]
    fn store_i8x16(self, integers: __m512, to: &mut [i8; LANES]) {
        // SAFETY: the token proves AVX-512F; `to` is 16 writable bytes and the store needs no alignment.
        unsafe { _mm_storeu_si128(to.as_mut_ptr().cast(), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(integers))) }
    }

    #[inline(always)]
    fn compress_nonzero_u8x4(
        self,
        pixels: &Pixels64,
        first: u32,
        groups: &mut [u32; LANES],
        nonzero: &mut Pixels64,
    ) -> usize {
        // SAFETY: the token proves AVX-512F; all three references are 64 bytes and nothing here needs alignment.
        unsafe {
            let all = _mm512_loadu_si512(pixels.as_ptr().cast());
            let numbers = _mm512_add_epi32(
                _mm512_set1_epi32(first as i32),
                _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
            );
            let is_nonzero = _mm512_test_epi32_mask(all, all);
            _mm512_storeu_si512(groups.as_mut_ptr().cast(), _mm512_maskz_compress_epi32(is_nonzero, numbers));
            _mm512_storeu_si512(nonzero.as_mut_ptr().cast(), _mm512_maskz_compress_epi32(is_nonzero, all));
            is_nonzero.count_ones() as usize
        }
    }
}

/// Units × examples of a tile of `gemm_nt`.
const GEMM_NT: (usize, usize) = (8, 3);
/// Rows × vectors of columns of a tile of `gemm_tn`.
const GEMM_TN: (usize, usize) = (5, 4);
/// Examples × strips of a tile of `receive` and `clipped_step`.
const STRIPS: (usize, usize) = (10, 2);
/// Inputs × strips of a tile of `learn_strips`.
const LEARN: (usize, usize) = (8, 2);
/// Examples that share a list of pixel groups, and the percentage of non-zero groups above which they do.
const LISTS: (usize, usize) = (6, 60);
/// Weight panels of a tile of int8 scores: for one example, and for those that share a list.
const SCREEN_PANELS: (usize, usize) = (8, 4);
/// Independent multiply-adds that fill the pipelines and fit the registers.
const PEAK_CHAINS: usize = 12;

for_every_kernel!(
    table!("avx512", Avx512(()), #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")])
);
