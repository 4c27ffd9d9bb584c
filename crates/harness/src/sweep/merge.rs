//! Files of rows and their manifests, and `rivalry sweep merge`: the shards of one sweep in one file, with nothing missing,
//! nothing twice, nothing mixed.
//!
//! `FILE.grid.toml` beside `FILE.csv` says what grid the rows are of. It lists every point of the whole grid with what is
//! varied and the digest of all its settings; a row is of the point whose digest it has.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Point, Shard};
use crate::error::failure;
use crate::files;
use crate::rows::{ResultRow, from_csv};

/// The grid of a file of rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    pub(crate) sweep: String,
    /// Which points the file is for, as `i/n`.
    shard: String,
    point: Vec<Entry>,
}

/// A point as the manifest has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    settings_sha256: String,
    /// What is varied, and the seed.
    varied: BTreeMap<String, String>,
}

impl Entry {
    fn new(point: &Point) -> Self {
        let seed = ("seed".to_owned(), point.config.seed.to_string());
        let varied = point.varied.iter().cloned().chain([seed]).collect();
        Self { settings_sha256: point.config.digest(), varied }
    }

    /// `delta 0.1, p 2, seed 1`.
    fn label(&self) -> String {
        let seed = self.varied.get_key_value("seed");
        let others = self.varied.iter().filter(|(key, _)| *key != "seed").chain(seed);
        others.map(|(key, value)| format!("{key} {value}")).collect::<Vec<_>>().join(", ")
    }

    /// How the cells of a row show that it is not of this point, as `p is 3, not 2`.
    fn differs(&self, row: &ResultRow) -> Option<String> {
        let cells = serde_json::to_value(row).expect("a row is flat");
        self.varied.iter().find_map(|(key, value)| {
            let (same, found) = match cells.get(key)? {
                Value::Null => (value == "all", "empty".to_owned()),
                Value::String(cell) => (cell == value || cell.replace('-', ",") == *value, cell.clone()),
                cell => (value.parse().ok() == cell.as_f64(), cell.to_string()),
            };
            (!same).then(|| format!("{key} is {found}, not {value}"))
        })
    }
}

pub(super) fn read_rows(path: &Path) -> anyhow::Result<Vec<ResultRow>> {
    from_csv(&files::read_text("file of rows", path)?, &path.display().to_string())
}

impl Manifest {
    pub(crate) fn new(sweep: &str, points: &[Point], shard: Shard) -> Self {
        let (sweep, shard) = (sweep.to_owned(), shard.to_string());
        Self { sweep, shard, point: points.iter().map(Entry::new).collect() }
    }

    /// Where the manifest of a file of rows is.
    pub(crate) fn path(rows: &Path) -> PathBuf {
        rows.with_extension("grid.toml")
    }

    /// The numbers of the points that the file is for, in their order.
    fn numbers(&self, rows: &Path) -> anyhow::Result<Vec<usize>> {
        let shard: Shard = self.shard.parse().map_err(|what| {
            let message = format!("{}: `shard` is `{}`: {what}", Self::path(rows).display(), self.shard);
            failure(message, "was it edited? `rivalry sweep` writes it")
        })?;
        Ok((1..=self.point.len()).filter(|&number| shard.takes(number)).collect())
    }

    /// Rows by the number of the point whose settings they have. `hint` says what to do where a row is of none.
    pub(super) fn rows_by_point(
        &self,
        path: &Path,
        rows: Vec<ResultRow>,
        hint: &str,
    ) -> anyhow::Result<BTreeMap<usize, ResultRow>> {
        let of = |number: usize| (self.point[number - 1].settings_sha256.as_str(), number);
        let numbers: HashMap<&str, usize> = self.numbers(path)?.into_iter().map(of).collect();
        let mut found = BTreeMap::new();
        for (i, row) in rows.into_iter().enumerate() {
            let refuse = |what: String| failure(format!("{}: row {} is {what}", path.display(), i + 1), hint);
            let Some(&number) = numbers.get(row.config_sha256.as_str()) else {
                return Err(refuse(format!("of no point of this sweep (shard {})", self.shard)));
            };
            let entry = &self.point[number - 1];
            if let Some(difference) = entry.differs(&row) {
                return Err(refuse(format!("not of {}: {difference}", entry.label())));
            }
            found.insert(number, row);
        }
        Ok(found)
    }

    fn read(rows: &Path) -> anyhow::Result<Self> {
        let refuse = |what: String| {
            let hint = format!("`rivalry sweep` writes it beside {}; keep the two together", rows.display());
            failure(format!("cannot read the grid {}: {what}", Self::path(rows).display()), hint)
        };
        let text = std::fs::read_to_string(Self::path(rows)).map_err(|error| refuse(error.to_string()))?;
        toml::from_str(&text).map_err(|error| refuse(error.message().to_owned()))
    }

