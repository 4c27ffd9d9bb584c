//! `rivalry bench report`: a result as tables in Markdown, printed or put into a document.

use std::path::{Path, PathBuf};

use crate::bench::tables::{NAMES, tables};
use crate::cli::Common;
use crate::cmd::record::RECORDS;
use crate::cmd::record::ROWS;
use crate::failure::failure;
use crate::markdown::{Table, splice_file};
use crate::output;
use crate::rows::bench::BenchRow;
use crate::rows::from_csv;

/// Kinds of records of benchmarks, below [`RECORDS`].
pub(super) const KINDS: [&str; 2] = ["bench", "bench-peers"];

/// Runs the command.
pub(super) fn run(folder: Option<&Path>, document: Option<&Path>, common: &Common) -> anyhow::Result<()> {
    let reports = match folder {
        Some(folder) => vec![Report::read(folder)?],
        None => newest(Path::new(RECORDS))?,
    };
    let Some(document) = document else {
        if common.json {
            let rows: Vec<&BenchRow> = reports.iter().flat_map(|report| &report.rows).collect();
            return output::result(&(serde_json::to_string_pretty(&rows)? + "\n"));
        }
        let text =
            |report: &Report| report.tables.iter().map(|table| report.text(table, "") + "\n").collect::<String>();
        return output::result(&reports.iter().map(text).collect::<String>());
    };
    let place = document.display().to_string();
    let more = format!(" --splice {place}");
    let told = splice_file(document, "bench", &NAMES, |name| {
        let found = reports.iter().find_map(|report| Some((report, report.tables.iter().find(|t| t.name == name)?)));
        if found.is_none() {
            output::note(common, &format!("{place}: `{name}` is left as it is, this result has no such table"));
        }
        found.map(|(report, table)| report.text(table, &more))
    })?;
    output::note(common, &told);
    Ok(())
}

/// A result that was read back.
struct Report {
    folder: PathBuf,
    rows: Vec<BenchRow>,
    tables: Vec<Table>,
}

impl Report {
    fn read(folder: &Path) -> anyhow::Result<Self> {
        let rows = read(folder)?;
        Ok(Self { folder: folder.to_owned(), tables: tables(&rows), rows })
    }

    /// A table, where it is from, and the command that prints it again.
    fn text(&self, table: &Table, more: &str) -> String {
        let folder = self.folder.display();
        let from = self.rows.first().map_or(String::new(), |row| {
            let state = if row.dirty == "false" { "" } else { ", with uncommitted changes" };
            format!("{}, revision {}{state}, {}", row.cpu, row.revision, row.rustc)
        });
        format!("\n{}\n{from}; rows: {folder}/{ROWS}; made by `rivalry bench report {folder}{more}`\n", table.text())
    }
}

/// The rows of a folder, or of a file.
///
/// # Errors
/// It cannot be read, has other columns, or no row.
pub(super) fn read(place: &Path) -> anyhow::Result<Vec<BenchRow>> {
    let file = if place.is_dir() { place.join(ROWS) } else { place.to_owned() };
    let name = file.display().to_string();
    let hint = "`rivalry bench run --out DIR` makes such a folder";
    let text = std::fs::read_to_string(&file)
        .map_err(|error| failure(format!("result {name}: expected rows of benchmarks, found: {error}"), hint))?;
    let rows: Vec<BenchRow> = from_csv(&text, &name)?;
    if rows.is_empty() {
        return Err(failure(format!("result {name}: expected rows of benchmarks, found none"), hint));
    }
    Ok(rows)
}

/// The newest record of each kind, by the date in its rows.
fn newest(records: &Path) -> anyhow::Result<Vec<Report>> {
    let mut found = Vec::new();
    for kind in KINDS {
        let Ok(entries) = std::fs::read_dir(records.join(kind)) else { continue };
        let folders = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.join(ROWS).is_file());
        let reports = folders.map(|folder| Report::read(&folder)).collect::<anyhow::Result<Vec<_>>>()?;
        found.extend(reports.into_iter().max_by(|a, b| date(a).cmp(date(b)).then(a.folder.cmp(&b.folder))));
    }
    if found.is_empty() {
        let message = format!("report: expected a record in {}/bench, found none", records.display());
        return Err(failure(message, "name a folder with rows.csv, or run `rivalry bench run --record`"));
    }
    Ok(found)
}

fn date(report: &Report) -> &str {
    report.rows.first().map_or("", |row| &row.date)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::to_csv;

    #[test]
    fn the_newest_record_of_each_kind_is_found() {
        let place = tempfile::tempdir().unwrap();
        assert!(newest(place.path()).err().unwrap().to_string().contains("expected a record in"));
        for (folder, date) in [("bench/b", "2026-01-01"), ("bench/a", "2026-01-02"), ("bench-peers/c", "2025-01-01")] {
            let row = BenchRow { name: "score/x".to_owned(), date: date.to_owned(), ..BenchRow::default() };
            std::fs::create_dir_all(place.path().join(folder)).unwrap();
            std::fs::write(place.path().join(folder).join(ROWS), to_csv(&[row])).unwrap();
        }
        std::fs::create_dir_all(place.path().join("bench/unfinished")).unwrap();
        let found: Vec<PathBuf> = newest(place.path()).unwrap().into_iter().map(|report| report.folder).collect();
        assert_eq!(found, [place.path().join("bench/a"), place.path().join("bench-peers/c")]);
    }
}
