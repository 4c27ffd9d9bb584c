//! A sweep that may begin, and its points one after the other.
//!
//! The run folder of a point keeps its checkpoint only as long as a later point may take over its layer.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::{Finished, Sweep};
use crate::cli::Common;
use crate::compute::Compute;
use crate::config::Method;
use crate::dataset::{Datasets, Splits};
use crate::env::{Build, Machine};
use crate::failure::line;
use crate::output;
use crate::progress::Points;
use crate::rows::{ResultRow, to_csv};
use crate::run::{CHECKPOINT, Existing, RunFolder, files};
use crate::sweep::Point;
use crate::sweep::layers::{Donor, hand_over};
use crate::sweep::sheet::Sheet;
use crate::training::{self, Job};

/// A sweep that may begin.
#[derive(Debug)]
pub struct Opened<'a> {
    pub(super) sweep: Sweep<'a>,
    pub(super) slots: Vec<Slot<'a>>,
}

/// A point with its run folder, the layer it needs, and its row once there is one.
#[derive(Debug)]
pub(super) struct Slot<'a> {
    pub(super) point: &'a Point,
    pub(super) folder: PathBuf,
    pub(super) layer: Option<String>,
    /// That of an earlier start, or of this one; a point that failed stays to be run again.
    pub(super) row: Option<ResultRow>,
}

impl<'a> Opened<'a> {
    /// The rows that are there already, with the folders of their runs.
    pub fn kept(&self) -> impl Iterator<Item = (&ResultRow, &Path)> {
        let kept = self.slots.iter().filter(|slot| !slot.is_due());
        kept.filter_map(|slot| Some((slot.row.as_ref()?, slot.folder.as_path())))
    }

