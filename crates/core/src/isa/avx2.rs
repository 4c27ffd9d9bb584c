//! AVX2 with FMA: sixteen lanes are two registers, lanes 0–7 and lanes 8–15.

use super::*;
use crate::vector::{Integers, LANES, Levels64, Pixels64, Simd};
use core::arch::x86_64::*;

/// Proof that this CPU has AVX2 and FMA.
#[derive(Clone, Copy)]
pub(super) struct Avx2(());

/// Lanes 0–7, then lanes 8–15.
type Pair = (__m256, __m256);

impl Avx2 {
    pub(super) fn detect() -> Option<Avx2> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Avx2(()))
    }

    /// The kernels of this instruction set: only a machine that has it can be given them.
    pub(super) fn kernels(self) -> &'static Kernels {
        &TABLE
    }
}

impl Simd for Avx2 {
    type F32x16 = Pair;
    type Register = __m256;

    const REGISTERS: usize = 2;

    #[inline(always)]
    fn splat_f32x16(self, value: f32) -> Pair {
        // SAFETY: the token proves AVX2.
        let half = unsafe { _mm256_set1_ps(value) };
        (half, half)
    }

    #[inline(always)]
    fn load_f32x16(self, from: &Lanes) -> Pair {
        // SAFETY: the token proves AVX2; `from` is 64 readable bytes and the loads need no alignment.
        unsafe { (_mm256_loadu_ps(from.as_ptr()), _mm256_loadu_ps(from.as_ptr().add(8))) }
    }

