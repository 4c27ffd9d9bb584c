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

/// What decides about the activity and the plasticity of every unit for one example.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SteadyState {
    /// w S: the inhibition of a unit that is not active.
    pub(crate) inhibition: f64,
    /// The unit of the largest current, the lowest among equals.
    pub(crate) winner: u32,
    /// The activity of that unit, the largest of all.
    pub(crate) largest: f64,
}

impl SteadyState {
    /// Finds the steady state for the currents of all units; `None` if one is not finite. `active` is working memory.
    pub(crate) fn of(currents: &[f32], w_inh: f64, active: &mut Vec<f64>) -> Option<SteadyState> {
        if !currents.iter().all(|current| current.is_finite()) {
            return None;
        }
        let winner =
            (0..currents.len()).fold(0, |best, unit| if currents[unit] > currents[best] { unit } else { best });
        let most = f64::from(currents[winner]);
        let sum = if w_inh < 1.0 { sum_of_active(currents, w_inh, active) } else { most.max(0.0) };
        let state = SteadyState { inhibition: w_inh * sum, winner: winner as u32, largest: 0.0 };
        Some(SteadyState { largest: state.activity(winner, currents[winner], w_inh), ..state })
    }

    /// The activity h of a unit with this current.
    pub(crate) fn activity(&self, unit: usize, current: f32, w_inh: f64) -> f64 {
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

/// S = Σ_A h for w < 1.
fn sum_of_active(currents: &[f32], w_inh: f64, active: &mut Vec<f64>) -> f64 {
    active.clear();
    active.extend(currents.iter().filter(|current| **current > 0.0).map(|&current| f64::from(current)));
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
}
