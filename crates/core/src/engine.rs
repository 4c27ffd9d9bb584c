//! How scores are found. The weights that are learned have the same bits either way.

use crate::error::{Error, Result};
use crate::inputs::{Elements, Inputs};

/// How a [`crate::Learner`] finds the k best units of each example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Engine {
    /// [`Engine::Screened`] for pixels, [`Engine::Dense`] for floats.
    #[default]
    Auto,
    /// Every unit is scored exactly.
    Dense,
    /// Whole-number scores show which units can be among the k best; only those are scored exactly. For pixels only.
    Screened,
}

impl Engine {
    /// What runs on these inputs: never [`Engine::Auto`].
    ///
    /// # Errors
    /// [`Error::Engine`] if screening is asked for but the inputs are floats.
    ///
    /// # Example
    /// ```
    /// use rivalry_core::{Engine, Inputs};
    /// assert_eq!(Engine::Auto.on(&Inputs::u8(&[0; 4], 2)?)?, Engine::Screened);
    /// assert_eq!(Engine::Auto.on(&Inputs::f32(&[0.5; 4], 2)?)?, Engine::Dense);
    /// # Ok::<(), rivalry_core::Error>(())
    /// ```
    pub fn on(self, inputs: &Inputs<'_>) -> Result<Engine> {
        match (self, inputs.elements()) {
            (Engine::Auto, Elements::U8(_)) => Ok(Engine::Screened),
            (Engine::Auto, Elements::F32(_)) => Ok(Engine::Dense),
            (Engine::Screened, Elements::F32(_)) => Err(Error::Engine),
            (engine, _) => Ok(engine),
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
