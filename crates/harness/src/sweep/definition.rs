//! What a sweep is: a protocol, and the axes along which it is varied.
//!
//! A sweep file, such as those of `sweeps/`, has these keys:
//!
//! ```toml
//! sweep = "p-sweep"          # the name in the CSV column `experiment`
//! base = "mnist"             # the experiment whose protocol every point starts from
//! seeds = 3                  # counting up from --seed
//! [set]                      # what differs from the base, for every point whose method uses the key
//! epochs = 100
//! [methods.random]           # the same for the points of one method
//! beta = 3.0
//! [[vary]]                   # one axis; the last axis varies fastest, then the seed
//! p = [2.0, 3.0]
//! [[vary]]                   # keys of one axis advance together
//! labels_per_class = [10, 100]
//! readout_epochs = [300, 60]
//! [quick]                    # what --quick changes: seeds, set, methods, and `vary` in place of the grid
//! seeds = 1
//! ```
//!
//! An experiment is a sweep without axes; `--vary` gives it some.

use std::path::Path;

use toml::{Table, Value};

use super::grid::Axis;
use crate::config::{Assignment, Config, Method, Protocol, nearest, parse_toml, unknown_key};
use crate::failure::failure;
use crate::run::files;

/// The named sweeps and their files.
const NAMED: [(&str, &str); 16] = [
    ("p-sweep", include_str!("../../sweeps/p-sweep.toml")),
    ("delta-sweep", include_str!("../../sweeps/delta-sweep.toml")),
    ("k-sweep", include_str!("../../sweeps/k-sweep.toml")),
    ("hidden-sweep", include_str!("../../sweeps/hidden-sweep.toml")),
    ("few-labels", include_str!("../../sweeps/few-labels.toml")),
    ("tasks", include_str!("../../sweeps/tasks.toml")),
    ("mnist-grid", include_str!("../../sweeps/mnist-grid.toml")),
    ("mnist-search", include_str!("../../sweeps/mnist-search.toml")),
    ("mnist-long", include_str!("../../sweeps/mnist-long.toml")),
    ("cifar10-p-sweep", include_str!("../../sweeps/cifar10-p-sweep.toml")),
    ("cifar10-delta-sweep", include_str!("../../sweeps/cifar10-delta-sweep.toml")),
    ("cifar10-k-sweep", include_str!("../../sweeps/cifar10-k-sweep.toml")),
    ("cifar10-grid", include_str!("../../sweeps/cifar10-grid.toml")),
    ("cifar10-long", include_str!("../../sweeps/cifar10-long.toml")),
    ("cifar10-winner", include_str!("../../sweeps/cifar10-winner.toml")),
    ("cifar10-search", include_str!("../../sweeps/cifar10-search.toml")),
];

/// A sweep before it is spread out into points.
#[derive(Debug, Clone)]
pub struct Definition {
    /// Its name.
    pub name: String,
    /// The named experiment or TOML file that every point starts from.
    pub base: String,
    /// Under which protocol that is.
    pub protocol: Protocol,
    /// How many seeds.
    pub seeds: u32,
    /// What differs from the base, in the order in which it is applied.
    pub settings: Vec<Setting>,
    /// What is varied.
    pub axes: Vec<Axis>,
}

/// A value for all points, or for those of one method.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Only for points of this method.
    pub method: Option<Method>,
    /// Key and value.
    pub assignment: Assignment,
}

