//! What a user sees when something is wrong: one line `error: …`, one line `hint: …`, the right exit code, and no trace
//! of a run that could not be made.

mod common;

use std::io::Read;
use std::process::Stdio;

use common::{Place, write_digits};
use rivalry_data::{idx, npy};

const SMALL: [&str; 5] = ["hidden=20", "batch=10", "readout_batch=10", "epochs=2", "readout_epochs=2"];

/// `train mnist` on a user's data with few units, and more settings.
fn train<'a>(data: &'a str, more: &[&'a str]) -> Vec<String> {
    let mut arguments = vec!["train".to_owned(), "mnist".to_owned(), "--set".to_owned(), format!("dataset={data}")];
    for set in SMALL.iter().chain(more) {
        arguments.extend(["--set".to_owned(), (*set).to_owned()]);
    }
    arguments.extend(["--out".to_owned(), "run".to_owned()]);
    arguments
}

fn run(place: &Place, arguments: &[String]) -> common::Ended {
    place.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The command fails with `expected`, and the folder is as it was.
#[track_caller]
fn refused(place: &Place, arguments: &[&str], expected: &str) {
    let before = place.listing();
    place.run(arguments).failed_with(expected);
    assert_eq!(place.listing(), before, "{arguments:?} left something behind");
}

#[test]
fn settings_that_cannot_be_are_refused_before_anything_is_written() {
    let place = Place::new();
    write_digits(&place, "digits", 50, 20);
    place.write("mine.toml", "dataset = 'digits'\nhiden = 5\n");
    place.write("broken.toml", "dataset = 'digits'\nhidden = = 5\n");
    for (set, expected) in [
        ("k=21", "k = 21 needs as many hidden units, there are 20"),
        ("p=0.5", "`p` must be a number of at least 1, not 0.5 (--set)"),
        ("delta=-1", "`delta` must be a number of at least 0, not -1"),
        ("hiden=5", "there is no key `hiden` (--set)"),
        ("batch=51", "batch = 51 is larger than the 50 training examples"),
        ("readout_batch=51", "readout_batch = 51 is larger than the 50 labelled examples"),
        ("labels_per_class=50", "labels_per_class = 50, but class "),
        ("validation=2", "`validation` must be a share"),
        ("hidden=16777216", "16777216 hidden units need "),
        ("dataset=nowhere", "there is no data set \"nowhere\""),
        ("method=end-to-end", "method end-to-end does not use `"),
    ] {
        let before = place.listing();
        run(&place, &train("digits", &[set])).failed_with(expected);
        assert_eq!(place.listing(), before, "{set}");
    }
    refused(&place, &["train", "mine.toml"], "there is no key `hiden` (mine.toml line 2)");
    refused(&place, &["train", "broken.toml"], "broken.toml line 2 is not TOML");
    refused(&place, &["train", "nothing.toml"], "experiment file nothing.toml");
    refused(&place, &["train", "mnits"], "there is no experiment or TOML file `mnits`");
    let seed = u64::MAX.to_string();
    refused(&place, &["train", "mnist", "--seed", &seed], "`seed` must be from 0 to 9223372036854775807, not 1844");
    let typo = place.run(&["train", "mine.toml"]);
    assert!(typo.stderr.contains("hint: did you mean `hidden`?"), "{}", typo.stderr);
}

#[test]
fn damaged_data_is_one_line_that_names_the_file() {
    let images = idx::encode_images(12, 2, 2, &[7; 48]);
    let labels = idx::encode_labels(&[0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]);
    let short_labels = idx::encode_labels(&[0, 1, 2]);
    let mut magic = images.clone();
    magic[3] = 9;
    let nan = npy::write_f32(&[12, 4], &[f32::NAN; 48]);
    let names =
        ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];
    let cases: [(&str, &str, &[u8], &str); 5] = [
        ("truncated", names[0], &images[..images.len() - 1], "the header promises 64 bytes, but there are 63"),
        ("no header", names[0], &images[..3], "the header takes 16 bytes, but there are only 3"),
        ("wrong magic", names[0], &magic, "the magic number is 0x00000809, not 0x00000803"),
        ("wrong count", names[1], &short_labels, "12 training images, but 3 training labels in own"),
        ("not a number", "train-images-idx3-ubyte.npy", &nan, "sample 0 holds NaN"),
    ];
    for (what, damaged, content, said) in cases {
        let place = Place::new();
        for (name, good) in names.iter().zip([&images, &labels, &images, &labels]) {
            place.write(&format!("own/{name}"), good);
        }
        if damaged.ends_with(".npy") {
            std::fs::remove_file(place.file("own/train-images-idx3-ubyte")).unwrap();
        }
        place.write(&format!("own/{damaged}"), content);
        let before = place.listing();
        let ended = run(&place, &train("own", &[]));
        ended.failed_with("own");
        assert!(ended.stderr.contains(said), "{what}: {}", ended.stderr);
        assert_eq!(place.listing(), before, "{what}");
    }
}

