//! Data sets for rivalry: bytes in, borrowed views out.
//!
//! * [`idx`], [`cifar`], [`npy`]: pure parsers over `&[u8]`, with exact lengths and checked arithmetic.
//! * [`map`]: the one memory map, and the only unsafe code of the crate.
//! * [`catalog`]: which files a set has, how long they are, their digests and where to download them.
//! * [`open`], [`fetch`], [`verify`], [`list`]: find a set, unpack and check it, download it when it is missing.
//! * [`open_directory`]: a user's own data.
//! * [`synthetic`]: generated handwriting-like digits, for machines without data or network.
//!
//! The rules of the search are those of the command line: the first directory that holds any file of a set is the
//! only one used, an unpacked file wins over its archive, and the digest of the content decides.
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
//! Without the `download` feature only the parsers, the map, the catalog and the digits remain; no other crate is
//! pulled in for them but `memmap2` and `thiserror`.

#![deny(unsafe_code)]

pub mod catalog;
pub mod cifar;
mod error;
pub mod idx;
pub mod map;
pub mod npy;
pub mod synthetic;

#[cfg(feature = "download")]
mod dataset;
#[cfg(feature = "download")]
mod digest;
#[cfg(feature = "download")]
mod directory;
#[cfg(feature = "download")]
mod download;
#[cfg(feature = "download")]
mod fetch;
#[cfg(feature = "download")]
mod locate;
#[cfg(feature = "download")]
mod open;
#[cfg(feature = "download")]
mod unpack;

pub use catalog::Name;
pub use error::{Attempt, Error, Fault, Result};

#[cfg(feature = "download")]
pub use dataset::{Dataset, Shape, Split, Values};
#[cfg(feature = "download")]
pub use directory::open_directory;
#[cfg(feature = "download")]
pub use fetch::{Fetched, fetch};
#[cfg(feature = "download")]
pub use locate::{Lookup, Network, State, Status, list};
#[cfg(feature = "download")]
pub use open::{Verified, open, verify};

#[cfg(all(test, feature = "download"))]
mod tests;

/// How far a long step has come: handed to the caller's closure while a set is unpacked or downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The step, such as `unpacking train-images-idx3-ubyte.gz`; one step keeps its words from start to end.
    pub what: &'a str,
    /// Bytes done.
    pub done: u64,
    /// Bytes in all, where known.
    pub total: Option<u64>,
}
