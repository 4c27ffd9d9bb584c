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
//!    products a X, s₂ R are so small that their own roundings are nothing beside it), and two more by way of point 7.
//! 5. All of 4 and what 2 left is below 9 u m X. Sixteen are granted: 2⁻²⁰.
//! 6. So with a = max |e_i| (1 + 2⁻²²) + m (γ + 2⁻²⁰), rounded up, S lies in [c − a X, c + a X]; the same for one digit with
//!    max |v_i − s q_i|.
//! 7. Of one digit there is another interval. Let e_i = v_i − s q_i, E = Σ e_i, and M a whole number. Then
//!    Σ e_i x_i = M E + Σ e_i (x_i − M), whose last sum is at most ‖e‖ ‖x − M‖ (Cauchy and Schwarz). So S lies in
//!    c + M E ± (‖e‖ ‖x − M‖ + b X). M is the rounded mean of the pixels: it is 0, or at most 2 X / n. E and ‖e‖ are sums over
//!    n / 16 vectors: with w = (n / 16 + 16) u, E is known to w Σ |e_i|, hence M E to 2 w max |e_i| X, and ‖e‖ to a factor
//!    1 + w. So b = m (γ + 2⁻²⁰) + 2 w max |e_i|. An example has this interval only where (n / 3)^½ ‖x − M‖ < X, for which M E
//!    and ‖e‖ ‖x − M‖ are below 2 max |e_i| X, a fiftieth of m X: their roundings are covered by 5 as well.
//!
//! Point 6 takes every pixel for as bright as it is; point 7 only its difference from the mean. Natural images are bright and
//! their contrast is small: on CIFAR-10 the second interval is a quarter as wide.
//!
//! Underflow adds at most 2⁻¹⁴⁹ for each of 2¹⁸ operations; rows with m below 10⁻²⁵ are not quantised, and for the others
//! 2⁻²⁰ m is a hundred million times more. Nothing overflows below 10²⁵. A row outside has the interval (−∞, ∞); a row of
//! zeros has S = 0 = c exactly; a blank example has S = 0 for every finite row, and c = 0.
//!
//! At least k lower ends, of different units, reach the bar of an example: the last of a descending list of k. A unit whose
//! upper end does not is less than k others, strictly, so it is not among the k best in the order of [`crate::TopK`], ties
//! included. Units that are never ranked (S = −∞ or NaN) come only from rows that are not quantised; their lower end is −∞ or
//! NaN and holds up no bar.
//!
//! # The course
//!
//! One digit of all units gives a bar and, typically, few candidates in a hundred. Their second digits, kept row by row, give
//! intervals two hundred times narrower, a higher bar, and k survivors or few more: these are scored exactly. Shards tell
//! each other their lists of lower ends as they find them, which raises the bars of all; nobody waits for that, since a list
//! that is not there yet only leaves a lower bar, and more to score exactly. Where one digit leaves too many candidates (few
//! large weights among many small ones), both digits of all units are summed at once; where that leaves too many as well, the
//! dense engine takes over. Both are tried again later.

mod course;
mod digits;
mod place;
mod survivors;

use crate::isa::Kernels;
use crate::kernels::pack::{Packed, Pixels, groups_of};
use crate::kernels::screen::{Bounds, PANELS, RefineRows};
use crate::offers::{Stage, keep_best};
use crate::rows::Scored;
use crate::top_k::TopK;
use crate::vector::{LANES, Lanes, Pixels64};
use course::{Course, Courses, Toll};
use digits::RowDigits;
pub(crate) use place::Place;
use survivors::Survivors;

/// The longest example whose integer scores fit 32 bits.
pub(crate) const MOST_INPUTS: usize = 1 << 16;
/// With more ranks than this too many of them would share a lane of the lower ends.
pub(crate) const MOST_RANKS: usize = 32;
/// Bytes of upper ends that are kept at once: they should stay in a second-level cache.
const UPPER_BYTES: usize = 512 << 10;
/// Examples between finding survivors and scoring them, so that the bars of other shards have come.
const LAG: usize = 16;

/// The digits of a shard's rows, and the memory of screening.
#[derive(Debug)]
pub(crate) struct Screen {
    k: usize,
    courses: Courses,
    digits: RowDigits,
    packed: Packed,
    upper: Vec<Lanes>,
    lower: Vec<[Lanes; PANELS]>,
    image: Vec<Pixels64>,
    candidates: Vec<u32>,
    sums: Vec<f32>,
    lower_of_candidates: Vec<Lanes>,
    best: Vec<f32>,
    /// Of the last examples, in turn.
    survivors: Vec<Survivors>,
    scores: Vec<f32>,
}

