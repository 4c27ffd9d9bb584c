//! Units of one worker whose scores are computed exactly only where they reach a threshold: screening for learners in which
//! ranks play no part.
//!
//! ```text
//! bound       int8 product of all units → an upper bound of every score, and a lower bound of the largest of each example
//!             (the caller derives a threshold for each example, from the numbers of all workers)
//! at_least    the exact scores of the units whose upper bound reaches the threshold
//! ```
//!
//! The bounds are those of [`crate::rule::screening`], with its coarse level alone. Where too many units reach the threshold,
//! or the inputs are floats, all scores are computed and nothing is bounded.

use crate::inputs::{Elements, Inputs};
use crate::isa::Kernels;
use crate::kernels::pack::{Packed, Pixels};
use crate::kernels::screen::{Bounds, PANELS};
use crate::matrix::{Matrix, Panel};
use crate::ops;
use crate::rule::layer::Layer;
use crate::rule::parameters::{Engine, Rule};
use crate::rule::rows::Rows;
use crate::rule::screening::levels::RowLevels;
use crate::vector::{LANES, Lanes};
use std::ops::Range;

/// Screening pauses if more than one in this many units is a candidate: exact scores of single units cost several times
/// those of the dense product.
const DENSE_FROM: usize = 8;
/// For so many minibatches, over which quantising all units once more costs little.
const PAUSE: usize = 256;

/// The units of one worker, scored exactly only where they reach a threshold.
///
/// # Example
/// ```
/// use rivalry_core::{Inputs, Kernels, Layer, Matrix, Random, Rule, ScreenedUnits};
/// let pixels: Vec<u8> = (0..4 * 9).map(|i| (i * 31 % 256) as u8).collect();
/// let inputs = Inputs::u8(&pixels, 9)?;
/// let (kernels, rule) = (Kernels::best(), Rule::new(3.0, 2, 0.4)?);
/// let layer = Layer::normal(20, 9, 1.0, &mut Random::keyed(1, "weights", 0))?;
/// let mut units = ScreenedUnits::new(&layer, 5..20, &rule, 4);
/// let (samples, mut staged, mut reached) = ([2, 0, 1, 3], Matrix::zeros(4, 9), [0.0; 4]);
/// let examples = inputs.stage_all(kernels, samples.iter().map(|&sample| sample as usize), &mut staged);
/// units.bound(kernels, &rule, &inputs, &samples, examples, &mut reached);
/// let mut found = Vec::new();
/// units.at_least(kernels, &rule, &inputs, (0, samples[0]), reached[0], |unit, score| found.push((unit, score)));
/// assert!(found.iter().any(|(_, score)| *score >= reached[0]));
/// # Ok::<(), rivalry_core::Error>(())
/// ```
#[derive(Debug)]
pub struct ScreenedUnits {
    rows: Rows,
    batch: usize,
    /// Present once there was something to screen.
    screen: Option<Screen>,
    /// The present minibatch is screened.
    screened: bool,
    /// Minibatches until screening is tried.
    pause: usize,
    /// Scores that the present minibatch has, and those of its candidates.
    all: usize,
    found: usize,
    /// All scores [batch × units], where nothing is screened.
    scores: Matrix,
    candidates: Vec<u32>,
}

#[derive(Debug)]
struct Screen {
    levels: RowLevels,
    /// Levels are those of the rows as they are.
    current: bool,
    packed: Packed,
    /// Upper bounds [batch × panels].
    upper: Vec<Lanes>,
    lower: Vec<[Lanes; PANELS]>,
    exact: Vec<f32>,
}

impl Screen {
    fn new(rows: usize, inputs: usize, batch: usize) -> Screen {
        let panels = rows.div_ceil(LANES);
        Screen {
            levels: RowLevels::new(rows, inputs),
            current: false,
            packed: Packed::new(batch, inputs),
            upper: vec![[0.0; LANES]; batch * panels],
            lower: vec![[[0.0; LANES]; PANELS]; batch],
            exact: vec![0.0; panels * LANES],
        }
    }
}

impl ScreenedUnits {
    /// Copies the units of a range out of a layer. Called by the worker that will own them, so that the memory is near it.
    ///
    /// # Panics
    /// If the layer does not have these units.
    ///
    /// # Allocates
    /// The weights, their powers, and the scores of a minibatch; half as much again with the first minibatch of u8 inputs.
    pub fn new(layer: &Layer, units: Range<usize>, rule: &Rule, batch: usize) -> ScreenedUnits {
        let count = units.len();
        ScreenedUnits {
            rows: Rows::new(units, layer, rule),
            batch,
            screen: None,
            screened: false,
            pause: 0,
            all: 0,
            found: 0,
            scores: Matrix::zeros(batch, count),
            candidates: vec![0; count.next_multiple_of(LANES)],
        }
    }

