//! Integer screening: which units can be among the k best of an example, found from whole-number scores. Only those are
//! scored exactly, so the ranks, and with them the weights, have the bits of the dense engine.
//!
//! # The proof
//!
//! Let v be a row of (transformed) weights, x the pixels of an example, X = Σ x, u = 2⁻²⁴, m = max |v|, and S the canonical
//! score of the [crate docs](crate#numerics). The row is kept as two digits: v_i = s q_i + s₂ r_i + e_i.
//!
//! 1. Q = Σ q_i x_i and R = Σ r_i x_i are whole numbers below 127 · 255 · 65 536 < 2³¹: the integer product is exact.
//! 2. |Σ v_i x_i − (s Q + s₂ R)| ≤ max |e_i| X, and |Σ v_i x_i − s Q| ≤ max |v_i − s q_i| X. `quantise` returns both maxima,
//!    as fused multiply-adds give them: each is known to a factor 1 + u, and of the second digit's rest, u m / 60 beside it
//!    is covered by 5.
//! 3. |S − Σ v_i x_i| ≤ γ Σ |v_i| x_i ≤ γ m X, γ = n u / (1 − n u), n roundings behind one another: a lane takes at most 64
//!    multiply-adds in a block, four additions of the tree, then the blocks are added.
//! 4. c, the f32 value of s Q or of s Q + s₂ R, costs two roundings of at most m X each (conversion and product), with the
//!    second digit one of a sixtieth of that and one more: at most 3.2 u m X. The ends c ± a X cost one more rounding each;
//!    X < 2²⁴ is exact. Where c is found again from the upper end, to add the second digit to it, that costs two more (the
//!    products a X, s₂ R are so small that their own roundings are nothing beside it).
//! 5. All of 4 and what 2 left is below 8 u m X. Sixteen are granted: 2⁻²⁰.
//! 6. So with a = max |e_i| (1 + 2⁻²²) + m (γ + 2⁻²⁰), rounded up, S lies in [c − a X, c + a X]; the same for one digit with
//!    max |v_i − s q_i|.
//!
//! Underflow adds at most 2⁻¹⁴⁹ for each of 2¹⁸ operations; rows with m below 10⁻²⁵ are not quantised, and for the others
//! 2⁻²⁰ m is a hundred million times more. Nothing overflows below 10²⁵. A row outside has the interval (−∞, ∞); a row of
//! zeros has S = 0 = c exactly; a blank example has S = 0 for every finite row, and c = 0.
//!
//! At least k lower ends, of different units, reach the bar of `kernels::screen::bars`. A unit whose upper end does not is
//! less than k others, strictly, so it is not among the k best in the order of [`crate::TopK`], ties included. Units that are
//! never ranked (S = −∞ or NaN) come only from rows that are not quantised; their lower end is −∞ or NaN and holds up no bar.
//!
//! # The course
//!
//! One digit of all units gives a bar and, typically, one candidate in a hundred. Their second digits, kept row by row, give
//! intervals two hundred times narrower, a higher bar, and k survivors or few more: these are scored exactly. Where one
//! digit leaves too many candidates (few large weights among many small ones, bright images), both digits of all units are
//! summed at once; where that leaves too many as well, the dense engine takes over. Both are tried again later.

use crate::isa::Kernels;
use crate::kernels::pack::{Packed, Pixels};
use crate::kernels::quantise::DigitLanes;
use crate::kernels::score::BLOCK;
use crate::kernels::screen::{Block, Ends, PANELS};
use crate::matrix::Matrix;
use crate::top_k::TopK;
use crate::vector::{Digits, LANES, Lanes, Pixels64};
use wide::f32x16;

/// The longest example whose integer scores fit 32 bits.
const MOST_INPUTS: usize = 1 << 16;
/// With more ranks than this too many of them would share a lane of the lower ends.
const MOST_RANKS: usize = 32;
/// Bytes of upper ends that are kept at once: they should stay in a second-level cache.
const UPPER_BYTES: usize = 512 << 10;
/// Of a hundred units this many may be candidates; beyond, another digit or the dense engine costs less.
const DEAR: usize = 16;
/// Minibatches before fewer digits are tried again: at first, and at most.
const PAUSE: (u32, u32) = (64, 4096);

/// The digits of a shard's rows, and the memory of screening.
#[derive(Debug)]
pub(crate) struct Screen {
    k: usize,
    /// γ.
    rounding: f64,
    course: Course,
    pause: u32,
    left: u32,
    /// Digits of sixteen units side by side, panel after panel; with two digits the panels of both alternate.
    panels: Vec<f32x16>,
    /// Vectors of digits from one panel to the next.
    stride: usize,
    steps: Vec<Lanes>,
    slack: Vec<Lanes>,
    /// The second digits row by row, with their steps and the slack that they leave.
    closer: Vec<f32x16>,
    closer_ends: Vec<[f32; 2]>,
    rest: Vec<Lanes>,
    first_digits: Vec<DigitLanes>,
    packed: Packed,
    upper: Vec<Lanes>,
    lower: Vec<[Lanes; PANELS]>,
    bars: Vec<f32>,
    image: Vec<Pixels64>,
    candidates: Vec<u32>,
    sums: Vec<f32>,
    best: Vec<f32>,
    /// Of the present example, and of the one before.
    survivors: [Survivors; 2],
    scores: Vec<f32>,
}

