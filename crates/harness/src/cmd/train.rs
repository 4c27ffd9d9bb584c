//! `rivalry train`: one run, unsupervised layer, then readout.

use std::fmt::Write;
use std::path::PathBuf;

use crate::cli::{Common, TrainArgs};
use crate::compute::Compute;
use crate::config::Config;
use crate::dataset::{self, Splits};
use crate::output;
use crate::rows::ResultRow;
use crate::run::{self, Existing, Job, RunFolder};

/// Run folders go here when `--out` does not say where.
pub(super) const RUNS: &str = "data/runs";

/// Runs the command.
pub(crate) fn run(args: &TrainArgs, common: &Common) -> anyhow::Result<()> {
    let config = Config::resolve(&args.experiment, &args.set, common.seed)?;
    let path = args.out.clone().unwrap_or_else(|| PathBuf::from(RUNS).join(config.run_name()));
    let folder = RunFolder::open(&path, Existing::from_flags(args.resume, args.force), &config)?;
    let data = dataset::open(&config, common)?;
    if let Some(row) = folder.finished_on(&data.sha256)? {
        output::note(common, &format!("{} holds this run, finished; --force runs it again", path.display()));
        return print(&row, &folder, common);
    }
    let outcome = run::run(&Job {
        config: &config,
        splits: &Splits::new(&data, &config)?,
        dataset_sha256: &data.sha256,
        folder: &folder,
        compute: &Compute::new(common)?,
        remark: "",
        frames: args.frames,
        common,
    })?;
    // Printed before anything is said of files: a full disk does not take a finished result away.
    print(&outcome.row, &folder, common)?;
    outcome.unwritten.map_or(Ok(()), Err)
}

fn print(row: &ResultRow, folder: &RunFolder, common: &Common) -> anyhow::Result<()> {
    if common.json {
        return output::result(&format!("{}\n", serde_json::to_string_pretty(&row.to_json())?));
    }
    output::result(&text(row, folder))
}

fn text(row: &ResultRow, folder: &RunFolder) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| writeln!(text, "{name:<12}{value}").expect("writing to memory");
    line("experiment", format!("{} ({}), data set {}, seed {}", row.experiment, row.task, row.dataset, row.seed));
    line("method", row.method.clone());
    let mut layer = Vec::new();
    let number = |value: Option<f64>| value.map(|value| value.to_string());
    let count = |value: Option<usize>| value.map(|value| value.to_string());
    for (value, before, after) in [
        (row.hidden.as_ref().map(ToString::to_string), "", " hidden units"),
        (number(row.p), "p ", ""),
        (count(row.k), "k ", ""),
        (number(row.delta), "delta ", ""),
        (row.epochs.map(|epochs| epochs.to_string()), "", " epochs"),
    ] {
        layer.extend(value.map(|value| format!("{before}{value}{after}")));
    }
    if !layer.is_empty() {
        line("layer", layer.join(", "));
    }
    for (name, error) in [
        ("train error", row.train_error_pct),
        ("validation", row.validation_error_pct),
        ("test error", row.test_error_pct),
        ("published", row.published_test_error_pct),
    ] {
        if let Some(error) = error {
            line(name, format!("{error:.2} %"));
        }
    }
    let mut units = Vec::new();
    for (count, what) in
        [(row.on_sphere, "on the sphere"), (row.negative_units, "negative"), (row.silent_units, "silent")]
    {
        if let Some(count) = count {
            units.push(format!("{count} {what}"));
        }
    }
    if !units.is_empty() {
        line("units", units.join(", "));
    }
    let mut times = Vec::new();
    if let (Some(learn_s), Some(epoch_ms)) = (row.learn_s, row.epoch_ms) {
        times.push(format!("layer {learn_s:.1} s ({epoch_ms:.0} ms an epoch)"));
    }
    if let Some(readout_s) = row.readout_s {
        times.push(format!("readout {readout_s:.1} s"));
    }
    if !times.is_empty() {
        line("time", times.join(", "));
    }
    line("folder", folder.path().display().to_string());
    text
}
