//! The accuracy gate: a short sweep whose errors were recorded, and a comparator that says what it may reach today.
//!
//! A baseline is a TOML file like `gates/accuracy.toml`, which is built in:
//!
//! ```toml
//! [[gate]]
//! name = "mnist"                       # names its rows and run folders
//! experiment = "mnist"                 # a named experiment or a TOML file
//! seeds = [1, 2, 3]
//! test_error_pct = [4.21, 4.20, 4.18]  # recorded, one for each seed
//! [gate.set]                           # what differs from the experiment
//! hidden = 400
//! ```
//!
//! Runs give the same bits everywhere, so the recorded errors are expected again. A change that alters the bits and not the
//! quality moves them as other seeds would: the mean may be [`DEVIATIONS`] sample standard deviations of the recorded errors
//! above their mean, and always [`FLOOR_PCT`].

use std::path::Path;

use serde::{Deserialize, Serialize};
use toml::Table;

use super::definition::assignments;
use super::{Definition, Point};
use crate::error::failure;
use crate::files;
use crate::statistics::MeanSd;

/// The baseline that is built in.
const BUILT_IN: (&str, &str) = ("gates/accuracy.toml", include_str!("../../gates/accuracy.toml"));
/// How many standard deviations of single runs the mean may be above the recorded one.
const DEVIATIONS: f64 = 3.0;
/// How many points of error it may be above in any case: few seeds may happen to agree.
const FLOOR_PCT: f64 = 0.2;

/// Runs of one setting, and the errors that they had.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Gate {
    pub(crate) name: String,
    pub(crate) experiment: String,
    #[serde(default)]
    set: Table,
    pub(crate) seeds: Vec<u64>,
    /// The recorded error of each, in per cent.
    pub(crate) test_error_pct: Vec<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Baseline {
    gate: Vec<Gate>,
}

/// What became of a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// Every seed has the recorded error.
    Same,
    /// The mean is not above what is allowed.
    Within,
    /// As far below the recorded mean as it might be above: the baseline is out of date.
    Better,
    /// The mean is above what is allowed.
    Worse,
}

impl Gate {
    pub(crate) fn load(file: Option<&Path>) -> anyhow::Result<Vec<Self>> {
        let Some(file) = file else { return Self::parse(BUILT_IN.1, BUILT_IN.0) };
        Self::parse(&files::read_text("baseline", file)?, &file.display().to_string())
    }

