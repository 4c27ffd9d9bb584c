//! `rivalry features` and `rivalry predict`: a trained run on new samples.

use std::path::PathBuf;

use clap::Args;

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
