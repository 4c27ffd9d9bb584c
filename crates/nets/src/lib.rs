//! Networks: every way of learning behind three traits.
//!
//! | what | learner or encoder |
//! |---|---|
//! | hidden units that compete, learned without labels | [`FastLearner`] |
//! | the same by hidden dynamics and a plasticity threshold | [`SlowLearner`] |
//! | features of a layer, and a readout trained on them | [`LayerEncoder`], [`Readout`] |
//! | layers on top of each other | [`StackLearner`], [`StackEncoder`] |
//! | filters of image patches, and their features | [`PatchSample`], [`Whitening`], [`PatchLearner`], [`PatchEncoder`] |
//! | linear readouts in closed form: ridge, squared-hinge SVM | [`LinearLearner`], [`NormalEquations`], [`LinearReadout`] |
//! | the rival, all layers trained by backpropagation | [`Backprop`] |
//! | rivals without backpropagation: equilibrium propagation, dendritic microcircuits | [`EquilibriumPropagation`], [`Microcircuit`] |
//! | the controls: random directions, no hidden layer | [`random_layer`], [`Raw`] |
//!
//! Start at [`Learner`], [`Encoder`] and [`Classifier`]. All weights have the same bits for any number of threads and on
//! every instruction set. One exception: [`NormalEquations::ridge`] and [`NormalEquations::svm`] factorise with a library that
//! chooses its instructions by the CPU, so their last bits may differ between two kinds of CPU.
//!
//! Source: Krotov & Hopfield 2019 (doi 10.1073/pnas.1820458116). Its network is h = max(W·v, 0)^n, c = tanh(β S h) (eq. 1):
//! W competes and stays, only S sees labels.

#![forbid(unsafe_code)]

mod backprop;
/// Hidden units that compete: how they learn, and their features.
mod competitive {
    pub(crate) mod encoder;
    pub(crate) mod fast;
    pub(crate) mod slow;
}
mod controls;
mod dense;
mod equilibrium;
mod error;
mod eval;
mod learner;
mod loss;
mod microcircuit;
mod optim;
/// Filters of image patches, and the features that images have by them.
mod patches {
    pub(crate) mod eigen;
    pub(crate) mod encoder;
    pub(crate) mod filters;
    pub(crate) mod images;
    pub(crate) mod learner;
    pub(crate) mod sample;
    pub(crate) mod standardise;
    pub(crate) mod whitening;
}
/// Readouts on features that stay as they are.
mod readout {
    pub(crate) mod linear;
    pub(crate) mod normal;
    pub(crate) mod ridge;
    pub(crate) mod svm;
    pub(crate) mod tanh;
}
/// Layers on top of each other.
mod stack {
    pub(crate) mod encoder;
    pub(crate) mod learner;
}
mod workers;

pub use backprop::{Backprop, BackpropSpec};
pub use competitive::encoder::{FeatureSpec, LayerEncoder, mean_largest_current};
pub use competitive::fast::{FastLearner, FastSpec};
pub use competitive::slow::{HStarOf, SlowLearner, SlowSpec};
pub use controls::{Raw, random_layer};
pub use equilibrium::{EquilibriumPropagation, EquilibriumSpec, Particles, Signs, Updates};
pub use error::{Error, Result};
pub use learner::{Classifier, Encoder, Labelled, Learner, State, Tensor, Values};
pub use loss::Head;
pub use microcircuit::{Microcircuit, MicrocircuitSpec};
pub use optim::Schedule;
pub use patches::encoder::{Activation, PatchEncoder, PatchSpec, Pooled};
pub use patches::filters::{FilterHealth, filter_health, k_means, random_filters, unit_filters};
pub use patches::images::{ChannelOrder, ImageShape};
pub use patches::learner::PatchLearner;
pub use patches::sample::PatchSample;
pub use patches::standardise::Standardisation;
pub use patches::whitening::Whitening;
pub use readout::linear::{LinearLearner, LinearLoss};
pub use readout::normal::NormalEquations;
pub use readout::ridge::LinearReadout;
pub use readout::svm::SvmSpec;
pub use readout::tanh::{Readout, ReadoutSpec};
pub use stack::encoder::{ReadoutOn, StackEncoder};
pub use stack::learner::{StackLayer, StackLearner, StackSpec};
