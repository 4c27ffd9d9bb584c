//! A record of `--record`: `bench-results/<what>/<date>-<cpu>-<rev>/` with `rows.csv`, `config.toml` and `machine.txt`.
//! Records are added and never changed.

use std::path::{Path, PathBuf};

use crate::common::Common;
use crate::env::Environment;
use crate::error::failure;
use crate::files;
use crate::output;
use crate::rows::{ResultRow, to_csv};
use crate::run::Existing;
use crate::sweep::run::Prepared;

/// The folder of all records, with one folder for each table and protocol, and for each kind of benchmark.
pub(super) const RECORDS: &str = "bench-results";

/// The rows of a record.
pub(super) const ROWS: &str = "rows.csv";

/// The place of one record.
pub(super) struct Record {
    folder: PathBuf,
    environment: Environment,
}

impl Record {
    /// Checks before the first run that a record can be written, if one is `wanted`. With [`Existing::Resume`] it may exist
    /// already.
    pub(super) fn open(
        wanted: bool,
        name: &str,
        environment: &Environment,
        existing: Existing,
    ) -> anyhow::Result<Option<Self>> {
        if !wanted {
            return Ok(None);
        }
        environment.refuse_record()?;
        let records = Path::new(RECORDS);
        if !records.is_dir() {
            return Err(failure(
                format!("there is no folder {RECORDS} here to write a record to"),
                "run it from the root of the repository",
            ));
        }
        let folder = records.join(name).join(environment.record_folder());
        let record = Self { folder, environment: environment.clone() };
        match record.folder.exists() && existing != Existing::Resume {
            true => Err(record.refuse("already exists")),
            false => Ok(Some(record)),
        }
    }

    fn refuse(&self, what: &str) -> anyhow::Error {
        let message = format!("the record {} {what}", self.folder.display());
        failure(message, "records are never replaced; remove it if it is wrong")
    }

    /// Refuses runs that were finished earlier, by another program than this one.
    pub(super) fn refuse_other_revisions(record: Option<&Self>, prepared: &Prepared<'_>) -> anyhow::Result<()> {
        let Some(record) = record else { return Ok(()) };
        prepared.kept().try_for_each(|(row, folder)| record.refuse_other_revision(row, folder))
    }

    fn refuse_other_revision(&self, row: &ResultRow, folder: &Path) -> anyhow::Result<()> {
        let (revision, folder) = (self.environment.build.revision, folder.display());
        if row.revision == revision && row.dirty == "false" {
            return Ok(());
        }
        let dirty = if row.dirty == "false" { "" } else { " with uncommitted changes" };
        let message = format!("{folder} was trained by revision {}{dirty}, this program is {revision}", row.revision);
        Err(failure(message, "a record needs one clean revision; --force runs every seed again"))
    }

    /// Writes the machine, the definition of the sweep and the rows of its runs; nothing where the same rows are recorded
    /// already.
    pub(super) fn write_rows(&self, rows: &[ResultRow], config: &str, common: &Common) -> anyhow::Result<()> {
        let rows = to_csv(rows);
        match std::fs::read_to_string(self.folder.join(ROWS)) {
            Ok(found) if found == rows => {
                output::note(common, &format!("recorded before in {}", self.folder.display()));
                Ok(())
            }
            Ok(_) => Err(self.refuse("has other rows")),
            Err(_) => {
                let machine = self.environment.to_text();
                self.write(&[("machine.txt", machine), ("config.toml", config.to_owned()), (ROWS, rows)], common)
            }
        }
    }

    pub(super) fn write(&self, files: &[(&str, String)], common: &Common) -> anyhow::Result<()> {
        write_files(&self.folder, files)?;
        output::note(common, &format!("recorded in {}", self.folder.display()));
        Ok(())
    }
}

/// Writes files in their order; `rows.csv` comes last, so that a folder that has it is complete.
pub(super) fn write_files(folder: &Path, files: &[(&str, String)]) -> anyhow::Result<()> {
    files::create_folder(folder)?;
    files.iter().try_for_each(|(name, content)| files::write(&folder.join(name), content.as_bytes()))
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
        assert!(error.to_string().ends_with("has other rows"), "{error}");
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
        for (row, expected) in [
            (row("other", "false"), "run was trained by revision other,"),
            (row(&revision, "true"), " with uncommitted changes,"),
        ] {
            assert!(judge(&row).unwrap_err().to_string().contains(expected));
        }
    }
}
