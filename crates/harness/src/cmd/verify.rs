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
use crate::sweep::gate::{Gate, Verdict};
use crate::sweep::run::Sweep;
use crate::sweep::{Definition, Point, Shard};
use crate::table::{Align, Table, cell};

/// A gate and its points.
struct Planned {
    gate: Gate,
    definition: Definition,
    points: Vec<Point>,
    /// Why it cannot be run here, if it cannot.
    missing: Option<String>,
}

pub(crate) fn run(args: &VerifyArgs, common: &Common) -> anyhow::Result<()> {
    let mut data = Datasets::default();
    // Every gate is found to be in order before the first run.
    let mut planned = Vec::new();
    for gate in Gate::load(args.baseline.as_deref())? {
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
        let gate = &planned.gate;
        let errors = planned.run(&data, &compute, common)?;
        let verdict = errors.as_deref().map(|errors| gate.judge(errors));
        let found = cell(errors.as_deref().and_then(MeanSd::of).map(MeanSd::text));
        let said = match verdict {
            None => "SKIPPED, no data",
            Some(Verdict::Same) => "same in every seed",
            Some(Verdict::Within) => "within",
            Some(Verdict::Better) => "better: the baseline is out of date",
            Some(Verdict::Worse) => "WORSE",
        };
        let (seeds, recorded) = (gate.seeds.len().to_string(), gate.recorded().text());
        let allowed = format!("{:.2}", gate.allowed_pct());
        table.row(vec![gate.name.clone(), seeds, recorded, allowed, found.clone(), said.to_owned()]);
        json.push(serde_json::json!({
            "gate": gate.name,
            "seeds": gate.seeds,
            "recorded_test_error_pct": gate.test_error_pct,
            "allowed_mean_pct": rounded(gate.allowed_pct()),
            "test_error_pct": errors,
            "verdict": verdict,
            "skipped": planned.missing,
        }));
        if verdict == Some(Verdict::Worse) {
            let message =
                format!("gate {}: the error is {found} %, allowed are {:.2} %", gate.name, gate.allowed_pct());
            worse = worse.or(Some(message));
        }
    }
    output::result(&if common.json { serde_json::to_string_pretty(&json)? + "\n" } else { table.markdown() })?;
    let hint =
        "find out what changed the quality; if it is meant to be so, correct the recorded errors of the baseline";
    worse.map_or(Ok(()), |message| Err(Failure::gate(message, hint).into()))
}

impl Planned {
    /// The test error of each seed; nothing where the data is missing.
    fn run(&self, data: &Datasets, compute: &Compute, common: &Common) -> anyhow::Result<Option<Vec<f64>>> {
        let name = &self.gate.name;
        if let Some(missing) = &self.missing {
            output::note(common, &format!("note: gate {name} is skipped: {missing}"));
            return Ok(None);
        }
        let out = &Path::new(RUNS).join("verify").join(format!("{name}.csv"));
        output::note(common, &format!("gate {name}: {}", out.display()));
        let (definition, points, shard, existing) =
            (&self.definition, &self.points[..], Shard::WHOLE, Existing::Replace);
        let sweep =
            Sweep { definition, points, shard, out, existing, remark: "", skipped: false, data, compute, common };
        let (rows, finished) = sweep.prepare()?.run()?;
        finished?;
        // Rows stand in the order of the points, which is that of the seeds.
        Ok(Some(rows.iter().map(|row| row.test_error_pct.unwrap_or(f64::NAN)).collect()))
    }
}
