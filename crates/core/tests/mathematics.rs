//! The properties that the paper derives from its rule, shown by the code that learns.
//!
//! Source: Krotov & Hopfield 2019, eqs. 2–7 and 10. With A = ⟨W, v⟩ = Σ sgn(W)|W|^(p−1) v and N = Σ|W|^p:
//! Q = A / N^((p−1)/p), and on the sphere N = 1 the rule's bracket v − A W is ∂Q/∂W but for the factors (p−1)|W|^(p−2).

mod common;

use common::{layer, learn, learn_once, normals};
use rivalry_core::{Inputs, Layer, Rates, Rule};

const NORMS: [f64; 7] = [1.5, 2.0, 2.5, 3.0, 3.7, 4.0, 5.0];

fn current(w: &[f64], v: &[f64], p: f64) -> f64 {
    w.iter().zip(v).map(|(w, v)| w.signum() * w.abs().powf(p - 1.0) * v).sum()
}

fn norm(w: &[f64], p: f64) -> f64 {
    w.iter().map(|w| w.abs().powf(p)).sum()
}

fn q(w: &[f64], v: &[f64], p: f64) -> f64 {
    current(w, v, p) / norm(w, p).powf((p - 1.0) / p)
}

/// ∂Q/∂W by central differences.
fn gradient_of_q(w: &[f64], v: &[f64], p: f64) -> Vec<f64> {
    let step = 1e-5;
    let at = |i: usize, step: f64| {
        let mut w = w.to_vec();
        w[i] += step;
        q(&w, v, p)
    };
    (0..w.len()).map(|i| (at(i, step) - at(i, -step)) / (2.0 * step)).collect()
}

