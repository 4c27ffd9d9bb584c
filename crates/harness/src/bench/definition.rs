//! The definition of a benchmark, as TOML: an array `[[bench]]`, one table for each benchmark.
//!
//! ```toml
//! [[bench]]
//! name = "epoch/small"
//! work.epoch = { data = "mnist", hidden = 100, batch = 100, p = 2.0, k = 2, delta = 0.4, rate = 0.04 }
//! check = 3          # minibatches of the warm-up, whose result has the checksum
//! minibatches = 10   # minibatches of one timed iteration
//! iterations = 60    # timed iterations
//! checksum = "…"     # SHA-256 of the result of the warm-up, f32 little-endian, row by row, no padding
//! ```
//!
//! Optional: `engine = "auto|dense|screened"` and `threads = "each"`, which makes one benchmark for each count of threads.
//! The kinds of work and their keys are the variants of [`Work`]. Missing and unknown keys are errors.

mod learners;

use regex_lite::Regex;
use rivalry_core::{Kernels, Rule};
use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected};

use crate::cli::{Engine, Selection};
use crate::compute::Compute;
use crate::error::failure;
use crate::files;
pub(crate) use learners::{LearnerMethod, LearnerWork, PatchWork};

const FILES: [(&str, &str); 5] = [
    ("benchmarks/epoch.toml", include_str!("../../benchmarks/epoch.toml")),
    ("benchmarks/scaling.toml", include_str!("../../benchmarks/scaling.toml")),
    ("benchmarks/kernels.toml", include_str!("../../benchmarks/kernels.toml")),
    ("benchmarks/readout.toml", include_str!("../../benchmarks/readout.toml")),
    ("benchmarks/learners.toml", include_str!("../../benchmarks/learners.toml")),
];

/// One benchmark, as a file has it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Definition {
    /// `group/what`; the group is the table that shows it.
    pub(crate) name: String,
    pub(crate) work: Work,
    #[serde(default)]
    pub(crate) engine: Engine,
    #[serde(default)]
    pub(crate) threads: Threads,
    #[serde(deserialize_with = "positive")]
    pub(crate) check: usize,
    #[serde(deserialize_with = "positive")]
    pub(crate) minibatches: usize,
    #[serde(deserialize_with = "positive")]
    pub(crate) iterations: usize,
    #[serde(deserialize_with = "sha256")]
    pub(crate) checksum: String,
}

/// What is timed.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Work {
    /// Minibatches of the unsupervised phase, as `rivalry train` runs them.
    Epoch(Epoch),
    /// The product that computes the scores of all units, alone.
    Score(Product),
    /// Features of a layer, h = max(I, 0)^4.5.
    Features(Product),
    /// Minibatches of the readout: sums, loss, gradient, Adam.
    Readout(Readout),
    /// Minibatches of another learner.
    Learner(LearnerWork),
    /// Features of images from filters of patches.
    Patches(PatchWork),
    /// Streaming through memory, a = b + 3 c.
    Bandwidth,
}

/// The unsupervised phase.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Epoch {
    pub(crate) data: Data,
    #[serde(deserialize_with = "positive")]
    pub(crate) hidden: usize,
    #[serde(deserialize_with = "positive")]
    pub(crate) batch: usize,
    pub(crate) p: f64,
    pub(crate) k: usize,
    pub(crate) delta: f64,
    pub(crate) rate: f32,
    #[serde(default)]
    pub(crate) start: Start,
}

/// A product of all units and the samples of a minibatch.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Product {
    pub(crate) data: Data,
    #[serde(deserialize_with = "positive")]
    pub(crate) hidden: usize,
    #[serde(deserialize_with = "positive")]
    pub(crate) batch: usize,
}

/// The readout of a random layer.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Readout {
    pub(crate) data: Data,
    #[serde(deserialize_with = "positive")]
    pub(crate) hidden: usize,
    #[serde(deserialize_with = "positive")]
    pub(crate) batch: usize,
    pub(crate) rate: f32,
}

