//! The int8 levels of a shard's rows: row by row, and as panels of sixteen units for the integer product.

use crate::isa::Kernels;
use crate::kernels::gemm_nt::BLOCK;
use crate::kernels::pack::{Contrast, ImageStats, padded_groups};
use crate::kernels::quantise::{LevelLanes, QuantiseBuffers, ResidualStats};
use crate::kernels::screen::{ErrorBound, PANELS, WeightPanels};
use crate::rule::rows::Scored;
use crate::vector::{LANES, Lanes, Levels64};
use wide::f32x16;

/// The int8 levels and error bounds of all rows.
#[derive(Debug)]
pub(in crate::rule) struct RowLevels {
    /// γ of the proof.
    rounding: f64,
    /// Levels of sixteen units side by side, panel after panel; coarse and residual panels alternate if both are there.
    panels: Vec<f32x16>,
    /// Vectors from one panel to the next.
    stride: usize,
    scales: Vec<Lanes>,
    errors: Vec<ErrorBound<Lanes>>,
    /// The residual levels row by row.
    residual: Vec<f32x16>,
    rows: Vec<Row>,
    rest: Vec<Lanes>,
    coarse: Vec<LevelLanes>,
}

/// What is known of one row beside its levels.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Row {
    /// The value of 1 in the residual level.
    pub(super) scale: f32,
    /// With the coarse level.
    pub(super) coarse: ErrorBound<f32>,
    /// With both levels: half the width of the interval, per X.
    pub(super) uniform: f32,
}

impl Row {
    /// The centre of the interval with both levels, from the upper bound with the coarse one and the residual dot product.
    pub(super) fn centre(self, upper: f32, sum: f32, stats: ImageStats) -> f32 {
        let centre = match stats.contrast {
            None => upper - self.coarse.uniform * stats.sum,
            Some(Contrast { level, norm }) => {
                (upper - (self.coarse.rounding * stats.sum + self.coarse.norm * norm)) - self.coarse.shift * level
            }
        };
        centre + sum * self.scale
    }
}

impl RowLevels {
    /// Allocates both levels of every row.
    pub(in crate::rule) fn new(rows: usize, inputs: usize) -> RowLevels {
        let (width, panels) = (inputs.div_ceil(LANES), rows.div_ceil(LANES));
        // A multiple of 4096 bytes would put all panels of a block on the same cache sets.
        let stride = padded_groups(inputs);
        let stride = if stride.is_multiple_of(64) { stride + 1 } else { stride };
        let roundings = width.min(BLOCK) + 4 + width.div_ceil(BLOCK);
        RowLevels {
            rounding: roundings as f64 / f64::from(1 << 24) * (1.0 + 1.0 / 1024.0),
            panels: vec![f32x16::splat(0.0); 2 * panels * stride],
            stride,
            scales: vec![[0.0; LANES]; 2 * panels],
            errors: vec![
                ErrorBound { uniform: [f32::NAN; LANES], rounding: [f32::NAN; LANES], ..ErrorBound::default() };
                panels
            ],
            residual: vec![f32x16::splat(0.0); rows * width.div_ceil(4)],
            rows: vec![Row::default(); rows],
            rest: vec![[0.0; LANES]; width],
            coarse: vec![[0; LANES]; width],
        }
    }

    /// Panels of sixteen units.
    pub(in crate::rule) fn panels(&self) -> usize {
        self.errors.len()
    }

    /// What is known of a row.
    pub(super) fn row(&self, row: usize) -> Row {
        self.rows[row]
    }

    /// The residual levels of all rows, 64 inputs to a vector.
    pub(super) fn residual(&self) -> &[Levels64] {
        bytemuck::cast_slice(&self.residual)
    }

    /// The panels from `first` on that the kernel takes at once, with `depth` levels each.
    pub(in crate::rule) fn block(&self, first: usize, depth: usize) -> WeightPanels<'_> {
        let units = (PANELS / depth).min(self.panels() - first);
        let all: &[Levels64] = bytemuck::cast_slice(&self.panels);
        WeightPanels {
            levels: &all[first * depth * self.stride..],
            stride: self.stride,
            scales: &self.scales[first * depth..][..units * depth],
            errors: &self.errors[first..][..units],
        }
    }

    /// Quantises one row; `depth` of its levels go to the panels.
    pub(in crate::rule) fn requantise(&mut self, kernels: &Kernels, scored: Scored<'_>, row: usize, depth: usize) {
        let values = scored.rows.lanes(row);
        let (panel, lane, width) = (row / LANES, row % LANES, values.len().div_ceil(4));
        let residual: &mut [Levels64] = &mut bytemuck::cast_slice_mut(&mut self.residual)[row * width..][..width];
        let residual: &mut [LevelLanes] = &mut bytemuck::cast_slice_mut(residual)[..values.len()];
        let buffers = QuantiseBuffers { residual: &mut self.rest, levels: [&mut self.coarse, residual] };
        let found = kernels.quantise(values, scored.power, buffers);
        let panels: &mut [Levels64] = bytemuck::cast_slice_mut(&mut self.panels);
        for (level, from) in [&self.coarse[..], residual].into_iter().enumerate().take(depth) {
            let place = panel * depth + level;
            let groups = from.as_flattened().as_chunks::<4>().0;
            for (four, to) in groups.iter().zip(&mut panels[place * self.stride..][..self.stride]) {
                to[lane] = *four;
            }
            self.scales[place][lane] = found.scales[level];
        }
        let coarse =
            coarse_bound(found.residual_max[0], found.residual_stats, found.largest, self.rounding, values.len());
        let uniform = uniform_bound(found.residual_max[1], found.largest, self.rounding);
        let (to, from) = (&mut self.errors[panel], if depth == 1 { coarse } else { ErrorBound::of_all(uniform) });
        to.uniform[lane] = from.uniform;
        to.rounding[lane] = from.rounding;
        to.norm[lane] = from.norm;
        to.shift[lane] = from.shift;
        self.rows[row] = Row { scale: found.scales[1], coarse, uniform };
    }
}

const SMALL: f64 = 1.0 / (1 << 20) as f64;

/// a of the proof.
fn uniform_bound(residual: f32, largest: f32, rounding: f64) -> f32 {
    let bound = f64::from(residual) * (1.0 + SMALL / 4.0) + f64::from(largest) * (rounding + SMALL);
    (bound as f32).next_up()
}

/// The error bound of the coarse level. Sums over `width` vectors cost as many roundings, and those of the tree.
fn coarse_bound(residual: f32, stats: ResidualStats, largest: f32, rounding: f64, width: usize) -> ErrorBound<f32> {
    let of_sums = (width + 16) as f64 / f64::from(1 << 24);
    let bound = 2.0 * of_sums * f64::from(residual) + f64::from(largest) * (rounding + SMALL);
    ErrorBound {
        uniform: uniform_bound(residual, largest, rounding),
        rounding: (bound as f32).next_up(),
        norm: ((f64::from(stats.norm) * (1.0 + of_sums)) as f32).next_up(),
        shift: stats.sum,
    }
}
