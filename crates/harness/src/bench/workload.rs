//! The work of each kind of benchmark. It is prepared once, run for the check, and then timed again and again.
//!
//! ```text
//! prepare → run(check) → SHA-256 of the result → run(minibatches), timed, once for each iteration → finish
//! ```

mod epoch;
mod kernels;
pub(super) mod learners;
mod readout;

use std::sync::Arc;

use rivalry_core::{Layer, Random};
use sha2::{Digest, Sha256};

use super::definition::{Definition, Product, Work};
use super::examples::{Examples, SEED, Sets};
use crate::compute::Compute;
use crate::error::failure;
use crate::files::hex;

/// A benchmark that is ready to run.
pub(super) struct Workload<'a> {
    pub(super) engine: &'static str,
    /// Floating-point operations of one minibatch, dense equivalent.
    pub(super) operations: f64,
    /// Whether every run computes the same, as a kernel does; else it goes on learning.
    repeats: bool,
    steps: Box<dyn Steps + 'a>,
}

/// The part of the work that differs from kind to kind.
trait Steps {
    /// Computes so many minibatches and returns their time in ns.
    fn run(&mut self, minibatches: usize) -> anyhow::Result<u64>;

    /// The result of the last run: weights, or scores by sample.
    fn result(&self) -> Vec<f32>;
}

impl<'a> Workload<'a> {
    pub(super) fn new(definition: &Definition, compute: &'a Compute, sets: &mut Sets<'_>) -> anyhow::Result<Self> {
        let Some(product) = definition.work.product() else { return Ok(kernels::bandwidth(compute)) };
        let task = Task { product, compute, examples: sets.get(product)? };
        match definition.work {
            Work::Epoch(epoch) => epoch::epoch(task, epoch),
            Work::Features(_) => readout::features(task, definition.check),
            Work::Readout(readout) => readout::readout(task, readout.rate),
            Work::Learner(ref work) => learners::learner(task, work),
            Work::Patches(work) => learners::patches(task, work, definition),
            Work::Score(_) | Work::Bandwidth => kernels::scores(task),
        }
    }

    /// Runs the warm-up and returns the checksum of its result.
    pub(super) fn check(&mut self, definition: &Definition) -> anyhow::Result<String> {
        self.steps.run(definition.check)?;
        Ok(sha256(&self.result()))
    }

    /// Runs one iteration and returns the time of one of its minibatches.
    pub(super) fn iteration(&mut self, definition: &Definition) -> anyhow::Result<u64> {
        let minibatches = definition.minibatches;
        Ok((self.steps.run(minibatches)? + minibatches as u64 / 2) / minibatches as u64)
    }

    pub(super) fn result(&self) -> Vec<f32> {
        self.steps.result()
    }

    /// Checks the result after all iterations: that of a kernel must be what it was, and weights must be finite.
    pub(super) fn finish(&self, checksum: &str) -> anyhow::Result<()> {
        let result = self.result();
        let last = sha256(&result);
        if self.repeats && last != checksum {
            let message = format!("the result had checksum {checksum} at first and {last} after the timed iterations");
            return Err(failure(message, "the kernel does not always compute the same; run the tests"));
        }
        match result.iter().find(|value| !value.is_finite()) {
            None => Ok(()),
            Some(value) => {
                let message = format!("a result is {value} after the timed minibatches");
                Err(failure(message, "a lower rate keeps weights in range"))
            }
        }
    }
}

/// SHA-256 of numbers as little-endian f32, one after another.
fn sha256(values: &[f32]) -> String {
    let mut sha256 = Sha256::new();
    // In pieces, because the bytes of all numbers at once would be a second copy of them.
    for piece in values.chunks(4096) {
        sha256.update(piece.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>());
    }
    hex(&sha256.finalize())
}

/// What every kind of work with data needs.
struct Task<'a> {
    product: Product,
    compute: &'a Compute,
    examples: Arc<Examples>,
}

