//! IntegerNorm numbers on any CPU: arrays.

use super::Portable;
use crate::kernels;
use crate::vector::{Integers, LANES, Levels64, Pixels64};
use wide::f32x16;

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
    fn dot_u8i8x16(self, pixels: Pixels64, digits: &Levels64, mut sum: [i32; LANES]) -> [i32; LANES] {
        for lane in 0..LANES {
            for i in 0..4 {
                sum[lane] += i32::from(pixels[lane][i]) * i32::from(digits[lane][i]);
            }
        }
        sum
    }

    #[inline(always)]
    fn sum_i32x16(self, a: [i32; LANES]) -> i32 {
        a.iter().sum()
    }

    #[inline(always)]
    fn float_i32x16(self, a: [i32; LANES]) -> f32x16 {
        f32x16::from(a.map(|whole| whole as f32))
    }

    #[inline(always)]
    fn store_i8x16(self, whole: f32x16, to: &mut [i8; LANES]) {
        *to = whole.to_array().map(|whole| whole as i8);
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
