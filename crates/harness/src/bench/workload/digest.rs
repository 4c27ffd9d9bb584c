//! SHA-256 of numbers: little-endian f32, one after another.

use sha2::{Digest, Sha256};

use crate::run::hex;

/// Digests numbers that come in pieces.
pub(super) struct Numbers(Sha256);

impl Numbers {
    pub(super) fn new() -> Self {
        Self(Sha256::new())
    }

    pub(super) fn add(&mut self, values: &[f32]) {
        // In pieces: the bytes of all numbers at once would be a second copy of them.
        for piece in values.chunks(4096) {
            let bytes: Vec<u8> = piece.iter().flat_map(|value| value.to_le_bytes()).collect();
            self.0.update(&bytes);
        }
    }

    pub(super) fn hex(self) -> String {
        hex(&self.0.finalize())
    }
}

/// Digests numbers.
pub(super) fn of(values: &[f32]) -> String {
    let mut numbers = Numbers::new();
    numbers.add(values);
    numbers.hex()
}
