//! How the program fails: one line `error: what, where, expected, found`, one line `hint: …`, and an exit code.
//!
//! Commands return `anyhow::Result`. An error that knows what the user can do about it is a [`Failure`], or an error of
//! the other crates, which carry hints of their own. [`report`] is the only place that prints an error.

use std::fmt;
use std::process::ExitCode;

/// Exit code of a command that failed.
const FAILED: u8 = 1;
/// Exit code of a gate that did not hold.
const GATE: u8 = 3;

/// An error with something that the user can do about it.
#[derive(Debug)]
pub struct Failure {
    message: String,
    hint: String,
    kind: Kind,
}

/// What went wrong, as far as the exit code tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Failed,
    Gate,
}

impl Failure {
    /// A failure: `message` says what, where, expected, found; `hint` what to do.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into(), kind: Kind::Failed }
    }

    /// A measured value outside its gate (exit code 3).
    pub fn gate(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into(), kind: Kind::Gate }
    }

    /// What the user can do.
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Stdout was closed by its reader (`rivalry … | head`): no failure of ours, so it ends the program without a word.
#[derive(Debug)]
pub(crate) struct StdoutClosed;

impl fmt::Display for StdoutClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stdout was closed")
    }
}

impl std::error::Error for StdoutClosed {}

/// An error of this program with its hint; short for `anyhow::Error::new(Failure::new(…))`.
pub(crate) fn failure(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Failure::new(message, hint))
}

/// Prints the error (one line) and its hint (one line) to stderr and returns the exit code.
pub fn report(error: &anyhow::Error) -> ExitCode {
    if error.chain().any(|cause| cause.is::<StdoutClosed>()) {
        return ExitCode::SUCCESS;
    }
    use std::io::Write;
    // A closed stderr must not turn an error into a panic.
    let _ = writeln!(std::io::stderr(), "error: {}\nhint: {}", line(error), one_line(&hint(error)));
    ExitCode::from(exit_code(error))
}

/// The whole chain of causes in one line.
pub(crate) fn line(error: &anyhow::Error) -> String {
    one_line(&format!("{error:#}"))
}

fn exit_code(error: &anyhow::Error) -> u8 {
    let gate = error.chain().filter_map(|cause| cause.downcast_ref::<Failure>()).any(|f| f.kind == Kind::Gate);
    if gate { GATE } else { FAILED }
}

/// The hint of the outermost cause that has one.
fn hint(error: &anyhow::Error) -> String {
    let known = error.chain().find_map(|cause| {
        let ours = cause.downcast_ref::<Failure>().map(|failure| failure.hint.clone());
        let core = || cause.downcast_ref::<rivalry_core::Error>().and_then(rivalry_core::Error::hint);
        let data = || cause.downcast_ref::<rivalry_data::Error>().and_then(rivalry_data::Error::hint);
        let nets = || cause.downcast_ref::<rivalry_nets::Error>().and_then(rivalry_nets::Error::hint);
        ours.or_else(core).or_else(data).or_else(nets)
    });
    known.unwrap_or_else(|| "`rivalry help` shows every command and flag".to_owned())
}

/// Errors of libraries (TOML, CSV) may span lines; the contract is one.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_one_line_and_the_hint_survives_context() {
        let error = failure("cannot do this,\n  at all", "do that").context("outer");
        assert_eq!(line(&error), "outer: cannot do this, at all");
        assert_eq!(hint(&error), "do that");
        assert_eq!(exit_code(&error), FAILED);
    }

    #[test]
    fn a_gate_exits_with_three() {
        let error = anyhow::Error::new(Failure::gate("test error 3 %, expected at most 2 %", "look")).context("gate");
        assert_eq!(exit_code(&error), GATE);
    }
}
