//! The screened engine against the dense one: the same bits, whatever the rows and the examples are.

mod common;

use common::{bits, pixels};
use rivalry_core::{Engine, Inputs, Kernels, Layer, Learner, Random, Rates, Rule, Stream, Team};

/// Weights after one pass over all samples in their order.
fn learn(
    layer: &Layer,
    rule: Rule,
    batch: usize,
    inputs: &Inputs<'_>,
    (engine, threads, kernels): (Engine, usize, &'static Kernels),
) -> (Vec<u32>, Vec<u32>) {
    let team = Team::new(Some(threads)).unwrap();
    let mut learner = Learner::new(layer.clone(), rule, batch, &team, kernels).unwrap().with_engine(engine);
    let order: Vec<u32> = (0..inputs.samples() as u32).collect();
    learner.learn(&team, inputs, &order, Rates::Constant(0.03)).unwrap();
    (bits(&learner.layer().to_rows()), learner.wins())
}

/// Asserts that both engines learn the same, on every instruction set and with several numbers of threads.
fn assert_same(what: &str, layer: &Layer, rule: Rule, batch: usize, inputs: &Inputs<'_>) {
    let expected = learn(layer, rule, batch, inputs, (Engine::Dense, 1, Kernels::best()));
    for kernels in Kernels::all() {
        for threads in [1, 2, 3, 7] {
            let found = learn(layer, rule, batch, inputs, (Engine::Screened, threads, kernels));
            assert!(found == expected, "{what}: {} with {threads} threads, rule {rule:?}", kernels.name());
        }
    }
}

fn rules() -> Vec<Rule> {
    let rules = [(1.0, 2, 0.4), (2.0, 2, 0.2), (2.5, 3, 0.3), (3.0, 7, 0.4), (4.0, 3, 0.0), (5.0, 2, 0.1)];
    rules.into_iter().map(|(p, k, delta)| Rule::new(p, k, delta).unwrap()).collect()
}

#[test]
fn random_layers_learn_the_same_whatever_their_shape() {
    for (hidden, inputs, batch) in
        [(9, 1, 3), (16, 3, 5), (17, 64, 7), (40, 65, 12), (130, 100, 20), (300, 784, 25), (33, 1100, 4)]
    {
        let images = pixels(1, 6 * batch * inputs);
        let images = Inputs::u8(&images, inputs).unwrap();
        let layer = Layer::normal(hidden, inputs, 1.0, &mut Random::new(1, Stream::Weights)).unwrap();
        for rule in rules() {
            assert_same(&format!("{hidden} x {inputs}"), &layer, rule, batch, &images);
        }
    }
}
