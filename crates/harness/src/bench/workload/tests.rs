use rivalry_core::Kernels;

use super::*;
use crate::bench::definition::{Case, select};
use crate::bench::measure::{Verdict, measure, verify};
use crate::cli::{self, Common, Selection};
use crate::env::Environment;

/// A benchmark of each kind that is small enough for the portable kernels.
const SMALL: &str = r#"
[[bench]]
name = "epoch/random"
kind = "epoch"
data = "digits"
samples = 230
hidden = 30
inputs = 784
batch = 50
p = 3.0
k = 7
delta = 0.4
rate = 0.02
check = 3
minibatches = 3
iterations = 2
checksum = "0000000000000000000000000000000000000000000000000000000000000000"

[[bench]]
name = "epoch/settled"
kind = "epoch"
data = "noise"
samples = 100
hidden = 30
inputs = 40
batch = 10
p = 5.0
k = 2
delta = 0.2
rate = 0.001
start = "settled"
check = 1
minibatches = 3
iterations = 2
checksum = "0000000000000000000000000000000000000000000000000000000000000000"

[[bench]]
name = "score/noise"
kind = "score"
data = "noise"
samples = 120
hidden = 37
inputs = 40
batch = 110
check = 2
minibatches = 3
iterations = 2
checksum = "0000000000000000000000000000000000000000000000000000000000000000"

[[bench]]
name = "features/digits"
kind = "features"
data = "digits"
samples = 230
hidden = 30
inputs = 784
batch = 50
check = 1
minibatches = 3
iterations = 2
checksum = "0000000000000000000000000000000000000000000000000000000000000000"

[[bench]]
name = "readout/digits"
kind = "readout"
data = "digits"
samples = 230
hidden = 300
inputs = 784
batch = 50
rate = 0.001
check = 2
minibatches = 3
iterations = 2
checksum = "0000000000000000000000000000000000000000000000000000000000000000"
"#;

fn small() -> Vec<Case> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, SMALL).unwrap();
    let selection = Selection { filter: None, definitions: Some(file.path().to_owned()) };
    select(&selection, cli::Engine::Auto, 1).unwrap()
}

fn checksum(case: &Case, threads: usize, kernels: &'static Kernels, sets: &mut Sets<'_>) -> String {
    match verify(&Case { threads, ..case.clone() }, kernels, sets) {
        Verdict::Differs(found) => found,
        verdict => panic!("{}: {verdict:?}", case.name),
    }
}

#[test]
fn a_checksum_is_the_same_for_all_kernels_and_threads() {
    let common = Common::default();
    let mut sets = Sets::new(&common);
    for case in small() {
        let expected = checksum(&case, 1, Kernels::best(), &mut sets);
        assert_eq!(checksum(&case, 3, Kernels::best(), &mut sets), expected, "{} on 3 threads", case.name);
        for kernels in Kernels::all() {
            assert_eq!(checksum(&case, 2, kernels, &mut sets), expected, "{} on {}", case.name, kernels.name());
        }
    }
}

#[test]
fn the_checksum_of_an_epoch_is_that_of_the_rule() {
    let common = Common::default();
    let (case, mut sets) = (small().remove(0), Sets::new(&common));
    let examples = sets.get(&case.definition).unwrap();
    let kernels = Kernels::best();
    let layer = Layer::normal(30, 784, 1.0, &mut Random::keyed(1, "weights", 0)).unwrap();
    let compute =
        Compute { core: rivalry_core::Compute::new(Some(1), kernels).unwrap(), engine: rivalry_core::Engine::Auto };
    let task = Task { definition: &case.definition, compute: &compute, examples: Arc::clone(&examples) };
    let mut learner = epoch::learner(&task, layer, 50).unwrap();
    let order = Random::keyed(1, "order", 0).order(230);
    for minibatch in order[..150].chunks(50) {
        let rate = rivalry_core::Rates::Constant(0.02);
        learner.learn(&compute.core, &examples.view().unwrap(), minibatch, rate).unwrap();
    }
    let expected = digest::of(&learner.layer().to_rows());
    assert_eq!(checksum(&case, 1, kernels, &mut sets), expected);
}

#[test]
fn a_right_answer_is_timed_and_a_wrong_one_is_a_row_without_times() {
    let common = Common::default();
    let (mut sets, kernels) = (Sets::new(&common), Kernels::best());
    let environment = Environment::collect(kernels.name(), 1);
    for mut case in small() {
        let wrong = measure(&case, kernels, &mut sets, &environment);
        assert!(wrong.row.err.starts_with("checksum: expected 000"), "{}: {}", case.name, wrong.row.err);
        assert!(wrong.row.median_ns.is_none() && wrong.samples.is_empty() && wrong.peaks.is_none());
        case.definition.checksum = wrong.row.checksum;
        let right = measure(&case, kernels, &mut sets, &environment);
        assert_eq!((right.row.err.as_str(), &right.verdict), ("", &Verdict::Holds), "{}", case.name);
        assert_eq!((right.samples.len(), right.row.iterations), (2, 2));
        assert!(right.row.median_ns > Some(0) && right.row.peak_gflops > Some(0.0));
        assert!(right.row.density > Some(0.1));
    }
}

#[test]
fn what_cannot_be_computed_is_a_row_too() {
    let common = Common::default();
    let (mut sets, kernels) = (Sets::new(&common), Kernels::best());
    let environment = Environment::collect(kernels.name(), 1);
    let mut refused = |change: fn(&mut Definition), expected: &str| {
        let mut case = small().remove(0);
        change(&mut case.definition);
        let measured = measure(&case, kernels, &mut sets, &environment);
        assert!(matches!(measured.verdict, Verdict::Failed(_)), "{:?}", measured.verdict);
        assert!(measured.row.err.contains(expected), "{}", measured.row.err);
    };
    refused(|it| it.inputs = Some(783), "key `inputs` of `epoch/random`: expected 784 as the data has, found 783");
    refused(|it| it.batch = Some(231), "key `samples` of `epoch/random`: expected 231 (a minibatch) to 230 (all)");
    refused(|it| it.k = Some(31), "k: expected at most the 30 hidden units, found 31");
}

#[test]
fn minibatches_begin_again_where_the_examples_end() {
    let mut order = Order::new(("order", 0), 25, 10);
    let (first, second) = (order.take(1), order.take(1));
    assert_ne!(first, second);
    assert_eq!(order.take(2), [first, second].concat());
}

#[test]
fn a_result_that_changes_between_iterations_is_an_error() {
    score::same("a", "a").unwrap();
    assert!(score::same("a", "b").unwrap_err().to_string().contains("expected a as after the first, found b"));
}