impl Screen {
    /// Makes room for a shard, unless it has no rows. There are at most [`MOST_INPUTS`] and [`MOST_RANKS`].
    pub(crate) fn new(rows: usize, inputs: usize, batch: usize, k: usize) -> Option<Screen> {
        debug_assert!(inputs <= MOST_INPUTS && k <= MOST_RANKS, "{inputs} inputs, k {k}");
        if rows == 0 {
            return None;
        }
        let width = inputs.div_ceil(LANES);
        let panels = rows.div_ceil(LANES);
        let chunk = (UPPER_BYTES / (panels * 64)).clamp(24, batch.max(24)).min(batch);
        let units = panels * LANES;
        Some(Screen {
            k,
            courses: Courses::new(),
            digits: RowDigits::new(rows, inputs),
            packed: Packed::new(chunk, inputs),
            upper: vec![[0.0; LANES]; chunk * panels],
            lower: vec![[[0.0; LANES]; PANELS]; chunk],
            image: vec![[[0; 4]; LANES]; width.div_ceil(4)],
            candidates: vec![0; units],
            sums: vec![0.0; units],
            lower_of_candidates: vec![[0.0; LANES]; panels],
            best: vec![0.0; k],
            survivors: vec![Survivors::new(units, k); LAG + 2],
            scores: vec![0.0; units],
        })
    }

    /// Whether digits are kept at present.
    pub(crate) fn screens(&self) -> bool {
        self.courses.now != Course::Dense
    }

    /// Whether the next minibatch will be screened.
    pub(crate) fn is_due(&self) -> bool {
        self.courses.screens_next()
    }

    /// Whether the next minibatch is to be screened. Brings the digits up to date if they have to be.
    pub(crate) fn begin(&mut self, kernels: &Kernels, scored: Scored<'_>) -> bool {
        if let Some(course) = self.courses.before() {
            self.take(course, kernels, scored);
        }
        self.screens()
    }

    fn take(&mut self, course: Course, kernels: &Kernels, scored: Scored<'_>) {
        self.courses.now = course;
        if course != Course::Dense {
            (0..scored.rows.rows()).for_each(|row| self.renew(kernels, scored, row));
        }
    }

    /// Brings the digits of one row up to date.
    pub(crate) fn renew(&mut self, kernels: &Kernels, scored: Scored<'_>, row: usize) {
        self.digits.renew(kernels, scored, row, self.courses.now.digits());
    }

