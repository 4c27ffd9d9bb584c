//! The author's minibatch algorithm in f64 with plain loops: the definition of correct, and nothing else.

use crate::rule::balance::BalanceCounts;
use crate::rule::parameters::Rule;

/// Learns one minibatch: weights [hidden × inputs], examples [batch × inputs] that are already scaled. The balance of the
/// rule is left out; [`balanced_minibatch`] has it.
///
/// ```text
/// I = (sgn W ∘ |W|^(p−1)) X;  y = 1 at the largest I of a column, −Δ at the k-th;
/// ds = y Xᵀ − rowsum(y ∘ I) ∘ W;  W += ε ds / max(max |ds|, 1e−30)
/// ```
/// Among equal currents the lower unit ranks first.
///
/// Source: the authors' notebook for Krotov & Hopfield 2019; eqs. 2, 3 and 10.
///
/// # Panics
/// If k exceeds the number of units and Δ > 0, or a length is no multiple of `inputs`.
///
/// # Example
/// ```
/// use rivalry_core::{Rule, reference};
/// let mut weights = [1.0, 0.0, 0.0, 1.0];
/// reference::minibatch(&Rule::new(2.0, 2, 0.0)?, 2, &mut weights, &[0.0, 2.0], 0.1);
/// // The second unit wins with I = 2: ds = (0, 2) − 2 · (0, 1) = 0, so nothing moves.
/// assert_eq!(weights, [1.0, 0.0, 0.0, 1.0]);
/// # Ok::<(), rivalry_core::Error>(())
/// ```
pub fn minibatch(rule: &Rule, inputs: usize, weights: &mut [f64], examples: &[f64], rate: f64) {
    learn(rule, inputs, weights, examples, rate, |_, _| true);
}

/// Learns one minibatch as [`minibatch`] does, under the balance of the rule (none is no limit).
///
/// Before the minibatch both counts of every unit are multiplied by 0.9995. Examples in order: the winner's wins += 1; the
/// unit of rank k learns, and its pushes += 1, only if pushes + 1 ≤ balance · wins.
///
/// # Panics
/// As [`minibatch`], or if there is not one count of each kind per unit.
pub fn balanced_minibatch(
    rule: &Rule,
    inputs: usize,
    weights: &mut [f64],
    counts: &mut BalanceCounts,
    examples: &[f64],
    rate: f64,
) {
    assert_eq!([counts.wins.len(), counts.pushes.len()], [weights.len() / inputs; 2]);
    counts.wins.iter_mut().chain(&mut counts.pushes).for_each(|count| *count *= 0.9995);
    learn(rule, inputs, weights, examples, rate, |winner, pushed| {
        counts.wins[winner] += 1.0;
        let allowed = rule.balance().is_none_or(|limit| counts.pushes[pushed] + 1.0 <= limit * counts.wins[pushed]);
        counts.pushes[pushed] += if allowed { 1.0 } else { 0.0 };
        allowed
    });
}

/// `push(winner, rank k)` is called for every example in order and says whether rank k learns.
fn learn(
    rule: &Rule,
    inputs: usize,
    weights: &mut [f64],
    examples: &[f64],
    rate: f64,
    mut push: impl FnMut(usize, usize) -> bool,
) {
    let hidden = weights.len() / inputs;
    assert!(rule.ranks() <= hidden && weights.len() == hidden * inputs && examples.len().is_multiple_of(inputs));
    let power = |w: f64| if w == 0.0 { 0.0 } else { w.signum() * w.abs().powf(rule.p() - 1.0) };
    let mut change = vec![0.0; weights.len()];
    for example in examples.chunks_exact(inputs) {
        let current = |unit: usize| -> f64 {
            let row = &weights[unit * inputs..][..inputs];
            row.iter().zip(example).map(|(w, x)| power(*w) * x).sum()
        };
        let currents: Vec<f64> = (0..hidden).map(current).collect();
        let mut ranks: Vec<usize> = (0..hidden).collect();
        ranks.sort_by(|a, b| currents[*b].partial_cmp(&currents[*a]).expect("finite currents").then(a.cmp(b)));
        let (winner, last) = (ranks[0], ranks[rule.ranks() - 1]);
        let delta = if rule.delta() > 0.0 && push(winner, last) { f64::from(rule.delta()) } else { 0.0 };
        for (unit, g) in [(winner, 1.0), (last, -delta)] {
            for i in 0..inputs {
                change[unit * inputs + i] += g * (example[i] - currents[unit] * weights[unit * inputs + i]);
            }
        }
    }
    let largest = change.iter().fold(0.0_f64, |largest, ds| largest.max(ds.abs())).max(1e-30);
    for (w, ds) in weights.iter_mut().zip(change) {
        *w += rate * ds / largest;
    }
}

/// Integrates the hidden dynamics by Euler steps from h = 0 and returns h.
///
/// ```text
/// τ dh_μ/dt = I_μ − w_inh Σ_{ν≠μ} max(h_ν, 0) − h_μ
/// ```
/// `step` is a step of time in units of τ. It has to be well below 2 / (1 − w_inh + w_inh · active units).
///
/// Source: Krotov & Hopfield 2019, eq. 8.
///
/// # Example
/// ```
/// use rivalry_core::reference;
/// // One active unit has h = I; it inhibits the other one to I − w_inh h.
/// let h = reference::hidden_dynamics(&[2.0, 0.5], 0.5, 0.1, 1000);
/// assert!((h[0] - 2.0).abs() < 1e-9 && (h[1] + 0.5).abs() < 1e-9);
/// ```
pub fn hidden_dynamics(currents: &[f64], w_inh: f64, step: f64, steps: usize) -> Vec<f64> {
    let mut h = vec![0.0_f64; currents.len()];
    for _ in 0..steps {
        let total: f64 = h.iter().map(|h| h.max(0.0)).sum();
        for (h, current) in h.iter_mut().zip(currents) {
            *h += step * (current - w_inh * (total - h.max(0.0)) - *h);
        }
    }
    h
}
