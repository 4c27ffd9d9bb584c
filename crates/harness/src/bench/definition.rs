//! What a benchmark does, as TOML: an array `[[bench]]` of tables, one a benchmark.
//!
//! A file says everything but what follows from the data; a key that is not known is an error, and so is one that the
//! kind needs and the table lacks.

use std::path::Path;

use regex_lite::Regex;
use rivalry_core::{Kernels, Rule};
use serde::Deserialize;

use crate::cli::{Engine, Selection};
use crate::compute::Compute;
use crate::failure::failure;
use crate::run::files;

/// The files that are built in.
const FILES: [(&str, &str); 4] = [
    ("benchmarks/epoch.toml", include_str!("../../benchmarks/epoch.toml")),
    ("benchmarks/scaling.toml", include_str!("../../benchmarks/scaling.toml")),
    ("benchmarks/kernels.toml", include_str!("../../benchmarks/kernels.toml")),
    ("benchmarks/readout.toml", include_str!("../../benchmarks/readout.toml")),
];

/// One benchmark, as a file has it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// `group/what`; the group is the table that it stands in.
    pub name: String,
    /// What is timed.
    pub kind: Kind,
    /// Where the examples come from; none for memory bandwidth.
    pub data: Option<Data>,
    /// The first so many examples only; generated data needs it.
    pub samples: Option<usize>,
    /// Hidden units.
    pub hidden: Option<usize>,
    /// Length of an example; the data must have it.
    pub inputs: Option<usize>,
    /// Examples of a minibatch.
    pub batch: Option<usize>,
    /// Lebesgue norm.
    pub p: Option<f64>,
    /// Rank of the unit that is pushed away.
    pub k: Option<usize>,
    /// Strength of the push.
    pub delta: Option<f64>,
    /// The learning rate, the same for every minibatch.
    pub rate: Option<f32>,
    /// The weights to start from.
    #[serde(default)]
    pub start: Start,
    /// How scores are found.
    #[serde(default)]
    pub engine: Engine,
    /// On how many threads.
    #[serde(default)]
    pub threads: Threads,
    /// Minibatches of the warm-up, whose result has the checksum.
    pub check: usize,
    /// Minibatches of one timed iteration.
    pub minibatches: usize,
    /// Timed iterations.
    pub iterations: usize,
    /// SHA-256 of the result of the warm-up: little-endian f32, row by row, no padding.
    pub checksum: String,
}

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Minibatches of the unsupervised phase, as `rivalry train` runs them.
    Epoch,
    /// The score kernel alone: every unit for every example of a minibatch.
    Score,
    /// Features of a layer, h = max(I, 0)^4.5.
    Features,
    /// Minibatches of the readout: sums, loss, gradient, Adam.
    Readout,
    /// Streaming through memory, a = b + 3 c.
    Bandwidth,
}

/// Where examples come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Data {
    /// MNIST.
    Mnist,
    /// CIFAR-10.
    Cifar10,
    /// The first of the synthetic digits: 784 inputs, 19 % of them ink.
    Digits,
    /// Random bytes, so hardly any is zero.
    Noise,
}

/// The weights to start from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// N(0, 1), as a run starts.
    #[default]
    Random,
    /// Stands for a layer that has learned: see `work/settled.rs`.
    Settled,
}

/// On how many threads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Threads {
    /// As many as `--threads`, or all cores.
    #[default]
    All,
    /// One benchmark for each count up to that: every count to 8, then doubled.
    Each,
}

/// One benchmark on one number of threads.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// The name of the definition, with `@threads` where there are several.
    pub name: String,
    /// How many.
    pub threads: usize,
    /// What it does.
    pub definition: Definition,
}

