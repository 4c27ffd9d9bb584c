//! The matrix unit against plain loops, and everything around its instructions where the CPU lacks them.

use super::*;
use crate::isa::portable::Portable;
use crate::kernels::pack::padded_groups;
use crate::kernels::screen::{ErrorBound, PANELS};
use crate::vector::{LANES, Lanes};

/// The product as its definition, so that everything around the instructions is tested where the CPU lacks them.
#[derive(Clone, Copy)]
struct Plain;

impl Tiles for Plain {
    type Configured = Plain;

    fn configure(self) -> Plain {
        self
    }
}

impl TileProduct for Plain {
    fn product(&mut self, pixels: &[[u8; 4]], panels: [&[Levels64]; 2], sums: &mut TileSums) {
        for (pixels, sums) in pixels.chunks_exact(panels[0].len()).zip(sums) {
            for (panel, sums) in panels.iter().zip(sums) {
                for (unit, sum) in sums.iter_mut().enumerate() {
                    let products = panel
                        .iter()
                        .zip(pixels)
                        .flat_map(|(levels, pixels)| (0..4).map(|i| i32::from(levels[unit][i]) * i32::from(pixels[i])));
                    *sum = products.sum();
                }
            }
        }
    }
}

/// Numbers without order, of 64 bits.
fn wild(i: usize) -> u64 {
    (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn levels(count: usize) -> Vec<Levels64> {
    let level = |i: usize| ((wild(i) >> 56) as i8).max(-127);
    (0..count).map(|v| std::array::from_fn(|u| std::array::from_fn(|i| level((v * LANES + u) * 4 + i)))).collect()
}

/// Bounds of some panels, from tiles and from the lists of the portable kernels, which must agree to the bit.
fn check(examples: usize, inputs: usize, panels: usize, two: bool) {
    let pixels: Vec<u8> = (0..examples * inputs).map(wild).map(|bits| (bits >> 50) as u8).collect();
    let samples: Vec<u32> = (0..examples as u32).rev().collect();
    let from = Pixels { all: &pixels, inputs, samples: &samples };
    let units = if two { panels / 2 } else { panels };
    let stride = padded_groups(inputs) + 1;
    let mut levels = levels(panels * stride);
    // Padding behind the inputs is 0 in both levels and pixels.
    for (i, vector) in levels.iter_mut().enumerate() {
        let first = i % stride * 4;
        vector.iter_mut().for_each(|four| (0..4).filter(|j| first + j >= inputs).for_each(|j| four[j] = 0));
    }
    let scales: Vec<Lanes> = (0..panels).map(|p| [0.01 + p as f32; LANES]).collect();
    let errors: Vec<ErrorBound<Lanes>> = (0..units)
        .map(|p| [0.0, 0.5, 0.25, 1.0].map(|more| std::array::from_fn(|u| (p * u) as f32 + more)))
        .map(|[uniform, rounding, norm, shift]| ErrorBound { uniform, rounding, norm, shift })
        .collect();
    let block = WeightPanels { levels: &levels, stride, scales: &scales, errors: &errors };
    let run = |tiles: bool| {
        let mut packed = Packed::new(examples, inputs);
        let mut upper = vec![[f32::NAN; LANES]; examples * (units + 1)];
        let mut lower = vec![[[f32::NEG_INFINITY; LANES]; PANELS]; examples];
        let bounds = Bounds { upper: &mut upper, stride: units + 1, first: 1, lower: &mut lower };
        if tiles {
            kernels::pack::pack_tiles(from, &mut packed);
            kernels::screen::screen_tiles(Portable, Plain, block, &packed, bounds);
        } else {
            Portable.kernels().pack(from, &mut packed);
            Portable.kernels().screen(block, &packed, bounds);
        }
        let bits = |lanes: &[Lanes]| lanes.as_flattened().iter().map(|end| end.to_bits()).collect::<Vec<_>>();
        (bits(&upper), bits(lower.as_flattened()))
    };
    assert!(run(true) == run(false), "{examples} x {inputs}, {panels} panels, two-level: {two}");
}

#[test]
fn tiles_give_the_bounds_of_lists() {
    for examples in [1, 31, 32, 33, 70] {
        for inputs in [1, 4, 63, 64, 65, 130] {
            (1..=PANELS).for_each(|panels| check(examples, inputs, panels, false));
            (1..=PANELS / 2).for_each(|units| check(examples, inputs, 2 * units, true));
        }
    }
}

#[test]
fn the_instructions_multiply_exactly() {
    // Where AMX is missing, `tests/isa.rs` says so.
    let Some(amx) = Amx::detect() else { return };
    for groups in [16, 32, 208, 768] {
        let pixels: Vec<[u8; 4]> = (0..TILE * groups).map(|i| (wild(i) as u32).to_le_bytes()).collect();
        let levels = levels(2 * groups);
        let panels = [&levels[..groups], &levels[groups..]];
        let mut sums = [[[[0; LANES]; 2]; TILE]; 2];
        amx.configure().product(&pixels, panels, &mut sums[0]);
        Plain.product(&pixels, panels, &mut sums[1]);
        assert!(sums[0] == sums[1], "{groups} groups");
    }
}

#[test]
fn a_thread_has_one_configuration_at_a_time() {
    let Some(amx) = Amx::detect() else { return };
    let first = amx.configure();
    assert!(
        std::panic::catch_unwind(|| _ = amx.configure()).is_err(),
        "a second configuration would release the first"
    );
    drop(first);
    drop(amx.configure());
}
