//! Rows of the CSV files: `result.csv` and the tables made of such rows, `metrics.csv`.
//!
//! A row is a struct whose fields are the columns, in their order, so the header comes from serde and is written nowhere
//! else. Behind them stand the columns of a method's own ([`Row::own`]): its keys in `result.csv`, its diagnostics in
//! `metrics.csv`; a table has those that any of its rows has. A cell that does not apply is `None` or an empty text and
//! stays empty. Numbers are rounded where they are made, so that what is printed reads back as the same bits.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::config::{Config, Hidden, value_text};
use crate::error::failure;

/// A row of a table.
pub trait Row: Serialize + DeserializeOwned + Default {
    /// The cells behind those of the fields, by column.
    fn own(&self) -> &BTreeMap<String, String> {
        static NONE: BTreeMap<String, String> = BTreeMap::new();
        &NONE
    }

    /// The same to be filled, in a type that may have some.
    fn own_mut(&mut self) -> Option<&mut BTreeMap<String, String>> {
        None
    }
}

macro_rules! with_own_columns {
    ($($name:ty),+) => {
        $(impl Row for $name {
            fn own(&self) -> &BTreeMap<String, String> {
                &self.own
            }

            fn own_mut(&mut self) -> Option<&mut BTreeMap<String, String>> {
                Some(&mut self.own)
            }
        })+
    };
}

with_own_columns!(ResultRow, MetricsRow);

/// One run: the row of `result.csv`. A row determines its run: it holds every setting, the digest of the resolved
/// configuration and the revisions that trained it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are those of the columns, and METHODOLOGY.md explains them")]
pub struct ResultRow {
    pub experiment: String,
    pub dataset: String,
    pub method: String,
    pub task: String,
    #[serde(serialize_with = "Hidden::serialize_cell")]
    pub hidden: Option<Hidden>,
    pub p: Option<f64>,
    pub k: Option<usize>,
    pub delta: Option<f64>,
    pub seed: u64,
    pub epochs: Option<u32>,
    pub batch: Option<usize>,
    pub rate: Option<f64>,
    pub unit_length: String,
    pub readout_epochs: Option<u32>,
    pub power_n: Option<f64>,
    pub loss_m: Option<f64>,
    pub beta: Option<f64>,
    pub train_samples: Option<usize>,
    pub labels_per_class: Option<usize>,
    pub train_error_pct: Option<f64>,
    pub validation_error_pct: Option<f64>,
    pub test_error_pct: Option<f64>,
    pub published_test_error_pct: Option<f64>,
    pub published_source: String,
    pub on_sphere: Option<usize>,
    pub negative_units: Option<usize>,
    pub silent_units: Option<usize>,
    pub learn_s: Option<f64>,
    pub readout_s: Option<f64>,
    pub epoch_ms: Option<f64>,
    pub epoch_first_ms: Option<f64>,
    pub epoch_last_ms: Option<f64>,
    pub engine: String,
    pub isa: String,
    pub threads: Option<usize>,
    pub cpu: String,
    /// Every revision that trained the run, joined by `+`.
    pub revision: String,
    pub dirty: String,
    pub balance: String,
    pub current_scale: String,
    pub off_sphere: String,
    pub readout_rates: String,
    pub readout_batch: Option<usize>,
    pub init_sigma: Option<f64>,
    pub validation: Option<f64>,
    pub split: String,
    pub config_sha256: String,
    pub dataset_sha256: String,
    pub weights_sha256: String,
    pub err: String,
    /// The keys that only the method of the run has.
    #[serde(skip)]
    pub own: BTreeMap<String, String>,
}

