//! `rivalry sweep`: the bits of `train`, layers learned once, shards, failures as rows, and sweeps that were killed.

mod common;

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use common::{Ended, Place, write_digits};
use rivalry::rows::{ResultRow, from_csv};

const SETTINGS: [&str; 6] =
    ["dataset=digits", "hidden=20", "batch=10", "readout_batch=10", "epochs=3", "readout_epochs=3"];
const PATIENCE: Duration = Duration::from_secs(120);

/// `sweep mnist` on a user's data with few units, and more arguments.
fn arguments<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["sweep", "mnist"];
    for set in SETTINGS {
        arguments.extend(["--set", set]);
    }
    arguments.extend(more);
    arguments
}

fn sweep(place: &Place, more: &[&str]) -> Ended {
    place.run(&arguments(more))
}

fn rows(path: &Path) -> Vec<ResultRow> {
    from_csv(&std::fs::read_to_string(path).unwrap(), "test").unwrap()
}

/// Rows without what differs from one start to the next.
fn lasting(rows: Vec<ResultRow>) -> Vec<ResultRow> {
    let times = |row| ResultRow {
        learn_s: None,
        readout_s: None,
        epoch_ms: None,
        epoch_first_ms: None,
        epoch_last_ms: None,
        ..row
    };
    rows.into_iter().map(times).collect()
}

fn place() -> Place {
    let place = Place::new();
    write_digits(&place, "digits", 60, 20);
    place
}

/// The other methods that learn a layer first, with a key that only their readout reads, and its values.
const SHARED: [(&[&str], &str, [&str; 2]); 3] = [
    (&["method=slow", "hidden=20", "epochs=2", "readout_epochs=2"], "beta", ["1", "2"]),
    (&["method=stacked", "hidden=20,10", "epochs=2", "readout_epochs=2"], "readout_on", ["top", "all"]),
    (&["method=patches", "hidden=20", "patches=2000", "patch=6", "epochs=2"], "cells", ["2", "3"]),
];

#[test]
fn points_of_every_method_that_learns_a_layer_have_the_bits_of_train() {
    for (settings, key, values) in SHARED {
        let place = place();
        let sets = [&["train_samples=300"], settings].concat();
        let all: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
        let vary = format!("{key}={}", values.join(","));
        place.run(&[&["sweep", "synthetic", "--vary", &vary, "--out", "all.csv"], &all[..]].concat()).succeeded();
        let swept = rows(&place.file("all.csv"));
        assert_eq!(swept[0].learn_s, swept[1].learn_s, "{settings:?}: the layer is learned once");
        for (row, value) in swept.iter().zip(values) {
            let set = format!("{key}={value}");
            let train = ["train", "synthetic", "--out", value, "--set", &set];
            place.run(&[&train, &all[..]].concat()).succeeded();
            let alone = &rows(&place.file(&format!("{value}/result.csv")))[0];
            assert_eq!(
                (row.test_error_pct, row.train_error_pct, &row.weights_sha256, &row.own),
                (alone.test_error_pct, alone.train_error_pct, &alone.weights_sha256, &alone.own),
                "{settings:?} {set}"
            );
        }
    }
}

