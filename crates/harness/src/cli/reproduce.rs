//! `rivalry reproduce`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::experiment::Method;

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
    /// Both tables and every named sweep.
    All,
}

impl Reproducible {
    /// As typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mnist => "mnist",
            Self::Cifar10 => "cifar10",
            Self::PSweep => "p-sweep",
            Self::DeltaSweep => "delta-sweep",
            Self::All => "all",
        }
    }
}