/// Where samples come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Data {
    Mnist,
    Cifar10,
    /// The first so many synthetic digits: 784 inputs, 19 % of them not zero.
    Digits {
        #[serde(deserialize_with = "positive")]
        samples: usize,
    },
    /// Random bytes, hardly any of them zero.
    Noise {
        #[serde(deserialize_with = "positive")]
        samples: usize,
        #[serde(deserialize_with = "positive")]
        inputs: usize,
    },
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Start {
    /// N(0, 1), as at the start of a run.
    #[default]
    Random,
    /// A layer that resembles the end of a run; `bench/workload/epoch.rs` makes it.
    Pretrained,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Threads {
    /// As many as `--threads`, or all cores.
    #[default]
    All,
    /// One benchmark for each count up to that: every count to 8, then doubled.
    Each,
}

impl Data {
    pub(crate) fn inputs(self) -> usize {
        match self {
            Self::Mnist | Self::Digits { .. } => 784,
            Self::Cifar10 => 3072,
            Self::Noise { inputs, .. } => inputs,
        }
    }
}

impl Work {
    /// Data, hidden units and minibatch; nothing for memory bandwidth.
    pub(crate) fn product(&self) -> Option<Product> {
        match *self {
            Self::Epoch(Epoch { data, hidden, batch, .. }) | Self::Readout(Readout { data, hidden, batch, .. }) => {
                Some(Product { data, hidden, batch })
            }
            Self::Score(product) | Self::Features(product) => Some(product),
            Self::Learner(ref learner) => Some(learner.product()),
            Self::Patches(patches) => Some(patches.product()),
            Self::Bandwidth => None,
        }
    }

    /// Whether weights are the result, which start somewhere and move.
    pub(crate) fn learns(&self) -> bool {
        matches!(self, Self::Epoch(_) | Self::Readout(_) | Self::Learner(_))
    }
}

impl Epoch {
    pub(crate) fn rule(&self) -> rivalry_core::Result<Rule> {
        Rule::new(self.p, self.k, self.delta)
    }
}

/// One benchmark on one number of threads.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Case {
    /// The name of the definition, with `@threads` where there are several.
    pub(crate) name: String,
    pub(crate) threads: usize,
    pub(crate) definition: Definition,
}

impl Case {
    /// The threads and the engine of this case, with the given kernels.
    pub(crate) fn compute(&self, kernels: &'static Kernels) -> anyhow::Result<Compute> {
        let core = rivalry_core::Compute::new(Some(self.threads), kernels)?;
        Ok(Compute { core, engine: self.definition.engine.into() })
    }
}

/// The benchmarks that the flags select, in the order of the files, on up to `threads` threads. An engine other than
/// `auto` replaces that of every definition.
pub(crate) fn select(selection: &Selection, engine: Engine, threads: usize) -> anyhow::Result<Vec<Case>> {
    let definitions = match &selection.definitions {
        Some(path) => parse(&files::read_text("definitions", path)?, &path.display().to_string())?,
        None => built_in()?,
    };
    let hint = "`rivalry bench list` shows every name";
    let filter = selection.filter.as_deref().unwrap_or_default();
    let regex = Regex::new(filter)
        .map_err(|error| failure(format!("--filter `{filter}` is not a regular expression: {error}"), hint))?;
    let mut cases = Vec::new();
    for mut definition in definitions {
        if engine != Engine::Auto {
            definition.engine = engine;
        }
        let counts = if definition.threads == Threads::All { vec![threads] } else { counts(threads) };
        for threads in counts {
            let at = if definition.threads == Threads::All { String::new() } else { format!("@{threads}") };
            cases.push(Case { name: format!("{}{at}", definition.name), threads, definition: definition.clone() });
        }
    }
    cases.retain(|case| regex.is_match(&case.name));
    match cases.is_empty() {
        true => Err(failure(format!("--filter `{filter}` matches no benchmark"), hint)),
        false => Ok(cases),
    }
}

fn built_in() -> anyhow::Result<Vec<Definition>> {
    let files = FILES.iter().map(|(place, text)| parse(text, place)).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(files.into_iter().flatten().collect())
}

pub(super) fn parse(text: &str, place: &str) -> anyhow::Result<Vec<Definition>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        bench: Vec<Definition>,
    }
    let hint = "crates/harness/benchmarks has examples, and bench/definition.rs explains the keys";
    let File { bench } = files::from_toml(text, place, hint)?;
    match (1..bench.len()).find(|&i| bench[..i].iter().any(|other| other.name == bench[i].name)) {
        Some(i) => Err(failure(format!("{place} defines `{}` twice", bench[i].name), hint)),
        None => Ok(bench),
    }
}