#[test]
fn each_point_has_the_bits_of_train_though_the_layer_is_learned_once() {
    let place = place();
    let vary = ["--vary", "p=2,3", "--vary", "task=class,parity,half", "--seeds", "2", "--out", "all.csv"];
    let ended = sweep(&place, &vary).succeeded();
    assert!(ended.stdout.contains("p 2, task parity") && ended.stdout.contains("rows: all.csv"), "{}", ended.stdout);
    assert_eq!(ended.stderr, "", "a pipe gets no progress");
    let rows = rows(&place.file("all.csv"));
    let found: Vec<(Option<f64>, &str, u64)> = rows.iter().map(|row| (row.p, row.task.as_str(), row.seed)).collect();
    assert_eq!(found.len(), 12);
    assert_eq!(found[..3], [(Some(2.0), "class", 1), (Some(2.0), "class", 2), (Some(2.0), "parity", 1)]);
    assert_eq!((found[4], found[11]), ((Some(2.0), "half", 1), (Some(3.0), "half", 2)));
    // The layer's times are those of the run that learned it, so equal times show that it was learned once.
    assert_eq!((rows[0].epoch_ms, rows[0].learn_s), (rows[2].epoch_ms, rows[2].learn_s));
    assert_ne!(rows[0].epoch_first_ms, rows[4].epoch_first_ms, "half is learned on other images");
    for (point, p, task, seed) in [("001-p2-taskclass", "2", "class", "1"), ("009-p3-taskparity", "3", "parity", "1")] {
        let (p, task) = (format!("p={p}"), format!("task={task}"));
        let mut train = vec!["train", "mnist", "--out", point, "--seed", seed];
        for set in SETTINGS.iter().chain([&p.as_str(), &task.as_str()]) {
            train.extend(["--set", set]);
        }
        place.run(&train).succeeded();
        for name in ["weights.npy", "readout.npy", "weights.safetensors", "fields.png"] {
            let read = |folder: &str| std::fs::read(place.file(folder).join(name)).unwrap();
            assert!(read(point) == read(&format!("all.runs/{point}-seed{seed}")), "{point} {name} differs");
        }
    }
    let checkpoints = place
        .listing()
        .into_iter()
        .filter(|path| path.starts_with("all.runs") && path.ends_with("checkpoint.safetensors"));
    assert_eq!(checkpoints.count(), 0, "checkpoints are gone once nobody needs them");
}

#[test]
fn shards_that_are_merged_are_the_whole() {
    let place = place();
    let vary = ["--vary", "delta=0,0.2", "--vary", "beta=0.1,1,3"];
    sweep(&place, &[&vary[..], &["--out", "whole.csv"]].concat()).succeeded();
    for (shard, out) in [("1/2", "a.csv"), ("2/2", "b.csv")] {
        sweep(&place, &[&vary[..], &["--shard", shard, "--out", out]].concat()).succeeded();
    }
    assert_eq!(rows(&place.file("a.csv")).iter().map(|row| row.beta.unwrap()).collect::<Vec<_>>(), [0.1, 3.0, 1.0]);
    let merged = place.run(&["sweep", "merge", "b.csv", "a.csv", "--out", "merged.csv"]).succeeded();
    assert_eq!(merged.stdout, "mnist: 6 points of 2 files in merged.csv\n");
    assert_eq!(lasting(rows(&place.file("merged.csv"))), lasting(rows(&place.file("whole.csv"))));
    let grid =
        |name: &str| std::fs::read_to_string(place.file(name)).unwrap().lines().skip(1).collect::<Vec<_>>().join("\n");
    assert_eq!(grid("merged.grid.toml"), grid("whole.grid.toml"));

    let before = place.listing();
    place.run(&["sweep", "merge", "a.csv", "--out", "c.csv"]).failed_with("3 of the 6 points of mnist are missing");
    place.run(&["sweep", "merge", "a.csv", "b.csv", "--out", "a.csv"]).failed_with("a.csv already exists");
    sweep(&place, &[&vary[..], &["--shard", "7/7", "--out", "c.csv"]].concat())
        .failed_with("there is no shard 7/7 of 6 points");
    assert_eq!(place.listing(), before);
}

#[test]
fn what_cannot_be_is_refused_before_anything_starts() {
    let place = place();
    let before = place.listing();
    for (more, expected) in [
        (vec!["--vary", "p=2,0.5", "--out", "x.csv"], "`p` must be a number of at least 1"),
        (vec!["--vary", "k=2,21", "--out", "x.csv"], "k = 21 needs as many hidden units, there are 20"),
        (
            vec!["--vary", "train_samples=60,61", "--out", "x.csv"],
            "point 2 (train_samples 61, seed 1): train_samples = 61",
        ),
        (
            vec!["--vary", "labels_per_class=1,50", "--out", "x.csv"],
            "point 2 (labels_per_class 50, seed 1): labels_per_class = 50",
        ),
        (vec!["--vary", "p=2,3", "--out", "x.txt"], "x.txt does not end in .csv"),
        (vec!["--vary", "p=2,3", "--out", "digits/train-images.npy/x.csv"], "digits/train-images.npy/x.runs"),
    ] {
        sweep(&place, &more).failed_with(expected);
        assert_eq!(place.listing(), before, "{more:?}");
    }
    // This is a debug build.
    place.run(&["sweep", "synthetic", "--record", "--out", "x.csv"]).failed_with("a debug build cannot write a record");
    place.run(&["sweep", "k-swep", "--out", "x.csv"]).failed_with("there is no sweep or experiment `k-swep`");
    for usage in [
        vec!["sweep", "p-sweep"],
        vec!["sweep", "--out", "x.csv"],
        vec!["sweep", "merge", "--out", "x.csv"],
        vec!["sweep", "merge", "a.csv"],
        vec!["sweep", "p-sweep", "--shard", "0/2", "--out", "x.csv"],
        vec!["sweep", "p-sweep", "--quick", "--paper", "--out", "x.csv"],
        vec!["sweep", "p-sweep", "--record", "--shard", "1/3", "--out", "x.csv"],
        vec!["sweep", "p-sweep", "--record", "--set", "k=2", "--out", "x.csv"],
    ] {
        assert_eq!(place.run(&usage).code, Some(2), "{usage:?}");
    }
    assert_eq!(place.listing(), before);
}

