//! The flags that every command takes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Deserialize;

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
