//! Single kernels under criterion, on one thread, for every instruction set of this machine:
//!
//! ```text
//! cargo bench -p rivalry-core                        # all of them
//! cargo bench -p rivalry-core -- gemm_nt/mnist       # those whose name holds this, matrixmultiply among them
//! ```
//!
//! These numbers are for the time while a kernel is being written. The records come from `rivalry bench run`, which checks every
//! result and measures the peak beside it.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rivalry_core::ops::{self, AdamStep, Exponent, PowerLoss};
use rivalry_core::{Compute, Kernels, LANES, Matrix, Random, TopK};

/// Examples of a minibatch.
const BATCH: usize = 100;
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

/// The layer of 2000 units of the paper: name, inputs, examples of a minibatch.
const LAYER: usize = 2000;
const SHAPES: [(&str, usize, usize); 2] = [("mnist", 784, 100), ("cifar10", 3072, 1000)];

/// Scores of a layer, X Wᵀ, beside matrixmultiply on one thread too. Elements are floating-point operations.
fn gemm_nt(criterion: &mut Criterion) {
    for (name, inputs, batch) in SHAPES {
        let (w, x) = (random(LAYER, inputs), random(batch, inputs));
        let mut group = criterion.benchmark_group(format!("gemm_nt/{name}"));
        group.throughput(Throughput::Elements(2 * (LAYER * inputs * batch) as u64)).sample_size(10);
        let mut out = vec![0.0; LAYER * batch];
        // Without the portable kernels where there are others: they would take minutes.
        let all = Kernels::all();
        for kernels in &all[..(all.len() - 1).max(1)] {
            let mut work = || ops::gemm_nt(kernels, w.panel(0, LAYER), x.panel(0, batch), black_box(&mut out), LAYER);
            group.bench_function(kernels.name(), |bencher| bencher.iter(&mut work));
        }
        let (w, x, ours) = (w.to_rows(), x.to_rows(), out.clone());
        let mut work = || matrixmultiply_nt(&w, &x, inputs, black_box(&mut out));
        group.bench_function("matrixmultiply", |bencher| bencher.iter(&mut work));
        // Whatever is timed computes the same. Both vectors are still zero where a filter skipped one of the two.
        let compared = out.iter().chain(&ours).any(|score| *score != 0.0) && ours.iter().any(|score| *score != 0.0);
        let near = out.iter().zip(&ours).all(|(theirs, ours)| (theirs - ours).abs() <= 1e-4 * inputs as f32);
        assert!(!compared || near, "gemm_nt and matrixmultiply differ");
        group.finish();
    }
}

/// out = X Wᵀ by matrixmultiply: W [units × inputs], X [examples × inputs], out [examples × units].
fn matrixmultiply_nt(w: &[f32], x: &[f32], inputs: usize, out: &mut [f32]) {
    let (units, examples) = (w.len() / inputs, x.len() / inputs);
    assert!(w.len() == units * inputs && x.len() == examples * inputs && out.len() == examples * units);
    let (inputs, units) = (inputs as isize, units as isize);
    // SAFETY: with these sizes and strides every index lies in its slice, as was asserted, and `out` is borrowed mutably.
    unsafe {
        let (x, w, out) = (x.as_ptr(), w.as_ptr(), out.as_mut_ptr());
        let (m, k, n) = (examples, inputs as usize, units as usize);
        matrixmultiply::sgemm(m, k, n, 1.0, x, inputs, 1, w, 1, inputs, 0.0, out, units, 1);
    }
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
                lists.push(kernels, black_box(&scores), width, width * LANES, 0);
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
    const ROUNDS: u64 = 10_000;
    let mut group = criterion.benchmark_group("peak");
    for kernels in Kernels::all() {
        let compute = Compute::new(Some(1), kernels).expect("one thread");
        group.throughput(Throughput::Elements(ops::peak(&compute, ROUNDS))).sample_size(20);
        group.bench_function(kernels.name(), |bencher| bencher.iter(|| ops::peak(&compute, ROUNDS)));
    }
    group.finish();
}

criterion_group!(kernels, peaks, gemm_nt, top_k, readout, adam);
criterion_main!(kernels);
