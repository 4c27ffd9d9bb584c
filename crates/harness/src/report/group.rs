//! Runs sorted into parts (one experiment on one task of one data set) and groups (one method and setting, over seeds).

use std::collections::BTreeMap;

use super::search::Run;
use super::settings::{self, Setting, TRAIN_SAMPLES};
use crate::methods::METHODS;
use crate::rows::ResultRow;
use crate::statistics::{MeanSd, mean};

/// What the source of a published number says when nobody has looked it up.
const FROM_MEMORY: &str = "from memory";

/// What is compared with one another: one table, its curves and sweeps.
pub(super) struct Part<'a> {
    pub(super) experiment: &'a str,
    pub(super) dataset: &'a str,
    pub(super) task: &'a str,
    pub(super) groups: Vec<Group<'a>>,
}

/// Runs that differ in their seed alone.
pub(super) struct Group<'a> {
    pub(super) method: &'a str,
    pub(super) settings: Vec<Setting>,
    /// Failed ones among them.
    pub(super) runs: Vec<&'a Run>,
    /// What tells it from the other groups of its part: the method, and the settings in which groups of the method differ.
    pub(super) label: String,
}

/// Mean and spread over seeds, of values with their seeds. A seed that is there more than once counts once, with its mean.
fn over_seeds(values: impl Iterator<Item = (u64, f64)>) -> Option<MeanSd> {
    let mut seeds: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for (seed, value) in values {
        seeds.entry(seed).or_default().push(value);
    }
    let means: Vec<f64> = seeds.values().filter_map(|values| mean(values)).collect();
    MeanSd::of(&means)
}

/// A run that came to nothing but a reason: neither an error nor weights.
pub(super) fn failed(row: &ResultRow) -> bool {
    let errors = [row.train_error_pct, row.validation_error_pct, row.test_error_pct];
    !row.err.is_empty() && errors.iter().all(Option::is_none) && row.weights_sha256.is_empty()
}

impl Group<'_> {
    /// Mean and spread of one column.
    pub(super) fn spread(&self, column: impl Fn(&ResultRow) -> Option<f64>) -> Option<MeanSd> {
        over_seeds(self.runs.iter().filter_map(|run| Some((run.row.seed, column(&run.row)?))))
    }

    /// The published test error and where it comes from.
    pub(super) fn published(&self) -> Option<(f64, &str)> {
        self.runs.iter().find_map(|run| Some((run.row.published_test_error_pct?, run.row.published_source.as_str())))
    }

    /// The published test error as tables show it: a number that nobody has looked up is marked.
    pub(super) fn published_text(&self) -> Option<String> {
        self.published().map(|(error, source)| match source.contains(FROM_MEMORY) {
            true => format!("{error:.2} ({FROM_MEMORY})"),
            false => format!("{error:.2}"),
        })
    }

    /// The seeds, in order, each once.
    pub(super) fn seeds(&self) -> Vec<u64> {
        let mut seeds: Vec<u64> = self.runs.iter().map(|run| run.row.seed).collect();
        seeds.sort_unstable();
        seeds.dedup();
        seeds
    }

    /// Seeds that are there more than once with different results.
    pub(super) fn disputed_seeds(&self) -> Vec<u64> {
        let results = |seed: u64| {
            let own = self.runs.iter().map(|run| &run.row).filter(move |row| row.seed == seed && !failed(row));
            own.map(|row| (row.test_error_pct, row.validation_error_pct, row.weights_sha256.as_str()))
        };
        let disputed = |seed: &u64| results(*seed).any(|result| Some(result) != results(*seed).next());
        self.seeds().into_iter().filter(disputed).collect()
    }

    /// The failed ones.
    pub(super) fn failures(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().copied().filter(|run| failed(&run.row))
    }
}

/// Sorts runs into parts and groups, in an order that depends on nothing but them.
pub(super) fn parts(runs: &[Run]) -> Vec<Part<'_>> {
    let mut sorted: Vec<(&Run, Vec<Setting>)> =
        runs.iter().map(|run| (run, settings::settings(&run.row, run.experiment()))).collect();
    let about = |run: &Run| (run.row.experiment.clone(), run.row.dataset.clone(), run.row.task.clone());
    let method = |run: &Run| (rank(&run.row.method), run.row.method.clone());
    // Failed rows come last, because they are put to those that they belong to.
    sorted.sort_by(|(ours, our_settings), (theirs, their_settings)| {
        about(ours)
            .cmp(&about(theirs))
            .then_with(|| failed(&ours.row).cmp(&failed(&theirs.row)))
            .then_with(|| method(ours).cmp(&method(theirs)))
            .then_with(|| settings::order(our_settings, their_settings))
            .then_with(|| ours.row.seed.cmp(&theirs.row.seed))
            .then_with(|| ours.places.cmp(&theirs.places))
    });
    let mut parts: Vec<Part<'_>> = Vec::new();
    for (run, settings) in sorted {
        let row = &run.row;
        let same = |part: &&mut Part<'_>| {
            (part.experiment, part.dataset, part.task) == (&row.experiment, &row.dataset, &row.task)
        };
        if parts.last_mut().filter(same).is_none() {
            let (experiment, dataset, task) = (&row.experiment, &row.dataset, &row.task);
            parts.push(Part { experiment, dataset, task, groups: Vec::new() });
        }
        let part = parts.last_mut().expect("one was pushed");
        let belongs =
            |group: &&mut Group<'_>| group.method == row.method && alike(&group.settings, &settings, failed(row));
        match part.groups.iter_mut().find(belongs) {
            Some(group) => group.runs.push(run),
            None => {
                part.groups.push(Group { method: &row.method, settings, runs: vec![run], label: String::new() });
            }
        }
    }
    for part in &mut parts {
        part.groups.sort_by(|ours, theirs| {
            let method = |group: &Group<'_>| (rank(group.method), group.method.to_owned());
            method(ours).cmp(&method(theirs)).then_with(|| settings::order(&ours.settings, &theirs.settings))
        });
        label(&mut part.groups);
    }
    parts
}

/// The same settings. A failed run may not have come as far as to count its training examples or to leave a folder.
fn alike(ours: &[Setting], theirs: &[Setting], failed: bool) -> bool {
    let unknown = |setting: &Setting| setting.text.is_empty() || setting.key == TRAIN_SAMPLES;
    ours.iter().zip(theirs).all(|(ours, theirs)| ours.text == theirs.text || (failed && unknown(theirs)))
}

/// The paper's methods first, in the order in which `--methods` lists them.
fn rank(method: &str) -> usize {
    METHODS.iter().position(|known| known.name() == method).unwrap_or(METHODS.len())
}

fn label(groups: &mut [Group<'_>]) {
    let labels: Vec<String> = groups
        .iter()
        .map(|group| {
            let own: Vec<&[Setting]> =
                groups.iter().filter(|other| other.method == group.method).map(|other| &other.settings[..]).collect();
            match settings::named(&group.settings, &settings::varied(&own)) {
                named if named.is_empty() => group.method.to_owned(),
                named => format!("{}, {named}", group.method),
            }
        })
        .collect();
    for (group, label) in groups.iter_mut().zip(labels) {
        group.label = label;
    }
}

#[cfg(test)]
mod tests;
