//! One file a verb; this one only picks it.

mod data;
mod fields;
mod info;

use crate::cli::{Cli, Command};

/// Runs the command that was typed.
pub(crate) fn run(arguments: &Cli) -> anyhow::Result<()> {
    let common = &arguments.common;
    match &arguments.command {
        Command::Info(args) => info::run(args, common),
        Command::Data(args) => data::run(args, common),
        Command::Fields(args) => fields::run(args, common),
        Command::Train(_) | Command::Reproduce(_) | Command::Replay(_) => unreachable!("land in the next commits"),
    }
}
