//! Runs the points of a sweep one after the other: the one loop of `sweep`, `reproduce` and `verify`.
//!
//! 1. [`Sweep::prepare`] looks at everything before the first minute is spent: every point on its data, the file of rows,
//!    every run folder. Rows and finished runs of an earlier start are kept.
//! 2. [`Prepared::run`] runs the points that have no result. The file of rows is rewritten, whole, after each. A point that
//!    fails is a row with `err`, and the next one is run.
//!
//! Points that share their unsupervised phase learn it once. Two runs have the same hidden layer, bit for bit, when their
//! settings differ only in what the readout reads. The second one starts from the checkpoint that the first one had between
//! its two phases: the same weights, the same rows of `metrics.csv`, the same times (so `learn_s` is what the layer took when
//! it was learned). A run folder keeps its checkpoint only as long as a later point may take over its layer.
//!
//! The runs of `FILE.csv` stand in `FILE.runs/`; those of a table beside `table.csv`, named as `train` names them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::merge::{Entry, Manifest};
use super::{Definition, Point, Shard};
use crate::cli::Common;
use crate::compute::Compute;
use crate::config::{Amount, Config, CurrentScale, OffSphere, Task, UnitLength};
use crate::dataset::{Datasets, Splits};
use crate::env::{Build, Machine};
use crate::error::{failure, line};
use crate::files;
use crate::output;
use crate::progress::Points;
use crate::rows::{ResultRow, from_csv, to_csv};
use crate::run::checkpoint::{Checkpoint, Identity};
use crate::run::{self, CHECKPOINT, CONFIG, Existing, Job, RunFolder};

/// What is to be run, and where it is written.
#[derive(Debug, Clone, Copy)]
pub struct Sweep<'a> {
    /// What it is.
    pub definition: &'a Definition,
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
    failed: Vec<String>,
    /// The first file that could not be written, though its row is there.
    unwritten: Option<anyhow::Error>,
}

/// A sweep that may begin.
#[derive(Debug)]
pub struct Prepared<'a> {
    sweep: Sweep<'a>,
    pending: Vec<Pending<'a>>,
}

/// A point with its run folder, the layer it needs, and its row once there is one.
#[derive(Debug)]
struct Pending<'a> {
    point: &'a Point,
    folder: PathBuf,
    /// What its layer depends on; nothing where no layer is learned without labels.
    layer: Option<String>,
    /// That of an earlier start, or of this one; a point that failed is run again.
    row: Option<ResultRow>,
}

impl<'a> Sweep<'a> {
    /// The points of the shard.
    pub fn taken(&self) -> impl Iterator<Item = &'a Point> + use<'a> {
        let shard = self.shard;
        self.points.iter().filter(move |point| shard.takes(point.number))
    }

