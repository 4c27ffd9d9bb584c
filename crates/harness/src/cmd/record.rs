//! A record of `--record`: `bench-results/<what>/<date>-<host>-<rev>/{rows.csv,machine.txt}`, and what else belongs to it.

use std::path::{Path, PathBuf};

use crate::cli::Common;
use crate::env::Environment;
use crate::failure::failure;
use crate::output;
use crate::rows::{ResultRow, to_csv};
use crate::run::{Existing, files};

/// Records go here, one folder for each table and protocol, and for each kind of benchmark.
pub(super) const RECORDS: &str = "bench-results";

/// The rows of a record.
pub(super) const ROWS: &str = "rows.csv";

/// The place of a record in `bench-results/`.
pub(super) struct Record {
    folder: PathBuf,
    environment: Environment,
}

impl Record {
    /// Everything that can be refused is refused here, before the first run. A command that goes on where it stopped may
    /// find records of its own.
    pub(super) fn open(name: &str, environment: Environment, existing: Existing) -> anyhow::Result<Self> {
        environment.refuse_record()?;
        let records = Path::new(RECORDS);
        if !records.is_dir() {
            let message = format!("record: expected the folder {RECORDS} here, found none");
            return Err(failure(message, "run it from the root of the repository"));
        }
        let folder = records.join(name).join(environment.record_folder());
        let record = Self { folder, environment };
        if record.folder.exists() && existing != Existing::Resume {
            return Err(record.refuse_folder("a new folder", "one that is there"));
        }
        Ok(record)
    }

    fn refuse_folder(&self, expected: &str, found: &str) -> anyhow::Error {
        let message = format!("record {}: expected {expected}, found {found}", self.folder.display());
        failure(message, "records are never replaced; remove it if it should not be there")
    }

    pub(super) fn refuse_other_revision(&self, row: &ResultRow, folder: &Path) -> anyhow::Result<()> {
        let revision = self.environment.build.revision;
        if row.revision == revision && row.dirty == "false" {
            return Ok(());
        }
        let dirty = if row.dirty == "false" { "" } else { ", not clean" };
        let message = format!(
            "record: expected results of revision {revision}, found {} in {}{dirty}",
            row.revision,
            folder.display()
        );
        Err(failure(message, "--force runs every seed again"))
    }

    /// Writes the machine, the definition of the sweep and the rows of its runs; nothing where the same rows stand already.
    pub(super) fn write_rows(&self, rows: &[ResultRow], config: &str, common: &Common) -> anyhow::Result<()> {
        let rows = to_csv(rows);
        match std::fs::read_to_string(self.folder.join(ROWS)) {
            Ok(found) if found == rows => {
                output::note(common, &format!("recorded before in {}", self.folder.display()));
                Ok(())
            }
            Ok(_) => Err(self.refuse_folder("these rows or none", "others")),
            Err(_) => {
                let machine = self.environment.to_text();
                self.write(&[("machine.txt", machine), ("config.toml", config.to_owned()), (ROWS, rows)], common)
            }
        }
    }

    /// Writes the files by name, in their order; `rows.csv` last, so that a folder that has it is complete.
    pub(super) fn write(&self, files: &[(&str, String)], common: &Common) -> anyhow::Result<()> {
        std::fs::create_dir_all(&self.folder).map_err(|error| {
            let message = format!("record {}: expected to create it, found: {error}", self.folder.display());
            failure(message, "the rows are on stdout, or in the output folder, all the same")
        })?;
        for (name, content) in files {
            files::write(&self.folder.join(name), content.as_bytes())?;
        }
        output::note(common, &format!("recorded in {}", self.folder.display()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(folder: PathBuf) -> Record {
        Record { folder, environment: Environment::collect("portable", 1) }
    }

    #[test]
    fn rows_and_machine_stand_in_the_folder() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("mnist-quick/date-host-rev");
        let quiet = Common { quiet: true, ..Common::default() };
        let record = record(folder.clone());
        record.write_rows(&[ResultRow::default()], "seeds = 1", &quiet).unwrap();
        assert_eq!(std::fs::read_to_string(folder.join("rows.csv")).unwrap(), to_csv(&[ResultRow::default()]));
        assert!(std::fs::read_to_string(folder.join("machine.txt")).unwrap().contains("cpu "));
        record.write_rows(&[ResultRow::default()], "seeds = 1", &quiet).unwrap();
        let error = record.write_rows(&[ResultRow::default(), ResultRow::default()], "seeds = 1", &quiet).unwrap_err();
        assert!(error.to_string().ends_with("expected these rows or none, found others"), "{error}");
        assert_eq!(std::fs::read_to_string(folder.join("rows.csv")).unwrap(), to_csv(&[ResultRow::default()]));
    }

    #[test]
    fn rows_of_another_revision_are_not_recorded() {
        let record = record(PathBuf::from("nowhere"));
        let revision = record.environment.build.revision.to_owned();
        let row = |revision: &str, dirty: &str| ResultRow {
            revision: revision.to_owned(),
            dirty: dirty.to_owned(),
            ..ResultRow::default()
        };
        let judge = |row: &ResultRow| record.refuse_other_revision(row, Path::new("run"));
        judge(&row(&revision, "false")).unwrap();
        for (row, expected) in [(row("other", "false"), "found other in run"), (row(&revision, "true"), ", not clean")]
        {
            assert!(judge(&row).unwrap_err().to_string().contains(expected));
        }
    }
}
