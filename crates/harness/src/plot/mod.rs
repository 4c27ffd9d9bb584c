//! Pictures of a run: receptive fields as a PNG, curves and sweeps as SVG. All are returned as bytes; who writes them
//! where is the caller's business.

mod axis;
mod canvas;
mod colour;
pub mod curves;
pub mod fields;
pub mod lines;
