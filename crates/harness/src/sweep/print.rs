//! What a sweep prints: mean ± s.d. of each point over its seeds; a table also each run, and the published numbers beside
//! ours.

use rivalry_data::Dataset;
use serde::Serialize;
use serde_json::{Value, json};

use super::Point;
use super::run::Sweep;
use crate::config::Config;
use crate::rows::{ResultRow, rounded};
use crate::statistics::MeanSd;
use crate::summary::{Source, Summary};
use crate::table::{Align, Table, cell, number};

/// A sweep that is done, or that was skipped, and a row for each point of its shard.
pub(crate) struct Printed<'a> {
    pub(crate) sweep: Sweep<'a>,
    pub(crate) rows: &'a [ResultRow],
}

/// One method of a table over its seeds, as JSON has it.
#[derive(Debug, Serialize)]
struct MethodJson {
    method: String,
    dataset: String,
    seeds: usize,
    mean_test_error_pct: f64,
    sd_test_error_pct: Option<f64>,
    published_test_error_pct: Option<f64>,
    difference_pct: Option<f64>,
    tolerance_pct: Option<f64>,
    published_source: Option<String>,
}

impl<'a> Printed<'a> {
    /// The data; nothing where the sweep was skipped for want of it.
    fn data(&self) -> Option<&'a Dataset> {
        if self.sweep.skipped { None } else { self.sweep.data.get(&self.sweep.points[0].config).ok() }
    }

    /// The points with the summaries of their rows. Seeds vary fastest, so those of a point stand together.
    fn summaries(&self) -> anyhow::Result<Vec<(&'a Point, Summary<'a>)>> {
        let place = self.sweep.out.to_str().unwrap_or_default();
        let points: Vec<&Point> = self.sweep.taken().collect();
        let (mut rows, mut summaries) = (self.rows.iter(), Vec::new());
        for seeds in points.chunk_by(|a, b| a.varied == b.varied) {
            let own = rows.by_ref().take(seeds.len()).map(|row| Source { row, place });
            summaries.extend(Summary::of(own)?.map(|summary| (seeds[0], summary)));
        }
        Ok(summaries)
    }

    /// As text, with what the data is above and below where it is not what the sweep is about.
    pub(crate) fn text(&self) -> anyhow::Result<String> {
        let Sweep { definition, remark, skipped, out, .. } = self.sweep;
        let notice = match (skipped, remark) {
            (true, remark) => format!("SKIPPED: {remark}\n"),
            (false, "") => String::new(),
            (false, remark) => format!("NOT MNIST: {remark}\n"),
        };
        let summaries = self.summaries()?;
        let body = match (skipped, definition.is_table) {
            (true, _) => String::new(),
            (_, true) => format!("\n{}\n{}", self.runs().markdown(), methods_text(&summaries)),
            (_, false) => format!("\n{}", points_table(&summaries).markdown()),
        };
        let below = match definition.is_table && !notice.is_empty() && !skipped {
            true => "NOT MNIST: the table above is about the synthetic digits; no published number applies to them\n",
            false => &notice,
        };
        Ok(format!("{notice}{}{body}rows: {}\n{below}", self.header(&summaries), out.display()))
    }

    /// The points alone, as `rivalry sweep` prints them.
    pub(crate) fn points_text(&self) -> anyhow::Result<String> {
        Ok(format!("{}rows: {}\n", points_table(&self.summaries()?).markdown(), self.sweep.out.display()))
    }

    pub(crate) fn json(&self) -> anyhow::Result<Value> {
        let summaries = self.summaries()?;
        let (definition, remark) = (self.sweep.definition, self.sweep.remark);
        let (name, protocol) = (&definition.name, definition.length.name());
        let note = (!remark.is_empty()).then_some(remark);
        Ok(if definition.is_table {
            let methods = methods(&summaries);
            let (first, rows) = (methods.first(), self.rows);
            json!({ "table": name, "protocol": protocol, "note": note, "rows": rows, "summary": first, "summaries": methods })
        } else {
            let points: Vec<Value> = summaries.iter().map(|(point, one)| point_json(point, one)).collect();
            json!({ "sweep": name, "protocol": protocol, "note": note, "points": points, "rows": self.rows })
        })
    }

    fn header(&self, summaries: &[(&Point, Summary<'_>)]) -> String {
        let definition = self.sweep.definition;
        let protocol = definition.length.name();
        if definition.is_table {
            let line = |(point, _): &(&Point, Summary<'_>)| {
                format!("{}, {protocol} protocol: {}\n", point.config.dataset, self.network(&point.config))
            };
            return summaries.iter().map(line).collect();
        }
        let Some((first, summary)) = summaries.first() else { return String::new() };
        let (name, dataset, seeds) = (&definition.name, &first.config.dataset, summary.runs.len());
        let seeds = if seeds == 1 { "1 seed".to_owned() } else { format!("{seeds} seeds") };
        format!("{name} on {dataset}, {protocol} protocol: {} points, {seeds}\n", summaries.len())
    }

    /// `784-2000-10, p 3, k 7, delta 0.4, 100 + 60 epochs`.
    fn network(&self, config: &Config) -> String {
        let uses = |key: &str| config.method.uses(key);
        // Without data its shape is not known.
        let (inputs, classes) = match self.data() {
            Some(data) => (data.train.inputs().to_string(), data.classes.to_string()),
            None => ("inputs".to_owned(), "classes".to_owned()),
        };
        let hidden = if uses("hidden") { format!("-{}", config.hidden) } else { String::new() };
        let rule = match uses("k") {
            true => format!("p {}, k {}, delta {}", config.p, config.k, config.delta),
            false => config.method.to_string(),
        };
        let learn = if uses("epochs") { format!("{} + ", config.epochs) } else { String::new() };
        format!("{inputs}{hidden}-{classes}, {rule}, {learn}{} epochs", config.readout_epochs)
    }

    /// A row for each run.
    fn runs(&self) -> Table {
        let numbers =
            ["seed", "test error %", "train error %", "on sphere", "negative", "dead", "layer s", "readout s"];
        let columns = numbers.map(|name| (name, Align::Right));
        let mut table = Table::new([("method", Align::Left)].into_iter().chain(columns));
        for row in self.rows {
            table.row(vec![
                row.method.clone(),
                row.seed.to_string(),
                number(row.test_error_pct, 2),
                number(row.train_error_pct, 2),
                cell(row.on_sphere),
                cell(row.negative_units),
                cell(row.silent_units),
                number(row.learn_s, 1),
                number(row.readout_s, 1),
            ]);
        }
        table
    }
}

/// Mean ± s.d. of the error of each point, and the means of the diagnostics.
fn points_table(summaries: &[(&Point, Summary<'_>)]) -> Table {
    let held_out = summaries.iter().any(|(_, summary)| summary.is_held_out());
    let error = if held_out { "validation error %" } else { "test error %" };
    let columns = [error, "on sphere", "negative", "dead", "seeds"].map(|name| (name, Align::Right));
    let mut table = Table::new([("point", Align::Left)].into_iter().chain(columns));
    for (point, summary) in summaries {
        let failed = match summary.failed() {
            0 => String::new(),
            failed => format!(" ({failed} failed)"),
        };
        table.row(vec![
            point.name.clone(),
            cell(summary.error().map(MeanSd::text)),
            cell(summary.mean_count(|row| row.on_sphere)),
            cell(summary.mean_count(|row| row.negative_units)),
            cell(summary.mean_count(|row| row.silent_units)),
            format!("{}{failed}", summary.seeds().len()),
        ]);
    }
    table
}

fn point_json(point: &Point, summary: &Summary<'_>) -> Value {
    let error = summary.error();
    json!({
        "point": point.name,
        "seeds": summary.seeds().len(),
        "failed": summary.failed(),
        "mean_error_pct": error.map(|error| rounded(error.mean)),
        "sd_error_pct": error.and_then(|error| error.sd).map(rounded),
        "on_sphere": summary.mean_count(|row| row.on_sphere),
        "negative_units": summary.mean_count(|row| row.negative_units),
        "silent_units": summary.mean_count(|row| row.silent_units),
    })
}

/// Those methods of a table of which some seed came to a test error.
fn methods(summaries: &[(&Point, Summary<'_>)]) -> Vec<MethodJson> {
    summaries.iter().filter_map(|(point, summary)| method(point, summary)).collect()
}

/// Ours beside the published number, method by method.
fn methods_text(summaries: &[(&Point, Summary<'_>)]) -> String {
    let found = methods(summaries);
    let name = |one: &MethodJson| if found.len() > 1 { format!("{}:\n", one.method) } else { String::new() };
    found.iter().map(|one| format!("{}{}", name(one), one.lines())).collect()
}

/// Nothing where no seed came to a test error.
fn method(point: &Point, summary: &Summary<'_>) -> Option<MethodJson> {
    let MeanSd { mean, sd, count } = summary.mean_sd(|row| row.test_error_pct)?;
    let published = point.config.published.as_ref();
    Some(MethodJson {
        method: point.config.method.to_string(),
        dataset: point.config.dataset.clone(),
        seeds: count,
        mean_test_error_pct: rounded(mean),
        sd_test_error_pct: sd.map(rounded),
        published_test_error_pct: published.map(|published| published.test_error_pct),
        difference_pct: published.map(|published| rounded(mean - published.test_error_pct)),
        tolerance_pct: published.map(|published| published.tolerance_pct),
        published_source: published.map(|published| published.source.clone()),
    })
}

impl MethodJson {
    fn lines(&self) -> String {
        let over = match self.sd_test_error_pct {
            Some(sd) => format!("± {sd:.2} % over {} seeds", self.seeds),
            None => "% (one seed)".to_owned(),
        };
        let ours = format!("ours       {:.2} {over}\n", self.mean_test_error_pct);
        let (Some(published), Some(difference), Some(tolerance), Some(source)) =
            (self.published_test_error_pct, self.difference_pct, self.tolerance_pct, &self.published_source)
        else {
            return format!("{ours}published  none\n");
        };
        let within = if difference <= tolerance { "within" } else { "beyond" };
        format!(
            "{ours}published  {published:.2} %, {source}\n\
             difference {difference:+.2} points, {within} the tolerance of {tolerance:.2}\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary() -> MethodJson {
        MethodJson {
            method: "biological".to_owned(),
            dataset: "mnist".to_owned(),
            seeds: 3,
            mean_test_error_pct: 1.64,
            sd_test_error_pct: Some(0.02),
            published_test_error_pct: Some(1.46),
            difference_pct: Some(0.18),
            tolerance_pct: Some(0.29),
            published_source: Some("a paper".to_owned()),
        }
    }

    #[test]
    fn the_difference_stands_beside_the_published_number() {
        let near = "ours       1.64 ± 0.02 % over 3 seeds\npublished  1.46 %, a paper\n\
            difference +0.18 points, within the tolerance of 0.29\n";
        assert_eq!(summary().lines(), near);
        let far = MethodJson { difference_pct: Some(0.5), sd_test_error_pct: None, seeds: 1, ..summary() }.lines();
        assert!(far.starts_with("ours       1.64 % (one seed)\n") && far.contains("beyond"), "{far}");
        let none = MethodJson { published_test_error_pct: None, ..summary() }.lines();
        assert!(none.ends_with("seeds\npublished  none\n"), "{none}");
    }
}
