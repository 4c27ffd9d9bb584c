//! `rivalry bench`: benchmarks that check their answers, and what is made of their results.

mod compare;
mod destination;
mod peers;
mod report;
mod run;
mod verify;

use serde_json::json;

use crate::bench::definition::{Case, Definition, Start, select};
use crate::cli::{BenchAction, BenchArgs, Common, Selection};
use crate::output;

/// Runs the command.
pub(crate) fn run(args: &BenchArgs, common: &Common) -> anyhow::Result<()> {
    match &args.action {
        BenchAction::List(selection) => list(selection, common),
        BenchAction::Run(args) => run::run(args, common),
        BenchAction::Verify(selection) => verify::run(selection, common),
        BenchAction::Cmp { before, after } => compare::run(before, after, common),
        BenchAction::Peers(args) => peers::run(args, common),
        BenchAction::Report { folder, splice } => report::run(folder.as_deref(), splice.as_deref(), common),
    }
}

fn list(selection: &Selection, common: &Common) -> anyhow::Result<()> {
    let cases = cases(selection, common)?;
    let text = if common.json {
        let cases: Vec<_> = cases.iter().map(|case| json!({ "name": case.name, "threads": case.threads })).collect();
        serde_json::to_string_pretty(&cases)? + "\n"
    } else {
        cases.iter().map(|case| format!("{:<32}{}\n", case.name, about(&case.definition))).collect()
    };
    output::result(&text)
}

/// The benchmarks that the flags name, on as many threads as they say.
fn cases(selection: &Selection, common: &Common) -> anyhow::Result<Vec<Case>> {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    select(selection, common.engine, common.threads.map_or_else(cores, usize::from))
}

/// A benchmark in a few words.
fn about(definition: &Definition) -> String {
    let mut words = vec![format!("{:?}", definition.kind).to_lowercase()];
    if let (Some(hidden), Some(inputs), Some(batch)) = (definition.hidden, definition.inputs, definition.batch) {
        words.push(format!("{hidden} units, {inputs} inputs, minibatch {batch}"));
    }
    if let (Some(p), Some(k)) = (definition.p, definition.k) {
        words.push(format!("p {p}, k {k}"));
    }
    if definition.start == Start::Settled {
        words.push("from a layer like one that has learned".to_owned());
    }
    if let Some(data) = definition.data {
        words.push(format!("data {}", format!("{data:?}").to_lowercase()));
    }
    words.join(", ")
}