#[test]
fn a_set_that_is_nowhere_or_bad_is_an_error_and_never_replaced() {
    let place = Place::new();
    refused(&place, &["train", "mnist", "--offline"], "cannot find mnist in data/mnist or ");
    refused(&place, &["train", "mnist", "--data", "gone"], "there is no directory gone");
    place.write("data/mnist/train-images-idx3-ubyte", b"\0\0\x08\x03");
    refused(&place, &["train", "mnist", "--offline"], "mnist");
    refused(&place, &["reproduce", "mnist", "--offline"], "mnist");
}

#[test]
fn an_unwritable_output_is_found_before_training() {
    let place = Place::new();
    write_digits(&place, "digits", 50, 20);
    place.write("file", "");
    for out in ["file", "file/below"] {
        let mut arguments = train("digits", &[]);
        *arguments.last_mut().unwrap() = out.to_owned();
        let before = place.listing();
        run(&place, &arguments).failed_with(out);
        assert_eq!(place.listing(), before);
    }
    refused(&place, &["reproduce", "mnist", "--offline", "--out", "file/below"], "file/below");
}

#[test]
fn a_folder_with_a_run_is_kept_unless_told_otherwise() {
    let place = Place::new();
    write_digits(&place, "digits", 50, 20);
    let arguments = train("digits", &[]);
    let first = run(&place, &arguments).succeeded();
    assert!(first.stdout.contains("test error"), "{}", first.stdout);
    let weights = std::fs::read(place.file("run/weights.npy")).unwrap();
    let before = place.listing();
    run(&place, &arguments).failed_with("run already holds a finished run");
    let with = |flag: &str, sets: &[&str]| {
        let mut arguments = train("digits", sets);
        arguments.push(flag.to_owned());
        run(&place, &arguments)
    };
    with("--resume", &["beta=2"]).failed_with("run holds a run with other settings: beta 2.0 here, 0.1 there");
    assert_eq!(with("--resume", &[]).succeeded().stdout, first.stdout);
    assert_eq!(place.listing(), before);
    with("--force", &["p=2"]).succeeded();
    assert_ne!(std::fs::read(place.file("run/weights.npy")).unwrap(), weights);
    assert_eq!(place.listing(), before, "the same files, replaced");
}

#[test]
fn a_damaged_checkpoint_is_one_clear_error() {
    let place = Place::new();
    write_digits(&place, "digits", 50, 20);
    run(&place, &train("digits", &[])).succeeded();
    std::fs::remove_file(place.file("run/result.csv")).unwrap();
    let whole = std::fs::read(place.file("run/checkpoint.safetensors")).unwrap();
    let mut flipped = whole.clone();
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    for damaged in [&whole[..whole.len() / 2], b"", b"not a checkpoint at all", &flipped] {
        place.write("run/checkpoint.safetensors", damaged);
        let mut arguments = train("digits", &[]);
        arguments.push("--resume".to_owned());
        run(&place, &arguments).failed_with("the checkpoint run/checkpoint.safetensors cannot be used: ");
        assert_eq!(std::fs::read(place.file("run/checkpoint.safetensors")).unwrap(), damaged);
    }
}

#[test]
fn a_file_that_cannot_be_written_does_not_take_the_result_away() {
    let place = Place::new();
    write_digits(&place, "digits", 50, 20);
    // A folder in the place of a picture stands for a disk that is full at the end.
    std::fs::create_dir_all(place.file("run/fields.png/in the way")).unwrap();
    let mut arguments = train("digits", &[]);
    arguments.push("--resume".to_owned());
    let ended = run(&place, &arguments);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stdout.contains("test error"), "{}", ended.stdout);
    assert!(ended.stderr.contains("error: cannot write run/fields.png"), "{}", ended.stderr);
    assert!(place.file("run/weights.npy").is_file() && place.file("run/readout.npy").is_file());
    assert!(!place.file("run/result.csv").exists(), "the folder is not complete");
    std::fs::remove_dir_all(place.file("run/fields.png")).unwrap();
    assert_eq!(run(&place, &arguments).succeeded().stdout, ended.stdout);
    assert!(place.file("run/result.csv").is_file() && place.file("run/fields.png").is_file());
}

#[test]
fn the_hidden_layer_alone_has_no_readout() {
    let place = Place::new();
    write_digits(&place, "digits", 50, 20);
    let ended = run(&place, &train("digits", &["readout_epochs=0"])).succeeded();
    assert!(!ended.stdout.contains("test error"), "{}", ended.stdout);
    assert!(place.file("run/weights.npy").is_file() && place.file("run/fields.png").is_file());
    assert!(!place.file("run/readout.npy").exists() && !place.file("run/curves.svg").exists());
}

