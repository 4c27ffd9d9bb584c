//! One run folder: what a finished run left there, and how far an unfinished one has come.

use std::fmt::Display;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::config::Config;
use crate::rows::{self, MetricsRow, Phase};
use crate::run;
use crate::run::checkpoint::Checkpoint;
use crate::table::{Align, Table};

/// What a finished run left besides its row. Files that are missing are `None` or empty.
#[derive(Debug)]
pub(super) struct Folder {
    /// Its path below the folder that is reported on.
    pub(super) name: String,
    pub(super) config: Option<Config>,
    pub(super) metrics: Vec<MetricsRow>,
    pub(super) fields: Option<Picture>,
    pub(super) confusion: Option<Table>,
    /// `env.json`.
    pub(super) environment: Option<Value>,
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
pub(super) fn shown(name: &str) -> String {
    match name.trim_end_matches('/') {
        "" => ".".to_owned(),
        name => name.to_owned(),
    }
}

/// The files of a run; the damaged ones go to `set_aside`.
struct Files<'a> {
    path: &'a Path,
    name: &'a str,
    root: &'a Path,
    set_aside: &'a mut Vec<(String, String)>,
}

impl Files<'_> {
    fn read<T, E: Display>(&mut self, file: &str, parse: impl FnOnce(Vec<u8>) -> Result<T, E>) -> Option<T> {
        let parse = |bytes| parse(bytes).map_err(|error| format!("{error:#}"));
        let read = bytes(self.path, file)?.and_then(parse);
        // Errors name files by the path that was typed; the page may be read elsewhere.
        let local = |reason: String| reason.replace(&format!("{}/", self.root.display()), "");
        read.map_err(|reason| self.set_aside.push((format!("{}{file}", self.name), local(reason)))).ok()
    }
}

impl Folder {
    /// Reads what is there; what is damaged goes to `set_aside`.
    pub(super) fn read(path: &Path, name: &str, root: &Path, set_aside: &mut Vec<(String, String)>) -> Self {
        let mut files = Files { path, name, root, set_aside };
        Self {
            name: shown(name),
            config: files.read(run::CONFIG, |_| settings(path)),
            metrics: files.read(run::METRICS, |bytes| metrics(bytes, name)).unwrap_or_default(),
            fields: files.read(run::FIELDS, Picture::read),
            confusion: files.read(run::CONFUSION, |csv| confusion(&csv).ok_or("it is no square table of counts")),
            environment: files.read(run::ENVIRONMENT, |json| serde_json::from_slice::<Value>(&json)),
        }
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

fn settings(folder: &Path) -> anyhow::Result<Config> {
    Config::resolve(&folder.join(run::CONFIG).to_string_lossy(), &[], None)
}

/// Rows whose numbers can be drawn.
fn metrics(bytes: Vec<u8>, name: &str) -> Result<Vec<MetricsRow>, String> {
    let text = String::from_utf8(bytes).map_err(|_| "it is no text in UTF-8".to_owned())?;
    let place = format!("{name}{}", run::METRICS);
    let rows = rows::from_csv::<MetricsRow>(&text, &place).map_err(|error| format!("{error:#}"))?;
    for row in &rows {
        percentages([row.train_error_pct, row.validation_error_pct, row.test_error_pct])
            .map_err(|reason| format!("epoch {}: {reason}", row.epoch))?;
    }
    Ok(rows)
}

/// Refuses errors that no axis could show.
pub(super) fn percentages<const N: usize>(errors: [Option<f64>; N]) -> Result<(), String> {
    match errors.into_iter().flatten().find(|error| !(0.0..=100.0).contains(error)) {
        Some(bad) => Err(format!("an error of {bad} % is not from 0 to 100")),
        None => Ok(()),
    }
}

/// The confusion matrix of a run from `confusion.csv`: for each true class how many samples were taken for each class.
fn confusion(csv: &[u8]) -> Option<Table> {
    let mut reader = csv::Reader::from_reader(csv);
    let classes: Vec<String> = reader.headers().ok()?.iter().skip(1).map(str::to_owned).collect();
    let columns = classes.iter().map(|class| (class.as_str(), Align::Right));
    let columns = [("true class", Align::Left)].into_iter().chain(columns).chain([("wrong", Align::Right)]);
    let mut table = Table::new(columns);
    for (index, row) in reader.records().enumerate() {
        let counts: Vec<u64> = row.ok()?.iter().skip(1).map(|cell| cell.parse().ok()).collect::<Option<_>>()?;
        let all: u64 = counts.iter().sum();
        let wrong = 100.0 * (all - counts.get(index)?) as f64 / all.max(1) as f64;
        let cells = [classes[index].clone()].into_iter().chain(counts.iter().map(u64::to_string));
        table.row(cells.chain([format!("{wrong:.1} %")]).collect());
    }
    (!classes.is_empty() && table.rows().len() == classes.len()).then_some(table)
}

impl Picture {
    fn read(png: Vec<u8>) -> Result<Self, png::DecodingError> {
        let reader = png::Decoder::new(std::io::Cursor::new(&png)).read_info()?;
        let (width, height) = (reader.info().width, reader.info().height);
        Ok(Self { png, width, height })
    }
}

impl Unfinished {
    /// A folder that holds settings, metrics or a checkpoint of a run, and no result.
    pub(super) fn read(path: &Path, name: &str) -> Option<Self> {
        let there = |file: &str| path.join(file).is_file();
        // Other programs have a config.toml too; ours tells what a run is.
        let config = settings(path).ok().filter(|_| there(run::CONFIG));
        let ours = config.is_some() || there(run::CHECKPOINT) || there(run::METRICS);
        ours.then(|| Self { name: shown(name), progress: progress(path, config.as_ref()), config })
    }
}

fn progress(folder: &Path, config: Option<&Config>) -> String {
    let Some(read) = bytes(folder, run::CHECKPOINT) else { return "no checkpoint yet".to_owned() };
    let parse =
        |bytes: Vec<u8>| Checkpoint::from_bytes(&bytes, run::CHECKPOINT).map_err(|_| "it is damaged".to_owned());
    match read.and_then(parse) {
        Err(reason) => format!("its checkpoint cannot be read: {reason}"),
        Ok(Checkpoint { epoch, phase, .. }) => {
            let of = config.map_or(String::new(), |config| match phase {
                Phase::Unsupervised => format!(" of {}", config.epochs),
                Phase::Readout | Phase::EndToEnd => format!(" of {}", config.readout_epochs),
            });
            format!("epoch {epoch}{of}, phase {}, at its last checkpoint", phase.name())
        }
    }
}
