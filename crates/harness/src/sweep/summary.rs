//! What a sweep says of each point: mean and spread of the error over seeds, and the means of the diagnostics.

use std::fmt::Write;

use serde::Serialize;

use super::Point;
use crate::rows::{ResultRow, rounded};
use crate::statistics::{MeanSd, mean, plus_minus};

/// One point over its seeds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// What is varied: `p 2, delta 0.1`.
    pub point: String,
    /// Seeds that came to a result.
    pub seeds: usize,
    /// Seeds that failed.
    pub failed: usize,
    /// Mean error: of held-out examples where there are some, else of the test set.
    pub mean_error_pct: Option<f64>,
    /// Sample standard deviation; nothing for one seed.
    pub sd_error_pct: Option<f64>,
    /// Mean count of units on the p-sphere.
    pub on_sphere: Option<f64>,
    /// Mean count of units with a negative mean weight.
    pub negative_units: Option<f64>,
    /// Mean count of units that never won in the last epoch.
    pub silent_units: Option<f64>,
}

/// A summary for each point, from points and their rows side by side.
pub fn summaries<'a>(rows: impl Iterator<Item = (&'a Point, &'a ResultRow)>) -> Vec<Summary> {
    let rows: Vec<(&Point, &ResultRow)> = rows.collect();
    // Seeds vary fastest, so those of a point stand together.
    rows.chunk_by(|(a, _), (b, _)| a.varied == b.varied).map(summary).collect()
}

fn summary(rows: &[(&Point, &ResultRow)]) -> Summary {
    let values =
        |of: &dyn Fn(&ResultRow) -> Option<f64>| -> Vec<f64> { rows.iter().filter_map(|(_, row)| of(row)).collect() };
    let count = |of: fn(&ResultRow) -> Option<usize>| {
        mean(&values(&|row| of(row).map(|count| count as f64))).map(|mean| (mean * 10.0).round() / 10.0)
    };
    let errors = values(&ResultRow::judged_error_pct);
    let error = MeanSd::of(&errors);
    let failed = rows.iter().filter(|(_, row)| row.has_no_result()).count();
    Summary {
        point: rows[0].0.name.clone(),
        seeds: rows.len() - failed,
        failed,
        mean_error_pct: error.map(|error| rounded(error.mean)),
        sd_error_pct: error.and_then(|error| error.sd).map(rounded),
        on_sphere: count(|row| row.on_sphere),
        negative_units: count(|row| row.negative_units),
        silent_units: count(|row| row.silent_units),
    }
}

/// The summaries as a table of text.
pub fn table(summaries: &[Summary], held_out: bool) -> String {
    let error = if held_out { "validation %" } else { "test error %" };
    let width = summaries.iter().map(|summary| summary.point.chars().count()).max().unwrap_or(0).max(5);
    let mut text = String::new();
    let mut line = |cells: [&str; 6]| {
        let [point, error, on_sphere, negative, silent, seeds] = cells;
        let line = format!("{point:<width$} {error:>16} {on_sphere:>10} {negative:>9} {silent:>7}  {seeds}");
        writeln!(text, "{}", line.trim_end()).expect("writing to memory");
    };
    line(["point", error, "on sphere", "negative", "silent", "seeds"]);
    for summary in summaries {
        let error = summary.mean_error_pct.map_or("-".to_owned(), |mean| plus_minus(mean, summary.sd_error_pct));
        let count = |value: Option<f64>| value.map_or("-".to_owned(), |value| value.to_string());
        let failed = if summary.failed > 0 { format!(" ({} failed)", summary.failed) } else { String::new() };
        let seeds = format!("{}{failed}", summary.seeds);
        let counts = [summary.on_sphere, summary.negative_units, summary.silent_units].map(count);
        line([&summary.point, &error, &counts[0], &counts[1], &counts[2], &seeds]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_shows_spread_diagnostics_and_failures() {
        let whole = Summary {
            point: "delta 0.1".to_owned(),
            seeds: 2,
            failed: 0,
            mean_error_pct: Some(2.0),
            sd_error_pct: Some(0.125),
            on_sphere: Some(1850.5),
            negative_units: Some(60.0),
            silent_units: Some(0.0),
        };
        let none = Summary { seeds: 0, failed: 2, mean_error_pct: None, sd_error_pct: None, ..whole.clone() };
        let text = table(&[whole, Summary { on_sphere: None, ..none }], false);
        let cells: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(cells[0].join(" "), "point test error % on sphere negative silent seeds");
        assert_eq!(cells[1].join(" "), "delta 0.1 2.00 ± 0.12 1850.5 60 0 2");
        assert_eq!(cells[2].join(" "), "delta 0.1 - - 60 0 0 (2 failed)");
    }
}
