//! What a sweep is: a protocol, and the axes along which it is varied. A table is a sweep over `method`.
//!
//! A sweep file, such as those of `sweeps/`, has these keys:
//!
//! ```toml
//! sweep = "p-sweep"          # the name in the CSV column `experiment`
//! base = "mnist"             # the experiment whose protocol every point starts from
//! protocol = "short"         # "paper" if every point runs at the paper's length; records are named by it
//! table = false              # true: the points are the base itself, printed beside its published number
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
//! A table under --quick starts from the `[quick]` table of its base. An experiment is a sweep without axes; `--vary` gives
//! it some.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::grid::{Axis, HINT, Point, Step, refuse, text, value};
use crate::config::{Assignment, Config, Method, Protocol, nearest, parse_toml};
use crate::error::failure;
use crate::files;

/// More points than anybody wants, few enough that counting them never overflows.
const MOST_POINTS: usize = 100_000;

/// A table or figure that `rivalry reproduce` can reproduce, and the sweeps it consists of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    /// What it shows, as `--help` says it.
    pub(crate) about: &'static str,
    /// Names and texts of its sweep files.
    sweeps: &'static [(&'static str, &'static str)],
}

macro_rules! parts {
    ($($part:literal, $about:literal: $($name:literal)+;)+) => {
        &[$(Part {
            name: $part,
            about: $about,
            sweeps: &[$(($name, include_str!(concat!("../../sweeps/", $name, ".toml")))),+],
        }),+]
    };
}

/// Every named sweep, in the order in which `reproduce all` runs them.
pub(crate) const PARTS: &[Part] = parts! {
    "mnist", "The MNIST row of the paper's table": "mnist";
    "cifar10", "The CIFAR-10 row of the paper's table": "cifar10";
    "p-sweep", "Test error against the Lebesgue norm p, both data sets": "p-sweep" "cifar10-p-sweep";
    "delta-sweep", "Test error against the anti-Hebbian strength, both data sets": "delta-sweep" "cifar10-delta-sweep";
    "k-sweep", "Test error against the rank k of the anti-Hebbian update, both data sets": "k-sweep" "cifar10-k-sweep";
    "hidden-sweep", "Test error against the number of hidden units": "hidden-sweep";
    "few-labels", "Test error against labels per class": "few-labels";
    "tasks", "One learned layer, several tasks": "tasks";
    "slow", "The slow hidden dynamics beside the fast rule": "slow";
    "stacked", "Layers on top of each other": "stacked";
    "patches", "Filters of image patches beside k-means and random patches, both data sets":
        "patches" "cifar10-patches" "cifar10-patches-1600" "cifar10-patches-4000";
    "equilibrium", "Equilibrium propagation, the paper's recipe and ours":
        "equilibrium" "equilibrium-deep" "equilibrium-recipe";
    "microcircuit", "Dendritic microcircuits": "microcircuit";
    "rivals", "Backpropagation on the networks of its rivals": "rivals";
    "searches", "The searches on a split of the training set that chose the settings, and CIFAR-10's best point on the test set":
        "mnist-grid" "mnist-search" "mnist-long" "cifar10-grid" "cifar10-long" "cifar10-winner" "cifar10-search";
};

impl Part {
    pub(crate) fn sweeps(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.sweeps.iter().map(|(name, _)| *name)
    }
}

/// How long the runs of a sweep are; records are named by it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Length {
    /// As long as the paper's.
    Paper,
    /// Shorter than the paper's, as the sweep file says.
    #[default]
    Short,
    /// Just long enough to show that all of it runs.
    Quick,
}

impl Length {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Paper => "paper",
            Self::Short => "short",
            Self::Quick => "quick",
        }
    }
}

/// A sweep file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    sweep: String,
    base: String,
    #[serde(default)]
    protocol: Length,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    table: bool,
    seeds: Option<u32>,
    #[serde(default)]
    set: Table,
    #[serde(default)]
    methods: BTreeMap<String, Table>,
    vary: Option<Vec<Table>>,
    quick: Option<Changes>,
}