impl ResultRow {
    /// A row that holds the settings and nothing else; cells of keys that the method ignores are empty.
    pub fn of_settings(config: &Config) -> Self {
        let uses = |key: &str| config.method.uses(key);
        let text = |key: &str, value: String| if uses(key) { value } else { String::new() };
        Self {
            experiment: config.experiment.clone(),
            dataset: config.dataset.clone(),
            method: config.method.to_string(),
            task: config.task.to_string(),
            hidden: uses("hidden").then(|| config.hidden.clone()),
            p: uses("p").then_some(config.p),
            k: uses("k").then_some(config.k),
            delta: uses("delta").then_some(config.delta),
            seed: config.seed,
            epochs: uses("epochs").then_some(config.epochs),
            batch: uses("batch").then_some(config.batch),
            rate: uses("rate").then_some(config.rate),
            unit_length: text("unit_length", config.unit_length.to_string()),
            readout_epochs: uses("readout_epochs").then_some(config.readout_epochs),
            power_n: uses("power_n").then_some(config.power_n),
            loss_m: uses("loss_m").then_some(config.loss_m),
            beta: uses("beta").then_some(config.beta),
            labels_per_class: config.labels_per_class.first(),
            balance: text("balance", config.balance.to_string()),
            current_scale: text("current_scale", config.current_scale.to_string()),
            off_sphere: text("off_sphere", config.off_sphere.to_string()),
            readout_rates: text("readout_rates", config.readout_rates.clone()),
            readout_batch: uses("readout_batch").then_some(config.readout_batch),
            init_sigma: uses("init_sigma").then_some(config.init_sigma),
            validation: Some(config.validation),
            split: config.split.to_string(),
            config_sha256: config.digest(),
            own: config.own.iter().map(|(key, value)| (key.clone(), value_text(value))).collect(),
            ..Self::default()
        }
    }

    /// The row as a JSON object: every column is a key.
    pub fn to_json(&self) -> serde_json::Value {
        let mut json = serde_json::to_value(self).expect("a row is JSON");
        for (column, cell) in &self.own {
            json[column] = cell.parse().map_or_else(|_| cell.as_str().into(), |number: f64| number.into());
        }
        json
    }

    /// Whether the run came to no result: it has neither an error nor weights, only `err`.
    pub fn has_no_result(&self) -> bool {
        let errors = [self.train_error_pct, self.validation_error_pct, self.test_error_pct];
        errors.iter().all(Option::is_none) && self.weights_sha256.is_empty()
    }

    /// The error that the run is judged by: on held-out examples where there are some, else on the test set.
    pub fn judged_error_pct(&self) -> Option<f64> {
        self.validation_error_pct.or(self.test_error_pct)
    }
}

/// One evaluated epoch: a row of `metrics.csv`. `epoch` counts the finished epochs of its phase.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are those of the columns")]
pub struct MetricsRow {
    pub phase: Phase,
    pub epoch: u32,
    pub rate: f64,
    pub train_error_pct: Option<f64>,
    pub validation_error_pct: Option<f64>,
    pub test_error_pct: Option<f64>,
    pub on_sphere: Option<usize>,
    pub negative_units: Option<usize>,
    pub silent_units: Option<usize>,
    pub epoch_ms: f64,
    /// The diagnostics that only the learner of the phase has.
    #[serde(skip)]
    pub own: BTreeMap<String, String>,
}

/// What a phase of a run learns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// A hidden layer, without labels.
    #[default]
    Unsupervised,
    /// A readout over fixed features.
    Readout,
    /// All layers at once, with labels.
    EndToEnd,
}

impl Phase {
    /// As the column `phase` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unsupervised => "unsupervised",
            Self::Readout => "readout",
            Self::EndToEnd => "end-to-end",
        }
    }
}

/// Wrong classifications in per cent, rounded so that it prints short.
pub fn error_pct(wrong: usize, samples: usize) -> f64 {
    rounded(100.0 * wrong as f64 / samples as f64)
}

/// A rate as it is written down: the shortest decimal number that is this f32.
pub fn shortest(rate: f32) -> f64 {
    rate.to_string().parse().unwrap_or(f64::from(rate))
}

/// Rounds to four decimals, far below what any of these numbers means.
pub fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

/// Four significant digits: residuals and errors of prediction span many orders of magnitude.
pub(crate) fn significant(value: f64) -> String {
    format!("{value:.3e}").parse().map_or_else(|_| value.to_string(), |short: f64| short.to_string())
}

/// The columns of a row type: the header that serde and csv make of its fields.
pub fn columns<Row: Serialize + Default>() -> Vec<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.serialize(Row::default()).expect("a row is flat");
    let text = String::from_utf8(writer.into_inner().expect("writing to memory")).expect("CSV of texts is UTF-8");
    text.lines().next().unwrap_or_default().split(',').map(str::to_owned).collect()
}

/// Rows as CSV, with the header even when there are none.
pub fn to_csv<R: Row>(rows: &[R]) -> String {
    let own: BTreeSet<&String> = rows.iter().flat_map(|row| row.own().keys()).collect();
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(columns::<R>().iter().chain(own.iter().copied())).expect("writing to memory");
    for row in rows {
        let fields = cells(row);
        let more = own.iter().map(|column| row.own().get(*column).map_or("", String::as_str));
        writer.write_record(fields.iter().chain(more)).expect("as many cells as columns");
    }
    String::from_utf8(writer.into_inner().expect("writing to memory")).expect("CSV of texts is UTF-8")
}

