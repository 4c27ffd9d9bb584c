//! `rivalry sweep`: a grid of runs into one CSV file, and `sweep merge`: its shards back together.

use std::path::{Path, PathBuf};

use super::record::Record;
use crate::cli::{Common, SweepAction, SweepArgs};
use crate::compute::Compute;
use crate::config::{Assignment, Protocol};
use crate::dataset::Datasets;
use crate::env::Environment;
use crate::failure::failure;
use crate::output;
use crate::rows::to_csv;
use crate::run::{Existing, files};
use crate::sweep::grid::{self, Axis};
use crate::sweep::run::{Finished, Sweep};
use crate::sweep::sheet::Sheet;
use crate::sweep::{Definition, Point, Shard, merge, summary};

/// Runs the command.
pub(crate) fn run(args: &SweepArgs, common: &Common) -> anyhow::Result<()> {
    match (&args.action, &args.name, &args.out) {
        (Some(SweepAction::Merge { files, out }), _, _) => merge(files, out, common),
        (None, Some(name), Some(out)) => sweep(name, out, args, common),
        // clap asks for both; without them there is nothing to name in the message.
        (None, _, _) => Err(failure("sweep: expected a name and --out, found fewer", "see `rivalry sweep --help`")),
    }
}

fn sweep(name: &str, out: &Path, args: &SweepArgs, common: &Common) -> anyhow::Result<()> {
    let protocol = if args.quick { Protocol::Quick } else { Protocol::Paper };
    let mut definition = Definition::load(name, protocol)?;
    definition.set(args.set.iter().map(|set| Assignment::parse(set, "--set")).collect::<anyhow::Result<_>>()?);
    if !args.vary.is_empty() {
        definition.axes = args.vary.iter().map(|vary| Axis::parse(vary)).collect::<anyhow::Result<_>>()?;
    }
    definition.seeds = args.seeds.unwrap_or(definition.seeds);
    let points = grid::points(&definition, common.seed.unwrap_or(1))?;
    let shard = args.shard.unwrap_or(Shard::WHOLE);
    let mut data = Datasets::default();
    for point in points.iter().filter(|point| shard.takes(point.number)) {
        data.open(&point.experiment, common)?;
    }
    let existing = Existing::from_flags(args.resume, args.force);
    let compute = Compute::new(common)?;
    let opened = Sweep { name: &definition.name, points: &points, shard, out, existing, remark: "" }.open(&data)?;
    let record = match args.record {
        true => {
            let environment = Environment::collect(compute.core.kernels().name(), compute.core.threads());
            let record = Record::open(&format!("{}-{}", definition.name, protocol.name()), environment, existing)?;
            opened.kept().try_for_each(|(row, folder)| record.refuse_other_revision(row, folder))?;
            Some(record)
        }
        false => None,
    };
    let taken: Vec<&Point> = opened.points().collect();
    let finished = opened.run(&data, &compute, common)?;
    let rows = taken.iter().copied().zip(&finished.rows);
    let summaries = summary::summaries(rows);
    // Printed before anything is said of failures: they do not take the other points away.
    output::result(&if common.json {
        let value = serde_json::json!({
            "sweep": definition.name,
            "protocol": protocol.name(),
            "shard": shard.to_string(),
            "points": summaries,
            "rows": finished.rows,
        });
        format!("{}\n", serde_json::to_string_pretty(&value)?)
    } else {
        let held_out = finished.rows.iter().any(|row| row.validation_error_pct.is_some());
        format!("{}rows: {}\n", summary::table(&summaries, held_out), out.display())
    })?;
    let rows = finished.rows.clone();
    conclude(&definition.name, finished, &out.display().to_string())?;
    record.map_or(Ok(()), |record| record.write_rows(&rows, common))
}

/// The error of a sweep some of whose points failed, or some of whose files could not be written.
pub(super) fn conclude(name: &str, finished: Finished, place: &str) -> anyhow::Result<()> {
    if let Some(label) = finished.failed.first() {
        let (all, failed) = (finished.rows.len(), finished.failed.len());
        let message =
            format!("sweep {name}: expected {all} points that succeed, found {failed} that failed, first {label}");
        return Err(failure(message, format!("`err` in {place} says why; --resume tries them again")));
    }
    finished.unwritten.map_or(Ok(()), Err)
}

fn merge(paths: &[PathBuf], out: &Path, common: &Common) -> anyhow::Result<()> {
    for path in [out, &Sheet::path(out)] {
        if path.exists() {
            let message = format!("output {}: expected a new file, found one that is there", path.display());
            return Err(failure(message, "name another with --out, or remove it"));
        }
    }
    files::check_writable(out)?;
    let merged = merge::merge(paths)?;
    merged.sheet.write(out)?;
    files::write(out, to_csv(&merged.rows).as_bytes())?;
    let failed = merged.rows.iter().filter(|row| row.has_no_result()).count();
    if failed > 0 {
        output::note(common, &format!("note: {failed} of the points failed; `err` says why"));
    }
    let (points, files) = (merged.rows.len(), paths.len());
    output::result(&if common.json {
        format!("{}\n", serde_json::json!({ "sweep": merged.sheet.sweep, "points": points, "failed": failed }))
    } else {
        format!("{}: {points} points of {files} files in {}\n", merged.sheet.sweep, out.display())
    })
}
