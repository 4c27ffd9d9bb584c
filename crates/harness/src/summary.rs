//! The one summary over seeds: tables, sweeps, gates and reports all print this.
//!
//! 1. Every column of a row that is neither a measurement nor provenance is a setting ([`settings`]). The columns come from
//!    the row itself, so a setting that is added to it later is never forgotten here.
//! 2. Runs of equal settings belong together; they differ in their seed alone ([`over_seeds`]).
//! 3. A seed counts once. Two runs of one seed that have different results are an error that names both: their mean would
//!    mean nothing. Of a failed run and one that came to a result, the result counts.
//! 4. A [`Summary`] then gives mean ± sample standard deviation of any column.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use rivalry_data::Name;

use crate::config::Task;
use crate::error::failure;
use crate::rows::{ResultRow, cells, columns};
use crate::statistics::MeanSd;

/// The columns that are no settings: what a run measured, and who ran it where. `config_sha256` also covers the seed.
const NO_SETTINGS: &str = "\
    seed train_error_pct validation_error_pct test_error_pct published_test_error_pct published_source on_sphere \
    negative_units silent_units learn_s readout_s epoch_ms epoch_first_ms epoch_last_ms engine isa threads cpu \
    revision dirty config_sha256 weights_sha256 err";
/// A failed run may not have come as far as to know these.
const KNOWN_LATE: [&str; 2] = ["train_samples", "dataset_sha256"];

/// One setting of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// The column.
    pub key: String,
    /// Its value as tables show it; empty where the method ignores the key.
    pub text: String,
    /// Its value where it is a number.
    pub number: Option<f64>,
}

impl Setting {
    /// By number where both are numbers, else by text.
    pub fn order(&self, other: &Self) -> Ordering {
        match (self.number, other.number) {
            (Some(ours), Some(theirs)) => ours.total_cmp(&theirs),
            _ => self.text.cmp(&other.text),
        }
    }
}

/// A run and the file it was read from, which errors name.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The row.
    pub row: &'a ResultRow,
    /// Its file.
    pub place: &'a str,
}

/// Runs that differ in their seed alone.
#[derive(Debug, Clone)]
pub struct Summary<'a> {
    /// What they have in common, in the order of the columns.
    pub settings: Vec<Setting>,
    /// One run for each seed, by increasing seed; failed ones among them.
    pub runs: Vec<Source<'a>>,
}

/// Every setting of a row in the order of the columns, the keys of the method last.
pub fn settings(row: &ResultRow) -> Vec<Setting> {
    let columns = columns::<ResultRow>();
    let cells = cells(row);
    let both = columns.iter().map(String::as_str).zip(&cells).filter(|(column, _)| is_setting(column));
    let common = both.map(|(column, cell)| match (column, cell) {
        ("labels_per_class", "") => all_labels(row),
        _ => setting(column, cell),
    });
    common.chain(row.own.iter().map(|(key, cell)| setting(key, cell))).collect()
}

/// The settings of a row with an empty one for each key that only other rows have: the same keys for all of them.
fn settings_among(row: &ResultRow, own: &BTreeSet<&String>) -> Vec<Setting> {
    let mut settings = settings(row);
    let common = settings.len() - row.own.len();
    settings.truncate(common);
    settings.extend(own.iter().map(|key| setting(key, row.own.get(*key).map_or("", String::as_str))));
    settings
}

fn is_setting(column: &str) -> bool {
    NO_SETTINGS.split_whitespace().all(|other| other != column)
}

fn setting(key: &str, cell: &str) -> Setting {
    // A digest may happen to look like a number.
    let number = cell.parse::<f64>().ok().filter(|number| number.is_finite() && !key.ends_with("_sha256"));
    // As people write it: 2, where the file has 2.0.
    Setting { key: key.to_owned(), text: number.map_or(cell.to_owned(), |number| number.to_string()), number }
}

/// All labels are about as many as there are examples of each class, where the number of classes is known.
fn all_labels(row: &ResultRow) -> Setting {
    let classes = row.dataset.parse().ok().filter(|_| row.task == Task::Class.to_string()).map(Name::classes);
    let number = row.train_samples.zip(classes).map(|(samples, classes)| samples as f64 / classes as f64);
    Setting { key: "labels_per_class".to_owned(), text: "all".to_owned(), number }
}

