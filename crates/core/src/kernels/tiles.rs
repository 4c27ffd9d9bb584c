//! The intervals of `super::screen` from a matrix unit: every group of every example, since its dense product costs less
//! than looking for ink.
//!
//! Plainly: 32 examples × two panels of sixteen units at a time; their sums go through a buffer that stays in the first-level
//! cache, and are turned into intervals there. QuantiseBuffers behind the last example and the last group are blank; an odd last
//! panel is multiplied twice and taken once.

use super::pack::{Packed, Pixels, image_stats, padded_groups};
use super::screen::{Bounds, WeightPanels};
use crate::vector::{Integers, LANES, Levels64, TILE, TILE_GROUPS, TileProduct, TileSums, Tiles};

/// Packs examples as rows of [`padded_groups`] each, and blank ones up to a multiple of [`TILE`].
#[inline(always)]
pub(crate) fn pack(from: Pixels<'_>, packed: &mut Packed) {
    let width = padded_groups(from.inputs);
    let rows = packed.pixels.chunks_exact_mut(width).take(from.samples.len().next_multiple_of(TILE));
    for (example, row) in rows.enumerate() {
        let row = row.as_flattened_mut();
        row.fill(0);
        if example < from.samples.len() {
            let pixels = from.example(example);
            row[..from.inputs].copy_from_slice(pixels);
            packed.stats[example] = image_stats(pixels);
        }
    }
    packed.ends[0] = width as u32;
    packed.together = TILE;
}

/// Scores a block of units for every packed example.
#[inline(always)]
pub(crate) fn screen<S: Integers, T: Tiles>(
    simd: S,
    tiles: T,
    block: WeightPanels<'_>,
    packed: &Packed,
    mut ends: Bounds<'_>,
) {
    let width = block.stride / TILE_GROUPS * TILE_GROUPS;
    let mut sums: TileSums = [[[0; LANES]; 2]; TILE];
    let mut tiles = tiles.configure();
    for first in (0..ends.lower.len()).step_by(TILE) {
        let pixels = &packed.pixels[first * width..][..TILE * width];
        for panel in (0..block.scales.len()).step_by(2) {
            let pair = [panel, (panel + 1).min(block.scales.len() - 1)];
            let mut panels: [&[Levels64]; 2] = [&[]; 2];
            for (panels, panel) in panels.iter_mut().zip(pair) {
                *panels = &block.digits[panel * block.stride..][..width];
            }
            tiles.product(pixels, panels, &mut sums);
            for (example, sums) in (first..ends.lower.len()).zip(&sums) {
                let ink = packed.stats[example];
                let sums = [simd.load_i32x16(&sums[0]), simd.load_i32x16(&sums[1])];
                if block.scales.len() == 2 * block.bounds.len() {
                    ends.take::<S, 2, 2>(simd, block, panel, sums, example, ink);
                } else if panel + 1 < block.scales.len() {
                    ends.take::<S, 2, 1>(simd, block, panel, sums, example, ink);
                } else {
                    ends.take::<S, 1, 1>(simd, block, panel, [sums[0]], example, ink);
                }
            }
        }
    }
}
