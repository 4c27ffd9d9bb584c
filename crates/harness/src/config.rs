//! The settings of one run: a named experiment or a TOML file, with values of single keys on top.
//!
//! ```text
//! table = experiments/NAME.toml, without [methods] and [quick]
//! table ← [methods.METHOD] ← [quick] ← the user's file ← --set ← --seed
//! Config = table, by serde
//! ```
//!
//! A file starts from the named experiment of its `dataset`, or from `mnist` when that is a directory; only the published
//! figure is not taken over. Values are put in one by one, so that an error knows its key and its place. What the data
//! decides is checked by `dataset`.
//!
//! [`Config::to_toml`] writes every key that the method uses. That file can be fed in again and gives the same run, which
//! is what `config.toml` of a run folder is.

mod values;

use std::path::Path;

use rivalry_nets::Schedule;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use toml::{Table, Value};

pub use values::{Amount, Balance, CurrentScale, Hidden, OffSphere, Split, Task, UnitLength};

use crate::error::failure;
use crate::files;
use crate::files::hex;
use crate::methods::{self, METHODS, paper};

/// One of the [`methods`].
pub type Method = &'static dyn methods::Method;

/// The named experiments and their files.
const NAMED: [(&str, &str); 3] = [
    ("mnist", include_str!("../experiments/mnist.toml")),
    ("cifar10", include_str!("../experiments/cifar10.toml")),
    ("synthetic", include_str!("../experiments/synthetic.toml")),
];
/// Enough for every network that fits in memory, and small enough that sizes never overflow.
const MOST_UNITS: usize = 1 << 24;
const MOST_EPOCHS: u32 = 1_000_000;
/// TOML holds integers as i64.
const LARGEST_SEED: u64 = i64::MAX as u64;
/// Keys that name things and determine nothing of the run.
const NAMES: [&str; 2] = ["experiment", "published"];

/// Every setting of one run. The names are the keys of TOML files and of `--set`; `METHODOLOGY.md` says what they mean in
/// the equations. Adding a setting = one field here, its value in `experiments/*.toml`, its range in `Config::ranges`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name in the CSV files.
    pub experiment: String,
    /// `mnist`, `cifar10`, `synthetic`, or a directory with the user's own samples.
    pub dataset: String,
    /// How the network learns.
    pub method: Method,
    /// What the readout has to tell.
    pub task: Task,
    /// Hidden units of each layer.
    pub hidden: Hidden,
    /// Exponent p of the Lebesgue norm.
    pub p: f64,
    /// Rank of the unit that gets the anti-Hebbian update.
    pub k: usize,
    /// Strength Δ of the anti-Hebbian update.
    pub delta: f64,
    /// Anti-Hebbian updates of a unit per win.
    pub balance: Balance,
    /// Epochs of the unsupervised phase.
    pub epochs: u32,
    /// Samples per minibatch of the unsupervised phase.
    pub batch: usize,
    /// Learning rate of its first epoch.
    pub rate: f64,
    /// Standard deviation of the initial weights.
    pub init_sigma: f64,
    /// Where images are scaled to unit length.
    pub unit_length: UnitLength,
    /// Power n of eq. 1.
    pub power_n: f64,
    /// By what currents are divided before the power.
    pub current_scale: CurrentScale,
    /// Whether units off the p-sphere take part in the readout.
    pub off_sphere: OffSphere,
    /// Power m of the loss, eq. 12.
    pub loss_m: f64,
    /// Gain β of the readout, eq. 1.
    pub beta: f64,
    /// Epochs of the readout; 0 stops after the unsupervised layer.
    pub readout_epochs: u32,
    /// Samples per minibatch of the readout.
    pub readout_batch: usize,
    /// Rates of the readout as `rate:end epoch,…`, the end epochs scaled to `readout_epochs`.
    pub readout_rates: String,
    /// Training samples of both phases.
    pub train_samples: Amount,
    /// Labelled samples of each class that the readout sees.
    pub labels_per_class: Amount,
    /// Share of the training set that is held out; above 0 the test set is not touched.
    pub validation: f64,
    /// Which samples `validation` and `train_samples` take.
    pub split: Split,
    /// Seed of every random number.
    pub seed: u64,
    /// The published figure that this run is compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<Published>,
    /// The keys that only this method has, checked by it.
    #[serde(skip)]
    pub own: Table,
}

