//! rivalry: the program that reproduces the results of Krotov & Hopfield, "Unsupervised learning by competing hidden
//! units" (PNAS 2019).
//!
//! This crate is the only one of the workspace that knows files, clocks, terminals and CSV. The rule itself is in
//! `rivalry-core`, the data sets are in `rivalry-data`, the networks are in `rivalry-nets`. It is a library so that tests
//! (and other programs) reach every part; `src/main.rs` only calls [`main`].
//!
//! | module | holds |
//! |---|---|
//! | [`cli`], [`common`] | every command and flag; those of every command |
//! | [`config`] | what is run: keys, TOML files, `--set`, the named experiments |
//! | [`dataset`] | where data is looked for, and the splits of it that a run uses |
//! | [`compute`] | threads and kernels |
//! | [`methods`] | the ways to train a network, a file each |
//! | [`run`] | one run: phases, the epoch loop, checkpoint, run folder |
//! | `replay` | one step of a learner from a given state |
//! | [`rows`] | the columns of `result.csv`, `metrics.csv` and of benchmarks |
//! | [`mod@bench`] | benchmarks: definitions, data, the work that is timed, statistics, tables |
//! | [`sweep`] | grids of runs: tables, figures, gates; points, shards, resume, merge |
//! | `env`, `progress`, `plot` | machine and revision, progress bars, PNG and SVG |
//! | `report` | one HTML page about a folder of runs |
//! | [`summary`] | runs of one setting put together over their seeds |
//! | [`statistics`] | mean ± sample standard deviation over seeds, median of times |
//! | [`mod@files`] | files that are whole or not there |
//! | [`mod@error`] | one line `error:`, one line `hint:`, the exit codes |

pub mod bench;
pub mod cli;
mod cmd;
pub mod common;
pub mod compute;
pub mod config;
pub mod dataset;
mod env;
pub mod error;
pub mod files;
pub mod methods;
mod network;
mod output;
/// Pictures of a run: receptive fields as a PNG, line plots as SVG. All are returned as bytes; the caller writes them.
mod plot {
    pub(crate) mod animation;
    mod canvas;
    pub(crate) mod fields;
    pub(crate) mod lines;
}
mod progress;
mod replay;
mod report;
pub mod rows;
pub mod run;
pub mod statistics;
pub mod summary;
pub mod sweep;
pub mod table;

use std::process::ExitCode;

use clap::Parser;

/// Runs the program on the process's own arguments and says how it should exit.
pub fn main() -> ExitCode {
    let arguments = match cli::Cli::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version come this way too; clap knows the stream and the code, and a closed pipe is no failure.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match cmd::run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error::report(&error),
    }
}

/// Compiles and runs the Rust code of the README.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