impl Task<'_> {
    /// Operations of the product of all units and a minibatch.
    fn operations(&self) -> f64 {
        2.0 * self.product.hidden as f64 * self.examples.inputs as f64 * self.product.batch as f64
    }

    fn random_layer(&self) -> rivalry_core::Result<Layer> {
        random_layer(self.product, &self.examples)
    }

    fn order(&self, stream: &str) -> Order {
        Order::new((stream, 0), self.examples.samples(), self.product.batch)
    }
}

/// A layer with weights from N(0, 1).
pub(super) fn random_layer(product: Product, examples: &Examples) -> rivalry_core::Result<Layer> {
    Layer::normal(product.hidden, examples.inputs, 1.0, &mut Random::keyed(SEED, "weights", 0))
}

/// Minibatches of a fixed random order of the samples, which begins again when it has ended.
pub(super) struct Order {
    order: Vec<u32>,
    batch: usize,
    next: usize,
}

impl Order {
    pub(super) fn new((stream, index): (&str, u32), samples: usize, batch: usize) -> Self {
        Self { order: Random::keyed(SEED, stream, index).order(samples), batch, next: 0 }
    }

    /// The samples of the next so many minibatches.
    pub(super) fn take(&mut self, minibatches: usize) -> Vec<u32> {
        let whole = self.order.len() / self.batch;
        let mut taken = Vec::with_capacity(minibatches * self.batch);
        for _ in 0..minibatches {
            taken.extend_from_slice(&self.order[self.next * self.batch..][..self.batch]);
            self.next = (self.next + 1) % whole;
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use rivalry_core::{Kernels, Learner, Rates};

    use super::*;
    use crate::bench::definition::{Case, parse};
    use crate::bench::measure::{Measured, Verdict, measure};
    use crate::common::Common;
    use crate::env::Environment;

    /// A benchmark of each kind with data, small enough for the portable kernels.
    const SMALL: [&str; 9] = [
        "epoch = { data = { digits = { samples = 230 } }, hidden = 30, batch = 50, p = 3.0, k = 7, delta = 0.4, rate = 0.02 }",
        "epoch = { data = { noise = { samples = 100, inputs = 40 } }, hidden = 30, batch = 10, p = 5.0, k = 2, \
         delta = 0.2, rate = 0.001, start = 'pretrained' }",
        "score = { data = { noise = { samples = 120, inputs = 40 } }, hidden = 37, batch = 110 }",
        "features = { data = { digits = { samples = 230 } }, hidden = 30, batch = 50 }",
        "readout = { data = { digits = { samples = 230 } }, hidden = 300, batch = 50, rate = 0.001 }",
        "learner = { method = 'slow', data = { digits = { samples = 90 } }, hidden = [30], batch = 20 }",
        "learner = { method = 'equilibrium-propagation', data = { digits = { samples = 90 } }, hidden = [30, 20], batch = 7 }",
        "learner = { method = 'dendritic-microcircuit', data = { digits = { samples = 90 } }, hidden = [30, 20], batch = 7 }",
        "patches = { data = { digits = { samples = 12 } }, filters = 37, side = 5, cells = 3, batch = 4 }",
    ];

    fn small() -> Vec<Case> {
        let zeros = "0".repeat(64);
        let head = "[[bench]]\nname = 'small'\ncheck = 3\nminibatches = 3\niterations = 2\n";
        let one = |work: &str| parse(&format!("{head}checksum = '{zeros}'\nwork.{work}\n"), "small").unwrap().remove(0);
        SMALL.map(|work| Case { name: work.to_owned(), threads: 1, definition: one(work) }).to_vec()
    }

    fn measured(case: &Case, threads: usize, kernels: &'static Kernels, timed: bool) -> Measured {
        let (common, environment) = (Common::default(), Environment::collect(kernels.name(), threads));
        measure(&Case { threads, ..case.clone() }, kernels, &mut Sets::new(&common), &environment, timed)
    }

    fn checksum(case: &Case, threads: usize, kernels: &'static Kernels) -> String {
        let measured = measured(case, threads, kernels, false);
        assert_eq!(measured.verdict, Verdict::Wrong, "{}: {}", case.name, measured.row.err);
        measured.row.checksum
    }

    #[test]
    fn a_checksum_is_the_same_for_all_kernels_and_threads() {
        for case in small() {
            let expected = checksum(&case, 1, Kernels::best());
            assert_eq!(checksum(&case, 3, Kernels::best()), expected, "{} on 3 threads", case.name);
            for kernels in Kernels::all() {
                assert_eq!(checksum(&case, 2, kernels), expected, "{} on {}", case.name, kernels.name());
            }
        }
    }

    #[test]
    fn the_checksum_of_an_epoch_is_that_of_the_rule() {
        let (common, case) = (Common::default(), small().remove(0));
        let Work::Epoch(epoch) = case.definition.work else { panic!("{case:?}") };
        let examples = Sets::new(&common).get(case.definition.work.product().unwrap()).unwrap();
        let layer = Layer::normal(30, 784, 1.0, &mut Random::keyed(1, "weights", 0)).unwrap();
        let compute = rivalry_core::Compute::new(Some(1), Kernels::best()).unwrap();
        let mut learner = Learner::new(layer, epoch.rule().unwrap(), 50, &compute).unwrap();
        let order = Random::keyed(1, "order", 0).order(230);
        for minibatch in order[..150].chunks(50) {
            learner.learn(&compute, &examples.view().unwrap(), minibatch, Rates::Constant(0.02)).unwrap();
        }
        assert_eq!(checksum(&case, 1, Kernels::best()), sha256(&learner.layer().to_rows()));
    }

    #[test]
    fn a_right_result_is_timed_and_a_wrong_one_is_a_row_without_times() {
        for mut case in small() {
            let wrong = measured(&case, 1, Kernels::best(), true);
            let expected = format!("wrong result: checksum {}, not {}", wrong.row.checksum, case.definition.checksum);
            assert_eq!(wrong.row.err, expected);
            assert!(wrong.row.median_ns.is_none() && wrong.samples.is_empty() && wrong.peaks.is_none());
            case.definition.checksum = wrong.row.checksum;
            let right = measured(&case, 1, Kernels::best(), true);
            assert_eq!((right.row.err.as_str(), right.verdict), ("", Verdict::Right), "{}", case.name);
            assert_eq!((right.samples.len(), right.row.iterations), (2, 2));
            assert!(right.row.median_ns > Some(0) && right.row.peak_gflops > Some(0.0));
            assert!(right.row.density > Some(0.1));
        }
    }

    #[test]
    fn work_that_cannot_be_done_is_a_row_too() {
        for (batch, k, expected) in [(231, 7, "231 is more than the 230 samples"), (50, 31, "31")] {
            let mut case = small().remove(0);
            let Work::Epoch(epoch) = &mut case.definition.work else { panic!("{case:?}") };
            (epoch.batch, epoch.k) = (batch, k);
            let measured = measured(&case, 1, Kernels::best(), true);
            assert_eq!(measured.verdict, Verdict::Failed);
            assert!(measured.row.err.contains(expected), "{}", measured.row.err);
        }
    }

    #[test]
    fn minibatches_begin_again_where_the_samples_end() {
        let mut order = Order::new(("order", 0), 25, 10);
        let (first, second) = (order.take(1), order.take(1));
        assert_ne!(first, second);
        assert_eq!(order.take(2), [first, second].concat());
    }

    #[test]
    fn a_kernel_that_computes_something_else_later_is_an_error() {
        struct Fixed(f32);
        impl Steps for Fixed {
            fn run(&mut self, _: usize) -> anyhow::Result<u64> {
                Ok(1)
            }
            fn result(&self) -> Vec<f32> {
                vec![1.0, self.0]
            }
        }
        let finish = |value, repeats, checksum: &str| {
            Workload { engine: "", operations: 1.0, repeats, steps: Box::new(Fixed(value)) }.finish(checksum)
        };
        finish(2.0, true, &sha256(&[1.0, 2.0])).unwrap();
        finish(2.0, false, "another, since it learns").unwrap();
        let changed = finish(2.0, true, &sha256(&[2.0])).unwrap_err();
        assert!(changed.to_string().contains("after the timed iterations"), "{changed}");
        assert_eq!(finish(f32::NAN, false, "").unwrap_err().to_string(), "a result is NaN after the timed minibatches");
    }
}