/// A number from the literature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// Test error in per cent.
    pub test_error_pct: f64,
    /// How far from it a run may be and still count as agreeing.
    pub tolerance_pct: f64,
    /// Where it stands, and how well that is known.
    pub source: String,
}

/// How much of the paper's protocol is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// The `[quick]` table of the named experiment on top of it.
    Quick,
    /// All of it.
    Paper,
}

impl Protocol {
    /// The flag that asks for it, without the dashes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Paper => "paper",
        }
    }
}

/// A value for one key, as text, and where it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The key.
    pub key: String,
    /// Its value, as after `--set key=`.
    pub value: String,
    /// `--set`, `--vary`, or a file.
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
            let hint = format!("for example {place} hidden=500");
            return Err(failure(format!("{place} takes key=value, not `{text}`"), hint));
        };
        Ok(Self::new(key.trim(), value.trim(), place))
    }

    /// Whether the key is one that settings have.
    ///
    /// # Errors
    /// It is not; the hint names the nearest one.
    pub fn check_key(&self) -> anyhow::Result<()> {
        check_key(&self.key, &self.place)
    }

    /// The method that the assignments ask for: that of the last one that names one.
    ///
    /// # Errors
    /// A method that does not exist.
    pub fn method(assignments: &[Self]) -> anyhow::Result<Option<Method>> {
        let last = assignments.iter().rev().find(|assignment| assignment.key == "method");
        last.map(|last| parse_method(&last.to_toml(), &last.place)).transpose()
    }

    fn to_toml(&self) -> Value {
        let text = Value::from(self.value.as_str());
        if ["experiment", "dataset"].contains(&self.key.as_str()) {
            return text;
        }
        let number = self.value.parse().map(Value::Integer);
        number.or_else(|_| self.value.parse().map(Value::Float)).unwrap_or(text)
    }
}

impl Config {
    /// Resolves what was asked for on the command line of `train`.
    ///
    /// # Errors
    /// An unknown name, key or value, or settings that contradict each other; the message names key and place.
    pub fn resolve(name_or_file: &str, sets: &[String], seed: Option<u64>) -> anyhow::Result<Self> {
        let sets = sets.iter().map(|set| Assignment::parse(set, "--set")).collect::<anyhow::Result<Vec<_>>>()?;
        let config = Self::assembled(name_or_file, Protocol::Paper, &sets)?;
        match seed {
            Some(seed) if sets.iter().any(|set| set.key == "seed") && config.seed != seed => Err(failure(
                format!("--seed {seed} and --set seed={} contradict each other", config.seed),
                "leave one out",
            )),
            Some(seed) => config.with_seed(seed),
            None => Ok(config),
        }
    }

    /// A named experiment by a method, under a protocol of `reproduce`.
    ///
    /// # Errors
    /// An unknown name.
    pub fn named(name: &str, method: Method, protocol: Protocol, seed: u64) -> anyhow::Result<Self> {
        Layers::named(name, Some(method), protocol)?.config()?.with_seed(seed)
    }

    /// A named experiment or a TOML file under a protocol, with values of its keys on top.
    ///
    /// # Errors
    /// An unknown name, key or value, a key that the method ignores, or settings that contradict each other.
    pub fn assembled(name_or_file: &str, protocol: Protocol, assignments: &[Assignment]) -> anyhow::Result<Self> {
        let method = Assignment::method(assignments)?;
        let mut layers = match NAMED.iter().any(|(name, _)| *name == name_or_file) {
            true => Layers::named(name_or_file, method, protocol)?,
            false => Layers::file(name_or_file, method, protocol)?,
        };
        let before = layers.config()?;
        for assignment in assignments {
            layers.insert(&assignment.key, assignment.to_toml(), &assignment.place)?;
        }
        let mut config = layers.config()?;
        for Assignment { key, place, .. } in assignments {
            config.refuse_unused(key, place)?;
        }
        // A published figure is about one network on one data set.
        let network =
            |config: &Self| (config.dataset.clone(), config.hidden.clone(), config.task, config.train_samples);
        if network(&config) != network(&before) || config.labels_per_class != before.labels_per_class {
            config.published = None;
        }
        methods::check(&config)?;
        Ok(config)
    }

