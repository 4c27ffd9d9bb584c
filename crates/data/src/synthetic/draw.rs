//! From strokes to pixels: a random pose, a curve through the points, and the distance of every pixel to it.
//!
//! 1. Every point is moved a little, so that no two digits of a style are the same.
//! 2. The digit is bent, slanted, stretched, rotated and shifted.
//! 3. A Catmull-Rom spline through the points becomes short straight segments.
//! 4. The value of a pixel falls from 1 to 0 over one pixel at the edge of the pen, by its distance to the nearest
//!    segment; noise is added to non-zero pixels.
//!
//! Only +, −, ×, / and the square root occur, all of which IEEE 754 rounds in one way: the same random bits give the
//! same bytes on every machine. Rotations take their sine and cosine from the tangent of half the angle.

use super::strokes::{STYLES, Style};
use super::{INPUTS, SIDE};

/// Straight segments a curve gets between two points.
const SEGMENTS: usize = 5;

/// Units of the box in `strokes`, and its centre.
const UNITS: f64 = 140.0;
const CENTRE: (f64, f64) = (50.0, 70.0);

/// The largest deviation of each property from its mean.
struct Ranges {
    /// Of each point, in units.
    wobble: f64,
    /// Of the bend: how far the middle goes sideways, as a share of the height.
    bend: f64,
    /// Of the slant: sideways per downwards, besides a mean lean to the right.
    slant: f64,
    /// Of the tangent of half the angle of rotation.
    rotation: f64,
    /// Of the height, as a share of the mean.
    size: f64,
    /// Of the width against the height.
    width: f64,
    /// Of the position, in pixels.
    shift: f64,
    /// Of the radius of the pen, in pixels.
    pen: f64,
}

const RANGES: Ranges =
    Ranges { wobble: 6.0, bend: 0.08, slant: 0.15, rotation: 0.10, size: 0.12, width: 0.15, shift: 3.0, pen: 0.5 };

/// The style of one writer, for all digits.
struct Writer {
    /// Sideways per downwards; to the right where positive.
    lean: f64,
    /// Mean height of a digit in pixels.
    height: f64,
    /// Width against height, 1 as in `strokes`.
    width: f64,
    /// Tangent of half the angle of rotation, clockwise.
    rotation: f64,
}

/// One of these writers writes each digit. They differ more than the digits of one writer, so the meaning of a pixel
/// depends on the writer, which a linear readout cannot represent.
const WRITERS: [Writer; 8] = [
    Writer { lean: 0.05, height: 20.0, width: 1.0, rotation: 0.0 },
    Writer { lean: 0.60, height: 19.5, width: 0.95, rotation: 0.0 },
    Writer { lean: -0.45, height: 19.5, width: 0.95, rotation: 0.0 },
    Writer { lean: 0.1, height: 21.0, width: 0.55, rotation: 0.0 },
    Writer { lean: 0.1, height: 14.5, width: 1.6, rotation: 0.0 },
    Writer { lean: 0.0, height: 19.0, width: 1.0, rotation: 0.22 },
    Writer { lean: 0.0, height: 19.0, width: 1.0, rotation: -0.22 },
    Writer { lean: 0.2, height: 14.0, width: 1.0, rotation: 0.0 },
];
/// Mean radius of the pen in pixels.
const PEN: f64 = 1.4;
/// Noise: each non-zero pixel is reduced by a random share of at most this.
const GRAIN: f64 = 0.25;

/// Random numbers from random bits.
pub(super) struct Sampler<'a> {
    pub(super) bits: &'a mut dyn FnMut() -> u64,
}

impl Sampler<'_> {
    /// From 0 to 1, without 1, in steps of 2⁻⁵³.
    fn uniform(&mut self) -> f64 {
        let bits = (self.bits)() >> 11;
        // Exact: 53 bits fit.
        bits as f64 / 9_007_199_254_740_992.0
    }

    /// From −range to range; the mean of three draws, so the middle is likelier than the ends.
    fn centred(&mut self, range: f64) -> f64 {
        let sum = self.uniform() + self.uniform() + self.uniform();
        (sum / 1.5 - 1.0) * range
    }

    /// Below `count`.
    pub(super) fn below(&mut self, count: usize) -> usize {
        // The high half of the product; for counts this small the bias is below 2⁻⁵⁰.
        ((u128::from((self.bits)()) * count as u128) >> 64) as usize
    }
}

/// The transformation of a digit from units to pixels.
struct Pose {
    bend: f64,
    slant: f64,
    scale: (f64, f64),
    cos: f64,
    sin: f64,
    shift: (f64, f64),
}

