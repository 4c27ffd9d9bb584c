//! The content of a file: mapped, or unpacked into memory, and its SHA-256.
//!
//! SHA-256 is written as lower-case hexadecimal text, as in the catalog.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::Digest as _;

use crate::error::{Error, Result};
use crate::map::Map;

/// The bytes of a file; cloning shares them.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    bytes: Bytes,
    path: PathBuf,
}

/// Bytes in a memory map, or in memory where there was no place to keep an unpacked copy.
#[derive(Clone, Debug)]
enum Bytes {
    Mapped(Arc<Map>),
    Owned(Arc<Vec<u8>>),
}

impl Content {
    /// Maps a file.
    pub(crate) fn map(path: &Path) -> Result<Self> {
        Ok(Self { bytes: Bytes::Mapped(Arc::new(Map::open(path)?)), path: path.to_path_buf() })
    }

    /// Bytes that were unpacked from the file `path`, or generated.
    pub(crate) fn owned(bytes: Vec<u8>, path: &Path) -> Self {
        Self { bytes: Bytes::Owned(Arc::new(bytes)), path: path.to_path_buf() }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Mapped(map) => map,
            Bytes::Owned(bytes) => bytes,
        }
    }

    /// The file, or the archive it was unpacked from.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// A running SHA-256.
pub(crate) struct Digest(sha2::Sha256);

impl Digest {
    pub(crate) fn new() -> Self {
        Self(sha2::Sha256::new())
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn hex(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The SHA-256 of some bytes.
pub(crate) fn sha256_of(bytes: &[u8]) -> String {
    let mut digest = Digest::new();
    digest.update(bytes);
    digest.hex()
}

/// The SHA-256 of a file that is read once and not kept.
pub(crate) fn sha256_of_file(path: &Path) -> Result<String> {
    let fail = |source| Error::io("read", path, source);
    let mut file = File::open(path).map_err(fail)?;
    let mut digest = Digest::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).map_err(fail)? {
            0 => return Ok(digest.hex()),
            length => digest.update(&buffer[..length]),
        }
    }
}