    fn parse(text: &str, place: &str) -> anyhow::Result<Vec<Self>> {
        let hint = "crates/harness/src/sweep/gate.rs shows what a baseline holds";
        let refuse = |what: String| failure(format!("{place}: {what}"), hint);
        let Baseline { gate: gates } = files::from_toml(text, place, hint)?;
        if gates.is_empty() {
            return Err(refuse("there is no gate in it".to_owned()));
        }
        for (i, gate) in gates.iter().enumerate() {
            let name = &gate.name;
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
                return Err(refuse(format!("`{name}` names a folder, so it may hold letters, digits and - only")));
            }
            if gates[..i].iter().any(|other| other.name == *name) {
                return Err(refuse(format!("two gates are named `{name}`")));
            }
            let (seeds, errors) = (gate.seeds.len(), gate.test_error_pct.len());
            if seeds == 0 || seeds != errors {
                return Err(refuse(format!(
                    "gate `{name}` needs an error for each seed, and has {seeds} and {errors}"
                )));
            }
            if let Some(error) = gate.test_error_pct.iter().find(|error| !(0.0..=100.0).contains(*error)) {
                return Err(refuse(format!("gate `{name}`: {error} is no error in per cent")));
            }
        }
        Ok(gates)
    }

    /// The sweep that is run, and its points: one for each seed.
    ///
    /// # Errors
    /// An unknown experiment, key or value, or settings that say nothing about the test set.
    pub(crate) fn points(&self) -> anyhow::Result<(Definition, Vec<Point>)> {
        let mut definition = Definition::of(&self.name, &self.experiment);
        definition.set(assignments(&self.set, &format!("gate `{}`", self.name))?);
        let points = definition.points_of_seeds(&self.seeds)?;
        let config = &points[0].config;
        if config.validation > 0.0 || config.readout_epochs == 0 {
            let message = format!("gate `{}` has no test error: it holds out examples or has no readout", self.name);
            return Err(failure(message, "leave out `validation`, and `readout_epochs = 0`"));
        }
        Ok((definition, points))
    }

    /// Mean ± s.d. of the recorded errors.
    pub(crate) fn recorded(&self) -> MeanSd {
        MeanSd::of(&self.test_error_pct).expect("a gate has at least one error")
    }

    /// How far from the recorded mean another one still agrees with it.
    fn room(&self) -> f64 {
        (DEVIATIONS * self.recorded().sd.unwrap_or(0.0)).max(FLOOR_PCT)
    }

    /// The highest mean error that is allowed.
    pub(crate) fn allowed_pct(&self) -> f64 {
        self.recorded().mean + self.room()
    }

    /// What the errors found, one for each seed, say.
    pub(crate) fn judge(&self, found: &[f64]) -> Verdict {
        let mean = MeanSd::of(found).map_or(f64::NAN, |found| found.mean);
        if found == self.test_error_pct {
            Verdict::Same
        } else if mean < self.recorded().mean - self.room() {
            Verdict::Better
        } else if mean <= self.allowed_pct() {
            Verdict::Within
        } else {
            // Also where there is no number.
            Verdict::Worse
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(errors: &[f64]) -> Gate {
        Gate {
            name: "a".to_owned(),
            experiment: "synthetic".to_owned(),
            set: Table::new(),
            seeds: (1..=errors.len() as u64).collect(),
            test_error_pct: errors.to_vec(),
        }
    }

    #[test]
    fn the_built_in_gates_are_runs_of_named_experiments() {
        let gates = Gate::load(None).unwrap();
        assert!(gates.iter().any(|gate| gate.experiment == "mnist"));
        for gate in gates {
            assert_eq!(gate.points().unwrap().1.len(), gate.seeds.len(), "{}", gate.name);
            assert_eq!(gate.judge(&gate.test_error_pct), Verdict::Same);
        }
    }

    #[test]
    fn three_deviations_above_are_allowed_and_no_more() {
        // Mean 2, sample standard deviation 0.5.
        let three = gate(&[1.5, 2.0, 2.5]);
        assert!((three.allowed_pct() - 3.5).abs() < 1e-9);
        for (found, expected) in [
            ([1.5, 2.0, 2.5], Verdict::Same),
            ([2.5, 2.0, 1.5], Verdict::Within),
            ([3.4, 3.5, 3.5], Verdict::Within),
            ([3.5, 3.5, 3.6], Verdict::Worse),
            ([0.4, 0.5, 0.5], Verdict::Better),
            ([0.5, 0.5, 0.6], Verdict::Within),
        ] {
            assert_eq!(three.judge(&found), expected, "{found:?}");
        }
        assert_eq!(three.judge(&[f64::NAN; 3]), Verdict::Worse);
        assert_eq!(three.judge(&[]), Verdict::Worse);
        // Seeds that agree leave some room.
        for recorded in [&[4.0][..], &[4.0, 4.0]] {
            assert_eq!(gate(recorded).judge(&[4.19]), Verdict::Within);
            assert_eq!(gate(recorded).judge(&[4.21]), Verdict::Worse);
        }
    }

    #[test]
    fn what_is_no_baseline_is_refused_by_name() {
        let one = |name: &str, seeds: &str, errors: &str| {
            format!("[[gate]]\nname = \"{name}\"\nexperiment = \"mnist\"\nseeds = {seeds}\ntest_error_pct = {errors}\n")
        };
        let good = one("a", "[1]", "[2.0]");
        for (text, expected) in [
            (String::new(), "missing field `gate`"),
            ("gate = []".to_owned(), "B: there is no gate in it"),
            (one("a", "[1, 2]", "[2.0]"), "B: gate `a` needs an error for each seed, and has 2 and 1"),
            (one("a", "[]", "[]"), "has 0 and 0"),
            (one("a", "[1]", "[-2.0]"), "gate `a`: -2 is no error in per cent"),
            (one("a", "[1]", "[nan]"), "NaN is no error"),
            (one("../a", "[1]", "[2.0]"), "`../a` names a folder"),
            (format!("{good}{good}"), "two gates are named `a`"),
            (format!("{good}hiden = 3\n"), "unknown field `hiden`"),
        ] {
            let error = format!("{:#}", Gate::parse(&text, "B").unwrap_err());
            assert!(error.contains(expected), "{expected}: {error}");
        }
        assert!(Gate::parse(&format!("{good}[gate.set]\nhiden = 3\n"), "B").unwrap()[0].points().is_err());
        let unused = format!("{good}[gate.set]\nmethod = \"shallow\"\np = 2\n");
        let error = Gate::parse(&unused, "B").unwrap()[0].points().unwrap_err().to_string();
        assert_eq!(error, "no point of this sweep uses `p`, which gate `a` gives");
        let held_out = Gate::parse(&format!("{good}[gate.set]\nvalidation = 0.2\n"), "B").unwrap();
        assert!(held_out[0].points().unwrap_err().to_string().contains("gate `a` has no test error"));
    }
}
