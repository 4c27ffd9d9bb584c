//! `rivalry sweep`: a grid of runs into one CSV file, and `sweep merge`: its shards back together.

use std::path::{Path, PathBuf};

use super::record::Record;
use crate::cli::{Common, SweepAction, SweepArgs};
use crate::compute::Compute;
use crate::config::{Assignment, Protocol};
use crate::dataset::Datasets;
use crate::env::Environment;
use crate::error::failure;
use crate::files;
use crate::output;
use crate::rows::to_csv;
use crate::run::Existing;
use crate::sweep::grid::Axis;
use crate::sweep::merge::{self, Manifest};
use crate::sweep::print::Printed;
use crate::sweep::run::Sweep;
use crate::sweep::{Definition, Shard};

pub(crate) fn run(args: &SweepArgs, common: &Common) -> anyhow::Result<()> {
    match (&args.action, &args.name, &args.out) {
        (Some(SweepAction::Merge { files, out }), _, _) => merge(files, out, common),
        (None, Some(name), Some(out)) => sweep(name, out, args, common),
        // clap asks for both.
        (None, _, _) => Err(failure("a sweep needs a name and --out", "see `rivalry sweep --help`")),
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
    let points = definition.points(common.seed.unwrap_or(1))?;
    let shard = args.shard.unwrap_or(Shard::WHOLE);
    let existing = Existing::from_flags(args.resume, args.force);
    let mut data = Datasets::default();
    for point in points.iter().filter(|point| shard.takes(point.number)) {
        data.open(&point.config, common)?;
    }
    let compute = &Compute::new(common)?;
    let (definition, points, data) = (&definition, &points[..], &data);
    let sweep = Sweep { definition, points, shard, out, existing, remark: "", skipped: false, data, compute, common };
    let prepared = sweep.prepare()?;
    let record = Record::open(args.record, &definition.record_name(), &Environment::of(compute), existing)?;
    Record::refuse_other_revisions(record.as_ref(), &prepared)?;
    let (rows, finished) = prepared.run()?;
    let printed = Printed { sweep, rows: &rows };
    // Printed before anything is said of failures: they do not take the other points away.
    output::result(&if common.json {
        let mut value = printed.json()?;
        value["shard"] = shard.to_string().into();
        format!("{}\n", serde_json::to_string_pretty(&value)?)
    } else {
        printed.points_text()?
    })?;
    finished?;
    record.map_or(Ok(()), |record| record.write_rows(&rows, &definition.to_toml(), common))
}

fn merge(paths: &[PathBuf], out: &Path, common: &Common) -> anyhow::Result<()> {
    let manifest = Manifest::path(out);
    if let Some(there) = [out, &manifest].into_iter().find(|path| path.exists()) {
        return Err(failure(format!("{} already exists", there.display()), "name another with --out, or remove it"));
    }
    files::check_writable(out)?;
    let (manifest, rows) = merge::merge(paths)?;
    manifest.write(out)?;
    files::write(out, to_csv(&rows).as_bytes())?;
    let failed = rows.iter().filter(|row| row.has_no_result()).count();
    if failed > 0 {
        output::note(common, &format!("note: {failed} of the points failed; `err` says why"));
    }
    let (sweep, points, files) = (manifest.sweep, rows.len(), paths.len());
    output::result(&if common.json {
        format!("{}\n", serde_json::json!({ "sweep": sweep, "points": points, "failed": failed }))
    } else {
        format!("{sweep}: {points} points of {files} files in {}\n", out.display())
    })
}