/// What may also stand in `[quick]`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Changes {
    seeds: Option<u32>,
    #[serde(default)]
    set: Table,
    #[serde(default)]
    methods: BTreeMap<String, Table>,
    vary: Option<Vec<Table>>,
}

/// A sweep before it is spread out into points.
#[derive(Debug, Clone)]
pub struct Definition {
    pub(crate) name: String,
    /// The named experiment or TOML file that every point starts from.
    pub base: String,
    pub(crate) length: Length,
    /// Whether the points are the base itself by several methods, to be compared with its published numbers.
    pub(crate) is_table: bool,
    /// How many seeds.
    pub seeds: u32,
    pub(crate) axes: Vec<Axis>,
    /// Under which protocol the base is.
    base_protocol: Protocol,
    /// What differs from the base, in the order in which it is applied.
    settings: Vec<Setting>,
}

/// A value for all points, or for those of one method.
#[derive(Debug, Clone)]
struct Setting {
    method: Option<Method>,
    assignment: Assignment,
    /// Whether some point has to use it. What a file gives to all points may be of no use to any, as under --quick.
    required: bool,
}

impl Definition {
    /// The names of all sweeps, tables among them.
    pub fn names() -> impl Iterator<Item = &'static str> {
        PARTS.iter().flat_map(Part::sweeps)
    }

    pub(crate) fn named(name: &str, protocol: Protocol) -> anyhow::Result<Self> {
        let mut all = PARTS.iter().flat_map(|part| part.sweeps);
        let Some((_, text)) = all.find(|(known, _)| *known == name) else {
            return Err(unknown_name(name, Self::names().collect()));
        };
        Self::parse(text, &format!("sweeps/{name}.toml"), protocol)
    }

    /// A named sweep, a sweep file, or an experiment without axes. A name that both a table and an experiment have means the
    /// experiment.
    ///
    /// # Errors
    /// There is none of that name, or its file is not one.
    pub fn load(name_or_file: &str, protocol: Protocol) -> anyhow::Result<Self> {
        let experiments: Vec<&str> = Config::names().collect();
        if !experiments.contains(&name_or_file) {
            let path = Path::new(name_or_file);
            if Self::names().any(|name| name == name_or_file) {
                return Self::named(name_or_file, protocol);
            } else if path.extension().is_none_or(|extension| extension != "toml") && !path.is_file() {
                let sweeps = Self::names().filter(|name| !experiments.contains(name));
                return Err(unknown_name(name_or_file, sweeps.chain(experiments.iter().copied()).collect()));
            }
            let text = files::read_text("sweep file", path)?;
            if parse_toml(&text, name_or_file)?.contains_key("sweep") {
                return Self::parse(&text, name_or_file, protocol);
            }
        }
        let name = Config::assembled(name_or_file, protocol, &[])?.experiment;
        let length = if protocol == Protocol::Quick { Length::Quick } else { Length::Paper };
        Ok(Self { length, base_protocol: protocol, ..Self::of(&name, name_or_file) })
    }

    /// Reads the text of a sweep file; `place` names it in errors.
    pub(crate) fn parse(text: &str, place: &str, protocol: Protocol) -> anyhow::Result<Self> {
        let file: File = files::from_toml(text, place, HINT)?;
        if file.sweep.is_empty() {
            return Err(refuse(place, "`sweep` must be a name"));
        }
        let mut sweep = Self { length: file.protocol, is_table: file.table, ..Self::of(&file.sweep, &file.base) };
        if !sweep.is_table {
            sweep.add(None, vec![Assignment::new("experiment", &file.sweep, place)], false);
        }
        let File { seeds, set, methods, vary, quick, .. } = file;
        sweep.change(Changes { seeds, set, methods, vary }, place)?;
        // [quick] is read either way, so that a mistake in it is found by whoever makes it.
        let mut short = sweep.clone();
        match quick {
            Some(quick) => short.change(quick, &format!("{place} [quick]"))?,
            None if protocol == Protocol::Quick && !sweep.is_table => {
                return Err(failure(format!("{place} has no [quick] table"), "run it without --quick"));
            }
            None => {}
        }
        let mut chosen = if protocol == Protocol::Quick { Self { length: Length::Quick, ..short } } else { sweep };
        // A sweep says itself what it shortens; a table is its base, shortened or not.
        if chosen.is_table && chosen.length == Length::Quick {
            chosen.base_protocol = Protocol::Quick;
        }
        Ok(chosen)
    }

    /// An experiment that is not varied, at full length, with one seed.
    pub(crate) fn of(name: &str, base: &str) -> Self {
        Self {
            name: name.to_owned(),
            base: base.to_owned(),
            length: Length::Paper,
            is_table: false,
            seeds: 1,
            axes: Vec::new(),
            base_protocol: Protocol::Paper,
            settings: Vec::new(),
        }
    }

    /// Puts `--set`, or what a gate sets, on top.
    pub(crate) fn set(&mut self, assignments: Vec<Assignment>) {
        self.add(None, assignments, true);
    }

    fn add(&mut self, method: Option<Method>, assignments: Vec<Assignment>, required: bool) {
        let settings = assignments.into_iter().map(|assignment| Setting { method, assignment, required });
        self.settings.extend(settings);
    }

    /// Varies the method and nothing else.
    pub(crate) fn vary_method(&mut self, methods: &[Method]) {
        self.axes = vec![Axis::new("method", methods.iter().map(Method::to_string))];
    }

    /// The name of its record: `p-sweep-short`.
    pub(crate) fn record_name(&self) -> String {
        format!("{}-{}", self.name, self.length.name())
    }

    /// The definition as a sweep file, which gives the same points again.
    pub(crate) fn to_toml(&self) -> String {
        let (mut set, mut methods) = (Table::new(), BTreeMap::<String, Table>::new());
        for Setting { method, assignment, .. } in self.settings.iter().filter(|one| one.assignment.key != "experiment")
        {
            let table = match method {
                Some(method) => methods.entry(method.to_string()).or_default(),
                None => &mut set,
            };
            table.insert(assignment.key.clone(), value(&assignment.value));
        }
        let vary = self.axes.iter().map(Axis::to_toml).collect();
        let Self { name, base, length, is_table, seeds, .. } = self.clone();
        let file = File {
            sweep: name,
            base,
            protocol: length,
            table: is_table,
            seeds: Some(seeds),
            set,
            methods,
            vary: Some(vary),
            quick: None,
        };
        toml::to_string(&file).expect("texts, numbers and tables are always TOML")
    }

    fn change(&mut self, changes: Changes, place: &str) -> anyhow::Result<()> {
        if let Some(seeds) = changes.seeds {
            if !(1..=1000).contains(&seeds) {
                return Err(refuse(place, &format!("`seeds` is {seeds}, which is not from 1 to 1000")));
            }
            self.seeds = seeds;
        }
        self.add(None, assignments(&changes.set, place)?, false);
        // What is for one method comes after what is for all, so that it wins.
        for (name, table) in &changes.methods {
            let place = format!("{place} [methods.{name}]");
            let method = name.parse::<Method>().map_err(|error| refuse(&place, &error.to_string()))?;
            self.add(Some(method), assignments(table, &place)?, false);
        }
        if let Some(axes) = changes.vary {
            self.axes = axes.iter().map(|axis| Axis::from_toml(axis, place)).collect::<anyhow::Result<_>>()?;
        }
        Ok(())
    }

    /// Spreads the sweep out: every point with every seed from `first_seed` on, all of them valid.
    ///
    /// # Errors
    /// A value that a point cannot have, a key that is varied twice or that the points ignore, two points that are the same.
    pub fn points(&self, first_seed: u64) -> anyhow::Result<Vec<Point>> {
        let seeds: Vec<u64> = (0..u64::from(self.seeds)).map(|offset| first_seed.saturating_add(offset)).collect();
        self.points_of_seeds(&seeds)
    }

    /// As [`Definition::points`], with other seeds.
    pub(super) fn points_of_seeds(&self, seeds: &[u64]) -> anyhow::Result<Vec<Point>> {
        let keys: Vec<&str> = self.axes.iter().flat_map(Axis::keys).collect();
        if let Some((_, key)) = keys.iter().enumerate().find(|(i, key)| keys[..*i].contains(key)) {
            return Err(failure(format!("`{key}` is varied twice"), "give all its values in one --vary"));
        }
        let count = self.axes.iter().try_fold(seeds.len(), |count, axis| count.checked_mul(axis.steps.len()));
        if count.is_none_or(|count| count > MOST_POINTS) {
            let message = format!("{} has more than {MOST_POINTS} points", self.name);
            return Err(failure(message, "vary fewer keys at once, or give fewer values"));
        }
        let (mut points, mut seen): (Vec<Point>, _) = (Vec::new(), HashMap::new());
        for steps in product(&self.axes) {
            let varied: Vec<Assignment> = steps.iter().copied().flatten().cloned().collect();
            let name: Vec<String> = self.axes.iter().zip(&steps).map(|(axis, step)| axis.name(step)).collect();
            let config = self.config(&varied)?;
            for &seed in seeds {
                let point = Point {
                    number: points.len() + 1,
                    varied: varied.iter().map(|varied| (varied.key.clone(), varied.value.clone())).collect(),
                    name: name.join(", "),
                    config: config.clone().with_seed(seed)?,
                };
                if let Some(other) = seen.insert(point.config.digest(), point.number) {
                    let message = format!("points {other} and {} are the same run: {}", point.number, point.label());
                    return Err(failure(message, "give every value once"));
                }
                points.push(point);
            }
        }
        self.refuse_useless(&keys, &points)?;
        Ok(points)
    }

    /// The settings of one point: those of the base, then those of all points that the method uses, those of the method,
    /// and what is varied.
    fn config(&self, varied: &[Assignment]) -> anyhow::Result<Config> {
        let given = |of: &dyn Fn(&Setting) -> bool| {
            let own = self.settings.iter().filter(|setting| of(setting)).map(|setting| &setting.assignment);
            own.chain(varied).cloned().collect::<Vec<Assignment>>()
        };
        let method = match Assignment::method(&given(&|setting| setting.method.is_none()))? {
            Some(method) => method,
            None => Config::assembled(&self.base, self.base_protocol, &[])?.method,
        };
        let own = given(&|setting| match setting.method {
            Some(own) => own == method,
            // What all points share may be of no use to some of them, as epochs to a network without hidden layer.
            None => method.uses(&setting.assignment.key),
        });
        let mut config = Config::assembled(&self.base, self.base_protocol, &own)?;
        if !self.is_table {
            // A published number is about one run, not about a point that was changed on purpose.
            config.published = None;
        }
        Ok(config)
    }

    /// A setting that no point uses would look as if it had an effect.
    fn refuse_useless(&self, varied: &[&str], points: &[Point]) -> anyhow::Result<()> {
        let required = self.settings.iter().filter(|setting| setting.required).map(|setting| &setting.assignment);
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

/// The keys of a table as assignments.
pub(crate) fn assignments(table: &Table, place: &str) -> anyhow::Result<Vec<Assignment>> {
    let assignment = |(key, value): (&String, &Value)| {
        let assignment = Assignment::new(key, text(key, value, place)?, place);
        assignment.check_key()?;
        Ok(assignment)
    };
    table.iter().map(assignment).collect()
}

fn unknown_name(name: &str, known: Vec<&str>) -> anyhow::Error {
    let hint = match nearest(name, &known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("give a TOML file or one of {}", known.join(", ")),
    };
    failure(format!("there is no sweep or experiment `{name}`"), hint)
}