    /// Every named experiment.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMED.iter().map(|(name, _)| *name)
    }

    /// The same with another seed.
    ///
    /// # Errors
    /// The seed is larger than a TOML file can hold.
    pub fn with_seed(mut self, seed: u64) -> anyhow::Result<Self> {
        self.seed = seed;
        self.ranges().map_err(|(key, range)| out_of_range(key, range, &seed.to_string(), "--seed"))?;
        Ok(self)
    }

    /// The resolved settings as a TOML file that can be fed in again.
    pub fn to_toml(&self) -> String {
        let body = toml::to_string(self).expect("settings are TOML");
        let used = |line: &&str| line.split_once(" = ").is_none_or(|(key, _)| self.method.uses(key));
        let own = toml::to_string(&self.own).expect("settings are TOML");
        let (keys, published) = body.split_at(body.find("[published]").unwrap_or(body.len()));
        let lines: String =
            keys.trim_end().lines().filter(used).chain(own.lines()).map(|line| format!("{line}\n")).collect();
        let gap = if published.is_empty() { "" } else { "\n" };
        format!("# Fully resolved; `rivalry train` on this file repeats the run.\n{lines}{gap}{published}")
    }

    /// SHA-256 of all that determines the run: every key that the method uses, but neither the name of the experiment nor
    /// the published figure.
    pub fn digest(&self) -> String {
        hex(&Sha256::digest(toml::to_string(&self.table(&NAMES)).expect("a table is TOML")))
    }

    /// The settings that determine the run and differ, as `key ours here, theirs there`.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        if self.method != other.method {
            return vec![format!("method {} here, {} there", self.method, other.method)];
        }
        let (ours, theirs) = (self.table(&NAMES), other.table(&NAMES));
        let shown = |table: &Table, key: &str| table.get(key).map_or("nothing".to_owned(), ToString::to_string);
        let keys = ours.keys().chain(theirs.keys().filter(|key| !ours.contains_key(*key)));
        keys.filter(|key| ours.get(*key) != theirs.get(*key))
            .map(|key| format!("{key} {} here, {} there", shown(&ours, key), shown(&theirs, key)))
            .collect()
    }

    /// The shortest way to ask for this run: a named experiment and what `--set` changes of it, but for the seed.
    pub fn differences_from_named(&self) -> (&'static str, Vec<(String, String)>) {
        let known = |name: &str| NAMED.iter().map(|(known, _)| *known).find(|known| *known == name);
        let base = known(&self.experiment).or_else(|| known(&self.dataset)).unwrap_or("mnist");
        let named =
            Self::named(base, self.method, Protocol::Paper, self.seed).expect("a named experiment by any method");
        let (ours, theirs) = (self.table(&["published"]), named.table(&["published"]));
        let method = (self.method != paper()).then(|| ("method".to_owned(), self.method.to_string()));
        let changed = ours.iter().filter(|(key, value)| theirs.get(*key) != Some(value));
        let changed = changed.map(|(key, value)| (key.clone(), value_text(value)));
        (base, method.into_iter().chain(changed).collect())
    }

    /// The name of its run folder: experiment, method unless it is the paper's, seed.
    pub fn run_name(&self) -> String {
        let method = if self.method == paper() { String::new() } else { format!("-{}", self.method) };
        format!("{}{method}-seed{}", self.experiment, self.seed)
    }

    /// The keys that the method uses, without some.
    fn table(&self, without: &[&str]) -> Table {
        let mut table = Table::try_from(self).expect("settings are a TOML table");
        table.extend(self.own.clone());
        table.retain(|key, _| self.method.uses(key) && !without.contains(&key));
        table
    }

    /// The ranges of single keys; the first key that is out of its range, and that range.
    fn ranges(&self) -> Result<(), (&'static str, &'static str)> {
        let positive = |number: f64| number.is_finite() && number > 0.0;
        let units = |least: usize, count: usize| (least..=MOST_UNITS).contains(&count);
        let samples = |amount: Amount| amount.first().is_none_or(|count| (1..=u32::MAX as usize).contains(&count));
        let name = &self.experiment;
        let scale = !matches!(self.current_scale, CurrentScale::Fixed(scale) if !positive(scale));
        let balance = !matches!(self.balance, Balance::PerWin(limit) if !positive(limit));
        let figure = self.published.as_ref();
        let rules = [
            ("experiment", may_name_a_folder(name), "a name of letters, digits, - _ and ."),
            ("dataset", !self.dataset.is_empty(), "mnist, cifar10, synthetic or a directory"),
            ("hidden", self.hidden.sizes().iter().all(|&size| units(2, size)), "from 2 to 16777216"),
            ("p", self.p.is_finite() && self.p >= 1.0, "a number of at least 1"),
            ("k", units(2, self.k), "from 2 to 16777216"),
            ("delta", self.delta.is_finite() && self.delta >= 0.0, "a number of at least 0"),
            ("balance", balance, "off, or a number above 0"),
            ("epochs", self.epochs <= MOST_EPOCHS, "from 0 to 1000000"),
            ("batch", units(1, self.batch), "from 1 to 16777216"),
            ("rate", positive(self.rate), "a number above 0"),
            ("init_sigma", positive(self.init_sigma), "a number above 0"),
            ("power_n", positive(self.power_n), "a number above 0"),
            ("current_scale", scale, "a number above 0, or auto"),
            ("loss_m", self.loss_m.is_finite() && self.loss_m > 1.0, "a number above 1"),
            ("beta", positive(self.beta), "a number above 0"),
            ("readout_epochs", self.readout_epochs <= MOST_EPOCHS, "from 0 to 1000000"),
            ("readout_batch", units(1, self.readout_batch), "from 1 to 16777216"),
            (
                "readout_rates",
                Schedule::parse(&self.readout_rates).is_ok(),
                "rates with increasing end epochs, as in 1e-3:100,5e-4:150",
            ),
            ("train_samples", samples(self.train_samples), "from 1 to 4294967295, or all"),
            ("labels_per_class", samples(self.labels_per_class), "from 1 to 4294967295, or all"),
            ("validation", (0.0..1.0).contains(&self.validation), "a share of at least 0 and below 1"),
            ("seed", self.seed <= LARGEST_SEED, "from 0 to 9223372036854775807"),
            (
                "published",
                figure.is_none_or(|of| (0.0..=100.0).contains(&of.test_error_pct) && of.tolerance_pct >= 0.0),
                "an error from 0 to 100 with a tolerance of at least 0",
            ),
        ];
        rules.into_iter().find(|(_, holds, _)| !holds).map_or(Ok(()), |(key, _, range)| Err((key, range)))
    }

    /// A key that has no effect under the method would look as if it had one.
    fn refuse_unused(&self, key: &str, place: &str) -> anyhow::Result<()> {
        if self.method.uses(key) {
            return Ok(());
        }
        let hint = match key {
            "epochs" => "readout_epochs sets the epochs of this method",
            "batch" => "readout_batch sets the minibatch of this method",
            "rate" => "readout_rates sets the rates of this method, for example readout_rates=1e-3:100,1e-4:150",
            _ => "leave it out, or set another method",
        };
        Err(failure(format!("method {} does not use `{key}` ({place})", self.method), hint))
    }
}

