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
    /// List the benchmarks
    List(Selection),
    /// Check the result of every benchmark, then time it beside the f32 peak of this machine
    Run(BenchRunArgs),
    /// Check the result of every benchmark without timing (exit code 3 if one is wrong)
    Verify(Selection),
    /// Compare two results: the ratio of each benchmark, and the geometric mean
    Cmp {
        /// A folder with rows.csv, or such a file
        #[arg(value_name = "A")]
        before: PathBuf,
        /// The other result; a ratio below 1 means that B is faster
        #[arg(value_name = "B")]
        after: PathBuf,
    },
    /// Print a result as Markdown tables, or renew the tables of a document
    Report {
        /// A folder with rows.csv
        #[arg(value_name = "DIR", required_unless_present = "splice", conflicts_with = "splice")]
        folder: Option<PathBuf>,
        /// Renew the tables between `<!-- bench:begin NAME from RECORD -->` and `<!-- bench:end -->` in this document.
        /// NAME is epochs, scaling, kernels or peers; RECORD is a folder below bench-results
        #[arg(long, value_name = "FILE")]
        splice: Option<PathBuf>,
        /// Write nothing; exit with code 3 if the document differs from its records
        #[arg(long, requires = "splice", conflicts_with = "folder")]
        check: bool,
    },
    /// Run other programs on the same work, in turn with ours (scripts/peers/install.sh installs them)
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

/// Where results go besides the table on stdout.
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
    /// Rounds; in each, ours and every peer run once
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: u32,
    /// Kill a peer that takes longer than this in one round
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// The folder with the scripts of the peers
    #[arg(long, value_name = "DIR", default_value = "scripts/peers")]
    pub scripts: PathBuf,
    /// The Python that has NumPy and PyTorch
    #[arg(long, value_name = "PYTHON", default_value = ".venv/bin/python")]
    pub python: PathBuf,
    /// The program that calls matrixmultiply and gemm
    #[arg(long, value_name = "FILE", default_value = "target/peers/release/rivalry-peer-products")]
    pub products: PathBuf,
}