#[test]
fn every_method_leaves_the_files_and_the_cells_that_apply() {
    let place = Place::new();
    write_digits(&place, "digits", 50, 20);
    for (method, files, empty) in [
        (
            "end-to-end",
            "weights.npy fields.png",
            "p k delta epochs batch rate power_n on_sphere silent_units readout_s",
        ),
        ("end-to-end-softmax", "weights.npy fields.png", "p k delta epochs power_n loss_m beta on_sphere readout_s"),
        ("random", "weights.npy fields.png", "k delta epochs batch rate silent_units learn_s epoch_ms"),
        ("shallow", "", "hidden p k delta epochs power_n on_sphere weights_sha256 learn_s"),
    ] {
        let method_key = format!("method={method}");
        let mut arguments = vec!["train", "mnist", "--json", "--out", method, "--set", "dataset=digits"];
        let hidden = if method == "shallow" { "readout_batch=10" } else { "hidden=20" };
        for set in [method_key.as_str(), "readout_batch=10", "readout_epochs=3", hidden] {
            arguments.extend(["--set", set]);
        }
        let row: serde_json::Value = serde_json::from_str(&place.run(&arguments).succeeded().stdout).unwrap();
        assert_eq!(row["method"], method);
        assert!(row["test_error_pct"].is_number() && row["train_error_pct"].is_number(), "{row}");
        for column in empty.split(' ') {
            assert!(row[column].is_null() || row[column] == "", "{method}: {column} is {}", row[column]);
        }
        assert_eq!(row["hidden"].is_null(), method == "shallow");
        for file in ["weights.npy", "fields.png"] {
            let expected = files.split(' ').any(|name| name == file);
            assert_eq!(place.file(method).join(file).is_file(), expected, "{method} {file}");
        }
        for file in ["readout.npy", "curves.svg", "confusion.csv", "metrics.csv", "result.csv", "weights.safetensors"] {
            assert!(place.file(method).join(file).is_file(), "{method} {file}");
        }
        let metrics = std::fs::read_to_string(place.file(method).join("metrics.csv")).unwrap();
        let phase = if method.starts_with("end-to-end") { "end-to-end," } else { "readout," };
        assert_eq!(metrics.lines().skip(1).filter(|line| line.starts_with(phase)).count(), 3, "{metrics}");
        assert_eq!(metrics.lines().count(), 4, "{metrics}");
    }
    // The same command again keeps what is there, told in words this time.
    let mut arguments = vec!["train", "mnist", "--resume", "--out", "shallow", "--set", "dataset=digits"];
    for set in ["method=shallow", "readout_batch=10", "readout_epochs=3"] {
        arguments.extend(["--set", set]);
    }
    let told = place.run(&arguments).succeeded().stdout;
    assert!(told.contains("method      shallow") && !told.contains("layer ") && !told.contains("units"), "{told}");
}

#[test]
fn json_is_one_object_with_the_columns_of_the_csv() {
    let place = Place::new();
    write_digits(&place, "digits", 50, 20);
    let mut arguments = train("digits", &["validation=0.2"]);
    arguments.push("--json".to_owned());
    let ended = run(&place, &arguments).succeeded();
    assert_eq!(ended.stderr, "", "a pipe gets no progress");
    let row: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(row["hidden"], 20);
    assert!(row["validation_error_pct"].is_number() && row["test_error_pct"].is_null());
    let csv = std::fs::read_to_string(place.file("run/result.csv")).unwrap();
    let columns: Vec<&str> = csv.lines().next().unwrap().split(',').collect();
    assert_eq!(row.as_object().unwrap().len(), columns.len());
    assert!(columns.iter().all(|column| row.get(column).is_some()));
}

#[test]
fn usage_errors_keep_the_form_of_clap_and_exit_with_two() {
    let place = Place::new();
    for arguments in [
        vec!["fly"],
        vec!["train"],
        vec!["train", "mnist", "--threads", "0"],
        vec!["train", "mnist", "--isa", "sse"],
        vec!["train", "mnist", "--resume", "--force"],
        vec!["reproduce", "--quick", "--paper"],
        vec!["reproduce", "--seeds", "0"],
        vec!["reproduce", "k-swep"],
        vec!["reproduce", "--methods", "biological,backprop"],
        vec!["replay", "--weights", "w.npy"],
        vec!["data", "fetch", "imagenet"],
    ] {
        let ended = place.run(&arguments);
        assert_eq!(ended.code, Some(2), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.starts_with("error: "), "{arguments:?}: {}", ended.stderr);
        assert_eq!(ended.stdout, "");
    }
    assert_eq!(place.listing().len(), 0);
}

#[test]
fn a_reader_that_goes_away_ends_the_program_quietly() {
    let place = Place::new();
    write_digits(&place, "digits", 50, 20);
    let arguments = train("digits", &[]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut child =
        place.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(stderr, "");
    assert!(place.file("run/result.csv").is_file());
}

#[test]
fn a_record_from_this_build_is_refused_before_the_first_run() {
    let place = Place::new();
    place.write("bench-results/README.md", "");
    if cfg!(debug_assertions) {
        refused(&place, &["reproduce", "mnist", "--offline", "--record"], "a debug build cannot write a record");
    }
}
