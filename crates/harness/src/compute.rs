//! The threads and the kernels that a command uses, by `--threads` and `--isa`.

use rivalry_core::{Kernels, Team};

use crate::cli::Common;

/// Threads and kernels. Results do not depend on either.
#[derive(Debug)]
pub struct Compute {
    /// The threads.
    pub team: Team,
    /// The kernels of one instruction set.
    pub kernels: &'static Kernels,
}

impl Compute {
    /// What the flags ask for.
    ///
    /// # Errors
    /// The CPU lacks the instruction set, or threads cannot be started.
    pub fn new(common: &Common) -> anyhow::Result<Self> {
        let kernels = Kernels::named(common.isa.name())?;
        Ok(Self { team: Team::new(common.threads.map(usize::from))?, kernels })
    }
}
