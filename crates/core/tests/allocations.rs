//! Learning allocates nothing per minibatch. The only test of its program, so that nobody else allocates meanwhile.

mod common;

use common::{normals, pixels};
use rivalry_core::{Inputs, Kernels, Layer, Learner, Random, Rates, Rule, Stream, Team};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const INPUTS: usize = 70;
const BATCH: usize = 20;
const MINIBATCHES: usize = 50;

#[test]
fn learning_allocates_nothing_per_minibatch() {
    let samples = BATCH * MINIBATCHES;
    let (bytes, floats) = (pixels(1, samples * INPUTS), normals(2, samples * INPUTS));
    let layer = Layer::normal(110, INPUTS, 1.0, &mut Random::new(1, Stream::Weights)).unwrap();
    let order = Random::new(1, Stream::Order(0)).order(samples);
    for kernels in Kernels::all() {
        for threads in [1, 2] {
            let team = Team::new(Some(threads)).unwrap();
            for p in [2.0, 3.0, 2.5] {
                for inputs in [Inputs::u8(&bytes, INPUTS).unwrap(), Inputs::f32(&floats, INPUTS).unwrap()] {
                    let rule = Rule::new(p, 7, 0.4).unwrap();
                    let mut learner = Learner::new(layer.clone(), rule, BATCH, &team, kernels).unwrap();
                    // Of several calls the least, since a call of the thread pool now and then renews a queue.
                    let mut allocations = |order: &[u32]| {
                        let count = |_| {
                            let region = Region::new(ALLOCATOR);
                            learner.learn(&team, &inputs, order, Rates::Constant(0.02)).unwrap();
                            let change = region.change();
                            change.allocations + change.reallocations
                        };
                        (0..4).map(count).min().unwrap()
                    };
                    let (one, all) = (allocations(&order[..BATCH]), allocations(&order));
                    assert_eq!(one, all, "{}, {threads} threads, p {p}, {inputs:?}", kernels.name());
                }
            }
        }
    }
    // The allocator does count.
    let region = Region::new(ALLOCATOR);
    drop(std::hint::black_box(vec![1_u8; 100]));
    assert!(region.change().allocations >= 1);
}
