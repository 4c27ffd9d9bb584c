//! Tables for documents: test errors beside the published numbers, and the points of a sweep.

use super::group::{Group, Part, parts};
use super::search::Found;
use crate::config::Config;
use crate::markdown::{EMPTY, Table};
use crate::rows::ResultRow;
use crate::statistics::MeanSd;

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
    let named = parts.iter().filter(|part| Config::names().any(|name| name == part.experiment));
    let rows = named.flat_map(|part| part.groups.iter().filter_map(|group| row(part, group))).collect();
    Table { name: "accuracy", header, rows }
}

/// A row for every method and setting of one experiment, such as the points of a sweep; nothing where it has no runs.
pub(super) fn points(found: &Found, experiment: &str) -> Option<Table> {
    let parts = parts(&found.runs);
    let own: Vec<&Part<'_>> = parts.iter().filter(|part| part.experiment == experiment).collect();
    let groups = || own.iter().flat_map(|part| part.groups.iter().map(move |group| (*part, group)));
    let held_out = groups().any(|(_, group)| group.spread(|row| row.validation_error_pct).is_some());
    let error = if held_out { "validation error (%)" } else { "test error (%)" };
    let header = vec!["method and setting", error, "train error (%)", "seeds", "on the sphere", "negative", "silent"];
    let row = |(part, group): (&Part<'_>, &Group<'_>)| {
        let error = group.spread(|row| if held_out { row.validation_error_pct } else { row.test_error_pct });
        let text = |spread: Option<MeanSd>| spread.map_or(EMPTY.to_owned(), |spread| spread.text());
        let units = |column: fn(&ResultRow) -> Option<usize>| {
            let spread = group.spread(|row| Some(column(row)? as f64));
            spread.map_or(EMPTY.to_owned(), |spread| format!("{:.0}", spread.mean))
        };
        let name = if own.len() > 1 { format!("{}: {}", part.task, group.label) } else { group.label.clone() };
        vec![
            name,
            text(error),
            text(group.spread(|row| row.train_error_pct)),
            error.map_or(0, |error| error.count).to_string(),
            units(|row| row.on_sphere),
            units(|row| row.negative_units),
            units(|row| row.silent_units),
        ]
    };
    let rows: Vec<Vec<String>> = groups().map(row).collect();
    (!rows.is_empty()).then_some(Table { name: "points", header, rows })
}

fn row(part: &Part<'_>, group: &Group<'_>) -> Option<Vec<String>> {
    let test = group.spread(|row| row.test_error_pct)?;
    let first = &group.runs.first()?.row;
    let epochs = match first.epochs {
        Some(epochs) => format!("{epochs} + {}", first.readout_epochs),
        None => first.readout_epochs.to_string(),
    };
    let published = group.published_text().unwrap_or_else(|| EMPTY.to_owned());
    let on_sphere = group.spread(|row| Some(row.on_sphere? as f64));
    let on_sphere = on_sphere.map_or(EMPTY.to_owned(), |spread| format!("{:.0}", spread.mean));
    let name = format!("{}, {}", part.experiment, group.method);
    Some(vec![
        name,
        epochs,
        first.hidden.as_ref().map_or(EMPTY.to_owned(), ToString::to_string),
        published,
        test.text(),
        test.count.to_string(),
        on_sphere,
    ])
}

#[cfg(test)]
mod tests {
    use super::super::search::Run;
    use super::*;

    fn of(experiment: &str, method: &str, seed: u64, test_error_pct: Option<f64>) -> Run {
        let published = (method == "biological").then_some(1.46);
        Run::of_row(ResultRow {
            experiment: experiment.to_owned(),
            method: method.to_owned(),
            seed,
            hidden: (method != "shallow").then(|| 2000.into()),
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
            ["mnist, shallow", "300", EMPTY, EMPTY, "8.50", "1", EMPTY],
        ];
        assert_eq!(table(&found).rows, expected);
    }
    #[test]
    fn a_sweep_has_a_row_for_every_point() {
        let point = |task: &str, p: f64, seed: u64, error: f64| {
            Run::of_row(ResultRow {
                experiment: "p-sweep".to_owned(),
                method: "biological".to_owned(),
                task: task.to_owned(),
                seed,
                p: Some(p),
                validation_error_pct: Some(error),
                on_sphere: Some(10 * seed as usize),
                ..ResultRow::default()
            })
        };
        let mut found = Found::default();
        found.runs = vec![point("class", 3.0, 1, 1.5), point("class", 2.0, 1, 2.0), point("class", 3.0, 2, 1.7)];
        let table = points(&found, "p-sweep").unwrap();
        assert_eq!(table.header[1], "validation error (%)");
        let expected = [
            ["biological, p 2", "2.00", EMPTY, "1", "10", EMPTY, EMPTY],
            ["biological, p 3", "1.60 ± 0.14", EMPTY, "2", "15", EMPTY, EMPTY],
        ];
        assert_eq!(table.rows, expected);
        found.runs.push(point("parity", 3.0, 1, 0.9));
        let names: Vec<String> =
            points(&found, "p-sweep").unwrap().rows.into_iter().map(|row| row[0].clone()).collect();
        assert_eq!(names, ["class: biological, p 2", "class: biological, p 3", "parity: biological"]);
        assert_eq!(points(&found, "k-sweep"), None);
    }
}
