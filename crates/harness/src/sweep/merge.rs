//! `rivalry sweep merge`: the shards of one sweep in one file, with nothing missing, nothing twice, nothing mixed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Shard;
use super::sheet::Sheet;
use crate::failure::failure;
use crate::rows::{ResultRow, from_csv};

/// Shards put together.
#[derive(Debug)]
pub struct Merged {
    /// The grid, as that of one whole file.
    pub sheet: Sheet,
    /// A row for each point, in the order of the grid.
    pub rows: Vec<ResultRow>,
}

/// A file of rows with its grid.
struct Part<'a> {
    path: &'a Path,
    sheet: Sheet,
    /// Number of the point, and its row.
    rows: Vec<(usize, ResultRow)>,
}

/// Reads the files and puts their rows in the order of the grid.
///
/// # Errors
/// A file without its grid, with other columns, of another grid, or not finished; a point in two files or in none; rows of
/// different revisions, or of different content of one data set.
pub fn merge(paths: &[PathBuf]) -> anyhow::Result<Merged> {
    let parts = paths.iter().map(|path| Part::read(path)).collect::<anyhow::Result<Vec<_>>>()?;
    let Some(first) = parts.first() else {
        return Err(failure("merge: expected files of rows, found none", "name the files that the shards wrote"));
    };
    for part in &parts[1..] {
        first.refuse_other_grid(part)?;
    }
    let grid = &first.sheet.point;
    let mut owners: Vec<Option<(&Part<'_>, &ResultRow)>> = vec![None; grid.len()];
    for part in &parts {
        for (number, row) in &part.rows {
            if let Some((owner, _)) = owners[number - 1].replace((part, row)) {
                let label = grid[number - 1].label();
                let (place, other) = (part.path.display(), owner.path.display());
                let message =
                    format!("merge {place}: expected points that no other file has, found {label} in {other} too");
                return Err(failure(message, "name every shard once"));
            }
        }
    }
    let missing: Vec<usize> = (0..grid.len()).filter(|&index| owners[index].is_none()).collect();
    if let Some(&index) = missing.first() {
        let (all, found, label) = (grid.len(), grid.len() - missing.len(), grid[index].label());
        let message =
            format!("merge: expected all {all} points of {}, found {found} without {label}", first.sheet.sweep);
        return Err(failure(message, format!("name the files of all shards; that point is number {}", index + 1)));
    }
    let owned: Vec<(&Part<'_>, &ResultRow)> = owners.into_iter().flatten().collect();
    refuse_mixed(&owned)?;
    let sheet = Sheet { shard: Shard::WHOLE.to_string(), ..first.sheet.clone() };
    Ok(Merged { rows: owned.into_iter().map(|(_, row)| row.clone()).collect(), sheet })
}

impl<'a> Part<'a> {
    fn read(path: &'a Path) -> anyhow::Result<Self> {
        let place = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| {
            failure(format!("merge {place}: expected a file of rows, found: {error}"), "check the path")
        })?;
        let rows: Vec<ResultRow> = from_csv(&text, &format!("merge {place}"))?;
        let sheet = Sheet::read(path)?;
        let numbers = sheet.numbers(path)?;
        if rows.len() != numbers.len() {
            let (expected, found) = (numbers.len(), rows.len());
            let message = format!("merge {place}: expected {expected} rows (shard {}), found {found}", sheet.shard);
            return Err(failure(message, "finish it: the same `rivalry sweep` with --resume"));
        }
        for (i, (&number, row)) in numbers.iter().zip(&rows).enumerate() {
            if let Some(difference) = sheet.point[number - 1].differs(row) {
                let message = format!("merge {place}: row {}: expected {difference}", i + 1);
                return Err(failure(message, "rows stand in the order of their points; was the file edited?"));
            }
        }
        Ok(Self { path, sheet, rows: numbers.into_iter().zip(rows).collect() })
    }

    fn refuse_other_grid(&self, other: &Part<'_>) -> anyhow::Result<()> {
        let (ours, theirs) = (&self.sheet, &other.sheet);
        let difference = if ours.sweep != theirs.sweep {
            format!("sweep {}", theirs.sweep)
        } else if ours.point.len() != theirs.point.len() {
            format!("{} points instead of {}", theirs.point.len(), ours.point.len())
        } else if let Some(index) = (0..ours.point.len()).find(|&index| ours.point[index] != theirs.point[index]) {
            format!("other settings at point {} ({})", index + 1, theirs.point[index].label())
        } else {
            return Ok(());
        };
        let (place, first) = (other.path.display(), self.path.display());
        let message = format!("merge {place}: expected the grid of {first} ({}), found {difference}", ours.sweep);
        Err(failure(message, "only shards of one sweep with the same settings belong together"))
    }
}

/// Numbers of two programs, or of two contents of one data set, in one table would be compared as if they were alike.
fn refuse_mixed(owned: &[(&Part<'_>, &ResultRow)]) -> anyhow::Result<()> {
    let revision = |row: &ResultRow| {
        let changed = if row.dirty == "true" { " with uncommitted changes" } else { "" };
        format!("{}{changed}", row.revision)
    };
    let mut contents: BTreeMap<&str, (&str, &Path)> = BTreeMap::new();
    let Some((first, expected)) = owned.first() else { return Ok(()) };
    for (part, row) in owned {
        let (place, other) = (part.path.display(), first.path.display());
        if revision(row) != revision(expected) {
            let (expected, found) = (revision(expected), revision(row));
            let message = format!("merge {place}: expected revision {expected} as in {other}, found {found}");
            return Err(failure(message, "run the shards with one build of the program"));
        }
        let (content, owner) = *contents.entry(&row.dataset).or_insert((&row.dataset_sha256, part.path));
        if content != row.dataset_sha256 {
            let (name, owner, found) = (&row.dataset, owner.display(), &row.dataset_sha256);
            let message = format!("merge {place}: expected {name} with content {content} as in {owner}, found {found}");
            return Err(failure(message, "run the shards on the same data"));
        }
    }
    Ok(())
}
