//! Writing results to stdout and notes to stderr. Nothing else in the crate prints.

use std::io::{ErrorKind, Write};

use anyhow::Context;

use crate::common::Common;
use crate::error::StdoutClosed;

/// Writes a result to stdout and flushes it. A reader that has gone away ends the program quietly.
pub(crate) fn result(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(anyhow::Error::new(StdoutClosed)),
        Err(error) => Err(error).context("cannot write to stdout"),
    }
}

/// Writes one line to stderr, unless `--quiet`.
pub(crate) fn note(common: &Common, text: &str) {
    if !common.quiet {
        let _ = writeln!(std::io::stderr(), "{text}");
    }
}
