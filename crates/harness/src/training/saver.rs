//! When checkpoints are written: about every ten seconds of work, and whenever a phase ends.

use std::time::{Duration, Instant};

use super::Job;
use crate::output;
use crate::rows;
use crate::run::checkpoint::Checkpoint;
use crate::run::{CHECKPOINT, METRICS};

/// Seconds between checkpoints, for tests and for slow disks; a number of at least 0.
const VARIABLE: &str = "RIVALRY_CHECKPOINT_S";
const INTERVAL: Duration = Duration::from_secs(10);

/// Writes checkpoints of one job.
pub(super) struct Saver<'a> {
    job: &'a Job<'a>,
    interval: Duration,
    last: Instant,
    complained: bool,
}

impl<'a> Saver<'a> {
    pub(super) fn new(job: &'a Job<'a>) -> Self {
        let asked = std::env::var(VARIABLE).ok().and_then(|text| text.parse().ok());
        let interval = asked.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or(INTERVAL);
        Self { job, interval, last: Instant::now(), complained: false }
    }

    /// Whether enough work has been done since the last one.
    pub(super) fn is_due(&self) -> bool {
        self.last.elapsed() >= self.interval
    }

    /// Writes the checkpoint, then the metrics so far for whoever watches. A full disk must not end hours of work that
    /// may still find room later, so failures are said once and the run goes on.
    pub(super) fn save(&mut self, checkpoint: &Checkpoint) {
        let folder = self.job.folder;
        let written = folder
            .write(CHECKPOINT, &checkpoint.to_bytes())
            .and_then(|()| folder.write(METRICS, rows::to_csv(&checkpoint.metrics).as_bytes()));
        if let Err(error) = written
            && !self.complained
        {
            self.complained = true;
            output::note(self.job.common, &format!("warning: no checkpoint, going on without: {error}"));
        }
        self.last = Instant::now();
    }
}
