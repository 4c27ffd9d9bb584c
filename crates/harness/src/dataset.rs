//! Where data is looked for, and which examples of it each phase of a run sees.
//!
//! Data sets are searched in `--data DIR`, `$RIVALRY_DATA`, `data/` of the current directory and the user's cache folder,
//! in this order; `rivalry-data` does the rest.
//!
//! The examples of a run, in this order:
//! 1. `validation` holds out a share of the training set. That share is evaluated, and the test set is not touched.
//! 2. `train_samples` keeps some of the rest for both phases.
//! 3. `task = half` gives the lower half of the classes to the unsupervised phase, the upper half to the readout.
//! 4. `labels_per_class` keeps some of each class for the readout.
//! 5. The task turns classes into the labels of the readout.
//!
//! `split = "shuffled"` makes these choices at random by the seed, and every class keeps its share. `"file-order"` holds
//! out the last examples and keeps the first, as early records did: on data sorted by class it misses whole classes.

mod examples;
mod splits;

use std::path::{Path, PathBuf};

use anyhow::Context;
use rivalry_data::{Dataset, Lookup, Name, Network};

pub use examples::{Examples, Length, Scaled};
pub use splits::{Evaluated, Splits};

use crate::common::Common;
use crate::config::Config;
use crate::error::failure;
use crate::progress;

/// The environment variable that names a directory of data sets.
pub const VARIABLE: &str = "RIVALRY_DATA";
/// The directory of data sets in the current directory.
const HERE: &str = "data";

/// Where data sets are looked for, by the flags and the environment.
///
/// # Errors
/// `--data` names something that is not a directory.
pub fn lookup(common: &Common) -> anyhow::Result<Lookup> {
    let mut directories = Vec::new();
    if let Some(directory) = &common.data {
        if !directory.is_dir() {
            let message = format!("there is no directory {}", directory.display());
            return Err(failure(message, "--data takes a directory with one folder per set, such as DIR/mnist/"));
        }
        directories.push(directory.clone());
    }
    directories.extend(std::env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from));
    directories.push(PathBuf::from(HERE));
    // A set that was downloaded to the user's cache folder is still found there once `data/` exists.
    directories.extend(user_cache());
    let network = if common.offline { Network::Offline } else { Network::Allowed };
    Ok(Lookup { directories, cache: cache(), network, from: None })
}

/// Opens the data of an experiment, and downloads it if it is missing and that is allowed.
///
/// # Errors
/// It is nowhere, or what is there is damaged.
pub fn open(experiment: &Config, common: &Common) -> anyhow::Result<Dataset> {
    let Ok(name) = experiment.dataset.parse::<Name>() else {
        return open_own(&experiment.dataset);
    };
    Ok(rivalry_data::open(name, &lookup(common)?, &mut progress::bytes(common))?)
}

fn open_own(text: &str) -> anyhow::Result<Dataset> {
    let path = Path::new(text);
    if !path.exists() {
        let message = format!("there is no data set {text:?}: no known name, no directory, no file");
        return Err(failure(message, "choose mnist, cifar10 or synthetic, a directory of your own data, or FILE.npy"));
    }
    Ok(rivalry_data::open_path(path)?)
}

/// The data sets of several experiments, each opened once.
#[derive(Debug, Default)]
pub struct Datasets {
    opened: Vec<(String, Dataset)>,
}

impl Datasets {
    /// Opens the data of an experiment unless it is open already.
    ///
    /// # Errors
    /// Those of [`open`].
    pub fn open(&mut self, experiment: &Config, common: &Common) -> anyhow::Result<&Dataset> {
        if !self.opened.iter().any(|(name, _)| *name == experiment.dataset) {
            self.opened.push((experiment.dataset.clone(), open(experiment, common)?));
        }
        self.get(experiment)
    }

    /// The data of an experiment.
    ///
    /// # Errors
    /// It was not opened.
    pub fn get(&self, experiment: &Config) -> anyhow::Result<&Dataset> {
        let found = self.opened.iter().find(|(name, _)| *name == experiment.dataset);
        found.map(|(_, data)| data).with_context(|| format!("the data set {} was not opened", experiment.dataset))
    }
}

/// Whether the data is nowhere to be found, as opposed to damaged.
pub fn is_missing(error: &anyhow::Error) -> bool {
    error.downcast_ref::<rivalry_data::Error>().is_some_and(rivalry_data::Error::is_missing)
}

/// Where unpacked copies and downloads go: `data/` where it is a writable folder, else the user's cache folder.
fn cache() -> PathBuf {
    let here = PathBuf::from(HERE);
    let writable = here.is_dir() && crate::files::check_writable(&here.join("probe")).is_ok();
    if writable { here } else { user_cache().unwrap_or(here) }
}

/// `$XDG_CACHE_HOME/rivalry`, else `~/.cache/rivalry`.
fn user_cache() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let caches = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")))?;
    Some(caches.join("rivalry"))
}

#[cfg(test)]
mod tests;
