//! The end of a run: its row, and the files of its folder.
//!
//! Every file is tried, whatever happened to the others, and `result.csv` is written only when all of them are there: a
//! folder with that file is complete, and one without it is completed from its checkpoint by `--resume`.

use std::borrow::Cow;

use anyhow::Context;
use rivalry_core::Layer;
use rivalry_data::npy;
use safetensors::tensor::{Dtype, TensorView};
use sha2::{Digest, Sha256};

use super::learn::silent;
use super::{Job, Outcome, check_finite};
use crate::config::{Method, OffSphere};
use crate::dataset::Evaluated;
use crate::env::Environment;
use crate::plot::fields::{DEFAULT_UNITS, Tile, receptive_fields, shown};
use crate::plot::lines::{Epoch, error_curves};
use crate::rows::{self, MetricsRow, Phase, ResultRow, rounded};
use crate::run::checkpoint::Checkpoint;
use crate::run::{self, hex};
use crate::statistics::median;

/// Makes the row and writes the files.
pub(super) fn run(
    job: &Job<'_>,
    layer: Option<&Layer>,
    checkpoint: &Checkpoint,
    environment: &Environment,
) -> anyhow::Result<Outcome> {
    check_finite("weights", "the last epoch", &checkpoint.weights)?;
    let row = row(job, layer, checkpoint, environment)?;
    let mut unwritten = None;
    for (name, content) in files(job, layer, checkpoint) {
        let written = content.and_then(|content| job.folder.write(name, &content));
        unwritten = unwritten.or(written.err());
    }
    if unwritten.is_none() {
        unwritten = job.folder.write(run::RESULT, rows::to_csv(std::slice::from_ref(&row)).as_bytes()).err();
    }
    Ok(Outcome { row, unwritten })
}

type Content<'a> = anyhow::Result<Cow<'a, [u8]>>;

fn files<'a>(
    job: &'a Job<'_>,
    layer: Option<&'a Layer>,
    checkpoint: &'a Checkpoint,
) -> Vec<(&'static str, Content<'a>)> {
    let mut files: Vec<(&'static str, Content<'a>)> = vec![
        (run::METRICS, Ok(rows::to_csv(&checkpoint.metrics).into_bytes().into())),
        (run::TENSORS, tensors(job, layer, checkpoint).map(Cow::from)),
    ];
    if let Some(layer) = layer {
        let shape = [checkpoint.hidden, checkpoint.inputs];
        files.push((run::WEIGHTS, Ok(npy::write_f32(&shape, &checkpoint.weights).into())));
        files.push((run::FIELDS, fields(job, layer, checkpoint).map(Cow::from)));
    }
    if let Some(readout) = &checkpoint.readout {
        let shape = [job.splits.classes, readout.weights.len() / job.splits.classes];
        files.push((run::READOUT, Ok(npy::write_f32(&shape, &readout.weights).into())));
        files.push((run::CURVES, curves(job, &checkpoint.metrics).map(|svg| svg.into_bytes().into())));
    }
    files
}

fn row(
    job: &Job<'_>,
    layer: Option<&Layer>,
    checkpoint: &Checkpoint,
    environment: &Environment,
) -> anyhow::Result<ResultRow> {
    let experiment = job.experiment;
    let method = experiment.method;
    // Units of a network that knows no p-sphere are neither on nor off it.
    let diagnostics = layer.filter(|_| method.uses("p")).map(|layer| layer.diagnostics(experiment.p));
    let learned = method == Method::Biological && !checkpoint.epoch_ms.is_empty();
    let last = checkpoint.metrics.iter().rev().find(|row| row.phase != Phase::Unsupervised);
    let times = &checkpoint.epoch_ms;
    let test_error_pct = last.and_then(|row| row.test_error_pct);
    // A figure for the test set says nothing about held-out training examples.
    let published = experiment.published.as_ref().filter(|_| test_error_pct.is_some());
    let engine = job.engine()?.to_owned();
    Ok(ResultRow {
        train_samples: Some(job.splits.learn.samples()),
        train_error_pct: last.and_then(|row| row.train_error_pct),
        validation_error_pct: last.and_then(|row| row.validation_error_pct),
        test_error_pct,
        published_test_error_pct: published.map(|published| published.test_error_pct),
        published_source: published.map(|published| published.source.clone()).unwrap_or_default(),
        on_sphere: diagnostics.map(|counts| counts.on_sphere),
        negative_units: diagnostics.map(|counts| counts.negative_units),
        silent_units: learned.then(|| silent(&checkpoint.wins)),
        learn_s: (!times.is_empty()).then(|| rounded(times.iter().sum::<f64>() / 1e3)),
        readout_s: (checkpoint.phase == Phase::Readout && checkpoint.readout.is_some())
            .then(|| rounded(checkpoint.readout_s)),
        epoch_ms: median(times).map(rounded),
        epoch_first_ms: times.first().copied().map(rounded),
        epoch_last_ms: times.last().copied().map(rounded),
        engine,
        isa: environment.isa.clone(),
        threads: Some(environment.threads),
        cpu: environment.machine.cpu.clone(),
        revision: environment.build.revision.to_owned(),
        dirty: environment.build.dirty_cell().to_owned(),
        dataset_sha256: job.dataset_sha256.to_owned(),
        weights_sha256: layer.map(|_| hex(&Sha256::digest(little_endian(&checkpoint.weights)))).unwrap_or_default(),
        err: job.remark.to_owned(),
        ..ResultRow::of_settings(experiment)
    })
}

