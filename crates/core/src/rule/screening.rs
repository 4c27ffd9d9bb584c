//! Screening: int8 scores show which units can be among the k best of an example. Only those are scored exactly, so the ranks,
//! and with them the weights, have the bits of the dense engine.
//!
//! ```text
//!  bounds of one unit's score        k = 2                          score →
//!
//!  unit 0    ├───────────────┤       upper bound below the threshold: pruned
//!  unit 1            ├───────────────┤                      candidate
//!  unit 2                        ├───────────────┤          candidate, among the k best lower bounds
//!  unit 3                    ├───────────────┤              candidate, among the k best lower bounds
//!                            ↑ threshold: the k-th best lower bound
//! ```
//!
//! # The algorithm
//!
//! ```text
//! for a chunk of examples:
//!     coarse int8 product of all units → an upper and a lower bound of every score
//!     publish the k best lower bounds
//! for each example of the chunk:
//!     threshold = k-th best lower bound of all shards
//!     candidates = units whose upper bound ≥ threshold
//!     refine: residual int8 product of the candidates → bounds about 200 times narrower; publish the k best lower bounds
//!     (16 examples later) prune the candidates by the k-th best narrower lower bound of all shards
//!     score what is left exactly; push it to the top k
//! ```
//!
//! 1. Shards exchange lower bounds without a barrier ([`crate::rule::thresholds`]). The pause of 16 examples gives those of the
//!    others time to arrive; one that is missing costs work, never a unit.
//! 2. Where the coarse bounds leave too many candidates (few large weights among many small ones), both int8 products of all
//!    units are computed; where that leaves too many as well, the dense engine takes over. The coarse level is tried again
//!    later ([`policy`]).
//! 3. An updated row is quantised again while it is in the first-level cache.
//!
//! # The proof
//!
//! Let v be a row of (transformed) weights, x the pixels of an example, X = Σ x, u = 2⁻²⁴, m = max |v|, and S the canonical
//! score of the [crate docs](crate#numerics). The row is kept at two int8 levels, coarse q and residual r, with scales s and
//! s₂: v_i = s q_i + s₂ r_i + e_i.
//!
//! 1. Q = Σ q_i x_i and R = Σ r_i x_i are integers below 127 · 255 · 65 536 < 2³¹, so the integer product is exact.
//! 2. |Σ v_i x_i − (s Q + s₂ R)| ≤ max |e_i| X, and |Σ v_i x_i − s Q| ≤ max |v_i − s q_i| X. `quantise` returns both maxima,
//!    computed by fused multiply-adds: each is known to a factor 1 + u. The error of the residual level, u m / 60, is
//!    covered by point 5.
//! 3. |S − Σ v_i x_i| ≤ γ Σ |v_i| x_i ≤ γ m X, with γ = n u / (1 − n u) for n consecutive roundings: a lane takes at most 64
//!    multiply-adds in a block and four additions of the tree; then the blocks are added.
//! 4. c is the f32 value of s Q or of s Q + s₂ R. It costs two roundings of at most m X each (conversion and product); the
//!    residual level adds one of a sixtieth of that and one more: at most 3.2 u m X. The bounds c ± a X cost one more rounding
//!    each; X < 2²⁴ is exact. Where c is recovered from the upper bound, to add the residual product, that costs two more (the
//!    products a X and s₂ R are so small that their own roundings do not count), and two more by way of point 7.
//! 5. All of point 4 and the rest of point 2 are below 9 u m X. The bounds allow for sixteen: 2⁻²⁰.
//! 6. So with a = max |e_i| (1 + 2⁻²²) + m (γ + 2⁻²⁰), rounded up, S lies in [c − a X, c + a X] (the *uniform bound*); the
//!    same holds for the coarse level with max |v_i − s q_i|.
//! 7. The coarse level has another bound. Let e_i = v_i − s q_i, E = Σ e_i, and M an integer. Then
//!    Σ e_i x_i = M E + Σ e_i (x_i − M), and the last sum is at most ‖e‖ ‖x − M‖ (Cauchy–Schwarz). So S lies in
//!    c + M E ± (‖e‖ ‖x − M‖ + b X). M is the rounded mean of the pixels: it is 0, or at most 2 X / n. E and ‖e‖ are sums over
//!    n / 16 vectors. With w = (n / 16 + 16) u, E is known to w Σ |e_i|, hence M E to 2 w max |e_i| X, and ‖e‖ to a factor
//!    1 + w. So b = m (γ + 2⁻²⁰) + 2 w max |e_i|. An example uses this bound only where (n / 3)^½ ‖x − M‖ < X; then M E and
//!    ‖e‖ ‖x − M‖ are below 2 max |e_i| X, a fiftieth of m X, and their roundings are covered by point 5 as well.
//! 8. Underflow adds at most 2⁻¹⁴⁹ for each of 2¹⁸ operations. Rows with m below 10⁻²⁵ are not quantised; for the others
//!    2⁻²⁰ m is 10⁸ times more. Nothing overflows below 10²⁵. A row outside has the bounds (−∞, ∞); a row of zeros has
//!    S = 0 = c exactly; a blank example has S = 0 for every finite row, and c = 0.
//! 9. At least k lower bounds, of different units, are at or above the threshold: it is the last of a descending list of k. A
//!    unit whose upper bound is below it scores strictly less than k others, so it is not among the k best in the order of
//!    [`crate::TopK`], ties included. Units that are never ranked (S = −∞ or NaN) come only from rows that are not quantised;
//!    their lower bound is −∞ or NaN and never enters a list.
//!
//! Point 6 assumes nothing of the pixels; point 7 counts only their difference from the mean. Natural images are bright and
//! have little contrast: on CIFAR-10 the second bound is a quarter as wide.

