//! The run folder: what may be written where, in which order, and how a run that was killed goes on.
//!
//! 1. [`RunFolder::open`] decides before anything is computed: a new folder, one to go on with, one to replace, or an error.
//! 2. [`RunFolder::begin`] writes `config.toml`, which finds an unwritable place before training.
//! 3. While training, `checkpoint.safetensors` is replaced about every ten seconds and between phases.
//! 4. `result.csv` is written last of the data files. A folder that holds it is a finished run; without it, the
//!    checkpoint tells where to go on.

pub mod checkpoint;
pub mod files;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::config::Config;
use crate::failure::failure;
use crate::rows::{self, ResultRow};
use checkpoint::{Checkpoint, Identity};

/// Every file that a run writes.
pub const FILES: [&str; 10] =
    [RESULT, CHECKPOINT, CONFIG, ENVIRONMENT, METRICS, WEIGHTS, READOUT, TENSORS, FIELDS, CURVES];
/// The settings, fully resolved.
pub const CONFIG: &str = "config.toml";
/// Revision, build, machine, date.
pub const ENVIRONMENT: &str = "env.json";
/// One row per evaluated epoch.
pub const METRICS: &str = "metrics.csv";
/// One row: the run.
pub const RESULT: &str = "result.csv";
/// The learned layer, [hidden, inputs].
pub const WEIGHTS: &str = "weights.npy";
/// The readout, [classes, hidden that took part].
pub const READOUT: &str = "readout.npy";
/// Both, by name.
pub const TENSORS: &str = "weights.safetensors";
/// Where a killed run goes on.
pub const CHECKPOINT: &str = "checkpoint.safetensors";
/// Receptive fields.
pub const FIELDS: &str = "fields.png";
/// Errors over epochs.
pub const CURVES: &str = "curves.svg";

/// What to do with a folder that already holds a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Refuse it.
    Refuse,
    /// Go on with it, or keep it when it is finished.
    Resume,
    /// Replace it.
    Replace,
}

impl Existing {
    /// From the two flags, which exclude each other.
    pub fn from_flags(resume: bool, force: bool) -> Self {
        match (resume, force) {
            (_, true) => Self::Replace,
            (true, false) => Self::Resume,
            (false, false) => Self::Refuse,
        }
    }
}

/// The folder of one run.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    existing: Existing,
}

