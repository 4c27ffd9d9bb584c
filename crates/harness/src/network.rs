//! A trained network on new samples: rebuilt from the settings and tensors of a run, for `features`, `predict` and the
//! confusion matrix.
//!
//! 1. Scale the samples as the readout of the run did (`unit_length`).
//! 2. Encode them: the hidden layer without the units that were dropped, its currents divided by the run's own scale.
//! 3. Classify the features, or the samples where the network was trained as one.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use rivalry_core::{Compute, Inputs, Matrix};
use rivalry_data::Dataset;
use rivalry_nets::{Classifier, Encoder, State};

use crate::config::Config;
use crate::dataset::{Examples, Length};
use crate::error::failure;
use crate::run::phases::readout_length;
use crate::run::tensors::{inputs_of, read_trained};
use crate::run::{CONFIG, TENSORS};

/// A trained run.
pub(crate) struct Network {
    config: Config,
    trained: State,
    /// Inputs of a sample.
    inputs: usize,
}

impl Network {
    /// Reads the network of a run folder.
    ///
    /// # Errors
    /// The folder is not that of a finished run.
    pub(crate) fn open(run: &Path) -> anyhow::Result<Self> {
        let path = run.join(TENSORS);
        let bytes = std::fs::read(&path).map_err(|error| {
            let message = format!("cannot read {}: {error}", path.display());
            failure(message, "RUN_DIR is the folder of a finished run, as written by `rivalry train … --out RUN_DIR`")
        })?;
        let (tensors, _) = read_trained(&bytes).with_context(|| format!("cannot use {}", path.display()))?;
        let config = Config::resolve(&run.join(CONFIG).to_string_lossy(), &[], None)?;
        Self::new(config, State { tensors, counters: BTreeMap::new() })
            .with_context(|| format!("cannot use {}", path.display()))
    }

    /// The network of settings and trained tensors.
    ///
    /// # Errors
    /// There is neither a hidden layer nor a readout.
    pub(crate) fn new(config: Config, trained: State) -> anyhow::Result<Self> {
        let inputs = inputs_of(&trained)?;
        Ok(Self { config, trained, inputs })
    }

    /// The features of samples, [samples × width].
    ///
    /// # Errors
    /// The samples do not fit, or the method has no features.
    pub(crate) fn features(&self, compute: &Compute, samples: &Examples<'_>) -> anyhow::Result<Matrix> {
        self.check(samples)?;
        let Some(encoder) = self.encoder()? else {
            let message = format!("method {} trains all layers as one and has no features", self.config.method);
            return Err(failure(message, "use `rivalry predict --scores` for the scores of its classes"));
        };
        Ok(encoder.features(compute, &samples.scaled(self.length())?.view()?)?)
    }

    /// The predicted class of samples, and the scores of every class, [samples × classes].
    ///
    /// # Errors
    /// The samples do not fit, or the run has no readout.
    pub(crate) fn predict(&self, compute: &Compute, samples: &Examples<'_>) -> anyhow::Result<(Vec<u8>, Matrix)> {
        self.check(samples)?;
        if !self.config.method.learns_from_labels(&self.config) {
            let hint = "train with readout_epochs above 0, or use `rivalry features`";
            return Err(failure("the run has no readout, so it cannot predict classes", hint));
        }
        let classifier = self.config.method.classifier(&self.config, &self.trained, compute)?;
        let scaled = samples.scaled(self.length())?;
        let inputs = scaled.view()?;
        let features = match self.encoder()? {
            Some(encoder) => encoder.features(compute, &inputs)?,
            None => return classify(&*classifier, compute, &inputs),
        };
        classify(&*classifier, compute, &Inputs::matrix(&features)?)
    }

    fn encoder(&self) -> anyhow::Result<Option<Box<dyn Encoder>>> {
        self.config.method.encoder(&self.config, &self.trained)
    }

    fn length(&self) -> Length {
        readout_length(&self.config)
    }

    fn check(&self, samples: &Examples<'_>) -> anyhow::Result<()> {
        if samples.inputs() == self.inputs {
            return Ok(());
        }
        let message = format!("the samples have {} inputs, the run was trained on {}", samples.inputs(), self.inputs);
        Err(failure(message, "give samples of the shape and size that the run was trained on"))
    }
}

fn classify(classifier: &dyn Classifier, compute: &Compute, inputs: &Inputs<'_>) -> anyhow::Result<(Vec<u8>, Matrix)> {
    let mut scores = Matrix::zeros(inputs.samples(), classifier.classes());
    classifier.scores(compute, inputs, &mut scores)?;
    Ok((classifier.predict(compute, inputs)?, scores))
}

/// The samples of an npy file.
///
/// # Errors
/// It cannot be read, or is not an array of samples.
pub(crate) fn read_samples(path: &Path) -> anyhow::Result<Dataset> {
    if !path.is_file() {
        let message = format!("cannot open {}: no such file", path.display());
        return Err(failure(message, "--inputs takes an npy file of samples, u8 or f32"));
    }
    Ok(rivalry_data::open_path(path)?)
}

/// The confusion matrix as CSV: one row per true class, one column per predicted class, the number of samples in each cell.
pub(crate) fn confusion_csv(labels: &[u8], predicted: &[u8], classes: usize) -> String {
    let mut counts = vec![vec![0_usize; classes]; classes];
    for (&label, &predicted) in labels.iter().zip(predicted) {
        counts[usize::from(label)][usize::from(predicted)] += 1;
    }
    let line = |first: String, cells: Vec<String>| format!("{first},{}\n", cells.join(","));
    let mut csv = line("true_class".to_owned(), (0..classes).map(|class| class.to_string()).collect());
    for (class, row) in counts.iter().enumerate() {
        csv += &line(class.to_string(), row.iter().map(usize::to_string).collect());
    }
    csv
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confusion_matrix_counts_true_against_predicted_classes() {
        let csv = confusion_csv(&[0, 0, 1, 2, 2], &[0, 2, 1, 2, 0], 3);
        assert_eq!(csv, "true_class,0,1,2\n0,1,0,1\n1,0,1,0\n2,1,0,1\n");
    }
}
