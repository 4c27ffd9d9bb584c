//! What a folder holds: run folders, tables of results, and what stands beside a record.
//!
//! 1. Walk down in the order of names. Links to folders are not followed and hidden folders not entered, so the walk ends,
//!    and the same files give the same page.
//! 2. A folder with `result.csv` is a finished run. One with the settings or metrics of a run and without it is unfinished.
//! 3. Any other CSV file whose header starts as that of `result.csv` is a table. A row that a run folder or another table
//!    holds too is the same run, and is counted once.
//! 4. A table `rows.csv` with `machine.txt` or `migrated.txt` beside it is a record.
//! 5. What looks like one of these and cannot be read is set aside with the reason, because one damaged file must not hide
//!    the rest.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::folder::{Folder, Unfinished, percentages};
use crate::config::{Config, Protocol};
use crate::error::failure;
use crate::rows::{self, ResultRow};
use crate::run;
use crate::sweep::Definition;
use crate::sweep::grid::Axis;

/// A record: its rows, and what stands beside them. Records of throughput have other columns and are no part of a report.
const ROWS: &str = "rows.csv";
const MACHINE: &str = "machine.txt";
/// Says of a record that settings were added to its rows later.
const MIGRATED: &str = "migrated.txt";
/// A table of results starts with these columns, whatever the version.
const FIRST_COLUMNS: &str = "experiment,dataset,method,";
/// Longer than any header of ours.
const LONGEST_HEADER: u64 = 1 << 16;

/// Everything that was found, by its path below the folder.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) runs: Vec<Run>,
    pub(super) unfinished: Vec<Unfinished>,
    /// Files that are not used, with the reason.
    pub(super) set_aside: Vec<(String, String)>,
    pub(super) records: Vec<Record>,
    /// The axes of sweeps whose records hold their definition.
    pub(super) axes: Vec<(String, Vec<Axis>)>,
    known: HashMap<String, usize>,
}

/// What stands beside the rows of a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Its path below the folder, with a slash at its end.
    pub(super) name: String,
    /// `machine.txt`.
    pub(super) machine: Option<String>,
    /// Whether its rows were completed after they were recorded.
    pub(super) is_migrated: bool,
}

/// One run, wherever its row stands.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) row: ResultRow,
    /// The files that hold the row.
    pub(super) places: Vec<String>,
    /// Its run folder, if that is here.
    pub(super) folder: Option<Folder>,
}

impl Run {
    /// Its settings, if its folder has them.
    pub(super) fn config(&self) -> Option<&Config> {
        self.folder.as_ref()?.config.as_ref()
    }

    /// Whether its row stands below one of these folders.
    pub(super) fn is_below(&self, folders: &[&str]) -> bool {
        let below = |place: &String, folder: &str| {
            place.strip_prefix(folder.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'))
        };
        self.places.iter().any(|place| folders.iter().any(|folder| below(place, folder)))
    }
}

impl Found {
    /// Searches a folder and all below it.
    pub(super) fn search(root: &Path) -> anyhow::Result<Self> {
        let here = root.display();
        let hint = "name a folder that holds run folders (`rivalry train … --out DIR`) or tables of results";
        let unreadable = |error: std::io::Error| failure(format!("the folder {here} cannot be read: {error}"), hint);
        if root.metadata().map_err(unreadable)?.is_file() {
            return Err(failure(format!("{here} is a file, a report is about a folder"), hint));
        }
        let mut found = Self::default();
        found.walk(root, "", root).map_err(unreadable)?;
        if !found.runs.is_empty() || !found.unfinished.is_empty() {
            return Ok(found);
        }
        Err(match found.set_aside.first() {
            Some((place, reason)) => failure(
                format!("{here} holds no run and no table of results that can be used ({place}: {reason})"),
                "make the run again, or read it with the version that made it",
            ),
            None => failure(format!("{here} holds no run and no table of results"), hint),
        })
    }

    /// Whether settings of a run were added to its row later.
    pub(super) fn is_migrated(&self, run: &Run) -> bool {
        let of_run = |record: &&Record| run.places[0] == format!("{}{ROWS}", record.name);
        self.records.iter().find(of_run).is_some_and(|record| record.is_migrated)
    }

    /// The name of a folder ends with a slash, except that of the root, which is empty.
    fn walk(&mut self, folder: &Path, name: &str, root: &Path) -> std::io::Result<()> {
        let mut entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        let is_run = self.run(folder, name, root);
        for entry in entries {
            let (path, kind) = (entry.path(), entry.file_type()?);
            let below = format!("{name}{}", entry.file_name().to_string_lossy());
            if kind.is_dir() {
                if !entry.file_name().to_string_lossy().starts_with('.')
                    && let Err(error) = self.walk(&path, &format!("{below}/"), root)
                {
                    self.set_aside.push((below, error.to_string()));
                }
            } else if path.extension().is_some_and(|extension| extension == "csv") {
                let own = is_run && [run::RESULT, run::METRICS, run::CONFUSION].iter().any(|own| path.ends_with(own));
                if !own && path.is_file() {
                    self.table(&path, below);
                }
            }
        }
        self.record(folder, name);
        Ok(())
    }

