//! The one memory map: a file as bytes without reading it into memory. The only unsafe code of the crate.
//!
//! A map is worth it for the training images, which are used once per epoch and in part: nothing is copied, and two
//! processes on one machine share the pages.

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
        let fail = |source| Error::io("open file", path, source);
        // Before opening: opening a pipe would wait for somebody to write into it.
        if !fs::metadata(path).map_err(fail)?.is_file() {
            return Err(fail(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")));
        }
        let file = File::open(path).map_err(fail)?;
        // SAFETY: the map is private to this value, read-only, and handed out only as a shared slice that borrows it.
        // What `Mmap::map` asks of its caller is that the file's bytes do not change underneath. This crate never
        // writes in place (see above), and the files are data sets that nothing else has reason to change; a program
        // that does so all the same is told in the documentation what happens. The bytes are plain `u8`, for which
        // every value is valid, and every parser checks the very slice it then uses.
        let map = unsafe { memmap2::Mmap::map(&file) }.map_err(|source| Error::io("map file", path, source))?;
        Ok(Self(map))
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
