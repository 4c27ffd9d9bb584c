//! The only file that knows the columns of `result.csv` (and of the tables made of such rows) and of `metrics.csv`; those
//! of benchmarks are in [`mod@bench`].
//!
//! A row is a struct whose fields are the columns in their order; cells that do not apply are `None` and stay empty.
//! Numbers are rounded where they are made, so that what is printed reads back as the same bits.

pub mod bench;
mod settings;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::failure::failure;

/// One run: the row of `result.csv`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "contract: the names are those of the columns, and METHODOLOGY.md explains them")]
pub struct ResultRow {
    pub experiment: String,
    pub dataset: String,
    pub method: String,
    pub task: String,
    pub hidden: Option<usize>,
    pub p: Option<f64>,
    pub k: Option<usize>,
    pub delta: Option<f64>,
    pub seed: u64,
    pub epochs: Option<u32>,
    pub batch: Option<usize>,
    pub rate: Option<f64>,
    pub unit_length: String,
    pub readout_epochs: u32,
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
    pub revision: String,
    pub dirty: String,
    pub dataset_sha256: String,
    pub weights_sha256: String,
    pub err: String,
}

/// One evaluated epoch: a row of `metrics.csv`. `epoch` counts the finished epochs of its phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "contract: the names are those of the columns")]
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
}

/// The phases of a run: the first two one after the other, or the third alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Learning the hidden layer, without labels.
    Unsupervised,
    /// Learning the readout.
    Readout,
    /// Learning all of it at once, by backpropagation.
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

/// Rounds to four decimals: far below what any of these numbers means.
pub fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

/// Rows as CSV, with the header even when there are none.
pub fn to_csv<Row: Serialize + Columns>(rows: &[Row]) -> String {
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    writer.write_record(Row::COLUMNS).expect("writing to memory");
    for row in rows {
        writer.serialize(row).expect("a row is flat");
    }
    String::from_utf8(writer.into_inner().expect("writing to memory")).expect("CSV of texts is UTF-8")
}

/// Rows back from CSV; `place` names the file in errors.
///
/// # Errors
/// Other columns than these, or cells that do not parse.
pub fn from_csv<Row: DeserializeOwned + Columns>(text: &str, place: &str) -> anyhow::Result<Vec<Row>> {
    let refuse = |found: String| {
        failure(
            format!("{place}: expected the columns of this version, found {found}"),
            "was it edited, or made by another version?",
        )
    };
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| refuse(error.to_string()))?;
    if header.iter().ne(Row::COLUMNS.iter().copied()) {
        return Err(refuse(format!("`{}`", header.iter().collect::<Vec<_>>().join(","))));
    }
    reader.deserialize().map(|row| row.map_err(|error| refuse(error.to_string()))).collect()
}

/// The header of a row type.
pub trait Columns {
    /// Names, in order.
    const COLUMNS: &'static [&'static str];
}

impl Columns for ResultRow {
    const COLUMNS: &'static [&'static str] = &[
        "experiment",
        "dataset",
        "method",
        "task",
        "hidden",
        "p",
        "k",
        "delta",
        "seed",
        "epochs",
        "batch",
        "rate",
        "unit_length",
        "readout_epochs",
        "power_n",
        "loss_m",
        "beta",
        "train_samples",
        "labels_per_class",
        "train_error_pct",
        "validation_error_pct",
        "test_error_pct",
        "published_test_error_pct",
        "published_source",
        "on_sphere",
        "negative_units",
        "silent_units",
        "learn_s",
        "readout_s",
        "epoch_ms",
        "epoch_first_ms",
        "epoch_last_ms",
        "engine",
        "isa",
        "threads",
        "cpu",
        "revision",
        "dirty",
        "dataset_sha256",
        "weights_sha256",
        "err",
    ];
}