impl RunFolder {
    /// Looks at the folder, without changing anything.
    ///
    /// # Errors
    /// It holds a run and neither flag was given, or a run with other settings than those to resume, or files of
    /// someone else, or it is no folder.
    pub fn open(path: &Path, existing: Existing, experiment: &Config) -> anyhow::Result<Self> {
        let folder = Self { path: path.to_owned(), existing };
        match fs::read_dir(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                files::check_creatable(path)?;
                return Ok(folder);
            }
            Err(error) => {
                let message = format!("output {}: expected a folder, found: {error}", path.display());
                return Err(failure(message, "name a folder that is new, empty, or holds a run"));
            }
            Ok(entries) => folder.judge(entries)?,
        }
        files::check_writable(&folder.file(CONFIG))?;
        if existing == Existing::Resume {
            folder.check_same_settings(experiment)?;
        }
        Ok(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of one of its files.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The row of a finished run, if this is one that is to be kept.
    ///
    /// # Errors
    /// A `result.csv` that does not hold one row of this version.
    pub fn finished(&self) -> anyhow::Result<Option<ResultRow>> {
        let path = self.file(RESULT);
        if self.existing != Existing::Resume || !path.is_file() {
            return Ok(None);
        }
        let place = path.display().to_string();
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {place}"))?;
        let mut rows = rows::from_csv::<ResultRow>(&text, &place)?;
        match (rows.pop(), rows.len()) {
            (Some(row), 0) => Ok(Some(row)),
            (last, others) => {
                let found = others + usize::from(last.is_some());
                Err(failure(format!("{place}: expected one row, found {found}"), "run again with --force"))
            }
        }
    }

    /// Makes the folder ready: creates it, removes what is to be replaced, writes `config.toml`.
    ///
    /// # Errors
    /// The place is not writable.
    pub fn begin(&self, experiment: &Config) -> anyhow::Result<()> {
        files::create_folder(&self.path)?;
        files::remove_temporary(&self.path)?;
        // Written first: a place that turns out to be unwritable keeps the run that is to be replaced.
        self.write(CONFIG, experiment.to_toml().as_bytes())?;
        if self.existing == Existing::Replace {
            for name in FILES.into_iter().filter(|name| *name != CONFIG) {
                let path = self.file(name);
                match fs::remove_file(&path) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(error).with_context(|| format!("cannot remove {}", path.display()));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// The checkpoint to go on from, if there is one.
    ///
    /// # Errors
    /// It is damaged, or belongs to other settings or other data.
    pub fn checkpoint(&self, identity: &Identity) -> anyhow::Result<Option<Checkpoint>> {
        let path = self.file(CHECKPOINT);
        if self.existing != Existing::Resume || !path.exists() {
            return Ok(None);
        }
        let place = path.display().to_string();
        let bytes = fs::read(&path).with_context(|| format!("cannot read {place}"))?;
        let checkpoint = Checkpoint::from_bytes(&bytes, &place)?;
        for (what, found, expected) in [
            ("settings", &checkpoint.identity.config_sha256, &identity.config_sha256),
            ("data", &checkpoint.identity.dataset_sha256, &identity.dataset_sha256),
        ] {
            if found != expected {
                let message = format!("checkpoint {place}: expected one of {what} {expected}, found {found}");
                return Err(failure(message, format!("give the same {what}, another --out, or --force")));
            }
        }
        Ok(Some(checkpoint))
    }

    /// Writes one of its files, whole or not at all.
    ///
    /// # Errors
    /// Whatever the system says, with the path.
    pub fn write(&self, name: &str, content: &[u8]) -> anyhow::Result<()> {
        files::write(&self.file(name), content)
    }

    /// Ours, empty, or somebody else's?
    fn judge(&self, entries: fs::ReadDir) -> anyhow::Result<()> {
        let (mut ours, mut foreign) = (0_usize, None);
        for entry in entries {
            let path = entry.with_context(|| format!("cannot read folder {}", self.path.display()))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if FILES.contains(&name.as_str()) || files::is_temporary(&path) {
                ours += 1;
            } else {
                foreign = Some(name);
            }
        }
        let place = self.path.display();
        match (ours, foreign, self.existing) {
            (0, None, _) => Ok(()),
            // Whoever has looked at a run may have left notes beside it.
            (1.., _, Existing::Resume | Existing::Replace) => Ok(()),
            (1.., _, Existing::Refuse) => {
                let found = if self.file(RESULT).exists() { "a finished run" } else { "an unfinished run" };
                let message = format!("output {place}: expected an empty or new folder, found {found}");
                Err(failure(message, "--resume goes on with it or keeps it, --force replaces it, --out names another"))
            }
            (0, Some(name), _) => {
                let message = format!("output {place}: expected an empty or new folder, found `{name}`");
                Err(failure(message, "name another folder with --out"))
            }
        }
    }

    fn check_same_settings(&self, experiment: &Config) -> anyhow::Result<()> {
        let path = self.file(CONFIG);
        if !path.is_file() {
            return Ok(());
        }
        let theirs = Config::resolve(&path.to_string_lossy(), &[], None)?;
        let differences = experiment.differences(&theirs);
        if differences.is_empty() {
            return Ok(());
        }
        let message = format!(
            "output {}: expected a run with the same settings, found {}",
            self.path.display(),
            differences.join("; ")
        );
        Err(failure(message, "give the same settings, another --out, or --force"))
    }
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
