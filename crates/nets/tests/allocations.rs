//! Learning allocates nothing per minibatch. The only test of its program, so that nobody else allocates meanwhile.

use rivalry_core::{Compute, Engine, Inputs, Kernels, Matrix, Random, Rule};
use rivalry_nets::{
    Backprop, BackpropSpec, EquilibriumPropagation, EquilibriumSpec, FastLearner, FastSpec, HStarOf, Head, Labelled,
    Learner, Microcircuit, MicrocircuitSpec, Readout, ReadoutSpec, SlowLearner, SlowSpec,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const SAMPLES: usize = 120;
const INPUTS: usize = 270;
const BATCH: usize = 20;
const POWER: Head = Head::Power { beta: 1.0, loss_m: 6.0 };

fn learners(compute: &Compute) -> Vec<(String, Box<dyn Learner>)> {
    let mut random = Random::keyed(1, "weights", 0);
    let mut learners: Vec<(String, Box<dyn Learner>)> = Vec::new();
    for (head, hidden) in [(POWER, vec![170]), (Head::Softmax, vec![170]), (POWER, vec![90, 170])] {
        let name = format!("{head:?} {hidden:?}");
        let spec = BackpropSpec { inputs: INPUTS, hidden, classes: 10, head, batch: BATCH };
        learners.push((name, Box::new(Backprop::new(spec, &mut random, compute).unwrap())));
    }
    let spec = ReadoutSpec { inputs: INPUTS, classes: 10, head: POWER, batch: BATCH, init_sigma: 0.01 };
    learners.push(("readout".to_owned(), Box::new(Readout::new(spec, &mut random, compute).unwrap())));
    let rule = Rule::new(3.0, 5, 0.4).unwrap();
    let spec = FastSpec { inputs: INPUTS, hidden: 100, rule, batch: BATCH, init_sigma: 1.0, engine: Engine::Auto };
    learners.push(("fast rule".to_owned(), Box::new(FastLearner::new(spec, &mut random).unwrap())));
    let (delta, w_inh, h_star, h_star_of) = (0.4, 0.9, 0.5, HStarOf::Max);
    let (inputs, hidden, batch) = (INPUTS, 100, BATCH);
    let spec = SlowSpec { inputs, hidden, p: 3.0, delta, w_inh, h_star, h_star_of, batch, init_sigma: 1.0 };
    learners.push(("slow".to_owned(), Box::new(SlowLearner::new(spec, &mut random).unwrap())));
    let ours = EquilibriumSpec::ours(INPUTS, &[60], 10).unwrap();
    let paper = EquilibriumSpec { tolerance: 0.01, ..EquilibriumSpec::paper(INPUTS, &[60, 40], 10).unwrap() };
    for spec in [ours, paper] {
        let spec = EquilibriumSpec { batch: BATCH, ..spec };
        let name = format!("equilibrium propagation {:?}", spec.hidden);
        learners.push((name, Box::new(EquilibriumPropagation::new(spec, &mut random, compute).unwrap())));
    }
    let spec = MicrocircuitSpec::ours(INPUTS, &[60, 40], 10).unwrap();
    let spec = MicrocircuitSpec { batch: BATCH, average_after: Some(0), ..spec };
    let network = Microcircuit::new(spec, &mut random, compute).unwrap();
    learners.push(("microcircuit".to_owned(), Box::new(network)));
    learners
}

#[test]
fn learning_allocates_nothing_per_minibatch() {
    let mut random = Random::keyed(1, "synthetic", 0);
    let pixels: Vec<u8> = (0..SAMPLES * INPUTS).map(|_| (random.next_u64() >> 56) as u8).collect();
    let labels: Vec<u8> = (0..SAMPLES).map(|sample| (sample % 10) as u8).collect();
    let mut matrix = Matrix::zeros(SAMPLES, INPUTS);
    for (sample, pixels) in pixels.chunks_exact(INPUTS).enumerate() {
        matrix.row_mut(sample).iter_mut().zip(pixels).for_each(|(x, &pixel)| *x = f32::from(pixel) / 255.0);
    }
    let order = Random::keyed(1, "readout-order", 0).order(SAMPLES);
    for kernels in Kernels::all() {
        for threads in [1, 2] {
            let compute = Compute::new(Some(threads), kernels).unwrap();
            for inputs in [Inputs::u8(&pixels, INPUTS).unwrap(), Inputs::matrix(&matrix).unwrap()] {
                let data = Labelled { inputs, labels: &labels };
                for (name, mut learner) in learners(&compute) {
                    // The first epoch divides a layer among the workers and may make room for screening.
                    learner.epoch(&compute, &data, &order, 1e-3).unwrap();
                    // Of several calls the least, since a call of the thread pool now and then renews a queue.
                    let mut allocations = |order: &[u32]| {
                        let count = |_| {
                            let region = Region::new(ALLOCATOR);
                            learner.epoch(&compute, &data, order, 1e-3).unwrap();
                            let change = region.change();
                            change.allocations + change.reallocations
                        };
                        (0..4).map(count).min().unwrap()
                    };
                    let (one, all) = (allocations(&order[..BATCH]), allocations(&order));
                    assert_eq!(one, all, "{name}, {}, {threads} threads", kernels.name());
                }
            }
        }
    }
    // The allocator does count.
    let region = Region::new(ALLOCATOR);
    drop(std::hint::black_box(vec![1_u8; 100]));
    assert!(region.change().allocations >= 1);
}