/// The units of an example that have to be scored exactly.
#[derive(Debug, Clone, Default)]
struct Survivors {
    rows: Vec<u32>,
    count: usize,
}

/// What is done before exact scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Course {
    /// One digit of all units, the second one of candidates.
    OneDigit,
    /// Two digits of all units.
    TwoDigits,
    /// Nothing: screening does not pay, and the digits are out of date.
    Dense,
}

impl Course {
    /// Panels of sixteen units.
    fn digits(self) -> usize {
        if self == Course::TwoDigits { 2 } else { 1 }
    }
}

impl Screen {
    /// Makes room for a shard, or says that screening cannot serve it.
    pub(crate) fn new(rows: usize, inputs: usize, batch: usize, k: usize) -> Option<Screen> {
        if inputs > MOST_INPUTS || k > MOST_RANKS || rows == 0 {
            return None;
        }
        let width = inputs.div_ceil(LANES);
        let panels = rows.div_ceil(LANES);
        let stride = if (width * 4).is_multiple_of(64) { width * 4 + 1 } else { width * 4 };
        let chunk = (UPPER_BYTES / (panels * 64)).clamp(24, batch.max(24)).min(batch);
        let roundings = width.min(BLOCK) + 4 + width.div_ceil(BLOCK);
        let survivors = Survivors { rows: vec![0; panels * LANES], count: 0 };
        Some(Screen {
            k,
            rounding: roundings as f64 / f64::from(1 << 24) * (1.0 + 1.0 / 1024.0),
            course: Course::Dense,
            pause: PAUSE.0,
            left: 0,
            panels: vec![f32x16::splat(0.0); 2 * panels * stride],
            stride,
            steps: vec![[0.0; LANES]; 2 * panels],
            slack: vec![[f32::NAN; LANES]; panels],
            closer: vec![f32x16::splat(0.0); rows * width.div_ceil(4)],
            closer_ends: vec![[0.0; 2]; rows],
            rest: vec![[0.0; LANES]; width],
            first_digits: vec![[0; LANES]; width],
            packed: Packed::new(chunk, inputs),
            upper: vec![[0.0; LANES]; chunk * panels],
            lower: vec![[[0.0; LANES]; PANELS]; chunk],
            bars: vec![0.0; chunk],
            image: vec![[[0; 4]; LANES]; width.div_ceil(4)],
            candidates: vec![0; panels * LANES],
            sums: vec![0.0; panels * LANES],
            best: vec![0.0; k],
            survivors: [survivors.clone(), survivors],
            scores: vec![0.0; panels * LANES],
        })
    }

    /// Whether the next minibatch is to be screened. Brings the digits up to date if they have to be.
    pub(crate) fn begin(&mut self, kernels: &Kernels, rows: &Matrix) -> bool {
        if self.course != Course::OneDigit {
            match self.left.checked_sub(1) {
                Some(left) => self.left = left,
                None => self.take(Course::OneDigit, kernels, rows),
            }
        }
        self.course != Course::Dense
    }

    fn take(&mut self, course: Course, kernels: &Kernels, rows: &Matrix) {
        self.course = course;
        (0..rows.rows()).for_each(|row| self.renew(kernels, row, rows.lanes(row)));
    }

    /// Brings the digits of one row up to date.
    pub(crate) fn renew(&mut self, kernels: &Kernels, row: usize, values: &[Lanes]) {
        if self.course == Course::Dense {
            return;
        }
        let (digits, panel, lane) = (self.course.digits(), row / LANES, row % LANES);
        let width = self.image.len();
        let closer: &mut [Digits] = &mut bytemuck::cast_slice_mut(&mut self.closer)[row * width..][..width];
        let second: &mut [DigitLanes] = &mut bytemuck::cast_slice_mut(closer)[..values.len()];
        let found = kernels.quantise(values, &mut self.rest, [&mut self.first_digits, second]);
        let panels: &mut [Digits] = bytemuck::cast_slice_mut(&mut self.panels);
        for (digit, from) in [&self.first_digits[..], second].into_iter().enumerate().take(digits) {
            let place = panel * digits + digit;
            let groups = from.as_flattened().as_chunks::<4>().0;
            for (four, to) in groups.iter().zip(&mut panels[place * self.stride..][..self.stride]) {
                to[lane] = *four;
            }
            self.steps[place][lane] = found.steps[digit];
        }
        let [one, two] = found.left.map(|left| slack(left, found.largest, self.rounding));
        self.slack[panel][lane] = if digits == 2 { two } else { one };
        self.closer_ends[row] = [found.steps[1], two];
    }

