//! Pictures of a run: receptive fields as a PNG, error curves as an SVG. Both are returned as bytes; who writes them
//! where is the caller's business.

mod canvas;
mod colour;
pub mod curves;
pub mod fields;
