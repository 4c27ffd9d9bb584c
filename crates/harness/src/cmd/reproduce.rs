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
use crate::config::{Config, Protocol};
use crate::dataset::{self, Datasets};
use crate::env::Environment;
use crate::error::failure;
use crate::methods::paper;
use crate::output;
use crate::rows::ResultRow;
use crate::run::Existing;
use crate::sweep::definition::PARTS;
use crate::sweep::print::Printed;
use crate::sweep::run::{Prepared, Sweep};
use crate::sweep::{Definition, Point, Shard, grid};

/// One table or figure, spread out into its points.
struct Part {
    definition: Definition,
    points: Vec<Point>,
    source: Source,
    out: PathBuf,
}

/// What a sweep that is about one experiment runs on.
#[derive(Debug, Clone)]
struct Source {
    /// The experiment itself, or `synthetic` for it.
    experiment: String,
    /// Whether there is no data, so that the sweep is skipped.
    missing: bool,
    /// Why the data is another one, or missing; empty for the experiment's own.
    remark: String,
}

/// Runs the command.
pub(crate) fn run(args: &ReproduceArgs, common: &Common) -> anyhow::Result<()> {
    let protocol = if args.paper { Protocol::Paper } else { Protocol::Quick };
    let existing = Existing::from_flags(args.resume, args.force);
    let folder = args
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from(RUNS).join(format!("reproduce-{}-{}", args.what, protocol.name())));
    let definitions = definitions(args, protocol)?;
    let compute = Compute::new(common)?;
    let environment = Environment::collect(compute.core.kernels().name(), compute.core.threads());
    let record = |definition: &Definition| match args.record {
        true => Record::open(&definition.record_name(), environment.clone(), existing).map(Some),
        false => Ok(None),
    };
    let records = definitions.iter().map(record).collect::<anyhow::Result<Vec<_>>>()?;

    let mut data = Datasets::default();
    let mut sources: Vec<(String, Source)> = Vec::new();
    let mut parts = Vec::new();
    for mut definition in definitions {
        let source = find(&definition.base, &mut sources, &mut data, common)?;
        definition.rebase(&source.experiment);
        let points = grid::points(&definition, common.seed.unwrap_or(1))?;
        let out = match (definition.is_table, args.what == EVERYTHING) {
            (true, true) => folder.join(&definition.name).join("table.csv"),
            (true, false) => folder.join("table.csv"),
            (false, _) => folder.join(format!("{}.csv", definition.name)),
        };
        parts.push(Part { definition, points, source, out });
    }
    let mut prepared = Vec::new();
    for (part, record) in parts.iter().zip(&records) {
        let ready = part.prepare(existing, &data)?;
        if let (Some(record), Some(ready)) = (record, &ready) {
            ready.kept().try_for_each(|(row, folder)| record.refuse_other_revision(row, folder))?;
        }
        prepared.push(ready);
    }
    for (_, Source { remark, .. }) in sources.iter().filter(|(_, source)| !source.remark.is_empty()) {
        output::note(common, &format!("note: {remark}"));
    }

    let alone = parts.len() == 1;
    let (mut values, mut first_error) = (Vec::new(), None);
    for ((part, prepared), record) in parts.iter().zip(prepared).zip(&records) {
        let done = part.run(prepared, existing, &data, &compute, common).and_then(|(rows, finished)| {
            let taken: Vec<&Point> = part.points.iter().collect();
            let printed = part.printed(&taken, &rows, &data);
            // Printed before anything is said of files: a full disk does not take finished results away.
            values.push(printed.json()?);
            if !common.json {
                output::result(&format!("{}{}", printed.text()?, if alone { "" } else { "\n" }))?;
            }
            finished?;
            match record.as_ref().filter(|_| !part.source.missing) {
                Some(record) => record.write_rows(&rows, &part.definition.to_toml(), common),
                None => Ok(()),
            }
        });
        if let Err(error) = done {
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
            let mut methods = args.methods.clone();
            let mut seen = Vec::new();
            methods.retain(|method| {
                !seen.contains(method) && {
                    seen.push(*method);
                    true
                }
            });
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

/// Finds and opens the data of a named experiment, once.
fn find(
    experiment: &str,
    known: &mut Vec<(String, Source)>,
    data: &mut Datasets,
    common: &Common,
) -> anyhow::Result<Source> {
    if let Some((_, source)) = known.iter().find(|(known, _)| known == experiment) {
        return Ok(source.clone());
    }
    let mut open = |name: &str| data.open(&Config::resolve(name, &[], None)?, common).map(|_| name.to_owned());
    let (experiment_found, missing, remark) = match (open(experiment), experiment) {
        (Ok(own), _) => (own, false, String::new()),
        (Err(error), "mnist") if dataset::is_missing(&error) => {
            let remark = format!("synthetic digits instead of MNIST, which is not here: {error}");
            (open("synthetic")?, false, remark)
        }
        (Err(error), "cifar10") if dataset::is_missing(&error) => {
            (experiment.to_owned(), true, format!("skipped: CIFAR-10 is not here: {error}"))
        }
        (Err(error), _) => return Err(error),
    };
    let source = Source { experiment: experiment_found, missing, remark };
    known.push((experiment.to_owned(), source.clone()));
    Ok(source)
}

impl Part {
    fn sweep(&self, existing: Existing) -> Sweep<'_> {
        let Self { definition, points, source, out } = self;
        Sweep { definition, points, shard: Shard::WHOLE, out, existing, remark: &source.remark }
    }

    /// Looks at everything, and changes nothing; nothing to prepare where the data is missing.
    fn prepare(&self, existing: Existing, data: &Datasets) -> anyhow::Result<Option<Prepared<'_>>> {
        let sweep = self.sweep(existing);
        if self.source.missing { sweep.check_out().map(|()| None) } else { sweep.prepare(data).map(Some) }
    }

    /// Runs what is not finished, or writes down that it was skipped: the rows, and what went wrong though there are rows.
    fn run(
        &self,
        prepared: Option<Prepared<'_>>,
        existing: Existing,
        data: &Datasets,
        compute: &Compute,
        common: &Common,
    ) -> anyhow::Result<(Vec<ResultRow>, anyhow::Result<()>)> {
        output::note(common, &format!("{}: {}", self.definition.name, self.out.display()));
        let finished = match prepared {
            Some(prepared) => prepared.run(data, compute, common)?,
            None => self.sweep(existing).skip(&self.source.remark)?,
        };
        Ok(finished.conclude(&self.definition.name, &self.out))
    }

    fn printed<'a>(&'a self, points: &'a [&'a Point], rows: &'a [ResultRow], data: &'a Datasets) -> Printed<'a> {
        let Self { definition, points: all, source, out } = self;
        let data = if source.missing { None } else { data.get(&all[0].config).ok() };
        Printed { definition, points, rows, out, data, remark: &source.remark }
    }
}
