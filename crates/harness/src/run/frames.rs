//! The animation of a run: its receptive fields from the first weights to the last, `fields-animated.png`.
//!
//! The file holds the pictures so far whenever a checkpoint is written, so a run that goes on from one goes on with them.

use rivalry_core::Layer;

use super::finish::planes;
use super::{ANIMATION, Job};
use crate::output;
use crate::plot::animation::{Frame, animated, frames};
use crate::plot::fields::frame;
use crate::rows::Phase;

/// Units in a picture: seven by seven.
const UNITS: usize = 49;

/// The pictures of a phase so far.
pub(super) struct Frames<'a> {
    job: &'a Job<'a>,
    /// After which epochs a picture is taken; 0 is before the first.
    epochs: Vec<u32>,
    taken: Vec<Frame>,
    complained: bool,
}

impl<'a> Frames<'a> {
    /// Of a phase of so many epochs, of which some are done; none of a readout, or where nobody asked for pictures.
    pub(super) fn of(job: &'a Job<'a>, phase: Phase, epochs: u32, done: u32) -> Option<Self> {
        let count = job.frames.filter(|_| phase != Phase::Readout)?;
        let epochs = schedule(epochs, count);
        let kept = epochs.iter().filter(|&&epoch| done > 0 && epoch <= done).count();
        let mut taken = match std::fs::read(job.folder.file(ANIMATION)) {
            Ok(bytes) if kept > 0 => frames(&bytes).unwrap_or_default(),
            _ => Vec::new(),
        };
        taken.truncate(kept);
        Some(Self { job, epochs, taken, complained: false })
    }

    /// Whether a picture is taken after this epoch.
    pub(super) fn are_due(&self, epoch: u32) -> bool {
        self.epochs.binary_search(&epoch).is_ok()
    }

    /// Takes a picture of the first units.
    pub(super) fn take(&mut self, layer: &Layer) {
        let shape = self.job.config.method.fields_shape(self.job.config, self.job.splits.shape);
        let (rows, tile) = planes(layer, shape);
        let units: Vec<usize> = (0..layer.hidden().min(UNITS)).collect();
        match frame(&rows, layer.inputs(), tile, &units) {
            Ok(frame) => self.taken.push(frame),
            Err(error) => self.complain(&error),
        }
    }

    /// Writes the file. Pictures are not worth ending a run for, so a failure is printed once.
    pub(super) fn write(&mut self) {
        if self.taken.is_empty() {
            return;
        }
        let about = format!("receptive fields while learning, {} pictures", self.taken.len());
        let written = animated(&self.taken, &about).and_then(|bytes| self.job.folder.write(ANIMATION, &bytes));
        written.err().iter().for_each(|error| self.complain(error));
    }

    fn complain(&mut self, error: &anyhow::Error) {
        if !std::mem::replace(&mut self.complained, true) {
            output::note(self.job.common, &format!("warning: {ANIMATION} is not complete: {error}"));
        }
    }
}

/// After which of the epochs `count` pictures are taken: closer together at the beginning, where most changes.
fn schedule(epochs: u32, count: u32) -> Vec<u32> {
    let last = f64::from(count.saturating_sub(1).max(1));
    let at = |number: u32| (f64::from(epochs) * (f64::from(number) / last).powi(2)).round() as u32;
    let mut chosen: Vec<u32> = (0..count).map(at).collect();
    chosen.dedup();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_taken_from_the_first_weights_to_the_last() {
        assert_eq!(schedule(100, 5), [0, 6, 25, 56, 100]);
        assert_eq!(schedule(3, 5), [0, 1, 2, 3]);
        assert_eq!((schedule(7, 2), schedule(7, 1), schedule(0, 3)), (vec![0, 7], vec![0], vec![0]));
    }
}
