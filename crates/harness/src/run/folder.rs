//! The run folder: what may be written where, in which order, and who may write.
//!
//! 1. [`RunFolder::open`] decides before anything is computed: a new folder, one to go on with, one to replace, or an error.
//!    It changes nothing.
//! 2. [`RunFolder::begin`] locks the folder, removes what is to be replaced (`result.csv` first, so that a kill leaves no
//!    result beside other settings), then writes `config.toml`.
//! 3. While training, `checkpoint.safetensors` is replaced about every ten seconds and between phases.
//! 4. `result.csv` is written last. A folder that holds it is a finished run; without it, the checkpoint tells where to go
//!    on.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::Context;

use super::checkpoint::{Checkpoint, Identity};
use crate::config::Config;
use crate::error::failure;
use crate::files;
use crate::rows::{ResultRow, from_csv};

/// Every file that a run writes.
pub const FILES: [&str; 13] = [
    RESULT,
    CHECKPOINT,
    CONFIG,
    ENVIRONMENT,
    METRICS,
    WEIGHTS,
    READOUT,
    TENSORS,
    FIELDS,
    ANIMATION,
    CONFUSION,
    CURVES,
    LOCK,
];
/// The settings, fully resolved.
pub const CONFIG: &str = "config.toml";
/// Revision, build, machine, date.
pub const ENVIRONMENT: &str = "env.json";
/// One row per evaluated epoch.
pub const METRICS: &str = "metrics.csv";
/// One row: the run.
pub const RESULT: &str = "result.csv";
/// The first hidden layer, [hidden, inputs].
pub const WEIGHTS: &str = "weights.npy";
/// The readout, [classes, features].
pub const READOUT: &str = "readout.npy";
/// All layers by name, and the shape of the images.
pub const TENSORS: &str = "weights.safetensors";
/// Where a killed run goes on.
pub const CHECKPOINT: &str = "checkpoint.safetensors";
/// Receptive fields.
pub const FIELDS: &str = "fields.png";
/// Receptive fields while they grew, with `--frames`.
pub const ANIMATION: &str = "fields-animated.png";
/// Errors over epochs.
pub const CURVES: &str = "curves.svg";
/// The confusion matrix of the evaluated samples.
pub const CONFUSION: &str = "confusion.csv";
/// Held by the process that writes here; empty, and left in place.
pub const LOCK: &str = "lock";

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
    config_sha256: String,
    lock: Mutex<Option<File>>,
}