    /// The weights [units × inputs].
    pub fn weights(&self) -> &Matrix {
        self.rows.weights()
    }

    /// Bounds the scores Σ w′ x of every unit for a minibatch. `examples` are its samples, staged and unscaled. Writes to
    /// `reached`, for each example, a lower bound of the largest score of these units; −∞ where none is known, and NaN where a
    /// score was found that is not finite.
    ///
    /// # Panics
    /// If there are more samples than the batch that this was made for, or not as many examples and numbers as samples.
    ///
    /// # Allocates
    /// Nothing but at the first call with u8 inputs.
    pub fn bound(
        &mut self,
        kernels: &Kernels,
        rule: &Rule,
        inputs: &Inputs<'_>,
        samples: &[u32],
        examples: Panel<'_>,
        reached: &mut [f32],
    ) {
        let count = samples.len();
        assert!(count <= self.batch, "{count} samples in a minibatch of {}", self.batch);
        assert_eq!([examples.rows(), reached.len()], [count; 2], "examples, and numbers for them");
        reached.fill(f32::NEG_INFINITY);
        let units = self.rows.weights().rows();
        if units == 0 {
            return;
        }
        if self.screened && self.found * DENSE_FROM > self.all {
            self.pause = PAUSE;
        }
        (self.all, self.found) = (count * units, 0);
        let pixels = match inputs.elements() {
            Elements::U8(all) if Engine::Auto.on(inputs, 1) == Ok(Engine::Screened) => Some(all),
            _ => None,
        };
        self.screened = pixels.is_some() && self.pause == 0;
        self.pause = self.pause.saturating_sub(1);
        let scored = self.rows.refresh(kernels, rule, self.screened);
        let Some(all) = pixels.filter(|_| self.screened) else {
            self.screen.iter_mut().for_each(|screen| screen.current = false);
            ops::gemm_nt_into(kernels, scored.rows.panel(0, units), examples, &mut self.scores, [0, 0]);
            for (example, reached) in reached.iter_mut().enumerate() {
                *reached = largest(self.scores.row(example)).unwrap_or(f32::NAN);
            }
            return;
        };
        let screen = self.screen.get_or_insert_with(|| Screen::new(units, inputs.inputs(), self.batch));
        if !screen.current {
            (0..units).for_each(|row| screen.levels.requantise(kernels, scored, row, 1));
            screen.current = true;
        }
        kernels.pack(Pixels { all, inputs: inputs.inputs(), samples }, &mut screen.packed);
        let (panels, lower) = (screen.levels.panels(), &mut screen.lower[..count]);
        lower.as_flattened_mut().fill([f32::NEG_INFINITY; LANES]);
        for first in (0..panels).step_by(PANELS) {
            let bounds = Bounds { upper: &mut screen.upper, stride: panels, first, lower };
            kernels.screen(screen.levels.block(first, 1), &screen.packed, bounds);
        }
        for (lower, reached) in lower.iter().zip(reached) {
            kernels.top_distinct(lower, std::slice::from_mut(reached));
        }
    }

    /// Gives the exact scores of all units that can reach a threshold for an example of the minibatch that was bounded last,
    /// and perhaps of some others, in the order of the units. `place` is its position in the minibatch, `sample` its number in
    /// the inputs. A unit that is not given has a finite score below the threshold, unless [`ScreenedUnits::bound`] wrote NaN.
    ///
    /// # Panics
    /// If the example was not bounded.
    ///
    /// # Allocates
    /// Nothing.
    pub fn at_least(
        &mut self,
        kernels: &Kernels,
        rule: &Rule,
        inputs: &Inputs<'_>,
        (place, sample): (usize, u32),
        threshold: f32,
        mut give: impl FnMut(usize, f32),
    ) {
        let (units, candidates) = (self.rows.weights().rows(), &mut self.candidates[..]);
        match (&mut self.screen, inputs.elements()) {
            (Some(screen), Elements::U8(all)) if self.screened => {
                let panels = screen.levels.panels();
                let count = kernels.select_ge(&screen.upper[place * panels..][..panels], threshold, candidates);
                self.found += count;
                let (rows, exact) = (&candidates[..count], &mut screen.exact[..count]);
                let (scored, pixels) = (self.rows.scored(rule, true), inputs.inputs());
                let panel = scored.rows.panel(0, units).gather(rows);
                kernels.gemv_gathered(panel, scored.power, &all[sample as usize * pixels..][..pixels], exact);
                rows.iter().zip(exact).for_each(|(&row, &mut score)| give(row as usize, score));
            }
            _ if units > 0 => {
                let count = kernels.select_ge(self.scores.lanes(place), threshold, candidates);
                let scores = self.scores.row(place);
                let rows = candidates[..count].iter().map(|&row| row as usize).take_while(|&row| row < units);
                rows.for_each(|row| give(row, scores[row]));
            }
            _ => {}
        }
    }

