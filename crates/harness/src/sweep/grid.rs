//! The points of a sweep in their order, and the shards that they are divided into.
//!
//! The grid is the product of the axes; the last axis varies fastest, and within a point the seed. Shard i of n takes
//! every n-th point from the i-th on, so that shards are about equally long; with as many shards as seeds, each has one seed
//! of every point.

use std::str::FromStr;

use toml::Value;

use super::definition::{Definition, refuse, text};
use crate::config::{Assignment, Config};
use crate::failure::failure;

/// More points than anybody wants, few enough that counting them never overflows.
const MOST_POINTS: usize = 100_000;

/// One direction of a grid: keys that advance together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    /// The values of each step, key by key.
    pub steps: Vec<Step>,
}

impl Axis {
    /// Reads `key=v1,v2,…`. Values that hold commas are separated by semicolons.
    ///
    /// # Errors
    /// No values, or a key that does not exist.
    pub fn parse(argument: &str) -> anyhow::Result<Self> {
        const PLACE: &str = "--vary";
        let Assignment { key, value, .. } = Assignment::parse(argument, PLACE)?;
        let separator = if value.contains(';') { ';' } else { ',' };
        let values = value.split(separator).map(|value| Assignment::new(&key, value.trim(), PLACE));
        let axis = Self { steps: values.map(|value| vec![value]).collect() };
        axis.check(PLACE)?;
        Ok(axis)
    }

    pub(super) fn from_toml(table: &Value, place: &str) -> anyhow::Result<Self> {
        let Some(table) = table.as_table().filter(|table| !table.is_empty()) else {
            return Err(refuse("vary", place, "tables of keys with their values", &table.to_string()));
        };
        let mut steps: Vec<Step> = Vec::new();
        for (number, (key, values)) in table.iter().enumerate() {
            let Some(values) = values.as_array().filter(|values| !values.is_empty()) else {
                return Err(refuse(key, place, "a list of values", &values.to_string()));
            };
            if number == 0 {
                steps.resize(values.len(), Vec::new());
            } else if values.len() != steps.len() {
                let expected = format!("{} values, as the axis has", steps.len());
                return Err(refuse(key, place, &expected, &values.len().to_string()));
            }
            for (step, value) in steps.iter_mut().zip(values) {
                step.push(Assignment::new(key, text(key, value, place)?, place));
            }
        }
        let axis = Self { steps };
        axis.check(place)?;
        Ok(axis)
    }

    fn check(&self, place: &str) -> anyhow::Result<()> {
        for assignment in &self.steps[0] {
            assignment.check_key()?;
            if assignment.key == "seed" {
                let message = format!("key `seed` in {place}: expected a key to vary, found the seed");
                return Err(failure(message, "--seeds N runs N seeds of every point, counting up from --seed"));
            }
        }
        Ok(())
    }

    fn keys(&self) -> impl Iterator<Item = &str> {
        self.steps[0].iter().map(|assignment| assignment.key.as_str())
    }

