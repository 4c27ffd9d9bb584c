//! Where data is looked for, and which examples of it each phase of a run sees.
//!
//! Look-up: `--data DIR`, then `$RIVALRY_DATA`, then `data/` of the current directory; `rivalry-data` does the rest.
//!
//! Splits of a run, in this order:
//! 1. `validation` holds out the last share of the training set; that share is evaluated and the test set is not touched.
//! 2. `train_samples` keeps the first so many of the rest, for both phases.
//! 3. `task = half` gives the classes of the lower half to the unsupervised phase, those of the upper half to the readout.
//! 4. `labels_per_class` keeps the first so many of each class, for the readout only.
//! 5. The task turns classes into what the readout has to tell.

mod examples;
mod splits;

use std::path::{Path, PathBuf};

use anyhow::Context;
use rivalry_data::{Dataset, Lookup, Name, Network};

pub use examples::{Examples, Length, Scaled};
pub use splits::{Evaluated, Splits};

use crate::cli::Common;
use crate::config::Config;
use crate::failure::failure;
use crate::progress::Bytes;

/// The variable that names a directory of data sets.
pub const VARIABLE: &str = "RIVALRY_DATA";
/// The directory of data sets in the current one.
const HERE: &str = "data";

/// Where data sets are looked for, by the flags and the environment.
///
/// # Errors
/// `--data` names something that is not a directory.
pub fn lookup(common: &Common) -> anyhow::Result<Lookup> {
    let mut directories = Vec::new();
    if let Some(directory) = &common.data {
        if !directory.is_dir() {
            let message = format!("--data {}: expected a directory, found none", directory.display());
            return Err(failure(message, "it holds one folder a set, as in DIR/mnist/train-images-idx3-ubyte.gz"));
        }
        directories.push(directory.clone());
    }
    directories.extend(std::env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from));
    directories.push(PathBuf::from(HERE));
    let network = if common.offline { Network::Offline } else { Network::Allowed };
    Ok(Lookup { directories, cache: cache(), network, from: None })
}

/// Opens the data of an experiment, and downloads it if it is missing and that is allowed.
///
/// # Errors
/// It is nowhere, or what is there is damaged.
pub fn open(experiment: &Config, common: &Common) -> anyhow::Result<Dataset> {
    let Ok(name) = experiment.dataset.parse::<Name>() else {
        return open_directory(&experiment.dataset);
    };
    let mut bytes = Bytes::new(common);
    let opened = rivalry_data::open(name, &lookup(common)?, &mut |step| bytes.update(step));
    bytes.clear();
    Ok(opened?)
}

fn open_directory(directory: &str) -> anyhow::Result<Dataset> {
    let path = Path::new(directory);
    if !path.is_dir() {
        let message = format!("key `dataset`: expected mnist, cifar10, synthetic or a directory, found `{directory}`");
        return Err(failure(message, "a directory holds four IDX or npy files: train and t10k, images and labels"));
    }
    Ok(rivalry_data::open_directory(path)?)
}

/// The data sets of several experiments, each opened once.
#[derive(Debug, Default)]
pub struct Datasets {
    opened: Vec<(String, Dataset)>,
}

impl Datasets {
    /// Opens the data of an experiment unless it is open.
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
        found
            .map(|(_, data)| data)
            .with_context(|| format!("data set {}: expected to be open, found closed", experiment.dataset))
    }
}

/// Whether the error says that the data is nowhere, rather than that what is there is bad.
pub fn is_missing(error: &anyhow::Error) -> bool {
    error.downcast_ref::<rivalry_data::Error>().is_some_and(rivalry_data::Error::is_missing)
}

/// Unpacked copies and downloads: in `data/` where there is one, else in the user's cache folder.
fn cache() -> PathBuf {
    let here = PathBuf::from(HERE);
    let writable = here.is_dir() && crate::run::files::check_writable(&here.join("probe")).is_ok();
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let user = || variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    match user() {
        Some(folder) if !writable => folder.join("rivalry"),
        _ => here,
    }
}

#[cfg(test)]
mod tests;