    /// Writes it beside a file of rows.
    pub(crate) fn write(&self, rows: &Path) -> anyhow::Result<()> {
        let name = rows.file_name().unwrap_or_default().to_string_lossy();
        let body = toml::to_string(self).expect("texts and tables are always TOML");
        let head = format!("# The grid of {name}, which `rivalry sweep --resume` and `rivalry sweep merge` check.\n");
        files::write(&Self::path(rows), format!("{head}{body}").as_bytes())
    }
}

/// A file of rows with its grid, and its rows by the number of their point.
struct Part<'a> {
    path: &'a Path,
    manifest: Manifest,
    rows: BTreeMap<usize, ResultRow>,
}

/// Reads the files and puts their rows in the order of the grid: the manifest of one whole file, and a row for each point.
///
/// # Errors
/// A file without its grid, with other columns, of another grid, or not finished; a point in two files or in none; rows of
/// different revisions, or of different content of one data set.
pub(crate) fn merge(paths: &[PathBuf]) -> anyhow::Result<(Manifest, Vec<ResultRow>)> {
    let parts = paths.iter().map(|path| Part::read(path)).collect::<anyhow::Result<Vec<_>>>()?;
    let Some(first) = parts.first() else {
        return Err(failure("there is nothing to merge", "name the files that the shards wrote"));
    };
    for part in &parts[1..] {
        first.refuse_other_grid(part)?;
    }
    let grid = &first.manifest.point;
    let mut owners: Vec<Option<(&Part<'_>, &ResultRow)>> = vec![None; grid.len()];
    for part in &parts {
        for (number, row) in &part.rows {
            if let Some((owner, _)) = owners[number - 1].replace((part, row)) {
                let (label, place, other) = (grid[number - 1].label(), part.path.display(), owner.path.display());
                return Err(failure(format!("both {other} and {place} have {label}"), "name every shard once"));
            }
        }
    }
    let missing: Vec<usize> = (0..grid.len()).filter(|&index| owners[index].is_none()).collect();
    if let Some(&index) = missing.first() {
        let (all, missing, label) = (grid.len(), missing.len(), grid[index].label());
        let message = format!("{missing} of the {all} points of {} are missing, first {label}", first.manifest.sweep);
        return Err(failure(message, format!("name the files of all shards; that point is number {}", index + 1)));
    }
    let owned: Vec<(&Part<'_>, &ResultRow)> = owners.into_iter().flatten().collect();
    refuse_mixed(&owned)?;
    let manifest = Manifest { shard: Shard::WHOLE.to_string(), ..first.manifest.clone() };
    Ok((manifest, owned.into_iter().map(|(_, row)| row.clone()).collect()))
}

impl<'a> Part<'a> {
    fn read(path: &'a Path) -> anyhow::Result<Self> {
        let rows = read_rows(path)?;
        let manifest = Manifest::read(path)?;
        let (found, expected, shard) = (rows.len(), manifest.numbers(path)?.len(), &manifest.shard);
        if found != expected {
            let message = format!("{} has {found} rows, shard {shard} has {expected} points", path.display());
            return Err(failure(message, "finish it: the same `rivalry sweep` with --resume"));
        }
        let rows = manifest.rows_by_point(path, rows, "was the file edited? `rivalry sweep` writes it")?;
        Ok(Self { path, manifest, rows })
    }

    fn refuse_other_grid(&self, other: &Part<'_>) -> anyhow::Result<()> {
        let (ours, theirs) = (&self.manifest, &other.manifest);
        let difference = if ours.sweep != theirs.sweep {
            format!("it is of sweep {}, not {}", theirs.sweep, ours.sweep)
        } else if ours.point.len() != theirs.point.len() {
            format!("it has {} points, not {}", theirs.point.len(), ours.point.len())
        } else if let Some(index) = (0..ours.point.len()).find(|&index| ours.point[index] != theirs.point[index]) {
            format!("its point {} ({}) has other settings", index + 1, theirs.point[index].label())
        } else {
            return Ok(());
        };
        let message = format!("{} does not belong to {}: {difference}", other.path.display(), self.path.display());
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
            let message = format!("{place} is of revision {}, {other} of {}", revision(row), revision(expected));
            return Err(failure(message, "run the shards with one build of the program"));
        }
        let (content, owner) = *contents.entry(&row.dataset).or_insert((&row.dataset_sha256, part.path));
        if content != row.dataset_sha256 {
            let (name, found, owner) = (&row.dataset, &row.dataset_sha256, owner.display());
            let message = format!("{place} was run on {name} {found}, {owner} on {content}");
            return Err(failure(message, "run the shards on the same data"));
        }
    }
    Ok(())
}
