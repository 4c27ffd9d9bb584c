//! Sweeps: one run for each point of a grid and each seed, as rows of one CSV file.
//!
//! 1. [`definition`]: what is varied over which protocol, from a named sweep, a TOML file, or an experiment and `--vary`.
//! 2. [`grid`]: the points in their order, and which of them a shard takes.
//! 3. [`sheet`]: `FILE.grid.toml` beside `FILE.csv`, which says what grid the rows are of; row i is the shard's i-th point.
//! 4. [`run`]: the points one after the other, each in a run folder of its own below `FILE.runs/`. A killed sweep goes on
//!    with `--resume`; points that share their unsupervised phase learn it once ([`layers`]).
//! 5. [`merge`]: shards back into one file, with nothing missing and nothing twice.
//! 6. [`summary`]: mean and spread over seeds.

pub mod definition;
pub mod grid;
pub mod layers;
pub mod merge;
pub mod run;
pub mod sheet;
pub mod summary;

pub use definition::Definition;
pub use grid::{Point, Shard};

#[cfg(test)]
mod tests;
