//! `rivalry reproduce`: the paper's tables and figures, ours beside the published numbers.
//!
//! 1. Open the data of every part once, and say what is replaced or skipped ([`sources`]).
//! 2. Look at every folder, file and place of a record before the first minute is spent.
//! 3. Part after part: a table is one run for each method and seed ([`runs`]), a figure is a sweep ([`figure`]). Each is
//!    printed when it is done; with `--record` its rows also go to `bench-results/`.
//!
//! One part that fails does not take the others away: they are run, and the first error ends the program.

mod figure;
mod runs;
mod sources;
mod table;

use std::path::PathBuf;

use super::record::Record;
use super::train::RUNS;
use crate::cli::{Common, ReproduceArgs, Reproducible};
use crate::compute::Compute;
use crate::config::{Method, Protocol};
use crate::env::Environment;
use crate::failure::failure;
use crate::output;
use crate::rows::ResultRow;
use crate::run::Existing;
use crate::sweep::run::Opened;
use figure::Figure;
use runs::Runs;
use sources::Sources;

/// What was asked for.
struct Plan<'a> {
    args: &'a ReproduceArgs,
    common: &'a Common,
    protocol: Protocol,
    methods: Vec<Method>,
    first_seed: u64,
    existing: Existing,
}

/// A part that is done.
struct Printed {
    text: String,
    json: serde_json::Value,
    rows: Vec<ResultRow>,
    /// What went wrong, though there are rows.
    error: Option<anyhow::Error>,
    /// False where nothing was run.
    recordable: bool,
}

/// A part that may begin.
enum Ready<'a> {
    Table(Runs<'a>),
    Figure(&'a Figure, Option<Opened<'a>>),
}

/// Runs the command.
pub(crate) fn run(args: &ReproduceArgs, common: &Common) -> anyhow::Result<()> {
    let plan = Plan::new(args, common)?;
    let compute = Compute::new(common)?;
    let environment = Environment::collect(compute.core.kernels().name(), compute.core.threads());
    let (tables, sweeps) = args.what.parts();
    let folder = args.out.clone().unwrap_or_else(|| {
        PathBuf::from(RUNS).join(format!("reproduce-{}-{}", args.what.name(), plan.protocol.name()))
    });
    let record = |part: &str| match args.record {
        true => Record::open(&format!("{part}-{}", plan.protocol.name()), environment.clone(), plan.existing).map(Some),
        false => Ok(None),
    };
    let records = tables.iter().chain(&sweeps).map(|part| record(part)).collect::<anyhow::Result<Vec<_>>>()?;

    let mut sources = Sources::default();
    let found = tables.iter().map(|table| sources.find(table, common)).collect::<anyhow::Result<Vec<_>>>()?;
    let figures = sweeps.iter().map(|sweep| Figure::new(sweep, &folder, &plan, &mut sources));
    let figures = figures.collect::<anyhow::Result<Vec<_>>>()?;
    let mut ready = Vec::new();
    for (&table, source) in tables.iter().zip(found) {
        let folder = if args.what == Reproducible::All { folder.join(table) } else { folder.clone() };
        ready.push(Ready::Table(Runs::open(table, &folder, &plan, source, &sources)?));
    }
    for (figure, record) in figures.iter().zip(&records[tables.len()..]) {
        ready.push(Ready::Figure(figure, figure.open(&sources, record.as_ref())?));
    }
    sources.announce(common);

    let (mut values, mut first_error) = (Vec::new(), None);
    let alone = ready.len() == 1;
    for (part, record) in ready.into_iter().zip(&records) {
        let done = match part {
            Ready::Table(runs) => runs.run(&compute, record.as_ref(), common),
            Ready::Figure(figure, opened) => figure.run(opened, &sources, &compute, common),
        };
        let recorded = done.and_then(|done| {
            // Printed before anything is said of files: a full disk does not take finished results away.
            if !common.json {
                output::result(&if alone { done.text } else { format!("{}\n", done.text) })?;
            }
            values.push(done.json);
            match (done.error, record) {
                (Some(error), _) => Err(error),
                (None, Some(record)) if done.recordable => record.write_rows(&done.rows, common),
                (None, _) => Ok(()),
            }
        });
        if let Err(error) = recorded {
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

impl<'a> Plan<'a> {
    fn new(args: &'a ReproduceArgs, common: &'a Common) -> anyhow::Result<Self> {
        let protocol = if args.paper { Protocol::Paper } else { Protocol::Quick };
        if args.what.parts().0.is_empty() && !args.methods.is_empty() {
            let message = format!("--methods: expected with a table, found with {}", args.what.name());
            return Err(failure(message, "a sweep says itself which methods it runs; leave --methods out"));
        }
        let methods = match args.methods.is_empty() {
            true => runs::default_methods(args.what == Reproducible::All, protocol),
            false => args.methods.clone(),
        };
        let existing = Existing::from_flags(args.resume, args.force);
        Ok(Self { args, common, protocol, methods, first_seed: common.seed.unwrap_or(1), existing })
    }
}