pub(in crate::rule) mod levels;
mod policy;

use crate::isa::Kernels;
use crate::kernels::pack::{Packed, Pixels, groups_of};
use crate::kernels::screen::{Bounds, PANELS, RefineRows};
use crate::rule::parameters::{MAX_INPUTS, MAX_RANKS};
use crate::rule::rows::Scored;
use crate::rule::thresholds::{ShardThresholds, Stage, insert_descending};
use crate::rule::top_k::TopK;
use crate::vector::{LANES, Lanes, Pixels64};
use levels::RowLevels;
use policy::{Cost, Level, Policy};

/// Bytes of upper bounds that are kept at once: they should stay in a second-level cache.
const UPPER_BYTES: usize = 512 << 10;
/// Examples between refining and exact scores, so that the thresholds of other shards have arrived.
const LAG: usize = 16;

/// The int8 levels of a shard's rows, and the memory of screening.
#[derive(Debug)]
pub(crate) struct Screen {
    k: usize,
    policy: Policy,
    levels: RowLevels,
    packed: Packed,
    upper: Vec<Lanes>,
    lower: Vec<[Lanes; PANELS]>,
    image: Vec<Pixels64>,
    coarse_candidates: Vec<u32>,
    sums: Vec<f32>,
    refined_lower: Vec<Lanes>,
    best: Vec<f32>,
    /// A ring over the last examples.
    candidates: Vec<Candidates>,
    scores: Vec<f32>,
}

impl Screen {
    /// Allocates for a shard, unless it has no rows. There are at most [`MAX_INPUTS`] and [`MAX_RANKS`].
    pub(crate) fn new(rows: usize, inputs: usize, batch: usize, k: usize) -> Option<Screen> {
        debug_assert!(inputs <= MAX_INPUTS && k <= MAX_RANKS, "{inputs} inputs, k {k}");
        if rows == 0 {
            return None;
        }
        let width = inputs.div_ceil(LANES);
        let panels = rows.div_ceil(LANES);
        let chunk = (UPPER_BYTES / (panels * 64)).clamp(24, batch.max(24)).min(batch);
        let units = panels * LANES;
        Some(Screen {
            k,
            policy: Policy::new(),
            levels: RowLevels::new(rows, inputs),
            packed: Packed::new(chunk, inputs),
            upper: vec![[0.0; LANES]; chunk * panels],
            lower: vec![[[0.0; LANES]; PANELS]; chunk],
            image: vec![[[0; 4]; LANES]; width.div_ceil(4)],
            coarse_candidates: vec![0; units],
            sums: vec![0.0; units],
            refined_lower: vec![[0.0; LANES]; panels],
            best: vec![0.0; k],
            candidates: vec![Candidates::new(units, k); LAG + 2],
            scores: vec![0.0; units],
        })
    }

