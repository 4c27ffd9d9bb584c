//! Sweeps: one run for each point of a grid and each seed, as rows of one CSV file. A table is a sweep over `method`, a gate
//! is a sweep and a comparator, so `sweep`, `reproduce` and `verify` all run this.
//!
//! 1. `definition`: what is varied over which protocol, from a named sweep, a TOML file, or an experiment and `--vary`.
//! 2. `grid`: the points in their order, and which of them a shard takes.
//! 3. `run`: the points one after the other, each in a run folder of its own. A killed sweep goes on with `--resume`;
//!    points that share their unsupervised phase learn it once.
//! 4. `merge`: `FILE.grid.toml`, which says what grid the rows are of, and shards back into one file.
//! 5. `print`: what is printed of it, from the summary over seeds.
//! 6. `gate`: recorded errors, and how far from them a sweep may be.

pub(crate) mod definition;
pub(crate) mod gate;
pub(crate) mod grid;
pub(crate) mod merge;
pub(crate) mod print;
pub(crate) mod run;

pub use definition::Definition;
pub use grid::{Point, Shard};

#[cfg(test)]
mod tests;
