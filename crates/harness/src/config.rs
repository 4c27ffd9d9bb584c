//! What is run: every setting of one experiment, from a named experiment or a TOML file, then `--set`, then `--seed`.
//!
//! 1. Start from the named experiment (embedded from `experiments/*.toml`). A TOML file starts from the one of its
//!    `dataset`, or from `mnist` when that is a directory; only its published figure is not taken over.
//! 2. Apply the table `[methods.…]` of the method that `--set` or else the file asks for.
//! 3. Apply the file's keys, then each `--set key=value`, then `--seed`.
//! 4. Check what one key cannot know alone (k ≤ hidden). What needs the data is checked by `dataset`.
//!
//! [`Config::to_toml`] writes the result with every key spelled out; that file can be fed in again and gives the same
//! experiment, which is what `config.toml` of a run folder is.

mod assignment;
mod choices;
mod hidden;
mod keys;
mod source;
mod value;

use serde::Serialize;
use sha2::{Digest, Sha256};

pub use assignment::Assignment;
pub use choices::{Amount, CurrentScale, Method, OffSphere, Task, UnitLength};
pub use hidden::Hidden;

pub(crate) use keys::{nearest, unknown_key};
pub(crate) use source::parse as parse_toml;

use crate::failure::failure;
use crate::run::hex;

/// Every setting of one run. The names are those of the TOML keys; `METHODOLOGY.md` says what they mean in the equations.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Config {
    /// Name in the CSV files.
    pub experiment: String,
    /// `mnist`, `cifar10`, `synthetic`, or a directory with four files of examples and labels.
    pub dataset: String,
    /// How the network learns.
    pub method: Method,
    /// What the readout has to tell.
    pub task: Task,
    /// Hidden units.
    pub hidden: usize,
    /// Lebesgue norm.
    pub p: f64,
    /// Rank of the unit that is pushed away.
    pub k: usize,
    /// Strength of that push.
    pub delta: f64,
    /// Epochs of the unsupervised phase.
    pub epochs: u32,
    /// Examples per minibatch of the unsupervised phase.
    pub batch: usize,
    /// Learning rate of its first epoch.
    pub rate: f64,
    /// Standard deviation of the initial weights.
    pub init_sigma: f64,
    /// Where images are scaled to unit length.
    pub unit_length: UnitLength,
    /// Power n of eq. 1.
    pub power_n: f64,
    /// By what currents are divided before the power.
    pub current_scale: CurrentScale,
    /// Whether units off the p-sphere take part in the readout.
    pub off_sphere: OffSphere,
    /// Power m of the loss, eq. 12.
    pub loss_m: f64,
    /// Gain β of the readout, eq. 1.
    pub beta: f64,
    /// Epochs of the readout; 0 stops after the unsupervised layer.
    pub readout_epochs: u32,
    /// Examples per minibatch of the readout.
    pub readout_batch: usize,
    /// Rates of the readout as `rate:end epoch,…`, the end epochs scaled to `readout_epochs`.
    pub readout_rates: String,
    /// Training examples of both phases.
    pub train_samples: Amount,
    /// Labelled examples of each class that the readout sees.
    pub labels_per_class: Amount,
    /// Share of the training set that is held out; above 0 the test set is not touched.
    pub validation: f64,
    /// Seed of every random number.
    pub seed: u64,
    /// The published figure that this run is to be compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<Published>,
}

/// A number from the literature.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Published {
    /// Test error in per cent.
    pub test_error_pct: f64,
    /// How far from it a run may be and still count as agreeing.
    pub tolerance_pct: f64,
    /// Where it stands, and how well that is known.
    pub source: String,
}

/// How much of the paper's protocol is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// The `[quick]` table of the named experiment on top of it.
    Quick,
    /// All of it.
    Paper,
}

impl Protocol {
    /// The flag that asks for it, without the dashes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Paper => "paper",
        }
    }
}

