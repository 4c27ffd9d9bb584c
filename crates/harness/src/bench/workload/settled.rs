//! A layer that stands for one that has learned for long, made in a moment and the same everywhere.
//!
//! Plainly: unit μ starts at a prototype, the image a less 0.4 times another image b, drawn from a fixed order. A unit that
//! the rule has pulled to rest has its powers sgn(w)|w|^(p−1) along such a mean and lies on the p-sphere, so
//! w = sgn(v)|v|^(1/(p−1)) with v = x_a − 0.4 x_b, divided by (Σ|w|^p)^(1/p). Then the rule itself runs for some minibatches
//! at a small rate, which moves the units that win to the mean of what they win.
//!
//! It has what matters to speed late in a run: the spread of weights and scores of a layer on the sphere, and close
//! competition between units that resemble each other. It is not the layer of any run.

use rivalry_core::{Layer, Rates};

use super::epoch::learner;
use super::{Order, Task};
use crate::bench::examples::SEED;

/// Minibatches of the rule after the prototypes.
const MINIBATCHES: usize = 20;
/// Their size.
const BATCH: usize = 100;
/// Their rate, a tenth of where a run on CIFAR-10 starts.
const RATE: f32 = 0.002;
/// How much of the other image is taken away: Δ of the paper's MNIST protocol.
const PUSH: f64 = 0.4;

/// Makes the layer.
pub(super) fn layer(task: &Task<'_>) -> anyhow::Result<Layer> {
    let batch = BATCH.min(task.examples.samples());
    let mut learner = learner(task, prototypes(task)?, batch)?;
    let order = Order::new(("order", 1), task.examples.samples(), batch).take(MINIBATCHES);
    learner.learn(&task.compute.core, &task.examples.view()?, &order, Rates::Constant(RATE))?;
    Ok(learner.layer())
}

fn prototypes(task: &Task<'_>) -> rivalry_core::Result<Layer> {
    let (hidden, inputs, p) = (task.hidden(), task.inputs(), task.definition.p.unwrap_or(2.0));
    let mut random = rivalry_core::Random::keyed(SEED, "order", 2);
    let order = random.order(task.examples.samples());
    let mut rows = Vec::with_capacity(hidden * inputs);
    for unit in 0..hidden {
        let [a, b] = [2 * unit, 2 * unit + 1].map(|at| task.examples.row(order[at % order.len()] as usize));
        rows.extend(prototype(a, b, p));
    }
    Layer::from_rows(hidden, inputs, &rows)
}

fn prototype(a: &[u8], b: &[u8], p: f64) -> Vec<f32> {
    // Powers come from `libm`, because those of the system differ between machines in the last bit.
    let weight = |(&a, &b): (&u8, &u8)| {
        let v = f64::from(a) - PUSH * f64::from(b);
        v.signum() * libm::pow(v.abs() / 255.0, 1.0 / (p - 1.0))
    };
    let weights: Vec<f64> = a.iter().zip(b).map(weight).collect();
    let sum: f64 = weights.iter().map(|weight| libm::pow(weight.abs(), p)).sum();
    let length = if sum > 0.0 { libm::pow(sum, 1.0 / p) } else { 1.0 };
    weights.iter().map(|weight| (weight / length) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prototypes_lie_on_the_sphere_with_the_signs_of_the_images() {
        for p in [2.0, 3.0, 5.0] {
            let weights = prototype(&[255, 10, 0, 0], &[0, 200, 100, 0], p);
            let sum: f64 = weights.iter().map(|&weight| f64::from(weight.abs()).powf(p)).sum();
            assert!((sum - 1.0).abs() <= 1e-6, "p = {p}: {sum}");
            assert!(weights[0] > 0.0 && weights[1] < 0.0 && weights[2] < 0.0 && weights[3] == 0.0, "{weights:?}");
        }
        assert_eq!(prototype(&[0, 0], &[0, 0], 3.0), [0.0, 0.0]);
    }
}
