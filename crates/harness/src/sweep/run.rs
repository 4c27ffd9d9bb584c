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

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use toml::Table;

use super::merge::{Manifest, read_rows};
use super::{Definition, Point, Shard};
use crate::common::Common;
use crate::compute::Compute;
use crate::config::{Config, Task, UnitLength};
use crate::dataset::{Datasets, Splits};
use crate::env::Environment;
use crate::error::{failure, line};
use crate::files;
use crate::output;
use crate::progress::Points;
use crate::rows::{ResultRow, to_csv};
use crate::run::checkpoint::{Checkpoint, Identity};
use crate::run::{self, CHECKPOINT, CONFIG, Existing, Job, RunFolder};

/// What is to be run, with what, and where it is written.
#[derive(Clone, Copy)]
pub(crate) struct Sweep<'a> {
    pub(crate) definition: &'a Definition,
    /// The whole grid.
    pub(crate) points: &'a [Point],
    pub(crate) shard: Shard,
    pub(crate) out: &'a Path,
    /// What to do with one that is there.
    pub(crate) existing: Existing,
    /// Why the data is not what the sweep is about, or is missing; empty when it is. `err` says it beside the numbers.
    pub(crate) remark: &'a str,
    /// Whether there is no data: every point is a row with the remark as `err`.
    pub(crate) skipped: bool,
    pub(crate) data: &'a Datasets,
    pub(crate) compute: &'a Compute,
    pub(crate) common: &'a Common,
}

/// A row for each point of the shard, and what went wrong though there are rows: the first points that failed, or the first
/// file that could not be written.
pub(crate) type Done = (Vec<ResultRow>, anyhow::Result<()>);

/// A sweep that may begin.
pub(crate) struct Prepared<'a> {
    pub(crate) sweep: Sweep<'a>,
    pending: Vec<Pending<'a>>,
}

/// A point with its run folder, the layer it needs, and its row once there is one.
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
    pub(crate) fn taken(&self) -> impl Iterator<Item = &'a Point> + use<'a> {
        let shard = self.shard;
        self.points.iter().filter(move |point| shard.takes(point.number))
    }

    /// Looks at everything, and changes nothing.
    ///
    /// # Errors
    /// A shard without points, settings that the data cannot serve, a file or folder that is in the way or of another sweep.
    pub(crate) fn prepare(self) -> anyhow::Result<Prepared<'a>> {
        if self.skipped {
            self.check_out()?;
            return Ok(Prepared { sweep: self, pending: Vec::new() });
        }
        let taken: Vec<&Point> = self.taken().collect();
        if taken.is_empty() {
            let message = format!("there is no shard {} of {} points", self.shard, self.points.len());
            return Err(failure(message, "give at most as many shards as there are points"));
        }
        // Seeds make no difference to what fits the data.
        for point in taken.chunk_by(|a, b| a.varied == b.varied).map(|seeds| seeds[0]) {
            Splits::new(self.data.get(&point.config)?, &point.config)
                .with_context(|| format!("point {} ({})", point.number, point.label()))?;
        }
        if self.out.extension().is_none_or(|extension| extension != "csv") {
            let message = format!("{} does not end in .csv", self.out.display());
            return Err(failure(message, "the grid goes to FILE.grid.toml and the runs to FILE.runs beside FILE.csv"));
        }
        self.check_out()?;
        let mut earlier = self.earlier_rows()?;
        let pending = taken.into_iter().map(|point| {
            let folder = match self.definition.is_table {
                true => self.out.with_file_name(point.config.run_name()),
                false => self.out.with_extension("runs").join(point.folder()),
            };
            let mut row = earlier.remove(&point.number);
            // A folder that is in the way is found now; one whose row is kept does not matter any more.
            if row.as_ref().is_none_or(ResultRow::has_no_result) {
                row = RunFolder::open(&folder, self.existing, &point.config)?.finished()?.or(row);
            }
            let (expected, label) = (&self.data.get(&point.config)?.sha256, point.label());
            match row.as_ref().filter(|row| !row.has_no_result() && row.dataset_sha256 != *expected) {
                None => Ok(Pending { point, folder, layer: layer_of(&point.config), row }),
                Some(ResultRow { dataset_sha256: found, .. }) => {
                    let message = format!("{}: {label} was run on data {found}, not {expected}", self.out.display());
                    Err(failure(message, "give the same data, another --out, or --force"))
                }
            }
        });
        Ok(Prepared { pending: pending.collect::<anyhow::Result<_>>()?, sweep: self })
    }

    /// Refuses a file of rows that is there, unless it may be gone on with or replaced.
    fn check_out(&self) -> anyhow::Result<()> {
        if self.existing != Existing::Refuse || !self.out.exists() {
            return Ok(());
        }
        let hint = "--resume goes on with it, --force replaces it, --out names another";
        Err(failure(format!("{} already exists", self.out.display()), hint))
    }

    /// Writes a row with `err` for every point, for a sweep whose data is missing; one that has rows already keeps them.
    fn skip(&self) -> anyhow::Result<Done> {
        let rows: Vec<ResultRow> = if self.out.exists() && self.existing == Existing::Resume {
            read_rows(self.out)?
        } else {
            let err = self.remark.to_owned();
            let skipped = |point: &Point| ResultRow { err: err.clone(), ..ResultRow::of_settings(&point.config) };
            self.taken().map(skipped).collect()
        };
        if let Some(folder) = self.out.parent() {
            files::create_folder(folder)?;
        }
        self.write_manifest()?;
        files::write(self.out, to_csv(&rows).as_bytes())?;
        Ok((rows, Ok(())))
    }

    fn manifest(&self) -> Manifest {
        Manifest::new(&self.definition.name, self.points, self.shard)
    }

    /// A table is never run in shards, and its run folders say what they are of.
    fn write_manifest(&self) -> anyhow::Result<()> {
        if self.definition.is_table { Ok(()) } else { self.manifest().write(self.out) }
    }

    /// The rows of an earlier start, by the numbers of their points.
    fn earlier_rows(&self) -> anyhow::Result<BTreeMap<usize, ResultRow>> {
        // The rows of a table are those of its run folders.
        if !self.out.exists() || self.existing == Existing::Replace || self.definition.is_table {
            return Ok(BTreeMap::new());
        }
        let hint = "give the same sweep and seeds (or more), another --out, or --force";
        self.manifest().rows_by_point(self.out, read_rows(self.out)?, hint)
    }
}