/// Settings that are being put together: always a whole, valid [`Config`] once the named experiment is in.
struct Layers(Table);

impl Layers {
    /// A named experiment, with the table of the method on top, then its `[quick]` table if that is asked for.
    fn named(name: &str, method: Option<Method>, protocol: Protocol) -> anyhow::Result<Self> {
        let Some((_, text)) = NAMED.iter().find(|(known, _)| *known == name) else {
            return Err(failure(format!("there is no experiment `{name}`"), "`rivalry train --help` names them"));
        };
        let place = format!("experiments/{name}.toml");
        let mut table = parse_toml(text, &place)?;
        let (methods, quick) = (table.remove("methods"), table.remove("quick"));
        let mut layers = Self(table);
        let base = layers.config()?.method;
        if let Some(method) = method.filter(|method| *method != base) {
            // The figure of one method says nothing about another.
            layers.0.remove("published");
            let own = methods.as_ref().and_then(|methods| methods.get(method.to_string())).and_then(Value::as_table);
            // The keys that only this method has come together: none means anything without the others.
            let is_own = |key: &String| method.own_keys().contains(&key.as_str());
            let (all, rest): (Vec<_>, Vec<_>) = own.into_iter().flatten().partition(|(key, _)| is_own(key));
            layers.0.extend(all.into_iter().map(|(key, value)| (key.clone(), value.clone())));
            layers.insert("method", Value::from(method.to_string()), &place)?;
            for (key, value) in rest {
                layers.insert(key, value.clone(), &format!("{place} [methods.{method}]"))?;
            }
        }
        layers.quick(quick.as_ref(), protocol, &place)?;
        Ok(layers)
    }

