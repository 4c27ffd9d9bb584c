//! Where the numbers come from: commands, machines and builds, data sets.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::command;
use super::super::group::{Group, Part, failed};
use super::super::html::Html;
use super::super::search::{Found, Run};
use super::{count, tables};
use crate::markdown::EMPTY;

/// The last section of the page.
pub(super) fn section(html: &mut Html, found: &Found, parts: &[Part<'_>]) {
    html.block("section", &[("id", "origin")], |html| {
        html.line("h2", &[], "Commands, machines, data");
        commands(html, parts);
        machines(html, found);
        data(html, found);
    });
}

/// One command for each method and setting.
fn commands(html: &mut Html, parts: &[Part<'_>]) {
    html.line("h3", &[], "Commands");
    let note = "Each repeats the first seed of one line of the tables above. Where there is no run folder, settings without a \
        column are taken to be those of the named experiment.";
    html.line("p", &[], note);
    html.block("dl", &[("class", "commands")], |html| {
        for part in parts {
            for group in &part.groups {
                let (name, command) = (format!("{}: {}", part.experiment, group.label), command_of(group));
                html.leaf("dt", &[], &name);
                html.block("dd", &[], |html| match command {
                    Some(command) => html.leaf("code", &[], &command),
                    None => html.text("not known from the columns alone"),
                });
            }
        }
    });
}

fn command_of(group: &Group<'_>) -> Option<String> {
    // A failed run may lack settings that the others of its group have.
    let mut runs: Vec<&&Run> = group.runs.iter().collect();
    runs.sort_by_key(|run| (failed(&run.row), run.experiment().is_none(), run.row.seed));
    let first = runs.first()?;
    let command = match first.experiment() {
        Some(experiment) => command::of_settings(experiment),
        None => command::of_row(&first.row),
    }?;
    let others: Vec<String> =
        group.seeds().iter().filter(|seed| **seed != first.row.seed).map(u64::to_string).collect();
    match others.is_empty() {
        true => Some(command),
        false => Some(format!("{command}   # and --seed {}", others.join(", "))),
    }
}

/// What ran the runs, as far as `env.json` or the row tells; each kind once.
fn machines(html: &mut Html, found: &Found) {
    const HEAD: [&str; 9] =
        ["machine", "system", "threads", "kernels", "revision", "compiler", "build", "date of the runs", "runs"];
    let mut kinds: BTreeMap<[String; 7], (usize, Vec<String>)> = BTreeMap::new();
    for run in &found.runs {
        let (runs, dates) = kinds.entry(kind(run)).or_default();
        *runs += 1;
        dates.extend(text(run, "/date").map(|date| date.split('T').next().unwrap_or_default().to_owned()));
    }
    html.line("h3", &[], "Machines and builds");
    tables::table(html, "A dirty revision is one whose sources differed from the commit.", &HEAD, |html| {
        for (kind, (runs, mut dates)) in kinds {
            dates.sort();
            let date = match (dates.first(), dates.last()) {
                (Some(first), Some(last)) if first != last => format!("{first} to {last}"),
                (Some(date), _) => date.clone(),
                _ => EMPTY.to_owned(),
            };
            html.block("tr", &[], |html| {
                kind.iter().for_each(|cell| html.leaf("td", &[], cell));
                html.leaf("td", &[], &date);
                html.leaf("td", &[("class", "number")], &runs.to_string());
            });
        }
    });
    for (place, content) in &found.machines {
        html.block("figure", &[], |html| {
            html.leaf("figcaption", &[], place);
            html.leaf("pre", &[], content);
        });
    }
}

fn kind(run: &Run) -> [String; 7] {
    let row = &run.row;
    let or = |pointer: &str, cell: &str| match text(run, pointer) {
        Some(known) => known,
        None if cell.is_empty() => EMPTY.to_owned(),
        None => cell.to_owned(),
    };
    let dirty = or("/build/dirty", &row.dirty);
    [
        or("/machine/cpu", &row.cpu),
        or("/machine/os", ""),
        or("/threads", &row.threads.map_or(String::new(), |threads| threads.to_string())),
        or("/isa", &row.isa),
        tables::revision(&or("/build/revision", &row.revision), &dirty),
        or("/build/rustc", ""),
        or("/build/profile", ""),
    ]
}

/// A value of `env.json` as it is written.
fn text(run: &Run, pointer: &str) -> Option<String> {
    match run.folder.as_ref()?.environment.as_ref()?.pointer(pointer)? {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        other => Some(other.to_string()),
    }
}

fn data(html: &mut Html, found: &Found) {
    let mut sets: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for run in &found.runs {
        *sets.entry((&run.row.dataset, &run.row.dataset_sha256)).or_default() += 1;
    }
    html.line("h3", &[], "Data");
    tables::table(html, "SHA-256 of the uncompressed content.", &["data set", "digest", "runs"], |html| {
        for ((dataset, digest), runs) in sets {
            html.block("tr", &[], |html| {
                html.leaf("th", &[("scope", "row")], dataset);
                html.element("td", &[], |html| {
                    html.leaf("code", &[], if digest.is_empty() { "not known" } else { digest })
                });
                html.leaf("td", &[("class", "number")], &count(runs, "run"));
            });
        }
    });
}
