//! What is compared with one another: the runs of one experiment, as summaries over seeds, and their place in the page.

use std::cmp::Ordering;

use super::search::{Found, Run};
use crate::config::{Config, Protocol};
use crate::methods::METHODS;
use crate::summary::{self, Source, Summary};
use crate::sweep::Definition;
use crate::sweep::grid::Axis;

/// The runs of one experiment on one data set.
pub(super) struct Part<'a> {
    pub(super) experiment: &'a str,
    pub(super) dataset: &'a str,
    /// Whether its errors are of held-out examples instead of the test set.
    pub(super) is_held_out: bool,
    /// The axes of a sweep, from its definition: the keys that advance together, that which tells all steps apart first.
    /// None of an experiment.
    pub(super) axes: Vec<Vec<String>>,
    /// One for each method and setting.
    pub(super) summaries: Vec<Summary<'a>>,
    found: &'a Found,
}

/// Where a part stands in the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// One of the paper's tables.
    Table,
    /// One of the paper's figures.
    Figure,
    /// What goes beyond the paper.
    Beyond,
    /// An experiment without a name.
    Own,
    /// A search for good settings, on a split of the training set.
    Search,
}

/// Some of the runs, as parts, in the order of the page.
///
/// # Errors
/// Two runs of one seed disagree.
pub(super) fn parts<'a>(found: &'a Found, wanted: impl Fn(&Run) -> bool) -> anyhow::Result<Vec<Part<'a>>> {
    let mut runs: Vec<&Run> = found.runs.iter().filter(|run| wanted(run)).collect();
    // Of runs that agree the first one stays, and a run folder knows more than a table.
    runs.sort_by_key(|run| (run.folder.is_none(), &run.places));
    let mut parts: Vec<Part<'_>> = Vec::new();
    let sources = runs.iter().map(|run| Source { row: &run.row, place: &run.places[0] });
    for summary in summary::over_seeds(sources)? {
        let (row, is_held_out) = (summary.runs[0].row, summary.is_held_out());
        let same = |part: &&mut Part<'_>| {
            (part.experiment, part.dataset, part.is_held_out) == (&*row.experiment, &*row.dataset, is_held_out)
        };
        match parts.iter_mut().find(same) {
            Some(part) => part.summaries.push(summary),
            None => parts.push(Part {
                experiment: &row.experiment,
                dataset: &row.dataset,
                is_held_out,
                axes: axes(&row.experiment, found),
                summaries: vec![summary],
                found,
            }),
        }
    }
    let rank = |summary: &Summary<'_>| {
        METHODS.iter().position(|method| method.name() == summary.setting("method")).unwrap_or(METHODS.len())
    };
    for part in &mut parts {
        let keys = part.keys();
        part.summaries.sort_by(|ours, theirs| {
            let both = keys.iter().filter_map(|key| ours.get(key).zip(theirs.get(key)));
            let varied = both.map(|(ours, theirs)| ours.order(theirs)).find(|order| order.is_ne());
            rank(ours).cmp(&rank(theirs)).then(varied.unwrap_or(Ordering::Equal)).then_with(|| ours.order(theirs))
        });
    }
    let names: Vec<&str> = Config::names().chain(Definition::names()).collect();
    let known = |part: &Part<'_>| names.iter().position(|name| *name == part.experiment).unwrap_or(names.len());
    parts.sort_by_key(|part| (part.place(), known(part), part.experiment, part.dataset));
    Ok(parts)
}

/// From the definition of a named sweep, or from the one that stands beside the rows of another.
fn axes(experiment: &str, found: &Found) -> Vec<Vec<String>> {
    let named = Definition::names().find(|name| *name == experiment);
    let named = named.map(|name| Definition::load(name, Protocol::Paper).map_or(Vec::new(), |sweep| sweep.axes));
    let recorded = || found.axes.iter().find(|(name, _)| name == experiment).map(|(_, axes)| axes.clone());
    let keys = |axis: &Axis| {
        let mut keys: Vec<String> = axis.keys().map(str::to_owned).collect();
        keys.sort_by_key(|key| Some(key.as_str()) != axis.telling_key());
        keys
    };
    named.or_else(recorded).unwrap_or_default().iter().map(keys).collect()
}

