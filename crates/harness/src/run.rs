//! One run, from settings and data to a result and the files of its folder.
//!
//! ```text
//! checkpoint = that of the folder, or a new one at the first phase of the method
//! for each phase that is left:  begin, its epochs (one loop), checkpoint
//! result: the row and the files
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`folder`] | the run folder, its lock, what may be written when |
//! | [`checkpoint`] | all that the rest of a run depends on, as one file |
//! | [`phases`] | what a phase works with; [`methods`](crate::methods) put it together |
//! | [`tensors`] | what was learned, by name |
//! | `epochs` | the one loop over the epochs of a phase |
//! | `frames` | the pictures of an animation, taken between epochs |
//! | `finish` | the row and the files at the end |

pub mod checkpoint;
mod epochs;
mod features;
pub(crate) mod finish;
pub mod folder;
mod frames;
pub mod phases;
pub mod tensors;

pub use phases::Job;

pub use folder::{
    ANIMATION, CHECKPOINT, CONFIG, CONFUSION, CURVES, ENVIRONMENT, Existing, FIELDS, FILES, METRICS, READOUT, RESULT,
    RunFolder, TENSORS, WEIGHTS,
};

use crate::env::Environment;
use crate::error::failure;
use crate::rows::{Phase, ResultRow};
use checkpoint::{Checkpoint, Identity};
use epochs::Saver;

/// A run that came to its end.
#[derive(Debug)]
pub struct Outcome {
    /// Its result.
    pub row: ResultRow,
    /// The first file that could not be written, if any: the result is none the worse, but the folder is not complete.
    pub unwritten: Option<anyhow::Error>,
}

/// Runs the job, or the rest of it.
///
/// # Errors
/// The folder is not writable or in use, its checkpoint is damaged or of another run, or the weights stop being numbers.
pub fn run(job: &Job<'_>) -> anyhow::Result<Outcome> {
    let (config, method) = (job.config, job.config.method);
    let identity = Identity { config_sha256: config.digest(), dataset_sha256: job.dataset_sha256.to_owned() };
    let found = job.folder.checkpoint(&identity)?;
    let environment = Environment::collect(job.compute.core.kernels().name(), job.compute.core.threads());
    check_memory(job, environment.machine.memory_mib)?;
    method.engine(job)?;
    job.folder.begin(config)?;
    job.folder.write(ENVIRONMENT, environment.to_json().as_bytes())?;

    let phases = method.phases();
    let mut checkpoint = match found {
        Some(checkpoint) => checkpoint,
        None => Checkpoint::new(phases[0], method.start(job)?, identity),
    };
    let mut saver = Saver::new(job);
    if checkpoint.epoch == 0 && !checkpoint.state.tensors.is_empty() {
        // What a method starts from may have taken its time, such as k-means.
        saver.save(&checkpoint);
    }
    let left = phases.iter().skip_while(|phase| **phase != checkpoint.phase).copied();
    for phase in left.collect::<Vec<_>>() {
        if phase != checkpoint.phase {
            (checkpoint.phase, checkpoint.epoch) = (phase, 0);
            saver.save(&checkpoint);
        }
        let epochs = method.epochs(config, phase);
        // A layer of no epochs is its initial weights; a readout of no epochs is none.
        let is_done = checkpoint.epoch >= epochs && (phase != Phase::Unsupervised || checkpoint.epoch > 0);
        if !is_done {
            let revision = environment.build.revision;
            if checkpoint.revisions.last().is_none_or(|last| last != revision) {
                checkpoint.revisions.push(revision.to_owned());
            }
            epochs::run(job, &mut checkpoint, &mut saver)?;
            saver.save(&checkpoint);
        }
    }
    if checkpoint.revisions.is_empty() {
        checkpoint.revisions.push(environment.build.revision.to_owned());
    }
    finish::run(job, &checkpoint, &environment)
}

/// Memory that is not there would end the program without a word, so the large arrays are counted first.
fn check_memory(job: &Job<'_>, memory_mib: Option<u64>) -> anyhow::Result<()> {
    let (config, splits) = (job.config, job.splits);
    let features = if config.method.learns_from_labels(config) {
        splits.labelled.samples() + splits.evaluate.samples()
    } else {
        0
    };
    let numbers = config.method.numbers(config, splits.learn.inputs(), features);
    let gib = |mib: u64| format!("{:.1} GiB", mib as f64 / 1024.0);
    match (numbers.saturating_mul(4) >> 20, memory_mib) {
        (needed, Some(there)) if needed > there => {
            let message =
                format!("{} hidden units need {}, this machine has {}", config.hidden, gib(needed), gib(there));
            Err(failure(message, "fewer units, or fewer samples with train_samples"))
        }
        _ => Ok(()),
    }
}
