//! `rivalry reproduce`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::config::Method;

/// Arguments of `rivalry reproduce`.
#[derive(Debug, Args)]
pub struct ReproduceArgs {
    /// Which table or figure
    #[arg(value_enum, default_value = "mnist")]
    pub what: Reproducible,
    /// A short protocol: `all` takes about ten minutes (what is run when neither is given)
    #[arg(long, conflicts_with = "paper")]
    pub quick: bool,
    /// The paper's protocol in full for tables; for sweeps what their files say
    #[arg(long)]
    pub paper: bool,
    /// Which methods a table has, comma separated: biological, end-to-end, end-to-end-softmax, random, shallow (biological
    /// when left out; with `all --paper` all but the softmax)
    #[arg(long, value_name = "METHOD,…", value_delimiter = ',')]
    pub methods: Vec<Method>,
    /// How many seeds, counting up from --seed (1 for tables, what their files say for sweeps)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub seeds: Option<u32>,
    /// Where the tables, the rows and the run folders go (data/runs/… when left out)
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Also write the rows to bench-results/ (refused from a dirty tree or a debug build)
    #[arg(long)]
    pub record: bool,
    /// Keep finished seeds, go on with a half-done one
    #[arg(long, conflicts_with = "force")]
    pub resume: bool,
    /// Replace what is in the folder
    #[arg(long)]
    pub force: bool,
}

/// What `rivalry reproduce` can reproduce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Reproducible {
    /// The MNIST row of the paper's table.
    Mnist,
    /// Its CIFAR-10 row.
    Cifar10,
    /// Test error against the Lebesgue norm p, both data sets.
    PSweep,
    /// Test error against the anti-Hebbian strength, both data sets.
    DeltaSweep,
    /// Test error against the rank k that is pushed away, both data sets.
    KSweep,
    /// Test error against the number of hidden units.
    HiddenSweep,
    /// Test error against labels per class.
    FewLabels,
    /// One learned layer, several tasks.
    Tasks,
    /// The searches on a split of the training set that settings were chosen by, both data sets, and what the best point
    /// of the grid of CIFAR-10 reaches on its test set.
    Searches,
    /// Both tables and every named sweep.
    All,
}

impl Reproducible {
    /// As typed.
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// The experiments whose tables it is, and the named sweeps.
    pub fn parts(self) -> (Vec<&'static str>, Vec<&'static str>) {
        match self {
            Self::Mnist => (vec!["mnist"], vec![]),
            Self::Cifar10 => (vec!["cifar10"], vec![]),
            Self::PSweep => (vec![], vec!["p-sweep", "cifar10-p-sweep"]),
            Self::DeltaSweep => (vec![], vec!["delta-sweep", "cifar10-delta-sweep"]),
            Self::KSweep => (vec![], vec!["k-sweep", "cifar10-k-sweep"]),
            Self::HiddenSweep => (vec![], vec!["hidden-sweep"]),
            Self::FewLabels => (vec![], vec!["few-labels"]),
            Self::Tasks => (vec![], vec!["tasks"]),
            Self::Searches => (
                vec![],
                vec![
                    "mnist-grid",
                    "mnist-search",
                    "mnist-long",
                    "cifar10-grid",
                    "cifar10-long",
                    "cifar10-winner",
                    "cifar10-search",
                ],
            ),
            Self::All => {
                let others = Self::value_variants().iter().filter(|what| **what != Self::All);
                let (tables, sweeps): (Vec<_>, Vec<_>) = others.map(|what| what.parts()).unzip();
                (tables.concat(), sweeps.concat())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::Definition;

    #[test]
    fn everything_is_both_tables_and_every_named_sweep() {
        let (tables, mut sweeps) = Reproducible::All.parts();
        assert_eq!(tables, ["mnist", "cifar10"]);
        let mut named: Vec<&str> = Definition::names().collect();
        sweeps.sort_unstable();
        named.sort_unstable();
        assert_eq!(sweeps, named);
    }
}
