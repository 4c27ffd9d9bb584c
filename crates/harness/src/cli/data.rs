//! `rivalry data`: the data sets that the program knows by name.

use clap::{Args, Subcommand, ValueEnum};

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
