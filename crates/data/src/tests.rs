//! Tests that cross the files of this crate: hostile bytes, the search, unpacking, downloads, digits, and the real
//! data where `RIVALRY_DATA` says there is some.

mod directories;
mod downloads;
mod hostile;
mod npy_files;
mod opening;
mod real;
mod server;
mod small;
mod strokes;
