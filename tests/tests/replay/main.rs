//! `rivalry replay` against the author's algorithm, written here once more, naively and in f64.
//!
//! The cases cover norms, ranks, odd shapes and edges; those of a folder of others (`RIVALRY_CONFORMANCE`) are added when
//! it is named. Weights agree within 2e-5.

mod case;
#[path = "../common/mod.rs"]
mod common;
mod errors;

use std::collections::BTreeMap;
use std::path::Path;

use case::{case, cases, naive, replay, write};
use common::{Place, folder_of, skip};
use rivalry_data::npy;

const TOLERANCE: f64 = 2e-5;

fn result(path: &Path, shape: [usize; 2]) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap();
    let array = npy::parse(&bytes).unwrap();
    assert_eq!((array.shape(), array.dtype()), (&shape[..], npy::Dtype::F32));
    array.to_f32().unwrap()
}

fn largest_difference<T: Copy + Into<f64>>(found: &[T], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let mut differences = found.iter().zip(expected).map(|(&found, &expected)| (found.into() - expected).abs());
    // NaN must not hide behind a comparison.
    differences
        .try_fold(0.0, |largest, difference| (!difference.is_nan()).then(|| difference.max(largest)))
        .unwrap_or(f64::NAN)
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
    for isa in ["avx2", "avx512", "amx"] {
        if rivalry_core::Kernels::named(isa).is_err() {
            skip(&format!("{isa} kernels"), "this CPU lacks the instructions");
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

/// Cases made by other programs: folders with weights, inputs, rates, expected (.npy) and the arguments in `args`.
#[test]
fn weights_are_those_of_the_folder_of_cases() {
    let Some(folder) = folder_of("RIVALRY_CONFORMANCE", "conformance of the rule") else { return };
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

/// The learners that are driven by files of tensors.
const LEARNERS: [&str; 5] = ["biological", "slow", "patches", "equilibrium-propagation", "dendritic-microcircuit"];

/// Cases of other programs in the form that every learner has: `LEARNER/CASE/{in,out}.safetensors`. Weights that the step
/// also had before may differ by a small share of the largest change of any of them.
#[test]
fn steps_of_learners_are_those_of_the_folder_of_cases() {
    let Some(folder) = folder_of("RIVALRY_LEARNERS", "conformance of the learners") else { return };
    for learner in LEARNERS {
        let cases = std::fs::read_dir(folder.join(learner)).unwrap_or_else(|error| panic!("{learner}: {error}"));
        let relative = ["equilibrium-propagation", "dendritic-microcircuit"].contains(&learner);
        for case in cases.map(|case| case.unwrap().path()) {
            let place = Place::new();
            let path = case.join("in.safetensors");
            let input = path.to_str().unwrap();
            place.run(&["replay", learner, "--in", input, "--out", "out.safetensors"]).succeeded();
            let [before, found, expected] =
                [path.clone(), place.file("out.safetensors"), case.join("out.safetensors")].map(|path| floats(&path));
            assert!(!expected.is_empty(), "{}", case.display());
            for (name, expected) in &expected {
                let found = found.get(name).unwrap_or_else(|| panic!("{}: no tensor {name}", case.display()));
                let tolerance = match before.get(name) {
                    Some(before) if relative && !name.starts_with("state") => {
                        2e-3 * largest_difference(before, expected) + 2e-7
                    }
                    _ if relative => 1e-5,
                    _ => TOLERANCE,
                };
                let difference = largest_difference(found, expected);
                assert!(difference <= tolerance, "{}: {name} {difference:e} > {tolerance:e}", case.display());
            }
        }
    }
}

/// The f32 tensors of a file.
fn floats(path: &Path) -> BTreeMap<String, Vec<f64>> {
    let bytes = std::fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let read = |data: &[u8]| {
        data.chunks_exact(4).map(|bytes| f64::from(f32::from_le_bytes(bytes.try_into().unwrap()))).collect()
    };
    let tensors = file.iter().filter(|(_, tensor)| tensor.dtype() == safetensors::Dtype::F32);
    tensors.map(|(name, tensor)| (name.to_owned(), read(tensor.data()))).collect()
}

#[test]
fn inputs_of_another_width_than_the_weights_are_refused_for_every_rule() {
    let place = Place::new();
    let zeros = [0_u8; 4 * 24];
    let view = |shape: &[usize]| {
        let bytes = &zeros[..4 * shape.iter().product::<usize>()];
        safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.to_vec(), bytes).unwrap()
    };
    let tensors = || [("weights", view(&[4, 6])), ("inputs", view(&[8, 3])), ("rates", view(&[2]))];
    for (learner, settings) in [
        ("biological", r#"{"p": 2.0, "k": 2, "delta": 0.1, "batch": 4}"#),
        ("slow", r#"{"p": 2.0, "delta": 0.1, "w_inh": 0.9, "h_star": 0.5, "h_star_of": "max", "batch": 4}"#),
    ] {
        let metadata = std::collections::HashMap::from([("settings".to_owned(), settings.to_owned())]);
        place.write("in.safetensors", safetensors::serialize(tensors(), Some(metadata)).unwrap());
        place
            .run(&["replay", learner, "--in", "in.safetensors", "--out", "out.safetensors"])
            .failed_with("has 3 inputs a sample, the weights have 6");
    }
}

#[test]
fn a_file_of_a_step_that_cannot_be_used_is_one_line() {
    let place = Place::new();
    place.write("in.safetensors", b"not tensors");
    let replay = |input: &str| place.run(&["replay", "biological", "--in", input, "--out", "out.safetensors"]);
    replay("in.safetensors").failed_with("cannot use in.safetensors");
    replay("gone").failed_with("cannot read gone");
    assert_eq!(place.run(&["replay", "slowly", "--in", "x", "--out", "y"]).code, Some(2));
    assert_eq!(place.listing().len(), 1);
}
