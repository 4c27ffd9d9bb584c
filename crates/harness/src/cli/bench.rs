//! What can be typed after `rivalry bench`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Arguments of `rivalry bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// What to do with the benchmarks.
    #[command(subcommand)]
    pub action: BenchAction,
}

/// What to do with the benchmarks.
#[derive(Debug, Subcommand)]
pub enum BenchAction {
    /// Which benchmarks there are
    List(Selection),
    /// Measure: every benchmark checks its answer, then is timed beside the peak of this machine
    Run(BenchRunArgs),
    /// Check the answer of every benchmark once, without timing (exit code 3 if one does not hold)
    Verify(Selection),
    /// Compare two results: the ratio of each benchmark and the geometric mean
    Cmp {
        /// A folder with rows.csv, or such a file
        #[arg(value_name = "A")]
        before: PathBuf,
        /// The other one; a ratio below 1 means that B is faster
        #[arg(value_name = "B")]
        after: PathBuf,
    },
    /// Tables in Markdown from a result (the newest record when left out)
    Report {
        /// A folder with rows.csv
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
        /// Replace the tables between `<!-- bench:begin NAME -->` and `<!-- bench:end -->` in this file instead
        #[arg(long, value_name = "FILE")]
        splice: Option<PathBuf>,
    },
    /// Measure other programs on the same work, in turn with ours (scripts/peers/install.sh installs them)
    Peers(PeersArgs),
}

/// Which benchmarks.
#[derive(Debug, Clone, Default, Args)]
pub struct Selection {
    /// Only benchmarks whose name matches this regular expression
    #[arg(long, value_name = "RE")]
    pub filter: Option<String>,
    /// Benchmarks of this file instead of the built-in ones
    #[arg(long, value_name = "FILE.toml")]
    pub definitions: Option<PathBuf>,
}

/// Arguments of `rivalry bench run`.
#[derive(Debug, Clone, Default, Args)]
pub struct BenchRunArgs {
    /// Which benchmarks.
    #[command(flatten)]
    pub selection: Selection,
    /// Where the results go.
    #[command(flatten)]
    pub place: Place,
}

/// Where results go beside the table on stdout.
#[derive(Debug, Clone, Default, Args)]
pub struct Place {
    /// Write rows.csv, samples.csv and machine.txt to this folder
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Write them to bench-results/ (refused from a dirty tree or a debug build)
    #[arg(long)]
    pub record: bool,
}

/// Arguments of `rivalry bench peers`.
#[derive(Debug, Clone, Args)]
pub struct PeersArgs {
    /// Which benchmarks.
    #[command(flatten)]
    pub selection: Selection,
    /// Where the results go.
    #[command(flatten)]
    pub place: Place,
    /// How often ours and each peer take their turn
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: u32,
    /// The folder of the programs of the peers
    #[arg(long, value_name = "DIR", default_value = "scripts/peers")]
    pub scripts: PathBuf,
    /// The Python that has their packages
    #[arg(long, value_name = "PYTHON", default_value = ".venv/bin/python")]
    pub python: PathBuf,
    /// The program with the products of other Rust libraries
    #[arg(long, value_name = "FILE", default_value = "target/peers/release/rivalry-peer-products")]
    pub products: PathBuf,
}
