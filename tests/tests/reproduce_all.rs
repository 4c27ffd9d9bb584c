//! `rivalry reproduce` for figures and for everything, where MNIST and CIFAR-10 are nowhere: the synthetic digits in place
//! of the first, the second skipped, both said. The runs are made up here, since real ones take minutes.

mod common;

use std::path::Path;

use common::{Ended, Place};
use rivalry::config::{Config, Protocol};
use rivalry::methods::paper;
use rivalry::rows::{ResultRow, from_csv, to_csv};
use rivalry::sweep::Definition;
use rivalry_data::synthetic::STANDARD_SHA256;

/// Every named sweep but the two tables: those of MNIST and those of CIFAR-10.
fn sweeps() -> (Vec<&'static str>, Vec<&'static str>) {
    let sweeps = Definition::names().filter(|name| !["mnist", "cifar10"].contains(name));
    sweeps.partition(|name| !name.starts_with("cifar10"))
}

/// A run folder as a finished run leaves it.
fn finished(place: &Place, folder: &str, experiment: &Config, test_error_pct: f64) {
    let row = ResultRow {
        test_error_pct: Some(test_error_pct),
        on_sphere: Some(150),
        revision: "0123456789ab".to_owned(),
        dataset_sha256: STANDARD_SHA256.to_owned(),
        err: "made up".to_owned(),
        ..ResultRow::of_settings(experiment)
    };
    place.write(&format!("{folder}/config.toml"), experiment.to_toml());
    place.write(&format!("{folder}/result.csv"), to_csv(&[row]));
}

/// The runs of a quick sweep of MNIST on the synthetic digits, each with its number as the error.
fn finished_sweep(place: &Place, name: &str, seeds: u32) -> Vec<String> {
    let mut sweep = Definition::load(name, Protocol::Quick).unwrap();
    sweep.base = "synthetic".to_owned();
    sweep.seeds = seeds;
    let folders = sweep.points(1).unwrap().into_iter().map(|point| {
        let folder = format!("out/{name}.runs/{}", point.folder());
        finished(place, &folder, &point.config, point.number as f64);
        folder
    });
    folders.collect()
}

fn reproduce(place: &Place, what: &str, more: &[&str]) -> Ended {
    place.run(&[&["reproduce", what, "--quick", "--offline", "--out", "out"], more].concat())
}

fn rows(path: &Path) -> Vec<ResultRow> {
    from_csv(&std::fs::read_to_string(path).unwrap(), "test").unwrap()
}

#[test]
fn a_figure_is_a_sweep_with_its_spread_and_says_what_it_is_about() {
    let place = Place::new();
    finished_sweep(&place, "p-sweep", 2);
    let text = reproduce(&place, "p-sweep", &["--seeds", "2", "--resume"]).succeeded().stdout;
    for expected in [
        "NOT MNIST: synthetic digits instead of MNIST",
        "p-sweep on synthetic, quick protocol: 4 points, 2 seeds\n",
        "SKIPPED: skipped: CIFAR-10 is not here",
        "cifar10-p-sweep on cifar10, quick protocol: 4 points, 2 seeds\nrows: out/cifar10-p-sweep.csv\nSKIPPED",
    ] {
        assert!(text.contains(expected), "no {expected:?} in:\n{text}");
    }
    let line = text.lines().find(|line| line.starts_with("| p 3 ")).unwrap();
    assert_eq!(line.split_whitespace().collect::<Vec<_>>().join(" "), "| p 3 | 3.50 ± 0.71 | 150 | – | – | 2 |");
    let own = rows(&place.file("out/p-sweep.csv"));
    assert_eq!(own.iter().map(|row| row.test_error_pct.unwrap()).sum::<f64>(), 36.0);
    let skipped = rows(&place.file("out/cifar10-p-sweep.csv"));
    assert_eq!((skipped.len(), skipped[7].p, skipped[7].seed), (8, Some(5.0), 2));
    assert!(skipped.iter().all(|row| row.has_no_result() && row.err.starts_with("skipped: CIFAR-10 is not here")));
    assert!(!place.file("out/cifar10-p-sweep.runs").exists());

    let before = place.listing();
    reproduce(&place, "p-sweep", &["--seeds", "2"]).failed_with("out/p-sweep.csv already exists");
    reproduce(&place, "p-sweep", &["--seeds", "1", "--resume"])
        .failed_with("out/p-sweep.csv: row 2 is of no point of this sweep");
    reproduce(&place, "delta-sweep", &["--methods", "shallow"])
        .failed_with("--methods applies to tables, not to the sweep delta-sweep");
    assert_eq!(place.listing(), before);
}

