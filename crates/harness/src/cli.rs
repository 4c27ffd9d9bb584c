//! Every command and flag that a user can type, and nothing else: what they do is in `cmd/<verb>.rs`.

mod bench;
mod data;
mod network;
mod sweep;
mod train;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Deserialize;

pub use bench::{BenchAction, BenchArgs, BenchRunArgs, PeersArgs, Place, Selection};
pub use data::{DataAction, DataArgs, SetName};
pub use network::{Application, FeaturesArgs, PredictArgs};
pub(crate) use sweep::EVERYTHING;
pub use sweep::{ReproduceArgs, SweepAction, SweepArgs};
pub use train::TrainArgs;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "rivalry",
    version,
    about = "Unsupervised learning by competing hidden units (Krotov & Hopfield 2019), reproduced and measured",
    after_help = "Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 failed, 2 usage, 3 a gate did not hold.",
    propagate_version = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Flags that every command takes.
    #[command(flatten)]
    pub common: Common,
}

/// Flags that every command takes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Common flags")]
pub struct Common {
    /// Threads to use (all cores when left out); the results do not depend on it
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Instruction set of the kernels
    #[arg(long, global = true, value_enum, default_value_t)]
    pub isa: Isa,
    /// How scores are computed; the results do not depend on it
    #[arg(long, global = true, value_enum, default_value_t)]
    pub engine: Engine,
    /// Seed of every random number (weights, order of examples, readout)
    #[arg(long, global = true, value_name = "N")]
    pub seed: Option<u64>,
    /// Results as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// No progress, no notes
    #[arg(long, global = true)]
    pub quiet: bool,
    /// Never use the network
    #[arg(long, global = true)]
    pub offline: bool,
    /// Search data sets here first (then in $RIVALRY_DATA, data/ and the user's cache folder)
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// Instruction set of the kernels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Isa {
    /// The best that this CPU has.
    #[default]
    Auto,
    /// AVX-512 with AMX for int8 scores.
    Amx,
    /// AVX-512 with VNNI.
    Avx512,
    /// AVX2 with FMA.
    Avx2,
    /// Any CPU.
    Portable,
}

impl Isa {
    /// The name as typed, which is also the name of the kernels.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Amx => "amx",
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
            Self::Portable => "portable",
        }
    }
}

/// How scores are computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Screened for u8 inputs, dense otherwise.
    #[default]
    Auto,
    /// Every score in f32.
    Dense,
    /// int8 scores for every unit, f32 scores only for those that can matter.
    Screened,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the machine: CPU, caches, instruction sets, threads, measured peak, revision
    Info(InfoArgs),
    /// List, download or verify the data sets
    Data(DataArgs),
    /// One run, by any method; by default the unsupervised layer, then the readout
    Train(TrainArgs),
    /// The paper's tables and figures, ours beside the published numbers
    Reproduce(ReproduceArgs),
    /// A grid of runs into one CSV file
    Sweep(SweepArgs),
    /// Drive a learner from another program: one step from given weights and inputs
    Replay(ReplayArgs),
    /// Compute the features of new samples with a trained run
    Features(FeaturesArgs),
    /// Predict the classes of new samples with a trained run
    Predict(PredictArgs),
    /// Draw the receptive fields of a run
    Fields(FieldsArgs),
    /// Benchmarks: every one has an expected answer
    Bench(BenchArgs),
    /// One self-contained HTML page about the runs and tables of a folder
    Report(ReportArgs),
    /// The accuracy gate: short seeded runs against recorded errors
    Verify(VerifyArgs),
}

/// Arguments of `rivalry info`.
#[derive(Debug, Args)]
pub struct InfoArgs {}

/// Arguments of `rivalry replay`.
#[derive(Debug, Args)]
#[command(override_usage = "rivalry replay METHOD --in IN.safetensors --out OUT.safetensors\n       \
    rivalry replay --weights W.npy --inputs X.npy --rates R.npy --batch B --p P --k K --delta D --out W2.npy")]
pub struct ReplayArgs {
    /// A learner, one step of which is taken from the state in --in
    #[arg(value_name = "METHOD", requires = "input", conflicts_with_all = ["weights", "inputs", "rates"],
        value_parser = clap::builder::PossibleValuesParser::new(crate::replay::names()))]
    pub method: Option<String>,
    /// Tensors by name, and the settings as JSON under the metadata key `settings`
    #[arg(long = "in", value_name = "IN.safetensors", requires = "method")]
    pub input: Option<PathBuf>,
    /// Weights of the fast rule, f32 or f64, [hidden, inputs]
    #[arg(long, value_name = "W.npy", required_unless_present = "method")]
    pub weights: Option<PathBuf>,
    /// Inputs, u8 (scaled by 1/255) or f32 (as they are), [samples, inputs]
    #[arg(long, value_name = "X.npy", required_unless_present = "method")]
    pub inputs: Option<PathBuf>,
    /// Learning rates, one per minibatch
    #[arg(long, value_name = "R.npy", required_unless_present = "method")]
    pub rates: Option<PathBuf>,
    /// Samples per minibatch
    #[arg(long, value_name = "B", required_unless_present = "method")]
    pub batch: Option<usize>,
    /// Exponent of the Lebesgue norm, at least 1
    #[arg(long, value_name = "P", allow_negative_numbers = true, required_unless_present = "method")]
    pub p: Option<f64>,
    /// Rank of the unit that gets the anti-Hebbian update, at least 2
    #[arg(long, value_name = "K", required_unless_present = "method")]
    pub k: Option<usize>,
    /// Strength of the anti-Hebbian update, at least 0
    #[arg(long, value_name = "D", allow_negative_numbers = true, required_unless_present = "method")]
    pub delta: Option<f64>,
    /// The result: the new weights (f32), or the tensors after the step
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// Arguments of `rivalry fields`.
#[derive(Debug, Args)]
pub struct FieldsArgs {
    /// A run folder
    #[arg(value_name = "RUN_DIR")]
    pub run: PathBuf,
    /// The picture
    #[arg(long, value_name = "FILE.png")]
    pub out: PathBuf,
}

/// Arguments of `rivalry report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// A folder that holds run folders or tables of results, at any depth
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// The page (DIR/report.html when left out)
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Instead of the page: renew the tables that FILE asks for, with markers such as
    /// `<!-- results:begin p-sweep from p-sweep-short/2026-11-24-intel-xeon-avx512-2d9005c8ba14 -->`
    #[arg(long, value_name = "FILE", conflicts_with = "html")]
    pub splice: Option<PathBuf>,
    /// With --splice: write nothing, and exit with 3 where a table differs from its records
    #[arg(long, requires = "splice")]
    pub check: bool,
    /// Instead of the page: write each sweep as a picture, as FOLDER/SWEEP-SETTING.svg
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["html", "splice"])]
    pub pictures: Option<PathBuf>,
}

/// Arguments of `rivalry verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Other gates than those that are built in, as TOML; crates/harness/gates/accuracy.toml is one
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn common_flags_may_stand_after_the_command() {
        let cli = Cli::try_parse_from(["rivalry", "train", "mnist", "--threads", "3", "--seed", "7"]).unwrap();
        assert_eq!((cli.common.threads, cli.common.seed), (Some(3), Some(7)));
    }

    #[test]
    fn thread_counts_out_of_range_are_usage_errors() {
        for count in ["0", "1025", "-1", "two"] {
            let error = Cli::try_parse_from(["rivalry", "info", "--threads", count]).unwrap_err();
            assert_eq!(error.exit_code(), 2, "--threads {count}");
        }
    }
}
