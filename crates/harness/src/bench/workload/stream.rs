//! Memory bandwidth as a benchmark: one pass of the triad of [`crate::bench::bandwidth`].

use super::{Work, digest};
use crate::bench::definition::Definition;
use crate::bench::limits::Triad;
use crate::compute::Compute;
use crate::failure::failure;

/// Numbers of each thread that are digested.
const DIGESTED: usize = 1 << 16;

/// The arrays of all threads.
pub(super) struct Stream<'a> {
    definition: &'a Definition,
    compute: &'a Compute,
    triad: Triad,
}

impl<'a> Stream<'a> {
    pub(super) fn new(definition: &'a Definition, compute: &'a Compute) -> Self {
        Self { definition, compute, triad: Triad::new(&compute.core) }
    }

    /// Of the first numbers of a thread, which all threads have in common.
    fn digest(&self) -> anyhow::Result<String> {
        let digests: Vec<String> = self.triad.sums(DIGESTED).iter().map(|sums| digest::of(sums)).collect();
        match digests.iter().find(|digest| **digest != digests[0]) {
            None => Ok(digests[0].clone()),
            Some(other) => {
                let message = format!("sums: expected the same of every thread, found {} and {other}", digests[0]);
                Err(failure(message, "run it again; if it stays, suspect the memory"))
            }
        }
    }
}

impl Work for Stream<'_> {
    fn check(&mut self) -> anyhow::Result<String> {
        self.triad.clear();
        self.triad.pass(&self.compute.core, self.definition.check);
        self.digest()
    }

    fn iterate(&mut self) -> anyhow::Result<u64> {
        Ok(self.triad.pass(&self.compute.core, self.definition.minibatches))
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        self.digest().map(drop)
    }

    /// A multiplication and an addition for each number.
    fn operations(&self) -> f64 {
        2.0 * self.triad.elements() as f64
    }
}
