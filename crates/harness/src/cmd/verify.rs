//! `rivalry verify`: the accuracy gate, short sweeps whose errors are compared with recorded ones.

use std::path::Path;

use super::train::RUNS;
use crate::cli::{Common, VerifyArgs};
use crate::compute::Compute;
use crate::dataset::{self, Datasets};
use crate::error::{Failure, failure};
use crate::output;
use crate::rows::rounded;
use crate::run::Existing;
use crate::statistics::MeanSd;
use crate::summary::{Source, Summary};
use crate::sweep::gate::{Gate, Verdict};
use crate::sweep::run::Sweep;
use crate::sweep::{Definition, Point, Shard};
use crate::table::{Align, EMPTY, Table};

/// A gate and its points.
struct Planned<'a> {
    gate: &'a Gate,
    definition: Definition,
    points: Vec<Point>,
    /// Why it cannot be run here, if it cannot.
    missing: Option<String>,
}

/// Runs the command.
pub(crate) fn run(args: &VerifyArgs, common: &Common) -> anyhow::Result<()> {
    let gates = Gate::load(args.baseline.as_deref())?;
    let mut data = Datasets::default();
    // Every gate is found to be in order before the first run.
    let mut planned = Vec::new();
    for gate in &gates {
        let (definition, points) = gate.points()?;
        let missing = match data.open(&points[0].config, common) {
            Ok(_) => None,
            Err(error) if dataset::is_missing(&error) => Some(error.to_string()),
            Err(error) => return Err(error),
        };
        planned.push(Planned { gate, definition, points, missing });
    }
    if let Some(missing) = planned[0].missing.as_ref().filter(|_| planned.iter().all(|one| one.missing.is_some())) {
        return Err(failure(format!("no gate can be run here: {missing}"), "`rivalry data fetch` gets data"));
    }
    let compute = Compute::new(common)?;
    let columns = ["seeds", "recorded %", "allowed %", "found %"].map(|name| (name, Align::Right));
    let columns = [("gate", Align::Left)].into_iter().chain(columns).chain([("verdict", Align::Left)]);
    let (mut table, mut json, mut worse) = (Table::new(columns), Vec::new(), None);
    for planned in &planned {
        let found = planned.run(&data, &compute, common)?;
        let verdict = found.as_ref().map(|found| planned.gate.judge(found));
        table.row(planned.line(found.as_deref(), verdict));
        json.push(planned.json(found.as_deref(), verdict));
        if verdict == Some(Verdict::Worse) {
            worse = worse.or(Some((planned.gate, found)));
        }
    }
    output::result(&if common.json { serde_json::to_string_pretty(&json)? + "\n" } else { table.markdown() })?;
    let Some((gate, found)) = worse else { return Ok(()) };
    let found = found.as_deref().and_then(MeanSd::of).map_or("none".to_owned(), MeanSd::text);
    let message = format!("gate {}: the error is {found} %, allowed are {:.2} %", gate.name, gate.allowed_pct());
    let hint =
        "find out what changed the quality; if it is meant to be so, correct the recorded errors of the baseline";
    Err(anyhow::Error::new(Failure::gate(message, hint)))
}

impl Planned<'_> {
    /// The test error of each seed; nothing where the data is missing.
    fn run(&self, data: &Datasets, compute: &Compute, common: &Common) -> anyhow::Result<Option<Vec<f64>>> {
        let name = &self.gate.name;
        if let Some(missing) = &self.missing {
            output::note(common, &format!("note: gate {name} is skipped: {missing}"));
            return Ok(None);
        }
        let out = Path::new(RUNS).join("verify").join(format!("{name}.csv"));
        output::note(common, &format!("gate {name}: {}", out.display()));
        let (definition, points, existing) = (&self.definition, &self.points[..], Existing::Replace);
        let sweep = Sweep { definition, points, shard: Shard::WHOLE, out: &out, existing, remark: "" };
        let (rows, finished) = sweep.prepare(data)?.run(data, compute, common)?.conclude(name, &out);
        finished?;
        let place = out.to_str().unwrap_or_default();
        let summary = Summary::of(rows.iter().map(|row| Source { row, place }))?;
        let error_of = |seed: &u64| {
            let own = summary.iter().flat_map(Summary::results).find(|row| row.seed == *seed);
            own.and_then(|row| row.test_error_pct).unwrap_or(f64::NAN)
        };
        Ok(Some(self.gate.seeds.iter().map(error_of).collect()))
    }

    fn line(&self, found: Option<&[f64]>, verdict: Option<Verdict>) -> Vec<String> {
        let verdict = match verdict {
            None => "SKIPPED, no data",
            Some(Verdict::Same) => "same in every seed",
            Some(Verdict::Within) => "within",
            Some(Verdict::Better) => "better: the baseline is out of date",
            Some(Verdict::Worse) => "WORSE",
        };
        vec![
            self.gate.name.clone(),
            self.gate.seeds.len().to_string(),
            self.gate.recorded().text(),
            format!("{:.2}", self.gate.allowed_pct()),
            found.and_then(MeanSd::of).map_or(EMPTY.to_owned(), MeanSd::text),
            verdict.to_owned(),
        ]
    }

    fn json(&self, found: Option<&[f64]>, verdict: Option<Verdict>) -> serde_json::Value {
        serde_json::json!({
            "gate": self.gate.name,
            "seeds": self.gate.seeds,
            "recorded_test_error_pct": self.gate.test_error_pct,
            "allowed_mean_pct": rounded(self.gate.allowed_pct()),
            "test_error_pct": found,
            "verdict": verdict,
            "skipped": self.missing,
        })
    }
}
