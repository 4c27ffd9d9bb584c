//! `rivalry replay` against the author's algorithm, written here once more, naively and in f64.
//!
//! The cases cover norms, ranks, odd shapes and edges; those of a folder of others (`RIVALRY_CONFORMANCE`) are added when
//! it is named. Weights agree within 2e-5.

mod common;

use std::path::Path;

use common::{Place, bits};
use rivalry_data::npy;

const TOLERANCE: f64 = 2e-5;

#[derive(Clone)]
struct Case {
    name: &'static str,
    hidden: usize,
    inputs: usize,
    batch: usize,
    rates: Vec<f32>,
    p: f64,
    k: usize,
    delta: f64,
    weights: Vec<f32>,
    examples: Examples,
}

#[derive(Clone)]
enum Examples {
    U8(Vec<u8>),
    F32(Vec<f32>),
}

impl Examples {
    fn value(&self, at: usize) -> f64 {
        match self {
            Self::U8(values) => f64::from(values[at]) / 255.0,
            Self::F32(values) => f64::from(values[at]),
        }
    }
}

/// The author's minibatch algorithm, step by step (f64, no blocks, no shards, a full sort for the ranks).
fn naive(case: &Case) -> Vec<f64> {
    let (hidden, inputs) = (case.hidden, case.inputs);
    let mut weights: Vec<f64> = case.weights.iter().map(|&w| f64::from(w)).collect();
    for (minibatch, &rate) in case.rates.iter().enumerate() {
        let example = |b: usize, i: usize| case.examples.value((minibatch * case.batch + b) * inputs + i);
        let powers: Vec<f64> =
            weights.iter().map(|&w| if w == 0.0 { 0.0 } else { w.signum() * w.abs().powf(case.p - 1.0) }).collect();
        let mut change = vec![0.0; hidden * inputs];
        let mut pull = vec![0.0; hidden];
        for b in 0..case.batch {
            let current = |u: usize| (0..inputs).map(|i| powers[u * inputs + i] * example(b, i)).sum::<f64>();
            let currents: Vec<f64> = (0..hidden).map(current).collect();
            let mut ranks: Vec<usize> = (0..hidden).collect();
            ranks.sort_by(|&a, &b| currents[b].total_cmp(&currents[a]).then(a.cmp(&b)));
            for (unit, y) in [(ranks[0], 1.0), (ranks[case.k - 1], -case.delta)] {
                pull[unit] += y * currents[unit];
                for i in 0..inputs {
                    change[unit * inputs + i] += y * example(b, i);
                }
            }
        }
        for unit in 0..hidden {
            for i in 0..inputs {
                change[unit * inputs + i] -= pull[unit] * weights[unit * inputs + i];
            }
        }
        let largest = change.iter().fold(1e-30_f64, |largest, ds| largest.max(ds.abs()));
        for (w, ds) in weights.iter_mut().zip(&change) {
            *w += f64::from(rate) * ds / largest;
        }
    }
    weights
}

/// Standard normals, by sums of uniforms: the tests need no tails.
fn normals(count: usize, seed: u64) -> Vec<f32> {
    let mut bits = bits(seed);
    let mut uniform = || (bits() >> 11) as f64 / (1_u64 << 53) as f64;
    (0..count).map(|_| ((0..12).map(|_| uniform()).sum::<f64>() - 6.0) as f32).collect()
}

/// Bytes with about half of them zero, as pixels are.
fn pixels(count: usize, seed: u64) -> Vec<u8> {
    let mut bits = bits(seed);
    (0..count).map(|_| bits()).map(|bits| if bits & 1 == 0 { 0 } else { (bits >> 8) as u8 }).collect()
}

fn case(name: &'static str, shape: [usize; 3], rule: (f64, usize, f64)) -> Case {
    let [hidden, inputs, batch] = shape;
    let rates = vec![0.04, 0.03, 0.0, 0.01];
    let examples = Examples::U8(pixels(rates.len() * batch * inputs, 11));
    let weights = normals(hidden * inputs, 5);
    Case { name, hidden, inputs, batch, rates, p: rule.0, k: rule.1, delta: rule.2, weights, examples }
}