    /// Offers the exact scores of all units that can be among the k best of an example, and maybe of some others.
    pub(crate) fn offer(
        &mut self,
        kernels: &Kernels,
        scored: Scored<'_>,
        [pixels, next]: [Pixels<'_>; 2],
        place: Place<'_>,
        lists: &mut TopK,
    ) {
        let (mut toll, chunk) = (Toll::default(), self.lower.len());
        for (samples, first) in pixels.samples.chunks(chunk).zip((0..).step_by(chunk)) {
            let pixels = Pixels { samples, ..pixels };
            self.intervals(kernels, pixels, place, first);
            toll.groups += self.packed.groups(samples.len());
            place.offers.wait_for_bars(place.bars(Stage::All, first + samples.len() - 1));
            for step in 0..samples.len() + LAG + 1 {
                if step < samples.len() {
                    toll.candidates += self.survive(kernels, step, pixels, place, first);
                    if first + step < next.samples.len() {
                        kernels.prefetch(next.example(first + step));
                    }
                }
                // Rows are asked for one example before they are scored.
                if let Some(example) = step.checked_sub(LAG).filter(|&example| example < samples.len()) {
                    let survivors = &mut self.survivors[example % (LAG + 2)];
                    survivors.settle(first + example, place);
                    survivors.rows().iter().for_each(|&row| kernels.prefetch_row(scored.rows.lanes(row as usize)));
                }
                if let Some(example) = step.checked_sub(LAG + 1) {
                    let rows = self.survivors[example % (LAG + 2)].rows();
                    let scores = &mut self.scores[..rows.len()];
                    let panel = scored.rows.panel(0, scored.rows.rows()).gather(rows);
                    kernels.gemv_gathered(panel, scored.power, pixels.example(example), scores);
                    for (&row, &score) in rows.iter().zip(scores.iter()) {
                        lists.insert(first + example, score, place.first_unit as u32 + row);
                    }
                }
            }
        }
        let (samples, rows) = (pixels.samples.len(), scored.rows.rows());
        if let Some(course) = self.courses.after(toll, samples, rows, groups_of(pixels.inputs)) {
            self.take(course, kernels, scored);
        }
    }

    /// Packs examples, finds the upper ends of all units, and tells the others the highest lower ends.
    fn intervals(&mut self, kernels: &Kernels, pixels: Pixels<'_>, place: Place<'_>, first: usize) {
        let (count, panels, examples) = (self.courses.now.digits(), self.digits.panels(), pixels.samples.len());
        kernels.pack(pixels, &mut self.packed);
        let lower = &mut self.lower[..examples];
        lower.as_flattened_mut().fill([f32::NEG_INFINITY; LANES]);
        for first in (0..panels).step_by(PANELS / count) {
            let ends = Bounds { upper: &mut self.upper, stride: panels, first, lower };
            kernels.screen(self.digits.block(first, count), &self.packed, ends);
        }
        for (example, lower) in lower.iter_mut().enumerate() {
            kernels.top_distinct(lower, &mut self.best);
            // From here on the first lanes hold the list.
            lower.as_flattened_mut()[..self.k].copy_from_slice(&self.best);
            place.offers.publish_bars(place.bars(Stage::All, first + example), &self.best);
        }
    }

    /// Finds the rows of one example that may have to be scored exactly, and returns how many came near.
    fn survive(
        &mut self,
        kernels: &Kernels,
        example: usize,
        pixels: Pixels<'_>,
        place: Place<'_>,
        first: usize,
    ) -> usize {
        let panels = self.digits.panels();
        let upper = &self.upper[example * panels..][..panels];
        let survivors = &mut self.survivors[example % (LAG + 2)];
        let own = &self.lower[example].as_flattened()[..self.k];
        self.best.copy_from_slice(own);
        place.offers.raise_bars(place.bars(Stage::All, first + example), &mut self.best);
        let bar = self.best[self.k - 1];
        survivors.bar = bar;
        if self.courses.now == Course::TwoDigits {
            survivors.best.copy_from_slice(own);
            survivors.count = kernels.select_ge(upper, bar, &mut survivors.rows);
            for (upper_of, &row) in survivors.upper.iter_mut().zip(&survivors.rows[..survivors.count]) {
                *upper_of = upper.as_flattened()[row as usize];
            }
            return survivors.count;
        }
        let count = kernels.select_ge(upper, bar, &mut self.candidates);
        let (candidates, sums) = (&self.candidates[..count], &mut self.sums[..count]);
        self.image.as_flattened_mut().as_flattened_mut()[..pixels.inputs].copy_from_slice(pixels.example(example));
        let closer = RefineRows { levels: self.digits.second(), rows: candidates, example: &self.image };
        kernels.refine_dot(closer, sums);
        let (vectors, ink) = (count.div_ceil(LANES), self.packed.stats[example]);
        let lower = &mut self.lower_of_candidates[..vectors];
        if let Some(last) = lower.last_mut() {
            *last = [f32::NEG_INFINITY; LANES];
        }
        for ((&row, &sum), (lower, upper_of)) in
            candidates.iter().zip(sums.iter()).zip(lower.as_flattened_mut().iter_mut().zip(&mut survivors.upper))
        {
            let (upper, row) = (upper.as_flattened()[row as usize], self.digits.row(row as usize));
            let (centre, width) = (row.centre(upper, sum, ink), row.uniform * ink.sum);
            // The centre of a row of which nothing is known is NaN: it holds up no bar, and survives.
            *lower = centre - width;
            *upper_of = if centre.is_nan() { f32::INFINITY } else { centre + width };
        }
        survivors.best.fill(f32::NEG_INFINITY);
        for numbers in lower.chunks(PANELS) {
            kernels.top_distinct(numbers, &mut self.best);
            for &number in &self.best {
                if !keep_best(&mut survivors.best, number) {
                    break;
                }
            }
        }
        place.offers.publish_bars(place.bars(Stage::Candidates, first + example), &survivors.best);
        survivors.rows[..count].copy_from_slice(candidates);
        survivors.count = count;
        count
    }
}

#[cfg(test)]
mod tests;
