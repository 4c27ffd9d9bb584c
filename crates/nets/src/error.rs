//! What can be wrong with a network's numbers.

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// A value, a shape or a set of weights that a network cannot work with.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A number outside its range.
    #[error("{what}: expected {expected}, found {found}")]
    Value {
        /// The name of the number.
        what: &'static str,
        /// The range it must lie in.
        expected: String,
        /// What was given.
        found: String,
    },
    /// A setting out of range, or arrays that do not fit together.
    #[error("{message}")]
    Invalid {
        /// What is wrong.
        message: String,
    },
    /// Numbers that left the range of f32.
    #[error("{what}: expected finite numbers, found {found}")]
    Overflow {
        /// What overflowed.
        what: &'static str,
        /// Where.
        found: String,
        /// What to change.
        hint: &'static str,
    },
    /// Something that the learned layer or the computation objects to.
    #[error(transparent)]
    Core(#[from] rivalry_core::Error),
}

impl Error {
    /// What to do about it, in one line.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Value { .. } | Error::Invalid { .. } => None,
            Error::Overflow { hint, .. } => Some((*hint).to_owned()),
            Error::Core(error) => error.hint(),
        }
    }

    pub(crate) fn value(what: &'static str, expected: impl Into<String>, found: impl ToString) -> Error {
        Error::Value { what, expected: expected.into(), found: found.to_string() }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Error {
        Error::Invalid { message: message.into() }
    }
}
