//! The vector operations that kernels are written with: sixteen f32 lanes, sixteen i32 lanes for int8 scores, and nothing that
//! no kernel uses.
//!
//! A kernel is written once, generic over [`Simd`] (or [`Integers`], which is more), and compiled once per instruction set. A
//! value of a type that implements [`Simd`] proves that the CPU has the instructions, so the bodies are safe code. Every
//! operation is IEEE-754 single precision with one rounding, or exact integer arithmetic, so a kernel gives the same bits on
//! every instruction set.

/// Lanes of a vector, on every instruction set.
pub const LANES: usize = 16;

/// The memory of one vector.
pub type Lanes = [f32; LANES];

/// The int8 levels of one vector of the integer product: four inputs of each of sixteen units, or 64 inputs of one unit.
pub(crate) type Levels64 = [[i8; 4]; LANES];

/// The pixels of one vector of the integer product.
pub(crate) type Pixels64 = [[u8; 4]; LANES];

/// Sixteen f32 lanes and their operations. `self` is the proof that the CPU has them.
pub(crate) trait Simd: Copy {
    /// Sixteen lanes in registers: one of AVX-512, two of AVX2, an array elsewhere.
    type F32x16: Copy;
    /// What one register holds of sixteen lanes, for loops that need every register there is.
    type Register: Copy;

    /// How many parts sixteen lanes have: one or two.
    const REGISTERS: usize;

    fn splat_f32x16(self, value: f32) -> Self::F32x16;
    fn load_f32x16(self, from: &Lanes) -> Self::F32x16;
    /// Loads sixteen bytes as f32, 0 … 255.
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
    /// The nearest integer, halves to even.
    fn round_f32x16(self, a: Self::F32x16) -> Self::F32x16;
    /// 2^a for an integer −126 ≤ a ≤ 127.
    fn exp2_int_f32x16(self, a: Self::F32x16) -> Self::F32x16;
    /// Bit i is set where lane i of `a` is greater than lane i of `b`; never for NaN.
    fn gt_f32x16(self, a: Self::F32x16, b: Self::F32x16) -> u16;

    /// Bit i is set where lane i of `a` is at least lane i of `b`; never for NaN.
    fn ge_f32x16(self, a: Self::F32x16, b: Self::F32x16) -> u16;
    /// Lanes below a bound; −∞ in place of the others.
    fn keep_lt_f32x16(self, a: Self::F32x16, bound: f32) -> Self::F32x16;
    /// +0 in place of lanes whose magnitude is below a bound; NaN stays. Arithmetic with subnormal numbers, whose magnitude is
    /// below 2⁻¹²⁶, takes many times as long, so what would end there is taken for 0 earlier.
    fn flush_f32x16(self, a: Self::F32x16, bound: f32) -> Self::F32x16;
    /// The largest lane, of lanes that are not NaN.
    fn reduce_max_f32x16(self, a: Self::F32x16) -> f32;

    fn zero_register(self) -> Self::Register;
    /// Register number 0, or 1 where there are two.
    fn load_register(self, from: &Lanes, part: usize) -> Self::Register;
    /// a·b + c with one rounding.
    fn fma_register(self, a: Self::Register, b: Self::Register, c: Self::Register) -> Self::Register;
    /// Sixteen lanes of their parts; the second is not looked at where there is only one.
    fn join(self, parts: [Self::Register; 2]) -> Self::F32x16;

    /// The lanes of each vector added by the tree +8, +4, +2, +1.
    fn reduce_sum4_f32x16(self, vectors: [Self::F32x16; 4]) -> [f32; 4];
    /// The lanes added by the tree +8, +4, +2, +1.
    fn reduce_sum_f32x16(self, vector: Self::F32x16) -> f32;

    /// Prefetches the cache line at an address, which may be any address, into the second-level cache.
    fn prefetch(self, address: *const Lanes);