    /// Changes the weights of a unit, and what its scores are computed from.
    pub fn change(&mut self, kernels: &Kernels, rule: &Rule, row: usize, change: impl FnOnce(&mut [f32])) {
        let inputs = self.rows.weights().columns();
        self.rows.change(kernels, rule, self.screened, row, |lanes| change(&mut lanes.as_flattened_mut()[..inputs]));
        if let Some(screen) = self.screen.as_mut().filter(|screen| screen.current) {
            screen.levels.requantise(kernels, self.rows.scored(rule, self.screened), row, 1);
        }
    }
}

/// The largest number; `None` if one is not finite.
fn largest(numbers: &[f32]) -> Option<f32> {
    // As integers of the same order (see `f32::total_cmp`), whose extremes are computed in vectors. NaN lies beyond ±∞.
    let ordered = |bits: i32| bits ^ ((bits >> 31) & i32::MAX);
    let (mut least, mut most) = (i32::MAX, i32::MIN);
    for number in numbers {
        let key = ordered(number.to_bits() as i32);
        (least, most) = (least.min(key), most.max(key));
    }
    let [least, most] = [least, most].map(|key| f32::from_bits(ordered(key) as u32));
    (least.is_finite() && most.is_finite()).then_some(most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    const INPUTS: usize = 50;
    const BATCH: usize = 6;

    struct Case {
        layer: Layer,
        rule: Rule,
        pixels: Vec<u8>,
    }

    /// Few large weights in every row, as after learning.
    fn case(units: usize, p: f64) -> Case {
        let mut random = Random::keyed(1, "screened", 0);
        let rows: Vec<f32> = (0..units * INPUTS).map(|_| (random.normal() * random.uniform()) as f32).collect();
        let pixels =
            (0..BATCH * INPUTS).map(|i| if i % 3 == 0 { 0 } else { (random.next_u64() >> 56) as u8 }).collect();
        Case { layer: Layer::from_rows(units, INPUTS, &rows).unwrap(), rule: Rule::new(p, 2, 0.4).unwrap(), pixels }
    }

    /// The scores of all units for an example, by the dense product.
    fn dense(kernels: &Kernels, rule: &Rule, weights: &Matrix, inputs: &Inputs<'_>, sample: usize) -> Vec<f32> {
        let (units, mut powers) = (weights.rows(), Matrix::zeros(weights.rows(), INPUTS));
        let (mut staged, mut scores) = (Matrix::zeros(1, INPUTS), Matrix::zeros(1, units));
        ops::signed_power(kernels, rule, weights, 0..units, &mut powers);
        let example = inputs.stage_all(kernels, std::iter::once(sample), &mut staged);
        ops::gemm_nt_into(kernels, powers.panel(0, units), example, &mut scores, [0, 0]);
        scores.row(0).to_vec()
    }

    /// Bounds a minibatch and checks what comes of it against the dense product; returns how many scores were given.
    fn check(units: &mut ScreenedUnits, kernels: &Kernels, rule: &Rule, inputs: &Inputs<'_>, share: f32) -> usize {
        let (samples, mut staged) = ([5, 0, 3, 1, 2, 4], Matrix::zeros(BATCH, INPUTS));
        let (mut reached, mut given) = ([0.0; BATCH], 0);
        let examples = inputs.stage_all(kernels, samples.iter().map(|&sample| sample as usize), &mut staged);
        units.bound(kernels, rule, inputs, &samples, examples, &mut reached);
        for (place, (&sample, &reached)) in samples.iter().zip(&reached).enumerate() {
            let expected = dense(kernels, rule, units.weights(), inputs, sample as usize);
            assert!(expected.iter().any(|score| *score >= reached), "{reached} is above every score");
            let threshold = share * reached;
            let mut found = Vec::new();
            units.at_least(kernels, rule, inputs, (place, sample), threshold, |row, score| found.push((row, score)));
            for &(row, score) in &found {
                assert_eq!(score.to_bits(), expected[row].to_bits(), "unit {row}");
            }
            assert!(found.is_sorted_by_key(|(row, _)| *row));
            let strong = expected.iter().enumerate().filter(|(_, score)| **score >= threshold);
            let missing: Vec<usize> =
                strong.map(|(row, _)| row).filter(|row| found.iter().all(|it| it.0 != *row)).collect();
            assert!(missing.is_empty(), "units {missing:?} reach {threshold} and are not given");
            given += found.len();
        }
        given
    }

    #[test]
    fn what_reaches_the_threshold_is_given_with_the_bits_of_the_dense_product() {
        for kernels in Kernels::all() {
            for (units, p) in [(1, 3.0), (70, 2.0), (150, 2.5), (150, 3.0), (40, 5.0)] {
                let Case { layer, rule, pixels } = case(units, p);
                let inputs = Inputs::u8(&pixels, INPUTS).unwrap();
                let mut screened = ScreenedUnits::new(&layer, 0..units, &rule, BATCH);
                for round in 0..4 {
                    let given = check(&mut screened, kernels, &rule, &inputs, 0.8);
                    assert!(units < 100 || given < BATCH * units / 4, "{given} of {units} units are candidates");
                    for row in (0..units).step_by(3) {
                        screened.change(kernels, &rule, row, |weights| weights[round] += 0.5);
                    }
                }
                let values: Vec<f32> = pixels.iter().map(|&pixel| f32::from(pixel) / 100.0 - 1.0).collect();
                check(&mut screened, kernels, &rule, &Inputs::f32(&values, INPUTS).unwrap(), 0.9);
                assert!(!screened.screened);
                screened.change(kernels, &rule, 0, |weights| weights.fill(-0.25));
                check(&mut screened, kernels, &rule, &inputs, 0.8);
            }
        }
    }

    #[test]
    fn with_too_many_candidates_nothing_is_screened_for_a_while() {
        let (kernels, Case { layer, rule, pixels }) = (Kernels::best(), case(150, 3.0));
        let inputs = Inputs::u8(&pixels, INPUTS).unwrap();
        let mut units = ScreenedUnits::new(&layer, 0..150, &rule, BATCH);
        check(&mut units, kernels, &rule, &inputs, -9.0);
        assert!(units.screened);
        for minibatch in 0..PAUSE {
            check(&mut units, kernels, &rule, &inputs, 0.8);
            assert!(!units.screened, "minibatch {minibatch}");
            units.change(kernels, &rule, minibatch % 150, |weights| weights[0] += 0.01);
        }
        check(&mut units, kernels, &rule, &inputs, 0.8);
        assert!(units.screened);
    }

    #[test]
    fn a_score_that_is_not_finite_is_known_or_given() {
        let (kernels, Case { layer, rule, pixels }) = (Kernels::best(), case(20, 3.0));
        let (mut rows, samples) = (layer.to_rows(), [0, 1, 2, 3, 4, 5]);
        rows[7 * INPUTS..8 * INPUTS].fill(3e19);
        let layer = Layer::from_rows(20, INPUTS, &rows).unwrap();
        let values: Vec<f32> = pixels.iter().map(|&pixel| f32::from(pixel)).collect();
        for inputs in [Inputs::u8(&pixels, INPUTS).unwrap(), Inputs::f32(&values, INPUTS).unwrap()] {
            let mut units = ScreenedUnits::new(&layer, 0..20, &rule, BATCH);
            let (mut staged, mut reached) = (Matrix::zeros(BATCH, INPUTS), [0.0; BATCH]);
            let examples = inputs.stage_all(kernels, 0..BATCH, &mut staged);
            units.bound(kernels, &rule, &inputs, &samples, examples, &mut reached);
            for (place, sample) in samples.into_iter().enumerate() {
                let (mut found, threshold) = (Vec::new(), reached[place].max(0.0));
                units.at_least(kernels, &rule, &inputs, (place, sample), threshold, |row, score| {
                    found.push((row, score))
                });
                let given = found.iter().any(|(row, score)| *row == 7 && !score.is_finite());
                assert!(given || reached[place].is_nan(), "{found:?}");
            }
        }
    }

    #[test]
    fn a_worker_without_units_gives_nothing() {
        let (kernels, Case { layer, rule, pixels }) = (Kernels::best(), case(3, 2.0));
        let inputs = Inputs::u8(&pixels, INPUTS).unwrap();
        let mut units = ScreenedUnits::new(&layer, 3..3, &rule, BATCH);
        let (mut staged, mut reached) = (Matrix::zeros(BATCH, INPUTS), [0.0]);
        let example = inputs.stage_all(kernels, std::iter::once(4), &mut staged);
        units.bound(kernels, &rule, &inputs, &[4], example, &mut reached);
        assert_eq!(reached, [f32::NEG_INFINITY]);
        units.at_least(kernels, &rule, &inputs, (0, 4), f32::NEG_INFINITY, |row, _| panic!("unit {row}"));
    }

    #[test]
    fn the_largest_of_finite_numbers() {
        assert_eq!(largest(&[-2.0, -0.5, -3.0]), Some(-0.5));
        for number in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(largest(&[0.0, number, 1.0]), None);
        }
    }
}