impl Pose {
    fn draw(sampler: &mut Sampler<'_>) -> Self {
        let writer = &WRITERS[sampler.below(WRITERS.len())];
        let half = writer.rotation + sampler.centred(RANGES.rotation);
        let norm = 1.0 + half * half;
        let height = writer.height * (1.0 + sampler.centred(RANGES.size)) / UNITS;
        Self {
            bend: sampler.centred(RANGES.bend),
            slant: writer.lean + sampler.centred(RANGES.slant),
            scale: (height * writer.width * (1.0 + sampler.centred(RANGES.width)), height),
            cos: (1.0 - half * half) / norm,
            sin: 2.0 * half / norm,
            shift: (sampler.centred(RANGES.shift), sampler.centred(RANGES.shift)),
        }
    }

    fn place(&self, (right, down): (f64, f64)) -> (f64, f64) {
        let (x, y) = (right - CENTRE.0, down - CENTRE.1);
        // A parabola that is 0 at the top and bottom ends and 1 in the middle.
        let middle = 1.0 - (y / CENTRE.1) * (y / CENTRE.1);
        let x = x + self.bend * UNITS * middle - self.slant * y;
        let (x, y) = (x * self.scale.0, y * self.scale.1);
        let middle = SIDE as f64 / 2.0;
        (self.cos * x - self.sin * y + middle + self.shift.0, self.sin * x + self.cos * y + middle + self.shift.1)
    }
}

/// Squared distance from the centre of every pixel to the nearest segment so far; reused for every digit.
pub(super) struct Canvas(Vec<f64>);

impl Canvas {
    pub(super) fn new() -> Self {
        Self(vec![0.0; INPUTS])
    }

    /// Draws one digit of a class.
    pub(super) fn digit(&mut self, class: usize, sampler: &mut Sampler<'_>, pixels: &mut Vec<u8>) {
        let styles = STYLES[class];
        let style: Style = styles[sampler.below(styles.len())];
        let pose = Pose::draw(sampler);
        let pen = PEN + sampler.centred(RANGES.pen);
        let reach = pen + 0.5;
        self.0.fill(reach * reach);
        for stroke in style {
            let mut points: Vec<(f64, f64)> = Vec::with_capacity(stroke.len());
            for (index, &(right, down)) in stroke.iter().enumerate() {
                // Both points of a corner move together, or it would become a loop.
                let point = match index.checked_sub(1).map(|before| (stroke[before], points[before])) {
                    Some((before, moved)) if before == (right, down) => moved,
                    _ => {
                        let right = f64::from(right) + sampler.centred(RANGES.wobble);
                        pose.place((right, f64::from(down) + sampler.centred(RANGES.wobble)))
                    }
                };
                points.push(point);
            }
            self.curve(&points, reach);
        }
        for &square in &self.0 {
            let ink = (reach - square.sqrt()).clamp(0.0, 1.0);
            if ink == 0.0 {
                pixels.push(0);
                continue;
            }
            let value = 255.0 * ink * (1.0 - GRAIN * sampler.uniform()) + 0.5;
            pixels.push(value as u8);
        }
    }

    /// A Catmull-Rom spline: between two points a cubic whose slope at each is half the way between its neighbours.
    fn curve(&mut self, points: &[(f64, f64)], reach: f64) {
        let last = points.len() - 1;
        let mut from = points[0];
        for index in 0..last {
            let (a, b, c, d) =
                (points[index.saturating_sub(1)], points[index], points[index + 1], points[(index + 2).min(last)]);
            let segments = if b == c { 0 } else { SEGMENTS };
            for segment in 1..=segments {
                let t = segment as f64 / SEGMENTS as f64;
                let at = |a: f64, b: f64, c: f64, d: f64| {
                    let (linear, square, cube) = (c - a, 2.0 * a - 5.0 * b + 4.0 * c - d, 3.0 * (b - c) + d - a);
                    b + 0.5 * t * (linear + t * (square + t * cube))
                };
                let to = (at(a.0, b.0, c.0, d.0), at(a.1, b.1, c.1, d.1));
                self.segment(from, to, reach);
                from = to;
            }
        }
    }

    /// Lowers the distances around one straight segment.
    fn segment(&mut self, from: (f64, f64), to: (f64, f64), reach: f64) {
        // The centre of pixel 0 is at 0.5. Casts to usize take negative numbers to 0.
        let range = |a: f64, b: f64| {
            let (low, high) = if a < b { (a, b) } else { (b, a) };
            let low = (low - reach - 0.5).max(0.0) as usize;
            let high = ((high + reach + 0.5).max(0.0) as usize).min(SIDE);
            low..high.max(low)
        };
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx * dx + dy * dy;
        for row in range(from.1, to.1) {
            for column in range(from.0, to.0) {
                let (x, y) = (column as f64 + 0.5 - from.0, row as f64 + 0.5 - from.1);
                let along = if length > 0.0 { ((x * dx + y * dy) / length).clamp(0.0, 1.0) } else { 0.0 };
                let (x, y) = (x - along * dx, y - along * dy);
                let square = &mut self.0[row * SIDE + column];
                *square = square.min(x * x + y * y);
            }
        }
    }
}
