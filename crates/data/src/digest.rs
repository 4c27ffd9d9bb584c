//! SHA-256 as the lower-case hexadecimal text the catalog is written in.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::Digest as _;

use crate::error::{Error, Result};

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

/// The digest of some bytes.
pub(crate) fn of_bytes(bytes: &[u8]) -> String {
    let mut digest = Digest::new();
    digest.update(bytes);
    digest.hex()
}

/// The digest of a file that is read once and not kept.
pub(crate) fn of_file(path: &Path) -> Result<String> {
    let fail = |source| Error::io("read file", path, source);
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
