//! Training end to end allocates nothing per minibatch. The only test of its program, so that nobody else allocates meanwhile.

use rivalry_core::{Compute, Inputs, Kernels, Random};
use rivalry_nets::{Backprop, BackpropSpec, Head};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn training_end_to_end_allocates_nothing_per_minibatch() {
    let (inputs, batch, samples) = (70, 20, 1000);
    let mut random = Random::keyed(1, "synthetic", 0);
    let pixels: Vec<u8> = (0..samples * inputs).map(|_| (random.next_u64() >> 56) as u8).collect();
    let labels: Vec<u8> = (0..samples).map(|sample| (sample % 10) as u8).collect();
    let view = Inputs::u8(&pixels, inputs).unwrap();
    let order = Random::keyed(1, "readout-order", 0).order(samples);
    for kernels in Kernels::all() {
        for threads in [1, 2] {
            let compute = Compute::new(Some(threads), kernels).unwrap();
            for head in [Head::Power { beta: 1.0, loss_m: 6.0 }, Head::Softmax] {
                let spec = BackpropSpec { inputs, hidden: 170, classes: 10, head, batch };
                let mut network = Backprop::new(spec, &mut Random::keyed(1, "weights", 0), &compute).unwrap();
                // Of several calls the least, since a call of the thread pool now and then renews a queue.
                let mut allocations = |order: &[u32]| {
                    let count = |_| {
                        let region = Region::new(ALLOCATOR);
                        network.epoch(&compute, &view, &labels, order, 1e-3).unwrap();
                        let change = region.change();
                        change.allocations + change.reallocations
                    };
                    (0..4).map(count).min().unwrap()
                };
                let (one, all) = (allocations(&order[..batch]), allocations(&order));
                assert_eq!(one, all, "{}, {threads} threads, {head:?}", kernels.name());
            }
        }
    }
    // The allocator does count.
    let region = Region::new(ALLOCATOR);
    drop(std::hint::black_box(vec![1_u8; 100]));
    assert!(region.change().allocations >= 1);
}