/// A line of a sweep: its label, and a summary at each value.
pub(super) type SweptLine<'p, 'a> = (String, Vec<(f64, &'p Summary<'a>)>);

impl<'a> Part<'a> {
    pub(super) fn place(&self) -> Place {
        let name = self.experiment;
        let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
        let is_experiment = Config::names().any(|known| known == name);
        let is_named = is_experiment || Definition::names().any(|known| known == name);
        match (self.is_held_out || ends(&["-grid", "-search", "-long", "-winner"]), is_named) {
            (true, true) => Place::Search,
            (false, true) if is_experiment => Place::Table,
            (false, _) if ends(&["p-sweep", "delta-sweep"]) => Place::Figure,
            (false, true) => Place::Beyond,
            (_, false) => Place::Own,
        }
    }

    pub(super) fn heading(&self) -> String {
        let mut heading = self.experiment.to_owned();
        if self.dataset != self.experiment && !self.dataset.is_empty() {
            heading += &format!(" on {}", self.dataset);
        }
        if self.is_held_out && Config::names().any(|name| name == self.experiment) {
            heading += ", held-out examples";
        }
        heading
    }

    /// The settings that tell summaries of one method apart: those of the axes first.
    pub(super) fn keys(&self) -> Vec<String> {
        let mut varied: Vec<String> = Vec::new();
        for method in self.methods() {
            let own = |summary: &&Summary<'_>| summary.setting("method") == method;
            for key in summary::varied(&self.summaries.iter().filter(own).collect::<Vec<_>>()) {
                if !key.ends_with("_sha256") && !varied.iter().any(|known| known == key) {
                    varied.push(key.to_owned());
                }
            }
        }
        // How many examples a task has follows from the task.
        let task = varied.iter().any(|key| key == "task");
        varied.retain(|key| !task || key != "train_samples");
        let place = |key: &String| self.axes.iter().flatten().position(|axis| axis == key).unwrap_or(usize::MAX);
        varied.sort_by_key(place);
        varied
    }

    /// Each method once, in the order of the summaries.
    pub(super) fn methods(&self) -> Vec<&str> {
        let mut methods: Vec<&str> = self.summaries.iter().map(|summary| summary.setting("method")).collect();
        methods.dedup();
        methods
    }

    /// Method and settings of a summary, as far as they tell it from the others of the part.
    pub(super) fn label(&self, summary: &Summary<'_>) -> String {
        label_of(summary, &self.keys())
    }