impl Config {
    /// Resolves what was asked for on the command line of `train`.
    ///
    /// # Errors
    /// An unknown name, key or value, or settings that contradict each other; the message names key, place, expected, found.
    pub fn resolve(name_or_file: &str, sets: &[String], seed: Option<u64>) -> anyhow::Result<Self> {
        let assignments = sets.iter().map(|set| Assignment::parse(set, "--set")).collect::<anyhow::Result<Vec<_>>>()?;
        let experiment = Self::assembled(name_or_file, Protocol::Paper, &assignments)?;
        if let Some(seed) = seed {
            let by_set = assignments.iter().any(|assignment| assignment.key == "seed");
            if by_set && experiment.seed != seed {
                let found = format!("--seed {seed} and --set seed={}", experiment.seed);
                return Err(failure(format!("seed on the command line: expected one, found {found}"), "leave one out"));
            }
            return experiment.with_seed(seed);
        }
        Ok(experiment)
    }

    /// A named experiment by a method, under a protocol of `reproduce`.
    ///
    /// # Errors
    /// An unknown name.
    pub fn named(name: &str, method: Method, protocol: Protocol, seed: u64) -> anyhow::Result<Self> {
        source::named(name, method, protocol)?.with_seed(seed)
    }

    /// Every named experiment.
    pub fn names() -> impl Iterator<Item = &'static str> {
        source::NAMED.iter().map(|(name, _)| *name)
    }

    /// The same with another seed.
    ///
    /// # Errors
    /// The seed is larger than a TOML file can hold.
    pub fn with_seed(mut self, seed: u64) -> anyhow::Result<Self> {
        self.seed = seed;
        self.check()?;
        Ok(self)
    }

    /// The fully resolved experiment as a TOML file that can be fed in again.
    pub fn to_toml(&self) -> String {
        let body = toml::to_string(self).expect("numbers, words and one table at the end are always TOML");
        format!("# Fully resolved; `rivalry train` on this file repeats the run.\n{body}")
    }

    /// SHA-256 of the resolved settings, which a checkpoint must have been made with.
    pub fn digest(&self) -> String {
        hex(&Sha256::digest(self.to_toml()))
    }

    /// The keys whose values differ, as `key: ours, theirs`.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let table = |experiment: &Self| toml::Table::try_from(experiment).expect("an experiment is a TOML table");
        let (ours, theirs) = (table(self), table(other));
        let shown = |table: &toml::Table, key: &str| table.get(key).map_or("nothing".to_owned(), ToString::to_string);
        let known = keys::KEYS.iter().filter(|key| ours.get(**key) != theirs.get(**key));
        let mut differences: Vec<String> =
            known.map(|key| format!("{key} {} here, {} there", shown(&ours, key), shown(&theirs, key))).collect();
        if self.published != other.published {
            differences.push("the published figure".to_owned());
        }
        differences
    }

    /// The name of its run folder: experiment, method unless it is the paper's, seed.
    pub fn run_name(&self) -> String {
        match self.method {
            Method::Biological => format!("{}-seed{}", self.experiment, self.seed),
            method => format!("{}-{method}-seed{}", self.experiment, self.seed),
        }
    }

    /// The rate of one unsupervised epoch (0-based): ε0 (1 − e/E).
    pub fn rate_of_epoch(&self, epoch: u32) -> f32 {
        (self.rate * (1.0 - f64::from(epoch) / f64::from(self.epochs))) as f32
    }

    /// A published figure speaks of one network on one data set; with another, it would be compared as if it applied.
    fn keep_published_only_if_like(&mut self, named: &Self) {
        let same = self.dataset == named.dataset
            && self.hidden == named.hidden
            && self.task == named.task
            && self.train_samples == named.train_samples
            && self.labels_per_class == named.labels_per_class;
        if !same {
            self.published = None;
        }
    }

    fn check(&self) -> anyhow::Result<()> {
        let no_layer_alone = self.method.is_end_to_end() || self.method == Method::Shallow;
        if no_layer_alone && self.readout_epochs == 0 {
            let message = format!("key `readout_epochs`: expected at least 1 with method {}, found 0", self.method);
            return Err(failure(message, "this method has no hidden layer to stop after"));
        }
        if self.method.uses("k") && self.k > self.hidden {
            let message = format!("key `k`: expected at most hidden = {}, found {}", self.hidden, self.k);
            return Err(failure(message, "the unit of rank k is pushed away, so there must be k units"));
        }
        if self.seed > keys::LARGEST_SEED {
            let message = format!("key `seed`: expected at most {}, found {}", keys::LARGEST_SEED, self.seed);
            return Err(failure(message, "a TOML file cannot hold a larger one"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
