//! Learning allocates nothing per minibatch. The only test of its program, so that nobody else allocates meanwhile.

mod common;

use common::{normals, pixels};
use rivalry_core::{Compute, Engine, Inputs, Kernels, Layer, Learner, Random, Rates, Rule};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const INPUTS: usize = 70;
const BATCH: usize = 20;
const MINIBATCHES: usize = 24;

#[test]
fn learning_allocates_nothing_per_minibatch() {
    let samples = BATCH * MINIBATCHES;
    let (bytes, floats) = (pixels(1, samples * INPUTS), normals(2, samples * INPUTS));
    let order = Random::keyed(1, "order", 0).order(samples);
    let [bytes, floats] = [Inputs::u8(&bytes, INPUTS).unwrap(), Inputs::f32(&floats, INPUTS).unwrap()];
    let unlike = Layer::normal(110, INPUTS, 1.0, &mut Random::keyed(1, "weights", 0)).unwrap();
    // Units that differ little go from one digit to two, equal ones to the dense engine (`screen/tests/courses.rs`).
    let weights: Vec<f32> = normals(3, 110 * INPUTS).iter().map(|w| 1.0 + 0.01 * w).collect();
    let alike = Layer::from_rows(110, INPUTS, &weights).unwrap();
    let equal = Layer::from_rows(110, INPUTS, &[0.3; 110 * INPUTS]).unwrap();
    let screened = [&unlike, &alike, &equal].map(|layer| (layer, bytes, Engine::Screened));
    let cases = screened.into_iter().chain([(&unlike, bytes, Engine::Dense), (&unlike, floats, Engine::Auto)]);
    for (case, (layer, inputs, engine)) in cases.enumerate() {
        for (kernels, threads) in
            Kernels::all().into_iter().flat_map(|kernels| [1, 2].map(|threads| (kernels, threads)))
        {
            let compute = Compute::new(Some(threads), kernels).unwrap();
            for (p, k) in [(2.0, 2), (3.0, 7), (2.5, 2)] {
                let rule = Rule::new(p, k, 0.4).unwrap();
                let learner = Learner::new(layer.clone(), rule, BATCH, &compute).unwrap();
                let mut learner = learner.with_engine(engine);
                // Of several calls the least, since a call of the thread pool now and then renews a queue.
                let mut allocations = |order: &[u32]| {
                    let count = |_| {
                        let region = Region::new(ALLOCATOR);
                        learner.learn(&compute, &inputs, order, Rates::Constant(1e-4)).unwrap();
                        let change = region.change();
                        change.allocations + change.reallocations
                    };
                    (0..4).map(count).min().unwrap()
                };
                // The longer calls first: the courses that are taken at the start are among them.
                let (all, one) = (allocations(&order), allocations(&order[..BATCH]));
                assert_eq!(one, all, "case {case}: {}, {threads} threads, p {p}, {inputs:?}", kernels.name());
            }
        }
    }
    // The allocator does count.
    let region = Region::new(ALLOCATOR);
    drop(std::hint::black_box(vec![1_u8; 100]));
    assert!(region.change().allocations >= 1);
}