/// Summaries of all runs, one for each setting, in the order in which the settings first appear.
///
/// # Errors
/// Two runs of one setting and seed have different results; the message names both files.
pub fn over_seeds<'a>(runs: impl IntoIterator<Item = Source<'a>>) -> anyhow::Result<Vec<Summary<'a>>> {
    let runs: Vec<Source<'a>> = runs.into_iter().collect();
    let own: BTreeSet<&String> = runs.iter().flat_map(|run| run.row.own.keys()).collect();
    let with_settings = |(index, run): (usize, Source<'a>)| (index, run, settings_among(run.row, &own));
    let mut runs: Vec<(usize, Source<'a>, Vec<Setting>)> = runs.into_iter().enumerate().map(with_settings).collect();
    // Failed runs come last, because they join the runs that they belong to.
    runs.sort_by_key(|(_, run, _)| run.row.has_no_result());
    let mut groups: Vec<(usize, Vec<Setting>, Vec<Source<'a>>)> = Vec::new();
    for (index, run, settings) in runs {
        let alike = |(_, theirs, _): &&mut (usize, Vec<Setting>, _)| alike(theirs, &settings, run.row.has_no_result());
        match groups.iter_mut().find(alike) {
            Some((first, _, runs)) => {
                *first = index.min(*first);
                runs.push(run);
            }
            None => groups.push((index, settings, vec![run])),
        }
    }
    groups.sort_by_key(|(first, ..)| *first);
    groups.into_iter().map(|(_, settings, runs)| Summary::of_settings(settings, runs)).collect()
}

fn alike(ours: &[Setting], theirs: &[Setting], failed: bool) -> bool {
    let unknown = |setting: &Setting| setting.text.is_empty() || KNOWN_LATE.contains(&setting.key.as_str());
    ours.iter().zip(theirs).all(|(ours, theirs)| ours.text == theirs.text || (failed && unknown(theirs)))
}

/// The keys that take more than one value, in the order of the columns.
pub(crate) fn varied<'s>(summaries: &[&'s Summary<'_>]) -> Vec<&'s str> {
    let Some(first) = summaries.first() else { return Vec::new() };
    let differs = |(index, ours): &(usize, &Setting)| summaries.iter().any(|it| it.settings[*index].text != ours.text);
    first.settings.iter().enumerate().filter(differs).map(|(_, setting)| setting.key.as_str()).collect()
}

impl<'a> Summary<'a> {
    /// The summary of runs that belong together; nothing where there are none.
    ///
    /// # Errors
    /// Two runs of one seed have different results.
    pub fn of(runs: impl IntoIterator<Item = Source<'a>>) -> anyhow::Result<Option<Self>> {
        let runs: Vec<Source<'a>> = runs.into_iter().collect();
        let with_result = runs.iter().find(|run| !run.row.has_no_result()).or(runs.first());
        with_result.map(|run| Self::of_settings(settings(run.row), runs.clone())).transpose()
    }

    fn of_settings(settings: Vec<Setting>, mut runs: Vec<Source<'a>>) -> anyhow::Result<Self> {
        // A stable sort: of runs that agree, the first one stays.
        runs.sort_by_key(|run| (run.row.seed, run.row.has_no_result()));
        for pair in runs.windows(2) {
            if pair[0].row.seed == pair[1].row.seed && !pair[1].row.has_no_result() {
                refuse_different(pair[0], pair[1], &settings)?;
            }
        }
        runs.dedup_by_key(|run| run.row.seed);
        Ok(Self { settings, runs })
    }

    /// A setting by its key.
    pub fn get(&self, key: &str) -> Option<&Setting> {
        self.settings.iter().find(|setting| setting.key == key)
    }

    /// The value of a setting as tables show it; empty where it has none.
    pub fn setting(&self, key: &str) -> &str {
        self.get(key).map_or("", |setting| &setting.text)
    }

    /// Settings by name, as `p 3, delta 0.4`, without those that have no value here.
    pub fn named(&self, keys: &[&str]) -> String {
        named(&self.settings, keys)
    }

    /// Key by key, in the order of the columns.
    pub fn order(&self, other: &Self) -> Ordering {
        let both = self.settings.iter().zip(&other.settings);
        both.map(|(ours, theirs)| ours.order(theirs)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }

    /// The rows that have a result.
    pub fn results(&self) -> impl Iterator<Item = &'a ResultRow> {
        self.runs.iter().map(|run| run.row).filter(|row| !row.has_no_result())
    }

    /// The seeds that came to a result.
    pub fn seeds(&self) -> Vec<u64> {
        self.results().map(|row| row.seed).collect()
    }

    /// How many seeds failed.
    pub fn failed(&self) -> usize {
        self.runs.len() - self.results().count()
    }

    /// Mean ± sample standard deviation of a column over the seeds that have it.
    pub fn mean_sd(&self, column: impl Fn(&ResultRow) -> Option<f64>) -> Option<MeanSd> {
        MeanSd::of(&self.results().filter_map(column).collect::<Vec<f64>>())
    }

    /// The mean of a count, to one decimal.
    pub fn mean_count(&self, column: impl Fn(&ResultRow) -> Option<usize>) -> Option<f64> {
        let mean = self.mean_sd(|row| column(row).map(|count| count as f64))?.mean;
        Some((mean * 10.0).round() / 10.0)
    }

    /// The error that the runs are judged by: of held-out examples where there are some, else of the test set.
    pub fn error(&self) -> Option<MeanSd> {
        self.mean_sd(ResultRow::judged_error_pct)
    }

    /// Whether that is an error of held-out examples.
    pub fn is_held_out(&self) -> bool {
        self.results().any(|row| row.validation_error_pct.is_some())
    }

    /// The published test error and its source.
    pub fn published(&self) -> Option<(f64, &'a str)> {
        self.runs.iter().find_map(|run| Some((run.row.published_test_error_pct?, run.row.published_source.as_str())))
    }
}

fn named(settings: &[Setting], keys: &[&str]) -> String {
    let chosen = settings.iter().filter(|setting| keys.contains(&setting.key.as_str()) && !setting.text.is_empty());
    chosen.map(|setting| format!("{} {}", setting.key, setting.text)).collect::<Vec<_>>().join(", ")
}

/// The same seed gives the same bits everywhere, so runs that differ were not run with the same settings or program.
fn refuse_different(first: Source<'_>, second: Source<'_>, settings: &[Setting]) -> anyhow::Result<()> {
    let result = |row: &'_ ResultRow| {
        (row.train_error_pct, row.validation_error_pct, row.test_error_pct, row.weights_sha256.clone())
    };
    if result(first.row) == result(second.row) {
        return Ok(());
    }
    let described = |run: Source<'_>| {
        let error = run.row.judged_error_pct().map_or("no error".to_owned(), |error| format!("{error} %"));
        let weights = run.row.weights_sha256.get(..8).unwrap_or("none");
        format!("{} ({error}, weights {weights}, revision {})", run.place, run.row.revision)
    };
    let which = named(settings, &["experiment", "dataset", "method", "task", "hidden", "p", "k", "delta"]);
    let message = format!(
        "two runs of seed {} disagree: {} and {}; both are of {which}",
        first.row.seed,
        described(first),
        described(second)
    );
    Err(failure(message, "keep the one that is right; runs of one seed are never averaged"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn row(seed: u64, p: f64, error: f64) -> ResultRow {
        ResultRow {
            seed,
            p: Some(p),
            test_error_pct: Some(error),
            on_sphere: Some(seed as usize),
            weights_sha256: format!("{seed:08}"),
            ..ResultRow::default()
        }
    }

    fn summaries(rows: &[ResultRow]) -> anyhow::Result<Vec<Summary<'_>>> {
        let places = ["a.csv", "b.csv", "c.csv", "d.csv"];
        over_seeds(rows.iter().zip(places).map(|(row, place)| Source { row, place }))
    }

    #[test]
    fn every_column_that_is_no_measurement_is_a_setting() {
        let keys: Vec<String> = settings(&ResultRow::default()).into_iter().map(|setting| setting.key).collect();
        let expected = columns::<ResultRow>().into_iter().filter(|column| is_setting(column));
        assert!(expected.eq(keys.iter().cloned()), "{keys:?}");
        for key in ["experiment", "method", "hidden", "p", "labels_per_class", "unit_length", "dataset_sha256"] {
            assert!(keys.iter().any(|known| known == key), "{key}");
        }
    }

    #[test]
    fn runs_of_one_setting_are_one_summary_with_their_seeds_in_order() {
        let rows = [row(2, 3.0, 2.5), row(1, 2.0, 4.0), row(1, 3.0, 1.5)];
        let found = summaries(&rows).unwrap();
        assert_eq!(found.iter().map(|one| one.setting("p")).collect::<Vec<_>>(), ["3", "2"], "as they appear");
        assert_eq!((found[0].seeds(), found[0].failed()), (vec![1, 2], 0));
        assert_eq!(found[0].error().unwrap().text(), "2.00 ± 0.71");
        assert_eq!(found[1].error().unwrap().text(), "4.00");
        assert_eq!(found[0].mean_count(|row| row.on_sphere), Some(1.5));
        assert_eq!(varied(&found.iter().collect::<Vec<_>>()), ["p"]);
        assert_eq!((found[0].named(&["p", "k"]), found[0].order(&found[1])), ("p 3".to_owned(), Ordering::Greater));
    }

    #[test]
    fn a_key_of_one_method_tells_its_runs_apart_and_is_empty_for_others() {
        let own = |w_inh: &str| BTreeMap::from([("w_inh".to_owned(), w_inh.to_owned())]);
        let slow = |seed, w_inh| ResultRow { own: own(w_inh), ..row(seed, 3.0, 2.0) };
        let rows = [row(1, 3.0, 1.0), slow(1, "0.9"), slow(2, "0.9"), slow(1, "0.5")];
        let found = summaries(&rows).unwrap();
        assert_eq!(found.iter().map(|one| one.setting("w_inh")).collect::<Vec<_>>(), ["", "0.9", "0.5"]);
        assert_eq!((found[1].seeds(), varied(&found.iter().collect::<Vec<_>>())), (vec![1, 2], vec!["w_inh"]));
    }

    #[test]
    fn a_failed_run_joins_those_it_belongs_to_and_a_result_replaces_it() {
        let done = ResultRow { train_samples: Some(60), dataset_sha256: "d".to_owned(), ..row(1, 3.0, 2.0) };
        let failed = |seed| ResultRow { seed, p: Some(3.0), err: "a disk".to_owned(), ..ResultRow::default() };
        let rows = [failed(2), failed(1), done, failed(2)];
        let found = summaries(&rows).unwrap();
        assert_eq!((found.len(), found[0].seeds(), found[0].failed()), (1, vec![1], 1));
        assert_eq!((found[0].error().unwrap().count, found[0].setting("train_samples")), (1, "60"));
    }

    #[test]
    fn a_seed_that_is_there_twice_counts_once_and_two_results_of_it_are_refused() {
        let rows = [row(1, 3.0, 2.0), ResultRow { isa: "avx2".to_owned(), ..row(1, 3.0, 2.0) }];
        assert_eq!(summaries(&rows).unwrap()[0].runs.len(), 1);
        let other = ResultRow { weights_sha256: "feedbeef00".to_owned(), ..row(1, 3.0, 2.1) };
        let error = summaries(&[rows[0].clone(), row(2, 3.0, 2.0), other]).unwrap_err().to_string();
        assert!(error.starts_with("two runs of seed 1 disagree: a.csv (2 %, weights 00000001"), "{error}");
        assert!(error.contains("c.csv (2.1 %, weights feedbeef") && error.contains("both are of p 3"), "{error}");
    }

    #[test]
    fn all_labels_have_a_place_among_numbers_of_them_where_the_classes_are_known() {
        let labels = |dataset: &str, task: &str, labels| {
            let (dataset, task) = (dataset.to_owned(), task.to_owned());
            let row =
                ResultRow { dataset, task, train_samples: Some(60_000), labels_per_class: labels, ..row(1, 3.0, 1.0) };
            let setting = settings(&row).into_iter().find(|setting| setting.key == "labels_per_class").unwrap();
            (setting.text, setting.number)
        };
        assert_eq!(labels("mnist", "class", Some(30)), ("30".to_owned(), Some(30.0)));
        assert_eq!(labels("mnist", "class", None), ("all".to_owned(), Some(6000.0)));
        assert_eq!(labels("letters/", "class", None), ("all".to_owned(), None));
        assert_eq!(labels("mnist", "parity", None).1, None);
    }
}