    /// A user's file, on top of the named experiment of its data set.
    fn file(name_or_file: &str, method: Option<Method>, protocol: Protocol) -> anyhow::Result<Self> {
        let path = Path::new(name_or_file);
        if path.extension().is_none_or(|extension| extension != "toml") && !path.is_file() {
            let names: Vec<&str> = Config::names().collect();
            let hint = match nearest(name_or_file, &names) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("give {}, or a file ending in .toml", names.join(", ")),
            };
            return Err(failure(format!("there is no experiment or TOML file `{name_or_file}`"), hint));
        }
        let text = files::read_text("experiment file", path)?;
        let mut table = parse_toml(&text, name_or_file)?;
        let Some(dataset) = table.get("dataset").and_then(Value::as_str) else {
            let hint = "dataset = \"mnist\", \"cifar10\", \"synthetic\" or a directory with your own data";
            return Err(failure(format!("{name_or_file} names no data set"), hint));
        };
        let base = Config::names().find(|name| *name == dataset).unwrap_or("mnist");
        let own = table
            .get("method")
            .map(|value| parse_method(value, &line_of(&text, "method", name_or_file)))
            .transpose()?;
        let mut layers = Self::named(base, method.or(own), Protocol::Paper)?;
        // A published figure belongs to the experiment that names it, never to a file that merely starts from there.
        layers.0.remove("published");
        let stem = path.file_stem().map_or("experiment".into(), |stem| stem.to_string_lossy().into_owned());
        let stem = stem.replace(|c: char| !may_stand_in_a_name(c), "-");
        layers.insert("experiment", Value::from(stem), name_or_file)?;
        let quick = table.remove("quick");
        for (key, value) in &table {
            layers.insert(key, value.clone(), &line_of(&text, key, name_or_file))?;
        }
        if method.is_none() || method == own {
            let config = layers.config()?;
            for key in table.keys() {
                config.refuse_unused(key, &line_of(&text, key, name_or_file))?;
            }
        }
        if let Some(Value::Table(_)) = quick {
            // It is checked, even where it is not asked for.
            Self(layers.0.clone()).quick(quick.as_ref(), Protocol::Quick, name_or_file)?;
        }
        layers.quick(quick.as_ref(), protocol, name_or_file)?;
        Ok(layers)
    }

    fn quick(&mut self, quick: Option<&Value>, protocol: Protocol, place: &str) -> anyhow::Result<()> {
        if protocol == Protocol::Paper {
            return Ok(());
        }
        let Some(quick) = quick.and_then(Value::as_table) else {
            return Err(failure(format!("{place} has no [quick] table"), "run it with --paper"));
        };
        for (key, value) in quick {
            if key != "tolerance_pct" {
                self.insert(key, value.clone(), place)?;
            } else if let Some(Value::Table(published)) = self.0.get_mut("published") {
                published.insert(key.clone(), value.clone());
            }
        }
        self.config().map(drop)
    }

    /// Puts one value in and checks it.
    fn insert(&mut self, key: &str, value: Value, place: &str) -> anyhow::Result<()> {
        check_key(key, place)?;
        let shown = value.to_string();
        self.0.insert(key.to_owned(), value);
        let refuse = |error: toml::de::Error| {
            let message = format!("`{key}` cannot be {shown} ({place}): {}", plain(error.message()));
            failure(message, "`rivalry train --help` lists every key and its values")
        };
        let config = self.typed().map_err(refuse)?;
        config.method.check_own(&config).map_err(refuse)?;
        config.ranges().map_err(|(bad, range)| out_of_range(bad, range, &shown, place))
    }

    fn config(&self) -> anyhow::Result<Config> {
        let refuse =
            |error: toml::de::Error| failure(format!("bad settings: {}", error.message()), "was the file edited?");
        self.typed().map_err(refuse)
    }

    fn typed(&self) -> Result<Config, toml::de::Error> {
        let (own, common) = self.0.clone().into_iter().partition(|(key, _)| is_of_a_method(key));
        let mut config: Config = Table::try_into(common)?;
        config.own = own;
        config.own.retain(|key, _| config.method.own_keys().contains(&key));
        Ok(config)
    }
}