    /// The runs of a summary, with their folders.
    pub(super) fn runs(&self, summary: &Summary<'a>) -> Vec<&'a Run> {
        let run = |source: &Source<'a>| self.found.runs.iter().find(|run| std::ptr::eq(&run.row, source.row));
        summary.runs.iter().filter_map(run).collect()
    }

    /// All runs of the part.
    pub(super) fn all_runs(&self) -> impl Iterator<Item = (&Summary<'a>, &'a Run)> {
        self.summaries.iter().flat_map(|summary| self.runs(summary).into_iter().map(move |run| (summary, run)))
    }

    /// Whether settings of a run were added to its record later.
    pub(super) fn is_migrated(&self, run: &Run) -> bool {
        self.found.is_migrated(run)
    }

    /// The lines of a sweep along one of its axes.
    pub(super) fn lines(&self, axis: &[String]) -> Vec<SweptLine<'_, 'a>> {
        let apart: Vec<String> = self.keys().into_iter().filter(|key| !axis.contains(key)).collect();
        let mut lines: Vec<SweptLine<'_, 'a>> = Vec::new();
        for summary in &self.summaries {
            let x = axis.first().and_then(|key| summary.get(key)?.number);
            let Some(x) = x.filter(|_| summary.error().is_some()) else { continue };
            let label = label_of(summary, &apart);
            match lines.iter_mut().find(|(known, _)| *known == label) {
                Some((_, points)) => points.push((x, summary)),
                None => lines.push((label, vec![(x, summary)])),
            }
        }
        lines.iter_mut().for_each(|(_, points)| points.sort_by(|ours, theirs| ours.0.total_cmp(&theirs.0)));
        // A line needs two values, and one point at each: where other keys advance too, one value may stand for several.
        lines.retain(|(_, points)| points.len() > 1 && points.windows(2).all(|pair| pair[0].0 < pair[1].0));
        lines
    }
}

fn label_of(summary: &Summary<'_>, keys: &[String]) -> String {
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    match summary.named(&keys) {
        named if named.is_empty() => summary.setting("method").to_owned(),
        named => format!("{}, {named}", summary.setting("method")),
    }
}

/// A setting as the field writes it.
pub(super) fn symbol(key: &str) -> String {
    match key {
        "delta" => "Δ".to_owned(),
        "beta" => "β".to_owned(),
        "power_n" => "n".to_owned(),
        "loss_m" => "m".to_owned(),
        "init_sigma" => "σ".to_owned(),
        _ => key.replace('_', " "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::ResultRow;

    fn found(rows: &[ResultRow]) -> Found {
        super::super::search::tests::found(&[("rows.csv", &crate::rows::to_csv(rows))])
    }

    fn row(experiment: &str, seed: u64, error: f64) -> ResultRow {
        ResultRow {
            experiment: experiment.to_owned(),
            dataset: "mnist".to_owned(),
            method: "biological".to_owned(),
            seed,
            test_error_pct: Some(error),
            ..ResultRow::default()
        }
    }

    #[test]
    fn the_axes_of_a_sweep_come_from_its_definition() {
        let point = |p: f64, k, seed, error| ResultRow { p: Some(p), k: Some(k), ..row("p-sweep", seed, error) };
        let found =
            found(&[point(5.0, 4, 1, 1.9), point(2.0, 7, 1, 1.6), point(2.0, 7, 2, 1.8), point(3.0, 7, 1, 1.5)]);
        let parts = parts(&found, |_| true).unwrap();
        let [part] = &parts[..] else { panic!("one experiment") };
        assert_eq!((part.place(), part.heading().as_str()), (Place::Figure, "p-sweep on mnist"));
        // p tells all steps apart, k only advances with it.
        assert_eq!(part.keys(), ["p", "k"]);
        assert_eq!(part.axes, [["p", "delta", "k"]]);
        let [(_, line)] = &part.lines(&part.axes[0])[..] else { panic!("one line") };
        let points: Vec<(f64, String)> = line.iter().map(|(x, one)| (*x, one.error().unwrap().text())).collect();
        assert_eq!(points, [(2.0, "1.70 ± 0.14".to_owned()), (3.0, "1.50".to_owned()), (5.0, "1.90".to_owned())]);
        let table = super::super::tables::points(part);
        assert_eq!(table.rows()[0], ["2", "7", "1.70 ± 0.14", "2"]);
    }

    #[test]
    fn rows_stand_in_the_order_of_what_is_varied() {
        let labels = |count, epochs, error| ResultRow {
            labels_per_class: count,
            readout_epochs: Some(epochs),
            task: "class".to_owned(),
            train_samples: Some(60_000),
            ..row("few-labels", 1, error)
        };
        let found = found(&[labels(Some(300), 400, 4.0), labels(None, 60, 1.8), labels(Some(100), 120, 7.0)]);
        let parts = parts(&found, |_| true).unwrap();
        let order: Vec<&str> = parts[0].summaries.iter().map(|summary| summary.setting("labels_per_class")).collect();
        assert_eq!((order, parts[0].place()), (vec!["100", "300", "all"], Place::Beyond));
    }

    #[test]
    fn a_split_of_a_named_experiment_is_a_search_and_a_table_of_one_is_the_papers() {
        let split = ResultRow { test_error_pct: None, validation_error_pct: Some(2.0), ..row("mnist", 1, 0.0) };
        let long = ResultRow { epochs: Some(1000), published_test_error_pct: Some(1.46), ..row("mnist", 1, 1.5) };
        let found = found(&[split, long, row("mine", 1, 3.0), row("mnist-long", 1, 2.0)]);
        let parts = parts(&found, |_| true).unwrap();
        let places: Vec<(&str, Place)> = parts.iter().map(|part| (part.experiment, part.place())).collect();
        let (table, own, search) = (Place::Table, Place::Own, Place::Search);
        assert_eq!(places, [("mnist", table), ("mine", own), ("mnist", search), ("mnist-long", search)]);
        let accuracy = super::super::tables::accuracy(&parts);
        assert_eq!(accuracy.rows(), [["mnist", "biological", "1000", "1.46", "1.50", "+0.04", "1"]]);
    }
}
