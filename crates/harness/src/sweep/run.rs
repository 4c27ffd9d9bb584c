//! Runs the points of a sweep one after the other.
//!
//! 1. [`Sweep::open`] looks at everything before the first minute is spent: every point on its data, the file of rows, its
//!    sheet, every run folder.
//! 2. [`Opened::run`]: a point that is finished keeps its row; any other is run, or goes on from its checkpoint. The file of
//!    rows is rewritten, whole, after each. A point that fails is a row with `err`, and the next one is run.

mod opened;

use std::path::Path;

use anyhow::Context;

pub use opened::Opened;

use super::layers::layer_of;
use super::sheet::Sheet;
use super::{Point, Shard};
use crate::dataset::{Datasets, Splits};
use crate::failure::failure;
use crate::rows::{ResultRow, from_csv, to_csv};
use crate::run::{Existing, RunFolder, files};
use opened::Slot;

/// What is to be run, and where it is written.
#[derive(Debug, Clone, Copy)]
pub struct Sweep<'a> {
    /// Its name.
    pub name: &'a str,
    /// The whole grid.
    pub points: &'a [Point],
    /// Which of its points are run here.
    pub shard: Shard,
    /// The file of rows.
    pub out: &'a Path,
    /// What to do with one that is there.
    pub existing: Existing,
    /// What `err` says beside the numbers, where the data is not what the sweep is about.
    pub remark: &'a str,
}

/// What came of a sweep.
#[derive(Debug)]
pub struct Finished {
    /// A row for each point of the shard.
    pub rows: Vec<ResultRow>,
    /// Labels of the points that failed.
    pub failed: Vec<String>,
    /// The first file that could not be written, though its row is there.
    pub unwritten: Option<anyhow::Error>,
}

impl<'a> Sweep<'a> {
    /// Looks at everything, and changes nothing.
    ///
    /// # Errors
    /// A shard without points, settings that the data cannot serve, a file or folder that is in the way or of another sweep.
    pub fn open(self, data: &Datasets) -> anyhow::Result<Opened<'a>> {
        let taken: Vec<&Point> = self.points.iter().filter(|point| self.shard.takes(point.number)).collect();
        if taken.is_empty() {
            let message = format!("--shard {}: expected at most {} shards, one a point", self.shard, self.points.len());
            return Err(failure(message, "there is nothing to run in this one"));
        }
        // Seeds make no difference to what fits the data.
        for point in taken.chunk_by(|a, b| a.varied == b.varied).map(|seeds| seeds[0]) {
            Splits::new(data.get(&point.experiment)?, &point.experiment)
                .with_context(|| format!("point {} ({})", point.number, point.label()))?;
        }
        let rows = self.rows_so_far(data, &taken)?;
        let runs = self.out.with_extension("runs");
        let slots = taken.into_iter().zip(rows).map(|(point, row)| {
            let folder = runs.join(point.folder());
            let slot = Slot { point, folder, layer: layer_of(&point.experiment), row };
            // A folder that is in the way is found now; one whose row is kept does not matter any more.
            if slot.is_due() {
                RunFolder::open(&slot.folder, self.existing, &point.experiment)?;
            }
            Ok(slot)
        });
        Ok(Opened { slots: slots.collect::<anyhow::Result<_>>()?, sweep: self })
    }

    /// Refuses what cannot be written over where nothing is going to be run.
    ///
    /// # Errors
    /// There is a file of rows, and neither `--resume` nor `--force` was given.
    pub fn check_skippable(&self) -> anyhow::Result<()> {
        if self.existing == Existing::Refuse && self.out.exists() { Err(self.refuse_existing()) } else { Ok(()) }
    }

    /// Writes a row with `err` for every point, for a sweep whose data is missing; one that has rows already keeps them.
    ///
    /// # Errors
    /// The file of rows cannot be written, or that which is there cannot be read.
    pub fn skip(&self, reason: &str) -> anyhow::Result<Vec<ResultRow>> {
        let (out, place) = (self.out, self.out.display());
        if out.exists() && self.existing == Existing::Resume {
            let text = std::fs::read_to_string(out).with_context(|| format!("cannot read {place}"))?;
            return from_csv(&text, &place.to_string());
        }
        let taken = self.points.iter().filter(|point| self.shard.takes(point.number));
        let rows: Vec<ResultRow> = taken
            .map(|point| ResultRow { err: reason.to_owned(), ..ResultRow::of_settings(&point.experiment) })
            .collect();
        if let Some(folder) = out.parent() {
            files::create_folder(folder)?;
        }
        Sheet::new(self.name, self.points, self.shard).write(out)?;
        files::write(out, to_csv(&rows).as_bytes())?;
        Ok(rows)
    }

    fn refuse_existing(&self) -> anyhow::Error {
        let message = format!("output {}: expected a new file, found one that is there", self.out.display());
        failure(message, "--resume goes on with it, --force replaces it, --out names another")
    }

    /// The rows of an earlier start: one for each point that it came to.
    fn rows_so_far(&self, data: &Datasets, taken: &[&Point]) -> anyhow::Result<Vec<Option<ResultRow>>> {
        let (out, place) = (self.out, self.out.display());
        let mut rows: Vec<Option<ResultRow>> = vec![None; taken.len()];
        if out.extension().is_none_or(|extension| extension != "csv") {
            let message = format!("output {place}: expected a file named FILE.csv, found another name");
            return Err(failure(message, "the grid goes to FILE.grid.toml and the runs to FILE.runs beside it"));
        }
        if !out.exists() || self.existing == Existing::Replace {
            return Ok(rows);
        }
        if self.existing == Existing::Refuse {
            return Err(self.refuse_existing());
        }
        let sheet = Sheet::read(out)?;
        let expected = Sheet::new(self.name, self.points, self.shard);
        if sheet != expected {
            let same =
                if sheet.point == expected.point { format!("shard {}", sheet.shard) } else { "another".to_owned() };
            let message =
                format!("output {place}: expected the grid of this sweep (shard {}), found {same}", self.shard);
            return Err(failure(message, "give the same sweep, another --out, or --force"));
        }
        let text = std::fs::read_to_string(out).with_context(|| format!("cannot read {place}"))?;
        let found: Vec<ResultRow> = from_csv(&text, &place.to_string())?;
        if found.len() > taken.len() {
            let message = format!("output {place}: expected at most {} rows, found {}", taken.len(), found.len());
            return Err(failure(message, "was it edited? --force starts afresh"));
        }
        for (i, (row, point)) in found.into_iter().zip(taken).enumerate() {
            if let Some(difference) = sheet.point[point.number - 1].differs(&row) {
                let message = format!("output {place}: row {}: expected {difference}", i + 1);
                return Err(failure(message, "was it edited? --force starts afresh"));
            }
            let expected = &data.get(&point.experiment)?.sha256;
            if !row.has_no_result() && row.dataset_sha256 != *expected {
                let found = &row.dataset_sha256;
                let message = format!("output {place}: row {}: expected data {expected}, found {found}", i + 1);
                return Err(failure(message, "give the same data, another --out, or --force"));
            }
            rows[i] = Some(row);
        }
        Ok(rows)
    }
}
