//! The whole vector vocabulary: sixteen f32 lanes, and nothing that the kernels do not use.
//!
//! A kernel is written once, generic over [`Simd`], and compiled once per instruction set. A value of a type that
//! implements [`Simd`] proves that the CPU has the instructions, so the bodies are safe code. Every operation is
//! IEEE-754 single precision with one rounding, so a kernel gives the same bits on every instruction set.

/// Lanes of a vector, on every instruction set.
pub const LANES: usize = 16;

/// One vector's worth of memory.
pub type Lanes = [f32; LANES];

/// Sixteen f32 lanes and their operations. `self` is the proof that the CPU has them.
pub(crate) trait Simd: Copy {
    /// Sixteen lanes in registers: one of AVX-512, two of AVX2, an array elsewhere.
    type F32x16: Copy;

    fn splat_f32x16(self, value: f32) -> Self::F32x16;
    fn load_f32x16(self, from: &Lanes) -> Self::F32x16;
    /// Sixteen bytes as whole numbers 0 … 255.
    fn load_u8x16(self, from: &[u8; LANES]) -> Self::F32x16;
    fn store_f32x16(self, value: Self::F32x16, to: &mut Lanes);

    fn add_f32x16(self, a: Self::F32x16, b: Self::F32x16) -> Self::F32x16;
    fn sub_f32x16(self, a: Self::F32x16, b: Self::F32x16) -> Self::F32x16;
    fn mul_f32x16(self, a: Self::F32x16, b: Self::F32x16) -> Self::F32x16;
    fn div_f32x16(self, a: Self::F32x16, b: Self::F32x16) -> Self::F32x16;
    /// a·b + c with one rounding.
    fn fma_f32x16(self, a: Self::F32x16, b: Self::F32x16, c: Self::F32x16) -> Self::F32x16;
    fn sqrt_f32x16(self, a: Self::F32x16) -> Self::F32x16;
    fn abs_f32x16(self, a: Self::F32x16) -> Self::F32x16;
    /// The larger of two; `b` where either is NaN.
    fn max_f32x16(self, a: Self::F32x16, b: Self::F32x16) -> Self::F32x16;
    /// The smaller of two; `b` where either is NaN.
    fn min_f32x16(self, a: Self::F32x16, b: Self::F32x16) -> Self::F32x16;
    /// The nearest whole number, halves to even.
    fn round_f32x16(self, a: Self::F32x16) -> Self::F32x16;
    /// 2^a for a whole number −126 ≤ a ≤ 127.
    fn exp2_whole_f32x16(self, a: Self::F32x16) -> Self::F32x16;
    /// Bit i is set where lane i of `a` is greater than lane i of `b`; never for NaN.
    fn greater_f32x16(self, a: Self::F32x16, b: Self::F32x16) -> u16;

    /// The lanes of each vector added by the tree +8, +4, +2, +1.
    fn sum4_f32x16(self, vectors: [Self::F32x16; 4]) -> [f32; 4];
    /// The lanes added by the tree +8, +4, +2, +1.
    fn sum_f32x16(self, vector: Self::F32x16) -> f32;

    /// Asks for the cache line at an address, which may be any address, into the second-level cache: no effect on any value.
    fn prefetch(self, address: *const Lanes);

    /// Sums every vector of an array by the tree +8, +4, +2, +1; four at a time where that is possible.
    #[inline(always)]
    fn sums_f32x16<const N: usize>(self, vectors: [Self::F32x16; N]) -> [f32; N] {
        let mut sums = [0.0; N];
        let mut i = 0;
        while i + 4 <= N {
            let four = self.sum4_f32x16([vectors[i], vectors[i + 1], vectors[i + 2], vectors[i + 3]]);
            sums[i..i + 4].copy_from_slice(&four);
            i += 4;
        }
        while i < N {
            sums[i] = self.sum_f32x16(vectors[i]);
            i += 1;
        }
        sums
    }
}