#[test]
fn cifar10_that_is_nowhere_is_skipped_said_and_marked() {
    let place = Place::new();
    let ended = reproduce(&place, "cifar10", &["--methods", "biological,end-to-end"]).succeeded();
    assert!(ended.stdout.starts_with("SKIPPED: skipped: CIFAR-10 is not here"), "{}", ended.stdout);
    assert!(!ended.stdout.contains("published"), "{}", ended.stdout);
    assert!(ended.stderr.contains("note: skipped: CIFAR-10 is not here"), "{}", ended.stderr);
    let rows = rows(&place.file("out/table.csv"));
    assert_eq!(rows.iter().map(|row| row.method.as_str()).collect::<Vec<_>>(), ["biological", "end-to-end"]);
    assert!(rows.iter().all(|row| row.dataset == "cifar10" && row.err.starts_with("skipped") && row.has_no_result()));
    assert_eq!(place.listing().len(), 2, "the table in its folder, and no run");
}

#[test]
fn everything_is_both_tables_and_every_sweep() {
    let place = Place::new();
    let experiment = Config::named("synthetic", paper(), Protocol::Quick, 1).unwrap();
    finished(&place, &format!("out/mnist/{}", experiment.run_name()), &experiment, 2.0);
    let mut folders = Vec::new();
    let (mnist, cifar10) = sweeps();
    for &name in &mnist {
        folders.extend(finished_sweep(&place, name, 1));
    }
    let text = reproduce(&place, "all", &["--resume"]).succeeded().stdout;
    assert!(text.contains("ours       2.00 % (one seed)"), "{text}");
    for name in mnist {
        assert!(text.contains(&format!("{name} on synthetic, quick protocol")), "{name}: {text}");
    }
    for name in cifar10 {
        assert!(text.contains(&format!("{name} on cifar10, quick protocol")), "{name}: {text}");
        assert!(rows(&place.file(&format!("out/{name}.csv"))).iter().all(ResultRow::has_no_result));
    }
    assert!(place.file("out/mnist/table.csv").is_file() && place.file("out/cifar10/table.csv").is_file());

    let json = reproduce(&place, "all", &["--resume", "--json"]).succeeded().stdout;
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let parts = value["parts"].as_array().unwrap();
    assert_eq!(parts.len(), 29);
    assert_eq!((&parts[0]["table"], &parts[2]["sweep"]), (&"mnist".into(), &"p-sweep".into()));
    assert!(parts[1]["note"].as_str().unwrap().starts_with("skipped"));

    // A point that fails is a row, the rest is printed all the same, and the exit code tells.
    let broken = folders.iter().find(|folder| folder.contains("k-sweep")).unwrap();
    std::fs::remove_file(place.file(&format!("{broken}/result.csv"))).unwrap();
    std::fs::remove_file(place.file("out/k-sweep.csv")).unwrap();
    place.write(&format!("{broken}/checkpoint.safetensors"), "not a checkpoint");
    let ended = reproduce(&place, "all", &["--resume"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stdout.contains("cifar10-grid on cifar10"), "{}", ended.stdout);
    assert!(ended.stderr.contains("error: 1 of the 6 points of k-sweep failed, first k 2, seed 1"));
    let rows = rows(&place.file("out/k-sweep.csv"));
    assert!(rows[0].err.contains("checkpoint.safetensors cannot be used") && rows[1].test_error_pct.is_some());
}
