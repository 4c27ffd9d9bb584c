//! The axes of a grid, its points, and the shards that they are divided into.
//!
//! The grid is the product of the axes; the last axis varies fastest, and within a point the seed. Shard i of n takes
//! every n-th point from the i-th on, so that shards are about equally long; with as many shards as seeds, each has one seed
//! of every point.

use std::str::FromStr;

use toml::{Table, Value};

use crate::config::{Assignment, Config};
use crate::error::failure;

/// One direction of a grid: keys that advance together.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    pub(super) steps: Vec<Step>,
}

/// One value for each key of an axis.
pub(super) type Step = Vec<Assignment>;

impl Axis {
    pub(super) fn new(key: &str, values: impl Iterator<Item: Into<String>>) -> Self {
        Self { steps: values.map(|value| vec![Assignment::new(key, value, "--vary")]).collect() }
    }

    /// Reads `key=v1,v2,…`. Values that hold commas are separated by semicolons.
    pub(crate) fn parse(argument: &str) -> anyhow::Result<Self> {
        const PLACE: &str = "--vary";
        let Assignment { key, value, .. } = Assignment::parse(argument, PLACE)?;
        let separator = if value.contains(';') { ';' } else { ',' };
        Self::new(&key, value.split(separator).map(str::trim)).checked(PLACE)
    }

    pub(super) fn from_toml(table: &Table, place: &str) -> anyhow::Result<Self> {
        let mut steps: Vec<Step> = Vec::new();
        for (number, (key, values)) in table.iter().enumerate() {
            let Some(values) = values.as_array().filter(|values| !values.is_empty()) else {
                return Err(refuse(place, &format!("`{key}` needs a list of values to vary, not {values}")));
            };
            if number == 0 {
                steps.resize(values.len(), Vec::new());
            } else if values.len() != steps.len() {
                let (found, expected) = (values.len(), steps.len());
                return Err(refuse(place, &format!("`{key}` has {found} values where its axis has {expected}")));
            }
            for (step, value) in steps.iter_mut().zip(values) {
                step.push(Assignment::new(key, text(key, value, place)?, place));
            }
        }
        if steps.is_empty() {
            return Err(refuse(place, "a [[vary]] table is empty"));
        }
        Self { steps }.checked(place)
    }

    pub(super) fn to_toml(&self) -> Table {
        let values = |key: usize| self.steps.iter().map(|step| value(&step[key].value)).collect();
        self.keys().enumerate().map(|(index, key)| (key.to_owned(), Value::Array(values(index)))).collect()
    }

    fn checked(self, place: &str) -> anyhow::Result<Self> {
        for assignment in &self.steps[0] {
            assignment.check_key()?;
            if assignment.key == "seed" {
                let message = format!("{place} cannot vary the seed");
                return Err(failure(message, "--seeds N runs N seeds of every point, counting up from --seed"));
            }
        }
        Ok(self)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.steps[0].iter().map(|assignment| assignment.key.as_str())
    }

    /// The key that tells all steps apart, if one does.
    pub(crate) fn telling_key(&self) -> Option<&str> {
        Some(&self.steps[0][self.telling()?].key)
    }

    fn telling(&self) -> Option<usize> {
        (0..self.steps[0].len()).find(|&key| self.values(key) == self.steps.len())
    }

    /// How many values a key takes.
    fn values(&self, key: usize) -> usize {
        let mut values: Vec<&str> = self.steps.iter().map(|step| step[key].value.as_str()).collect();
        values.sort_unstable();
        values.dedup();
        values.len()
    }

    /// One of its steps in words: the first key that tells all steps apart, or all that take more than one value.
    pub(super) fn name(&self, step: &Step) -> String {
        let named: Vec<usize> = match self.telling() {
            Some(key) => vec![key],
            None => (0..step.len()).filter(|&key| self.values(key) > 1).collect(),
        };
        let named = named.iter().map(|&key| format!("{} {}", step[key].key, step[key].value));
        named.collect::<Vec<_>>().join(", ")
    }
}

/// One run of a sweep.
#[derive(Debug, Clone)]
pub struct Point {
    /// Its number in the whole grid, from 1.
    pub number: usize,
    /// What it differs in from other points, in the order of the axes, without the seed.
    pub(crate) varied: Vec<(String, String)>,
    /// What tells it from all other points: `p 2, delta 0.1`.
    pub(crate) name: String,
    /// All settings.
    pub config: Config,
}

impl Point {
    /// `p 2, delta 0.1, seed 1`.
    pub(crate) fn label(&self) -> String {
        let seed = format!("seed {}", self.config.seed);
        if self.name.is_empty() { seed } else { format!("{}, {seed}", self.name) }
    }

    /// The name of its run folder, which is its label where a file system lets it be.
    pub fn folder(&self) -> String {
        let label: String = self.label().replace(", ", "-").replace(' ', "").chars().take(80).collect();
        let kept = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
        format!("{:03}-{}", self.number, label.chars().map(kept).collect::<String>())
    }
}

/// A value of a sweep file as it would stand after `--set key=`.
pub(super) fn text(key: &str, value: &Value, place: &str) -> anyhow::Result<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        Value::Array(numbers) if numbers.iter().all(Value::is_integer) => {
            Ok(numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
        }
        other => Err(refuse(place, &format!("`{key}` is neither a number nor a text: {other}"))),
    }
}

/// The other way round.
pub(super) fn value(text: &str) -> Value {
    let number = text.parse().map(Value::Integer).or_else(|_| text.parse().map(Value::Float));
    number.unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// What to do about a sweep file that is not as it should be.
pub(super) const HINT: &str = "crates/harness/src/sweep/definition.rs shows what a sweep file may hold";

pub(super) fn refuse(place: &str, what: &str) -> anyhow::Error {
    failure(format!("{place}: {what}"), HINT)
}

/// Which points of a grid are run here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// From 1 to `of`.
    index: usize,
    of: usize,
}

impl Shard {
    pub(crate) const WHOLE: Self = Self { index: 1, of: 1 };

    /// Whether it takes the point of this number.
    pub fn takes(self, number: usize) -> bool {
        number % self.of == self.index % self.of
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((index, of)) if (1..=of).contains(&index) => Ok(Self { index, of }),
            _ => Err("a shard is i/n with i from 1 to n, as in 2/4".to_owned()),
        }
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}