fn cases() -> Vec<Case> {
    let mut cases = vec![
        case("p 2, k 2", [30, 50, 20], (2.0, 2, 0.4)),
        case("p 3, k 7", [40, 64, 25], (3.0, 7, 0.4)),
        case("p 4", [23, 33, 7], (4.0, 3, 0.2)),
        case("p 5", [17, 65, 11], (5.0, 2, 0.1)),
        case("p real", [19, 47, 13], (2.5, 3, 0.3)),
        case("p 1", [12, 20, 9], (1.0, 2, 0.2)),
        case("p below 2", [12, 20, 9], (1.5, 2, 0.2)),
        case("k is hidden", [5, 21, 8], (3.0, 5, 0.4)),
        case("two units", [2, 9, 4], (2.0, 2, 0.5)),
        case("delta 0", [15, 31, 10], (3.0, 4, 0.0)),
        case("delta above 1", [15, 31, 10], (2.0, 4, 1.5)),
        case("one input", [6, 1, 5], (2.0, 2, 0.4)),
        case("one example a minibatch", [9, 17, 1], (3.0, 2, 0.4)),
        case("more inputs than a block", [7, 1100, 6], (3.0, 3, 0.3)),
    ];
    let base = || case("", [14, 40, 12], (3.0, 3, 0.4));
    let mut zero_rows = Case { name: "rows of zeros", ..base() };
    zero_rows.weights[..3 * 40].fill(0.0);
    let mut blank = Case { name: "blank images", ..base() };
    if let Examples::U8(values) = &mut blank.examples {
        values[..5 * 40].fill(0);
    }
    // Equal units tie on every example: the lower unit comes first.
    let mut ties = Case { name: "ties", ..base() };
    for unit in 1..14 {
        ties.weights.copy_within(..40, unit * 40);
    }
    let mut all_negative = Case { name: "negative weights", ..base() };
    all_negative.weights.iter_mut().for_each(|w| *w = -w.abs());
    let zero_rates = Case { name: "rates of 0", rates: vec![0.0; 4], ..base() };
    let floats = Case { name: "f32 inputs", examples: Examples::F32(normals(4 * 12 * 40, 3)), ..base() };
    let black = Case { name: "nothing but blank images", examples: Examples::U8(vec![0; 4 * 12 * 40]), ..base() };
    cases.extend([zero_rows, blank, ties, all_negative, zero_rates, floats, black]);
    cases
}

fn write(place: &Place, case: &Case) {
    let samples = case.rates.len() * case.batch;
    place.write("w.npy", npy::write_f32(&[case.hidden, case.inputs], &case.weights));
    let examples = match &case.examples {
        Examples::U8(values) => npy::write_u8(&[samples, case.inputs], values),
        Examples::F32(values) => npy::write_f32(&[samples, case.inputs], values),
    };
    place.write("x.npy", examples);
    place.write("r.npy", npy::write_f32(&[case.rates.len()], &case.rates));
}

fn replay(place: &Place, case: &Case, more: &[&str]) -> common::Ended {
    let numbers = [case.batch.to_string(), case.p.to_string(), case.k.to_string(), case.delta.to_string()];
    let [batch, p, k, delta] = numbers.each_ref().map(String::as_str);
    let mut arguments =
        vec!["replay", "--weights", "w.npy", "--inputs", "x.npy", "--rates", "r.npy", "--out", "w2.npy"];
    arguments.extend(["--batch", batch, "--p", p, "--k", k, "--delta", delta]);
    arguments.extend(more);
    place.run(&arguments)
}

fn result(path: &Path, shape: [usize; 2]) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap();
    let array = npy::parse(&bytes).unwrap();
    assert_eq!((array.shape(), array.dtype()), (&shape[..], npy::Dtype::F32));
    array.to_f32().unwrap()
}

fn largest_difference(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let differences = found.iter().zip(expected).map(|(&found, &expected)| (f64::from(found) - expected).abs());
    // NaN must not hide behind a comparison.
    differences.fold(0.0, |largest, difference| if difference <= largest { largest } else { difference })
}

#[test]
fn weights_are_those_of_the_authors_algorithm() {
    for case in cases() {
        let place = Place::new();
        write(&place, &case);
        let ended = replay(&place, &case, &[]).succeeded();
        assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""), "{}", case.name);
        let found = result(&place.file("w2.npy"), [case.hidden, case.inputs]);
        let difference = largest_difference(&found, &naive(&case));
        assert!(difference <= TOLERANCE, "{}: {difference:e}", case.name);
    }
}

