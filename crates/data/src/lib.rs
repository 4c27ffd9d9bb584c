//! Data sets for rivalry: bytes in, borrowed views out.
//!
//! | module | holds |
//! |---|---|
//! | [`idx`], [`cifar`], [`npy`] | parsers over `&[u8]`, with exact lengths and checked arithmetic |
//! | [`map`] | a memory-mapped file, the only unsafe code of the crate |
//! | [`catalog`] | the files of each known set: lengths, digests, mirrors |
//! | [`open`], [`fetch`], [`verify`], [`list`] | find a set, unpack and verify it, download it where it is missing |
//! | [`open_path`] | a user's own data, with labels or without |
//! | [`ByClass`] | class-stratified selections of samples |
//! | [`synthetic`] | generated handwriting-like digits, for machines without data or network |
//!
//! The search follows the rules of the command line: the first directory that holds any file of a set is the only one
//! used, an unpacked file wins over its archive, and the digest of the content decides.
//!
//! ```
//! use rivalry_data::{Values, synthetic};
//!
//! let mut state = 1_u64;
//! let mut bits = || synthetic::split_mix(&mut state);
//! let digits = synthetic::dataset(50, 10, &mut bits);
//! assert_eq!((digits.train.samples(), digits.train.inputs(), digits.classes), (50, 784, 10));
//! assert!(matches!(digits.train.values(), Values::U8(pixels) if pixels.len() == 50 * 784));
//! ```
//!
//! Without the `download` feature only the parsers, the map, the catalog, the selections and the digits remain, and the
//! only dependencies are `memmap2` and `thiserror`.
//!
//! Arrows (no circles): error ← map, idx, cifar, npy ← content ← dataset ← synthetic ← catalog ← search ← unpack ← fetch
//! ← open; download ← fetch; dataset, npy, idx, search ← own.

#![deny(unsafe_code)]

pub mod catalog;
pub mod cifar;
mod error;
pub mod idx;
pub mod map;
pub mod npy;
mod split;
pub mod synthetic;

#[cfg(feature = "download")]
mod content;
#[cfg(feature = "download")]
mod dataset;
#[cfg(feature = "download")]
mod download;
#[cfg(feature = "download")]
mod fetch;
#[cfg(feature = "download")]
mod open;
#[cfg(feature = "download")]
mod own;
#[cfg(feature = "download")]
mod search;
#[cfg(feature = "download")]
mod unpack;

pub use catalog::Name;
pub use error::{Attempt, Error, Fault, Result};
pub use split::ByClass;

#[cfg(feature = "download")]
pub use dataset::{Dataset, Order, Shape, Split, Values};
#[cfg(feature = "download")]
pub use fetch::{Fetched, fetch};
#[cfg(feature = "download")]
pub use open::{Verified, open, verify};
#[cfg(feature = "download")]
pub use own::open_path;
#[cfg(feature = "download")]
pub use search::{Lookup, Network, Progress, State, Status, list};

#[cfg(all(test, feature = "download"))]
mod tests;