    /// Looks at everything, and changes nothing.
    ///
    /// # Errors
    /// A shard without points, settings that the data cannot serve, a file or folder that is in the way or of another sweep.
    pub fn prepare(self, data: &Datasets) -> anyhow::Result<Prepared<'a>> {
        let taken: Vec<&Point> = self.taken().collect();
        if taken.is_empty() {
            let message = format!("there is no shard {} of {} points", self.shard, self.points.len());
            return Err(failure(message, "give at most as many shards as there are points"));
        }
        // Seeds make no difference to what fits the data.
        for point in taken.chunk_by(|a, b| a.varied == b.varied).map(|seeds| seeds[0]) {
            Splits::new(data.get(&point.config)?, &point.config)
                .with_context(|| format!("point {} ({})", point.number, point.label()))?;
        }
        if self.out.extension().is_none_or(|extension| extension != "csv") {
            let message = format!("{} does not end in .csv", self.out.display());
            return Err(failure(message, "the grid goes to FILE.grid.toml and the runs to FILE.runs beside FILE.csv"));
        }
        self.check_out()?;
        let mut earlier = self.earlier_rows(&taken)?;
        let pending = taken.into_iter().map(|point| {
            let folder = self.folder_of(point);
            let mut row = earlier.remove(&point.number);
            // A folder that is in the way is found now; one whose row is kept does not matter any more.
            if row.as_ref().is_none_or(ResultRow::has_no_result) {
                row = RunFolder::open(&folder, self.existing, &point.config)?.finished()?.or(row);
            }
            if let Some(row) = row.as_ref().filter(|row| !row.has_no_result()) {
                self.refuse_other_data(row, &data.get(&point.config)?.sha256, point)?;
            }
            Ok(Pending { point, folder, layer: layer_of(&point.config), row })
        });
        Ok(Prepared { pending: pending.collect::<anyhow::Result<_>>()?, sweep: self })
    }

    /// Refuses a file of rows that is there, unless it may be gone on with or replaced.
    ///
    /// # Errors
    /// There is one, and neither `--resume` nor `--force` was given.
    pub fn check_out(&self) -> anyhow::Result<()> {
        if self.existing != Existing::Refuse || !self.out.exists() {
            return Ok(());
        }
        let hint = "--resume goes on with it, --force replaces it, --out names another";
        Err(failure(format!("{} already exists", self.out.display()), hint))
    }

    /// Writes a row with `err` for every point, for a sweep whose data is missing; one that has rows already keeps them.
    ///
    /// # Errors
    /// The file of rows cannot be written, or that which is there cannot be read.
    pub fn skip(&self, reason: &str) -> anyhow::Result<Finished> {
        let rows: Vec<ResultRow> = if self.out.exists() && self.existing == Existing::Resume {
            from_csv(&files::read_text("file of rows", self.out)?, &self.out.display().to_string())?
        } else {
            let skipped = |point: &Point| ResultRow { err: reason.to_owned(), ..ResultRow::of_settings(&point.config) };
            self.taken().map(skipped).collect()
        };
        if let Some(folder) = self.out.parent() {
            files::create_folder(folder)?;
        }
        self.write_manifest()?;
        files::write(self.out, to_csv(&rows).as_bytes())?;
        Ok(Finished { rows, failed: Vec::new(), unwritten: None })
    }

    fn folder_of(&self, point: &Point) -> PathBuf {
        match self.definition.is_table {
            true => self.out.with_file_name(point.config.run_name()),
            false => self.out.with_extension("runs").join(point.folder()),
        }
    }

    /// A table is never run in shards, and its run folders say what they are of.
    fn write_manifest(&self) -> anyhow::Result<()> {
        if self.definition.is_table {
            return Ok(());
        }
        Manifest::new(&self.definition.name, self.points, self.shard).write(self.out)
    }

    /// The rows of an earlier start, by the numbers of their points.
    fn earlier_rows(&self, taken: &[&Point]) -> anyhow::Result<HashMap<usize, ResultRow>> {
        // The rows of a table are those of its run folders.
        if !self.out.exists() || self.existing == Existing::Replace || self.definition.is_table {
            return Ok(HashMap::new());
        }
        let place = self.out.display().to_string();
        let found: Vec<ResultRow> = from_csv(&files::read_text("file of rows", self.out)?, &place)?;
        let entries: Vec<(usize, Entry)> = taken.iter().map(|point| (point.number, Entry::new(point))).collect();
        let mut rows = HashMap::new();
        for (i, row) in found.into_iter().enumerate() {
            let of = entries.iter().find(|(_, entry)| entry.settings_sha256 == row.config_sha256);
            let refusal = match of {
                None => Some(format!("{place}: row {} is of no point of this sweep (shard {})", i + 1, self.shard)),
                Some((_, entry)) => entry
                    .differs(&row)
                    .map(|difference| format!("{place}: row {} is not of {}: {difference}", i + 1, entry.label())),
            };
            if let Some(message) = refusal {
                return Err(failure(message, "give the same sweep and seeds (or more), another --out, or --force"));
            }
            rows.extend(of.map(|(number, _)| (*number, row)));
        }
        Ok(rows)
    }

    fn refuse_other_data(&self, row: &ResultRow, expected: &str, point: &Point) -> anyhow::Result<()> {
        if row.dataset_sha256 == expected {
            return Ok(());
        }
        let (label, found) = (point.label(), &row.dataset_sha256);
        let message = format!("{}: {label} was run on data {found}, not {expected}", self.out.display());
        Err(failure(message, "give the same data, another --out, or --force"))
    }
}

impl<'a> Prepared<'a> {
    /// The rows that are there already, with the folders of their runs.
    pub fn kept(&self) -> impl Iterator<Item = (&ResultRow, &Path)> {
        let kept = self.pending.iter().filter(|pending| !pending.is_due());
        kept.filter_map(|pending| Some((pending.row.as_ref()?, pending.folder.as_path())))
    }

