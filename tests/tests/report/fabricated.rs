//! Run folders and tables as other runs would have left them, some of them hostile or damaged.

use rivalry::config::{Config, Protocol};
use rivalry::methods::{method, paper};
use rivalry::rows::{MetricsRow, Phase, ResultRow, to_csv};

use crate::common::Place;

/// What must reach the page as text.
pub(crate) const HOSTILE: &str = "<script>alert('x')</script> & \"quoted\"";
const HOSTILE_JSON: &str = "<script>alert('x')</script>";

pub(crate) fn row(method: &str, seed: u64, test_error_pct: f64, published: f64, source: &str) -> ResultRow {
    ResultRow {
        experiment: "mnist".to_owned(),
        dataset: "mnist".to_owned(),
        method: method.to_owned(),
        task: "class".to_owned(),
        hidden: Some(2000.into()),
        seed,
        readout_epochs: Some(60),
        train_error_pct: Some(0.3),
        test_error_pct: Some(test_error_pct),
        published_test_error_pct: Some(published),
        published_source: source.to_owned(),
        on_sphere: (method == "biological").then_some(1850),
        revision: "0123456789ab".to_owned(),
        dirty: "false".to_owned(),
        dataset_sha256: "d1ce".to_owned(),
        weights_sha256: format!("{seed:064}"),
        ..ResultRow::default()
    }
}

fn swept(p: f64, seed: u64, test_error_pct: Option<f64>, err: &str) -> ResultRow {
    ResultRow {
        experiment: "p-sweep".to_owned(),
        dataset: "mnist".to_owned(),
        method: "biological".to_owned(),
        p: Some(p),
        seed,
        test_error_pct,
        err: err.to_owned(),
        ..ResultRow::default()
    }
}

fn metrics(phase: Phase) -> String {
    let row = |phase, epoch| MetricsRow {
        phase,
        epoch,
        rate: 0.04,
        train_error_pct: (phase != Phase::Unsupervised).then(|| 1.0 / f64::from(epoch)),
        test_error_pct: (phase != Phase::Unsupervised).then(|| 1.0 + 1.0 / f64::from(epoch)),
        on_sphere: (phase == Phase::Unsupervised).then_some(200 * epoch as usize),
        negative_units: (phase == Phase::Unsupervised).then_some(70),
        epoch_ms: 1.0,
        ..MetricsRow::default()
    };
    let mut rows: Vec<MetricsRow> = Vec::new();
    if phase == Phase::Readout {
        rows.extend((1..=9).map(|epoch| row(Phase::Unsupervised, epoch)));
    }
    rows.extend((1..=9).map(|epoch| row(phase, epoch)));
    to_csv(&rows)
}

/// The smallest PNG.
const PNG: [u8; 69] = [
    0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, b'I', b'H', b'D', b'R', 0, 0, 0, 1, 0, 0, 0, 1, 8, 2,
    0, 0, 0, 0x90, 0x77, 0x53, 0xde, 0, 0, 0, 12, b'I', b'D', b'A', b'T', 0x08, 0xd7, 0x63, 0xf8, 0xcf, 0xc0, 0, 0, 3,
    1, 1, 0, 0x18, 0xdd, 0x8d, 0xb0, 0, 0, 0, 0, b'I', b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82,
];

/// Three seeds of the paper's method, one end to end, a record of a sweep with a failed point, an unfinished run, a damaged
/// table.
pub(crate) fn fabricated() -> Place {
    let place = Place::new();
    let source = "a paper (second-hand, two sources)";
    for (method, seed, error, published) in [
        (paper(), 1, 1.83, 1.46),
        (paper(), 2, 1.86, 1.46),
        (paper(), 3, 1.82, 1.46),
        (method("end-to-end").unwrap(), 1, 1.55, 1.5),
    ] {
        let experiment = Config::named("mnist", method, Protocol::Quick, seed).unwrap();
        let folder = format!("all/runs/{}", experiment.run_name());
        place.write(
            &format!("{folder}/result.csv"),
            to_csv(&[row(&method.to_string(), seed, error, published, source)]),
        );
        place.write(&format!("{folder}/config.toml"), experiment.to_toml());
        let phase = if method == paper() { Phase::Readout } else { Phase::EndToEnd };
        place.write(&format!("{folder}/metrics.csv"), metrics(phase));
        place.write(&format!("{folder}/fields.png"), PNG);
        place.write(&format!("{folder}/confusion.csv"), "true_class,0,1\n0,9,1\n1,0,10\n");
        let environment = format!(
            r#"{{"date":"2026-02-0{seed}T10:00:00Z","build":{{"revision":"0123456789ab","dirty":true,"rustc":"rustc 1.95.0"}},
            "machine":{{"cpu":"A CPU {HOSTILE_JSON}"}},"isa":"avx2","threads":2}}"#
        );
        place.write(&format!("{folder}/env.json"), environment);
    }
    let table: Vec<ResultRow> =
        [(1, 1.83), (2, 1.86)].map(|(seed, error)| row("biological", seed, error, 1.46, source)).to_vec();
    place.write("all/runs/table.csv", to_csv(&table));
    let mut sweep = Vec::new();
    for (p, errors) in [(2.0, [2.0, 2.2]), (3.0, [1.8, 1.9]), (4.0, [2.4, 2.6])] {
        sweep.extend([1, 2].map(|seed| swept(p, seed, Some(errors[seed as usize - 1]), "")));
    }
    sweep.push(swept(4.0, 3, None, HOSTILE));
    place.write("all/record/rows.csv", to_csv(&sweep));
    place.write("all/record/machine.txt", format!("cpu  another {HOSTILE}\n"));
    place.write("all/record/migrated.txt", "Settings were added.\n");
    let begun = Config::named("mnist", paper(), Protocol::Quick, 4).unwrap();
    place.write("all/runs/<script>begun/config.toml", begun.to_toml());
    place.write("all/old.csv", "experiment,dataset,method,other\nmnist,mnist,biological,1\n");
    place
}
