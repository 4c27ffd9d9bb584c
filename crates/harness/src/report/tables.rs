//! The tables: errors beside the published numbers, the points of a sweep, single runs, confusion matrices. Documents and
//! the page show the same ones.

use super::folder::Confusion;
use super::part::{Part, Place, remarks, symbol};
use crate::rows::ResultRow;
use crate::statistics::MeanSd;
use crate::summary::Summary;
use crate::table::{Align, EMPTY, Table};

/// What the source of a published number says when nobody has looked it up.
const FROM_MEMORY: &str = "from memory";

/// A row for every method and setting of the named experiments, as far as they were measured on a test set.
pub(super) fn accuracy(parts: &[Part<'_>]) -> Table {
    let (left, right) = (Align::Left, Align::Right);
    let mut table = Table::new([
        ("data set", left),
        ("method", left),
        ("setting", left),
        ("epochs", right),
        ("hidden units", right),
        ("published (%)", right),
        ("ours (%)", right),
        ("difference", right),
        ("train error (%)", right),
        ("seeds", right),
        ("on the sphere", right),
    ]);
    table = table.caption("Test errors; mean ± sample standard deviation over seeds, one seed has no spread.");
    let mut sources: Vec<(String, Vec<String>)> = Vec::new();
    for part in parts.iter().filter(|part| part.place() == Place::Table) {
        let own = |key: &String| !["epochs", "readout_epochs", "hidden", "dataset"].contains(&key.as_str());
        let keys: Vec<String> = part.keys().into_iter().filter(own).collect();
        for summary in &part.summaries {
            let Some(test) = summary.mean_sd(|row| row.test_error_pct) else { continue };
            let named: Vec<String> = keys.iter().filter_map(|key| shown(summary, key)).collect();
            let published = summary.published();
            table.row(vec![
                part.heading(),
                summary.setting("method").to_owned(),
                or_empty(named.join(", ")),
                epochs(summary),
                or_empty(summary.setting("hidden").to_owned()),
                or_empty(published.map_or(String::new(), |(error, source)| published_text(error, source))),
                test.text(),
                or_empty(published.map_or(String::new(), |(error, _)| format!("{:+.2}", test.mean - error))),
                spread(summary.mean_sd(|row| row.train_error_pct)),
                seeds(summary, test.count),
                units(summary, |row| row.on_sphere),
            ]);
            let Some((_, source)) = published.filter(|(_, source)| !source.is_empty()) else { continue };
            let about = format!("{} {}", part.heading(), summary.setting("method"));
            match sources.iter_mut().find(|(known, _)| known == source) {
                Some((_, of)) if of.contains(&about) => {}
                Some((_, of)) => of.push(about),
                None => sources.push((source.to_owned(), vec![about])),
            }
        }
        notes(&mut table, part);
    }
    for (source, of) in sources {
        table.note(format!("Published, {}: {source}.", of.join(" and ")));
    }
    table.drop_empty_columns();
    table
}

/// A row for every method and setting of an experiment, with a column for each setting that was varied.
pub(super) fn points(part: &Part<'_>) -> Table {
    let keys: Vec<String> = part.keys();
    let error = if part.is_held_out { "validation error (%)" } else { "test error (%)" };
    let columns = ["train error (%)", "published (%)", "seeds", "on the sphere", "negative", "dead"];
    let numeric = |key: &String| {
        let texts = part.summaries.iter().flat_map(|one| one.settings.iter().filter(|setting| setting.key == *key));
        if texts.into_iter().any(|setting| setting.number.is_some()) { Align::Right } else { Align::Left }
    };
    // One method needs no column where its settings tell the rows apart.
    let method = (part.methods().len() > 1 || keys.is_empty()).then(|| ("method".to_owned(), Align::Left));
    let has_method = method.is_some();
    let mut table = Table::new(
        method
            .into_iter()
            .chain(keys.iter().map(|key| (symbol(key), numeric(key))))
            .chain([(error.to_owned(), Align::Right)])
            .chain(columns.map(|name| (name.to_owned(), Align::Right))),
    )
    .caption(format!("{}; mean ± sample standard deviation over seeds.", part.heading()));
    for summary in &part.summaries {
        let error = summary.error();
        let published = summary.published().map(|(error, source)| published_text(error, source));
        let mut cells: Vec<String> = has_method.then(|| summary.setting("method").to_owned()).into_iter().collect();
        cells.extend(keys.iter().map(|key| or_empty(summary.setting(key).to_owned())));
        cells.extend([
            spread(error),
            spread(summary.mean_sd(|row| row.train_error_pct)),
            published.unwrap_or(EMPTY.to_owned()),
            seeds(summary, error.map_or(summary.seeds().len(), |error| error.count)),
            units(summary, |row| row.on_sphere),
            units(summary, |row| row.negative_units),
            units(summary, |row| row.silent_units),
        ]);
        table.row(cells);
    }
    notes(&mut table, part);
    table.drop_empty_columns();
    table
}

fn notes(table: &mut Table, part: &Part<'_>) {
    for remark in remarks(part.all_runs().map(|(_, run)| &run.row)) {
        table.note(remark);
    }
    match part.migrated() {
        (0, _) => {}
        (migrated, all) => {
            let which = if migrated == all { "these" } else { "some of these" };
            table.note(format!("The settings of {which} rows were taken from the TOML files of their revision."));
        }
    }
}

/// Every run of a part.
pub(super) fn runs(part: &Part<'_>) -> Table {
    const NUMBERS: [&str; 10] = [
        "test error (%)",
        "validation error (%)",
        "train error (%)",
        "on the sphere",
        "negative",
        "dead",
        "layer (s)",
        "epoch (ms)",
        "readout (s)",
        "threads",
    ];
    const WORDS: [&str; 6] = ["engine", "instruction set", "revision", "weights", "remark or failure", "from"];
    let columns = [("run", Align::Left), ("seed", Align::Right)].into_iter();
    let columns = columns.chain(NUMBERS.map(|name| (name, Align::Right))).chain(WORDS.map(|name| (name, Align::Left)));
    let mut table = Table::new(columns).caption(
        "On the sphere: |Σ|W|^p − 1| < 0.05; negative: the mean weight is; dead: never ranked first in the last epoch.",
    );
    let real = |value: Option<f64>, decimals: usize| {
        or_empty(value.map_or(String::new(), |value| format!("{value:.decimals$}")))
    };
    let count = |value: Option<usize>| or_empty(value.map_or(String::new(), |value| value.to_string()));
    for (summary, run) in part.all_runs() {
        let row = &run.row;
        let weights: String = row.weights_sha256.chars().take(12).collect();
        let outcome = match (row.has_no_result(), row.err.as_str()) {
            (true, err) => format!("failed: {err}"),
            (false, err) => or_empty(err.to_owned()),
        };
        table.row(vec![
            part.label(summary),
            row.seed.to_string(),
            real(row.test_error_pct, 2),
            real(row.validation_error_pct, 2),
            real(row.train_error_pct, 2),
            count(row.on_sphere),
            count(row.negative_units),
            count(row.silent_units),
            real(row.learn_s, 1),
            real(row.epoch_ms, 0),
            real(row.readout_s, 1),
            count(row.threads),
            or_empty(row.engine.clone()),
            or_empty(row.isa.clone()),
            revision(&row.revision, &row.dirty),
            if weights.is_empty() { EMPTY.to_owned() } else { format!("`{weights}`") },
            outcome,
            run.places.join(", "),
        ]);
    }
    table.drop_empty_columns();
    table
}

/// The confusion matrix of a run.
pub(super) fn confusion(name: &str, matrix: &Confusion) -> Table {
    let classes = matrix.classes.iter().map(|class| (class.clone(), Align::Right));
    let columns = [("true class".to_owned(), Align::Left)].into_iter().chain(classes);
    let columns = columns.chain([("wrong".to_owned(), Align::Right)]);
    let mut table =
        Table::new(columns).caption(format!("{name}: samples of each true class by the class they were taken for."));
    for (index, (class, counts)) in matrix.classes.iter().zip(&matrix.counts).enumerate() {
        let all: u64 = counts.iter().sum();
        let wrong = 100.0 * (all - counts[index]) as f64 / all.max(1) as f64;
        let cells = [class.clone()].into_iter().chain(counts.iter().map(u64::to_string));
        table.row(cells.chain([format!("{wrong:.1} %")]).collect());
    }
    table
}

/// `0123456789ab`, and whether the sources were those of the commit.
pub(super) fn revision(revision: &str, dirty: &str) -> String {
    match (revision, dirty) {
        ("", _) => EMPTY.to_owned(),
        (_, "false") => revision.to_owned(),
        (_, "true") => format!("{revision} (changed)"),
        _ => format!("{revision} (not known whether changed)"),
    }
}

/// A number that nobody has looked up is marked.
fn published_text(error: f64, source: &str) -> String {
    match source.contains(FROM_MEMORY) {
        true => format!("{error:.2} ({FROM_MEMORY})"),
        false => format!("{error:.2}"),
    }
}

/// `1000 + 300`: of the hidden layer and of the readout.
fn epochs(summary: &Summary<'_>) -> String {
    let both = [summary.setting("epochs"), summary.setting("readout_epochs")];
    both.into_iter().filter(|epochs| !epochs.is_empty()).collect::<Vec<_>>().join(" + ")
}

/// `p 3`; nothing where the method ignores the key.
fn shown(summary: &Summary<'_>, key: &str) -> Option<String> {
    let text = summary.setting(key);
    (!text.is_empty()).then(|| format!("{} {text}", symbol(key)))
}

fn seeds(summary: &Summary<'_>, measured: usize) -> String {
    match summary.failed() {
        0 => measured.to_string(),
        failed => format!("{measured} ({failed} failed)"),
    }
}

fn units(summary: &Summary<'_>, column: impl Fn(&ResultRow) -> Option<usize>) -> String {
    or_empty(summary.mean_count(column).map_or(String::new(), |mean| format!("{mean:.0}")))
}

fn spread(spread: Option<MeanSd>) -> String {
    spread.map_or(EMPTY.to_owned(), MeanSd::text)
}

fn or_empty(text: String) -> String {
    if text.is_empty() { EMPTY.to_owned() } else { text }
}
