//! `rivalry bench verify`: the answer of every benchmark, checked once.

use std::fmt::Write;

use rivalry_core::Kernels;

use crate::bench::Sets;
use crate::bench::measure::{Verdict, verify};
use crate::cli::{Common, Selection};
use crate::failure::{Failure, failure};
use crate::output;

/// Runs the command.
pub(super) fn run(selection: &Selection, common: &Common) -> anyhow::Result<()> {
    let cases = super::cases(selection, common)?;
    let kernels = Kernels::named(common.isa.name())?;
    let mut sets = Sets::new(common);
    let (mut text, mut json, mut wrong, mut skipped) = (String::new(), Vec::new(), Vec::new(), 0);
    for case in &cases {
        let verdict = verify(case, kernels, &mut sets);
        let reason = verdict.text(case);
        let word = match &verdict {
            Verdict::Holds => "ok",
            Verdict::NoData(_) => "SKIPPED",
            Verdict::Differs(_) | Verdict::Failed(_) => "WRONG",
        };
        writeln!(text, "{}", format!("{word:<9}{:<32}{reason}", case.name).trim_end())?;
        json.push(serde_json::json!({ "name": case.name, "threads": case.threads, "verdict": word, "reason": reason }));
        match verdict {
            Verdict::Holds => {}
            Verdict::NoData(_) => skipped += 1,
            Verdict::Differs(_) | Verdict::Failed(_) => wrong.push(format!("{}: {reason}", case.name)),
        }
    }
    writeln!(text, "{} hold, {} wrong, {skipped} skipped", cases.len() - wrong.len() - skipped, wrong.len())?;
    output::result(&if common.json { serde_json::to_string_pretty(&json)? + "\n" } else { text })?;
    match wrong.first() {
        Some(first) => {
            let hint =
                "the same bits are expected everywhere: run the tests, or correct the definition if the rule changed";
            Err(anyhow::Error::new(Failure::gate(
                format!("{} of {} benchmarks: {first}", wrong.len(), cases.len()),
                hint,
            )))
        }
        None if skipped == cases.len() => {
            let message = "benchmarks: expected one that can be checked here, found no data for any";
            Err(failure(message, "`rivalry data fetch` gets data, or filter for those on generated data"))
        }
        None => Ok(()),
    }
}