impl<'a> Prepared<'a> {
    /// The rows that are there already, with the folders of their runs.
    pub(crate) fn kept(&self) -> impl Iterator<Item = (&ResultRow, &Path)> {
        let kept = self.pending.iter().filter(|pending| !pending.is_due());
        kept.filter_map(|pending| Some((pending.row.as_ref()?, pending.folder.as_path())))
    }

    /// Runs what is not finished. A point that fails is a row with `err`.
    pub(crate) fn run(mut self) -> anyhow::Result<Done> {
        let Sweep { definition, common, out, .. } = self.sweep;
        if self.sweep.skipped {
            return self.sweep.skip();
        }
        self.begin()?;
        let (mut failed, mut unwritten) = (Vec::new(), None);
        let mut progress = Points::new(common, &definition.name, self.pending.iter().map(Pending::work).collect());
        for index in 0..self.pending.len() {
            let label = self.pending[index].point.label();
            if let Some(row) = self.pending[index].row.as_ref().filter(|row| !row.has_no_result()) {
                output::note(common, &format!("{label}: kept (revision {})", row.revision));
            } else {
                progress.begin(index, &label);
                let row = match self.point(index) {
                    Ok(outcome) => {
                        unwritten = unwritten.or(outcome.unwritten);
                        outcome.row
                    }
                    Err(error) => self.failed(index, &error),
                };
                if row.has_no_result() {
                    output::note(common, &format!("{label}: failed: {}", row.err));
                    failed.push(label);
                }
                self.pending[index].row = Some(row);
                self.write()?;
            }
            progress.done(index);
            if !definition.is_table {
                self.free_checkpoints(index);
            }
        }
        self.write()?;
        let rows = self.rows();
        let Some(first) = failed.first() else { return Ok((rows, unwritten.map_or(Ok(()), Err))) };
        let (failed, all) = (failed.len(), rows.len());
        let message = format!("{failed} of the {all} points of {} failed, first {first}", definition.name);
        let hint = format!("`err` in {} says why; --resume tries them again", out.display());
        Ok((rows, Err(failure(message, hint))))
    }

    /// Makes the places, and empties the folders of what is to be replaced: later starts go by what is in them.
    fn begin(&self) -> anyhow::Result<()> {
        let Sweep { out, existing, .. } = self.sweep;
        if let Some(runs) = self.pending[0].folder.parent() {
            files::create_folder(runs)?;
            // What an earlier start left when it was killed; other shards may be writing beside the files.
            if !self.sweep.definition.is_table {
                files::remove_temporary(runs)?;
            }
        }
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

    fn point(&self, index: usize) -> anyhow::Result<run::Outcome> {
        let Sweep { data, compute, common, remark, .. } = self.sweep;
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
        run::run(&Job {
            config,
            splits: &Splits::new(set, config)?,
            dataset_sha256: &set.sha256,
            folder: &folder,
            compute,
            remark,
            frames: None,
            common,
        })
    }

    /// A point that failed is a row that says why.
    fn failed(&self, index: usize, error: &anyhow::Error) -> ResultRow {
        let config = &self.pending[index].point.config;
        let Environment { isa, threads, machine, build, .. } = Environment::of(self.sweep.compute);
        ResultRow {
            isa,
            threads: Some(threads),
            cpu: machine.cpu,
            revision: build.revision.to_owned(),
            dirty: build.dirty_cell().to_owned(),
            dataset_sha256: self.sweep.data.get(config).map(|set| set.sha256.clone()).unwrap_or_default(),
            err: line(error),
            ..ResultRow::of_settings(config)
        }
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

/// What the hidden layer of a run depends on; nothing where no layer is learned without labels.
pub(super) fn layer_of(config: &Config) -> Option<String> {
    if !config.method.learns_a_layer() {
        return None;
    }
    // Of these two keys the layer sees one value only: which classes there are, and images of unit length.
    let task = if config.task == Task::Half { Task::Half } else { Task::Class };
    let unit_length = if config.unit_length == UnitLength::Both { UnitLength::Both } else { UnitLength::Readout };
    let same = Config { task, unit_length, ..config.clone() };
    let mut keys = Table::try_from(same).expect("settings are a TOML table");
    keys.extend(config.own.clone());
    let others = [config.method.readout_keys(), vec!["experiment", "published"]].concat();
    keys.retain(|key, _| config.method.uses(key) && !others.contains(&key));
    Some(keys.to_string())
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
    let Some(checkpoint) = found.into_layer_of(ours, |name| config.method.is_of_readout(name)) else {
        return Ok(false);
    };
    files::create_folder(folder.path())?;
    // Settings first, as a run does: a folder with a checkpoint always says what it is of.
    folder.write(CONFIG, config.to_toml().as_bytes())?;
    folder.write(CHECKPOINT, &checkpoint.to_bytes())?;
    Ok(true)
}
