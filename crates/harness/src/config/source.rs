//! Where settings come from: the embedded named experiments, TOML files, and `--set`.

use std::path::Path;

use toml::{Table, Value};

use super::choices::{Amount, CurrentScale, Method, OffSphere, Task, UnitLength};
use super::value::{Content, Given};
use super::{Config, Protocol, Published, keys};
use crate::failure::failure;
use crate::run::files;

/// The named experiments and their files.
pub(super) const NAMED: [(&str, &str); 3] = [
    ("mnist", include_str!("../../experiments/mnist.toml")),
    ("cifar10", include_str!("../../experiments/cifar10.toml")),
    ("synthetic", include_str!("../../experiments/synthetic.toml")),
];

/// The tables beside the keys.
const PUBLISHED: &str = "published";
const QUICK: &str = "quick";
/// One table for each method whose defaults differ from the keys.
const METHODS: &str = "methods";

/// A named experiment, or a file, with the defaults of a method; of that of the file when `method` is none.
pub(super) fn load(name_or_file: &str, method: Option<Method>, protocol: Protocol) -> anyhow::Result<Config> {
    if NAMED.iter().any(|(name, _)| *name == name_or_file) {
        return named(name_or_file, method.unwrap_or(Method::Biological), protocol);
    }
    let path = Path::new(name_or_file);
    if path.extension().is_some_and(|extension| extension == "toml") || path.is_file() {
        return from_file(path, method, protocol);
    }
    let names: Vec<&str> = NAMED.iter().map(|(name, _)| *name).collect();
    let hint = match keys::nearest(name_or_file, &names) {
        Some(name) => format!("did you mean `{name}`?"),
        None => "give a name, or a file ending in .toml".to_owned(),
    };
    let message = format!("experiment: expected {} or a TOML file, found `{name_or_file}`", names.join(", "));
    Err(failure(message, hint))
}

/// A named experiment, with the table of the method on top, then its `[quick]` table if that is asked for.
pub(super) fn named(name: &str, method: Method, protocol: Protocol) -> anyhow::Result<Config> {
    let Some((_, text)) = NAMED.iter().find(|(known, _)| *known == name) else {
        return Err(failure(format!("experiment: expected a named one, found `{name}`"), "see `rivalry train --help`"));
    };
    let place = format!("experiments/{name}.toml");
    let mut table = parse(text, &place)?;
    let methods = table.remove(METHODS);
    let mut experiment = blank();
    apply(&mut experiment, &table, &place)?;
    if method != experiment.method {
        experiment.method = method;
        // The figure of one method says nothing about another.
        experiment.published = None;
        let own = methods.as_ref().and_then(|methods| methods.get(method.name())).and_then(Value::as_table);
        apply(&mut experiment, own.unwrap_or(&Table::new()), &format!("{place} [{METHODS}.{method}]"))?;
    }
    if protocol == Protocol::Quick {
        apply_quick(&mut experiment, quick_of(&table, &place)?, &place)?;
    }
    Ok(experiment)
}

fn quick_of<'a>(table: &'a Table, place: &str) -> anyhow::Result<&'a Table> {
    let quick = table.get(QUICK).and_then(Value::as_table);
    quick.ok_or_else(|| failure(format!("{place}: expected a [quick] table, found none"), "run it with --paper"))
}

fn from_file(path: &Path, method: Option<Method>, protocol: Protocol) -> anyhow::Result<Config> {
    let place = path.display().to_string();
    let table = parse(&files::read_text("experiment file", path)?, &place)?;
    let Some(dataset) = table.get("dataset").and_then(Value::as_str) else {
        let message = format!("key `dataset` in {place}: expected a text, found none");
        return Err(failure(message, "name mnist, cifar10, synthetic or a directory with your own data"));
    };
    let base = NAMED.iter().map(|(name, _)| *name).find(|name| *name == dataset).unwrap_or("mnist");
    let method = match (method, table.get("method")) {
        (Some(method), _) => method,
        (None, Some(value)) => Given { key: "method", content: Content::Toml(value), place: &place }.choice()?,
        (None, None) => Method::Biological,
    };
    let mut experiment = named(base, method, Protocol::Paper)?;
    // A published figure belongs to the experiment that names it, never to a file that merely starts from there.
    experiment.published = None;
    experiment.experiment = path.file_stem().map_or("experiment".to_owned(), |stem| {
        stem.to_string_lossy().chars().map(|c| if keys::may_name_a_folder(c) { c } else { '-' }).collect()
    });
    apply(&mut experiment, &table, &place)?;
    if protocol == Protocol::Quick {
        apply_quick(&mut experiment, quick_of(&table, &place)?, &place)?;
    }
    Ok(experiment)
}