    /// Runs what is not finished.
    ///
    /// # Errors
    /// The file of rows cannot be written. A point that fails is no error here.
    pub fn run(mut self, data: &Datasets, compute: &Compute, common: &Common) -> anyhow::Result<Finished> {
        self.begin()?;
        let (mut failed, mut unwritten) = (Vec::new(), None);
        let work = self.pending.iter().map(Pending::work).collect();
        let mut progress = Points::new(common, &self.sweep.definition.name, work);
        for index in 0..self.pending.len() {
            let label = self.pending[index].point.label();
            if let Some(row) = self.pending[index].row.as_ref().filter(|row| !row.has_no_result()) {
                output::note(common, &format!("{label}: kept (revision {})", row.revision));
            } else {
                progress.begin(index, &label);
                let (row, error) = self.point(index, data, compute, common);
                unwritten = unwritten.or(error);
                if row.has_no_result() {
                    output::note(common, &format!("{label}: failed: {}", row.err));
                    failed.push(label);
                }
                self.pending[index].row = Some(row);
                self.write()?;
            }
            progress.done(index);
            if !self.sweep.definition.is_table {
                self.free_checkpoints(index);
            }
        }
        self.write()?;
        Ok(Finished { rows: self.rows(), failed, unwritten })
    }

    /// Makes the places, and empties the folders of what is to be replaced: later starts go by what is in them.
    fn begin(&self) -> anyhow::Result<()> {
        let Sweep { out, existing, .. } = self.sweep;
        let folders = self.pending.iter().filter_map(|pending| pending.folder.parent());
        folders.take(1).try_for_each(|runs| {
            files::create_folder(runs)?;
            // What an earlier start left when it was killed; other shards may be writing beside the files.
            if self.sweep.definition.is_table { Ok(()) } else { files::remove_temporary(runs) }
        })?;
        files::remove_temporary_of(out)?;
        files::remove_temporary_of(&Manifest::path(out))?;
        if existing == Existing::Replace {
            for Pending { folder, point, .. } in self.pending.iter().filter(|pending| pending.folder.exists()) {
                RunFolder::open(folder, existing, &point.config)?.begin(&point.config)?;
            }
        }
        // The manifest first: rows without their grid would be rows of nothing.
        self.sweep.write_manifest()?;
        self.write()
    }

    fn rows(&self) -> Vec<ResultRow> {
        self.pending.iter().filter_map(|pending| pending.row.clone()).collect()
    }

    fn write(&self) -> anyhow::Result<()> {
        files::write(self.sweep.out, to_csv(&self.rows()).as_bytes())
    }

    /// Runs one point; a point that fails is a row that says why.
    fn point(
        &self,
        index: usize,
        data: &Datasets,
        compute: &Compute,
        common: &Common,
    ) -> (ResultRow, Option<anyhow::Error>) {
        let config = &self.pending[index].point.config;
        self.try_point(index, data, compute, common).unwrap_or_else(|error| {
            let build = Build::current();
            let row = ResultRow {
                isa: compute.core.kernels().name().to_owned(),
                threads: Some(compute.core.threads()),
                cpu: Machine::current().cpu,
                revision: build.revision.to_owned(),
                dirty: build.dirty_cell().to_owned(),
                dataset_sha256: data.get(config).map(|set| set.sha256.clone()).unwrap_or_default(),
                err: line(&error),
                ..ResultRow::of_settings(config)
            };
            (row, None)
        })
    }

    fn try_point(
        &self,
        index: usize,
        data: &Datasets,
        compute: &Compute,
        common: &Common,
    ) -> anyhow::Result<(ResultRow, Option<anyhow::Error>)> {
        let pending = &self.pending[index];
        let config = &pending.point.config;
        let set = data.get(config)?;
        // What may be there was judged when the sweep was prepared; from here on it is gone on with.
        let folder = RunFolder::open(&pending.folder, Existing::Resume, config)?;
        let earlier = self.pending[..index].iter();
        for source in earlier.filter(|source| pending.layer.is_some() && source.layer == pending.layer) {
            if take_over(source, &folder, config, &set.sha256)? {
                break;
            }
        }
        let outcome = run::run(&Job {
            config,
            splits: &Splits::new(set, config)?,
            dataset_sha256: &set.sha256,
            folder: &folder,
            compute,
            remark: self.sweep.remark,
            common,
        })?;
        Ok((outcome.row, outcome.unwritten))
    }

