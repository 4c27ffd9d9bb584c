//! The command that repeats a run: the named experiment that is nearest, and `--set` for each key in which the run differs.

use toml::Value;

use crate::config::Config;
use crate::methods::paper;
use crate::rows::ResultRow;

/// What a run of other data starts from.
const BASE: &str = "mnist";
/// How many training examples the named data sets have.
const WHOLE: [(&str, usize); 2] = [("mnist", 60_000), ("cifar10", 50_000)];

/// `rivalry train … --seed N` for these settings; nothing where they cannot be said on a command line.
pub(super) fn of_settings(experiment: &Config) -> Option<String> {
    let base = base(&experiment.experiment, &experiment.dataset);
    let mut parts = vec![format!("rivalry train {base}")];
    parts.extend(sets(experiment, base)?.iter().map(|set| format!("--set {}", quoted(set))));
    parts.push(format!("--seed {}", experiment.seed));
    Some(parts.join(" "))
}

/// The same from the columns of a row alone: keys that have no column are taken to be those of the named experiment.
/// Nothing where the row cannot tell, as with a held-out share of the training set, which has no column.
pub(super) fn of_row(row: &ResultRow) -> Option<String> {
    if row.validation_error_pct.is_some() {
        return None;
    }
    let mut sets = Vec::new();
    let mut set = |key: &str, value: Option<String>| sets.extend(value.map(|value| format!("{key}={value}")));
    for (key, word) in [
        ("method", &row.method),
        ("experiment", &row.experiment),
        ("dataset", &row.dataset),
        ("task", &row.task),
        ("unit_length", &row.unit_length),
    ] {
        set(key, Some(word.clone()).filter(|word| !word.is_empty()));
    }
    for (key, number) in [
        ("p", row.p),
        ("delta", row.delta),
        ("rate", row.rate),
        ("power_n", row.power_n),
        ("loss_m", row.loss_m),
        ("beta", row.beta),
    ] {
        set(key, number.map(|number| number.to_string()));
    }
    for (key, count) in [
        ("hidden", row.hidden.as_ref().map(crate::config::Hidden::first)),
        ("k", row.k),
        ("batch", row.batch),
        ("labels_per_class", row.labels_per_class),
        ("train_samples", row.train_samples.filter(|count| !WHOLE.contains(&(&row.dataset, *count)))),
    ] {
        set(key, count.map(|count| count.to_string()));
    }
    set("epochs", row.epochs.map(|epochs| epochs.to_string()));
    set("readout_epochs", Some(row.readout_epochs.to_string()));
    let base = base(&row.experiment, &row.dataset);
    of_settings(&Config::resolve(base, &sets, Some(row.seed)).ok()?)
}

fn base(experiment: &str, dataset: &str) -> &'static str {
    let named = |name: &str| Config::names().find(|known| *known == name);
    named(dataset).or_else(|| named(experiment)).unwrap_or(BASE)
}

/// What has to be set on top of the named experiment.
fn sets(experiment: &Config, base: &str) -> Option<Vec<String>> {
    let method = format!("method={}", experiment.method);
    let named = Config::resolve(base, std::slice::from_ref(&method), None).ok()?;
    let (ours, theirs) = (toml::Table::try_from(experiment).ok()?, toml::Table::try_from(&named).ok()?);
    let mut sets = if experiment.method == paper() { Vec::new() } else { vec![method] };
    for (key, value) in ours.iter().filter(|(key, value)| theirs.get(*key) != Some(*value)) {
        let value = match value {
            Value::String(text) => text.clone(),
            Value::Table(_) => continue,
            other => other.to_string(),
        };
        if key != "seed" && experiment.method.uses(key) {
            sets.push(format!("{key}={value}"));
        }
    }
    Some(sets)
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

    fn resolve(name: &str, sets: &[&str], seed: u64) -> Config {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        Config::resolve(name, &sets, Some(seed)).unwrap()
    }

    #[test]
    fn the_command_gives_the_same_settings_again() {
        for experiment in [
            resolve("mnist", &[], 1),
            resolve("mnist", &["hidden=500", "p=2.5", "off_sphere=drop", "current_scale=auto"], 7),
            resolve("cifar10", &["method=end-to-end", "readout_epochs=5", "validation=0.1"], 3),
            resolve("synthetic", &["method=shallow", "experiment=mine", "labels_per_class=10"], 2),
            resolve("mnist", &["dataset=my digits", "train_samples=1000"], 1),
            Config::named("mnist", crate::methods::method("random").unwrap(), Protocol::Quick, 4).unwrap(),
        ] {
            let command = of_settings(&experiment).unwrap();
            let words = command.replace("'dataset=my digits'", "dataset=my\u{a0}digits");
            let words: Vec<String> = words.split(' ').map(|word| word.replace('\u{a0}', " ")).collect();
            assert_eq!(words[..2], ["rivalry", "train"]);
            let sets: Vec<String> =
                words.windows(2).filter(|pair| pair[0] == "--set").map(|pair| pair[1].clone()).collect();
            let seed = words.last().unwrap().parse().unwrap();
            let again = Config::resolve(&words[2], &sets, Some(seed)).unwrap();
            // Keys that the method ignores keep the values of the named experiment.
            let matters = |difference: &String| {
                let key = difference.split(' ').next().unwrap();
                experiment.method.uses(key) && difference != "the published figure"
            };
            let differences: Vec<String> = again.differences(&experiment).into_iter().filter(matters).collect();
            assert!(differences.is_empty(), "{command}: {differences:?}");
        }
    }

    #[test]
    fn only_what_differs_is_set() {
        let quick = Config::named("mnist", paper(), Protocol::Quick, 1).unwrap();
        assert_eq!(
            of_settings(&quick).unwrap(),
            "rivalry train mnist --set epochs=100 --set readout_epochs=60 --seed 1"
        );
        assert_eq!(of_settings(&resolve("cifar10", &[], 2)).unwrap(), "rivalry train cifar10 --seed 2");
    }

    #[test]
    fn a_row_tells_as_much_as_its_columns() {
        let row = ResultRow {
            experiment: "mnist".to_owned(),
            dataset: "mnist".to_owned(),
            method: "biological".to_owned(),
            hidden: Some(2000.into()),
            epochs: Some(100),
            readout_epochs: 60,
            train_samples: Some(60_000),
            seed: 3,
            ..ResultRow::default()
        };
        let command = "rivalry train mnist --set epochs=100 --set readout_epochs=60 --seed 3";
        assert_eq!(of_row(&row).unwrap(), command);
        let fewer = ResultRow { train_samples: Some(500), ..row.clone() };
        assert!(of_row(&fewer).unwrap().contains("--set train_samples=500"));
        assert_eq!(of_row(&ResultRow { validation_error_pct: Some(2.0), ..row.clone() }), None);
        assert_eq!(of_row(&ResultRow { method: "magic".to_owned(), ..row }), None);
    }

    #[test]
    fn values_reach_the_program_through_a_shell() {
        assert_eq!(quoted("readout_rates=1e-3:100,5e-4:150"), "readout_rates=1e-3:100,5e-4:150");
        assert_eq!(quoted("dataset=it's; here"), "'dataset=it'\\''s; here'");
    }
}
