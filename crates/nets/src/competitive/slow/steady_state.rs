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

/// A unit and its current.
#[derive(Debug, Clone, Copy)]
pub(super) struct Current {
    pub(super) unit: u32,
    pub(super) current: f32,
}

/// What decides about the activity and the plasticity of every unit for one example.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct SteadyState {
    /// w S: the inhibition of a unit that is not active.
    inhibition: f64,
    /// The unit of the largest current, the lowest among equals.
    pub(super) winner: u32,
    /// The activity of that unit, the largest of all.
    pub(super) largest: f64,
}

impl SteadyState {
    /// Finds the steady state for the currents of some units, in their order. All units with a current of at least w times
    /// the largest must be among them, or simply all where the largest is not above 0. `None` if there is none or one is not
    /// finite. `active` is working memory.
    pub(super) fn of(currents: &[Current], w_inh: f64, active: &mut Vec<f64>) -> Option<SteadyState> {
        if !currents.iter().all(|Current { current, .. }| current.is_finite()) {
            return None;
        }
        // The first of equals.
        let best =
            currents.iter().copied().reduce(|best, next| if next.current > best.current { next } else { best })?;
        let most = f64::from(best.current);
        let sum = if w_inh < 1.0 { sum_of_active(currents, most, w_inh, active) } else { most.max(0.0) };
        let state = SteadyState { inhibition: w_inh * sum, winner: best.unit, largest: 0.0 };
        Some(SteadyState { largest: state.activity(best.unit, best.current, w_inh), ..state })
    }

    /// The activity h of a unit with this current.
    pub(super) fn activity(&self, unit: u32, current: f32, w_inh: f64) -> f64 {
        let current = f64::from(current);
        let excess = current - self.inhibition;
        if w_inh < 1.0 {
            if excess > 0.0 { excess / (1.0 - w_inh) } else { excess }
        } else if unit == self.winner {
            current
        } else {
            excess
        }
    }
}

/// S = Σ_A h for w < 1, of the active units.
///
/// With D = 1 − w + w |A|, another active unit makes (S D + I_μ)/(D + w) of S, which is more, since I_μ > w S. So S is at least
/// what it is with the unit of the largest current I alone, S = I, and currents below w I do not matter.
fn sum_of_active(currents: &[Current], most: f64, w_inh: f64, active: &mut Vec<f64>) -> f64 {
    active.clear();
    active.extend(currents.iter().map(|it| f64::from(it.current)).filter(|current| *current > 0.0));
    loop {
        let before = active.len();
        let sum = active.iter().sum::<f64>() / (1.0 - w_inh + w_inh * before as f64);
        // The largest stays, also where w is so near 1 that rounding says otherwise.
        active.retain(|&current| current > w_inh * sum || current == most);
        if active.len() == before {
            return sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rivalry_core::{Random, reference};

    fn numbered(currents: &[f32]) -> Vec<Current> {
        (0..).zip(currents).map(|(unit, &current)| Current { unit, current }).collect()
    }

    fn steady_state(currents: &[f32], w_inh: f64) -> Option<SteadyState> {
        SteadyState::of(&numbered(currents), w_inh, &mut Vec::new())
    }

    fn activities(currents: &[f32], w_inh: f64) -> Vec<f64> {
        let state = steady_state(currents, w_inh).unwrap();
        let all: Vec<f64> = (0..).zip(currents).map(|(unit, &current)| state.activity(unit, current, w_inh)).collect();
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
        // Equal currents are all active for w < 1; the lowest unit wins for w ≥ 1. Nearer to 1 than numbers tell apart, none is
        // more active than without inhibition.
        let near = activities(&[1.0; 3], 0.999_999_999_999_999_9);
        assert!(near.iter().all(|h| (0.0..=1.0).contains(h)), "{near:?}");
        let half = activities(&[1.0, 1.0], 0.5);
        assert!(half.iter().all(|h| (h - 2.0 / 3.0).abs() < 1e-15), "{half:?}");
        assert_eq!(activities(&[1.0, 1.0], 2.0), [1.0, -1.0]);
        for currents in [&[1.0, f32::NAN][..], &[f32::INFINITY], &[1.0, f32::NEG_INFINITY], &[]] {
            assert_eq!(steady_state(currents, 0.5), None);
        }
    }

    #[test]
    fn currents_below_the_share_of_the_largest_change_no_bit() {
        let mut random = Random::keyed(2, "steady-state", 0);
        for round in 0..3000 {
            let (units, w_inh) = (1 + round % 300, [0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0, 1.5][round % 9]);
            // Half of the rounds have integer currents, so that many are equal.
            let whole = round % 2 == 0;
            let currents = (0..units).map(|_| 4.0 * random.normal()).map(|i| if whole { i.round() } else { i } as f32);
            let mut strong = numbered(&currents.collect::<Vec<f32>>());
            let all = SteadyState::of(&strong, w_inh, &mut Vec::new()).unwrap();
            let most = strong.iter().map(|it| it.current).fold(f32::NEG_INFINITY, f32::max);
            let least = if most > 0.0 { most * w_inh.min(1.0) as f32 } else { f32::NEG_INFINITY };
            for Current { unit, current } in strong.extract_if(.., |it| it.current < least) {
                assert!(all.activity(unit, current, w_inh) < 0.0, "{units} units, w {w_inh}: {current}");
            }
            assert_eq!(SteadyState::of(&strong, w_inh, &mut Vec::new()), Some(all), "{units} units, w {w_inh}");
        }
    }
}
