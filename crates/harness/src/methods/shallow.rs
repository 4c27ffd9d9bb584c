//! `shallow`: a control of ours. No hidden layer, the readout on the pixels.

use rivalry_nets::{Encoder, Raw, State};

use super::{LENGTH, LOSS, Method, NO_LAYER, READOUT, needs_epochs};
use crate::config::Config;
use crate::rows::Phase;
use crate::run::phases::{Data, Job, PhaseRun, readout, readout_length};
use crate::run::tensors::shape_of;

/// See the module.
#[derive(Debug)]
pub(super) struct Shallow;

impl Method for Shallow {
    fn name(&self) -> &'static str {
        "shallow"
    }

    fn summary(&self) -> &'static str {
        "no hidden layer: the readout on the pixels"
    }

    fn keys(&self) -> &'static [&'static [&'static str]] {
        &[LENGTH, READOUT, LOSS]
    }

    fn phases(&self) -> &'static [Phase] {
        &[Phase::Readout]
    }

    fn begin<'a>(&self, _phase: Phase, job: &Job<'a>, _state: &State) -> anyhow::Result<PhaseRun<'a>> {
        let (splits, length) = (job.splits, readout_length(job.config));
        let raw = Raw::new(splits.labelled.inputs());
        let features = |examples| -> anyhow::Result<Data<'a>> {
            Data::features(examples, length, |inputs| raw.features(&job.compute.core, inputs))
        };
        readout(job, features(&splits.labelled)?, features(&splits.evaluate)?, State::default())
    }

    fn encoder(&self, _config: &Config, trained: &State) -> anyhow::Result<Option<Box<dyn Encoder>>> {
        let [_, inputs] = shape_of(trained, "readout")?;
        Ok(Some(Box::new(Raw::new(inputs))))
    }

    fn numbers(&self, _config: &Config, inputs: usize, features: usize) -> u64 {
        (inputs * features) as u64
    }

    fn passes(&self, config: &Config) -> f64 {
        0.7 * f64::from(config.readout_epochs)
    }

    fn check(&self, config: &Config) -> anyhow::Result<()> {
        needs_epochs(self, "readout_epochs", config.readout_epochs, NO_LAYER)
    }
}