#[test]
fn threads_and_instruction_sets_change_no_bit() {
    let case = case("", [41, 70, 16], (3.0, 7, 0.4));
    let place = Place::new();
    write(&place, &case);
    replay(&place, &case, &["--threads", "1", "--isa", "portable"]).succeeded();
    let first = std::fs::read(place.file("w2.npy")).unwrap();
    for isa in ["avx2", "avx512"] {
        if rivalry_core::Kernels::named(isa).is_err() {
            eprintln!("SKIPPED {isa}: this CPU does not have it");
            continue;
        }
        for threads in ["1", "2", "5"] {
            replay(&place, &case, &["--threads", threads, "--isa", isa]).succeeded();
            assert!(std::fs::read(place.file("w2.npy")).unwrap() == first, "{isa}, {threads} threads");
        }
    }
}

#[test]
fn weights_and_rates_may_be_f64() {
    let case = case("", [10, 20, 5], (2.0, 2, 0.4));
    let place = Place::new();
    write(&place, &case);
    replay(&place, &case, &[]).succeeded();
    let first = std::fs::read(place.file("w2.npy")).unwrap();
    let wide = |values: &[f32], shape: &str| {
        let mut header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}");
        header.extend(std::iter::repeat_n(' ', 128 - 10 - header.len() - 1));
        let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
        bytes.extend(header.bytes().chain([b'\n']));
        bytes.extend(values.iter().flat_map(|&value| f64::from(value).to_le_bytes()));
        bytes
    };
    place.write("w.npy", wide(&case.weights, "(10, 20)"));
    place.write("r.npy", wide(&case.rates, "(4,)"));
    let summary = replay(&place, &case, &["--json"]).succeeded().stdout;
    assert!(std::fs::read(place.file("w2.npy")).unwrap() == first);
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    assert_eq!((&summary["hidden"], &summary["minibatches"]), (&10.into(), &4.into()));
}

#[test]
fn bad_input_is_one_line_and_nothing_is_written() {
    type Spoil = fn(&mut Case);
    let cases: [(Spoil, &str); 14] = [
        (|case| case.k = 11, "--k: expected at most the 10 hidden units"),
        (|case| case.k = 1, "k: expected"),
        (|case| case.p = 0.5, "p: expected"),
        (|case| case.p = f64::NAN, "p: expected"),
        (|case| case.delta = -0.1, "delta: expected"),
        (|case| case.batch = 0, "--batch: expected at least 1"),
        (|case| case.batch = 6, "expected 4 rates x 6 samples a minibatch, found 20 samples"),
        (|case| case.rates = vec![0.1; 5], "expected 5 rates x 5 samples a minibatch, found 20 samples"),
        (|case| case.rates[2] = -0.1, "rates r.npy: expected finite numbers of at least 0, found -0.1 at 2"),
        (|case| case.rates[1] = f32::NAN, "rates r.npy: expected finite numbers of at least 0, found NaN at 1"),
        (|case| case.weights[7] = f32::NAN, "array w.npy: expected finite f32 numbers, found NaN at 7"),
        (|case| case.weights[7] = f32::INFINITY, "array w.npy: expected finite f32 numbers, found inf at 7"),
        (|case| case.examples = nan_example(), "array x.npy: expected finite f32 numbers, found NaN at 3"),
        (overflow, "expected finite numbers, found NaN or infinity"),
    ];
    for (spoil, expected) in cases {
        let place = Place::new();
        let good = case("", [10, 20, 5], (2.0, 2, 0.4));
        write(&place, &good);
        let mut bad = good.clone();
        spoil(&mut bad);
        write_as(&place, &good, &bad);
        let before = place.listing();
        let ended = replay(&place, &bad, &[]);
        assert_eq!(ended.code, Some(1), "expected to fail: {expected}");
        ended.failed_with(expected);
        assert_eq!(place.listing(), before, "{expected}");
    }
}

/// One example in twenty whose scores are infinite: its winner cannot keep finite weights.
fn overflow(case: &mut Case) {
    case.weights.iter_mut().for_each(|w| *w = w.abs());
    let mut values = normals(400, 3);
    values[..20].fill(3e38);
    case.examples = Examples::F32(values);
}