/// No unit reaches the p-sphere in one epoch at a rate of nothing, so there is nothing to read out of those that do.
const FAILING: [&str; 6] = ["--vary", "off_sphere=drop,keep", "--set", "rate=1e-9", "--out", "some.csv"];

#[test]
fn a_point_that_fails_is_a_row_and_the_sweep_goes_on() {
    let place = place();
    let ended = sweep(&place, &FAILING);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("off_sphere drop, seed 1: failed: no unit is on the p-sphere"), "{}", ended.stderr);
    let error = "error: 1 of the 2 points of mnist failed, first off_sphere drop, seed 1";
    assert!(ended.stderr.contains(error), "{}", ended.stderr);
    assert!(ended.stdout.contains("0 (1 failed)"), "{}", ended.stdout);
    let found = rows(&place.file("some.csv"));
    assert!(found[0].err.starts_with("no unit is on the p-sphere") && found[0].has_no_result());
    assert_eq!((found[0].hidden.clone(), found[0].dataset_sha256.len()), (Some(20.into()), 64));
    assert!(found[1].err.is_empty() && found[1].test_error_pct.is_some());

    let again = sweep(&place, &[&FAILING[..], &["--resume"]].concat());
    assert_eq!(again.code, Some(1));
    assert!(
        again.stderr.contains("keep, seed 1: kept") && again.stderr.contains("drop, seed 1: failed"),
        "{}",
        again.stderr
    );
    assert_eq!(rows(&place.file("some.csv")), found);
}

const LONG: [&str; 14] = [
    "--set",
    "init_sigma=0.2",
    "--set",
    "rate=0.1",
    "--vary",
    "delta=0,0.2",
    "--vary",
    "loss_m=2,4",
    "--set",
    "current_scale=auto",
    "--seeds",
    "1",
    "--out",
    "x",
];

fn long(place: &Place, out: &str, more: &[&str]) -> Child {
    let mut typed: Vec<&str> = arguments(&LONG)
        .iter()
        .map(|&argument| match argument {
            "hidden=20" => "hidden=100",
            "epochs=3" => "epochs=150",
            "readout_epochs=3" => "readout_epochs=60",
            "x" => out,
            other => other,
        })
        .collect();
    typed.extend(more);
    let mut command = place.command(&typed);
    command.env("RIVALRY_CHECKPOINT_S", "0").stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the program starts")
}

