//! The digits of a shard's rows: both row by row, and as panels of sixteen units for the integer product.

use crate::isa::Kernels;
use crate::kernels::gemm_nt::BLOCK;
use crate::kernels::pack::{Contrast, ImageStats, padded_groups};
use crate::kernels::quantise::{LevelLanes, QuantiseBuffers, ResidualStats};
use crate::kernels::screen::{ErrorBound, PANELS, WeightPanels};
use crate::rows::Scored;
use crate::vector::{LANES, Lanes, Levels64};
use wide::f32x16;

/// Int8 levels, and what has to be known beside them.
#[derive(Debug)]
pub(super) struct RowDigits {
    /// γ.
    rounding: f64,
    /// Int8 levels of sixteen units side by side, panel after panel; with two digits the panels of both alternate.
    panels: Vec<f32x16>,
    /// Vectors of digits from one panel to the next.
    stride: usize,
    scales: Vec<Lanes>,
    slack: Vec<ErrorBound<Lanes>>,
    /// The second digits row by row.
    second: Vec<f32x16>,
    rows: Vec<Row>,
    rest: Vec<Lanes>,
    first: Vec<LevelLanes>,
}

/// What is known of one row beside its digits.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Row {
    /// The value of 1 in the second digit.
    pub(super) step: f32,
    /// With one digit.
    pub(super) first: ErrorBound<f32>,
    /// With both: half of an interval, per X.
    pub(super) uniform: f32,
}

impl Row {
    /// The centre of the interval with both digits, from the upper end of that with one and the sum of the second digits.
    pub(super) fn centre(self, upper: f32, sum: f32, ink: ImageStats) -> f32 {
        let first = match ink.contrast {
            None => upper - self.first.uniform * ink.sum,
            Some(Contrast { level, norm }) => {
                (upper - (self.first.rounding * ink.sum + self.first.norm * norm)) - self.first.shift * level
            }
        };
        first + sum * self.step
    }
}

impl RowDigits {
    /// Makes room for two digits of every row.
    pub(super) fn new(rows: usize, inputs: usize) -> RowDigits {
        let (width, panels) = (inputs.div_ceil(LANES), rows.div_ceil(LANES));
        // A multiple of 4096 bytes would put all panels of a block on the same cache sets.
        let stride = padded_groups(inputs);
        let stride = if stride.is_multiple_of(64) { stride + 1 } else { stride };
        let roundings = width.min(BLOCK) + 4 + width.div_ceil(BLOCK);
        RowDigits {
            rounding: roundings as f64 / f64::from(1 << 24) * (1.0 + 1.0 / 1024.0),
            panels: vec![f32x16::splat(0.0); 2 * panels * stride],
            stride,
            scales: vec![[0.0; LANES]; 2 * panels],
            slack: vec![
                ErrorBound { uniform: [f32::NAN; LANES], rounding: [f32::NAN; LANES], ..ErrorBound::default() };
                panels
            ],
            second: vec![f32x16::splat(0.0); rows * width.div_ceil(4)],
            rows: vec![Row::default(); rows],
            rest: vec![[0.0; LANES]; width],
            first: vec![[0; LANES]; width],
        }
    }

    /// Panels of sixteen units, of one digit.
    pub(super) fn panels(&self) -> usize {
        self.slack.len()
    }

    /// What is known of a row.
    pub(super) fn row(&self, row: usize) -> Row {
        self.rows[row]
    }

    /// The second digits of all rows, 64 inputs to a vector.
    pub(super) fn second(&self) -> &[Levels64] {
        bytemuck::cast_slice(&self.second)
    }

    /// The panels from `first` on that the kernel takes at once, with so many digits each.
    pub(super) fn block(&self, first: usize, digits: usize) -> WeightPanels<'_> {
        let units = (PANELS / digits).min(self.panels() - first);
        let all: &[Levels64] = bytemuck::cast_slice(&self.panels);
        WeightPanels {
            levels: &all[first * digits * self.stride..],
            stride: self.stride,
            scales: &self.scales[first * digits..][..units * digits],
            errors: &self.slack[first..][..units],
        }
    }

    /// Brings the digits of one row up to date; `digits` of them go to the panels.
    pub(super) fn renew(&mut self, kernels: &Kernels, scored: Scored<'_>, row: usize, digits: usize) {
        let values = scored.rows.lanes(row);
        let (panel, lane, width) = (row / LANES, row % LANES, values.len().div_ceil(4));
        let second: &mut [Levels64] = &mut bytemuck::cast_slice_mut(&mut self.second)[row * width..][..width];
        let second: &mut [LevelLanes] = &mut bytemuck::cast_slice_mut(second)[..values.len()];
        let places = QuantiseBuffers { residual: &mut self.rest, levels: [&mut self.first, second] };
        let found = kernels.quantise(values, scored.power, places);
        let panels: &mut [Levels64] = bytemuck::cast_slice_mut(&mut self.panels);
        for (digit, from) in [&self.first[..], second].into_iter().enumerate().take(digits) {
            let place = panel * digits + digit;
            let groups = from.as_flattened().as_chunks::<4>().0;
            for (four, to) in groups.iter().zip(&mut panels[place * self.stride..][..self.stride]) {
                to[lane] = *four;
            }
            self.scales[place][lane] = found.scales[digit];
        }
        let first = slack(found.residual_max[0], found.residual_stats, found.largest, self.rounding, values.len());
        let uniform = uniform(found.residual_max[1], found.largest, self.rounding);
        let (to, from) = (&mut self.slack[panel], if digits == 1 { first } else { ErrorBound::of_all(uniform) });
        to.uniform[lane] = from.uniform;
        to.rounding[lane] = from.rounding;
        to.norm[lane] = from.norm;
        to.shift[lane] = from.shift;
        self.rows[row] = Row { step: found.scales[1], first, uniform };
    }
}

const SMALL: f64 = 1.0 / (1 << 20) as f64;

/// a of the proof in `screen.rs`.
fn uniform(left: f32, largest: f32, rounding: f64) -> f32 {
    let bound = f64::from(left) * (1.0 + SMALL / 4.0) + f64::from(largest) * (rounding + SMALL);
    (bound as f32).next_up()
}

/// All of what the first digit leaves. Sums over `width` vectors cost as many roundings, and those of the tree.
fn slack(left: f32, spread: ResidualStats, largest: f32, rounding: f64, width: usize) -> ErrorBound<f32> {
    let of_sums = (width + 16) as f64 / f64::from(1 << 24);
    let bound = 2.0 * of_sums * f64::from(left) + f64::from(largest) * (rounding + SMALL);
    ErrorBound {
        uniform: uniform(left, largest, rounding),
        rounding: (bound as f32).next_up(),
        norm: ((f64::from(spread.norm) * (1.0 + of_sums)) as f32).next_up(),
        shift: spread.sum,
    }
}
