//! Tables of a part: for each method and setting ours beside the published number, and every run.

use super::super::group::{Group, Part, failed};
use super::super::html::Html;
use super::super::search::Run;
use crate::markdown::EMPTY;
use crate::rows::ResultRow;
use crate::statistics::MeanSd;

/// A table with a caption and a head, in a box that scrolls by itself where it is too wide.
pub(super) fn table(html: &mut Html, caption: &str, head: &[&str], rows: impl FnOnce(&mut Html)) {
    // What scrolls must be reachable with the keyboard, and then has a name.
    let attributes = [("class", "wide"), ("role", "region"), ("tabindex", "0"), ("aria-label", caption)];
    html.block("div", &attributes, |html| {
        html.block("table", &[], |html| {
            html.line("caption", &[], caption);
            html.block("thead", &[], |html| {
                html.block("tr", &[], |html| head.iter().for_each(|name| html.leaf("th", &[("scope", "col")], name)));
            });
            html.block("tbody", &[], rows);
        });
    });
}

/// Ours beside the published numbers.
pub(super) fn summary(html: &mut Html, part: &Part<'_>) {
    let validation = part.groups.iter().any(|group| group.spread(|row| row.validation_error_pct).is_some());
    let failures = part.groups.iter().any(|group| group.failures().next().is_some());
    let mut head = vec!["method and setting", "seeds", "test error, ours (%)", "published (%)", "difference"];
    head.extend(validation.then_some("validation error (%)"));
    head.extend(["train error (%)", "on the sphere"]);
    head.extend(failures.then_some("failed"));
    head.push("source of the published number");
    let caption = "Mean ± sample standard deviation over seeds; one seed has no spread.";
    table(html, caption, &head, |html| {
        for group in &part.groups {
            html.block("tr", &[], |html| {
                let test = group.spread(|row| row.test_error_pct);
                let held_out = group.spread(|row| row.validation_error_pct);
                html.leaf("th", &[("scope", "row")], &group.label);
                let seeds = test.or(held_out).map_or_else(|| finished(group), |spread| spread.count);
                number(html, &seeds.to_string());
                number(html, &spread(test));
                let published = group.published();
                number(html, &group.published_text().unwrap_or_else(|| EMPTY.to_owned()));
                let difference = test.zip(published).map(|(test, (error, _))| format!("{:+.2}", test.mean - error));
                number(html, &difference.unwrap_or_else(|| EMPTY.to_owned()));
                if validation {
                    number(html, &spread(held_out));
                }
                number(html, &spread(group.spread(|row| row.train_error_pct)));
                number(html, &on_sphere(group));
                if failures {
                    number(html, &group.failures().count().to_string());
                }
                html.leaf("td", &[("class", "source")], published.map_or(EMPTY, |(_, source)| source));
            });
        }
    });
    remarks(html, part);
}

/// Seeds that came to an end, where there is no error to count them by.
fn finished(group: &Group<'_>) -> usize {
    let mut seeds: Vec<u64> = group.runs.iter().filter(|run| !failed(&run.row)).map(|run| run.row.seed).collect();
    seeds.sort_unstable();
    seeds.dedup();
    seeds.len()
}

fn on_sphere(group: &Group<'_>) -> String {
    let share = |row: &ResultRow| {
        Some(
            100.0 * row.on_sphere? as f64
                / row.hidden.as_ref().map(crate::config::Hidden::first).filter(|hidden| *hidden > 0)? as f64,
        )
    };
    group.spread(share).map_or(EMPTY.to_owned(), |share| format!("{:.1} %", share.mean))
}