    /// Offers the exact scores of all units that can be among the k best of an example, and maybe of some others.
    pub(crate) fn offer(
        &mut self,
        kernels: &Kernels,
        rows: &Matrix,
        pixels: Pixels<'_>,
        first_unit: usize,
        lists: &mut TopK,
    ) {
        let (mut candidates, chunk) = (0, self.bars.len());
        for (samples, first) in pixels.samples.chunks(chunk).zip((0..).step_by(chunk)) {
            let pixels = Pixels { samples, ..pixels };
            self.intervals(kernels, pixels);
            // One example behind, so that the rows that survive are on their way while the next ones are looked for.
            for example in 0..=samples.len() {
                if example < samples.len() {
                    candidates += self.survive(kernels, example, pixels);
                    let Survivors { rows: survivors, count } = &self.survivors[example % 2];
                    survivors[..*count].iter().for_each(|&row| kernels.prefetch(rows.lanes(row as usize)));
                }
                if let Some(example) = example.checked_sub(1) {
                    let Survivors { rows: survivors, count } = &self.survivors[example % 2];
                    let (survivors, scores) = (&survivors[..*count], &mut self.scores[..*count]);
                    kernels.score_few(rows.panel(0, rows.rows()).gather(survivors), pixels.example(example), scores);
                    for (&row, &score) in survivors.iter().zip(scores.iter()) {
                        lists.insert(first + example, score, first_unit as u32 + row);
                    }
                }
            }
        }
        self.judge(candidates, pixels.samples.len() * rows.rows(), kernels, rows);
    }

    /// Packs examples and finds the upper ends of all units, and the bar of every example.
    fn intervals(&mut self, kernels: &Kernels, pixels: Pixels<'_>) {
        let (digits, panels, examples) = (self.course.digits(), self.slack.len(), pixels.samples.len());
        kernels.pack(pixels, &mut self.packed);
        let lower = &mut self.lower[..examples];
        lower.as_flattened_mut().fill([f32::NEG_INFINITY; LANES]);
        let all: &[Digits] = bytemuck::cast_slice(&self.panels);
        for first in (0..panels).step_by(PANELS / digits) {
            let units = (PANELS / digits).min(panels - first);
            let block = Block {
                digits: &all[first * digits * self.stride..],
                stride: self.stride,
                steps: &self.steps[first * digits..][..units * digits],
                slack: &self.slack[first..][..units],
            };
            kernels.screen(block, &self.packed, Ends { upper: &mut self.upper, stride: panels, first, lower });
        }
        kernels.bars(lower, self.k, &mut self.bars[..examples]);
    }

    /// Finds the rows of one example that have to be scored exactly, and returns how many came near.
    fn survive(&mut self, kernels: &Kernels, example: usize, pixels: Pixels<'_>) -> usize {
        let panels = self.slack.len();
        let upper = &self.upper[example * panels..][..panels];
        let Survivors { rows: survivors, count: survived } = &mut self.survivors[example % 2];
        let bar = self.bars[example];
        if self.course == Course::TwoDigits {
            *survived = kernels.reach(upper, bar, survivors);
            return *survived;
        }
        let count = kernels.reach(upper, bar, &mut self.candidates);
        let (candidates, sums) = (&self.candidates[..count], &mut self.sums[..count]);
        self.image.as_flattened_mut().as_flattened_mut()[..pixels.inputs].copy_from_slice(pixels.example(example));
        kernels.look_closer(bytemuck::cast_slice(&self.closer), candidates, &self.image, sums);
        self.best.fill(bar);
        let ink = self.packed.ink[example];
        for (&row, sum) in candidates.iter().zip(sums.iter_mut()) {
            let (row, [step, closer]) = (row as usize, self.closer_ends[row as usize]);
            let first = self.slack[row / LANES][row % LANES];
            let centre = (upper.as_flattened()[row] - first * ink) + *sum * step;
            // NaN for a row of which nothing is known: it holds up no bar, and survives.
            keep_best(&mut self.best, centre - closer * ink);
            *sum = centre + closer * ink;
        }
        let bar = self.best[self.k - 1];
        *survived = 0;
        for (&row, &upper) in candidates.iter().zip(sums.iter()) {
            survivors[*survived] = row;
            *survived += usize::from(!(upper < bar));
        }
        count
    }

    /// Takes another course where too many units came near.
    fn judge(&mut self, candidates: usize, all: usize, kernels: &Kernels, rows: &Matrix) {
        if candidates * 100 <= all * DEAR {
            return;
        }
        match self.course {
            Course::OneDigit => self.take(Course::TwoDigits, kernels, rows),
            _ => self.course = Course::Dense,
        }
        self.left = self.pause;
        self.pause = (self.pause * 2).min(PAUSE.1);
    }
}

/// Keeps the largest numbers, in descending order. NaN is not kept.
fn keep_best(best: &mut [f32], number: f32) {
    let mut at = best.len();
    while at > 0 && number > best[at - 1] {
        at -= 1;
    }
    if at < best.len() {
        best[at..].rotate_right(1);
        best[at] = number;
    }
}

/// a of the module's proof: half the width of an interval, per unit of ink.
fn slack(left: f32, largest: f32, rounding: f64) -> f32 {
    let small = 1.0 / f64::from(1 << 20);
    let bound = f64::from(left) * (1.0 + small / 4.0) + f64::from(largest) * (rounding + small);
    (bound as f32).next_up()
}
