//! One run folder: what a finished run left there, and how far an unfinished one has come.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::config::Config;
use crate::rows::{self, MetricsRow, Phase};
use crate::run;
use crate::run::checkpoint::Checkpoint;

/// What a finished run left besides its row. Files that are missing are `None` or empty.
#[derive(Debug)]
pub(super) struct Folder {
    /// Its path below the folder that is reported on.
    pub(super) name: String,
    pub(super) config: Option<Config>,
    pub(super) metrics: Vec<MetricsRow>,
    pub(super) fields: Option<Picture>,
    pub(super) confusion: Option<Confusion>,
    /// `env.json`.
    pub(super) environment: Option<Value>,
}

/// `confusion.csv`: for each true class the number of samples that were taken for each class.
#[derive(Debug)]
pub(super) struct Confusion {
    /// The names of the classes.
    pub(super) classes: Vec<String>,
    /// A row for each true class.
    pub(super) counts: Vec<Vec<u64>>,
}

/// A PNG as it stands in its file.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) png: Vec<u8>,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// A run without a result.
#[derive(Debug)]
pub(super) struct Unfinished {
    /// Its path below the folder that is reported on.
    pub(super) name: String,
    pub(super) config: Option<Config>,
    /// How far it has come, in words.
    pub(super) progress: String,
}

/// The name of a folder for people: the root has none of its own.
fn shown(name: &str) -> String {
    match name.trim_end_matches('/') {
        "" => ".".to_owned(),
        name => name.to_owned(),
    }
}

impl Folder {
    /// Reads what is there; what is damaged goes to `set_aside`.
    pub(super) fn read(path: &Path, name: &str, root: &Path, set_aside: &mut Vec<(String, String)>) -> Self {
        let mut whole = |file: &str, found: Result<(), String>| {
            if let Err(reason) = found {
                // Errors name files by the path that was typed; the page may be read elsewhere.
                let reason = reason.replace(&format!("{}/", root.display()), "");
                set_aside.push((format!("{name}{file}"), reason));
            }
        };
        let mut folder = Self {
            name: shown(name),
            config: None,
            metrics: Vec::new(),
            fields: None,
            confusion: None,
            environment: None,
        };
        if path.join(run::CONFIG).is_file() {
            let read = settings(path).map(|config| folder.config = Some(config));
            whole(run::CONFIG, read);
        }
        if let Some(bytes) = bytes(path, run::METRICS) {
            let read = bytes.and_then(|bytes| metrics(bytes, name)).map(|rows| folder.metrics = rows);
            whole(run::METRICS, read);
        }
        if let Some(bytes) = bytes(path, run::FIELDS) {
            let read = bytes.and_then(Picture::read).map(|picture| folder.fields = Some(picture));
            whole(run::FIELDS, read);
        }
        if let Some(bytes) = bytes(path, run::CONFUSION) {
            let read = bytes.and_then(|bytes| {
                let confusion = Confusion::read(&bytes).ok_or("it is no square table of counts")?;
                folder.confusion = Some(confusion);
                Ok(())
            });
            whole(run::CONFUSION, read);
        }
        if let Some(bytes) = bytes(path, run::ENVIRONMENT) {
            let json = |bytes: Vec<u8>| serde_json::from_slice(&bytes).map_err(|error| error.to_string());
            let read = bytes.and_then(json).map(|value| folder.environment = Some(value));
            whole(run::ENVIRONMENT, read);
        }
        folder
    }

    /// The evaluated epochs of the hidden layer, or of what follows.
    pub(super) fn epochs(&self, unsupervised: bool) -> impl Iterator<Item = &MetricsRow> {
        self.metrics.iter().filter(move |row| (row.phase == Phase::Unsupervised) == unsupervised)
    }
}

/// The bytes of a file, `None` where it is missing.
fn bytes(folder: &Path, file: &str) -> Option<Result<Vec<u8>, String>> {
    match fs::read(folder.join(file)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        read => Some(read.map_err(|error| error.to_string())),
    }
}

fn settings(folder: &Path) -> Result<Config, String> {
    let path = folder.join(run::CONFIG);
    Config::resolve(&path.to_string_lossy(), &[], None).map_err(|error| format!("{error:#}"))
}

/// Rows whose numbers can be drawn.
fn metrics(bytes: Vec<u8>, name: &str) -> Result<Vec<MetricsRow>, String> {
    let text = String::from_utf8(bytes).map_err(|_| "it is no text in UTF-8".to_owned())?;
    let place = format!("{name}{}", run::METRICS);
    let rows = rows::from_csv::<MetricsRow>(&text, &place).map_err(|error| format!("{error:#}"))?;
    for row in &rows {
        let errors = [row.train_error_pct, row.validation_error_pct, row.test_error_pct];
        if let Some(bad) = errors.into_iter().flatten().find(|error| !(0.0..=100.0).contains(error)) {
            return Err(format!("epoch {}: an error of {bad} % is not from 0 to 100", row.epoch));
        }
    }
    Ok(rows)
}

impl Confusion {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = csv::Reader::from_reader(bytes);
        let classes: Vec<String> = reader.headers().ok()?.iter().skip(1).map(str::to_owned).collect();
        let mut counts: Vec<Vec<u64>> = Vec::new();
        for row in reader.records() {
            counts.push(row.ok()?.iter().skip(1).map(|cell| cell.parse().ok()).collect::<Option<_>>()?);
        }
        (!classes.is_empty() && counts.len() == classes.len()).then_some(Self { classes, counts })
    }
}

impl Picture {
    fn read(png: Vec<u8>) -> Result<Self, String> {
        let reader = png::Decoder::new(std::io::Cursor::new(&png)).read_info().map_err(|error| error.to_string())?;
        let (width, height) = (reader.info().width, reader.info().height);
        Ok(Self { png, width, height })
    }
}

impl Unfinished {
    /// A folder that holds settings, metrics or a checkpoint of a run, and no result.
    pub(super) fn read(path: &Path, name: &str) -> Option<Self> {
        let there = |file: &&str| path.join(file).is_file();
        // Other programs have a config.toml too; ours tells what a run is.
        let config = if there(&run::CONFIG) { settings(path).ok() } else { None };
        let traces = [run::CHECKPOINT, run::METRICS];
        let ours = config.is_some() || traces.iter().any(there);
        ours.then(|| Self { name: shown(name), progress: progress(path, config.as_ref()), config })
    }
}

fn progress(folder: &Path, config: Option<&Config>) -> String {
    let checkpoint = match bytes(folder, run::CHECKPOINT) {
        None => return "no checkpoint yet".to_owned(),
        Some(read) => read
            .and_then(|bytes| Checkpoint::from_bytes(&bytes, run::CHECKPOINT).map_err(|_| "it is damaged".to_owned())),
    };
    match checkpoint {
        Err(reason) => format!("its checkpoint cannot be read: {reason}"),
        Ok(checkpoint) => {
            let all = config.map(|config| match checkpoint.phase {
                Phase::Unsupervised => config.epochs,
                Phase::Readout | Phase::EndToEnd => config.readout_epochs,
            });
            let of = all.map_or(String::new(), |all| format!(" of {all}"));
            format!("epoch {}{of}, phase {}, at its last checkpoint", checkpoint.epoch, checkpoint.phase.name())
        }
    }
}
