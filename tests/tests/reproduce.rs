//! `rivalry reproduce` where MNIST is nowhere: the synthetic digits, said above and below the table and in the CSV, and
//! finished seeds kept. The seeds are made up here, since a real one takes minutes.

mod common;

use common::Place;
use rivalry::config::{Config, Method, Protocol};
use rivalry::methods::{method, paper};
use rivalry::rows::{ResultRow, columns, from_csv, to_csv};
use rivalry_data::synthetic::STANDARD_SHA256;

const REMARK: &str = "synthetic digits instead of MNIST, which is not here: made up";

/// A run folder as a finished run leaves it.
fn finished(place: &Place, method: Method, seed: u64, test_error_pct: f64) {
    let experiment = Config::named("synthetic", method, Protocol::Quick, seed).unwrap();
    let row = ResultRow {
        test_error_pct: Some(test_error_pct),
        train_error_pct: Some(0.5),
        revision: "0123456789ab".to_owned(),
        dataset_sha256: STANDARD_SHA256.to_owned(),
        err: REMARK.to_owned(),
        ..ResultRow::of_settings(&experiment)
    };
    let folder = format!("out/{}", experiment.run_name());
    place.write(&format!("{folder}/config.toml"), experiment.to_toml());
    place.write(&format!("{folder}/result.csv"), to_csv(&[row]));
}

const REPRODUCE: [&str; 8] = ["reproduce", "mnist", "--quick", "--offline", "--seeds", "2", "--out", "out"];

fn resumed(place: &Place, more: &[&str]) -> common::Ended {
    place.run(&[&REPRODUCE[..], &["--resume"], more].concat())
}

#[test]
fn without_mnist_the_table_says_so_above_below_and_in_the_csv() {
    let place = Place::new();
    finished(&place, paper(), 1, 2.0);
    finished(&place, paper(), 2, 3.0);
    let table = resumed(&place, &[]).succeeded();
    let lines: Vec<&str> = table.stdout.lines().collect();
    assert!(lines[0].starts_with("NOT MNIST: synthetic digits instead of MNIST"), "{}", table.stdout);
    assert!(lines.last().unwrap().starts_with("NOT MNIST: "), "{}", table.stdout);
    assert!(table.stdout.contains("ours       2.50 ± 0.71 % over 2 seeds"), "{}", table.stdout);
    assert!(table.stdout.contains("published  none") && !table.stdout.contains("1.46"), "{}", table.stdout);
    assert!(table.stderr.contains("seed 1: kept") && table.stderr.contains("seed 2: kept"), "{}", table.stderr);

    let csv = std::fs::read_to_string(place.file("out/table.csv")).unwrap();
    assert_eq!(csv.lines().next().unwrap(), columns::<ResultRow>().join(","));
    let rows: Vec<ResultRow> = from_csv(&csv, "table.csv").unwrap();
    assert_eq!(rows.iter().map(|row| row.seed).collect::<Vec<_>>(), [1, 2]);
    assert!(rows.iter().all(|row| row.dataset == "synthetic" && row.err == REMARK));
    assert!(rows.iter().all(|row| row.published_test_error_pct.is_none()));

    let json: serde_json::Value = serde_json::from_str(&resumed(&place, &["--json"]).succeeded().stdout).unwrap();
    assert_eq!((&json["table"], &json["protocol"]), (&"mnist".into(), &"quick".into()));
    assert!(json["note"].as_str().unwrap().contains("synthetic digits"));
    assert_eq!(json["rows"].as_array().unwrap().len(), 2);
    assert_eq!(json["summary"]["mean_test_error_pct"], 2.5);
    assert!(json["summary"]["published_test_error_pct"].is_null());
}

#[test]
fn several_methods_stand_in_one_table() {
    let place = Place::new();
    let errors =
        [(paper(), [2.0, 3.0]), (method("end-to-end").unwrap(), [1.0, 1.2]), (method("shallow").unwrap(), [9.0, 9.0])];
    for (method, errors) in errors {
        finished(&place, method, 1, errors[0]);
        finished(&place, method, 2, errors[1]);
    }
    // One named twice is run once.
    let methods = ["--methods", "biological,end-to-end,shallow,biological"];
    let table = resumed(&place, &methods).succeeded().stdout;
    for expected in [
        "quick protocol: 784-2000-10, p 3, k 7, delta 0.4, 100 + 60 epochs",
        "quick protocol: 784-2000-10, end-to-end, 60 epochs",
        "quick protocol: 784-10, shallow, 60 epochs",
        "biological:\nours       2.50 ± 0.71 % over 2 seeds",
        "end-to-end:\nours       1.10 ± 0.14 % over 2 seeds",
        "shallow:\nours       9.00 ± 0.00 % over 2 seeds",
    ] {
        assert!(table.contains(expected), "no {expected:?} in:\n{table}");
    }
    let csv = std::fs::read_to_string(place.file("out/table.csv")).unwrap();
    let rows: Vec<ResultRow> = from_csv(&csv, "table.csv").unwrap();
    let found: Vec<(&str, u64)> = rows.iter().map(|row| (row.method.as_str(), row.seed)).collect();
    let seeds = |method| [(method, 1), (method, 2)];
    assert_eq!(found, ["biological", "end-to-end", "shallow"].map(seeds).concat());
    let json: serde_json::Value =
        serde_json::from_str(&resumed(&place, &[&methods[..], &["--json"]].concat()).succeeded().stdout).unwrap();
    assert_eq!(json["summaries"].as_array().unwrap().len(), 3);
    assert_eq!(
        (&json["summaries"][1]["method"], &json["summary"]["method"]),
        (&"end-to-end".into(), &"biological".into())
    );
}

#[test]
fn a_table_is_not_overwritten_and_a_finished_seed_only_kept_when_it_is_the_same_run() {
    let place = Place::new();
    finished(&place, paper(), 1, 2.0);
    finished(&place, paper(), 2, 3.0);
    let before = place.listing();
    place.run(&REPRODUCE).failed_with("already holds a finished run");
    assert_eq!(place.listing(), before);
    let quick = std::fs::read_to_string(place.file("out/synthetic-seed2/config.toml")).unwrap();
    place.write("out/synthetic-seed2/config.toml", quick.replace("beta = 0.1", "beta = 0.2"));
    resumed(&place, &[]).failed_with("holds a run with other settings: beta 0.1 here, 0.2 there");
    place.write("out/synthetic-seed2/config.toml", quick);
    let row = std::fs::read_to_string(place.file("out/synthetic-seed2/result.csv")).unwrap();
    place.write("out/synthetic-seed2/result.csv", row.replace(STANDARD_SHA256, "0123"));
    resumed(&place, &[]).failed_with("method biological, seed 2 was run on data 0123");
    assert_eq!(place.listing(), before, "nothing was begun");
}