    /// One of its steps in words: the first key that tells all steps apart, or all that take more than one value.
    fn name(&self, step: &Step) -> String {
        let values = |key: usize| {
            let mut values: Vec<&str> = self.steps.iter().map(|step| step[key].value.as_str()).collect();
            values.sort_unstable();
            values.dedup();
            values.len()
        };
        let keys = 0..step.len();
        let named: Vec<usize> = match keys.clone().find(|&key| values(key) == self.steps.len()) {
            Some(key) => vec![key],
            None => keys.filter(|&key| values(key) > 1).collect(),
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
    pub varied: Vec<(String, String)>,
    /// What tells it from all other points: `p 2, delta 0.1`.
    pub name: String,
    /// All settings.
    pub experiment: Config,
}

impl Point {
    /// `p 2, delta 0.1, seed 1`.
    pub fn label(&self) -> String {
        let seed = format!("seed {}", self.experiment.seed);
        if self.name.is_empty() { seed } else { format!("{}, {seed}", self.name) }
    }

    /// The name of its run folder, which is its label where a file system lets it be.
    pub fn folder(&self) -> String {
        let label: String = self.label().replace(", ", "-").replace(' ', "").chars().take(80).collect();
        let kept = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
        format!("{:03}-{}", self.number, label.chars().map(kept).collect::<String>())
    }
}

/// Spreads a sweep out: every point with every seed from `first_seed` on, all of them valid.
///
/// # Errors
/// A value that a point cannot have, a key that is varied twice or that the points ignore, two points that are the same.
pub fn points(sweep: &Definition, first_seed: u64) -> anyhow::Result<Vec<Point>> {
    let keys: Vec<&str> = sweep.axes.iter().flat_map(Axis::keys).collect();
    if let Some((_, key)) = keys.iter().enumerate().find(|(i, key)| keys[..*i].contains(key)) {
        let message = format!("key `{key}`: expected to be varied once, found twice");
        return Err(failure(message, "give all its values in one --vary"));
    }
    let count = sweep.axes.iter().try_fold(sweep.seeds as usize, |count, axis| count.checked_mul(axis.steps.len()));
    if count.is_none_or(|count| count > MOST_POINTS) {
        let message = format!("grid of {}: expected at most {MOST_POINTS} points, found more", sweep.name);
        return Err(failure(message, "vary fewer keys at once, or give fewer values"));
    }
    let mut points: Vec<Point> = Vec::new();
    for steps in product(&sweep.axes) {
        let varied: Vec<&Assignment> = steps.iter().copied().flatten().collect();
        let name: Vec<String> = sweep.axes.iter().zip(&steps).map(|(axis, step)| axis.name(step)).collect();
        let first = point(sweep, &varied)?;
        for offset in 0..u64::from(sweep.seeds) {
            let experiment = first.clone().with_seed(first_seed.saturating_add(offset))?;
            points.push(Point {
                number: points.len() + 1,
                varied: varied.iter().map(|varied| (varied.key.clone(), varied.value.clone())).collect(),
                name: name.join(", "),
                experiment,
            });
        }
    }
    refuse_useless(sweep, &points)?;
    refuse_doubles(&points)?;
    Ok(points)
}

/// One value for each key of an axis.
type Step = Vec<Assignment>;

/// Every choice of one step from each axis, the last axis fastest.
fn product(axes: &[Axis]) -> Vec<Vec<&Step>> {
    let mut grid: Vec<Vec<&Step>> = vec![Vec::new()];
    for axis in axes {
        let longer = |steps: Vec<_>| axis.steps.iter().map(move |step| [&steps[..], &[step]].concat());
        grid = grid.into_iter().flat_map(longer).collect();
    }
    grid
}

fn point(sweep: &Definition, varied: &[&Assignment]) -> anyhow::Result<Config> {
    let varied: Vec<Assignment> = varied.iter().map(|&assignment| assignment.clone()).collect();
    let common = sweep.settings.iter().filter(|setting| setting.method.is_none());
    let mut asked: Vec<Assignment> = common.map(|setting| setting.assignment.clone()).collect();
    asked.extend(varied.iter().cloned());
    let method = match Assignment::method(&asked)? {
        Some(method) => method,
        None => Config::assembled(&sweep.base, sweep.protocol, &[])?.method,
    };
    let applies = |setting: &&super::definition::Setting| match setting.method {
        Some(own) => own == method,
        // What all points share may be of no use to some of them, as epochs to a network without hidden layer.
        None => method.uses(&setting.assignment.key),
    };
    let mut assignments: Vec<Assignment> =
        sweep.settings.iter().filter(applies).map(|setting| setting.assignment.clone()).collect();
    assignments.extend(varied);
    let mut experiment = Config::assembled(&sweep.base, sweep.protocol, &assignments)?;
    // A published figure is about one run, not about a point that was changed on purpose.
    experiment.published = None;
    Ok(experiment)
}

/// A setting that no point uses would look as if it had an effect.
fn refuse_useless(sweep: &Definition, points: &[Point]) -> anyhow::Result<()> {
    let varied: Vec<&str> = sweep.axes.iter().flat_map(Axis::keys).collect();
    for Assignment { key, place, .. } in sweep.settings.iter().map(|setting| &setting.assignment) {
        if place == "--set" && varied.contains(&key.as_str()) {
            let message = format!("key `{key}`: expected in --set or in the grid, found in both");
            return Err(failure(message, "leave it out of --set, or vary something else"));
        }
        if place == "--set" && !points.iter().any(|point| point.experiment.method.uses(key)) {
            let message =
                format!("key `{key}` in --set: expected a key that the points use, found one that they ignore");
            return Err(failure(message, "leave it out, or set another method"));
        }
    }
    Ok(())
}

fn refuse_doubles(points: &[Point]) -> anyhow::Result<()> {
    let mut seen = std::collections::HashMap::new();
    for point in points {
        if let Some(other) = seen.insert(point.experiment.digest(), point.number) {
            let label = point.label();
            let message =
                format!("grid: expected points that differ, found {label} as point {other} and {}", point.number);
            return Err(failure(message, "give every value once"));
        }
    }
    Ok(())
}

/// Which points of a grid are run here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// From 1 to `of`.
    index: usize,
    of: usize,
}

impl Shard {
    /// All points.
    pub const WHOLE: Self = Self { index: 1, of: 1 };

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
            _ => Err("expected i/n with i from 1 to n, as in 2/4".to_owned()),
        }
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}
