//! The steady state of hidden units that inhibit each other, in closed form.
//!
//! ```text
//! τ dh_μ/dt = I_μ − w Σ_{ν≠μ} max(h_ν, 0) − h_μ = 0
//! ```
//! With A the active units (h > 0) and S = Σ_A h, an active unit has h = (I − w S)/(1 − w) and any other h = I − w S. The sum
//! over A gives S = Σ_A I / (1 − w + w |A|), and a unit is active if I > w S.
//!
//! 1. For w < 1, A is found as in projections onto a simplex (Michelot 1986): start from all positive currents and drop those
//!    with I ≤ w S until none is left to drop. Dropping never lowers S, so a dropped unit stays out, and few rounds are needed.
//! 2. For w ≥ 1 only one unit can stay active. From h = 0 on it is the one of the largest current.
//!
//! Sums are taken in f64 in the order of the units, so nothing depends on threads or instruction sets.
//!
//! Few units are active where w is near 1. All others are passed over by [`at_least`], many at a time.

/// What decides about the activity and the plasticity of every unit for one example.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct SteadyState {
    /// w S: the inhibition of a unit that is not active.
    inhibition: f64,
    /// The unit of the largest current, the lowest among equals.
    pub(super) winner: u32,
    /// The activity of that unit, the largest of all.
    pub(super) largest: f64,
    /// No unit with a smaller current has h ≥ 0.
    pub(super) least: f32,
}

impl SteadyState {
    /// Finds the steady state for the currents of all units; `None` if one is not finite. `active` is working memory.
    pub(super) fn of(currents: &[f32], w_inh: f64, active: &mut Vec<f64>) -> Option<SteadyState> {
        let most = largest(currents)?;
        let (winner, _) = at_least(most, currents).next()?;
        let sum = if w_inh < 1.0 { sum_of_active(currents, most, w_inh, active) } else { f64::from(most.max(0.0)) };
        let inhibition = w_inh * sum;
        // Rounding keeps the order: a current, which is an f32, below the rounded bound is below the bound.
        let least = inhibition.min(f64::from(most)) as f32;
        let state = SteadyState { inhibition, winner: winner as u32, largest: 0.0, least };
        Some(SteadyState { largest: state.activity(winner, most, w_inh), ..state })
    }

    /// The activity h of a unit with this current.
    pub(super) fn activity(&self, unit: usize, current: f32, w_inh: f64) -> f64 {
        let current = f64::from(current);
        let excess = current - self.inhibition;
        if w_inh < 1.0 {
            if excess > 0.0 { excess / (1.0 - w_inh) } else { excess }
        } else if unit == self.winner as usize {
            current
        } else {
            excess
        }
    }
}