    /// Sums every vector of an array by the tree +8, +4, +2, +1; four at a time where that is possible.
    #[inline(always)]
    fn reduce_sums_f32x16<const N: usize>(self, vectors: [Self::F32x16; N]) -> [f32; N] {
        let mut sums = [0.0; N];
        let mut i = 0;
        while i + 4 <= N {
            let four = self.reduce_sum4_f32x16([vectors[i], vectors[i + 1], vectors[i + 2], vectors[i + 3]]);
            sums[i..i + 4].copy_from_slice(&four);
            i += 4;
        }
        while i < N {
            sums[i] = self.reduce_sum_f32x16(vectors[i]);
            i += 1;
        }
        sums
    }
}

/// Sixteen i32 lanes, for int8 scores.
pub(crate) trait Integers: Simd {
    /// Sixteen i32 in registers.
    type I32x16: Copy;
    /// 64 pixels in registers.
    type U8x64: Copy;

    /// The largest magnitude of a level for which [`Integers::dot_u8i8x16`] is exact.
    const MAX_LEVEL: i8;

    fn zero_i32x16(self) -> Self::I32x16;
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "for the sums of a matrix unit"))]
    fn load_i32x16(self, from: &[i32; LANES]) -> Self::I32x16;
    /// The same four pixels sixteen times.
    fn splat_u8x4(self, pixels: [u8; 4]) -> Self::U8x64;
    fn load_u8x64(self, from: &Pixels64) -> Self::U8x64;
    /// sum + Σ of four pixels times four levels, lane by lane. Exact for levels of at most [`Integers::MAX_LEVEL`] in magnitude.
    fn dot_u8i8x16(self, pixels: Self::U8x64, levels: &Levels64, sum: Self::I32x16) -> Self::I32x16;
    /// The lanes added.
    fn reduce_sum_i32x16(self, a: Self::I32x16) -> i32;
    /// The nearest f32 of each integer.
    fn to_f32_i32x16(self, a: Self::I32x16) -> Self::F32x16;
    /// Integers −128 … 127 as bytes.
    fn store_i8x16(self, integers: Self::F32x16, to: &mut [i8; LANES]);
    /// Moves those of sixteen groups of four pixels that are not all 0 to the front, and beside them their numbers counted from
    /// `first`. Returns how many there are; what lies behind them is unspecified.
    fn compress_nonzero_u8x4(
        self,
        pixels: &Pixels64,
        first: u32,
        groups: &mut [u32; LANES],
        nonzero: &mut Pixels64,
    ) -> usize;
}

/// Groups of four inputs in one step of a matrix unit: 64 inputs.
pub(crate) const TILE_GROUPS: usize = 16;
/// Examples, and units, that a product of a matrix unit serves at once.
#[cfg(target_arch = "x86_64")]
pub(crate) const TILE: usize = 32;
/// The int8 scores of [`TILE`] examples, for two panels of sixteen units each.
#[cfg(target_arch = "x86_64")]
pub(crate) type TileSums = [[[i32; LANES]; 2]; TILE];

/// A matrix unit for int8 products, beside the vectors of [`Simd`].
#[cfg(target_arch = "x86_64")]
pub(crate) trait Tiles: Copy {
    /// A thread whose matrix unit is configured. It is released when this is dropped.
    type Configured: TileProduct;

    /// Configures the matrix unit of this thread.
    ///
    /// # Panics
    /// If it is configured already.
    fn configure(self) -> Self::Configured;
}

/// The int8 product of a configured matrix unit.
#[cfg(target_arch = "x86_64")]
pub(crate) trait TileProduct {
    /// Writes Σ pixel · level of [`TILE`] examples for two panels of units.
    ///
    /// `pixels` are the rows of the examples, as many groups each as a panel has vectors: a multiple of [`TILE_GROUPS`].
    fn product(&mut self, pixels: &[[u8; 4]], panels: [&[Levels64]; 2], sums: &mut TileSums);
}
