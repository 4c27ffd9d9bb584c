//! Any CPU: sixteen lanes are an array, its arithmetic from the crate `wide`, which uses what the build allows.
//!
//! This path fuses multiply and add like the others, so it gives the same bits. Where the build has no such
//! instruction (a plain x86-64 build), the standard library's `mul_add` calls the C library for every lane: exact,
//! and many times slower. On aarch64 it is one instruction.

use super::*;
use crate::vector::{Integers, LANES, Levels64, Pixels64, Simd};
use wide::f32x16;

/// Needs no proof: every CPU can do this.
#[derive(Clone, Copy)]
pub(super) struct Portable;

impl Portable {
    pub(super) fn kernels(self) -> &'static Kernels {
        &TABLE
    }
}

/// Applies a function of lanes; for what `wide` leaves to the build or does not have.
#[inline(always)]
fn by_lane(a: f32x16, b: f32x16, function: impl Fn(f32, f32) -> f32) -> f32x16 {
    let (a, b) = (a.to_array(), b.to_array());
    let mut out = [0.0; LANES];
    for lane in 0..LANES {
        out[lane] = function(a[lane], b[lane]);
    }
    f32x16::from(out)
}

impl Simd for Portable {
    type F32x16 = f32x16;
    type Register = f32x16;

    const REGISTERS: usize = 1;

    #[inline(always)]
    fn splat_f32x16(self, value: f32) -> f32x16 {
        f32x16::splat(value)
    }

    #[inline(always)]
    fn load_f32x16(self, from: &Lanes) -> f32x16 {
        f32x16::from(*from)
    }

    #[inline(always)]
    fn load_u8x16(self, from: &[u8; LANES]) -> f32x16 {
        f32x16::from(from.map(f32::from))
    }

    #[inline(always)]
    fn store_f32x16(self, value: f32x16, to: &mut Lanes) {
        *to = value.to_array();
    }

    #[inline(always)]
    fn add_f32x16(self, a: f32x16, b: f32x16) -> f32x16 {
        a + b
    }

    #[inline(always)]
    fn sub_f32x16(self, a: f32x16, b: f32x16) -> f32x16 {
        a - b
    }

    #[inline(always)]
    fn mul_f32x16(self, a: f32x16, b: f32x16) -> f32x16 {
        a * b
    }

    #[inline(always)]
    fn div_f32x16(self, a: f32x16, b: f32x16) -> f32x16 {
        a / b
    }

    #[inline(always)]
    fn fma_f32x16(self, a: f32x16, b: f32x16, c: f32x16) -> f32x16 {
        let (a, b, mut c) = (a.to_array(), b.to_array(), c.to_array());
        for lane in 0..LANES {
            c[lane] = a[lane].mul_add(b[lane], c[lane]);
        }
        f32x16::from(c)
    }

    #[inline(always)]
    fn sqrt_f32x16(self, a: f32x16) -> f32x16 {
        a.sqrt()
    }

    #[inline(always)]
    fn abs_f32x16(self, a: f32x16) -> f32x16 {
        a.abs()
    }