/// The numbers of at least `least` and their places, in order. Many smaller ones are passed over at once.
pub(super) fn at_least(least: f32, numbers: &[f32]) -> impl Iterator<Item = (usize, f32)> {
    const MANY: usize = 64;
    // Not `any`, which would stop at the first and so is not computed in vectors.
    let some = move |numbers: &[f32]| numbers.iter().fold(false, |some, number| some | (*number >= least));
    let chunks = numbers.chunks(MANY).enumerate().filter(move |(_, numbers)| some(numbers));
    let numbers = chunks.flat_map(|(chunk, numbers)| (chunk * MANY..).zip(numbers.iter().copied()));
    numbers.filter(move |(_, number)| *number >= least)
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

/// S = Σ_A h for w < 1, of the active units.
///
/// S is at least the largest current I: with that unit alone S = I, and each active one more raises S, since S becomes
/// (S D + I_μ)/(D + w) with I_μ > w S. So only currents above w I are looked at.
fn sum_of_active(currents: &[f32], most: f32, w_inh: f64, active: &mut Vec<f64>) -> f64 {
    let candidates = at_least((w_inh * f64::from(most)) as f32, currents).filter(|(_, current)| *current > 0.0);
    active.clear();
    active.extend(candidates.map(|(_, current)| f64::from(current)));
    drop_inactive(active, w_inh)
}

/// Drops currents of at most w S until none is left to drop, and returns S.
fn drop_inactive(active: &mut Vec<f64>, w_inh: f64) -> f64 {
    loop {
        let before = active.len();
        let sum = active.iter().sum::<f64>() / (1.0 - w_inh + w_inh * before as f64);
        active.retain(|&current| current > w_inh * sum);
        if active.len() == before {
            return sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rivalry_core::{Random, reference};

    fn activities(currents: &[f32], w_inh: f64) -> Vec<f64> {
        let state = SteadyState::of(currents, w_inh, &mut Vec::new()).unwrap();
        let all: Vec<f64> = (0..currents.len()).map(|unit| state.activity(unit, currents[unit], w_inh)).collect();
        assert_eq!(state.largest, all.iter().copied().fold(f64::NEG_INFINITY, f64::max));
        all
    }

    #[test]
    fn the_closed_form_is_where_the_dynamics_end() {
        let mut random = Random::keyed(1, "steady-state", 0);
        for w_inh in [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 1.0, 1.5, 3.0] {
            for units in [1, 2, 3, 10, 40] {
                for shift in [-2.0, 0.0, 1.0] {
                    let currents: Vec<f32> = (0..units).map(|_| (random.normal() + shift) as f32).collect();
                    let exact: Vec<f64> = currents.iter().map(|&current| f64::from(current)).collect();
                    // Slow modes decay with rate 1 − w; for w = 1 the two best drift apart with their difference.
                    let step = 0.5 / (1.0 + w_inh * units as f64);
                    let expected = reference::hidden_dynamics(&exact, w_inh, step, (4000.0 / step) as usize);
                    for (found, expected) in activities(&currents, w_inh).iter().zip(&expected) {
                        let difference = (found - expected).abs();
                        assert!(difference <= 1e-6, "w {w_inh}, {units} units: {found} for {expected}");
                    }
                }
            }
        }
    }

    #[test]
    fn edges() {
        // No unit is driven, so none inhibits.
        assert_eq!(activities(&[-1.0, -0.5], 0.9), [-1.0, -0.5]);
        assert_eq!(activities(&[0.0, 0.0], 2.0), [0.0, 0.0]);
        // Equal currents are all active for w < 1; the lowest unit wins for w ≥ 1.
        let half = activities(&[1.0, 1.0], 0.5);
        assert!(half.iter().all(|h| (h - 2.0 / 3.0).abs() < 1e-15), "{half:?}");
        assert_eq!(activities(&[1.0, 1.0], 2.0), [1.0, -1.0]);
        assert_eq!(SteadyState::of(&[1.0, f32::NAN], 0.5, &mut Vec::new()), None);
        assert_eq!(SteadyState::of(&[f32::INFINITY], 2.0, &mut Vec::new()), None);
    }

    #[test]
    fn the_sum_has_the_bits_of_a_search_among_all_positive_currents() {
        let mut random = Random::keyed(2, "steady-state", 0);
        let mut active = Vec::new();
        for round in 0..3000 {
            let (units, w_inh) = (1 + round % 300, [0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99][round % 7]);
            // Half of the rounds have integer currents, so that many are equal.
            let whole = round % 2 == 0;
            let currents = (0..units).map(|_| 4.0 * random.normal()).map(|i| if whole { i.round() } else { i } as f32);
            let currents: Vec<f32> = currents.collect();
            let positive = currents.iter().filter(|current| **current > 0.0);
            let expected = drop_inactive(&mut positive.map(|&current| f64::from(current)).collect(), w_inh);
            let most = largest(&currents).unwrap();
            let found = sum_of_active(&currents, most, w_inh, &mut active);
            assert_eq!(found.abs().to_bits(), expected.abs().to_bits(), "{units} units, w {w_inh}");
        }
    }

    #[test]
    fn no_unit_below_the_least_current_has_an_activity_of_0_or_more() {
        let mut random = Random::keyed(3, "steady-state", 0);
        for round in 0..300 {
            let w_inh = [0.0, 0.3, 0.9, 1.0, 1.5][round % 5];
            let shift = [-3.0, 0.0, 3.0][round % 3];
            let currents: Vec<f32> = (0..1 + round).map(|_| (random.normal() + shift) as f32).collect();
            let state = SteadyState::of(&currents, w_inh, &mut Vec::new()).unwrap();
            for (unit, &current) in currents.iter().enumerate() {
                assert!(state.activity(unit, current, w_inh) < 0.0 || current >= state.least, "w {w_inh}");
            }
        }
    }

    #[test]
    fn numbers_of_at_least_a_bound_are_found_in_order() {
        let mut numbers = vec![-1.0; 200];
        for (place, number) in [(3, 2.0), (63, 1.0), (64, 5.0), (199, 1.0), (70, 0.9)] {
            numbers[place] = number;
        }
        let found: Vec<(usize, f32)> = at_least(1.0, &numbers).collect();
        assert_eq!(found, [(3, 2.0), (63, 1.0), (64, 5.0), (199, 1.0)]);
        assert_eq!(largest(&numbers), Some(5.0));
        assert_eq!(largest(&[-2.0, -0.5, -3.0]), Some(-0.5));
        for number in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(largest(&[0.0, number, 1.0]), None);
        }
    }
}