fn little_endian(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Both layers by name, as far as they are there. With `off_sphere = drop`, `units` holds the hidden units that the
/// columns of the readout are for.
fn tensors(job: &Job<'_>, layer: Option<&Layer>, checkpoint: &Checkpoint) -> anyhow::Result<Vec<u8>> {
    let mut tensors = Vec::new();
    if layer.is_some() {
        let weights = little_endian(&checkpoint.weights);
        tensors.push(("weights", Dtype::F32, vec![checkpoint.hidden, checkpoint.inputs], weights));
    }
    if let Some(readout) = &checkpoint.readout {
        let shape = vec![job.splits.classes, readout.weights.len() / job.splits.classes];
        tensors.push(("readout", Dtype::F32, shape, little_endian(&readout.weights)));
        if job.experiment.off_sphere == OffSphere::Drop
            && let Some(layer) = layer.filter(|_| job.experiment.method.uses("off_sphere"))
        {
            let units = layer.converged(job.experiment.p);
            let bytes = units.iter().flat_map(|&unit| (unit as u32).to_le_bytes()).collect();
            tensors.push(("units", Dtype::U32, vec![units.len()], bytes));
        }
    }
    let views = tensors.iter().map(|(name, dtype, shape, data)| {
        (*name, TensorView::new(*dtype, shape.clone(), data).expect("shapes are those of the values"))
    });
    safetensors::serialize(views, None).context("cannot encode weights.safetensors")
}

fn fields(job: &Job<'_>, layer: &Layer, checkpoint: &Checkpoint) -> anyhow::Result<Vec<u8>> {
    let shape = job.splits.shape;
    let tile = Tile::image(shape.height, shape.width, shape.channels);
    let converged = if job.experiment.method.uses("p") { layer.converged(job.experiment.p) } else { Vec::new() };
    let units = shown(&converged, checkpoint.hidden, DEFAULT_UNITS);
    receptive_fields(&checkpoint.weights, checkpoint.inputs, tile, &units)
}

fn curves(job: &Job<'_>, metrics: &[MetricsRow]) -> anyhow::Result<String> {
    let points: Vec<Epoch> = metrics
        .iter()
        .filter(|row| row.phase != Phase::Unsupervised)
        .map(|row| Epoch {
            epoch: row.epoch,
            train_error_pct: row.train_error_pct,
            held_out_error_pct: row.test_error_pct.or(row.validation_error_pct),
        })
        .collect();
    let held_out = match job.splits.evaluated {
        Evaluated::Test => "test",
        Evaluated::Validation => "validation",
    };
    let experiment = job.experiment;
    let units = match experiment.method {
        Method::Shallow => "no hidden units".to_owned(),
        _ => format!("{} hidden units", experiment.hidden),
    };
    let (method, epochs) = match experiment.method {
        Method::Biological => (String::new(), "readout epoch"),
        method if method.is_end_to_end() => (format!("{method}, "), "epoch"),
        method => (format!("{method}, "), "readout epoch"),
    };
    let title = format!("{}, {method}{units}, seed {}", experiment.experiment, experiment.seed);
    error_curves(&title, &points, held_out, epochs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_of_little_endian_floats() {
        assert_eq!(little_endian(&[1.0, -2.0]), [0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]);
    }
}