fn nan_example() -> Examples {
    let mut values = vec![0.5; 400];
    values[3] = f32::NAN;
    Examples::F32(values)
}

/// Writes the spoilt arrays in the good case's shape, whatever the command line will claim.
fn write_as(place: &Place, good: &Case, bad: &Case) {
    let shaped = Case { batch: good.batch, ..bad.clone() };
    place.write("w.npy", npy::write_f32(&[good.hidden, good.inputs], &shaped.weights));
    match &shaped.examples {
        Examples::U8(values) => place.write("x.npy", npy::write_u8(&[20, good.inputs], values)),
        Examples::F32(values) => place.write("x.npy", npy::write_f32(&[20, good.inputs], values)),
    };
    place.write("r.npy", npy::write_f32(&[shaped.rates.len()], &shaped.rates));
}

#[test]
fn files_that_are_no_arrays_of_the_right_kind_are_named() {
    let good = case("", [10, 20, 5], (2.0, 2, 0.4));
    let whole = npy::write_f32(&[10, 20], &good.weights);
    let cases: [(&str, Vec<u8>, &str); 8] = [
        ("w.npy", whole[..whole.len() - 1].to_vec(), "w.npy"),
        ("w.npy", b"garbage".to_vec(), "w.npy"),
        ("w.npy", npy::write_u8(&[10, 20], &[1; 200]), "array w.npy: expected type f32 or f64, found |u1"),
        ("w.npy", npy::write_f32(&[200], &good.weights), "array w.npy: expected shape [hidden, inputs], found [200]"),
        ("x.npy", npy::write_u8(&[20, 21], &[1; 420]), "inputs x.npy: expected 20 inputs as in the weights, found 21"),
        ("x.npy", npy::write_u8(&[0, 20], &[]), "array x.npy: expected shape [samples, inputs], found [0, 20]"),
        ("r.npy", npy::write_f32(&[2, 2], &[0.1; 4]), "rates r.npy: expected shape [minibatches], found [2, 2]"),
        ("r.npy", npy::write_u8(&[4], &[1; 4]), "array r.npy: expected type f32 or f64, found |u1"),
    ];
    for (name, content, expected) in cases {
        let place = Place::new();
        write(&place, &good);
        place.write(name, content);
        let before = place.listing();
        replay(&place, &good, &[]).failed_with(expected);
        assert_eq!(place.listing(), before, "{expected}");
    }
    let place = Place::new();
    write(&place, &good);
    std::fs::remove_file(place.file("x.npy")).unwrap();
    replay(&place, &good, &[]).failed_with("array x.npy: expected a readable .npy file");
    std::fs::create_dir(place.file("w2.npy")).unwrap();
    replay(&place, &good, &[]).failed_with("output w2.npy: expected a file, found a folder");
}

/// Cases made by other programs: folders with weights, inputs, rates, expected (.npy) and the arguments in `args`.
#[test]
fn weights_are_those_of_the_folder_of_cases() {
    let Some(folder) = std::env::var_os("RIVALRY_CONFORMANCE").filter(|folder| !folder.is_empty()) else {
        eprintln!("SKIPPED: RIVALRY_CONFORMANCE names no folder of cases");
        return;
    };
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).expect("RIVALRY_CONFORMANCE is a folder") {
        let case = entry.unwrap().path();
        let place = Place::new();
        let name = |file: &str| case.join(file).to_str().unwrap().to_owned();
        let files = [name("weights.npy"), name("inputs.npy"), name("rates.npy")];
        let mut arguments = vec!["replay", "--out", "w2.npy"];
        for (flag, file) in ["--weights", "--inputs", "--rates"].into_iter().zip(&files) {
            arguments.extend([flag, file]);
        }
        let args = std::fs::read_to_string(name("args")).unwrap();
        arguments.extend(args.split_whitespace());
        place.run(&arguments).succeeded();
        let bytes = std::fs::read(name("expected.npy")).unwrap();
        let expected = npy::parse(&bytes).unwrap();
        let &[hidden, inputs] = expected.shape() else { panic!("a matrix") };
        let found = result(&place.file("w2.npy"), [hidden, inputs]);
        let difference = largest_difference(&found, &expected.to_f64().unwrap());
        assert!(difference <= TOLERANCE, "{}: {difference:e}", case.display());
        count += 1;
    }
    assert!(count > 0, "no case in {}", folder.display());
}