impl Columns for MetricsRow {
    const COLUMNS: &'static [&'static str] = &[
        "phase",
        "epoch",
        "rate",
        "train_error_pct",
        "validation_error_pct",
        "test_error_pct",
        "on_sphere",
        "negative_units",
        "silent_units",
        "epoch_ms",
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The list of the contract, as it stands there.
    const RESULT: &str = "experiment, dataset, method, task, hidden, p, k, delta, seed, epochs, batch, rate, \
        unit_length, readout_epochs, power_n, loss_m, beta, train_samples, labels_per_class, train_error_pct, \
        validation_error_pct, test_error_pct, published_test_error_pct, published_source, on_sphere, negative_units, \
        silent_units, learn_s, readout_s, epoch_ms, epoch_first_ms, epoch_last_ms, engine, isa, threads, cpu, \
        revision, dirty, dataset_sha256, weights_sha256, err";
    const METRICS: &str = "phase, epoch, rate, train_error_pct, validation_error_pct, test_error_pct, on_sphere, \
        negative_units, silent_units, epoch_ms";

    /// What serde writes as a header: the fields of the struct, which the rows follow.
    fn fields<Row: Serialize>(row: &Row) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.serialize(row).unwrap();
        let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
        text.lines().next().unwrap().to_owned()
    }

    fn metrics() -> MetricsRow {
        MetricsRow {
            phase: Phase::Readout,
            epoch: 3,
            rate: 1e-3,
            train_error_pct: Some(1.0 / 3.0),
            validation_error_pct: None,
            test_error_pct: Some(2.5),
            on_sphere: None,
            negative_units: None,
            silent_units: None,
            epoch_ms: 0.1 + 0.2,
        }
    }

    #[test]
    fn columns_are_those_of_the_contract() {
        assert_eq!(ResultRow::COLUMNS.join(", "), RESULT);
        assert_eq!(MetricsRow::COLUMNS.join(", "), METRICS);
        assert_eq!(fields(&ResultRow::default()), ResultRow::COLUMNS.join(","));
        assert_eq!(fields(&metrics()), MetricsRow::COLUMNS.join(","));
    }

    #[test]
    fn rows_read_back_as_the_same_bits_and_empty_cells_stay_empty() {
        let rows = vec![metrics(), MetricsRow { phase: Phase::Unsupervised, on_sphere: Some(7), ..metrics() }];
        let text = to_csv(&rows);
        assert!(text.contains(",,2.5,,,,0.30000000000000004"), "{text}");
        assert_eq!(from_csv::<MetricsRow>(&text, "test").unwrap(), rows);
        let result = ResultRow { err: "no data, \"said\"".to_owned(), p: Some(2.5), ..ResultRow::default() };
        assert_eq!(from_csv::<ResultRow>(&to_csv(std::slice::from_ref(&result)), "test").unwrap(), [result]);
    }

    #[test]
    fn phases_have_one_name() {
        for phase in [Phase::Unsupervised, Phase::Readout, Phase::EndToEnd] {
            let text = to_csv(&[MetricsRow { phase, ..metrics() }]);
            assert!(text.lines().nth(1).unwrap().starts_with(&format!("{},", phase.name())), "{text}");
            assert_eq!(from_csv::<MetricsRow>(&text, "test").unwrap()[0].phase, phase);
        }
    }

    #[test]
    fn the_header_is_there_without_rows() {
        assert_eq!(to_csv::<MetricsRow>(&[]).trim_end(), MetricsRow::COLUMNS.join(","));
        assert!(from_csv::<MetricsRow>(&to_csv::<MetricsRow>(&[]), "test").unwrap().is_empty());
    }

    #[test]
    fn other_columns_and_bad_cells_are_refused() {
        for text in ["", "a,b\n1,2\n", &to_csv(&[metrics()]).replace("2.5", "two")] {
            let error = from_csv::<MetricsRow>(text, "DIR/metrics.csv").unwrap_err();
            assert!(error.to_string().starts_with("DIR/metrics.csv: expected"), "{error}");
        }
    }

    #[test]
    fn percentages_print_short() {
        assert_eq!(error_pct(182, 10_000).to_string(), "1.82");
        assert_eq!(error_pct(1, 3).to_string(), "33.3333");
        assert_eq!(error_pct(0, 5), 0.0);
        assert_eq!((shortest(0.04), shortest(1e-5)), (0.04, 1e-5));
    }
}
