//! `rivalry verify`: the accuracy gate, short seeded runs against recorded errors.

use std::path::PathBuf;

use super::train::RUNS;
use crate::cli::{Common, VerifyArgs};
use crate::compute::Compute;
use crate::config::Config;
use crate::dataset::{self, Datasets, Splits};
use crate::failure::{Failure, failure};
use crate::gate::{Gate, Verdict};
use crate::output;
use crate::rows::rounded;
use crate::run::{Existing, RunFolder};
use crate::statistics::MeanSd;
use crate::training::{self, Job};

/// The runs of one gate before they start.
struct Planned<'a> {
    gate: &'a Gate,
    experiments: Vec<Config>,
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
        let experiments = gate.experiments()?;
        let missing = match data.open(&experiments[0], common) {
            Ok(_) => None,
            Err(error) if dataset::is_missing(&error) => Some(error.to_string()),
            Err(error) => return Err(error),
        };
        planned.push(Planned { gate, experiments, missing });
    }
    if let (Some(missing), true) = (&planned[0].missing, planned.iter().all(|planned| planned.missing.is_some())) {
        let message = format!("gates: expected one that can be run here, found no data for any: {missing}");
        return Err(failure(message, "`rivalry data fetch` gets data"));
    }
    let compute = Compute::new(common)?;
    let (mut text, mut json, mut worse) = (header(), Vec::new(), None);
    for planned in &planned {
        let found = planned.run(&data, &compute, common)?;
        let verdict = found.as_ref().map(|found| planned.gate.judge(found));
        text.push_str(&planned.line(found.as_deref(), verdict));
        json.push(planned.json(found.as_deref(), verdict));
        if verdict == Some(Verdict::Worse) {
            worse = worse.or(Some((planned.gate, found)));
        }
    }
    output::result(&if common.json { serde_json::to_string_pretty(&json)? + "\n" } else { text })?;
    let Some((gate, found)) = worse else { return Ok(()) };
    let found = found.as_deref().and_then(MeanSd::of).map_or("none".to_owned(), MeanSd::text);
    let message = format!("gate {}: expected at most {:.2} % error, found {found}", gate.name, gate.allowed_pct());
    let hint = "what changed the quality? If it is meant to be so, correct the recorded errors of the baseline";
    Err(anyhow::Error::new(Failure::gate(message, hint)))
}

impl Planned<'_> {
    /// The test error of each seed; nothing where the data is missing.
    fn run(&self, data: &Datasets, compute: &Compute, common: &Common) -> anyhow::Result<Option<Vec<f64>>> {
        if let Some(missing) = &self.missing {
            output::note(common, &format!("note: gate {} is skipped: {missing}", self.gate.name));
            return Ok(None);
        }
        let mut errors = Vec::new();
        for experiment in &self.experiments {
            output::note(common, &format!("{}, seed {}", self.gate.name, experiment.seed));
            let path = PathBuf::from(RUNS).join("verify").join(format!("{}-seed{}", self.gate.name, experiment.seed));
            let data = data.get(experiment)?;
            let outcome = training::run(&Job {
                experiment,
                splits: &Splits::new(data, experiment)?,
                dataset_sha256: &data.sha256,
                folder: &RunFolder::open(&path, Existing::Replace, experiment)?,
                compute,
                remark: "",
                common,
            })?;
            errors.push(outcome.row.test_error_pct.unwrap_or(f64::NAN));
        }
        Ok(Some(errors))
    }

    fn line(&self, found: Option<&[f64]>, verdict: Option<Verdict>) -> String {
        let recorded = self.gate.recorded().text();
        let found = found.and_then(MeanSd::of).map_or("-".to_owned(), MeanSd::text);
        let verdict = match verdict {
            None => "SKIPPED, no data",
            Some(Verdict::Same) => "same in every seed",
            Some(Verdict::Within) => "within",
            Some(Verdict::Better) => "better: the baseline is out of date",
            Some(Verdict::Worse) => "WORSE",
        };
        let (name, seeds, allowed) = (&self.gate.name, self.gate.seeds.len(), self.gate.allowed_pct());
        format!("{name:<24} {seeds:>5} {recorded:>14} {allowed:>10.2} {found:>14}  {verdict}\n")
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

fn header() -> String {
    let (name, seeds, recorded, allowed, found) = ("gate", "seeds", "recorded %", "allowed %", "found %");
    format!("{name:<24} {seeds:>5} {recorded:>14} {allowed:>10} {found:>14}  verdict\n")
}
