//! `rivalry reproduce`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};

use crate::config::Method;
use crate::sweep::definition::PARTS;

/// The name of all parts together.
pub(crate) const EVERYTHING: &str = "all";

/// Arguments of `rivalry reproduce`.
#[derive(Debug, Args)]
pub struct ReproduceArgs {
    /// Which table or figure
    #[arg(default_value = "mnist", value_parser = parts())]
    pub what: String,
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
    /// Keep finished runs, continue the one that was interrupted, run failed ones again
    #[arg(long, conflicts_with = "force")]
    pub resume: bool,
    /// Replace what is in the folder
    #[arg(long)]
    pub force: bool,
}

fn parts() -> PossibleValuesParser {
    let parts = PARTS.iter().map(|part| PossibleValue::new(part.name).help(part.about));
    PossibleValuesParser::new(parts.chain([PossibleValue::new(EVERYTHING).help("Both tables and every named sweep")]))
}
