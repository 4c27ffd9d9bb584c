//! The command that repeats a run: a named experiment, and `--set` for each key in which the run differs from it.

use rivalry_data::Name;

use crate::config::{Config, Method, Task};
use crate::rows::ResultRow;
use crate::summary;

/// What a run of other data starts from.
const BASE: &str = "mnist";

/// `rivalry train … --seed N` for these settings.
pub(super) fn of_config(config: &Config) -> String {
    let (base, sets) = config.differences_from_named();
    let used = sets.iter().filter(|(key, _)| config.method.uses(key));
    let sets: String = used.map(|(key, value)| format!(" --set {}", quoted(&format!("{key}={value}")))).collect();
    format!("rivalry train {base}{sets} --seed {}", config.seed)
}

/// The same from a row. Nothing where the row is no run of this program, or of one that did not yet record every setting.
pub(super) fn of_row(row: &ResultRow) -> Option<String> {
    let method = row.method.parse::<Method>().ok()?;
    let mut sets = Vec::new();
    for summary::Setting { key, text, .. } in summary::settings(row) {
        // The row counts the examples that were used; the key limits them.
        let all = key == "train_samples" && is_whole(row);
        let text = if key == "hidden" { text.replace('-', ",") } else { text };
        if !text.is_empty() && !all && key != "dataset_sha256" && method.uses(&key) {
            sets.push(format!("{key}={text}"));
        }
    }
    row.validation?;
    let named = |name: &str| Config::names().find(|known| *known == name);
    let base = named(&row.experiment).or_else(|| named(&row.dataset)).unwrap_or(BASE);
    Some(of_config(&Config::resolve(base, &sets, Some(row.seed)).ok()?))
}

/// Whether a run had all training examples of its data set but those held out for validation, or on the task `half` all of
/// about half of the classes.
fn is_whole(row: &ResultRow) -> bool {
    let whole = match row.dataset.parse::<Name>() {
        Ok(Name::Mnist) => 60_000.0,
        Ok(_) => 50_000.0,
        Err(_) => return false,
    };
    let left = whole * (1.0 - row.validation.unwrap_or(0.0));
    let least = if row.task == Task::Half.to_string() { 0.45 * left } else { left - 1.0 };
    row.train_samples.is_none_or(|samples| samples as f64 >= least)
}

/// As a shell reads it back.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "=_-.,:/+".contains(c);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Protocol;
    use crate::methods::{method, paper};

    fn resolve(name: &str, sets: &[&str], seed: u64) -> Config {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        Config::resolve(name, &sets, Some(seed)).unwrap()
    }

    /// The settings that a command line gives.
    fn settings_of(command: &str) -> Config {
        let words: Vec<String> =
            command.replace("'dataset=my digits'", "dataset=my\u{a0}digits").split(' ').map(str::to_owned).collect();
        assert_eq!(words[..2], ["rivalry", "train"]);
        let sets = words.windows(2).filter(|pair| pair[0] == "--set").map(|pair| pair[1].replace('\u{a0}', " "));
        let seed = words.last().unwrap().parse().unwrap();
        Config::resolve(&words[2], &sets.collect::<Vec<_>>(), Some(seed)).unwrap()
    }

    #[test]
    fn the_command_of_a_run_and_that_of_its_row_give_the_same_settings_again() {
        for config in [
            resolve("mnist", &[], 1),
            resolve("mnist", &["hidden=500", "p=2.5", "off_sphere=drop", "current_scale=auto", "init_sigma=0.5"], 7),
            resolve("mnist", &["readout_rates=1e-3:100,5e-4:150", "readout_batch=50", "validation=0.1"], 7),
            resolve("cifar10", &["method=end-to-end", "readout_epochs=5"], 3),
            resolve("synthetic", &["method=shallow", "experiment=mine", "labels_per_class=10"], 2),
            resolve("mnist", &["dataset=my digits", "train_samples=1000"], 1),
            Config::named("mnist", method("random").unwrap(), Protocol::Quick, 4).unwrap(),
        ] {
            let of_folder = of_config(&config);
            let row = ResultRow { train_samples: config.train_samples.first(), ..ResultRow::of_settings(&config) };
            for command in [&of_folder, &of_row(&row).unwrap()] {
                let again = settings_of(command);
                assert!(again.differences(&config).is_empty(), "{command}: {:?}", again.differences(&config));
                assert_eq!(again.seed, config.seed);
            }
        }
    }

    #[test]
    fn only_what_differs_is_set_and_nothing_of_it_is_left_out() {
        let quick = Config::named("mnist", paper(), Protocol::Quick, 1).unwrap();
        assert_eq!(of_config(&quick), "rivalry train mnist --set epochs=100 --set readout_epochs=60 --seed 1");
        assert_eq!(of_config(&resolve("cifar10", &[], 2)), "rivalry train cifar10 --seed 2");
        // A point of a sweep: its row alone tells the scale of the currents.
        let point = resolve("mnist", &["experiment=p-sweep", "current_scale=auto", "beta=2"], 3);
        let row = ResultRow { train_samples: Some(60_000), ..ResultRow::of_settings(&point) };
        let command = of_row(&row).unwrap();
        assert!(command.contains(" --set current_scale=auto ") && command.contains(" --set beta=2 "), "{command}");
        assert!(!command.contains("train_samples"), "{command}");
        // A shell reads the values back.
        assert_eq!(quoted("readout_rates=1e-3:100,5e-4:150"), "readout_rates=1e-3:100,5e-4:150");
        assert_eq!(quoted("dataset=it's; here"), "'dataset=it'\\''s; here'");
    }

    #[test]
    fn all_examples_but_the_held_out_ones_are_no_limit() {
        let row = |samples, validation| ResultRow {
            train_samples: Some(samples),
            validation: Some(validation),
            ..ResultRow::of_settings(&resolve("mnist", &[], 1))
        };
        assert!(!of_row(&row(50_000, 1.0 / 6.0)).unwrap().contains("train_samples"));
        assert!(of_row(&row(500, 0.0)).unwrap().contains("--set train_samples=500"));
        assert_eq!(of_row(&ResultRow { method: "magic".to_owned(), ..row(500, 0.0) }), None);
        assert_eq!(of_row(&ResultRow { validation: None, ..row(60_000, 0.0) }), None, "an old row");
    }
}
