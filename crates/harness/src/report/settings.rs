//! The settings of a row, in an order to compare and to name them by.
//!
//! Most are columns. A run folder knows a few more, from its `config.toml`; two rows are of the same setting only when
//! these agree too, as far as they are known.

use std::cmp::Ordering;

use rivalry_data::Name;

use crate::config::{Config, Hidden, Task};
use crate::rows::ResultRow;

/// One setting of one run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Setting {
    /// Its key.
    pub(super) key: &'static str,
    /// Its value as written; empty where the method ignores the key.
    pub(super) text: String,
    /// Its value where it is a number.
    pub(super) number: Option<f64>,
}

impl Setting {
    fn number(key: &'static str, value: Option<f64>) -> Self {
        Self { key, text: value.map_or(String::new(), |value| value.to_string()), number: value }
    }

    fn word(key: &'static str, word: impl ToString) -> Self {
        Self { key, text: word.to_string(), number: None }
    }

    /// By number where both are one, else by text.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        match (self.number, other.number) {
            (Some(ours), Some(theirs)) => ours.total_cmp(&theirs),
            _ => self.text.cmp(&other.text),
        }
    }
}

/// The key that a failed row may lack: it is counted when the data is split.
pub(super) const TRAIN_SAMPLES: &str = "train_samples";

/// Every setting of a row but seed, method and what it is about; the same keys in the same order for every row.
pub(super) fn settings(row: &ResultRow, experiment: Option<&Config>) -> Vec<Setting> {
    let count = |value: Option<usize>| value.map(|value| value as f64);
    let used = |key: &str| experiment.filter(|experiment| experiment.method.uses(key));
    vec![
        Setting::number("hidden", count(row.hidden.as_ref().map(Hidden::first))),
        Setting::number("p", row.p),
        Setting::number("k", count(row.k)),
        Setting::number("delta", row.delta),
        labels_per_class(row),
        Setting::number(TRAIN_SAMPLES, count(row.train_samples)),
        Setting::number("epochs", row.epochs.map(f64::from)),
        Setting::number("batch", count(row.batch)),
        Setting::number("rate", row.rate),
        Setting::number("power_n", row.power_n),
        Setting::number("loss_m", row.loss_m),
        Setting::number("beta", row.beta),
        Setting::number("readout_epochs", Some(f64::from(row.readout_epochs))),
        Setting::word("unit_length", &row.unit_length),
        Setting::number("init_sigma", used("init_sigma").map(|experiment| experiment.init_sigma)),
        Setting::word("current_scale", used("current_scale").map_or(String::new(), current_scale)),
        Setting::word("off_sphere", used("off_sphere").map_or(String::new(), |known| known.off_sphere.to_string())),
        Setting::number("readout_batch", experiment.map(|experiment| experiment.readout_batch as f64)),
        Setting::word("readout_rates", experiment.map_or("", |experiment| &experiment.readout_rates)),
        Setting::number("validation", experiment.map(|experiment| experiment.validation)),
    ]
}

/// All labels are about as many as there are examples of each class, where the number of classes is known.
fn labels_per_class(row: &ResultRow) -> Setting {
    const KEY: &str = "labels_per_class";
    if let Some(labels) = row.labels_per_class {
        return Setting::number(KEY, Some(labels as f64));
    }
    let classes = row.dataset.parse().ok().filter(|_| row.task == Task::Class.to_string()).map(Name::classes);
    let number = row.train_samples.zip(classes).map(|(samples, classes)| samples as f64 / classes as f64);
    Setting { number, ..Setting::word(KEY, "all") }
}

fn current_scale(experiment: &Config) -> String {
    match experiment.current_scale {
        crate::config::CurrentScale::Fixed(scale) => scale.to_string(),
        crate::config::CurrentScale::Auto => "auto".to_owned(),
    }
}

/// Compares key by key.
pub(super) fn order(ours: &[Setting], theirs: &[Setting]) -> Ordering {
    ours.iter()
        .zip(theirs)
        .map(|(ours, theirs)| ours.order(theirs))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// Which keys take more than one value.
pub(super) fn varied(all: &[&[Setting]]) -> Vec<&'static str> {
    let Some(first) = all.first() else { return Vec::new() };
    let differs = |index: usize| all.iter().any(|settings| settings[index].text != first[index].text);
    (0..first.len()).filter(|&index| differs(index)).map(|index| first[index].key).collect()
}

/// The settings named by `keys`, as `p 3, delta 0.4`.
pub(super) fn named(settings: &[Setting], keys: &[&str]) -> String {
    let chosen = settings.iter().filter(|setting| keys.contains(&setting.key) && !setting.text.is_empty());
    chosen.map(|setting| format!("{} {}", setting.key, setting.text)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(p: f64, hidden: usize) -> ResultRow {
        ResultRow { p: Some(p), hidden: Some(hidden.into()), ..ResultRow::default() }
    }

    #[test]
    fn numbers_are_ordered_as_numbers() {
        let (small, large) = (settings(&row(2.0, 400), None), settings(&row(2.0, 2000), None));
        assert_eq!(order(&small, &large), Ordering::Less);
        assert_eq!(order(&large, &large), Ordering::Equal);
    }

    #[test]
    fn what_differs_is_named() {
        let (one, other) = (settings(&row(2.0, 400), None), settings(&row(3.0, 400), None));
        let varied = varied(&[&one, &other]);
        assert_eq!(varied, ["p"]);
        assert_eq!(named(&other, &varied), "p 3");
        assert_eq!(named(&other, &["p", "k", "hidden"]), "hidden 400, p 3", "an empty cell has no name");
    }

    #[test]
    fn all_labels_have_a_place_among_numbers_of_them_where_the_classes_are_known() {
        let row = |dataset: &str, labels| ResultRow {
            dataset: dataset.to_owned(),
            task: "class".to_owned(),
            train_samples: Some(60_000),
            labels_per_class: labels,
            ..ResultRow::default()
        };
        let told = |row: &ResultRow| {
            let setting = settings(row, None).into_iter().find(|setting| setting.key == "labels_per_class").unwrap();
            (setting.text, setting.number)
        };
        assert_eq!(told(&row("mnist", Some(30))), ("30".to_owned(), Some(30.0)));
        assert_eq!(told(&row("mnist", None)), ("all".to_owned(), Some(6000.0)));
        assert_eq!(told(&row("letters/", None)), ("all".to_owned(), None));
        assert_eq!(told(&ResultRow { task: "parity".to_owned(), ..row("mnist", None) }).1, None);
    }

    #[test]
    fn a_run_folder_knows_more_than_the_columns() {
        let set = |key: &str| Config::resolve("mnist", &[key.to_owned()], None).unwrap();
        let known = [set("off_sphere=drop"), set("off_sphere=keep")];
        let all = known.each_ref().map(|known| settings(&row(3.0, 2000), Some(known)));
        assert_eq!(varied(&[&all[0], &all[1]]), ["off_sphere"]);
        let shallow = settings(&row(3.0, 2000), Some(&set("method=shallow")));
        assert_eq!(named(&shallow, &["off_sphere", "init_sigma", "current_scale"]), "");
    }
}