impl Definition {
    /// Every named sweep.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMED.iter().map(|(name, _)| *name)
    }

    /// A named sweep, a sweep file, or an experiment without axes.
    ///
    /// # Errors
    /// There is none of that name, or its file is not one.
    pub fn load(name_or_file: &str, protocol: Protocol) -> anyhow::Result<Self> {
        if let Some((name, text)) = NAMED.iter().find(|(name, _)| *name == name_or_file) {
            let place = format!("sweeps/{name}.toml");
            return Self::parse(&parse_toml(text, &place)?, protocol, &place);
        }
        let path = Path::new(name_or_file);
        let experiments: Vec<&str> = Config::names().collect();
        if path.extension().is_some_and(|extension| extension == "toml") || path.is_file() {
            let table = parse_toml(&files::read_text("sweep file", path)?, name_or_file)?;
            if table.contains_key("sweep") {
                return Self::parse(&table, protocol, name_or_file);
            }
        } else if !experiments.contains(&name_or_file) {
            let known: Vec<&str> = Self::names().chain(experiments).collect();
            let hint = match nearest(name_or_file, &known) {
                Some(name) => format!("did you mean `{name}`?"),
                None => "give a name, or a file ending in .toml".to_owned(),
            };
            let message = format!("sweep: expected {} or a TOML file, found `{name_or_file}`", known.join(", "));
            return Err(failure(message, hint));
        }
        let name = Config::assembled(name_or_file, protocol, &[])?.experiment;
        Ok(Self { name, base: name_or_file.to_owned(), protocol, seeds: 1, settings: Vec::new(), axes: Vec::new() })
    }

    /// Puts `--set` on top.
    pub fn set(&mut self, assignments: Vec<Assignment>) {
        self.settings.extend(assignments.into_iter().map(|assignment| Setting { method: None, assignment }));
    }

    /// Runs the same sweep on another experiment's data and protocol, as where MNIST is missing.
    pub fn rebase(&mut self, base: &str) {
        base.clone_into(&mut self.base);
    }

    fn parse(table: &Table, protocol: Protocol, place: &str) -> anyhow::Result<Self> {
        let mut sweep = Self {
            name: String::new(),
            base: String::new(),
            // A sweep file says itself what it shortens, so its base is the whole protocol.
            protocol: Protocol::Paper,
            seeds: 1,
            settings: Vec::new(),
            axes: Vec::new(),
        };
        for key in ["sweep", "base"] {
            let Some(text) = table.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()) else {
                let found = table.get(key).map_or("none".to_owned(), ToString::to_string);
                return Err(refuse(key, place, "a text", &found));
            };
            *(if key == "sweep" { &mut sweep.name } else { &mut sweep.base }) = text.to_owned();
        }
        sweep
            .settings
            .push(Setting { method: None, assignment: Assignment::new("experiment", sweep.name.clone(), place) });
        let without = |key: &str| !["sweep", "base", "quick"].contains(&key);
        sweep.changes(table.iter().filter(|(key, _)| without(key)), place)?;
        let mut quick = sweep.clone();
        match table.get("quick") {
            Some(Value::Table(table)) => quick.changes(table.iter(), &format!("{place} [quick]"))?,
            Some(other) => return Err(refuse("quick", place, "a table", &other.to_string())),
            None if protocol == Protocol::Quick => {
                let message = format!("{place}: expected a [quick] table, found none");
                return Err(failure(message, "run it without --quick"));
            }
            None => {}
        }
        // [quick] is read either way, so that a mistake in it is found by whoever makes it.
        Ok(if protocol == Protocol::Quick { quick } else { sweep })
    }

    /// What is for one method comes after what is for all, so that it wins.
    fn changes<'a>(&mut self, table: impl Iterator<Item = (&'a String, &'a Value)>, place: &str) -> anyhow::Result<()> {
        let (own, shared): (Vec<_>, Vec<_>) = table.partition(|(key, _)| *key == "methods");
        shared.into_iter().chain(own).try_for_each(|(key, value)| self.change(key, value, place))
    }

    fn change(&mut self, key: &str, value: &Value, place: &str) -> anyhow::Result<()> {
        match (key, value) {
            ("seeds", Value::Integer(seeds @ 1..=1000)) => self.seeds = *seeds as u32,
            ("seeds", other) => return Err(refuse(key, place, "a whole number from 1 to 1000", &other.to_string())),
            ("set", Value::Table(table)) => self.add(None, table, place)?,
            ("methods", Value::Table(methods)) => {
                for (name, table) in methods {
                    let place = format!("{place} [methods]");
                    let method = name.parse::<Method>();
                    let (Ok(method), Some(table)) = (method, table.as_table()) else {
                        return Err(refuse(name, &place, "a table named by a method", &table.to_string()));
                    };
                    self.add(Some(method), table, &place)?;
                }
            }
            ("vary", Value::Array(axes)) => {
                self.axes = axes.iter().map(|axis| Axis::from_toml(axis, place)).collect::<anyhow::Result<_>>()?;
            }
            ("set" | "methods", other) => return Err(refuse(key, place, "a table", &other.to_string())),
            ("vary", other) => return Err(refuse(key, place, "[[vary]] tables", &other.to_string())),
            (unknown, _) => {
                let known = ["sweep", "base", "seeds", "set", "methods", "vary", "quick"];
                return Err(unknown_key(unknown, &known, place));
            }
        }
        Ok(())
    }

    fn add(&mut self, method: Option<Method>, table: &Table, place: &str) -> anyhow::Result<()> {
        for (key, value) in table {
            let assignment = Assignment::new(key, text(key, value, place)?, place);
            assignment.check_key()?;
            self.settings.push(Setting { method, assignment });
        }
        Ok(())
    }
}

/// A value of a sweep file as it would stand after `--set key=`.
pub(crate) fn text(key: &str, value: &Value, place: &str) -> anyhow::Result<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        other => Err(refuse(key, place, "a number or a text", &other.to_string())),
    }
}

pub(super) fn refuse(key: &str, place: &str, expected: &str, found: &str) -> anyhow::Error {
    let hint = "the documentation of crates/harness/src/sweep/definition.rs shows a sweep file";
    failure(format!("key `{key}` in {place}: expected {expected}, found {found}"), hint)
}
