//! What can be wrong with a caller's numbers. Nothing here panics: every constructor checks, and says what is wrong.

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// A value, a shape or a machine that the rule cannot work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A number outside its range.
    #[error("{what} is {found}, but must be {expected}")]
    Value {
        /// The name of the number.
        what: &'static str,
        /// The range it must lie in.
        expected: String,
        /// What was given.
        found: String,
    },
    /// Two sizes that do not fit together.
    #[error("{what}: {found} given, but {expected} needed")]
    Shape {
        /// The array or count.
        what: &'static str,
        /// The size it must have.
        expected: String,
        /// The size it has.
        found: String,
    },
    /// Numbers that left the range of f32.
    #[error("weights leave the range of f32 in minibatch {minibatch}")]
    Overflow {
        /// The minibatch, counted from 0.
        minibatch: usize,
    },
    /// An instruction set this machine does not have, or this program does not know.
    #[error("this machine has no instruction set {found}, only {available}")]
    Isa {
        /// The names this machine can run, comma separated.
        available: String,
        /// The name that was asked for.
        found: String,
    },
    /// Screening cannot serve everything.
    #[error("the screened engine does not serve {what}")]
    Engine {
        /// What it cannot serve.
        what: String,
    },
    /// The operating system refused to start the worker threads.
    #[error("cannot start {threads} threads: {found}")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// The operating system's words.
        found: String,
    },
}

impl Error {
    /// What to do about it, in one line.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Value { .. } => None,
            Error::Shape { .. } => {
                Some("arrays are row-major: [hidden, inputs] for weights, [samples, inputs] for inputs".into())
            }
            Error::Overflow { .. } => {
                Some("scale the inputs or the weights down; large p raises weights to the power p - 1".into())
            }
            Error::Isa { .. } => Some("`auto` picks the fastest instruction set of this machine".into()),
            Error::Engine { .. } => {
                Some("`auto` screens where it can and computes every score elsewhere; the weights are the same".into())
            }
            Error::Threads { .. } => Some("ask for fewer threads".into()),
        }
    }

    pub(crate) fn value(what: &'static str, expected: impl Into<String>, found: impl ToString) -> Error {
        Error::Value { what, expected: expected.into(), found: found.to_string() }
    }

    pub(crate) fn shape(what: &'static str, expected: impl ToString, found: impl ToString) -> Error {
        Error::Shape { what, expected: expected.to_string(), found: found.to_string() }
    }
}
