//! Tests that cross the files of this crate: parsers on hostile bytes, the search, unpacking, downloads, a user's own data.

mod downloads;
mod opening;
mod own;
mod parsers;
mod sets;
