//! The table that `reproduce` prints: a line for each method and seed, then for each method mean ± s.d. beside the
//! published number.

use std::fmt::Write;
use std::path::Path;

use serde::Serialize;

use super::runs::Runs;
use crate::config::{Config, Method};
use crate::rows::{ResultRow, rounded};
use crate::statistics::MeanSd;

pub(super) struct Table<'a> {
    pub(super) part: &'a Runs<'a>,
    pub(super) rows: &'a [ResultRow],
    /// The settings of each row.
    pub(super) experiments: &'a [&'a Config],
    pub(super) folder: &'a Path,
}

/// What the table says of one method, over seeds.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Summary {
    method: String,
    dataset: String,
    seeds: usize,
    mean_test_error_pct: f64,
    /// Sample standard deviation; nothing for one seed.
    sd_test_error_pct: Option<f64>,
    published_test_error_pct: Option<f64>,
    difference_pct: Option<f64>,
    tolerance_pct: Option<f64>,
    published_source: Option<String>,
}

impl Table<'_> {
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |content: String| writeln!(text, "{content}").expect("writing to memory");
        if self.part.data.is_none() {
            line(format!("SKIPPED: {}", self.part.remark));
        } else if !self.part.remark.is_empty() {
            line(format!("NOT MNIST: {}", self.part.remark));
        }
        for experiment in self.methods() {
            let network = self.network(experiment);
            line(format!("{}, {} protocol: {network}", experiment.dataset, self.part.protocol.name()));
        }
        if self.part.data.is_none() {
            line(format!("rows: {}", self.folder.join("table.csv").display()));
            return text;
        }
        line(String::new());
        line(format!(
            "{:<18} {:>6} {:>12} {:>13} {:>10} {:>9} {:>7} {:>8} {:>10}",
            "method",
            "seed",
            "test error %",
            "train error %",
            "on sphere",
            "negative",
            "silent",
            "layer s",
            "readout s"
        ));
        for row in self.rows {
            line(format!(
                "{:<18} {:>6} {:>12} {:>13} {:>10} {:>9} {:>7} {:>8} {:>10}",
                row.method,
                row.seed,
                number(row.test_error_pct, 2),
                number(row.train_error_pct, 2),
                count(row.on_sphere),
                count(row.negative_units),
                count(row.silent_units),
                number(row.learn_s, 1),
                number(row.readout_s, 1)
            ));
        }
        line(String::new());
        let summaries = self.summaries();
        for summary in &summaries {
            if summaries.len() > 1 {
                line(format!("{}:", summary.method));
            }
            summary.lines(&mut line);
        }
        line(format!("rows: {}", self.folder.join("table.csv").display()));
        if !self.part.remark.is_empty() {
            line(
                "NOT MNIST: the table above is about the synthetic digits; no published number applies to them"
                    .to_owned(),
            );
        }
        text
    }

    pub(super) fn json(&self) -> serde_json::Value {
        let note = (!self.part.remark.is_empty()).then_some(&self.part.remark);
        serde_json::json!({
            "table": self.part.what,
            "protocol": self.part.protocol.name(),
            "note": note,
            "rows": self.rows,
            "summary": self.summaries().first(),
            "summaries": self.summaries(),
        })
    }

    /// The settings of each method, by those of its first seed.
    fn methods(&self) -> impl Iterator<Item = &'_ Config> {
        let first = |i: usize| self.experiments[..i].iter().all(|other| other.method != self.experiments[i].method);
        (0..self.experiments.len()).filter(move |&i| first(i)).map(|i| self.experiments[i])
    }

    /// `784-2000-10, p 3, k 7, delta 0.4, 100 + 60 epochs`.
    fn network(&self, experiment: &Config) -> String {
        let Config { method, hidden, p, k, delta, epochs, readout_epochs, .. } = experiment;
        // Without data its shape is not known, and the experiment's name says what it would have been.
        let (inputs, classes) = match self.part.data {
            Some(data) => (data.train.inputs().to_string(), data.classes.to_string()),
            None => ("inputs".to_owned(), "classes".to_owned()),
        };
        match method {
            Method::Biological => {
                let rule = format!("p {p}, k {k}, delta {delta}");
                format!("{inputs}-{hidden}-{classes}, {rule}, {epochs} + {readout_epochs} epochs")
            }
            Method::Shallow => format!("{inputs}-{classes}, {method}, {readout_epochs} epochs"),
            Method::Random | Method::EndToEnd | Method::EndToEndSoftmax => {
                format!("{inputs}-{hidden}-{classes}, {method}, {readout_epochs} epochs")
            }
        }
    }

    fn summaries(&self) -> Vec<Summary> {
        self.methods().filter_map(|experiment| self.summary(experiment)).collect()
    }

    fn summary(&self, experiment: &Config) -> Option<Summary> {
        let name = experiment.method.to_string();
        let own = self.rows.iter().filter(|row| row.method == name);
        let errors: Vec<f64> = own.filter_map(|row| row.test_error_pct).collect();
        let MeanSd { mean, sd, .. } = MeanSd::of(&errors)?;
        let published = experiment.published.as_ref();
        Some(Summary {
            method: name.to_owned(),
            dataset: experiment.dataset.clone(),
            seeds: errors.len(),
            mean_test_error_pct: rounded(mean),
            sd_test_error_pct: sd.map(rounded),
            published_test_error_pct: published.map(|published| published.test_error_pct),
            difference_pct: published.map(|published| rounded(mean - published.test_error_pct)),
            tolerance_pct: published.map(|published| published.tolerance_pct),
            published_source: published.map(|published| published.source.clone()),
        })
    }
}

impl Summary {
    fn lines(&self, line: &mut dyn FnMut(String)) {
        let spread = match self.sd_test_error_pct {
            Some(sd) => format!("± {sd:.2} % over {} seeds", self.seeds),
            None => "% (one seed)".to_owned(),
        };
        line(format!("ours       {:.2} {spread}", self.mean_test_error_pct));
        let (Some(published), Some(difference), Some(tolerance), Some(source)) =
            (self.published_test_error_pct, self.difference_pct, self.tolerance_pct, &self.published_source)
        else {
            line("published  none".to_owned());
            return;
        };
        line(format!("published  {published:.2} %, {source}"));
        let within = if difference <= tolerance { "within" } else { "beyond" };
        line(format!("difference {difference:+.2} points, {within} the tolerance of {tolerance:.2}"));
    }
}

fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.decimals$}"))
}

fn count(value: Option<usize>) -> String {
    value.map_or("-".to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(summary: &Summary) -> Vec<String> {
        let mut lines = Vec::new();
        summary.lines(&mut |line| lines.push(line));
        lines
    }

    fn summary() -> Summary {
        Summary {
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
        assert_eq!(
            lines_of(&summary()),
            [
                "ours       1.64 ± 0.02 % over 3 seeds",
                "published  1.46 %, a paper",
                "difference +0.18 points, within the tolerance of 0.29"
            ]
        );
        let far = Summary { difference_pct: Some(0.5), sd_test_error_pct: None, seeds: 1, ..summary() };
        assert_eq!(lines_of(&far)[0], "ours       1.64 % (one seed)");
        assert!(lines_of(&far)[2].contains("beyond"));
    }

    #[test]
    fn where_nothing_is_published_nothing_is_compared() {
        let lines = lines_of(&Summary { published_test_error_pct: None, ..summary() });
        assert_eq!(lines[1..], ["published  none"]);
    }
}
