//! The data of the tables and figures. MNIST that is nowhere and cannot be fetched is replaced by the synthetic digits;
//! CIFAR-10 has no substitute, so what needs it is skipped. Either is said, never silent.

use crate::cli::Common;
use crate::config::Config;
use crate::dataset::{self, Datasets};
use crate::output;

/// What the parts of `reproduce` run on.
#[derive(Debug, Default)]
pub(super) struct Sources {
    pub(super) data: Datasets,
    known: Vec<(String, Source)>,
}

/// What a part that is about one experiment runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// The experiment itself, or `synthetic` for it; the remark says why, and is empty for the experiment itself.
    Ready { experiment: String, remark: String },
    /// Nothing: the part is skipped, for this reason.
    Missing(String),
}

impl Sources {
    /// Finds and opens the data of a named experiment, once.
    pub(super) fn find(&mut self, experiment: &str, common: &Common) -> anyhow::Result<Source> {
        if let Some((_, source)) = self.known.iter().find(|(known, _)| known == experiment) {
            return Ok(source.clone());
        }
        let source = self.look(experiment, common)?;
        self.known.push((experiment.to_owned(), source.clone()));
        Ok(source)
    }

    /// Says what is replaced and what is skipped, once everything else is found to be in order.
    pub(super) fn announce(&self, common: &Common) {
        for (_, source) in &self.known {
            match source {
                Source::Ready { remark, .. } if remark.is_empty() => {}
                Source::Ready { remark: what, .. } | Source::Missing(what) => {
                    output::note(common, &format!("note: {what}"));
                }
            }
        }
    }

    fn look(&mut self, experiment: &str, common: &Common) -> anyhow::Result<Source> {
        let mut open = |name: &str| self.data.open(&Config::resolve(name, &[], None)?, common).map(|_| ());
        let ready = |experiment: &str, remark| Source::Ready { experiment: experiment.to_owned(), remark };
        match (open(experiment), experiment) {
            (Ok(()), _) => Ok(ready(experiment, String::new())),
            (Err(error), "mnist") if dataset::is_missing(&error) => {
                open("synthetic")?;
                let remark = format!("synthetic digits instead of MNIST, which is not here: {error}");
                Ok(ready("synthetic", remark))
            }
            (Err(error), "cifar10") if dataset::is_missing(&error) => {
                let reason = format!("skipped: CIFAR-10 is not here: {error}");
                Ok(Source::Missing(reason))
            }
            (Err(error), _) => Err(error),
        }
    }
}
