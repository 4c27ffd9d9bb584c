//! Single kernels under criterion, on one thread, for every instruction set of this machine:
//!
//! ```text
//! cargo bench -p rivalry-core                 # all of them
//! cargo bench -p rivalry-core -- score/avx2   # those whose name holds this
//! ```
//!
//! For a look while a kernel is being written. What is recorded comes from `rivalry bench run`, which checks every result
//! and measures the peak beside it.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rivalry_core::ops::{self, AdamStep, Exponent, PowerLoss};
use rivalry_core::{Compute, Kernels, LANES, Layer, Matrix, Random, TopK, peak};

/// Shapes of MNIST: inputs, examples of a minibatch, and units that one call of learning scores.
const INPUTS: usize = 784;
const BATCH: usize = 100;
const UNITS: usize = 96;
/// Classes and features of the readout.
const CLASSES: usize = 10;
const FEATURES: usize = 2000;

fn random(rows: usize, columns: usize) -> Matrix {
    let mut random = Random::keyed(1, "weights", 0);
    let mut matrix = Matrix::zeros(rows, columns);
    (0..rows).for_each(|row| matrix.row_mut(row).fill_with(|| random.normal() as f32));
    matrix
}

/// Calls `bench` for every instruction set, with a name for each.
fn each(
    criterion: &mut Criterion,
    kernel: &str,
    operations: usize,
    bench: impl Fn(&'static Kernels) -> Box<dyn FnMut()>,
) {
    let mut group = criterion.benchmark_group(kernel);
    group.throughput(Throughput::Elements(operations as u64)).sample_size(20);
    for kernels in Kernels::all() {
        let mut work = bench(kernels);
        group.bench_function(kernels.name(), |bencher| bencher.iter(&mut work));
    }
    group.finish();
}

/// Elements are floating-point operations.
fn scores(criterion: &mut Criterion) {
    each(criterion, "score", 2 * UNITS * INPUTS * BATCH, |kernels| {
        let layer = Layer::normal(UNITS, INPUTS, 1.0, &mut Random::keyed(1, "weights", 0)).expect("a small layer");
        let examples = random(BATCH, INPUTS);
        let mut out = vec![0.0; UNITS * BATCH];
        Box::new(move || {
            ops::gemm_nt(kernels, layer.panel(0, UNITS), examples.panel(0, BATCH), black_box(&mut out), UNITS);
        })
    });
}

/// Elements are scores.
fn top_k(criterion: &mut Criterion) {
    for k in [2, 7] {
        each(criterion, &format!("top_k/{k}"), BATCH * FEATURES, |kernels| {
            let width = FEATURES / LANES;
            let scores: Vec<_> = random(BATCH, FEATURES).to_rows().as_chunks::<LANES>().0.to_vec();
            let mut lists = TopK::new(BATCH, k);
            Box::new(move || {
                lists.clear();
                lists.offer(kernels, black_box(&scores), width, width * LANES, 0);
            })
        });
    }
}

/// Elements are features, sums, and floating-point operations.
fn readout(criterion: &mut Criterion) {
    each(criterion, "features", FEATURES, |kernels| {
        let (fresh, exponent) = (random(1, FEATURES), Exponent::new(4.5));
        let mut scores = fresh.clone();
        Box::new(move || {
            scores.row_mut(0).copy_from_slice(fresh.row(0));
            ops::rectified_power(kernels, black_box(&mut scores), 0..1, 0.1, exponent);
        })
    });
    each(criterion, "power_loss", BATCH, |kernels| {
        let (fresh, mut targets) = (random(1, BATCH), Matrix::zeros(1, BATCH));
        targets.row_mut(0).fill(-1.0);
        let mut sums = fresh.clone();
        let loss = PowerLoss { beta: 0.1, m: 6.0, exponent: Exponent::new(6.0) };
        Box::new(move || {
            sums.row_mut(0).copy_from_slice(fresh.row(0));
            ops::power_loss(kernels, loss, black_box(&mut sums), &targets);
        })
    });
    each(criterion, "gradient", 2 * CLASSES * FEATURES * BATCH, |kernels| {
        let (examples, deltas) = (random(BATCH, FEATURES), random(CLASSES, BATCH));
        let mut out = Matrix::zeros(CLASSES, FEATURES);
        Box::new(move || {
            ops::gemm_tn(kernels, &deltas, examples.panel(0, BATCH), black_box(&mut out));
        })
    });
}

/// Elements are weights.
fn adam(criterion: &mut Criterion) {
    each(criterion, "adam", CLASSES * FEATURES, |kernels| {
        // The moments of a gradient that stays the same stay in range, however often the step is taken.
        let (gradient, mut weights) = (random(CLASSES, FEATURES), random(CLASSES, FEATURES));
        let [mut first, mut second] = [Matrix::zeros(CLASSES, FEATURES), Matrix::zeros(CLASSES, FEATURES)];
        let step = AdamStep { first_decay: 0.9, second_decay: 0.999, rate: 1e-6, correction: 1.0, epsilon: 1e-8 };
        Box::new(move || ops::adam(kernels, step, &gradient, [&mut first, &mut second], black_box(&mut weights)))
    });
}

fn peaks(criterion: &mut Criterion) {
    const TURNS: u64 = 10_000;
    let mut group = criterion.benchmark_group("peak");
    for kernels in Kernels::all() {
        let compute = Compute::new(Some(1), kernels).expect("one thread");
        group.throughput(Throughput::Elements(peak::run(&compute, TURNS))).sample_size(20);
        group.bench_function(kernels.name(), |bencher| bencher.iter(|| peak::run(&compute, TURNS)));
    }
    group.finish();
}

criterion_group!(kernels, peaks, scores, top_k, readout, adam);
criterion_main!(kernels);
