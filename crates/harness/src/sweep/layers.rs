//! Points that share their unsupervised phase learn it once.
//!
//! Two runs have the same hidden layer, bit for bit, when their settings differ only in what the readout reads. The second
//! one then starts from the checkpoint that the first one had between its two phases: the same weights, the same rows of
//! `metrics.csv`, the same times (so `learn_s` is what the layer took when it was learned).

use std::path::Path;

use crate::config::{Amount, Config, CurrentScale, Method, OffSphere, Task, UnitLength};
use crate::rows::Phase;
use crate::run::checkpoint::{Checkpoint, Identity};
use crate::run::{CHECKPOINT, CONFIG, RunFolder, files};

/// What the hidden layer of a run depends on; nothing where no layer is learned without labels. A key that is not named
/// here counts as one that the layer depends on.
pub fn layer_of(experiment: &Config) -> Option<String> {
    if experiment.method != Method::Biological {
        return None;
    }
    let same = Config {
        experiment: String::new(),
        task: if experiment.task == Task::Half { Task::Half } else { Task::Class },
        unit_length: if experiment.unit_length == UnitLength::Both { UnitLength::Both } else { UnitLength::Readout },
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
        ..experiment.clone()
    };
    Some(same.digest())
}

/// A run whose layer may be taken over.
#[derive(Debug, Clone, Copy)]
pub struct Donor<'a> {
    /// Its run folder.
    pub folder: &'a Path,
    /// Its settings.
    pub experiment: &'a Config,
}

/// Puts the learned layer of one run into the folder of another that has not begun. False when it has begun, or when the
/// donor's layer is not finished or not there; then the layer is learned.
///
/// # Errors
/// The folder is not writable.
pub fn hand_over(
    donor: Donor<'_>,
    folder: &RunFolder,
    experiment: &Config,
    dataset_sha256: &str,
) -> anyhow::Result<bool> {
    if folder.file(CHECKPOINT).exists() {
        return Ok(false);
    }
    let path = donor.folder.join(CHECKPOINT);
    let Ok(bytes) = std::fs::read(&path) else { return Ok(false) };
    // A damaged file costs learning again, not the sweep.
    let Ok(found) = Checkpoint::from_bytes(&bytes, &path.display().to_string()) else { return Ok(false) };
    let theirs = Identity { config_sha256: donor.experiment.digest(), dataset_sha256: dataset_sha256.to_owned() };
    if found.identity != theirs || found.phase != Phase::Readout {
        return Ok(false);
    }
    let checkpoint = Checkpoint {
        epoch: 0,
        readout: None,
        readout_s: 0.0,
        metrics: found.metrics.into_iter().filter(|row| row.phase == Phase::Unsupervised).collect(),
        identity: Identity { config_sha256: experiment.digest(), ..theirs },
        ..found
    };
    files::create_folder(folder.path())?;
    // Settings first, as a run does: a folder with a checkpoint always says what it is of.
    folder.write(CONFIG, experiment.to_toml().as_bytes())?;
    folder.write(CHECKPOINT, &checkpoint.to_bytes())?;
    Ok(true)
}