/// SIGKILL once `reached` says so.
fn kill_at(place: &Place, more: &[&str], what: &str, reached: impl Fn() -> bool) {
    let (mut child, started) = (long(place, "killed.csv", more), Instant::now());
    while !reached() {
        assert!(started.elapsed() < PATIENCE, "the sweep does not get to {what}");
        assert!(child.try_wait().unwrap().is_none(), "the sweep ended before {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success(), "killed too late at {what}");
}

#[test]
fn a_killed_sweep_goes_on_where_it_was_and_ends_with_the_same_rows() {
    let place = place();
    Ended::new(long(&place, "whole.csv", &[]).wait_with_output().unwrap()).succeeded();
    let checkpoint = |point: &str| place.file("killed.runs").join(point).join("checkpoint.safetensors");
    kill_at(&place, &[], "the first point", || checkpoint("001-delta0-loss_m2-seed1").exists());
    kill_at(&place, &["--resume"], "the second row", || {
        let path = place.file("killed.csv");
        path.exists() && std::fs::read_to_string(path).unwrap().lines().count() >= 3
    });
    let finished = place.file("killed.runs/001-delta0-loss_m2-seed1");
    let written = std::fs::metadata(finished.join("result.csv")).unwrap().modified().unwrap();
    // A run folder whose row is kept may be thrown away; one that is there is not touched.
    std::fs::remove_dir_all(place.file("killed.runs/002-delta0-loss_m4-seed1")).unwrap();
    let ended = Ended::new(long(&place, "killed.csv", &["--resume"]).wait_with_output().unwrap()).succeeded();
    assert_eq!(ended.stderr.matches(": kept").count(), 2, "{}", ended.stderr);
    assert_eq!(std::fs::metadata(finished.join("result.csv")).unwrap().modified().unwrap(), written);
    assert_eq!(lasting(rows(&place.file("killed.csv"))), lasting(rows(&place.file("whole.csv"))));
    let leftovers = place.listing().into_iter().filter(|path| path.to_string_lossy().contains(".rivalry-tmp-"));
    assert_eq!(leftovers.count(), 0);
}

#[test]
fn a_file_of_rows_is_kept_unless_told_otherwise() {
    let place = place();
    let vary = ["--vary", "delta=0,0.2", "--out", "x.csv"];
    let with = |more: &[&str]| sweep(&place, &[&vary[..], more].concat());
    with(&[]).succeeded();
    let (before, first) = (place.listing(), rows(&place.file("x.csv")));
    with(&[]).failed_with("x.csv already exists");
    with(&["--resume", "--set", "beta=2"]).failed_with("x.csv: row 1 is of no point of this sweep (shard 1/1)");
    with(&["--resume", "--shard", "1/2"]).failed_with("x.csv: row 2 is of no point of this sweep (shard 1/2)");
    with(&["--resume"]).succeeded();
    assert_eq!(rows(&place.file("x.csv")), first);
    let text = std::fs::read_to_string(place.file("x.csv")).unwrap();
    place.write("x.csv", text.replace(&first[0].dataset_sha256, "0123"));
    with(&["--resume"]).failed_with("x.csv: delta 0, seed 1 was run on data 0123, not ");
    place.write("x.csv", text.replacen(",0.2,", ",0.3,", 1));
    with(&["--resume"]).failed_with("x.csv: row 2 is not of delta 0.2, seed 1: delta is 0.3, not 0.2");
    std::fs::remove_file(place.file("x.csv")).unwrap();
    with(&[]).failed_with("already holds a finished run");
    with(&["--force", "--set", "beta=2"]).succeeded();
    assert_eq!(place.listing(), before, "the same files, replaced");
    assert_eq!(rows(&place.file("x.csv"))[1].beta, Some(2.0));
}

#[test]
fn json_holds_the_points_and_their_rows() {
    let place = place();
    let json = sweep(&place, &["--vary", "p=2,3", "--seeds", "2", "--out", "x.csv", "--json"]).succeeded().stdout;
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&value["sweep"], &value["shard"]), (&"mnist".into(), &"1/1".into()));
    assert_eq!((value["points"].as_array().unwrap().len(), value["rows"].as_array().unwrap().len()), (2, 4));
    assert_eq!((&value["points"][1]["point"], &value["points"][1]["seeds"]), (&"p 3".into(), &2.into()));
    assert!(value["points"][0]["sd_error_pct"].is_number());
}

#[test]
fn more_seeds_go_on_from_the_rows_that_are_there() {
    let place = place();
    let with =
        |more: &[&str]| sweep(&place, &[&["--vary", "delta=0,0.2", "--out", "x.csv"], more].concat()).succeeded();
    with(&[]);
    let first = rows(&place.file("x.csv"));
    let more = with(&["--resume", "--seeds", "2"]);
    assert_eq!(more.stderr.matches(": kept").count(), 2, "{}", more.stderr);
    let all = rows(&place.file("x.csv"));
    assert_eq!((&all[0], &all[2], all.len()), (&first[0], &first[1], 4));
    with(&["--resume", "--seeds", "2", "--shard", "1/1"]);
    sweep(&place, &["--vary", "delta=0,0.2", "--out", "x.csv", "--resume"]).failed_with("x.csv: row 2 is of no point");
}
