//! Networks around a learned layer: its features, and the supervised readout on top of them.
//!
//! Krotov & Hopfield 2019 (doi 10.1073/pnas.1820458116), eq. 1: h = max(W·v, 0)^n; c = tanh(β S h). The layer W comes from
//! `rivalry_core` and stays as it is; only S is trained, with labels.

#![forbid(unsafe_code)]

mod adam;
mod error;
pub mod features;
mod readout;
mod schedule;
mod shares;

pub use error::{Error, Result};
pub use features::{FeatureSpec, Features, mean_largest_current};
pub use readout::{Readout, ReadoutSpec, ReadoutState};
pub use schedule::Schedule;
