//! The accuracy gate: short seeded runs whose errors were recorded, and what a run of today may reach.
//!
//! A baseline is a TOML file like `gates/accuracy.toml`, which is built in:
//!
//! ```toml
//! [[gate]]
//! name = "mnist"                       # names its run folders
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

use crate::config::{Assignment, Config, Protocol, parse_toml};
use crate::failure::failure;
use crate::run::files;
use crate::statistics::MeanSd;
use crate::sweep::definition::text;

/// The baseline that is built in.
const BUILT_IN: (&str, &str) = ("gates/accuracy.toml", include_str!("../gates/accuracy.toml"));
/// How many standard deviations of single runs the mean may be above the recorded one.
pub const DEVIATIONS: f64 = 3.0;
/// How many points of error it may be above in any case: few seeds may happen to agree.
pub const FLOOR_PCT: f64 = 0.2;

/// Runs of one setting, and the errors that they had.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// Its name.
    pub name: String,
    /// A named experiment or a TOML file.
    pub experiment: String,
    /// What differs from it.
    #[serde(default)]
    set: Table,
    /// The seeds that are run.
    pub seeds: Vec<u64>,
    /// The recorded error of each, in per cent.
    pub test_error_pct: Vec<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Baseline {
    gate: Vec<Gate>,
}

/// What became of a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
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
    /// The gates of a file, or those that are built in.
    ///
    /// # Errors
    /// The file is not readable or not a baseline; the message says which key.
    pub fn load(file: Option<&Path>) -> anyhow::Result<Vec<Self>> {
        let Some(file) = file else { return Self::parse(BUILT_IN.1, BUILT_IN.0) };
        Self::parse(&files::read_text("baseline", file)?, &file.display().to_string())
    }

    fn parse(text: &str, place: &str) -> anyhow::Result<Vec<Self>> {
        let hint = "the documentation of crates/harness/src/gate.rs shows a baseline";
        let baseline: Baseline = parse_toml(text, place)?
            .try_into()
            .map_err(|error| failure(format!("baseline {place}: expected [[gate]] tables, found: {error}"), hint))?;
        for (i, gate) in baseline.gate.iter().enumerate() {
            let refuse = |expected: &str, found: String| {
                let message = format!("gate `{}` in {place}: expected {expected}, found {found}", gate.name);
                Err(failure(message, hint))
            };
            if !gate.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') || gate.name.is_empty() {
                return refuse("a name of letters, digits and -", format!("`{}`", gate.name));
            }
            if baseline.gate[..i].iter().any(|other| other.name == gate.name) {
                return refuse("a name of its own", "two of that name".to_owned());
            }
            let (seeds, errors) = (gate.seeds.len(), gate.test_error_pct.len());
            if seeds == 0 || seeds != errors {
                return refuse("at least one seed, and an error for each", format!("{seeds} and {errors}"));
            }
            if let Some(error) = gate.test_error_pct.iter().find(|error| !(0.0..=100.0).contains(*error)) {
                return refuse("errors from 0 to 100 %", error.to_string());
            }
        }
        if baseline.gate.is_empty() {
            return Err(failure(format!("baseline {place}: expected a gate, found none"), hint));
        }
        Ok(baseline.gate)
    }

    /// The settings of each seed.
    ///
    /// # Errors
    /// An unknown experiment, key or value, or settings that say nothing about the test set.
    pub fn experiments(&self) -> anyhow::Result<Vec<Config>> {
        let place = format!("gate `{}`", self.name);
        let assignments: Vec<Assignment> = self
            .set
            .iter()
            .map(|(key, value)| Ok(Assignment::new(key, text(key, value, &place)?, &place)))
            .collect::<anyhow::Result<_>>()?;
        let experiment = Config::assembled(&self.experiment, Protocol::Paper, &assignments)?;
        if experiment.validation > 0.0 || experiment.readout_epochs == 0 {
            let message = format!("{place}: expected runs with a test error, found validation or no readout");
            return Err(failure(message, "leave out `validation`, and `readout_epochs = 0`"));
        }
        self.seeds.iter().map(|&seed| experiment.clone().with_seed(seed)).collect()
    }

    /// Mean and spread of the recorded errors.
    pub fn recorded(&self) -> MeanSd {
        MeanSd::of(&self.test_error_pct).expect("a gate has at least one error")
    }

    /// How far from the recorded mean another one still agrees with it.
    fn room(&self) -> f64 {
        (DEVIATIONS * self.recorded().sd.unwrap_or(0.0)).max(FLOOR_PCT)
    }

    /// The highest mean error that is allowed.
    pub fn allowed_pct(&self) -> f64 {
        self.recorded().mean + self.room()
    }

    /// What the errors found, one for each seed, say.
    pub fn judge(&self, found: &[f64]) -> Verdict {
        let mean = MeanSd::of(found).map_or(f64::NAN, |spread| spread.mean);
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
mod tests;
