//! How scores are found. The weights that are learned have the same bits either way.

use crate::error::{Error, Result};
use crate::inputs::{Elements, Inputs};
use crate::screen::{MOST_INPUTS, MOST_RANKS};

/// How a [`crate::Learner`] finds the k best units of each example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Engine {
    /// [`Engine::Screened`] where it can be, else [`Engine::Dense`].
    #[default]
    Auto,
    /// Every unit is scored exactly.
    Dense,
    /// Int8 scores show which units can be among the k best; only those are scored exactly. For pixels only, at most
    /// 65 536 an example, and k up to 32.
    Screened,
}

impl Engine {
    /// What finds the k best units for these inputs: never [`Engine::Auto`].
    ///
    /// # Errors
    /// [`Error::Engine`] if screening is asked for where it cannot be.
    ///
    /// # Example
    /// ```
    /// use rivalry_core::{Engine, Inputs};
    /// assert_eq!(Engine::Auto.on(&Inputs::u8(&[0; 4], 2)?, 7)?, Engine::Screened);
    /// assert_eq!(Engine::Auto.on(&Inputs::f32(&[0.5; 4], 2)?, 7)?, Engine::Dense);
    /// # Ok::<(), rivalry_core::Error>(())
    /// ```
    pub fn on(self, inputs: &Inputs<'_>, k: usize) -> Result<Engine> {
        let refusal = match inputs.elements() {
            Elements::F32(_) => Some("inputs that are floats".to_owned()),
            Elements::U8(_) if inputs.inputs() > MOST_INPUTS => Some(format!("more than {MOST_INPUTS} inputs")),
            Elements::U8(_) if k > MOST_RANKS => Some(format!("k above {MOST_RANKS}")),
            Elements::U8(_) => None,
        };
        match (self, refusal) {
            (Engine::Screened, Some(what)) => Err(Error::Engine { what }),
            (Engine::Dense, _) | (Engine::Auto, Some(_)) => Ok(Engine::Dense),
            (Engine::Auto | Engine::Screened, None) => Ok(Engine::Screened),
        }
    }

    /// The name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Auto => "auto",
            Engine::Dense => "dense",
            Engine::Screened => "screened",
        }
    }
}