    /// The points of the shard.
    pub fn points(&self) -> impl Iterator<Item = &'a Point> {
        self.slots.iter().map(|slot| slot.point)
    }

    /// Runs what is not finished.
    ///
    /// # Errors
    /// The file of rows cannot be written. A point that fails is no error here.
    pub fn run(mut self, data: &Datasets, compute: &Compute, common: &Common) -> anyhow::Result<Finished> {
        self.begin()?;
        let (mut failed, mut unwritten) = (Vec::new(), None);
        let mut progress = Points::new(common, self.sweep.name, self.slots.iter().map(Slot::work).collect());
        for index in 0..self.slots.len() {
            let label = self.slots[index].point.label();
            if let Some(row) = self.slots[index].row.as_ref().filter(|_| !self.slots[index].is_due()) {
                output::note(common, &format!("{label}: kept (revision {})", row.revision));
            } else {
                progress.begin(index, &label);
                let (row, error) = self.point(index, data, compute, common);
                unwritten = unwritten.or(error);
                if row.has_no_result() {
                    output::note(common, &format!("{label}: failed: {}", row.err));
                    failed.push(label);
                }
                self.slots[index].row = Some(row);
                self.write()?;
            }
            progress.done(index);
            self.free_checkpoints(index);
        }
        self.write()?;
        Ok(Finished { rows: self.rows(), failed, unwritten })
    }

    /// Makes the places, and empties the folders of what is to be replaced: later starts go by what is in them.
    fn begin(&self) -> anyhow::Result<()> {
        let Sweep { name, points, shard, out, existing, .. } = self.sweep;
        let runs = out.with_extension("runs");
        files::create_folder(&runs)?;
        // What an earlier start left when it was killed; other shards may be writing beside the files.
        files::remove_temporary(&runs)?;
        files::remove_temporary_of(out)?;
        files::remove_temporary_of(&Sheet::path(out))?;
        if existing == Existing::Replace {
            for slot in self.slots.iter().filter(|slot| slot.folder.exists()) {
                RunFolder::open(&slot.folder, existing, &slot.point.experiment)?.begin(&slot.point.experiment)?;
            }
        }
        // The sheet first: rows without their grid would be rows of nothing.
        Sheet::new(name, points, shard).write(out)?;
        self.write()
    }

    /// The rows up to the first point that has none, which is what the order of the file can say.
    fn rows(&self) -> Vec<ResultRow> {
        self.slots.iter().map_while(|slot| slot.row.clone()).collect()
    }

    fn write(&self) -> anyhow::Result<()> {
        files::write(self.sweep.out, to_csv(&self.rows()).as_bytes())
    }

    fn point(
        &self,
        index: usize,
        data: &Datasets,
        compute: &Compute,
        common: &Common,
    ) -> (ResultRow, Option<anyhow::Error>) {
        let slot = &self.slots[index];
        match self.try_point(index, data, compute, common) {
            Ok(done) => done,
            Err(error) => {
                let build = Build::current();
                let row = ResultRow {
                    isa: compute.core.kernels().name().to_owned(),
                    threads: Some(compute.core.threads()),
                    cpu: Machine::current().cpu,
                    revision: build.revision.to_owned(),
                    dirty: build.dirty_cell().to_owned(),
                    dataset_sha256: data.get(&slot.point.experiment).map(|set| set.sha256.clone()).unwrap_or_default(),
                    err: line(&error),
                    ..ResultRow::of_settings(&slot.point.experiment)
                };
                (row, None)
            }
        }
    }

    fn try_point(
        &self,
        index: usize,
        data: &Datasets,
        compute: &Compute,
        common: &Common,
    ) -> anyhow::Result<(ResultRow, Option<anyhow::Error>)> {
        let slot = &self.slots[index];
        let experiment = &slot.point.experiment;
        let set = data.get(experiment)?;
        // What may be there was judged when the sweep was opened; from here on it is gone on with.
        let folder = RunFolder::open(&slot.folder, Existing::Resume, experiment)?;
        if let Some(row) = folder.finished()?.filter(|row| row.dataset_sha256 == set.sha256) {
            return Ok((row, None));
        }
        for donor in self.slots[..index].iter().filter(|donor| slot.layer.is_some() && donor.layer == slot.layer) {
            let donor = Donor { folder: &donor.folder, experiment: &donor.point.experiment };
            if hand_over(donor, &folder, experiment, &set.sha256)? {
                break;
            }
        }
        let splits = Splits::new(set, experiment)?;
        let outcome = training::run(&Job {
            experiment,
            splits: &splits,
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
        let mut last: HashMap<&str, usize> = HashMap::new();
        for (other, slot) in self.slots.iter().enumerate() {
            last.extend(slot.layer.as_deref().map(|layer| (layer, other)));
        }
        let own = &self.slots[index].layer;
        if own.as_deref().is_some_and(|layer| last[layer] > index) {
            return;
        }
        let of_same = |other: usize| other == index || (own.is_some() && self.slots[other].layer == *own);
        for slot in (0..=index).filter(|&other| of_same(other)).map(|other| &self.slots[other]) {
            if !slot.is_due() {
                // It may be gone already, and one that stays does no harm.
                let _ = std::fs::remove_file(slot.folder.join(CHECKPOINT));
            }
        }
    }
}

impl Slot<'_> {
    /// Whether it has to be run: it never was, or it failed.
    pub(super) fn is_due(&self) -> bool {
        self.row.as_ref().is_none_or(ResultRow::has_no_result)
    }

    /// Roughly how long it takes beside others, in passes over the hidden units; nothing where there is nothing to do.
    fn work(&self) -> f64 {
        let experiment = &self.point.experiment;
        let readout = f64::from(experiment.readout_epochs) * 0.7;
        let passes = match experiment.method {
            _ if !self.is_due() => 0.0,
            Method::Biological => f64::from(experiment.epochs) + readout,
            Method::Random | Method::Shallow => readout,
            Method::EndToEnd | Method::EndToEndSoftmax => 8.0 * f64::from(experiment.readout_epochs),
        };
        passes * experiment.hidden.first() as f64
    }
}