    fn record(&mut self, folder: &Path, name: &str) {
        if !starts_as_a_table(&folder.join(ROWS)).unwrap_or(false) {
            return;
        }
        let mut beside = |file: &str| match fs::read_to_string(folder.join(file)) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => {
                self.set_aside.push((format!("{name}{file}"), error.to_string()));
                None
            }
        };
        let (machine, is_migrated) = (beside(MACHINE), beside(MIGRATED).is_some());
        let definition = beside(run::CONFIG).and_then(|text| Definition::parse(&text, name, Protocol::Paper).ok());
        self.axes.extend(definition.map(|definition| (definition.name, definition.axes)));
        if machine.is_some() || is_migrated {
            self.records.push(Record { name: name.to_owned(), machine, is_migrated });
        }
    }

    /// Whether the folder is that of a run, which is then kept.
    fn run(&mut self, folder: &Path, name: &str, root: &Path) -> bool {
        let result = folder.join(run::RESULT);
        if !result.is_file() {
            let unfinished = Unfinished::read(folder, name);
            let is_run = unfinished.is_some();
            self.unfinished.extend(unfinished);
            return is_run;
        }
        let place = format!("{name}{}", run::RESULT);
        match read_rows(&result, &place).map(<[ResultRow; 1]>::try_from) {
            Ok(Ok([row])) => {
                let own = Folder::read(folder, name, root, &mut self.set_aside);
                self.add(row, place, Some(own));
            }
            Ok(Err(rows)) => self.set_aside.push((place, format!("a run has one row, this file {}", rows.len()))),
            Err(error) => self.set_aside.push((place, error)),
        }
        true
    }

    fn table(&mut self, path: &Path, name: String) {
        let read = starts_as_a_table(path).map_err(|error| error.to_string());
        let rows = |is_table| if is_table { read_rows(path, &name) } else { Ok(Vec::new()) };
        match read.and_then(rows) {
            Ok(rows) => rows.into_iter().for_each(|row| self.add(row, name.clone(), None)),
            Err(reason) => self.set_aside.push((name, reason)),
        }
    }

    fn add(&mut self, row: ResultRow, place: String, folder: Option<Folder>) {
        let key = rows::to_csv(std::slice::from_ref(&row));
        let index = *self.known.entry(key).or_insert(self.runs.len());
        if index == self.runs.len() {
            self.runs.push(Run { row, places: Vec::new(), folder: None });
        }
        let run = &mut self.runs[index];
        run.places.push(place);
        // A copy of a run folder adds nothing.
        run.folder = run.folder.take().or(folder);
    }
}

fn starts_as_a_table(path: &Path) -> std::io::Result<bool> {
    let mut header = Vec::new();
    BufReader::new(fs::File::open(path)?.take(LONGEST_HEADER)).read_until(b'\n', &mut header)?;
    Ok(header.starts_with(FIRST_COLUMNS.as_bytes()))
}

/// The rows of a file, all of whose percentages are percentages; the reason where it is none of ours.
fn read_rows(path: &Path, name: &str) -> Result<Vec<ResultRow>, String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let rows = rows::from_csv::<ResultRow>(&text, name).map_err(|error| {
        let message = format!("{error:#}");
        message.strip_prefix(&format!("{name}: ")).unwrap_or(&message).to_owned()
    })?;
    for row in &rows {
        let published = row.published_test_error_pct;
        percentages([row.train_error_pct, row.validation_error_pct, row.test_error_pct, published])?;
        let numbers = [row.p, row.delta, row.rate, row.power_n, row.loss_m, row.beta];
        if let Some(bad) = numbers.into_iter().flatten().find(|number| !number.is_finite()) {
            return Err(format!("the setting {bad} is not finite"));
        }
    }
    Ok(rows)
}

#[cfg(test)]
pub(super) mod tests {
    use rivalry_nets::State;

    use super::*;
    use crate::rows::{MetricsRow, Phase, to_csv};
    use crate::run::checkpoint::{Checkpoint, Identity};

    /// A folder that holds these files.
    fn folder(files: &[(&str, &dyn AsRef<[u8]>)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
        }
        folder
    }

    pub(in crate::report) fn found(files: &[(&str, &dyn AsRef<[u8]>)]) -> Found {
        Found::search(folder(files).path()).unwrap()
    }

    fn row(seed: u64) -> ResultRow {
        ResultRow { experiment: "mnist".to_owned(), seed, test_error_pct: Some(2.0), ..ResultRow::default() }
    }

    fn config() -> String {
        Config::named("mnist", crate::methods::paper(), Protocol::Quick, 1).unwrap().to_toml()
    }

