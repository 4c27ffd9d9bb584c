//! `FILE.grid.toml` beside `FILE.csv`: what grid the rows are of.
//!
//! Rows are in the order of the points that the shard takes, so row i is the i-th of them, and a file with fewer rows is one
//! that is not finished. The sheet lists every point of the whole grid with what is varied and the digest of all its
//! settings; that is how `--resume` knows its own file and `merge` the shards of one sweep.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Point, Shard};
use crate::failure::failure;
use crate::rows::ResultRow;
use crate::run::files;

/// The grid of a file of rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sheet {
    /// Name of the sweep.
    pub sweep: String,
    /// Which points the file is for, as `i/n`.
    pub shard: String,
    /// Every point of the whole grid.
    pub point: Vec<Entry>,
}

/// A point as the sheet has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Digest of all its settings.
    pub settings_sha256: String,
    /// What is varied, and the seed.
    pub varied: BTreeMap<String, String>,
}

impl Entry {
    /// `delta 0.1, p 2, seed 1`.
    pub fn label(&self) -> String {
        let seed = self.varied.get_key_value("seed");
        let others = self.varied.iter().filter(|(key, _)| *key != "seed").chain(seed);
        others.map(|(key, value)| format!("{key} {value}")).collect::<Vec<_>>().join(", ")
    }

    /// The first cell in which a row is not of this point, as `p 2, found 3`. Keys without a column are not compared.
    pub fn differs(&self, row: &ResultRow) -> Option<String> {
        let cells = serde_json::to_value(row).expect("a row is flat");
        let differs = |(key, value): &(&String, &String)| match cells.get(key.as_str()) {
            None => false,
            Some(serde_json::Value::Null) => value.as_str() != "all",
            Some(serde_json::Value::String(cell)) => cell != *value,
            Some(cell) => value.parse().ok() != cell.as_f64(),
        };
        let (key, value) = self.varied.iter().find(differs)?;
        Some(format!("{key} {value}, found {}", cells[key.as_str()]))
    }
}

impl Sheet {
    /// The sheet of a grid, for one of its shards.
    pub fn new(sweep: &str, points: &[Point], shard: Shard) -> Self {
        let entry = |point: &Point| {
            let seed = ("seed".to_owned(), point.experiment.seed.to_string());
            let varied = point.varied.iter().cloned().chain([seed]).collect();
            Entry { settings_sha256: point.experiment.digest(), varied }
        };
        Self { sweep: sweep.to_owned(), shard: shard.to_string(), point: points.iter().map(entry).collect() }
    }

    /// Where the sheet of a file of rows is.
    pub fn path(rows: &Path) -> PathBuf {
        rows.with_extension("grid.toml")
    }

    /// The numbers of the points that the file is for, in the order of its rows.
    ///
    /// # Errors
    /// The shard is not `i/n`.
    pub fn numbers(&self, rows: &Path) -> anyhow::Result<Vec<usize>> {
        let shard: Shard = self.shard.parse().map_err(|expected| {
            let place = Self::path(rows);
            let message = format!("grid {}: key `shard`: {expected}, found `{}`", place.display(), self.shard);
            failure(message, "was it edited? `rivalry sweep` writes it")
        })?;
        Ok((1..=self.point.len()).filter(|&number| shard.takes(number)).collect())
    }

    /// Reads the sheet beside a file of rows.
    ///
    /// # Errors
    /// There is none, or it is not one of this version.
    pub fn read(rows: &Path) -> anyhow::Result<Self> {
        let path = Self::path(rows);
        let place = path.display();
        let refuse = |found: String| {
            let hint = format!("`rivalry sweep` writes it beside {}; keep the two together", rows.display());
            failure(format!("grid {place}: expected the points of {}, found {found}", rows.display()), hint)
        };
        let text = std::fs::read_to_string(&path).map_err(|error| refuse(error.to_string()))?;
        toml::from_str(&text).map_err(|error| refuse(error.message().to_owned()))
    }

    /// Writes it beside a file of rows.
    ///
    /// # Errors
    /// Whatever the system says, with the path.
    pub fn write(&self, rows: &Path) -> anyhow::Result<()> {
        let name = rows.file_name().unwrap_or_default().to_string_lossy();
        let body = toml::to_string(self).expect("texts and tables are always TOML");
        let head = format!("# The grid of {name}, which `rivalry sweep --resume` and `rivalry sweep merge` check.\n");
        files::write(&Self::path(rows), format!("{head}{body}").as_bytes())
    }
}
