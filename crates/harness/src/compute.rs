//! The threads, the kernels and the engine that a command uses, by `--threads`, `--isa` and `--engine`.

use rivalry_core::{Engine, Kernels, Layer, Learner, Rule};

use crate::common::{self, Common};

/// Threads, kernels and engine. Results do not depend on any of them.
#[derive(Debug)]
pub struct Compute {
    /// The threads and the kernels of one instruction set.
    pub core: rivalry_core::Compute,
    /// How scores are found.
    pub engine: Engine,
}

impl Compute {
    /// What the flags ask for.
    ///
    /// # Errors
    /// The CPU lacks the instruction set, or threads cannot be started.
    pub fn new(common: &Common) -> anyhow::Result<Self> {
        let kernels = Kernels::named(common.isa.name())?;
        let core = rivalry_core::Compute::new(common.threads.map(usize::from), kernels)?;
        Ok(Self { core, engine: common.engine.into() })
    }

    /// A learner on these threads.
    ///
    /// # Errors
    /// k or the minibatch does not fit the layer.
    pub fn learner(&self, layer: Layer, rule: Rule, batch: usize) -> rivalry_core::Result<Learner> {
        Ok(Learner::new(layer, rule, batch, &self.core)?.with_engine(self.engine))
    }
}

impl From<common::Engine> for Engine {
    fn from(engine: common::Engine) -> Self {
        match engine {
            common::Engine::Auto => Self::Auto,
            common::Engine::Dense => Self::Dense,
            common::Engine::Screened => Self::Screened,
        }
    }
}
