//! One `key=value` as it was typed or as a sweep has it, and the place that errors name.

use super::source;
use super::value::{Content, Given};
use super::{Config, Method, keys};
use crate::failure::failure;

/// A value for one key, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The key.
    pub key: String,
    /// Its value, as after `--set key=`.
    pub value: String,
    /// Where it was given: `--set`, `--vary`, or a file.
    pub place: String,
}

impl Assignment {
    /// A value for a key.
    pub fn new(key: impl Into<String>, value: impl Into<String>, place: &str) -> Self {
        Self { key: key.into(), value: value.into(), place: place.to_owned() }
    }

    /// Reads `key=value`.
    ///
    /// # Errors
    /// There is no `=`.
    pub fn parse(text: &str, place: &str) -> anyhow::Result<Self> {
        let Some((key, value)) = text.split_once('=') else {
            let example = format!("for example {place} hidden=500");
            return Err(failure(format!("{place}: expected key=value, found `{text}`"), example));
        };
        Ok(Self::new(key.trim(), value.trim(), place))
    }

    /// Whether the key is one that settings have.
    ///
    /// # Errors
    /// It is not; the hint names the nearest one.
    pub fn check_key(&self) -> anyhow::Result<()> {
        if keys::KEYS.contains(&self.key.as_str()) {
            return Ok(());
        }
        Err(keys::unknown_key(&self.key, &keys::KEYS, &self.place))
    }

    /// The method that the assignments ask for: that of the last one that names one.
    ///
    /// # Errors
    /// A method that does not exist.
    pub fn method(assignments: &[Self]) -> anyhow::Result<Option<Method>> {
        let last = assignments.iter().rev().find(|assignment| assignment.key == "method");
        last.map(|assignment| assignment.given().choice()).transpose()
    }

    pub(super) fn apply(&self, experiment: &mut Config) -> anyhow::Result<()> {
        keys::assign(experiment, &self.given())
    }

    fn given(&self) -> Given<'_> {
        Given { key: &self.key, content: Content::Text(&self.value), place: &self.place }
    }
}

impl Config {
    /// A named experiment or a TOML file under a protocol, with values of its keys on top.
    ///
    /// # Errors
    /// An unknown name, key or value, a key that the method ignores, or settings that contradict each other.
    pub fn assembled(
        name_or_file: &str,
        protocol: super::Protocol,
        assignments: &[Assignment],
    ) -> anyhow::Result<Self> {
        let mut experiment = source::load(name_or_file, Assignment::method(assignments)?, protocol)?;
        let before = experiment.clone();
        for assignment in assignments {
            assignment.apply(&mut experiment)?;
        }
        experiment.refuse_unused(assignments)?;
        experiment.keep_published_only_if_like(&before);
        experiment.check()?;
        Ok(experiment)
    }

    /// A key that has no effect under the method would look as if it had one.
    fn refuse_unused(&self, assignments: &[Assignment]) -> anyhow::Result<()> {
        let Some(Assignment { key, place, .. }) =
            assignments.iter().find(|assignment| !self.method.uses(&assignment.key))
        else {
            return Ok(());
        };
        let message =
            format!("key `{key}` in {place}: expected a key that method {} uses, found one it ignores", self.method);
        let hint = match key.as_str() {
            "epochs" => "readout_epochs sets the epochs of this method",
            "batch" => "readout_batch sets the minibatch of this method",
            "rate" => "readout_rates sets the rates of this method, for example readout_rates=1e-3:100,1e-4:150",
            _ => "leave it out, or set another method",
        };
        Err(failure(message, hint))
    }
}
