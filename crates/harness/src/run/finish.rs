//! The end of a run: its row, and the files of its folder.
//!
//! Every file is tried, whatever happened to the others, and `result.csv` is written only when all of them are there: a
//! folder with that file is complete, and one without it is completed from its checkpoint by `--resume`.

use anyhow::Context;
use rivalry_core::Layer;
use rivalry_data::{Order, Shape, npy};
use rivalry_nets::{Tensor, Values};
use sha2::{Digest, Sha256};

use super::checkpoint::Checkpoint;
use super::epochs::check_finite;
use super::tensors::{first_layer, trained};
use super::{CONFUSION, CURVES, FIELDS, Job, METRICS, Outcome, READOUT, RESULT, TENSORS, WEIGHTS};
use crate::dataset::Evaluated;
use crate::env::Environment;
use crate::files::hex;
use crate::methods::paper;
use crate::network::{Network, confusion_csv};
use crate::plot::fields::{DEFAULT_UNITS, Tile, receptive_fields, shown};
use crate::plot::lines::{Epoch, error_curves};
use crate::rows::{MetricsRow, Phase, ResultRow, rounded, to_csv};
use crate::statistics::median;

/// Makes the row and writes the files.
pub(super) fn run(job: &Job<'_>, checkpoint: &Checkpoint, environment: &Environment) -> anyhow::Result<Outcome> {
    check_finite(&checkpoint.state, "the last epoch")?;
    let layer = first_layer(&checkpoint.state)?;
    let row = row(job, layer.as_ref(), checkpoint, environment)?;
    let mut unwritten = None;
    for (name, content) in files(job, layer.as_ref(), checkpoint) {
        let written = content.and_then(|content| job.folder.write(name, &content));
        unwritten = unwritten.or(written.err());
    }
    if unwritten.is_none() {
        unwritten = job.folder.write(RESULT, to_csv(std::slice::from_ref(&row)).as_bytes()).err();
    }
    Ok(Outcome { row, unwritten })
}

fn files(
    job: &Job<'_>,
    layer: Option<&Layer>,
    checkpoint: &Checkpoint,
) -> Vec<(&'static str, anyhow::Result<Vec<u8>>)> {
    let shape = job.config.method.fields_shape(job.config, job.splits.shape);
    let mut files =
        vec![(METRICS, Ok(to_csv(&checkpoint.metrics).into_bytes())), (TENSORS, Ok(trained(checkpoint, shape)))];
    if let Some(layer) = layer {
        let sphere = job.config.method.has_sphere().then_some(job.config.p);
        files.push((WEIGHTS, Ok(npy::write_f32(&[layer.hidden(), layer.inputs()], &layer.to_rows()))));
        files.push((FIELDS, draw_fields(layer, shape, sphere).map(|(png, _)| png)));
    }
    if let Some(Tensor { shape, values: Values::F32(values) }) = checkpoint.state.tensors.get("readout") {
        files.push((READOUT, Ok(npy::write_f32(shape, values))));
    }
    if checkpoint.metrics.iter().any(|row| row.phase != Phase::Unsupervised) {
        files.push((CURVES, curves(job, &checkpoint.metrics).map(String::into_bytes)));
        files.push((CONFUSION, confusion(job, checkpoint).map(String::into_bytes)));
    }
    files
}

