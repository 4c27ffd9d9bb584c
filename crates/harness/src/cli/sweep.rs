//! `rivalry sweep` and `rivalry reproduce`.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, Subcommand};

use crate::config::Config;
use crate::methods::{METHODS, Method, paper};
use crate::sweep::definition::PARTS;
use crate::sweep::{Definition, Shard};

/// What `sweep --help` says of names and files.
fn names_and_files() -> String {
    let names: Vec<&str> = Definition::names().filter(|name| Config::names().all(|known| known != *name)).collect();
    format!(
        "Named sweeps: {}; their grids and protocols are in crates/harness/sweeps/. An experiment (mnist, cifar10, synthetic, \
         or a TOML file) is a sweep of what --vary says.\n\n\
         FILE.csv holds one row for each point and seed, the last --vary fastest, then the seed. FILE.grid.toml beside it \
         says which grid that is, and FILE.runs/ holds the run folders. `rivalry train --help` lists the keys.",
        names.join(", ")
    )
}

/// Arguments of `rivalry sweep`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true, after_help = names_and_files())]
pub struct SweepArgs {
    /// What to do with files of rows, instead of running a sweep.
    #[command(subcommand)]
    pub action: Option<SweepAction>,
    /// A named sweep, a named experiment, or a TOML file of either
    #[arg(value_name = "NAME|FILE.toml", required = true)]
    pub name: Option<String>,
    /// Vary a key, for example --vary p=2,3 (often: a grid; in place of the grid of a named sweep; `;` separates values
    /// that hold commas)
    #[arg(long, value_name = "KEY=V1,V2,…")]
    pub vary: Vec<String>,
    /// Change one key of every point that uses it (may be given often)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// How many seeds, counting up from --seed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub seeds: Option<u32>,
    /// The short protocol: the table `quick` of the sweep or experiment
    #[arg(long, conflicts_with = "paper")]
    pub quick: bool,
    /// The protocol in full (what is run when neither is given)
    #[arg(long)]
    pub paper: bool,
    /// Only every n-th point, from the i-th on
    #[arg(long, value_name = "i/n")]
    pub shard: Option<Shard>,
    /// The file of rows
    #[arg(long, value_name = "FILE.csv", required = true)]
    pub out: Option<PathBuf>,
    /// Also write the rows to bench-results/, once all points are there (refused from a dirty tree or a debug build; merge
    /// the shards of a sweep first, then record it with --resume)
    #[arg(long, conflicts_with_all = ["vary", "set", "shard"])]
    pub record: bool,
    /// Keep finished points, continue interrupted ones, run failed ones again
    #[arg(long, conflicts_with = "force")]
    pub resume: bool,
    /// Replace what is there
    #[arg(long)]
    pub force: bool,
}

/// What to do with files of rows.
#[derive(Debug, Subcommand)]
pub enum SweepAction {
    /// Join the files of all shards of one sweep
    Merge {
        /// The files, each with its .grid.toml beside it
        #[arg(required = true, value_name = "FILE.csv")]
        files: Vec<PathBuf>,
        /// Where the rows of all points go
        #[arg(long, value_name = "FILE.csv")]
        out: PathBuf,
    },
}

/// The name of all parts together.
pub(crate) const EVERYTHING: &str = "all";

/// Arguments of `rivalry reproduce`.
#[derive(Debug, Args)]
pub struct ReproduceArgs {
    /// Which table or figure
    #[arg(default_value = "mnist", value_parser = parts())]
    pub what: String,
    /// A short protocol: `all` takes some ten minutes (what is run when neither is given)
    #[arg(long, conflicts_with = "paper")]
    pub quick: bool,
    /// The paper's protocol in full for tables; for sweeps what their files say
    #[arg(long)]
    pub paper: bool,
    /// Which methods a table has.
    #[arg(long, value_name = "METHOD,…", value_delimiter = ',', help = methods())]
    pub methods: Vec<&'static dyn Method>,
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

fn methods() -> String {
    let (names, paper) = (METHODS.map(Method::name).join(", "), paper());
    format!(
        "Which methods a table has, comma separated: {names} ({paper} when left out; with `all --paper` those of the table)"
    )
}

fn parts() -> PossibleValuesParser {
    let parts = PARTS.iter().map(|part| PossibleValue::new(part.name).help(part.about));
    PossibleValuesParser::new(parts.chain([PossibleValue::new(EVERYTHING).help("Both tables and every named sweep")]))
}
