//! The work of the other learners: minibatches of one that learns, and images that filters of patches encode.

use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected};

use super::{Data, Product, positive};

/// Minibatches of a learner with our settings, which `bench/workload/learners.rs` has.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LearnerWork {
    pub(crate) method: LearnerMethod,
    pub(crate) data: Data,
    /// The units of each hidden layer, from the inputs up.
    #[serde(deserialize_with = "layers")]
    pub(crate) hidden: Vec<usize>,
    #[serde(deserialize_with = "positive")]
    pub(crate) batch: usize,
}

/// The methods of `rivalry train` that a benchmark can time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LearnerMethod {
    Slow,
    EquilibriumPropagation,
    DendriticMicrocircuit,
}

/// Features of images from random filters of patches.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PatchWork {
    pub(crate) data: Data,
    #[serde(deserialize_with = "positive")]
    pub(crate) filters: usize,
    /// The side of a patch, in pixels.
    #[serde(deserialize_with = "positive")]
    pub(crate) side: usize,
    /// The image is divided into cells × cells.
    #[serde(deserialize_with = "positive")]
    pub(crate) cells: usize,
    /// The images of a minibatch.
    #[serde(deserialize_with = "positive")]
    pub(crate) batch: usize,
}

impl LearnerMethod {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::EquilibriumPropagation => "equilibrium-propagation",
            Self::DendriticMicrocircuit => "dendritic-microcircuit",
        }
    }
}

impl LearnerWork {
    /// All hidden units count.
    pub(crate) fn product(&self) -> Product {
        Product { data: self.data, hidden: self.hidden.iter().sum(), batch: self.batch }
    }
}

impl PatchWork {
    pub(crate) fn product(&self) -> Product {
        Product { data: self.data, hidden: self.filters, batch: self.batch }
    }
}

fn layers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<usize>, D::Error> {
    let layers = Vec::<usize>::deserialize(deserializer)?;
    match layers.is_empty() || layers.contains(&0) {
        true => Err(D::Error::invalid_value(Unexpected::Seq, &"the units of at least one layer, each at least 1")),
        false => Ok(layers),
    }
}

#[cfg(test)]
mod tests {
    use crate::bench::definition::parse;

    const GOOD: &str = "[[bench]]\nname = 'a'\ncheck = 1\nminibatches = 2\niterations = 3\n\
        checksum = '0000000000000000000000000000000000000000000000000000000000000000'\n";
    const LEARNER: &str = "work.learner = { method = 'slow', data = 'mnist', hidden = [20], batch = 10 }\n";
    const PATCHES: &str = "work.patches = { data = 'cifar10', filters = 20, side = 6, cells = 3, batch = 10 }\n";

    #[test]
    fn a_wrong_learner_is_refused() {
        for (work, old, new, expected) in [
            (LEARNER, "[20]", "[]", "the units of at least one layer"),
            (LEARNER, "[20]", "[20, 0]", "the units of at least one layer"),
            (LEARNER, "slow", "fast", "unknown variant `fast`"),
            (LEARNER, "batch = 10", "batch = 0", "expected at least 1"),
            (LEARNER, ", batch", ", p = 3.0, batch", "unknown field `p`"),
            (PATCHES, "side = 6", "side = 0", "expected at least 1"),
            (PATCHES, "cells = 3, ", "", "missing field `cells`"),
        ] {
            let good = format!("{GOOD}{work}");
            assert_eq!(parse(&good, "mine.toml").unwrap()[0].work.product().unwrap().hidden, 20);
            let error = parse(&good.replace(old, new), "mine.toml").unwrap_err().to_string();
            assert!(error.contains(expected), "{new}: {error}");
        }
    }
}
