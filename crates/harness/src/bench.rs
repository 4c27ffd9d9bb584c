//! Benchmarks with expected answers.
//!
//! 1. A `Definition` is a table of a TOML file: the work, its shape, its data, and the SHA-256 of
//!    its result. Weights and scores have the same bits on every instruction set and with any number of threads, so this
//!    checksum is exact.
//! 2. The warm-up is the check. A wrong result, or missing data, is a row with `err` and without times.
//! 3. The f32 peak of the same threads is measured right before and right after the timed iterations, in this process.
//! 4. Times are integer nanoseconds; a row has their median, median absolute deviation and minimum.
//!
//! `benchmarks/*.toml` are built into the program. `peers` runs other programs on the same work, in turn with ours.

pub(crate) mod definition;
pub(crate) mod examples;
pub(crate) mod limits;
pub(crate) mod measure;
pub(crate) mod peers;
pub mod rows;
pub(crate) mod tables;
mod workload;
