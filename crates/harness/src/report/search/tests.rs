use std::path::PathBuf;

use rivalry_nets::State;

use super::*;
use crate::config::Protocol;
use crate::rows::{MetricsRow, Phase, to_csv};
use crate::run::checkpoint::{Checkpoint, Identity};

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    fn found(&self) -> Found {
        Found::search(self.0.path()).unwrap()
    }

    fn refusal(&self) -> String {
        Found::search(self.0.path()).unwrap_err().to_string()
    }
}

fn row(seed: u64) -> ResultRow {
    ResultRow { experiment: "mnist".to_owned(), seed, test_error_pct: Some(2.0), ..ResultRow::default() }
}

fn csv(rows: &[ResultRow]) -> String {
    to_csv(rows)
}

fn config() -> String {
    Config::named("mnist", crate::methods::paper(), Protocol::Quick, 1).unwrap().to_toml()
}

#[test]
fn a_row_that_stands_in_several_files_is_one_run() {
    let place = Place::new();
    place.write("a/table.csv", csv(&[row(1), row(2)]));
    place.write("a/mnist-seed1/result.csv", csv(&[row(1)]));
    place.write("a/mnist-seed1/config.toml", config());
    place.write("z/copy.csv", csv(&[row(2)]));
    let found = place.found();
    assert_eq!(found.runs.iter().map(|run| run.row.seed).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(found.runs[0].places, ["a/mnist-seed1/result.csv", "a/table.csv"]);
    assert_eq!(found.runs[0].folder.as_ref().unwrap().name, "a/mnist-seed1");
    assert_eq!(found.runs[0].config().unwrap().epochs, 100);
    assert_eq!(found.runs[1].places, ["a/table.csv", "z/copy.csv"]);
    assert!(found.set_aside.is_empty() && found.unfinished.is_empty());
}

#[test]
fn the_folder_itself_may_be_a_run() {
    let place = Place::new();
    place.write("result.csv", csv(&[row(1)]));
    assert_eq!(place.found().runs[0].folder.as_ref().unwrap().name, ".");
}

#[test]
fn a_run_without_result_is_unfinished_and_says_how_far_it_is() {
    let place = Place::new();
    place.write("begun/config.toml", config());
    place.write("metrics/metrics.csv", to_csv::<MetricsRow>(&[]));
    place.write("other-program/config.toml", "name = 'x'\n");
    let identity = Identity { config_sha256: String::new(), dataset_sha256: String::new() };
    let checkpoint = Checkpoint { epoch: 7, ..Checkpoint::new(Phase::Unsupervised, State::default(), identity) };
    place.write("half/config.toml", config());
    place.write("half/checkpoint.safetensors", checkpoint.to_bytes());
    place.write("torn/checkpoint.safetensors", "half of one");
    let found = place.found();
    let told: Vec<(&str, &str)> =
        found.unfinished.iter().map(|run| (run.name.as_str(), run.progress.as_str())).collect();
    assert_eq!(
        told,
        [
            ("begun", "no checkpoint yet"),
            ("half", "epoch 7 of 100, phase unsupervised, at its last checkpoint"),
            ("metrics", "no checkpoint yet"),
            ("torn", "its checkpoint cannot be read: it is damaged"),
        ]
    );
}

#[test]
fn damaged_files_are_set_aside_with_their_reason() {
    let place = Place::new();
    place.write("good/result.csv", csv(&[row(1)]));
    place.write("good/config.toml", "dataset = 3");
    place.write("good/metrics.csv", "a,b\n");
    place.write("good/fields.png", "no picture");
    place.write("good/env.json", "{");
    place.write("old.csv", "experiment,dataset,method,test\nmnist,mnist,biological,2\n");
    place.write("two/result.csv", csv(&[row(1), row(2)]));
    place.write("wild.csv", csv(&[ResultRow { test_error_pct: Some(f64::NAN), ..row(3) }]));
    let found = place.found();
    assert_eq!(found.runs.len(), 1);
    let reason = |name: &str| {
        let entry = found.set_aside.iter().find(|(place, _)| place == name);
        entry.unwrap_or_else(|| panic!("no {name} in {:?}", found.set_aside)).1.clone()
    };
    assert!(reason("good/config.toml").starts_with("good/config.toml names no data set"), "below the root");
    assert!(reason("good/metrics.csv").contains("the column `phase` is missing"));
    assert!(!reason("good/fields.png").is_empty() && !reason("good/env.json").is_empty());
    assert!(reason("old.csv").starts_with("the column `task` is missing"));
    assert_eq!(reason("two/result.csv"), "a run has one row, this file 2");
    assert_eq!(reason("wild.csv"), "an error of NaN % is not from 0 to 100");
    assert_eq!(found.set_aside.len(), 7);
}

#[test]
fn files_of_others_are_left_alone() {
    let place = Place::new();
    place.write("rows.csv", csv(&[row(1)]));
    place.write("machine.txt", "cpu  one\n");
    place.write("migrated.txt", "completed\n");
    place.write("elsewhere/machine.txt", "nothing beside it\n");
    place.write("throughput/rows.csv", "name,hidden,inputs\n");
    place.write("throughput/machine.txt", "cpu  two\n");
    place.write("prices.csv", "item,price\n");
    place.write("empty.csv", "");
    place.write(".hidden/rows.csv", csv(&[row(9)]));
    let found = place.found();
    assert_eq!((found.runs.len(), found.set_aside.len()), (1, 0));
    let (machine, migrated) = (Some("cpu  one\n".to_owned()), Some("completed\n".to_owned()));
    assert_eq!(found.records, [Record { name: String::new(), machine, migrated }]);
    assert!(found.is_migrated(&found.runs[0]));
}

#[test]
fn a_confusion_matrix_must_be_a_square_of_counts() {
    let place = Place::new();
    place.write("good/result.csv", csv(&[row(1)]));
    place.write("good/confusion.csv", "true_class,0,1\n0,9,1\n1,2,8\n");
    place.write("bad/result.csv", csv(&[row(2)]));
    place.write("bad/confusion.csv", "true_class,0,1\n0,9,one\n1,2,8\n");
    let found = place.found();
    let confusion = |name: &str| {
        found.runs.iter().filter_map(|run| run.folder.as_ref()).find(|folder| folder.name == name).unwrap()
    };
    assert_eq!(confusion("good").confusion.as_ref().unwrap().counts, [[9, 1], [2, 8]]);
    assert!(confusion("bad").confusion.is_none());
    let reason = "it is no square table of counts".to_owned();
    assert_eq!(found.set_aside, [("bad/confusion.csv".to_owned(), reason)]);
}

#[cfg(unix)]
#[test]
fn a_circle_of_links_ends() {
    let place = Place::new();
    place.write("run/result.csv", csv(&[row(1)]));
    std::os::unix::fs::symlink("..", place.0.path().join("run/up")).unwrap();
    assert_eq!(place.found().runs.len(), 1);
}

#[test]
fn nothing_to_report_is_said() {
    let place = Place::new();
    assert!(place.refusal().ends_with(" holds no run and no table of results"));
    place.write("old.csv", "experiment,dataset,method,test\n");
    assert!(place.refusal().contains("that can be used (old.csv: the column `task` is missing"), "{}", place.refusal());
    let missing = Found::search(&place.0.path().join("gone")).unwrap_err().to_string();
    assert!(missing.contains("gone cannot be read: "), "{missing}");
    let file = place.write("file", "");
    assert!(Found::search(&file).unwrap_err().to_string().ends_with("is a file, a report is about a folder"));
}
