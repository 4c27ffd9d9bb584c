//! One file a verb; this one only picks it.

mod bench;
mod data;
mod fields;
mod info;
mod network;
mod record;
pub(crate) mod replay;
mod report;
mod reproduce;
mod sweep;
mod train;
mod verify;

use crate::cli::{Cli, Command};

/// Runs the command that was typed.
pub(crate) fn run(arguments: &Cli) -> anyhow::Result<()> {
    let common = &arguments.common;
    match &arguments.command {
        Command::Info(args) => info::run(args, common),
        Command::Bench(args) => bench::run(args, common),
        Command::Data(args) => data::run(args, common),
        Command::Fields(args) => fields::run(args, common),
        Command::Features(args) => network::features(args, common),
        Command::Predict(args) => network::predict(args, common),
        Command::Train(args) => train::run(args, common),
        Command::Reproduce(args) => reproduce::run(args, common),
        Command::Sweep(args) => sweep::run(args, common),
        Command::Replay(args) => replay::run(args, common),
        Command::Report(args) => report::run(args, common),
        Command::Verify(args) => verify::run(args, common),
    }
}
