//! Where a shard stands while it screens, and how it tells the others its bars.

use crate::offers::{BarsAt, Offers, Stage};

/// The place of a shard in a minibatch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) offers: &'a Offers,
    pub(crate) shard: usize,
    pub(crate) minibatch: u32,
    pub(crate) first_unit: usize,
}

impl Place<'_> {
    /// Says that there will be no bars from this shard, so that nobody waits for them.
    pub(crate) fn publish_nothing(&self, examples: usize) {
        (0..examples)
            .for_each(|example| self.offers.publish_bars(self.bars(Stage::All, example), &[f32::NEG_INFINITY]));
    }

    /// Where the bars for an example are told.
    pub(super) fn bars(&self, stage: Stage, example: usize) -> BarsAt {
        BarsAt { shard: self.shard, stage, minibatch: self.minibatch, example }
    }
}