    #[test]
    fn a_row_that_stands_in_several_files_is_one_run() {
        let found = found(&[
            ("a/table.csv", &to_csv(&[row(1), row(2)])),
            ("a/mnist-seed1/result.csv", &to_csv(&[row(1)])),
            ("a/mnist-seed1/config.toml", &config()),
            ("result.csv", &to_csv(&[row(3)])),
            ("z/copy.csv", &to_csv(&[row(2)])),
        ]);
        let places: Vec<(u64, String)> = found.runs.iter().map(|run| (run.row.seed, run.places.join(" "))).collect();
        let expected = [(3, "result.csv"), (1, "a/mnist-seed1/result.csv a/table.csv"), (2, "a/table.csv z/copy.csv")];
        assert_eq!(places, expected.map(|(seed, places)| (seed, places.to_owned())));
        let names = found.runs.iter().map(|run| run.folder.as_ref().map(|folder| &*folder.name));
        assert_eq!(
            names.collect::<Vec<_>>(),
            [Some("."), Some("a/mnist-seed1"), None],
            "the folder itself may be a run"
        );
        assert_eq!(found.runs[1].config().unwrap().epochs, 100);
        assert!(found.set_aside.is_empty() && found.unfinished.is_empty());
    }

    #[test]
    fn a_run_without_result_is_unfinished_and_says_how_far_it_is() {
        let identity = Identity { config_sha256: String::new(), dataset_sha256: String::new() };
        let checkpoint = Checkpoint { epoch: 7, ..Checkpoint::new(Phase::Unsupervised, State::default(), identity) };
        let found = found(&[
            ("begun/config.toml", &config()),
            ("metrics/metrics.csv", &to_csv::<MetricsRow>(&[])),
            ("other-program/config.toml", &"name = 'x'\n"),
            ("half/config.toml", &config()),
            ("half/checkpoint.safetensors", &checkpoint.to_bytes()),
            ("torn/checkpoint.safetensors", &"half of one"),
        ]);
        let told: Vec<(&str, &str)> = found.unfinished.iter().map(|run| (&*run.name, &*run.progress)).collect();
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
        let found = found(&[
            ("good/result.csv", &to_csv(&[row(1)])),
            ("good/confusion.csv", &"true_class,0,1\n0,9,1\n1,2,8\n"),
            ("bad/result.csv", &to_csv(&[row(2)])),
            ("bad/config.toml", &"dataset = 3"),
            ("bad/confusion.csv", &"true_class,0,1\n0,9,one\n1,2,8\n"),
            ("bad/metrics.csv", &"a,b\n"),
            ("bad/fields.png", &"no picture"),
            ("bad/env.json", &"{"),
            ("old.csv", &"experiment,dataset,method,test\nmnist,mnist,biological,2\n"),
            ("two/result.csv", &to_csv(&[row(1), row(2)])),
            ("wild.csv", &to_csv(&[ResultRow { test_error_pct: Some(f64::NAN), ..row(3) }])),
        ]);
        assert_eq!(found.runs.len(), 2);
        let folder =
            |name: &str| found.runs.iter().filter_map(|it| it.folder.as_ref()).find(|it| it.name == name).unwrap();
        let counts = folder("good").confusion.as_ref().unwrap().rows();
        assert_eq!(counts, [["0", "9", "1", "10.0 %"], ["1", "2", "8", "20.0 %"]]);
        assert!(folder("bad").confusion.is_none());
        let expected = [
            // Errors name files below the root.
            ("bad/config.toml", "bad/config.toml names no data set"),
            ("bad/metrics.csv", "bad/metrics.csv: the column `phase` is missing"),
            ("bad/fields.png", ""),
            ("bad/confusion.csv", "it is no square table of counts"),
            ("bad/env.json", ""),
            ("old.csv", "the column `task` is missing"),
            ("two/result.csv", "a run has one row, this file 2"),
            ("wild.csv", "an error of NaN % is not from 0 to 100"),
        ];
        assert_eq!(found.set_aside.len(), expected.len(), "{:?}", found.set_aside);
        for ((place, reason), (name, start)) in found.set_aside.iter().zip(expected) {
            assert!(place == name && reason.starts_with(start) && !reason.is_empty(), "{place}: {reason}");
        }
    }

    #[test]
    fn files_of_others_are_left_alone() {
        let found = found(&[
            ("rows.csv", &to_csv(&[row(1)])),
            ("machine.txt", &"cpu  one\n"),
            ("migrated.txt", &"completed\n"),
            ("elsewhere/machine.txt", &"nothing beside it\n"),
            ("throughput/rows.csv", &"name,hidden,inputs\n"),
            ("throughput/machine.txt", &"cpu  two\n"),
            ("prices.csv", &"item,price\n"),
            ("empty.csv", &""),
            (".hidden/rows.csv", &to_csv(&[row(9)])),
        ]);
        assert_eq!((found.runs.len(), found.set_aside.len()), (1, 0));
        let machine = Some("cpu  one\n".to_owned());
        assert_eq!(found.records, [Record { name: String::new(), machine, is_migrated: true }]);
        assert!(found.is_migrated(&found.runs[0]));
    }

    #[cfg(unix)]
    #[test]
    fn a_circle_of_links_ends() {
        let folder = folder(&[("run/result.csv", &to_csv(&[row(1)]))]);
        std::os::unix::fs::symlink("..", folder.path().join("run/up")).unwrap();
        assert_eq!(Found::search(folder.path()).unwrap().runs.len(), 1);
    }
}
