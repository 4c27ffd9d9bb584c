//! `rivalry info`.

use crate::cli::{Common, InfoArgs};

/// Runs the command.
pub(crate) fn run(_args: &InfoArgs, _common: &Common) -> anyhow::Result<()> {
    anyhow::bail!("info lands with the next commit")
}
