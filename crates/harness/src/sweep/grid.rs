//! The points of a sweep in their order, and the shards that they are divided into.
//!
//! The grid is the product of the axes; the last axis varies fastest, and within a point the seed. Shard i of n takes
//! every n-th point from the i-th on, so that shards are about equally long; with as many shards as seeds, each has one seed
//! of every point.

use std::str::FromStr;

use toml::{Table, Value};

use super::definition::{Definition, refuse, text, value};
use crate::config::{Assignment, Config};
use crate::error::failure;

/// More points than anybody wants, few enough that counting them never overflows.
const MOST_POINTS: usize = 100_000;

/// One direction of a grid: keys that advance together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    /// The values of each step, key by key.
    steps: Vec<Step>,
}

/// One value for each key of an axis.
type Step = Vec<Assignment>;

impl Axis {
    /// One key with its values.
    pub(super) fn new(key: &str, values: impl Iterator<Item: Into<String>>) -> Self {
        Self { steps: values.map(|value| vec![Assignment::new(key, value, "--vary")]).collect() }
    }

    /// Reads `key=v1,v2,…`. Values that hold commas are separated by semicolons.
    ///
    /// # Errors
    /// No values, or a key that does not exist.
    pub fn parse(argument: &str) -> anyhow::Result<Self> {
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

    /// The keys that advance together.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.steps[0].iter().map(|assignment| assignment.key.as_str())
    }

    /// The key that tells all steps apart, if one does.
    pub fn telling_key(&self) -> Option<&str> {
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
    fn name(&self, step: &Step) -> String {
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
    pub varied: Vec<(String, String)>,
    /// What tells it from all other points: `p 2, delta 0.1`.
    pub name: String,
    /// All settings.
    pub config: Config,
}

impl Point {
    /// `p 2, delta 0.1, seed 1`.
    pub fn label(&self) -> String {
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

/// Spreads a sweep out: every point with every seed from `first_seed` on, all of them valid.
///
/// # Errors
/// As [`points_of_seeds`].
pub fn points(sweep: &Definition, first_seed: u64) -> anyhow::Result<Vec<Point>> {
    let seeds: Vec<u64> = (0..u64::from(sweep.seeds)).map(|offset| first_seed.saturating_add(offset)).collect();
    points_of_seeds(sweep, &seeds)
}

/// Spreads a sweep out: every point with each of these seeds, all of them valid.
///
/// # Errors
/// A value that a point cannot have, a key that is varied twice or that the points ignore, two points that are the same.
pub fn points_of_seeds(sweep: &Definition, seeds: &[u64]) -> anyhow::Result<Vec<Point>> {
    let keys: Vec<&str> = sweep.axes.iter().flat_map(Axis::keys).collect();
    if let Some((_, key)) = keys.iter().enumerate().find(|(i, key)| keys[..*i].contains(key)) {
        return Err(failure(format!("`{key}` is varied twice"), "give all its values in one --vary"));
    }
    let count = sweep.axes.iter().try_fold(seeds.len(), |count, axis| count.checked_mul(axis.steps.len()));
    if count.is_none_or(|count| count > MOST_POINTS) {
        let message = format!("{} has more than {MOST_POINTS} points", sweep.name);
        return Err(failure(message, "vary fewer keys at once, or give fewer values"));
    }
    let mut points: Vec<Point> = Vec::new();
    for steps in product(&sweep.axes) {
        let varied: Vec<&Assignment> = steps.iter().copied().flatten().collect();
        let name: Vec<String> = sweep.axes.iter().zip(&steps).map(|(axis, step)| axis.name(step)).collect();
        let config = config(sweep, &varied)?;
        for &seed in seeds {
            points.push(Point {
                number: points.len() + 1,
                varied: varied.iter().map(|varied| (varied.key.clone(), varied.value.clone())).collect(),
                name: name.join(", "),
                config: config.clone().with_seed(seed)?,
            });
        }
    }
    refuse_useless(sweep, &points)?;
    refuse_doubles(&points)?;
    Ok(points)
}

/// Every choice of one step from each axis, the last axis fastest.
fn product(axes: &[Axis]) -> Vec<Vec<&Step>> {
    let mut grid: Vec<Vec<&Step>> = vec![Vec::new()];
    for axis in axes {
        let longer = |steps: Vec<_>| axis.steps.iter().map(move |step| [&steps[..], &[step]].concat());
        grid = grid.into_iter().flat_map(longer).collect();
    }
    grid
}

/// The settings of one point: those of the base, then those of all points that the method uses, those of the method, and
/// what is varied.
fn config(sweep: &Definition, varied: &[&Assignment]) -> anyhow::Result<Config> {
    let varied = || varied.iter().map(|&assignment| assignment.clone());
    let common = sweep.settings.iter().filter(|setting| setting.method.is_none());
    let asked: Vec<Assignment> = common.map(|setting| setting.assignment.clone()).chain(varied()).collect();
    let method = match Assignment::method(&asked)? {
        Some(method) => method,
        None => Config::assembled(&sweep.base, sweep.base_protocol, &[])?.method,
    };
    let applies = |setting: &&super::definition::Setting| match setting.method {
        Some(own) => own == method,
        // What all points share may be of no use to some of them, as epochs to a network without hidden layer.
        None => method.uses(&setting.assignment.key),
    };
    let own = sweep.settings.iter().filter(applies).map(|setting| setting.assignment.clone());
    let mut config = Config::assembled(&sweep.base, sweep.base_protocol, &own.chain(varied()).collect::<Vec<_>>())?;
    if !sweep.is_table {
        // A published number is about one run, not about a point that was changed on purpose.
        config.published = None;
    }
    Ok(config)
}

/// A setting that no point uses would look as if it had an effect.
fn refuse_useless(sweep: &Definition, points: &[Point]) -> anyhow::Result<()> {
    let varied: Vec<&str> = sweep.axes.iter().flat_map(Axis::keys).collect();
    let required = sweep.settings.iter().filter(|setting| setting.required).map(|setting| &setting.assignment);
    for Assignment { key, place, .. } in required {
        if varied.contains(&key.as_str()) {
            let message = format!("`{key}` is both varied and given by {place}");
            return Err(failure(message, "give it once, or vary something else"));
        }
        if !points.iter().any(|point| point.config.method.uses(key)) {
            let message = format!("no point of this sweep uses `{key}`, which {place} gives");
            return Err(failure(message, "leave it out, or set another method"));
        }
    }
    Ok(())
}

fn refuse_doubles(points: &[Point]) -> anyhow::Result<()> {
    let mut seen = std::collections::HashMap::new();
    for point in points {
        if let Some(other) = seen.insert(point.config.digest(), point.number) {
            let message = format!("points {other} and {} are the same run: {}", point.number, point.label());
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
            _ => Err("a shard is i/n with i from 1 to n, as in 2/4".to_owned()),
        }
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}