fn out_of_range(key: &str, range: &str, found: &str, place: &str) -> anyhow::Error {
    let message = format!("`{key}` must be {range}, not {found} ({place})");
    failure(message, "`rivalry train --help` lists every key and its values")
}

fn parse_method(value: &Value, place: &str) -> anyhow::Result<Method> {
    value.clone().try_into().map_err(|error: toml::de::Error| {
        let message = format!("`method` cannot be {value} ({place}): {}", error.message());
        failure(message, "`rivalry train --help` says what each method is")
    })
}

/// TOML, or an error with its line.
pub(crate) fn parse_toml(text: &str, place: &str) -> anyhow::Result<Table> {
    text.parse::<Table>().map_err(|error| {
        let line = error.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
        let message = format!("{place} line {line} is not TOML: {}", error.message());
        failure(message, "one `key = value` a line; texts in quotes")
    })
}

/// A message of serde without the types of this language.
fn plain(message: &str) -> String {
    let integers = ["expected usize", "expected u64", "expected u32"];
    let text =
        integers.iter().fold(message.to_owned(), |text, word| text.replace(word, "expected an integer of at least 0"));
    ["expected f64", "expected f32"].iter().fold(text, |text, word| text.replace(word, "expected a number"))
}

/// `FILE line 3`, or the file alone where the key cannot be found.
fn line_of(text: &str, key: &str, file: &str) -> String {
    let is_key =
        |line: &str| line.trim_start().strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='));
    text.lines().position(is_key).map_or(file.to_owned(), |line| format!("{file} line {}", line + 1))
}

/// Whether only some methods have the key.
fn is_of_a_method(key: &str) -> bool {
    METHODS.iter().any(|method| method.own_keys().contains(&key))
}

/// The experiment's name is part of the name of its run folder.
fn may_name_a_folder(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && name.chars().all(may_stand_in_a_name)
}

fn may_stand_in_a_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-_.".contains(character)
}

/// A value as `--set` takes it.
pub(crate) fn value_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Float(number) => number.to_string(),
        Value::Array(list) => list.iter().map(value_text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

fn check_key(key: &str, place: &str) -> anyhow::Result<()> {
    let known = parse_toml(NAMED[0].1, NAMED[0].0)?;
    let common = known.keys().map(String::as_str).filter(|key| !["methods", "quick"].contains(key));
    let own = METHODS.iter().flat_map(|method| method.own_keys());
    let keys: Vec<&str> = common.chain(own.copied()).collect();
    if keys.contains(&key) { Ok(()) } else { Err(unknown_key(key, &keys, place)) }
}

/// The error for a key that does not exist; its hint names the nearest one.
pub(crate) fn unknown_key(found: &str, keys: &[&str], place: &str) -> anyhow::Error {
    let hint = match nearest(found, keys) {
        Some(key) => format!("did you mean `{key}`?"),
        None => format!("the keys are {}", keys.join(", ")),
    };
    failure(format!("there is no key `{found}` ({place})"), hint)
}

/// The word that `found` most likely meant, if any is close.
pub(crate) fn nearest<'a>(found: &str, words: &[&'a str]) -> Option<&'a str> {
    let distance = |word: &str| strsim::damerau_levenshtein(&found.to_lowercase(), word);
    let best = words.iter().min_by_key(|word| distance(word))?;
    (distance(best) <= 1 + best.len() / 4).then_some(best)
}

#[cfg(test)]
mod tests;