    /// Removes the checkpoints that nobody needs any more after this point: those of finished runs whose layer no later
    /// point shares. A grid would otherwise fill a disk with them.
    fn free_checkpoints(&self, index: usize) {
        let own = &self.pending[index].layer;
        let of_same = |other: &Pending<'_>| own.is_some() && other.layer == *own;
        if self.pending[index + 1..].iter().any(of_same) {
            return;
        }
        for (other, pending) in self.pending[..=index].iter().enumerate() {
            if (other == index || of_same(pending)) && !pending.is_due() {
                // It may be gone already, and one that stays does no harm.
                let _ = std::fs::remove_file(pending.folder.join(CHECKPOINT));
            }
        }
    }
}

impl Pending<'_> {
    /// Whether it has to be run: it never was, or it failed.
    fn is_due(&self) -> bool {
        self.row.as_ref().is_none_or(ResultRow::has_no_result)
    }

    /// Roughly how long it takes beside others, in passes over the hidden units; nothing where there is nothing to do.
    fn work(&self) -> f64 {
        let config = &self.point.config;
        let units: usize = config.hidden.sizes().iter().sum();
        if self.is_due() { config.method.passes(config) * units as f64 } else { 0.0 }
    }
}

impl Finished {
    /// The rows and, where some points failed or a file could not be written, the error that says so; `place` is the file of
    /// rows.
    pub fn conclude(self, name: &str, place: &Path) -> (Vec<ResultRow>, anyhow::Result<()>) {
        let result = match self.failed.first() {
            Some(label) => {
                let (all, failed) = (self.rows.len(), self.failed.len());
                let message = format!("{failed} of the {all} points of {name} failed, first {label}");
                let hint = format!("`err` in {} says why; --resume tries them again", place.display());
                Err(failure(message, hint))
            }
            None => self.unwritten.map_or(Ok(()), Err),
        };
        (self.rows, result)
    }
}

/// What the hidden layer of a run depends on; nothing where no layer is learned without labels. A key that is not named
/// here counts as one that the layer depends on.
pub(super) fn layer_of(config: &Config) -> Option<String> {
    if !config.method.learns_a_layer() {
        return None;
    }
    let same = Config {
        experiment: String::new(),
        task: if config.task == Task::Half { Task::Half } else { Task::Class },
        unit_length: if config.unit_length == UnitLength::Both { UnitLength::Both } else { UnitLength::Readout },
        power_n: 1.0,
        current_scale: CurrentScale::Auto,
        off_sphere: OffSphere::Keep,
        loss_m: 2.0,
        beta: 1.0,
        readout_epochs: 0,
        readout_batch: 1,
        readout_rates: String::new(),
        labels_per_class: Amount::All,
        published: None,
        ..config.clone()
    };
    Some(same.digest())
}

/// Puts the learned layer of one run into the folder of another that has not begun. False when it has begun, or when the
/// layer is not finished or not there; then it is learned.
fn take_over(source: &Pending<'_>, folder: &RunFolder, config: &Config, dataset_sha256: &str) -> anyhow::Result<bool> {
    let path = source.folder.join(CHECKPOINT);
    if folder.file(CHECKPOINT).exists() {
        return Ok(false);
    }
    let Ok(bytes) = std::fs::read(&path) else { return Ok(false) };
    // A damaged file costs learning again, not the sweep.
    let Ok(found) = Checkpoint::from_bytes(&bytes, &path.display().to_string()) else { return Ok(false) };
    let theirs = Identity { config_sha256: source.point.config.digest(), dataset_sha256: dataset_sha256.to_owned() };
    if found.identity != theirs {
        return Ok(false);
    }
    let ours = Identity { config_sha256: config.digest(), ..theirs };
    let Some(checkpoint) = found.into_layer_of(ours) else { return Ok(false) };
    files::create_folder(folder.path())?;
    // Settings first, as a run does: a folder with a checkpoint always says what it is of.
    folder.write(CONFIG, config.to_toml().as_bytes())?;
    folder.write(CHECKPOINT, &checkpoint.to_bytes())?;
    Ok(true)
}
