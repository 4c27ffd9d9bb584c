//! Pictures of a run: receptive fields as a PNG, line plots as SVG. All are returned as bytes; the caller writes them.

mod canvas;
pub mod fields;
pub mod lines;
