//! Tests that cross the files of this crate.
