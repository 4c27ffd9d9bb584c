//! Every command and flag that a user can type, and nothing else: what they do is in `cmd/<verb>.rs`.

mod bench;
mod sweep;
mod train;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use crate::common::{Common, Engine, Isa};
pub use bench::{BenchAction, BenchArgs, BenchRunArgs, PeersArgs, Place, Selection};
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

/// Arguments of `rivalry data`.
#[derive(Debug, Args)]
pub struct DataArgs {
    /// What to do with the data sets.
    #[command(subcommand)]
    pub action: DataAction,
}

/// What to do with the data sets.
#[derive(Debug, Subcommand)]
pub enum DataAction {
    /// Show which sets are there, and where
    List,
    /// Download a set, or copy it from --from; a set that is there is verified
    Fetch {
        /// The set
        #[arg(value_enum)]
        name: SetName,
        /// Take the files from this directory or URL, not from the mirrors
        #[arg(long, value_name = "DIR|URL")]
        from: Option<String>,
    },
    /// Compare the content of a set with the known SHA-256
    Verify {
        /// The set
        #[arg(value_enum)]
        name: SetName,
    },
}

/// The data sets that the program knows by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SetName {
    /// MNIST handwritten digits.
    Mnist,
    /// CIFAR-10 photographs.
    Cifar10,
    /// The generated digits.
    Synthetic,
}

/// A trained run and the samples that it is applied to.
#[derive(Debug, Args)]
pub struct Application {
    /// The folder of a finished run
    #[arg(value_name = "RUN_DIR")]
    pub run: PathBuf,
    /// Samples, u8 or f32: [samples, inputs], [samples, height, width] or [samples, height, width, channels]
    #[arg(long, value_name = "X.npy")]
    pub inputs: PathBuf,
    /// Overwrite files that exist
    #[arg(long)]
    pub force: bool,
}

/// Arguments of `rivalry features`.
#[derive(Debug, Args)]
pub struct FeaturesArgs {
    /// The run and the samples.
    #[command(flatten)]
    pub application: Application,
    /// Where the features go, f32 [samples, width]
    #[arg(long, value_name = "H.npy")]
    pub out: PathBuf,
}

/// Arguments of `rivalry predict`.
#[derive(Debug, Args)]
pub struct PredictArgs {
    /// The run and the samples.
    #[command(flatten)]
    pub application: Application,
    /// Where the predicted classes go, u8, one for each sample
    #[arg(long, value_name = "Y.npy")]
    pub out: PathBuf,
    /// Where the scores of every class go, f32 [samples, classes]
    #[arg(long, value_name = "S.npy")]
    pub scores: Option<PathBuf>,
}
