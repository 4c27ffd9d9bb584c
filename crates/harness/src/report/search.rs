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

use super::folder::{Folder, Unfinished};
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
    /// `migrated.txt`: how its rows were completed after they were recorded.
    pub(super) migrated: Option<String>,
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
        let migrated =
            |record: &&Record| record.migrated.is_some() && run.places[0] == format!("{}{ROWS}", record.name);
        self.records.iter().any(|record| migrated(&record))
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
        let (machine, migrated) = (beside(MACHINE), beside(MIGRATED));
        let definition = beside(run::CONFIG).and_then(|text| Definition::parse(&text, name, Protocol::Paper).ok());
        self.axes.extend(definition.map(|definition| (definition.name, definition.axes)));
        if machine.is_some() || migrated.is_some() {
            self.records.push(Record { name: name.to_owned(), machine, migrated });
        }
    }

    /// Whether the folder is that of a run, which is then kept.
    fn run(&mut self, folder: &Path, name: &str, root: &Path) -> bool {
        let result = folder.join(run::RESULT);
        if result.is_file() {
            match read_rows(&result, &format!("{name}{}", run::RESULT)) {
                Ok(rows) if rows.len() == 1 => {
                    let own = Folder::read(folder, name, root, &mut self.set_aside);
                    let row = rows.into_iter().next().expect("there is one");
                    self.add(row, format!("{name}{}", run::RESULT), Some(own));
                }
                Ok(rows) => {
                    self.set_aside.push((
                        format!("{name}{}", run::RESULT),
                        format!("a run has one row, this file {}", rows.len()),
                    ));
                }
                Err(error) => self.set_aside.push((format!("{name}{}", run::RESULT), error)),
            }
            return true;
        }
        match Unfinished::read(folder, name) {
            Some(unfinished) => {
                self.unfinished.push(unfinished);
                true
            }
            None => false,
        }
    }

    fn table(&mut self, path: &Path, name: String) {
        match starts_as_a_table(path) {
            Ok(false) => {}
            Ok(true) => match read_rows(path, &name) {
                Ok(rows) => rows.into_iter().for_each(|row| self.add(row, name.clone(), None)),
                Err(error) => self.set_aside.push((name, error)),
            },
            Err(error) => self.set_aside.push((name, error.to_string())),
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
        let errors = [row.train_error_pct, row.validation_error_pct, row.test_error_pct, row.published_test_error_pct];
        if let Some(bad) = errors.into_iter().flatten().find(|error| !(0.0..=100.0).contains(error)) {
            return Err(format!("an error of {bad} % is not from 0 to 100"));
        }
        let numbers = [row.p, row.delta, row.rate, row.power_n, row.loss_m, row.beta];
        if let Some(bad) = numbers.into_iter().flatten().find(|number| !number.is_finite()) {
            return Err(format!("the setting {bad} is not finite"));
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests;