    /// Whether the int8 levels are kept up to date.
    pub(crate) fn is_active(&self) -> bool {
        self.policy.level != Level::Dense
    }

    /// Whether the next minibatch will be screened.
    pub(crate) fn screens_next(&self) -> bool {
        self.policy.screens_next()
    }

    /// Begins a minibatch: returns whether it is screened, and quantises all rows if that is new.
    pub(crate) fn begin(&mut self, kernels: &Kernels, scored: Scored<'_>) -> bool {
        if let Some(level) = self.policy.before() {
            self.set_level(level, kernels, scored);
        }
        self.is_active()
    }

    fn set_level(&mut self, level: Level, kernels: &Kernels, scored: Scored<'_>) {
        self.policy.level = level;
        if level != Level::Dense {
            (0..scored.rows.rows()).for_each(|row| self.requantise(kernels, scored, row));
        }
    }

    /// Quantises a row that has changed.
    pub(crate) fn requantise(&mut self, kernels: &Kernels, scored: Scored<'_>, row: usize) {
        self.levels.requantise(kernels, scored, row, self.policy.level.depth());
    }

    /// Pushes the exact scores of all units that can be among the k best of an example, and perhaps of some others.
    pub(crate) fn score(
        &mut self,
        kernels: &Kernels,
        scored: Scored<'_>,
        [pixels, next]: [Pixels<'_>; 2],
        thresholds: ShardThresholds<'_>,
        first_unit: usize,
        lists: &mut TopK,
    ) {
        let (mut cost, chunk) = (Cost::default(), self.lower.len());
        for (samples, first) in pixels.samples.chunks(chunk).zip((0..).step_by(chunk)) {
            let pixels = Pixels { samples, ..pixels };
            self.bound(kernels, pixels, thresholds, first);
            cost.groups += self.packed.groups(samples.len());
            thresholds.wait(Stage::All, first + samples.len() - 1);
            for step in 0..samples.len() + LAG + 1 {
                if step < samples.len() {
                    cost.candidates += self.refine(kernels, step, pixels, thresholds, first);
                    if first + step < next.samples.len() {
                        kernels.prefetch(next.example(first + step));
                    }
                }
                // Rows are prefetched one example before they are scored.
                if let Some(example) = step.checked_sub(LAG).filter(|&example| example < samples.len()) {
                    let candidates = &mut self.candidates[example % (LAG + 2)];
                    candidates.prune(first + example, thresholds);
                    candidates.rows().iter().for_each(|&row| kernels.prefetch_row(scored.rows.lanes(row as usize)));
                }
                if let Some(example) = step.checked_sub(LAG + 1) {
                    let rows = self.candidates[example % (LAG + 2)].rows();
                    let scores = &mut self.scores[..rows.len()];
                    let panel = scored.rows.panel(0, scored.rows.rows()).gather(rows);
                    kernels.gemv_gathered(panel, scored.power, pixels.example(example), scores);
                    for (&row, &score) in rows.iter().zip(scores.iter()) {
                        lists.insert(first + example, score, first_unit as u32 + row);
                    }
                }
            }
        }
        let (samples, rows) = (pixels.samples.len(), scored.rows.rows());
        if let Some(level) = self.policy.after(cost, samples, rows, groups_of(pixels.inputs)) {
            self.set_level(level, kernels, scored);
        }
    }

    /// Bounds the scores of all units for some examples, and publishes the best lower bounds.
    fn bound(&mut self, kernels: &Kernels, pixels: Pixels<'_>, thresholds: ShardThresholds<'_>, first: usize) {
        let (depth, panels, examples) = (self.policy.level.depth(), self.levels.panels(), pixels.samples.len());
        kernels.pack(pixels, &mut self.packed);
        let lower = &mut self.lower[..examples];
        lower.as_flattened_mut().fill([f32::NEG_INFINITY; LANES]);
        for first in (0..panels).step_by(PANELS / depth) {
            let bounds = Bounds { upper: &mut self.upper, stride: panels, first, lower };
            kernels.screen(self.levels.block(first, depth), &self.packed, bounds);
        }
        for (example, lower) in lower.iter_mut().enumerate() {
            kernels.top_distinct(lower, &mut self.best);
            // From here on the first lanes hold the list.
            lower.as_flattened_mut()[..self.k].copy_from_slice(&self.best);
            thresholds.publish(Stage::All, first + example, &self.best);
        }
    }

    /// Finds the candidates of one example with their refined upper bounds, and returns how many there are.
    fn refine(
        &mut self,
        kernels: &Kernels,
        example: usize,
        pixels: Pixels<'_>,
        thresholds: ShardThresholds<'_>,
        first: usize,
    ) -> usize {
        let panels = self.levels.panels();
        let upper = &self.upper[example * panels..][..panels];
        let candidates = &mut self.candidates[example % (LAG + 2)];
        let own = &self.lower[example].as_flattened()[..self.k];
        self.best.copy_from_slice(own);
        thresholds.raise(Stage::All, first + example, &mut self.best);
        let threshold = self.best[self.k - 1];
        candidates.threshold = threshold;
        if self.policy.level == Level::Residual {
            candidates.best.copy_from_slice(own);
            candidates.count = kernels.select_ge(upper, threshold, &mut candidates.rows);
            for (upper_of, &row) in candidates.upper.iter_mut().zip(&candidates.rows[..candidates.count]) {
                *upper_of = upper.as_flattened()[row as usize];
            }
            return candidates.count;
        }
        let count = kernels.select_ge(upper, threshold, &mut self.coarse_candidates);
        let (rows, sums) = (&self.coarse_candidates[..count], &mut self.sums[..count]);
        self.image.as_flattened_mut().as_flattened_mut()[..pixels.inputs].copy_from_slice(pixels.example(example));
        let at = RefineRows { levels: self.levels.residual(), rows, example: &self.image };
        kernels.refine_dot(at, sums);
        let (vectors, stats) = (count.div_ceil(LANES), self.packed.stats[example]);
        let lower = &mut self.refined_lower[..vectors];
        if let Some(last) = lower.last_mut() {
            *last = [f32::NEG_INFINITY; LANES];
        }
        for ((&row, &sum), (lower, upper_of)) in
            rows.iter().zip(sums.iter()).zip(lower.as_flattened_mut().iter_mut().zip(&mut candidates.upper))
        {
            let (upper, row) = (upper.as_flattened()[row as usize], self.levels.row(row as usize));
            let (centre, width) = (row.centre(upper, sum, stats), row.uniform * stats.sum);
            // A row that is not quantised has a centre of NaN: it raises no threshold and stays a candidate.
            *lower = centre - width;
            *upper_of = if centre.is_nan() { f32::INFINITY } else { centre + width };
        }
        candidates.best.fill(f32::NEG_INFINITY);
        for numbers in lower.chunks(PANELS) {
            kernels.top_distinct(numbers, &mut self.best);
            for &number in &self.best {
                if !insert_descending(&mut candidates.best, number) {
                    break;
                }
            }
        }
        thresholds.publish(Stage::Candidates, first + example, &candidates.best);
        candidates.rows[..count].copy_from_slice(rows);
        candidates.count = count;
        count
    }
}

/// The units of an example that may have to be scored exactly.
#[derive(Debug, Clone)]
struct Candidates {
    rows: Vec<u32>,
    /// Their upper bounds.
    upper: Vec<f32>,
    count: usize,
    /// The k best lower bounds of own units.
    best: Vec<f32>,
    /// A threshold that is known beside that list: it may count the same units.
    threshold: f32,
}

impl Candidates {
    fn new(units: usize, k: usize) -> Candidates {
        Candidates { rows: vec![0; units], upper: vec![0.0; units], count: 0, best: vec![0.0; k], threshold: 0.0 }
    }

    fn rows(&self) -> &[u32] {
        &self.rows[..self.count]
    }

    /// Drops the rows of an example whose upper bound is below the threshold that is known by now.
    fn prune(&mut self, example: usize, thresholds: ShardThresholds<'_>) {
        thresholds.raise(Stage::Candidates, example, &mut self.best);
        let threshold = self.best[self.best.len() - 1].max(self.threshold);
        let mut kept = 0;
        for i in 0..self.count {
            self.rows[kept] = self.rows[i];
            kept += usize::from(self.upper[i] >= threshold);
        }
        self.count = kept;
    }
}

#[cfg(test)]
mod tests;