/// What has to be known about the numbers of the table.
fn remarks(html: &mut Html, part: &Part<'_>) {
    let mut remarks: Vec<String> = Vec::new();
    for row in part.groups.iter().flat_map(|group| &group.runs).map(|run| &run.row) {
        if !row.err.is_empty() && !failed(row) && !remarks.contains(&row.err) {
            remarks.push(row.err.clone());
        }
    }
    for group in &part.groups {
        let disputed: Vec<String> = group.disputed_seeds().iter().map(u64::to_string).collect();
        if !disputed.is_empty() {
            remarks.push(format!(
                "{}: seed {} is here more than once with different results (other settings than the columns show, or \
                 another revision); each seed counts once, with its mean",
                group.label,
                disputed.join(", ")
            ));
        }
    }
    if !remarks.is_empty() {
        html.block("ul", &[("class", "remarks")], |html| {
            remarks.iter().for_each(|remark| html.line("li", &[], remark));
        });
    }
}

const ROWS: [&str; 16] = [
    "method and setting",
    "seed",
    "test error (%)",
    "train error (%)",
    "validation error (%)",
    "on the sphere",
    "negative",
    "silent",
    "layer (s)",
    "epoch (ms)",
    "readout (s)",
    "kernels, threads",
    "revision",
    "weights",
    "remark or failure",
    "from",
];

/// Every run of a part.
pub(super) fn rows(html: &mut Html, part: &Part<'_>) {
    html.line("h3", &[], "Runs");
    let caption = "Units on the p-sphere, with a negative mean weight, and never ranked first in the last epoch; a failed run is shaded.";
    table(html, caption, &ROWS, |html| {
        for group in &part.groups {
            for run in &group.runs {
                let class: &[(&str, &str)] = if failed(&run.row) { &[("class", "bad")] } else { &[] };
                html.block("tr", class, |html| row(html, group, run));
            }
        }
    });
}

fn row(html: &mut Html, group: &Group<'_>, run: &Run) {
    let row = &run.row;
    let real =
        |value: Option<f64>, decimals: usize| value.map_or(EMPTY.to_owned(), |value| format!("{value:.decimals$}"));
    let units = |value: Option<usize>| value.map_or(EMPTY.to_owned(), |value| value.to_string());
    html.leaf("th", &[("scope", "row")], &group.label);
    number(html, &row.seed.to_string());
    for error in [row.test_error_pct, row.train_error_pct, row.validation_error_pct] {
        number(html, &real(error, 2));
    }
    let sphere = row.on_sphere.zip(row.hidden.as_ref()).map(|(units, hidden)| format!("{units} of {hidden}"));
    number(html, &sphere.unwrap_or_else(|| units(row.on_sphere)));
    number(html, &units(row.negative_units));
    number(html, &units(row.silent_units));
    number(html, &real(row.learn_s, 1));
    number(html, &real(row.epoch_ms, 0));
    number(html, &real(row.readout_s, 1));
    let engine: Vec<&str> = [row.engine.as_str(), &row.isa].into_iter().filter(|name| !name.is_empty()).collect();
    html.leaf("td", &[("class", "words")], &format!("{}, {}", engine.join(" "), units(row.threads)));
    html.leaf("td", &[("class", "words")], &revision(&row.revision, &row.dirty));
    html.element("td", &[("title", &row.weights_sha256)], |html| {
        html.leaf("code", &[], &row.weights_sha256.chars().take(12).collect::<String>());
    });
    html.leaf("td", &[("class", "source")], if row.err.is_empty() { EMPTY } else { &row.err });
    html.leaf("td", &[("class", "source")], &run.places.join(", "));
}

/// `0123456789ab`, and whether the sources were those of the commit.
pub(super) fn revision(revision: &str, dirty: &str) -> String {
    match dirty {
        "false" => revision.to_owned(),
        "true" => format!("{revision} (dirty)"),
        _ => format!("{revision} (not known whether clean)"),
    }
}

fn spread(spread: Option<MeanSd>) -> String {
    spread.map_or(EMPTY.to_owned(), MeanSd::text)
}

/// A cell of digits, which stand below one another.
fn number(html: &mut Html, text: &str) {
    html.leaf("td", &[("class", "number")], text);
}
