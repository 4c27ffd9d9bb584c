//! `rivalry reproduce`: the paper's tables and figures, ours beside the published numbers.
//!
//! 1. Open the data of every sweep once. MNIST that is nowhere and cannot be fetched is replaced by the synthetic digits;
//!    CIFAR-10 has no substitute, so what needs it is skipped. Either is said, never silent.
//! 2. Look at every folder, file and place of a record before the first minute is spent.
//! 3. Run sweep after sweep. Each is printed when it is done; with `--record` its rows also go to `bench-results/`.
//!
//! One sweep that fails does not take the others away: they are run, and the first error ends the program.

use std::path::PathBuf;

use super::record::Record;
use super::train::RUNS;
use crate::cli::{Common, EVERYTHING, ReproduceArgs};
use crate::compute::Compute;
use crate::config::{Config, Method, Protocol};
use crate::dataset::{self, Datasets};
use crate::env::Environment;
use crate::error::failure;
use crate::methods::paper;
use crate::output;
use crate::run::Existing;
use crate::sweep::definition::PARTS;
use crate::sweep::print::Printed;
use crate::sweep::run::{Prepared, Sweep};
use crate::sweep::{Definition, Point, Shard};

/// One table or figure, spread out into its points.
struct Part {
    definition: Definition,
    points: Vec<Point>,
    source: Source,
    out: PathBuf,
    record: Option<Record>,
}

/// What a sweep that is about one experiment runs on.
#[derive(Clone)]
struct Source {
    asked: String,
    /// The experiment that was asked for, or `synthetic` for it.
    found: String,
    /// Whether there is no data, so that the sweep is skipped.
    missing: bool,
    /// Why the data is another one, or missing; empty for the experiment's own.
    remark: String,
}

pub(crate) fn run(args: &ReproduceArgs, common: &Common) -> anyhow::Result<()> {
    let protocol = if args.paper { Protocol::Paper } else { Protocol::Quick };
    let existing = Existing::from_flags(args.resume, args.force);
    let folder = args
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from(RUNS).join(format!("reproduce-{}-{}", args.what, protocol.name())));
    let definitions = definitions(args, protocol)?;
    let compute = &Compute::new(common)?;
    let environment = Environment::of(compute);
    let record = |definition: &Definition| Record::open(args.record, &definition.record_name(), &environment, existing);
    let records = definitions.iter().map(record).collect::<anyhow::Result<Vec<_>>>()?;

    let mut data = Datasets::default();
    let (mut sources, mut parts): (Vec<Source>, _) = (Vec::new(), Vec::new());
    for (mut definition, record) in definitions.into_iter().zip(records) {
        let source = match sources.iter().find(|source| source.asked == definition.base) {
            Some(source) => source.clone(),
            None => {
                let source = find(&definition.base, &mut data, common)?;
                sources.push(source.clone());
                source
            }
        };
        definition.base.clone_from(&source.found);
        let points = definition.points(common.seed.unwrap_or(1))?;
        let out = match (definition.is_table, args.what == EVERYTHING) {
            (true, true) => folder.join(&definition.name).join("table.csv"),
            (true, false) => folder.join("table.csv"),
            (false, _) => folder.join(format!("{}.csv", definition.name)),
        };
        parts.push(Part { definition, points, source, out, record });
    }
    let mut prepared: Vec<Prepared<'_>> = Vec::new();
    for Part { definition, points, source, out, record } in &parts {
        let (data, shard, remark, skipped) = (&data, Shard::WHOLE, &source.remark, source.missing);
        let sweep = Sweep { definition, points, shard, out, existing, remark, skipped, data, compute, common };
        let ready = sweep.prepare()?;
        Record::refuse_other_revisions(record.as_ref(), &ready)?;
        prepared.push(ready);
    }
    for Source { remark, .. } in sources.iter().filter(|source| !source.remark.is_empty()) {
        output::note(common, &format!("note: {remark}"));
    }

    let alone = parts.len() == 1;
    let (mut values, mut first_error) = (Vec::new(), None);
    for (part, prepared) in parts.iter().zip(prepared) {
        let run = || -> anyhow::Result<()> {
            output::note(common, &format!("{}: {}", part.definition.name, part.out.display()));
            let sweep = prepared.sweep;
            let (rows, finished) = prepared.run()?;
            let printed = Printed { sweep, rows: &rows };
            // Printed before anything is said of files: a full disk does not take finished results away.
            values.push(printed.json()?);
            if !common.json {
                output::result(&format!("{}{}", printed.text()?, if alone { "" } else { "\n" }))?;
            }
            finished?;
            match part.record.as_ref().filter(|_| !part.source.missing) {
                Some(record) => record.write_rows(&rows, &part.definition.to_toml(), common),
                None => Ok(()),
            }
        };
        if let Err(error) = run() {
            if !alone {
                output::note(common, &format!("failed: {error:#}"));
            }
            first_error = first_error.or(Some(error));
        }
    }
    if common.json && !values.is_empty() {
        let whole = if alone { values.remove(0) } else { serde_json::json!({ "parts": values }) };
        output::result(&format!("{}\n", serde_json::to_string_pretty(&whole)?))?;
    }
    first_error.map_or(Ok(()), Err)
}

/// The sweeps that were asked for, with their methods and seeds.
fn definitions(args: &ReproduceArgs, protocol: Protocol) -> anyhow::Result<Vec<Definition>> {
    let parts = PARTS.iter().filter(|part| args.what == EVERYTHING || args.what == part.name);
    let mut definitions = Vec::new();
    for name in parts.flat_map(|part| part.sweeps()) {
        let mut definition = Definition::named(name, protocol)?;
        definition.seeds = args.seeds.unwrap_or(definition.seeds);
        if definition.is_table {
            let mut methods: Vec<Method> = Vec::new();
            for method in &args.methods {
                if !methods.contains(method) {
                    methods.push(*method);
                }
            }
            match (methods.is_empty(), args.what == EVERYTHING) {
                // Everything holds all methods of the tables, a table alone the paper's method.
                (true, true) => {}
                (true, false) => definition.vary_method(&[paper()]),
                (false, _) => definition.vary_method(&methods),
            }
        } else if !args.methods.is_empty() && args.what != EVERYTHING {
            let message = format!("--methods applies to tables, not to the sweep {}", args.what);
            return Err(failure(message, "a sweep says itself which methods it runs; leave --methods out"));
        }
        definitions.push(definition);
    }
    Ok(definitions)
}

/// Finds and opens the data of a named experiment.
fn find(asked: &str, data: &mut Datasets, common: &Common) -> anyhow::Result<Source> {
    let mut open = |name: &str| data.open(&Config::resolve(name, &[], None)?, common).map(|_| name.to_owned());
    let (found, missing, remark) = match (open(asked), asked) {
        (Ok(own), _) => (own, false, String::new()),
        (Err(error), "mnist") if dataset::is_missing(&error) => {
            let remark = format!("synthetic digits instead of MNIST, which is not here: {error}");
            (open("synthetic")?, false, remark)
        }
        (Err(error), "cifar10") if dataset::is_missing(&error) => {
            (asked.to_owned(), true, format!("skipped: CIFAR-10 is not here: {error}"))
        }
        (Err(error), _) => return Err(error),
    };
    Ok(Source { asked: asked.to_owned(), found, missing, remark })
}