/// The cells of the fields of a row, as texts.
pub(crate) fn cells<R: Serialize>(row: &R) -> csv::StringRecord {
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    writer.serialize(row).expect("a row is flat");
    let text = writer.into_inner().expect("writing to memory");
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&text[..]);
    reader.records().next().expect("a row was written").expect("it is CSV")
}

/// Rows back from CSV; `place` names the file in errors.
///
/// # Errors
/// A missing or unknown column, or a cell that does not parse.
pub fn from_csv<R: Row>(text: &str, place: &str) -> anyhow::Result<Vec<R>> {
    let refuse = |what: String| failure(format!("{place}: {what}"), "was it edited, or written by another version?");
    let broken = |error: csv::Error| refuse(format!("the table cannot be read: {error}"));
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let found = reader.headers().map_err(broken)?.clone();
    let known = columns::<R>();
    if let Some(column) = known.iter().find(|column| !found.iter().any(|found| found == *column)) {
        return Err(refuse(format!("the column `{column}` is missing")));
    }
    // Columns of a method's own stand behind all others.
    let own = if R::default().own_mut().is_some() { known.len() } else { found.len() };
    if let Some(column) = found.iter().take(own).find(|column| !known.iter().any(|known| known == column)) {
        return Err(refuse(format!("the column `{column}` is not known")));
    }
    let row = |record: csv::StringRecord| -> csv::Result<R> {
        let mut row: R = record.deserialize(Some(&found))?;
        let cells = found.iter().zip(&record).skip(own).filter(|(_, cell)| !cell.is_empty());
        if let Some(own) = row.own_mut() {
            own.extend(cells.map(|(column, cell)| (column.to_owned(), cell.to_owned())));
        }
        Ok(row)
    };
    reader.records().map(|record| record.and_then(row).map_err(broken)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The list of the contract, as it stands there.
    const RESULT: &str = "experiment, dataset, method, task, hidden, p, k, delta, seed, epochs, batch, rate, \
        unit_length, readout_epochs, power_n, loss_m, beta, train_samples, labels_per_class, train_error_pct, \
        validation_error_pct, test_error_pct, published_test_error_pct, published_source, on_sphere, negative_units, \
        silent_units, learn_s, readout_s, epoch_ms, epoch_first_ms, epoch_last_ms, engine, isa, threads, cpu, \
        revision, dirty, balance, current_scale, off_sphere, readout_rates, readout_batch, init_sigma, validation, \
        split, config_sha256, dataset_sha256, weights_sha256, err";
    const METRICS: &str = "phase, epoch, rate, train_error_pct, validation_error_pct, test_error_pct, on_sphere, \
        negative_units, silent_units, epoch_ms";

    fn metrics() -> MetricsRow {
        MetricsRow {
            phase: Phase::Readout,
            epoch: 3,
            rate: 1e-3,
            train_error_pct: Some(1.0 / 3.0),
            test_error_pct: Some(2.5),
            epoch_ms: 0.1 + 0.2,
            ..MetricsRow::default()
        }
    }

    #[test]
    fn columns_are_those_of_the_contract() {
        assert_eq!(columns::<ResultRow>().join(", "), RESULT);
        assert_eq!(columns::<MetricsRow>().join(", "), METRICS);
        assert_eq!(to_csv::<MetricsRow>(&[]).trim_end(), METRICS.replace(", ", ","));
        assert!(from_csv::<MetricsRow>(&to_csv::<MetricsRow>(&[]), "test").unwrap().is_empty());
    }

    #[test]
    fn rows_read_back_as_the_same_bits_and_empty_cells_stay_empty() {
        let rows = vec![metrics(), MetricsRow { phase: Phase::Unsupervised, on_sphere: Some(7), ..metrics() }];
        let text = to_csv(&rows);
        assert!(text.contains(",,2.5,,,,0.30000000000000004"), "{text}");
        assert_eq!(from_csv::<MetricsRow>(&text, "test").unwrap(), rows);
        for hidden in [None, Some(Hidden::from(20)), Some(Hidden::new(vec![500, 300]))] {
            let row = ResultRow { err: "no data, \"said\"".to_owned(), p: Some(2.5), hidden, ..ResultRow::default() };
            let text = to_csv(std::slice::from_ref(&row));
            assert_eq!(from_csv::<ResultRow>(&text, "test").unwrap(), std::slice::from_ref(&row));
            let json = serde_json::to_string(&row).unwrap();
            assert_eq!(serde_json::from_str::<ResultRow>(&json).unwrap(), row);
        }
    }

    #[test]
    fn columns_of_a_method_stand_behind_all_others_and_read_back() {
        let own = |column: &str, cell: &str| BTreeMap::from([(column.to_owned(), cell.to_owned())]);
        let rows = [
            MetricsRow { own: own("residual", "0.01"), ..metrics() },
            metrics(),
            MetricsRow { own: own("active_units", "2.5"), ..metrics() },
        ];
        let text = to_csv(&rows);
        assert!(text.starts_with(&format!("{},active_units,residual\n", METRICS.replace(", ", ","))), "{text}");
        assert!(
            text.lines().nth(1).unwrap().ends_with(",,0.01") && text.lines().nth(2).unwrap().ends_with(",,"),
            "{text}"
        );
        assert_eq!(from_csv::<MetricsRow>(&text, "test").unwrap(), rows);
        let row = ResultRow { own: own("free_steps", "20"), ..ResultRow::default() };
        assert_eq!((row.to_json()["free_steps"].as_f64(), row.to_json()["seed"].as_u64()), (Some(20.0), Some(0)));
        assert_eq!(from_csv::<ResultRow>(&to_csv(std::slice::from_ref(&row)), "test").unwrap(), [row]);
    }

    #[test]
    fn phases_have_one_name() {
        for phase in [Phase::Unsupervised, Phase::Readout, Phase::EndToEnd] {
            assert_eq!(serde_json::to_string(&phase).unwrap(), format!("\"{}\"", phase.name()));
        }
    }

    #[test]
    fn other_columns_and_bad_cells_are_refused() {
        let good = to_csv(&[metrics()]);
        for (text, expected) in [
            (String::new(), "DIR/metrics.csv: the column `phase` is missing"),
            (good.replace("epoch_ms", "epoch_s"), "the column `epoch_ms` is missing"),
            (good.replace("phase", "more,phase"), "the column `more` is not known"),
            (good.replace("epoch_ms\n", "epoch_ms,more\n"), "the table cannot be read"),
            (good.replace("2.5", "two"), "the table cannot be read"),
        ] {
            let error = from_csv::<MetricsRow>(&text, "DIR/metrics.csv").unwrap_err().to_string();
            assert!(error.starts_with("DIR/metrics.csv: ") && error.contains(expected), "{error}");
        }
    }

    #[test]
    fn percentages_print_short() {
        assert_eq!(error_pct(182, 10_000).to_string(), "1.82");
        assert_eq!(error_pct(1, 3).to_string(), "33.3333");
        assert_eq!(error_pct(0, 5), 0.0);
        assert_eq!((shortest(0.04), shortest(1e-5)), (0.04, 1e-5));
        assert_eq!((significant(20.0), significant(0.000_123_456)), ("20".to_owned(), "0.0001235".to_owned()));
    }

    #[test]
    fn cells_that_a_method_has_no_use_for_are_empty() {
        let row = |set: &str| ResultRow::of_settings(&Config::resolve("mnist", &[set.to_owned()], None).unwrap());
        let biological = row("labels_per_class=30");
        assert_eq!((biological.hidden, biological.p), (Some(Hidden::from(2000)), Some(3.0)));
        assert_eq!((biological.labels_per_class, biological.current_scale.as_str()), (Some(30), "1"));
        let shallow = row("method=shallow");
        assert_eq!((shallow.hidden, shallow.p, shallow.epochs, shallow.beta), (None, None, None, Some(3.0)));
        assert_eq!((shallow.current_scale.as_str(), shallow.readout_rates.len()), ("", biological.readout_rates.len()));
    }

    #[test]
    fn a_row_with_weights_or_an_error_has_a_result() {
        let row = ResultRow { err: "a disk".to_owned(), ..ResultRow::default() };
        assert!(row.has_no_result());
        assert!(!ResultRow { weights_sha256: "00".to_owned(), ..row.clone() }.has_no_result());
        assert!(!ResultRow { validation_error_pct: Some(0.0), ..row }.has_no_result());
    }
}
