//! The examples that each phase sees, by the settings; see the parent module for the order of the steps.

use rivalry_data::{Dataset, Shape};

use super::Examples;
use crate::config::{Amount, Config, Task};
use crate::failure::failure;

/// Who sees what.
#[derive(Debug, Clone)]
pub struct Splits<'a> {
    /// What the unsupervised phase sees; its labels are never used.
    pub learn: Examples<'a>,
    /// What the readout is trained on.
    pub labelled: Examples<'a>,
    /// What the error is measured on.
    pub evaluate: Examples<'a>,
    /// Which of the two that is.
    pub evaluated: Evaluated,
    /// What the readout tells apart.
    pub classes: usize,
    /// How inputs form an image.
    pub shape: Shape,
}

/// What an error was measured on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evaluated {
    /// The test set.
    Test,
    /// Held-out training examples; the test set was not touched.
    Validation,
}

impl<'a> Splits<'a> {
    /// Divides the data by the settings.
    ///
    /// # Errors
    /// The set is too small for what the settings ask of it; the message names the key.
    pub fn new(dataset: &'a Dataset, experiment: &Config) -> anyhow::Result<Self> {
        let train = &dataset.train;
        let (samples, inputs) = (train.samples(), train.inputs());
        let held_out = held_out(samples, experiment.validation)?;
        let learnable = samples - held_out;
        let used = match experiment.train_samples {
            Amount::All => learnable,
            Amount::First(count) if count <= learnable => count,
            Amount::First(count) => {
                let hint = "ask for fewer, or for all";
                return Err(too_small(
                    "train_samples",
                    &format!("at most {learnable} in {}", dataset.name),
                    count,
                    hint,
                ));
            }
        };
        let learn = Examples::range(train.values(), inputs, train.labels(), 0, used);
        let (evaluate, evaluated) = if held_out > 0 {
            let held = Examples::range(train.values(), inputs, train.labels(), learnable, samples);
            (held, Evaluated::Validation)
        } else {
            let test = &dataset.test;
            (Examples::range(test.values(), inputs, test.labels(), 0, test.samples()), Evaluated::Test)
        };
        let task = Divided::new(experiment.task, dataset.classes)?;
        let labelled = match experiment.labels_per_class {
            Amount::All => task.for_readout(learn.clone()),
            Amount::First(count) => first_of_each(task.for_readout(learn.clone()), count, task.lower, dataset.classes)?,
        };
        let splits = Self {
            labelled: labelled.relabelled(|label| task.label(label)),
            learn: task.for_learning(learn),
            evaluate: task.for_readout(evaluate).relabelled(|label| task.label(label)),
            evaluated,
            classes: task.classes,
            shape: dataset.shape,
        };
        splits.check(experiment)?;
        Ok(splits)
    }

    fn check(&self, experiment: &Config) -> anyhow::Result<()> {
        let hint = "a minibatch must fit into the examples at hand";
        if experiment.method.uses("batch") && experiment.batch > self.learn.samples() {
            let expected = format!("at most the {} training examples", self.learn.samples());
            return Err(too_small("batch", &expected, experiment.batch, hint));
        }
        if experiment.readout_epochs == 0 {
            return Ok(());
        }
        if experiment.readout_batch > self.labelled.samples() {
            let expected = format!("at most the {} labelled examples", self.labelled.samples());
            return Err(too_small("readout_batch", &expected, experiment.readout_batch, hint));
        }
        if self.evaluate.samples() == 0 {
            let message = "key `task`: expected examples to evaluate, found none of these classes".to_owned();
            return Err(failure(message, "hold out more, or use the test set with validation = 0"));
        }
        Ok(())
    }
}

/// A task over classes 0..classes: which labels each phase sees, and what the readout is told.
struct Divided {
    task: Task,
    /// The lower half of the classes is below this one.
    lower: usize,
    classes: usize,
}

impl Divided {
    fn new(task: Task, classes: usize) -> anyhow::Result<Self> {
        let lower = if task == Task::Half { classes / 2 } else { 0 };
        let told = match task {
            Task::Class => classes,
            Task::Parity => 2,
            Task::Half => classes - lower,
        };
        if classes < 2 || told < 2 {
            let message =
                format!("key `task`: expected at least two classes to tell apart, found {classes} in the data");
            return Err(failure(message, "choose another task, or readout_epochs=0 for the hidden layer alone"));
        }
        Ok(Self { task, lower, classes: told })
    }

    fn for_learning<'a>(&self, examples: Examples<'a>) -> Examples<'a> {
        match self.task {
            Task::Class | Task::Parity => examples,
            Task::Half => examples.only(|label| usize::from(label) < self.lower),
        }
    }

    fn for_readout<'a>(&self, examples: Examples<'a>) -> Examples<'a> {
        examples.only(|label| usize::from(label) >= self.lower)
    }

    fn label(&self, label: u8) -> u8 {
        match self.task {
            Task::Class => label,
            Task::Parity => label % 2,
            Task::Half => label - self.lower as u8,
        }
    }
}

/// How many of the last training examples are held out.
fn held_out(samples: usize, share: f64) -> anyhow::Result<usize> {
    if share == 0.0 {
        return Ok(0);
    }
    let count = (share * samples as f64).round() as usize;
    if count == 0 || count >= samples {
        let expected = format!("a share that leaves some of {samples} training examples on both sides");
        return Err(failure(
            format!("key `validation`: expected {expected}, found {share}"),
            "for example validation=0.1",
        ));
    }
    Ok(count)
}

/// The first `count` examples of every class from `lower` on.
fn first_of_each(examples: Examples<'_>, count: usize, lower: usize, classes: usize) -> anyhow::Result<Examples<'_>> {
    let mut seen = vec![0_usize; classes];
    let kept = examples.only(|label| {
        let seen = &mut seen[usize::from(label)];
        *seen += 1;
        *seen <= count
    });
    match seen.iter().enumerate().skip(lower).find(|(_, seen)| **seen < count) {
        None => Ok(kept),
        Some((class, seen)) => {
            let expected = format!("at most {seen}, all there are of class {class}");
            Err(too_small("labels_per_class", &expected, count, "ask for fewer, or for all"))
        }
    }
}

fn too_small(key: &str, expected: &str, found: usize, hint: &str) -> anyhow::Error {
    failure(format!("key `{key}`: expected {expected}, found {found}"), hint)
}
