//! A memory-mapped file: its bytes without a copy in memory. The only unsafe code of the crate.
//!
//! Training images are read once per epoch. A map avoids the copy, and processes on one machine share its pages.

#![allow(unsafe_code)]

use std::fs::{self, File};
use std::io;
use std::ops::Deref;
use std::path::Path;

use crate::error::{Error, Result};

/// A whole file, mapped read-only.
#[derive(Debug)]
pub struct Map(memmap2::Mmap);

impl Map {
    /// Maps a file.
    ///
    /// Other programs must not change or shorten the file while it is mapped: a shortened file ends the process
    /// (SIGBUS) when a page behind the new end is touched. This crate itself never writes into a file that exists: it
    /// writes under a temporary name and renames, and a map keeps the old file.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be opened or mapped, or is a directory, pipe or device.
    ///
    /// # Allocates
    /// Address space, not memory.
    pub fn open(path: &Path) -> Result<Self> {
        let fail = |source| Error::io("open", path, source);
        // Before opening, because opening a pipe would wait for a writer.
        if !fs::metadata(path).map_err(fail)?.is_file() {
            return Err(fail(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")));
        }
        let file = File::open(path).map_err(fail)?;
        // SAFETY: the map is private to this value, read-only, and handed out only as a shared slice that borrows it.
        // `Mmap::map` requires that the bytes of the file do not change. This crate never writes in place (see
        // above), and the documentation forbids it to other programs. The bytes are plain `u8`, for which every value
        // is valid, and every parser checks the slice that it then uses.
        let map = unsafe { memmap2::Mmap::map(&file) }.map_err(|source| Error::io("map", path, source))?;
        Ok(Self(map))
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
