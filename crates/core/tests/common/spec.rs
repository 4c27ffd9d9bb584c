//! The numerics of the crate docs word for word, one number at a time: whatever the kernels do must have these bits.

use rivalry_core::Rule;

/// s = Σ w′x: sixteen lanes, blocks of 1024 inputs, the tree +8, +4, +2, +1.
pub(crate) fn score(powers: &[f32], x: &[f32]) -> f32 {
    let mut total = None;
    for (w, x) in powers.chunks(1024).zip(x.chunks(1024)) {
        let mut lanes = [0.0_f32; 16];
        for i in 0..w.len().next_multiple_of(16) {
            let (w, x) = if i < w.len() { (w[i], x[i]) } else { (0.0, 0.0) };
            lanes[i % 16] = w.mul_add(x, lanes[i % 16]);
        }
        for step in [8, 4, 2, 1] {
            for lane in 0..step {
                lanes[lane] += lanes[lane + step];
            }
        }
        total = Some(total.map_or(lanes[0], |total: f32| total + lanes[0]));
    }
    total.unwrap_or(0.0)
}

/// w′ = sgn(w)|w|^(p−1).
pub(crate) fn power(w: f32, p: f64) -> f32 {
    match p {
        _ if w == 0.0 => 0.0,
        2.0 => w,
        3.0 => w * w.abs(),
        4.0 => w * (w * w),
        5.0 => (w * w.abs()) * (w * w),
        p => (f64::from(w.signum()) * libm::pow(f64::from(w.abs()), p - 1.0)) as f32,
    }
}

/// The units that can be ranked, best first, with their scores: descending s, then lower unit.
pub(crate) fn ranks(scores: &[f32]) -> Vec<(f32, u32)> {
    let ranked = scores.iter().copied().zip(0..).filter(|(score, _)| *score > f32::NEG_INFINITY);
    let mut ranked: Vec<(f32, u32)> = ranked.collect();
    ranked.sort_by(|a, b| b.0.partial_cmp(&a.0).unwrap());
    ranked
}

/// Examples and their scales.
pub(crate) struct Minibatch<'a> {
    pub(crate) examples: Vec<&'a [f32]>,
    pub(crate) scales: Vec<f32>,
}

/// One minibatch on weights [hidden × inputs].
pub(crate) fn minibatch(rule: &Rule, inputs: usize, weights: &mut [f32], minibatch: &Minibatch<'_>, rate: f32) {
    let powers: Vec<f32> = weights.iter().map(|&w| power(w, rule.p())).collect();
    // What pulls whom: (unit, g, example, I).
    let mut pulls = Vec::new();
    for (example, (x, c)) in minibatch.examples.iter().zip(&minibatch.scales).enumerate() {
        let scores: Vec<f32> = powers.chunks_exact(inputs).map(|powers| score(powers, x)).collect();
        let ranks = ranks(&scores);
        for (rank, g) in [(0, 1.0), (rule.k() - 1, -rule.delta())] {
            if let Some((score, unit)) = ranks.get(rank)
                && g != 0.0
            {
                pulls.push((*unit as usize, g, example, c * score));
            }
        }
    }
    let mut changes = vec![0.0_f32; weights.len()];
    for (unit, (w, change)) in weights.chunks_exact(inputs).zip(changes.chunks_exact_mut(inputs)).enumerate() {
        let mut a = 0.0;
        for (_, g, example, current) in pulls.iter().filter(|pull| pull.0 == unit) {
            let (x, c) = (minibatch.examples[*example], minibatch.scales[*example]);
            for (d, x) in change.iter_mut().zip(x) {
                *d = (g * c).mul_add(*x, *d);
            }
            a += g * current;
        }
        for (d, w) in change.iter_mut().zip(w) {
            *d = (-a).mul_add(*w, *d);
        }
    }
    let largest = changes.iter().fold(0.0_f32, |largest, ds| largest.max(ds.abs()));
    if largest > 0.0 {
        let step = rate / largest.max(1e-30);
        let active = |i: &usize| pulls.iter().any(|pull| pull.0 == i / inputs);
        for i in (0..weights.len()).filter(active) {
            weights[i] = step.mul_add(changes[i], weights[i]);
        }
    }
}