fn row(
    job: &Job<'_>,
    layer: Option<&Layer>,
    checkpoint: &Checkpoint,
    environment: &Environment,
) -> anyhow::Result<ResultRow> {
    let config = job.config;
    let measured = checkpoint.metrics.iter().rev().find(|row| row.on_sphere.is_some());
    let [on_sphere, negative_units, silent_units] = match (measured, layer) {
        // Of several layers, the one that learned last.
        (Some(row), _) => [row.on_sphere, row.negative_units, row.silent_units],
        (None, Some(layer)) if config.method.has_sphere() => {
            let counts = layer.diagnostics(config.p);
            [Some(counts.on_sphere), Some(counts.negative_units), None]
        }
        // Units of a network that knows no p-sphere are neither on nor off it.
        _ => [None; 3],
    };
    let last = checkpoint.metrics.iter().rev().find(|row| row.phase != Phase::Unsupervised);
    let times = &checkpoint.epoch_ms;
    let test_error_pct = last.and_then(|row| row.test_error_pct);
    // A figure for the test set says nothing about held-out training samples.
    let published = config.published.as_ref().filter(|_| test_error_pct.is_some());
    let read_out = checkpoint.phase == Phase::Readout && checkpoint.state.tensors.contains_key("readout");
    let digest = |layer: &Layer| {
        let bytes: Vec<u8> = layer.to_rows().iter().flat_map(|weight| weight.to_le_bytes()).collect();
        hex(&Sha256::digest(bytes))
    };
    Ok(ResultRow {
        train_samples: Some(job.splits.learn.samples()),
        train_error_pct: last.and_then(|row| row.train_error_pct),
        validation_error_pct: last.and_then(|row| row.validation_error_pct),
        test_error_pct,
        published_test_error_pct: published.map(|published| published.test_error_pct),
        published_source: published.map(|published| published.source.clone()).unwrap_or_default(),
        on_sphere,
        negative_units,
        silent_units,
        learn_s: (!times.is_empty()).then(|| rounded(times.iter().sum::<f64>() / 1e3)),
        readout_s: read_out.then(|| rounded(checkpoint.readout_s)),
        epoch_ms: median(times).map(rounded),
        epoch_first_ms: times.first().copied().map(rounded),
        epoch_last_ms: times.last().copied().map(rounded),
        engine: config.method.engine(job)?.to_owned(),
        isa: environment.isa.clone(),
        threads: Some(environment.threads),
        cpu: environment.machine.cpu.clone(),
        revision: checkpoint.revisions.join("+"),
        dirty: environment.build.dirty_cell().to_owned(),
        dataset_sha256: job.dataset_sha256.to_owned(),
        weights_sha256: layer.map(digest).unwrap_or_default(),
        err: job.remark.to_owned(),
        ..ResultRow::of_settings(config)
    })
}

/// The receptive fields of the first units, of those on the p-sphere where there is one; and how many are shown.
///
/// # Errors
/// The picture cannot be encoded, or the shape does not fit.
pub(crate) fn draw_fields(layer: &Layer, shape: Shape, p: Option<f64>) -> anyhow::Result<(Vec<u8>, usize)> {
    let converged = p.map(|p| layer.converged(p)).unwrap_or_default();
    let units = shown(&converged, layer.hidden(), DEFAULT_UNITS);
    let (rows, tile) = planes(layer, shape);
    let png = receptive_fields(&rows, layer.inputs(), tile, &units).context("cannot draw the receptive fields")?;
    Ok((png, units.len()))
}

/// The weights as pictures are drawn from them, plane after plane, and the tile of a unit.
pub(super) fn planes(layer: &Layer, shape: Shape) -> (Vec<f32>, Tile) {
    let mut rows = layer.to_rows();
    if shape.order == Order::Pixels && shape.channels > 1 {
        let pixels = shape.height * shape.width;
        for row in rows.chunks_exact_mut(layer.inputs()) {
            let of = |input: usize| row[input % pixels * shape.channels + input / pixels];
            let planes: Vec<f32> = (0..row.len()).map(of).collect();
            row.copy_from_slice(&planes);
        }
    }
    // Inputs that are no image are wrapped into rows.
    let tile = match shape.height {
        1 => Tile::guess(layer.inputs()),
        _ => Tile::image(shape.height, shape.width, shape.channels),
    };
    (rows, tile)
}

/// How the classes of the evaluated samples are confused by the trained network.
fn confusion(job: &Job<'_>, checkpoint: &Checkpoint) -> anyhow::Result<String> {
    let evaluate = &job.splits.evaluate;
    let network = Network::new(job.config.clone(), checkpoint.state.clone())?;
    let (predicted, _) = network.predict(&job.compute.core, evaluate)?;
    Ok(confusion_csv(evaluate.labels(), &predicted, job.splits.classes))
}

fn curves(job: &Job<'_>, metrics: &[MetricsRow]) -> anyhow::Result<String> {
    let evaluated = metrics.iter().filter(|row| row.phase != Phase::Unsupervised);
    let point = |row: &MetricsRow| Epoch {
        epoch: row.epoch,
        train_error_pct: row.train_error_pct,
        held_out_error_pct: row.test_error_pct.or(row.validation_error_pct),
    };
    let held_out = match job.splits.evaluated {
        Evaluated::Test => "test",
        Evaluated::Validation => "validation",
    };
    let config = job.config;
    let units = if config.method.uses("hidden") { config.hidden.to_string() } else { "no".to_owned() };
    let method = if config.method == paper() { String::new() } else { format!("{}, ", config.method) };
    let epochs = if config.method.phases().contains(&Phase::Readout) { "readout epoch" } else { "epoch" };
    let title = format!("{}, {method}{units} hidden units, seed {}", config.experiment, config.seed);
    error_curves(&title, &evaluated.map(point).collect::<Vec<_>>(), held_out, epochs)
}