fn to_f64(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

/// Weights of a unit with N = `size`, none of them near 0, where |W|^(p−2) bends too much for differences.
fn unit(seed: u64, inputs: usize, p: f64, size: f64) -> Vec<f32> {
    let w: Vec<f64> = normals(seed, inputs).iter().map(|w| f64::from(*w) + 0.3 * f64::from(w.signum())).collect();
    let shrink = (size / norm(&w, p)).powf(1.0 / p);
    w.iter().map(|w| (w * shrink) as f32).collect()
}

/// The example, or its negative, so that the current has the sign of `sign`.
fn example(seed: u64, w: &[f32], p: f64, sign: f64) -> Vec<f32> {
    let v = normals(seed, w.len());
    let flip = (sign * current(&to_f64(w), &to_f64(&v), p)).signum() as f32;
    v.iter().map(|v| flip * v).collect()
}

/// The change of a unit that is the winner of one example, divided by its largest element. The other unit is opposite,
/// so it ranks last; with Δ = 0 it does not learn. A rate as large as the weights loses no digits.
fn bracket(w: &[f32], v: &[f32], p: f64) -> Vec<f64> {
    let opposite: Vec<f32> = w.iter().map(|w| -w).collect();
    let rule = Rule::new(p, 2, 0.0).unwrap();
    let inputs = Inputs::f32(v, v.len()).unwrap();
    let found = learn_once(&layer(&[w, &opposite]), rule, &inputs, 1.0);
    assert_eq!(&found[w.len()..], opposite);
    found.iter().zip(w).map(|(new, old)| f64::from(*new) - f64::from(*old)).collect()
}

#[test]
fn on_the_sphere_the_winner_climbs_the_preconditioned_gradient_of_q() {
    for p in NORMS {
        for seed in 0..10 {
            let w = unit(seed, 23, p, 1.0);
            let v = example(seed + 50, &w, p, 1.0);
            let change = bracket(&w, &v, p);
            let (w, v) = (to_f64(&w), to_f64(&v));
            let precondition = |w: &f64| (p - 1.0) * w.abs().powf(p - 2.0);
            let gradient = gradient_of_q(&w, &v, p);
            let expected: Vec<f64> = gradient.iter().zip(&w).map(|(g, w)| g / precondition(w)).collect();
            let largest = expected.iter().fold(0.0_f64, |largest, e| largest.max(e.abs()));
            for (found, expected) in change.iter().zip(&expected) {
                assert!((found - expected / largest).abs() <= 2e-5, "p {p}: {found} for {}", expected / largest);
            }
            // The preconditioner is positive, so Q rises (eqs. 6–7).
            let rise: f64 = gradient.iter().zip(&change).map(|(g, change)| g * change).sum();
            assert!(rise > 0.0, "p {p}");
        }
    }
}

#[test]
fn anywhere_the_length_of_the_weights_does_not_matter_to_q() {
    for p in NORMS {
        for (seed, size) in [(1, 0.05), (2, 1.0), (3, 40.0)] {
            let w = unit(seed, 23, p, size);
            let v = example(seed + 50, &w, p, 1.0);
            let (w, v) = (to_f64(&w), to_f64(&v));
            let gradient = gradient_of_q(&w, &v, p);
            let along: f64 = gradient.iter().zip(&w).map(|(g, w)| g * w).sum();
            let size: f64 = gradient.iter().zip(&w).map(|(g, w)| (g * w).abs()).sum();
            assert!(along.abs() <= 1e-7 * size, "p {p}: {along} of {size}");
        }
    }
}

#[test]
fn p_2_is_ojas_rule() {
    for (seed, size) in [(1, 0.1), (2, 1.0), (3, 9.0)] {
        let w = unit(seed, 40, 2.0, size);
        let v = example(seed + 50, &w, 2.0, 1.0);
        let change = bracket(&w, &v, 2.0);
        let (w, v) = (to_f64(&w), to_f64(&v));
        let y: f64 = w.iter().zip(&v).map(|(w, v)| w * v).sum();
        let oja: Vec<f64> = w.iter().zip(&v).map(|(w, v)| y * (v - y * w)).collect();
        let largest = oja.iter().fold(0.0_f64, |largest, change| largest.max(change.abs()));
        for (found, oja) in change.iter().zip(oja) {
            assert!((found - oja / largest).abs() <= 2e-6, "{found} for {}", oja / largest);
        }
    }
}

#[test]
fn a_winner_is_attracted_to_the_sphere_by_a_positive_current_and_repelled_by_a_negative_one() {
    for p in NORMS {
        for seed in 0..10 {
            for size in [0.3, 0.9, 1.1, 3.0] {
                for sign in [1.0, -1.0] {
                    let w = unit(seed, 23, p, size);
                    let v = example(seed + 50, &w, p, sign);
                    // It must win with a negative current too, so the other unit, which does not learn, has a lower one.
                    let other: Vec<f32> = w.iter().map(|w| -2.0 * sign as f32 * w).collect();
                    let inputs = Inputs::f32(&v, v.len()).unwrap();
                    let rule = Rule::new(p, 2, 0.0).unwrap();
                    let rate = 1e-3 * w.iter().fold(0.0_f32, |largest, w| largest.max(w.abs()));
                    let found = learn_once(&layer(&[&w, &other]), rule, &inputs, rate);
                    let distance = |w: &[f32]| (norm(&to_f64(w), p) - 1.0).abs();
                    let nearer = distance(&w) - distance(&found[..w.len()]);
                    assert!(sign * nearer > 0.0, "p {p}, size {size}, sign {sign}: {nearer} nearer");
                }
            }
        }
    }
}

#[test]
fn a_winner_ends_on_the_sphere() {
    for p in NORMS {
        for size in [0.3, 5.0] {
            let w = unit(1, 12, p, size);
            let v: Vec<f32> = example(51, &w, p, 1.0).iter().zip(&w).map(|(v, w)| v + 3.0 * w.signum()).collect();
            let opposite: Vec<f32> = w.iter().map(|w| -w).collect();
            let rates: Vec<f32> = (0..4000).map(|i| 0.01 * (1.0 - i as f32 / 4000.0)).collect();
            let (inputs, rule) = (Inputs::f32(&v, v.len()).unwrap(), Rule::new(p, 2, 0.0).unwrap());
            let found = learn(&layer(&[&w, &opposite]), rule, 1, &inputs, &[0; 4000], Rates::PerMinibatch(&rates)).0;
            let found = Layer::from_rows(2, 12, &found).unwrap();
            assert!((norm(&to_f64(found.row(0)), p) - 1.0).abs() <= 1e-3, "p {p}: {}", norm(&to_f64(found.row(0)), p));
            assert_eq!(found.converged(p), [0], "p {p}");
        }
    }
}

#[test]
fn a_last_rank_of_negative_current_ends_at_the_negative_of_the_example() {
    for p in NORMS {
        let v: Vec<f32> = normals(5, 9).iter().map(|v| v.abs() + 0.2).collect();
        let size: f64 = v.iter().map(|v| f64::from(*v).powf(p)).sum::<f64>().powf(-1.0 / p);
        let expected: Vec<f64> = v.iter().map(|v| -size * f64::from(*v)).collect();
        // The winner is where it wants to be; the second rank starts off with a negative current.
        let winner: Vec<f32> = expected.iter().map(|w| -w as f32).collect();
        let start: Vec<f32> = normals(6, 9).iter().map(|w| -0.3 - 0.3 * w.abs()).collect();
        let rates: Vec<f32> = (0..6000).map(|i| 0.01 * (1.0 - i as f32 / 6000.0)).collect();
        let (inputs, rule) = (Inputs::f32(&v, v.len()).unwrap(), Rule::new(p, 2, 0.4).unwrap());
        let found = learn(&layer(&[&winner, &start]), rule, 1, &inputs, &[0; 6000], Rates::PerMinibatch(&rates)).0;
        for (found, expected) in found[9..].iter().zip(expected) {
            assert!((f64::from(*found) - expected).abs() <= 2e-3, "p {p}: {found} for {expected}");
        }
    }
}