impl RunFolder {
    /// Looks at the folder, without changing anything.
    ///
    /// # Errors
    /// It holds a run and neither flag was given, or a run with other settings than those to resume, or files of
    /// someone else, or it is no folder.
    pub fn open(path: &Path, existing: Existing, config: &Config) -> anyhow::Result<Self> {
        let folder = Self { path: path.to_owned(), existing, config_sha256: config.digest(), lock: Mutex::new(None) };
        match fs::read_dir(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                files::check_creatable(path)?;
                return Ok(folder);
            }
            Err(error) => {
                let message = format!("cannot use {} as a run folder: {error}", path.display());
                return Err(failure(message, "name a folder that is new, empty, or holds a run"));
            }
            Ok(entries) => folder.judge(entries)?,
        }
        files::check_writable(&folder.file(CONFIG))?;
        if existing == Existing::Resume && folder.file(CONFIG).is_file() {
            let theirs = Config::resolve(&folder.file(CONFIG).to_string_lossy(), &[], None)?;
            let differences = config.differences(&theirs);
            if !differences.is_empty() {
                let message = format!("{} holds a run with other settings: {}", path.display(), differences.join("; "));
                return Err(failure(message, "give the same settings, another --out, or --force"));
            }
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
    /// A `result.csv` that does not hold one row of this version, or one of other settings.
    pub fn finished(&self) -> anyhow::Result<Option<ResultRow>> {
        let path = self.file(RESULT);
        if self.existing != Existing::Resume || !path.is_file() {
            return Ok(None);
        }
        let place = path.display().to_string();
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {place}"))?;
        let mut rows = from_csv::<ResultRow>(&text, &place)?;
        let (Some(row), 0) = (rows.pop(), rows.len()) else {
            return Err(failure(format!("{place} holds not one row but more or none"), "run again with --force"));
        };
        if row.config_sha256 != self.config_sha256 {
            let message = format!("{place} is the result of other settings than those asked for");
            return Err(failure(message, "give the same settings, another --out, or --force"));
        }
        Ok(Some(row))
    }

    /// As [`RunFolder::finished`], where the data is known as well.
    ///
    /// # Errors
    /// Those of [`RunFolder::finished`], and a result of other data.
    pub fn finished_on(&self, dataset_sha256: &str) -> anyhow::Result<Option<ResultRow>> {
        let row = self.finished()?;
        if row.as_ref().is_some_and(|row| row.dataset_sha256 != dataset_sha256) {
            let message = format!("{} is the result of other data: its digest differs", self.file(RESULT).display());
            return Err(failure(message, "give the same data, another --out, or --force"));
        }
        Ok(row)
    }

    /// Makes the folder ready: creates and locks it, removes what is to be replaced, writes `config.toml`.
    ///
    /// # Errors
    /// The place is not writable, or another process is writing there.
    pub fn begin(&self, config: &Config) -> anyhow::Result<()> {
        files::create_folder(&self.path)?;
        self.lock()?;
        if self.existing == Existing::Replace {
            for name in FILES.into_iter().filter(|name| *name != LOCK) {
                let path = self.file(name);
                match fs::remove_file(&path) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(error).with_context(|| format!("cannot remove {}", path.display()));
                    }
                    _ => {}
                }
            }
        }
        files::remove_temporary(&self.path)?;
        self.write(CONFIG, config.to_toml().as_bytes())
    }

    /// Takes the lock, which this process then holds as long as the folder is open.
    fn lock(&self) -> anyhow::Result<()> {
        let mut held = self.lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if held.is_some() {
            return Ok(());
        }
        let path = self.file(LOCK);
        let cannot = || format!("cannot lock {}", path.display());
        let file = File::options().create(true).append(true).open(&path).with_context(cannot)?;
        match file.try_lock() {
            Ok(()) => *held = Some(file),
            Err(TryLockError::WouldBlock) => {
                let message = format!("another process is running in {}", self.path.display());
                return Err(failure(message, "wait until it ends, or name another folder with --out"));
            }
            // Some file systems know no locks; one process at a time is then up to the user.
            Err(TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(error).with_context(cannot),
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
        for (what, found, asked) in [
            ("settings", &checkpoint.identity.config_sha256, &identity.config_sha256),
            ("data", &checkpoint.identity.dataset_sha256, &identity.dataset_sha256),
        ] {
            if found != asked {
                let message = format!("the checkpoint {place} is of other {what}: digest {found}, not {asked}");
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
            // A lock alone is what a run leaves that was refused or killed before it began.
            if name == LOCK {
                continue;
            }
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
                let hint = "--resume goes on with it or keeps it, --force replaces it, --out names another";
                Err(failure(format!("{place} already holds {found}"), hint))
            }
            (0, Some(name), _) => {
                let message = format!("{place} is not empty and holds no run: there is `{name}`");
                Err(failure(message, "name another folder with --out"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::{Phase, to_csv};

    fn config() -> Config {
        Config::resolve("mnist", &[], None).unwrap()
    }

    fn open(path: &Path, existing: Existing) -> anyhow::Result<RunFolder> {
        RunFolder::open(path, existing, &config())
    }

    fn identity() -> Identity {
        Identity { config_sha256: config().digest(), dataset_sha256: "data".to_owned() }
    }

    fn result() -> ResultRow {
        ResultRow { dataset_sha256: "data".to_owned(), ..ResultRow::of_settings(&config()) }
    }

    #[test]
    fn a_new_and_an_empty_folder_are_used() {
        let place = tempfile::tempdir().unwrap();
        for existing in [Existing::Refuse, Existing::Resume, Existing::Replace] {
            let empty = open(place.path(), existing).unwrap();
            assert!(empty.finished().unwrap().is_none() && empty.checkpoint(&identity()).unwrap().is_none());
            open(&place.path().join("a/b"), existing).unwrap();
        }
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0, "looking changes nothing");
        open(&place.path().join("a/b"), Existing::Refuse).unwrap().begin(&config()).unwrap();
        assert!(place.path().join("a/b/config.toml").is_file());
    }

    #[test]
    fn a_folder_with_a_run_needs_a_flag() {
        let place = tempfile::tempdir().unwrap();
        open(place.path(), Existing::Refuse).unwrap().begin(&config()).unwrap();
        let error = open(place.path(), Existing::Refuse).unwrap_err();
        assert!(error.to_string().contains("already holds an unfinished run"), "{error}");
        fs::write(place.path().join(RESULT), to_csv(&[result()])).unwrap();
        let error = open(place.path(), Existing::Refuse).unwrap_err();
        assert!(error.to_string().contains("already holds a finished run"), "{error}");
        assert_eq!(open(place.path(), Existing::Resume).unwrap().finished().unwrap(), Some(result()));
        let replaced = open(place.path(), Existing::Replace).unwrap();
        assert!(replaced.finished().unwrap().is_none());
        replaced.begin(&config()).unwrap();
        assert!(!place.path().join(RESULT).exists());
    }

    #[test]
    fn a_folder_of_someone_else_is_refused_with_any_flag() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("thesis.tex"), "").unwrap();
        for existing in [Existing::Refuse, Existing::Resume, Existing::Replace] {
            assert!(open(place.path(), existing).unwrap_err().to_string().contains("thesis.tex"));
        }
        let file = place.path().join("thesis.tex");
        assert!(open(&file, Existing::Replace).unwrap_err().to_string().contains("as a run folder"));
    }

    #[test]
    fn resuming_with_other_settings_names_them_and_the_published_figure_is_none() {
        let place = tempfile::tempdir().unwrap();
        open(place.path(), Existing::Refuse).unwrap().begin(&config()).unwrap();
        open(place.path(), Existing::Resume).unwrap();
        let other = Config::resolve("mnist", &["k=2".to_owned(), "beta=0.3".to_owned()], None).unwrap();
        let error = RunFolder::open(place.path(), Existing::Resume, &other).unwrap_err().to_string();
        assert!(error.contains("k 2 here, 7 there") && error.contains("beta 0.3 here, 0.1 there"), "{error}");
        let other = Config { published: None, ..config() };
        RunFolder::open(place.path(), Existing::Resume, &other).unwrap();
    }

    #[test]
    fn a_kill_after_force_leaves_no_result_of_other_settings() {
        let place = tempfile::tempdir().unwrap();
        open(place.path(), Existing::Refuse).unwrap().begin(&config()).unwrap();
        fs::write(place.path().join(RESULT), to_csv(&[result()])).unwrap();
        // Whatever cannot be removed ends `begin` where a kill might: the result is gone by then, the old settings are not.
        fs::create_dir_all(place.path().join(CHECKPOINT).join("in the way")).unwrap();
        let other = Config::resolve("mnist", &["p=2".to_owned()], None).unwrap();
        RunFolder::open(place.path(), Existing::Replace, &other).unwrap().begin(&other).unwrap_err();
        assert!(!place.path().join(RESULT).exists() && place.path().join(CONFIG).exists());
    }

    #[test]
    fn a_finished_run_is_kept_only_for_its_own_settings_and_data() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join(RESULT), to_csv(&[result()])).unwrap();
        let folder = open(place.path(), Existing::Resume).unwrap();
        assert_eq!(folder.finished_on("data").unwrap(), Some(result()));
        assert!(folder.finished_on("other").unwrap_err().to_string().contains("of other data"));
        let other = Config::resolve("mnist", &["p=2".to_owned()], None).unwrap();
        let error = RunFolder::open(place.path(), Existing::Resume, &other).unwrap().finished().unwrap_err();
        assert!(error.to_string().contains("other settings"), "{error}");
    }

    #[test]
    fn two_processes_never_share_a_folder() {
        let place = tempfile::tempdir().unwrap();
        let first = open(place.path(), Existing::Resume).unwrap();
        first.begin(&config()).unwrap();
        first.begin(&config()).unwrap();
        let second = open(place.path(), Existing::Resume).unwrap();
        let error = second.begin(&config()).unwrap_err();
        assert!(error.to_string().contains("another process is running in"), "{error}");
        drop(first);
        second.begin(&config()).unwrap();
    }

    #[test]
    fn a_checkpoint_of_other_data_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let folder = open(place.path(), Existing::Resume).unwrap();
        folder.begin(&config()).unwrap();
        let checkpoint = Checkpoint::new(Phase::Unsupervised, rivalry_nets::State::default(), identity());
        folder.write(CHECKPOINT, &checkpoint.to_bytes()).unwrap();
        assert_eq!(folder.checkpoint(&identity()).unwrap(), Some(checkpoint));
        let other = Identity { dataset_sha256: "other".to_owned(), ..identity() };
        let error = folder.checkpoint(&other).unwrap_err().to_string();
        assert!(error.contains("is of other data: digest data, not other"), "{error}");
    }

    #[test]
    fn files_are_those_of_the_contract() {
        let mut files = FILES;
        files.sort_unstable();
        assert_eq!(
            files.join(" "),
            "checkpoint.safetensors config.toml confusion.csv curves.svg env.json fields-animated.png fields.png lock metrics.csv readout.npy result.csv \
             weights.npy weights.safetensors"
        );
    }
}