impl Case {
    /// The threads and the engine of this case, on some kernels.
    ///
    /// # Errors
    /// Threads cannot be started.
    pub fn compute(&self, kernels: &'static Kernels) -> anyhow::Result<Compute> {
        Ok(Compute {
            core: rivalry_core::Compute::new(Some(self.threads), kernels)?,
            engine: self.definition.engine.into(),
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    bench: Vec<Definition>,
}

/// The benchmarks that the flags name, in the order of the files, on up to `threads` threads. An engine other than `auto`
/// replaces that of every definition.
///
/// # Errors
/// A file that is not as it should be, a filter that is no regular expression, or none that it matches.
pub fn select(selection: &Selection, engine: Engine, threads: usize) -> anyhow::Result<Vec<Case>> {
    let mut definitions = match &selection.definitions {
        Some(path) => from_file(path)?,
        None => embedded()?,
    };
    if engine != Engine::Auto {
        definitions.iter_mut().for_each(|definition| definition.engine = engine);
    }
    let all = definitions.into_iter().flat_map(|definition| definition.cases(threads));
    let Some(filter) = &selection.filter else { return Ok(all.collect()) };
    let hint = "`rivalry bench list` shows every name";
    let regex = Regex::new(filter).map_err(|error| {
        failure(format!("--filter: expected a regular expression, found `{filter}`: {error}"), hint)
    })?;
    let cases: Vec<Case> = all.filter(|case| regex.is_match(&case.name)).collect();
    if cases.is_empty() {
        return Err(failure(
            format!("--filter: expected to match a benchmark, found none that matches `{filter}`"),
            hint,
        ));
    }
    Ok(cases)
}

fn embedded() -> anyhow::Result<Vec<Definition>> {
    let files = FILES.iter().map(|(place, text)| parse(text, place)).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(files.into_iter().flatten().collect())
}

fn from_file(path: &Path) -> anyhow::Result<Vec<Definition>> {
    parse(&files::read_text("definitions", path)?, &path.display().to_string())
}

fn parse(text: &str, place: &str) -> anyhow::Result<Vec<Definition>> {
    let hint = "one [[bench]] a benchmark; crates/harness/benchmarks has examples";
    let file: File = toml::from_str(text).map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
        failure(format!("{place} line {line}: expected benchmarks, found: {}", error.message()), hint)
    })?;
    for (i, definition) in file.bench.iter().enumerate() {
        definition.check(place)?;
        if file.bench[..i].iter().any(|other| other.name == definition.name) {
            let message = format!("{place}: expected every name once, found `{}` twice", definition.name);
            return Err(failure(message, hint));
        }
    }
    Ok(file.bench)
}

impl Definition {
    fn cases(self, threads: usize) -> Vec<Case> {
        match self.threads {
            Threads::All => vec![Case { name: self.name.clone(), threads, definition: self }],
            Threads::Each => {
                let count =
                    |count| Case { name: format!("{}@{count}", self.name), threads: count, definition: self.clone() };
                counts(threads).into_iter().map(count).collect()
            }
        }
    }

    fn check(&self, place: &str) -> anyhow::Result<()> {
        let (epoch, stream) = (self.kind == Kind::Epoch, self.kind == Kind::Bandwidth);
        let generated = matches!(self.data, Some(Data::Digits | Data::Noise));
        let keys = [
            ("data", !stream, self.data.is_some()),
            ("samples", generated, self.samples.is_some()),
            ("hidden", !stream, self.hidden.is_some()),
            ("inputs", !stream, self.inputs.is_some()),
            ("batch", !stream, self.batch.is_some()),
            ("p", epoch, self.p.is_some()),
            ("k", epoch, self.k.is_some()),
            ("delta", epoch, self.delta.is_some()),
            ("rate", epoch || self.kind == Kind::Readout, self.rate.is_some()),
        ];
        if let Some((key, ..)) = keys.iter().find(|(_, needed, given)| *needed && !given) {
            return Err(self.refuse(place, key, "given for this kind and data", "nothing"));
        }
        if let Some((key, ..)) = keys.iter().find(|(key, needed, given)| *key != "samples" && !needed && *given) {
            return Err(self.refuse(place, key, "only where the kind needs it", "a value"));
        }
        let counts = [
            ("samples", self.samples),
            ("hidden", self.hidden),
            ("inputs", self.inputs),
            ("batch", self.batch),
            ("check", Some(self.check)),
            ("minibatches", Some(self.minibatches)),
            ("iterations", Some(self.iterations)),
        ];
        if let Some((key, _)) = counts.iter().find(|(_, count)| *count == Some(0)) {
            return Err(self.refuse(place, key, "at least 1", "0"));
        }
        let is_digest =
            self.checksum.len() == 64 && self.checksum.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !is_digest {
            return Err(self.refuse(
                place,
                "checksum",
                "64 lower-case hexadecimal digits",
                &format!("`{}`", self.checksum),
            ));
        }
        Ok(())
    }

    fn refuse(&self, place: &str, key: &str, expected: &str, found: &str) -> anyhow::Error {
        let message = format!("{place}: key `{key}` of `{}`: expected {expected}, found {found}", self.name);
        failure(message, "crates/harness/benchmarks has examples, CONTRIBUTING.md the keys")
    }

    /// The rule of an epoch.
    ///
    /// # Errors
    /// Values that no rule can have.
    pub fn rule(&self) -> anyhow::Result<Rule> {
        let value = |value: Option<f64>| value.unwrap_or(f64::NAN);
        Ok(Rule::new(value(self.p), self.k.unwrap_or(0), value(self.delta))?)
    }
}

/// Every count to 8, then doubled, and all.
fn counts(threads: usize) -> Vec<usize> {
    let doubled = std::iter::successors(Some(16), |count| Some(count * 2));
    let mut counts: Vec<usize> = (1..=8).chain(doubled).take_while(|&count| count < threads).collect();
    counts.push(threads);
    counts
}

#[cfg(test)]
mod tests;
