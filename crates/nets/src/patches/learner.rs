//! Filters of patches as a [`Learner`]: the fast rule, unchanged, on whitened patches, and the health of its filters.

use crate::competitive::fast::FastLearner;
use crate::error::Result;
use crate::learner::{Labelled, Learner, State};
use crate::patches::filters::{FilterHealth, filter_health, unit_filters};
use rivalry_core::{Compute, Matrix};

/// The fast rule on patches.
#[derive(Debug)]
pub struct PatchLearner {
    fast: FastLearner,
    /// Patches that the health of the filters is measured on.
    sample: Matrix,
    health: Option<FilterHealth>,
}

impl PatchLearner {
    /// A layer that learns from patches, and some of these patches, at unit length, to measure its filters on.
    pub fn new(fast: FastLearner, sample: Matrix) -> PatchLearner {
        PatchLearner { fast, sample, health: None }
    }
}

impl Learner for PatchLearner {
    /// As [`FastLearner::epoch`]; then counts dead and duplicate filters.
    fn epoch(&mut self, compute: &Compute, data: &Labelled<'_>, order: &[u32], rate: f32) -> Result<()> {
        self.fast.epoch(compute, data, order, rate)?;
        self.health = Some(filter_health(compute, &unit_filters(&self.fast.layer())?, &self.sample)?);
        Ok(())
    }

    /// Those of [`FastLearner::diagnostics`] but the units of negative mean; and after an epoch the dead filters (without the largest activation on any patch
    /// of the sample) and the duplicates (a cosine above 0.99 with an earlier filter).
    fn diagnostics(&self) -> Vec<(&'static str, f64)> {
        // Whitened patches have both signs, so a filter of negative mean is as good as any.
        let mut diagnostics = self.fast.diagnostics();
        diagnostics.retain(|(name, _)| *name != "negative_units");
        if let Some(health) = &self.health {
            diagnostics.push(("dead_filters", health.dead as f64));
            diagnostics.push(("duplicate_filters", health.duplicates as f64));
        }
        diagnostics
    }

    fn state(&self) -> State {
        self.fast.state()
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        self.health = None;
        self.fast.restore(state)
    }
}
