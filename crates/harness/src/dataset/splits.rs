//! The examples that each phase sees, by the settings; the parent module lists the steps.

use rivalry_core::Random;
use rivalry_data::{ByClass, Dataset, Shape};

use super::Examples;
use crate::config::{Amount, Config, Split, Task};
use crate::error::failure;

/// The examples of each phase.
#[derive(Debug, Clone)]
pub struct Splits<'a> {
    /// For the unsupervised phase, which never uses the labels.
    pub learn: Examples<'a>,
    /// For the training of the readout.
    pub labelled: Examples<'a>,
    /// For the error.
    pub evaluate: Examples<'a>,
    /// What `evaluate` is.
    pub evaluated: Evaluated,
    /// Classes of the readout.
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
    /// The set is too small for the settings, or they need labels that it does not have; the message names the key.
    pub fn new(dataset: &'a Dataset, config: &Config) -> anyhow::Result<Self> {
        let (train, test) = (&dataset.train, &dataset.test);
        let task = Divided::new(dataset, config)?;
        let held_out = held_out(train.samples(), config.validation)?;
        let used = used(train.samples() - held_out, config, &dataset.name)?;
        let (used, held) = select(dataset, config, held_out, used);
        let labelled = used.classes(task.lower..);
        let labelled = match config.labels_per_class {
            Amount::All => labelled,
            Amount::First(count) => few_of_each(&labelled, count, task.lower)?,
        };
        let learn = if config.task == Task::Half { used.classes(..task.lower) } else { used };
        let (evaluate, evaluated) = if held_out > 0 {
            (Examples::of(train, &held.classes(task.lower..)), Evaluated::Validation)
        } else {
            let all = ByClass::new(test.labels(), 0..test.samples());
            (Examples::of(test, &all.classes(task.lower..)), Evaluated::Test)
        };
        let splits = Self {
            learn: Examples::of(train, &learn),
            labelled: Examples::of(train, &labelled).relabelled(|label| task.label(label)),
            evaluate: evaluate.relabelled(|label| task.label(label)),
            evaluated,
            classes: task.classes,
            shape: dataset.shape,
        };
        splits.check(config)?;
        Ok(splits)
    }

    fn check(&self, config: &Config) -> anyhow::Result<()> {
        let fits = |key: &str, batch: usize, samples: usize, what: &str| {
            if batch <= samples {
                return Ok(());
            }
            let message = format!("{key} = {batch} is larger than the {samples} {what} examples");
            Err(failure(message, format!("set {key}={samples} or less")))
        };
        if config.method.uses("batch") {
            fits("batch", config.batch, self.learn.samples(), "training")?;
        }
        if !config.method.learns_from_labels(config) {
            return Ok(());
        }
        if config.method.uses("readout_batch") {
            fits("readout_batch", config.readout_batch, self.labelled.samples(), "labelled")?;
        } else if config.method.uses("batch") {
            fits("batch", config.batch, self.labelled.samples(), "labelled")?;
        }
        if self.evaluate.samples() == 0 {
            let message = format!("no held-out example belongs to a class of task = {}", config.task);
            return Err(failure(message, "hold out more examples, or evaluate on the test set with validation=0"));
        }
        Ok(())
    }
}

/// The training examples that are used, and those that are held out.
///
/// `shuffled`: a seeded choice in which every class keeps its share. `file-order`: the first examples are used, the last
/// are held out.
fn select(dataset: &Dataset, config: &Config, held_out: usize, used: usize) -> (ByClass, ByClass) {
    let (samples, labels) = (dataset.train.samples(), dataset.train.labels());
    match config.split {
        Split::FileOrder => (ByClass::new(labels, 0..used), ByClass::new(labels, samples - held_out..samples)),
        Split::Shuffled => {
            let mut random = Random::keyed(config.seed, "split", 0);
            let all = ByClass::new(labels, 0..samples).shuffled(&mut || random.next_u64());
            let (held, rest) = all.split(held_out);
            (rest.split(used).0, held)
        }
    }
}

/// A task: which labels each phase sees, and what the readout distinguishes.
struct Divided {
    task: Task,
    /// The first class of the readout; with `half` the lower classes belong to the unsupervised phase.
    lower: usize,
    classes: usize,
}

impl Divided {
    fn new(dataset: &Dataset, config: &Config) -> anyhow::Result<Self> {
        let (task, found) = (config.task, dataset.classes);
        if dataset.train.labels().is_empty() {
            let method = config.method;
            let needs = if method.learns_from_labels(config) && !method.uses("readout_epochs") {
                format!("method {method}")
            } else if config.readout_epochs > 0 {
                "training a readout (readout_epochs above 0)".to_owned()
            } else if task != Task::Class {
                format!("task = {task}")
            } else if config.labels_per_class != Amount::All {
                "labels_per_class".to_owned()
            } else {
                return Ok(Self { task, lower: 0, classes: 0 });
            };
            let message = format!("{needs} needs labels, and {} has none", dataset.name);
            return Err(failure(
                message,
                "give labelled data; method=biological with readout_epochs=0 learns a hidden layer without labels",
            ));
        }
        let lower = if task == Task::Half { found / 2 } else { 0 };
        let classes = match task {
            Task::Class => found,
            Task::Parity => 2,
            Task::Half => found - lower,
        };
        if found < 2 || classes < 2 {
            let message = format!("task = {task} needs two classes to distinguish, but the data has {found} classes");
            return Err(failure(message, "choose another task, or readout_epochs=0 for the hidden layer alone"));
        }
        Ok(Self { task, lower, classes })
    }

    fn label(&self, label: u8) -> u8 {
        match self.task {
            Task::Class => label,
            Task::Parity => label % 2,
            Task::Half => label - self.lower as u8,
        }
    }
}

/// How many training examples are held out.
fn held_out(samples: usize, share: f64) -> anyhow::Result<usize> {
    let count = (share * samples as f64).round() as usize;
    if share > 0.0 && (count == 0 || count >= samples) {
        let message = format!("validation = {share} holds out {count} of {samples} training examples");
        return Err(failure(message, "choose a share that leaves examples on both sides, such as validation=0.1"));
    }
    Ok(count)
}

/// How many of those that are left are used.
fn used(left: usize, config: &Config, name: &str) -> anyhow::Result<usize> {
    match config.train_samples {
        Amount::All => Ok(left),
        Amount::First(count) if count <= left => Ok(count),
        Amount::First(count) => {
            let message = format!("train_samples = {count}, but {name} has only {left} training examples");
            Err(failure(message, format!("set train_samples={left} or less, or all")))
        }
    }
}

/// `count` examples of every class from `lower` on.
fn few_of_each(examples: &ByClass, count: usize, lower: usize) -> anyhow::Result<ByClass> {
    match examples.sizes().enumerate().skip(lower).find(|(_, size)| *size < count) {
        None => Ok(examples.first_of_each(count)),
        Some((class, size)) => {
            let message = format!("labels_per_class = {count}, but class {class} has only {size} examples");
            Err(failure(message, format!("set labels_per_class={size} or less, or all")))
        }
    }
}
