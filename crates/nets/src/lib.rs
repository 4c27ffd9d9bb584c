//! Networks around a learned layer: its features, and the supervised readout on top of them; and what they are compared with.
//!
//! Krotov & Hopfield 2019 (doi 10.1073/pnas.1820458116), eq. 1: h = max(W·v, 0)^n; c = tanh(β S h). The layer W comes from
//! `rivalry_core` and stays as it is; only S is trained, with labels ([`Readout`]).
//!
//! The rival is [`Backprop`], the same network with n = 1, trained end to end. The controls are a layer that learned nothing
//! ([`random_layer`]) and no layer at all ([`Features::of_inputs`]).

#![forbid(unsafe_code)]

mod adam;
mod backprop;
mod control;
mod error;
mod eval;
pub mod features;
mod learner;
mod readout;
mod schedule;
mod shares;

pub use backprop::{Backprop, BackpropSpec, BackpropState, Head};
pub use control::random_layer;
pub use error::{Error, Result};
pub use features::{FeatureSpec, Features, mean_largest_current};
pub use learner::{Classifier, Encoder, Labelled, Learner, State, Tensor, Values};
pub use readout::{Readout, ReadoutSpec, ReadoutState};
pub use schedule::Schedule;