/// Every count to 8, then doubled, and all.
fn counts(threads: usize) -> Vec<usize> {
    let doubled = std::iter::successors(Some(16), |count| Some(count * 2));
    let mut counts: Vec<usize> = (1..=8).chain(doubled).take_while(|&count| count < threads).collect();
    counts.push(threads);
    counts
}

fn positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    match usize::deserialize(deserializer)? {
        0 => Err(D::Error::invalid_value(Unexpected::Unsigned(0), &"at least 1")),
        count => Ok(count),
    }
}

fn sha256<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        true => Ok(text),
        false => Err(D::Error::invalid_value(Unexpected::Str(&text), &"64 lower-case hexadecimal digits")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
[[bench]]
name = "epoch/small"
work.epoch = { data = { digits = { samples = 50 } }, hidden = 20, batch = 10, p = 2.0, k = 2, delta = 0.4, rate = 0.02 }
check = 1
minibatches = 2
iterations = 3
checksum = "0000000000000000000000000000000000000000000000000000000000000000"
"#;

    #[test]
    fn an_epoch_of_real_data_is_a_whole_one() {
        let all = built_in().unwrap();
        let mut real = 0;
        for definition in &all {
            let Work::Epoch(epoch) = definition.work else { continue };
            let samples = match epoch.data {
                Data::Mnist => 60_000,
                Data::Cifar10 => 50_000,
                Data::Digits { .. } | Data::Noise { .. } => continue,
            };
            let timed = definition.iterations * definition.minibatches * epoch.batch;
            assert_eq!(timed, samples, "{}", definition.name);
            let shape = format!("-{}-p{}-k{}-", epoch.hidden, epoch.p, epoch.k);
            assert!(definition.name.contains(&shape), "{}: {shape}", definition.name);
            real += 1;
        }
        assert_eq!(real, 8);
    }

    #[test]
    fn flags_select_benchmarks_threads_and_engine() {
        let select = |filter: &str, engine, threads| {
            select(&Selection { filter: Some(filter.to_owned()), definitions: None }, engine, threads)
        };
        let cases = select("^scaling/score", Engine::Auto, 2).unwrap();
        let names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names, ["scaling/score-digits-2000@1", "scaling/score-digits-2000@2"]);
        assert_eq!(counts(3), [1, 2, 3]);
        assert_eq!(counts(24), [1, 2, 3, 4, 5, 6, 7, 8, 16, 24]);
        assert_eq!(select("^epoch/mnist-100", Engine::Auto, 5).unwrap()[0].threads, 5);
        assert!(select("", Engine::Dense, 1).unwrap().iter().all(|case| case.definition.engine == Engine::Dense));
        for (filter, expected) in [("nothing like this", "matches no benchmark"), ("(", "is not a regular expression")]
        {
            assert!(select(filter, Engine::Auto, 1).unwrap_err().to_string().contains(expected));
        }
    }

    #[test]
    fn a_wrong_definition_is_refused_with_its_line() {
        assert_eq!(parse(GOOD, "mine.toml").unwrap().len(), 1);
        for (old, new, expected) in [
            ("hidden = 20", "hiden = 20", "line 4: unknown field `hiden`"),
            ("hidden = 20, ", "", "line 4: missing field `hidden`"),
            ("hidden = 20", "hidden = 0", "line 4: invalid value: integer `0`, expected at least 1"),
            ("samples = 50", "", "missing field `samples`"),
            ("rate = 0.02", "", "missing field `rate`"),
            ("work.epoch", "work.score", "unknown field `delta`"),
            ("work.epoch", "work.walk", "unknown variant `walk`"),
            ("iterations = 3", "iterations = 0", "line 7: invalid value: integer `0`"),
            ("checksum = \"0", "checksum = \"g", "expected 64 lower-case hexadecimal digits"),
            ("checksum = \"0", "checksum = \"", "expected 64 lower-case hexadecimal digits"),
            ("check = 1", "", "missing field `check`"),
        ] {
            let error = parse(&GOOD.replace(old, new), "mine.toml").unwrap_err().to_string();
            assert!(error.starts_with("mine.toml, line ") && error.contains(expected), "{new}: {error}");
        }
        let twice = parse(&format!("{GOOD}{GOOD}"), "mine.toml").unwrap_err().to_string();
        assert_eq!(twice, "mine.toml defines `epoch/small` twice");
    }
}
