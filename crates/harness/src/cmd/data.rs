//! `rivalry data`.

use crate::cli::{Common, DataArgs};

/// Runs the command.
pub(crate) fn run(_args: &DataArgs, _common: &Common) -> anyhow::Result<()> {
    anyhow::bail!("data lands with the next commit")
}
