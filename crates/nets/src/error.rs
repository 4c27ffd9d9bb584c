//! What can be wrong with what a learner is given, or become wrong while it learns.

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// A setting, an array or a set of weights that a learner cannot work with.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting out of range, or arrays that do not fit together.
    #[error("{message}")]
    Invalid {
        /// What is wrong.
        message: String,
    },
    /// Numbers that left the range of f32.
    #[error("{message}")]
    Overflow {
        /// Which number, and where.
        message: String,
        /// What to change.
        hint: &'static str,
    },
    /// Something that core refuses.
    #[error(transparent)]
    Core(#[from] rivalry_core::Error),
}

impl Error {
    /// What to do about it, in one line.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Invalid { .. } => None,
            Error::Overflow { hint, .. } => Some((*hint).to_owned()),
            Error::Core(error) => error.hint(),
        }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Error {
        Error::Invalid { message: message.into() }
    }
}