    #[inline(always)]
    fn max_f32x16(self, a: f32x16, b: f32x16) -> f32x16 {
        by_lane(a, b, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    fn min_f32x16(self, a: f32x16, b: f32x16) -> f32x16 {
        by_lane(a, b, |a, b| if a < b { a } else { b })
    }

    #[inline(always)]
    fn round_f32x16(self, a: f32x16) -> f32x16 {
        f32x16::from(a.to_array().map(f32::round_ties_even))
    }

    #[inline(always)]
    fn exp2_int_f32x16(self, a: f32x16) -> f32x16 {
        f32x16::from(a.to_array().map(|power| f32::from_bits(((power as i32 + 127) as u32) << 23)))
    }

    #[inline(always)]
    fn gt_f32x16(self, a: f32x16, b: f32x16) -> u16 {
        let (a, b) = (a.to_array(), b.to_array());
        let mut mask = 0;
        for lane in 0..LANES {
            mask |= u16::from(a[lane] > b[lane]) << lane;
        }
        mask
    }

    #[inline(always)]
    fn ge_f32x16(self, a: f32x16, b: f32x16) -> u16 {
        let (a, b) = (a.to_array(), b.to_array());
        let mut mask = 0;
        for lane in 0..LANES {
            mask |= u16::from(a[lane] >= b[lane]) << lane;
        }
        mask
    }

    #[inline(always)]
    fn keep_lt_f32x16(self, a: f32x16, bound: f32) -> f32x16 {
        f32x16::from(a.to_array().map(|lane| if lane < bound { lane } else { f32::NEG_INFINITY }))
    }

    #[inline(always)]
    fn flush_f32x16(self, a: f32x16, bound: f32) -> f32x16 {
        f32x16::from(a.to_array().map(|lane| if lane.abs() < bound { 0.0 } else { lane }))
    }

    #[inline(always)]
    fn reduce_max_f32x16(self, a: f32x16) -> f32 {
        let mut largest = f32::NEG_INFINITY;
        for lane in a.to_array() {
            largest = if lane > largest { lane } else { largest };
        }
        largest
    }

    #[inline(always)]
    fn zero_register(self) -> f32x16 {
        self.splat_f32x16(0.0)
    }

    #[inline(always)]
    fn load_register(self, from: &Lanes, _: usize) -> f32x16 {
        self.load_f32x16(from)
    }

    #[inline(always)]
    fn fma_register(self, a: f32x16, b: f32x16, c: f32x16) -> f32x16 {
        self.fma_f32x16(a, b, c)
    }

    #[inline(always)]
    fn join(self, [all, _]: [f32x16; 2]) -> f32x16 {
        all
    }

    #[inline(always)]
    fn reduce_sum4_f32x16(self, [a, b, c, d]: [f32x16; 4]) -> [f32; 4] {
        [self.reduce_sum_f32x16(a), self.reduce_sum_f32x16(b), self.reduce_sum_f32x16(c), self.reduce_sum_f32x16(d)]
    }

    #[inline(always)]
    fn reduce_sum_f32x16(self, vector: f32x16) -> f32 {
        let mut lanes = vector.to_array();
        for step in [8, 4, 2, 1] {
            for lane in 0..step {
                lanes[lane] += lanes[lane + step];
            }
        }
        lanes[0]
    }

    #[inline(always)]
    fn prefetch(self, _address: *const Lanes) {}
}

impl Integers for Portable {
    type I32x16 = [i32; LANES];
    type U8x64 = Pixels64;

    const MAX_LEVEL: i8 = 127;

    #[inline(always)]
    fn zero_i32x16(self) -> [i32; LANES] {
        [0; LANES]
    }

    #[inline(always)]
    fn load_i32x16(self, from: &[i32; LANES]) -> [i32; LANES] {
        *from
    }

    #[inline(always)]
    fn splat_u8x4(self, pixels: [u8; 4]) -> Pixels64 {
        [pixels; LANES]
    }

    #[inline(always)]
    fn load_u8x64(self, from: &Pixels64) -> Pixels64 {
        *from
    }

    #[inline(always)]
    fn dot_u8i8x16(self, pixels: Pixels64, levels: &Levels64, mut sum: [i32; LANES]) -> [i32; LANES] {
        for lane in 0..LANES {
            for i in 0..4 {
                sum[lane] += i32::from(pixels[lane][i]) * i32::from(levels[lane][i]);
            }
        }
        sum
    }

    #[inline(always)]
    fn reduce_sum_i32x16(self, a: [i32; LANES]) -> i32 {
        a.iter().sum()
    }

    #[inline(always)]
    fn to_f32_i32x16(self, a: [i32; LANES]) -> f32x16 {
        f32x16::from(a.map(|lane| lane as f32))
    }

    #[inline(always)]
    fn store_i8x16(self, integers: f32x16, to: &mut [i8; LANES]) {
        *to = integers.to_array().map(|lane| lane as i8);
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
const GEMM_NT: (usize, usize) = (4, 1);
/// Rows × vectors of columns of a tile of `gemm_tn`.
const GEMM_TN: (usize, usize) = (2, 1);
/// Examples × strips of a tile of `receive` and `clipped_step`.
const STRIPS: (usize, usize) = (5, 1);
/// Inputs × strips of a tile of `learn_strips`.
const LEARN: (usize, usize) = (4, 1);
/// Examples that share a list of pixel groups, and the percentage of non-zero groups above which they do.
const LISTS: (usize, usize) = (2, 75);
/// Weight panels of a tile of int8 scores: for one example, and for those that share a list.
const SCREEN_PANELS: (usize, usize) = (8, 4);
/// Independent multiply-adds that fill the pipelines and fit the registers.
const PEAK_CHAINS: usize = 4;

for_every_kernel!(table!("portable", Portable, #[inline(never)]));
