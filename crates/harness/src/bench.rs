//! Benchmarks with expected answers.
//!
//! 1. A [`Definition`](definition::Definition) is a table of a TOML file: what is done, its shape, its data, and the
//!    SHA-256 of what it must compute. Weights and scores are the same bits on every instruction set and with any number
//!    of threads, so that digest is exact.
//! 2. The warm-up is the check: the first minibatches of a benchmark are computed, and their result is digested. An answer
//!    that does not hold, or data that is not here, is a row with `err` and without times.
//! 3. The f32 peak of the same threads is measured right before and right after the timed iterations, in this process.
//! 4. Samples are whole nanoseconds; the row has their median, median absolute deviation and minimum.
//!
//! `benchmarks/*.toml` are built into the program. Other programs take turns with ours in [`turn`].

pub mod definition;
mod examples;
pub mod limits;
pub mod measure;
pub mod statistics;
pub mod tables;
pub mod turn;
mod workload;

pub use examples::Sets;
pub use workload::Handover;