    #[inline(always)]
    fn load_u8x16(self, from: &[u8; LANES]) -> Pair {
        // SAFETY: the token proves AVX2; `from` is 16 readable bytes and the load needs no alignment.
        unsafe {
            let bytes = _mm_loadu_si128(from.as_ptr().cast());
            let low = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
            let high = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_srli_si128::<8>(bytes)));
            (low, high)
        }
    }

    #[inline(always)]
    fn store_f32x16(self, value: Pair, to: &mut Lanes) {
        // SAFETY: the token proves AVX2; `to` is 64 writable bytes and the stores need no alignment.
        unsafe {
            _mm256_storeu_ps(to.as_mut_ptr(), value.0);
            _mm256_storeu_ps(to.as_mut_ptr().add(8), value.1);
        }
    }

    #[inline(always)]
    fn add_f32x16(self, a: Pair, b: Pair) -> Pair {
        // SAFETY: the token proves AVX2.
        unsafe { (_mm256_add_ps(a.0, b.0), _mm256_add_ps(a.1, b.1)) }
    }

    #[inline(always)]
    fn sub_f32x16(self, a: Pair, b: Pair) -> Pair {
        // SAFETY: the token proves AVX2.
        unsafe { (_mm256_sub_ps(a.0, b.0), _mm256_sub_ps(a.1, b.1)) }
    }

    #[inline(always)]
    fn mul_f32x16(self, a: Pair, b: Pair) -> Pair {
        // SAFETY: the token proves AVX2.
        unsafe { (_mm256_mul_ps(a.0, b.0), _mm256_mul_ps(a.1, b.1)) }
    }

    #[inline(always)]
    fn div_f32x16(self, a: Pair, b: Pair) -> Pair {
        // SAFETY: the token proves AVX2.
        unsafe { (_mm256_div_ps(a.0, b.0), _mm256_div_ps(a.1, b.1)) }
    }

    #[inline(always)]
    fn fma_f32x16(self, a: Pair, b: Pair, c: Pair) -> Pair {
        // SAFETY: the token proves FMA.
        unsafe { (_mm256_fmadd_ps(a.0, b.0, c.0), _mm256_fmadd_ps(a.1, b.1, c.1)) }
    }

    #[inline(always)]
    fn sqrt_f32x16(self, a: Pair) -> Pair {
        // SAFETY: the token proves AVX2.
        unsafe { (_mm256_sqrt_ps(a.0), _mm256_sqrt_ps(a.1)) }
    }

    #[inline(always)]
    fn abs_f32x16(self, a: Pair) -> Pair {
        // SAFETY: the token proves AVX2.
        unsafe {
            let sign = _mm256_set1_ps(-0.0);
            (_mm256_andnot_ps(sign, a.0), _mm256_andnot_ps(sign, a.1))
        }
    }

    #[inline(always)]
    fn max_f32x16(self, a: Pair, b: Pair) -> Pair {
        // SAFETY: the token proves AVX2.
        unsafe { (_mm256_max_ps(a.0, b.0), _mm256_max_ps(a.1, b.1)) }
    }

    #[inline(always)]
    fn min_f32x16(self, a: Pair, b: Pair) -> Pair {
        // SAFETY: the token proves AVX2.
        unsafe { (_mm256_min_ps(a.0, b.0), _mm256_min_ps(a.1, b.1)) }
    }

    #[inline(always)]
    fn round_f32x16(self, a: Pair) -> Pair {
        const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
        // SAFETY: the token proves AVX2.
        unsafe { (_mm256_round_ps::<NEAREST>(a.0), _mm256_round_ps::<NEAREST>(a.1)) }
    }

    #[inline(always)]
    fn exp2_int_f32x16(self, a: Pair) -> Pair {
        // SAFETY: the token proves AVX2.
        unsafe {
            let bias = _mm256_set1_epi32(127);
            let low = _mm256_slli_epi32::<23>(_mm256_add_epi32(_mm256_cvtps_epi32(a.0), bias));
            let high = _mm256_slli_epi32::<23>(_mm256_add_epi32(_mm256_cvtps_epi32(a.1), bias));
            (_mm256_castsi256_ps(low), _mm256_castsi256_ps(high))
        }
    }

    #[inline(always)]
    fn gt_f32x16(self, a: Pair, b: Pair) -> u16 {
        // SAFETY: the token proves AVX2.
        unsafe {
            let low = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(a.0, b.0)) as u16;
            let high = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(a.1, b.1)) as u16;
            low | high << 8
        }
    }

    #[inline(always)]
    fn ge_f32x16(self, a: Pair, b: Pair) -> u16 {
        // SAFETY: the token proves AVX2.
        unsafe {
            let low = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GE_OQ>(a.0, b.0)) as u16;
            let high = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GE_OQ>(a.1, b.1)) as u16;
            low | high << 8
        }
    }

    #[inline(always)]
    fn keep_lt_f32x16(self, a: Pair, bound: f32) -> Pair {
        // SAFETY: the token proves AVX2.
        unsafe {
            let (bound, nothing) = (_mm256_set1_ps(bound), _mm256_set1_ps(f32::NEG_INFINITY));
            let below = |half| _mm256_blendv_ps(nothing, half, _mm256_cmp_ps::<_CMP_LT_OQ>(half, bound));
            (below(a.0), below(a.1))
        }
    }

    #[inline(always)]
    fn flush_f32x16(self, a: Pair, bound: f32) -> Pair {
        let magnitude = self.abs_f32x16(a);
        // SAFETY: the token proves AVX2.
        unsafe {
            let bound = _mm256_set1_ps(bound);
            let kept = |half, magnitude| _mm256_and_ps(half, _mm256_cmp_ps::<_CMP_NLT_UQ>(magnitude, bound));
            (kept(a.0, magnitude.0), kept(a.1, magnitude.1))
        }
    }

    #[inline(always)]
    fn reduce_max_f32x16(self, a: Pair) -> f32 {
        // SAFETY: the token proves AVX2, and with it AVX and SSE3.
        unsafe {
            let eight = _mm256_max_ps(a.0, a.1);
            let four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
            let two = _mm_max_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)))
        }
    }

    #[inline(always)]
    fn zero_register(self) -> __m256 {
        // SAFETY: the token proves AVX2.
        unsafe { _mm256_setzero_ps() }
    }

    #[inline(always)]
    fn load_register(self, from: &Lanes, part: usize) -> __m256 {
        let half: &[f32; 8] = from[8 * part..].first_chunk().expect("a vector has two parts");
        // SAFETY: the token proves AVX2; `half` is 32 readable bytes and the load needs no alignment.
        unsafe { _mm256_loadu_ps(half.as_ptr()) }
    }

    #[inline(always)]
    fn fma_register(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: the token proves FMA.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn join(self, [low, high]: [__m256; 2]) -> Pair {
        (low, high)
    }

    /// Two vectors share each shuffle, so four sums cost what two cost one by one; each addition is one of the tree.
    #[inline(always)]
    fn reduce_sum4_f32x16(self, [a, b, c, d]: [Pair; 4]) -> [f32; 4] {
        let mut lanes = [0.0; 8];
        // SAFETY: the token proves AVX2; the store writes the eight floats of `lanes`, unaligned.
        unsafe {
            let (a, b) = (_mm256_add_ps(a.0, a.1), _mm256_add_ps(b.0, b.1));
            let (c, d) = (_mm256_add_ps(c.0, c.1), _mm256_add_ps(d.0, d.1));
            // Halves of 4 lanes: [a0 b0] + [a1 b1] is the step +4 of both a and b.
            let ab = _mm256_add_ps(_mm256_permute2f128_ps::<0x20>(a, b), _mm256_permute2f128_ps::<0x31>(a, b));
            let cd = _mm256_add_ps(_mm256_permute2f128_ps::<0x20>(c, d), _mm256_permute2f128_ps::<0x31>(c, d));
            // Per half: lanes 0 1 of ab and of cd + lanes 2 3 of the same is the step +2 of all four.
            let two =
                _mm256_add_ps(_mm256_shuffle_ps::<0b01_00_01_00>(ab, cd), _mm256_shuffle_ps::<0b11_10_11_10>(ab, cd));
            let one = _mm256_add_ps(two, _mm256_permute_ps::<0b10_11_00_01>(two));
            _mm256_storeu_ps(lanes.as_mut_ptr(), one);
        }
        [lanes[0], lanes[4], lanes[2], lanes[6]]
    }

    #[inline(always)]
    fn reduce_sum_f32x16(self, vector: Pair) -> f32 {
        // SAFETY: the token proves AVX2, and with it AVX and SSE3.
        unsafe {
            let eight = _mm256_add_ps(vector.0, vector.1);
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

/// Lanes 0–7, then lanes 8–15.
type IntegerPair = (__m256i, __m256i);

impl Integers for Avx2 {
    type I32x16 = IntegerPair;
    type U8x64 = IntegerPair;

    /// Two products of a pixel and a level are added in 16 bits: 2 · 255 · 64 = 32 640 is the most that fits.
    const MAX_LEVEL: i8 = 64;

    #[inline(always)]
    fn zero_i32x16(self) -> IntegerPair {
        // SAFETY: the token proves AVX2.
        let zero = unsafe { _mm256_setzero_si256() };
        (zero, zero)
    }

    #[inline(always)]
    fn load_i32x16(self, from: &[i32; LANES]) -> IntegerPair {
        // SAFETY: the token proves AVX2; `from` is 64 readable bytes and the loads need no alignment.
        unsafe {
            let from = from.as_ptr().cast::<__m256i>();
            (_mm256_loadu_si256(from), _mm256_loadu_si256(from.add(1)))
        }
    }

    #[inline(always)]
    fn splat_u8x4(self, pixels: [u8; 4]) -> IntegerPair {
        // SAFETY: the token proves AVX2.
        let half = unsafe { _mm256_set1_epi32(i32::from_le_bytes(pixels)) };
        (half, half)
    }

    #[inline(always)]
    fn load_u8x64(self, from: &Pixels64) -> IntegerPair {
        // SAFETY: the token proves AVX2; `from` is 64 readable bytes and the loads need no alignment.
        unsafe {
            let from = from.as_ptr().cast::<__m256i>();
            (_mm256_loadu_si256(from), _mm256_loadu_si256(from.add(1)))
        }
    }

    /// Pairs of products in 16 bits, which [`Integers::MAX_LEVEL`] keeps from saturating, then pairs of those in 32.
    #[inline(always)]
    fn dot_u8i8x16(self, pixels: IntegerPair, levels: &Levels64, sum: IntegerPair) -> IntegerPair {
        // SAFETY: the token proves AVX2; `levels` is 64 readable bytes and the loads need no alignment.
        unsafe {
            let (from, ones) = (levels.as_ptr().cast::<__m256i>(), _mm256_set1_epi16(1));
            let low = _mm256_maddubs_epi16(pixels.0, _mm256_loadu_si256(from));
            let high = _mm256_maddubs_epi16(pixels.1, _mm256_loadu_si256(from.add(1)));
            (
                _mm256_add_epi32(sum.0, _mm256_madd_epi16(low, ones)),
                _mm256_add_epi32(sum.1, _mm256_madd_epi16(high, ones)),
            )
        }
    }

    #[inline(always)]
    fn reduce_sum_i32x16(self, a: IntegerPair) -> i32 {
        // SAFETY: the token proves AVX2.
        unsafe {
            let eight = _mm256_add_epi32(a.0, a.1);
            let four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256::<1>(eight));
            let two = _mm_add_epi32(four, _mm_shuffle_epi32::<0b01_00_11_10>(four));
            _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32::<0b10_11_00_01>(two)))
        }
    }

    #[inline(always)]
    fn to_f32_i32x16(self, a: IntegerPair) -> Pair {
        // SAFETY: the token proves AVX2.
        unsafe { (_mm256_cvtepi32_ps(a.0), _mm256_cvtepi32_ps(a.1)) }
    }

    #[inline(always)]
    fn store_i8x16(self, integers: Pair, to: &mut [i8; LANES]) {
        // SAFETY: the token proves AVX2; `to` is 16 writable bytes and the store needs no alignment.
        unsafe {
            // Per half of 128 bits: lanes 0–3 and 8–11 │ 4–7 and 12–15, which one permutation puts in order.
            let words = _mm256_packs_epi32(_mm256_cvtps_epi32(integers.0), _mm256_cvtps_epi32(integers.1));
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
        nonzero: &mut Pixels64,
    ) -> usize {
        kernels::pack::compress_nonzero(pixels, first, groups, nonzero)
    }
}

/// Units × examples of a tile of `gemm_nt`.
const GEMM_NT: (usize, usize) = (4, 3);
/// Rows × vectors of columns of a tile of `gemm_tn`.
const GEMM_TN: (usize, usize) = (5, 1);
/// Examples × strips of a tile of `receive` and `clipped_step`.
const STRIPS: (usize, usize) = (5, 1);
/// Inputs × strips of a tile of `learn_strips`.
const LEARN: (usize, usize) = (4, 1);
/// Examples that share a list of pixel groups, and the percentage of non-zero groups above which they do.
const LISTS: (usize, usize) = (2, 75);
/// Weight panels of a tile of int8 scores: for one example, and for those that share a list.
const SCREEN_PANELS: (usize, usize) = (4, 2);
/// Independent multiply-adds that fill the pipelines and fit the registers.
const PEAK_CHAINS: usize = 6;

for_every_kernel!(table!("avx2", Avx2(()), #[target_feature(enable = "avx2,fma")]));
