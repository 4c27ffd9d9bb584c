//! The tables: errors beside the published numbers, the points of a sweep, single runs. Documents and the page show
//! the same ones.

use super::part::{Part, Place, symbol};
use super::search::Run;
use crate::rows::ResultRow;
use crate::statistics::MeanSd;
use crate::summary::Summary;
use crate::table::{Align, Table, text};

/// What the source of a published number says when nobody has looked it up.
const FROM_MEMORY: &str = "from memory";

/// A row for every method and setting of the named experiments, as far as they were measured on a test set.
pub(super) fn accuracy(parts: &[Part<'_>]) -> Table {
    let parts: Vec<&Part<'_>> = parts.iter().filter(|part| part.place() == Place::Table).collect();
    let mut items = Vec::new();
    for part in &parts {
        let own = |key: &String| !["epochs", "readout_epochs", "hidden", "dataset"].contains(&key.as_str());
        let keys: Vec<String> = part.keys().into_iter().filter(own).collect();
        for one in &part.summaries {
            let Some(test) = one.mean_sd(|row| row.test_error_pct) else { continue };
            let named = keys.iter().filter(|key| !one.setting(key).is_empty());
            let named: Vec<String> = named.map(|key| format!("{} {}", symbol(key), one.setting(key))).collect();
            items.push((part.heading(), named.join(", "), one, test));
        }
    }
    let mut table = Table::of(&items)
        .left("data set", |(heading, ..)| heading.clone())
        .left("method", |(_, _, one, _)| one.setting("method").to_owned())
        .left("setting", |(_, setting, ..)| setting.clone())
        // Of the hidden layer and of the readout.
        .right("epochs", |(_, _, one, _)| {
            let both = ["epochs", "readout_epochs"].map(|key| one.setting(key));
            both.into_iter().filter(|epochs| !epochs.is_empty()).collect::<Vec<_>>().join(" + ")
        })
        .right("hidden units", |(_, _, one, _)| one.setting("hidden").to_owned())
        .right("published (%)", |(_, _, one, _)| published(one))
        .right("ours (%)", |(.., test)| test.text())
        .right("difference", |(_, _, one, test)| {
            text(one.published().map(|(error, _)| format!("{:+.2}", test.mean - error)))
        })
        .right("train error (%)", |(_, _, one, _)| train_error(one))
        .right("seeds", |(_, _, one, test)| seeds(one, test.count))
        .right("on the sphere", |(_, _, one, _)| units(one, |row| row.on_sphere))
        .caption("Test errors; mean ± sample standard deviation over seeds, one seed has no standard deviation.")
        .without_empty_columns();
    for part in parts {
        notes(&mut table, part);
    }
    let mut sources: Vec<(&str, Vec<String>)> = Vec::new();
    for (heading, _, one, _) in &items {
        let Some((_, source)) = one.published().filter(|(_, source)| !source.is_empty()) else { continue };
        let about = format!("{heading} {}", one.setting("method"));
        match sources.iter_mut().find(|(known, _)| *known == source) {
            Some((_, of)) if of.contains(&about) => {}
            Some((_, of)) => of.push(about),
            None => sources.push((source, vec![about])),
        }
    }
    for (source, of) in sources {
        table.note(format!("Published, {}: {source}.", of.join(" and ")));
    }
    table
}

/// A row for every method and setting of an experiment, with a column for each setting that was varied.
pub(super) fn points(part: &Part<'_>) -> Table {
    let keys: Vec<String> = part.keys();
    let mut columns = Table::of(&part.summaries);
    // One method needs no column where its settings tell the rows apart.
    if part.methods().len() > 1 || keys.is_empty() {
        columns = columns.left("method", |one| one.setting("method").to_owned());
    }
    for key in &keys {
        let is_number = part.summaries.iter().any(|one| one.get(key).is_some_and(|setting| setting.number.is_some()));
        let align = if is_number { Align::Right } else { Align::Left };
        columns = columns.column(symbol(key), align, |one| one.setting(key).to_owned());
    }
    let error = if part.is_held_out { "validation error (%)" } else { "test error (%)" };
    let mut table = columns
        .right(error, |one| text(one.error().map(MeanSd::text)))
        .right("train error (%)", train_error)
        .right("published (%)", published)
        .right("seeds", |one| seeds(one, one.error().map_or(one.seeds().len(), |error| error.count)))
        .right("on the sphere", |one| units(one, |row| row.on_sphere))
        .right("negative", |one| units(one, |row| row.negative_units))
        .right("dead", |one| units(one, |row| row.silent_units))
        .caption(format!("{}; mean ± sample standard deviation over seeds.", part.heading()))
        .without_empty_columns();
    notes(&mut table, part);
    table
}

/// What the rows say in words of runs that nevertheless have a result, and where their settings come from.
fn notes(table: &mut Table, part: &Part<'_>) {
    let runs: Vec<_> = part.all_runs().map(|(_, run)| run).collect();
    for run in runs.iter().filter(|run| !run.row.err.is_empty() && !run.row.has_no_result()) {
        table.note(&*run.row.err);
    }
    let migrated = runs.iter().filter(|run| part.is_migrated(run)).count();
    if migrated > 0 {
        let which = if migrated == runs.len() { "these" } else { "some of these" };
        table.note(format!("The settings of {which} rows were taken from the TOML files of their revision."));
    }
}

/// Every run of a part; failed ones are marked.
pub(super) fn runs(part: &Part<'_>) -> Table {
    type Item<'r> = (String, &'r Run);
    let runs: Vec<Item<'_>> = part.all_runs().map(|(summary, run)| (part.label(summary), run)).collect();
    let real = |value: Option<f64>, decimals: usize| text(value.map(|value| format!("{value:.decimals$}")));
    let table = Table::of(&runs)
            .left("run", |(label, _)| label.clone())
            .right("seed", |(_, run)| run.row.seed.to_string())
            .right("test error (%)", |(_, run)| real(run.row.test_error_pct, 2))
            .right("validation error (%)", |(_, run)| real(run.row.validation_error_pct, 2))
            .right("train error (%)", |(_, run)| real(run.row.train_error_pct, 2))
            .right("on the sphere", |(_, run)| text(run.row.on_sphere))
            .right("negative", |(_, run)| text(run.row.negative_units))
            .right("dead", |(_, run)| text(run.row.silent_units))
            .right("layer (s)", |(_, run)| real(run.row.learn_s, 1))
            .right("epoch (ms)", |(_, run)| real(run.row.epoch_ms, 0))
            .right("readout (s)", |(_, run)| real(run.row.readout_s, 1))
            .right("threads", |(_, run)| text(run.row.threads))
            .left("engine", |(_, run)| run.row.engine.clone())
            .left("instruction set", |(_, run)| run.row.isa.clone())
            .left("revision", |(_, run)| revision(&run.row.revision, &run.row.dirty))
            .left("weights", |(_, run)| {
                let weights: String = run.row.weights_sha256.chars().take(12).collect();
                if weights.is_empty() { weights } else { format!("`{weights}`") }
            })
            .left("remark or failure", |(_, run)| {
                if run.row.has_no_result() { format!("failed: {}", run.row.err) } else { run.row.err.clone() }
            })
            .left("from", |(_, run)| run.places.join(", "))
            .caption("On the sphere: |Σ|W|^p − 1| < 0.05; negative: the mean weight is; dead: never ranked first in the last epoch.");
    let failed = runs.iter().enumerate().filter(|(_, (_, run))| run.row.has_no_result()).map(|(index, _)| index);
    table.mark_failed(failed).without_empty_columns()
}

/// `0123456789ab`, and whether the sources were those of the commit.
pub(super) fn revision(revision: &str, dirty: &str) -> String {
    match (revision, dirty) {
        ("", _) | (_, "false") => revision.to_owned(),
        (_, "true") => format!("{revision} (changed)"),
        _ => format!("{revision} (not known whether changed)"),
    }
}

/// A number that nobody has looked up is marked.
fn published(summary: &Summary<'_>) -> String {
    text(summary.published().map(|(error, source)| match source.contains(FROM_MEMORY) {
        true => format!("{error:.2} ({FROM_MEMORY})"),
        false => format!("{error:.2}"),
    }))
}

fn train_error(summary: &Summary<'_>) -> String {
    text(summary.mean_sd(|row| row.train_error_pct).map(MeanSd::text))
}

fn seeds(summary: &Summary<'_>, measured: usize) -> String {
    match summary.failed() {
        0 => measured.to_string(),
        failed => format!("{measured} ({failed} failed)"),
    }
}

fn units(summary: &Summary<'_>, column: impl Fn(&ResultRow) -> Option<usize>) -> String {
    text(summary.mean_count(column).map(|mean| format!("{mean:.0}")))
}
