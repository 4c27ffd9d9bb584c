//! The cases of these tests, and the author's algorithm in f64.

use rivalry_data::npy;

use crate::common::{Ended, Place, bits};

#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) hidden: usize,
    pub(crate) inputs: usize,
    pub(crate) batch: usize,
    pub(crate) rates: Vec<f32>,
    pub(crate) p: f64,
    pub(crate) k: usize,
    pub(crate) delta: f64,
    pub(crate) weights: Vec<f32>,
    pub(crate) examples: Examples,
}

#[derive(Clone)]
pub(crate) enum Examples {
    U8(Vec<u8>),
    F32(Vec<f32>),
}

impl Examples {
    pub(crate) fn value(&self, at: usize) -> f64 {
        match self {
            Self::U8(values) => f64::from(values[at]) / 255.0,
            Self::F32(values) => f64::from(values[at]),
        }
    }
}

/// The author's minibatch algorithm, step by step (f64, no blocks, no shards, a full sort for the ranks).
pub(crate) fn naive(case: &Case) -> Vec<f64> {
    let (hidden, inputs) = (case.hidden, case.inputs);
    let mut weights: Vec<f64> = case.weights.iter().map(|&w| f64::from(w)).collect();
    for (minibatch, &rate) in case.rates.iter().enumerate() {
        let example = |b: usize, i: usize| case.examples.value((minibatch * case.batch + b) * inputs + i);
        let powers: Vec<f64> =
            weights.iter().map(|&w| if w == 0.0 { 0.0 } else { w.signum() * w.abs().powf(case.p - 1.0) }).collect();
        let mut change = vec![0.0; hidden * inputs];
        let mut pull = vec![0.0; hidden];
        for b in 0..case.batch {
            let current = |u: usize| (0..inputs).map(|i| powers[u * inputs + i] * example(b, i)).sum::<f64>();
            let currents: Vec<f64> = (0..hidden).map(current).collect();
            let mut ranks: Vec<usize> = (0..hidden).collect();
            ranks.sort_by(|&a, &b| currents[b].total_cmp(&currents[a]).then(a.cmp(&b)));
            for (unit, y) in [(ranks[0], 1.0), (ranks[case.k - 1], -case.delta)] {
                pull[unit] += y * currents[unit];
                for i in 0..inputs {
                    change[unit * inputs + i] += y * example(b, i);
                }
            }
        }
        for unit in 0..hidden {
            for i in 0..inputs {
                change[unit * inputs + i] -= pull[unit] * weights[unit * inputs + i];
            }
        }
        let largest = change.iter().fold(1e-30_f64, |largest, ds| largest.max(ds.abs()));
        for (w, ds) in weights.iter_mut().zip(&change) {
            *w += f64::from(rate) * ds / largest;
        }
    }
    weights
}

/// Standard normals, by sums of uniforms: the tests need no tails.
pub(crate) fn normals(count: usize, seed: u64) -> Vec<f32> {
    let mut bits = bits(seed);
    let mut uniform = || (bits() >> 11) as f64 / (1_u64 << 53) as f64;
    (0..count).map(|_| ((0..12).map(|_| uniform()).sum::<f64>() - 6.0) as f32).collect()
}

/// Bytes with about half of them zero, as pixels are.
fn pixels(count: usize, seed: u64) -> Vec<u8> {
    let mut bits = bits(seed);
    (0..count).map(|_| bits()).map(|bits| if bits & 1 == 0 { 0 } else { (bits >> 8) as u8 }).collect()
}

pub(crate) fn case(name: &'static str, shape: [usize; 3], rule: (f64, usize, f64)) -> Case {
    let [hidden, inputs, batch] = shape;
    let rates = vec![0.04, 0.03, 0.0, 0.01];
    let examples = Examples::U8(pixels(rates.len() * batch * inputs, 11));
    let weights = normals(hidden * inputs, 5);
    Case { name, hidden, inputs, batch, rates, p: rule.0, k: rule.1, delta: rule.2, weights, examples }
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = vec![
        case("p 2, k 2", [30, 50, 20], (2.0, 2, 0.4)),
        case("p 3, k 7", [40, 64, 25], (3.0, 7, 0.4)),
        case("p 4", [23, 33, 7], (4.0, 3, 0.2)),
        case("p 5", [17, 65, 11], (5.0, 2, 0.1)),
        case("p real", [19, 47, 13], (2.5, 3, 0.3)),
        case("p 1", [12, 20, 9], (1.0, 2, 0.2)),
        case("p below 2", [12, 20, 9], (1.5, 2, 0.2)),
        case("k is hidden", [5, 21, 8], (3.0, 5, 0.4)),
        case("two units", [2, 9, 4], (2.0, 2, 0.5)),
        case("delta 0", [15, 31, 10], (3.0, 4, 0.0)),
        case("delta above 1", [15, 31, 10], (2.0, 4, 1.5)),
        case("one input", [6, 1, 5], (2.0, 2, 0.4)),
        case("one example a minibatch", [9, 17, 1], (3.0, 2, 0.4)),
        case("more inputs than a block", [7, 1100, 6], (3.0, 3, 0.3)),
    ];
    let base = || case("", [14, 40, 12], (3.0, 3, 0.4));
    let mut zero_rows = Case { name: "rows of zeros", ..base() };
    zero_rows.weights[..3 * 40].fill(0.0);
    let mut blank = Case { name: "blank images", ..base() };
    if let Examples::U8(values) = &mut blank.examples {
        values[..5 * 40].fill(0);
    }
    // Equal units tie on every example: the lower unit comes first.
    let mut ties = Case { name: "ties", ..base() };
    for unit in 1..14 {
        ties.weights.copy_within(..40, unit * 40);
    }
    let mut all_negative = Case { name: "negative weights", ..base() };
    all_negative.weights.iter_mut().for_each(|w| *w = -w.abs());
    let zero_rates = Case { name: "rates of 0", rates: vec![0.0; 4], ..base() };
    let floats = Case { name: "f32 inputs", examples: Examples::F32(normals(4 * 12 * 40, 3)), ..base() };
    let black = Case { name: "nothing but blank images", examples: Examples::U8(vec![0; 4 * 12 * 40]), ..base() };
    cases.extend([zero_rows, blank, ties, all_negative, zero_rates, floats, black]);
    cases
}

pub(crate) fn write(place: &Place, case: &Case) {
    let samples = case.rates.len() * case.batch;
    place.write("w.npy", npy::write_f32(&[case.hidden, case.inputs], &case.weights));
    let examples = match &case.examples {
        Examples::U8(values) => npy::write_u8(&[samples, case.inputs], values),
        Examples::F32(values) => npy::write_f32(&[samples, case.inputs], values),
    };
    place.write("x.npy", examples);
    place.write("r.npy", npy::write_f32(&[case.rates.len()], &case.rates));
}

pub(crate) fn replay(place: &Place, case: &Case, more: &[&str]) -> Ended {
    let numbers = [case.batch.to_string(), case.p.to_string(), case.k.to_string(), case.delta.to_string()];
    let [batch, p, k, delta] = numbers.each_ref().map(String::as_str);
    let mut arguments =
        vec!["replay", "--weights", "w.npy", "--inputs", "x.npy", "--rates", "r.npy", "--out", "w2.npy"];
    arguments.extend(["--batch", batch, "--p", p, "--k", k, "--delta", delta]);
    arguments.extend(more);
    place.run(&arguments)
}