pub(crate) fn parse(text: &str, place: &str) -> anyhow::Result<Table> {
    text.parse::<Table>().map_err(|error| {
        let line = error.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
        let found = error.message().to_owned();
        failure(
            format!("{place} line {line}: expected TOML, found: {found}"),
            "one `key = value` a line; texts in quotes",
        )
    })
}

fn apply(experiment: &mut Config, table: &Table, place: &str) -> anyhow::Result<()> {
    for (key, value) in table {
        match (key.as_str(), value) {
            (PUBLISHED, Value::Table(published)) => experiment.published = Some(parse_published(published, place)?),
            (QUICK, Value::Table(quick)) => apply_quick(&mut experiment.clone(), quick, place)?,
            (key, value) => keys::assign(experiment, &Given { key, content: Content::Toml(value), place })?,
        }
    }
    Ok(())
}

fn apply_quick(experiment: &mut Config, quick: &Table, place: &str) -> anyhow::Result<()> {
    for (key, value) in quick {
        let given = Given { key, content: Content::Toml(value), place };
        if key == "tolerance_pct" {
            let tolerance_pct = tolerance(&given)?;
            // Methods that nothing is published about have nothing to tolerate.
            if let Some(published) = &mut experiment.published {
                published.tolerance_pct = tolerance_pct;
            }
        } else {
            keys::assign(experiment, &given)?;
        }
    }
    Ok(())
}

fn parse_published(table: &Table, place: &str) -> anyhow::Result<Published> {
    let (mut test_error_pct, mut tolerance_pct, mut source) = (None, None, None);
    for (key, value) in table {
        let given = Given { key, content: Content::Toml(value), place };
        match key.as_str() {
            "test_error_pct" => {
                let expected = "a number from 0 to 100";
                test_error_pct = Some(given.real(expected, |error| (0.0..=100.0).contains(&error))?);
            }
            "tolerance_pct" => tolerance_pct = Some(tolerance(&given)?),
            "source" => source = Some(given.text()?),
            unknown => {
                return Err(keys::unknown_key(unknown, &["test_error_pct", "tolerance_pct", "source"], place));
            }
        }
    }
    match (test_error_pct, tolerance_pct, source) {
        (Some(test_error_pct), Some(tolerance_pct), Some(source)) => {
            Ok(Published { test_error_pct, tolerance_pct, source })
        }
        _ => {
            let message =
                format!("[published] in {place}: expected test_error_pct, tolerance_pct and source, found fewer");
            Err(failure(message, "a published figure comes with its tolerance and its source"))
        }
    }
}

fn tolerance(given: &Given<'_>) -> anyhow::Result<f64> {
    given.real("a number of at least 0", |tolerance| tolerance >= 0.0)
}

/// Values that are all overwritten: every named file gives every key, which a test checks.
fn blank() -> Config {
    Config {
        experiment: String::new(),
        dataset: String::new(),
        method: Method::Biological,
        task: Task::Class,
        hidden: 0,
        p: f64::NAN,
        k: 0,
        delta: f64::NAN,
        epochs: 0,
        batch: 0,
        rate: f64::NAN,
        init_sigma: f64::NAN,
        unit_length: UnitLength::None,
        power_n: f64::NAN,
        current_scale: CurrentScale::Auto,
        off_sphere: OffSphere::Keep,
        loss_m: f64::NAN,
        beta: f64::NAN,
        readout_epochs: 0,
        readout_batch: 0,
        readout_rates: String::new(),
        train_samples: Amount::All,
        labels_per_class: Amount::All,
        validation: 0.0,
        seed: 0,
        published: None,
    }
}
