//! `rivalry fields`.

use crate::cli::{Common, FieldsArgs};

/// Runs the command.
pub(crate) fn run(_args: &FieldsArgs, _common: &Common) -> anyhow::Result<()> {
    anyhow::bail!("fields lands with the next commit")
}
