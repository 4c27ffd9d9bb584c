//! One table of test errors beside the published numbers, for documents.

use super::group::{Group, Part, parts};
use super::search::Found;
use crate::experiment::Experiment;
use crate::markdown::Table;

const NONE: &str = "–";

/// A row for every method and setting of the experiments that have a name, as far as they were measured on a test set.
pub(super) fn table(found: &Found) -> Table {
    let header = vec![
        "experiment, method",
        "epochs",
        "units",
        "test error, published (%)",
        "ours (%)",
        "seeds",
        "on the sphere",
    ];
    let parts = parts(&found.runs);
    let named = parts.iter().filter(|part| Experiment::names().any(|name| name == part.experiment));
    let rows = named.flat_map(|part| part.groups.iter().filter_map(|group| row(part, group))).collect();
    Table { name: "accuracy", header, rows }
}

fn row(part: &Part<'_>, group: &Group<'_>) -> Option<Vec<String>> {
    let test = group.spread(|row| row.test_error_pct)?;
    let first = &group.runs.first()?.row;
    let count = |number: Option<usize>| number.map_or(NONE.to_owned(), |number| number.to_string());
    let epochs = match first.epochs {
        Some(epochs) => format!("{epochs} + {}", first.readout_epochs),
        None => first.readout_epochs.to_string(),
    };
    let published = group.published_text().unwrap_or_else(|| NONE.to_owned());
    let on_sphere = group.spread(|row| Some(row.on_sphere? as f64));
    let on_sphere = on_sphere.map_or(NONE.to_owned(), |spread| format!("{:.0}", spread.mean));
    let name = format!("{}, {}", part.experiment, group.method);
    Some(vec![name, epochs, count(first.hidden), published, test.text(), test.count.to_string(), on_sphere])
}

#[cfg(test)]
mod tests {
    use super::super::search::Run;
    use super::*;
    use crate::record::ResultRow;

    fn of(experiment: &str, method: &str, seed: u64, test_error_pct: Option<f64>) -> Run {
        let published = (method == "biological").then_some(1.46);
        Run::of_row(ResultRow {
            experiment: experiment.to_owned(),
            method: method.to_owned(),
            seed,
            hidden: (method != "shallow").then_some(2000),
            epochs: (method == "biological").then_some(1000),
            on_sphere: (method == "biological").then_some(1900 + seed as usize),
            readout_epochs: 300,
            test_error_pct,
            published_test_error_pct: published,
            ..ResultRow::default()
        })
    }

    #[test]
    fn named_experiments_are_told_over_seeds_and_nothing_else_is() {
        let mut found = Found::default();
        found.runs = vec![
            of("mnist", "shallow", 1, Some(8.5)),
            of("mnist", "biological", 1, Some(1.5)),
            of("mnist", "biological", 3, Some(1.7)),
            of("mnist", "random", 1, None),
            of("p-sweep", "biological", 1, Some(1.4)),
        ];
        let expected = [
            ["mnist, biological", "1000 + 300", "2000", "1.46", "1.60 ± 0.14", "2", "1902"],
            ["mnist, shallow", "300", NONE, NONE, "8.50", "1", NONE],
        ];
        assert_eq!(table(&found).rows, expected);
    }
}
