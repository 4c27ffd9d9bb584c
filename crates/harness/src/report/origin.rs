//! Where the numbers come from: machines and builds, records, data sets.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde_json::Value;

use super::search::{Found, Run};
use super::tables::revision;
use crate::table::{Align, EMPTY, Table};

/// The last section of the page.
pub(super) fn section(found: &Found) -> Markup {
    let machines = found.records.iter().filter_map(|record| Some((&record.name, record.machine.as_ref()?)));
    html! {
        section id="origin" {
            h2 { "Machines and data" }
            (kinds(found).html())
            @if !found.records.is_empty() {
                details {
                    summary { "Records and their machines" }
                    (records(found).html())
                    @for (name, machine) in machines {
                        figure { figcaption { (name) "machine.txt" } pre { (machine) } }
                    }
                }
            }
            (data(found).html())
        }
    }
}

/// What ran the runs, as far as `env.json` or the row tells; each kind once.
fn kinds(found: &Found) -> Table {
    const WORDS: [&str; 8] =
        ["machine", "system", "threads", "instruction set", "revision", "compiler", "build", "date of the runs"];
    let mut kinds: BTreeMap<[String; 7], (usize, Vec<String>)> = BTreeMap::new();
    for run in &found.runs {
        let (runs, dates) = kinds.entry(kind(run)).or_default();
        *runs += 1;
        dates.extend(text(run, "/date").map(|date| date.split('T').next().unwrap_or_default().to_owned()));
    }
    let columns = WORDS.map(|name| (name, Align::Left)).into_iter().chain([("runs", Align::Right)]);
    let mut table = Table::new(columns).caption("A changed revision is one whose sources differed from the commit.");
    for (kind, (runs, mut dates)) in kinds {
        dates.sort();
        let date = match (dates.first(), dates.last()) {
            (Some(first), Some(last)) if first != last => format!("{first} to {last}"),
            (Some(date), _) => date.clone(),
            _ => EMPTY.to_owned(),
        };
        table.row(kind.into_iter().chain([date, runs.to_string()]).collect());
    }
    table.drop_empty_columns();
    table
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
        revision(&text(run, "/build/revision").unwrap_or_else(|| row.revision.clone()), &dirty),
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

fn records(found: &Found) -> Table {
    let mut table = Table::new([("record", Align::Left), ("runs", Align::Right), ("settings", Align::Left)]);
    for record in &found.records {
        let runs = found.runs.iter().filter(|run| run.is_below(&[&record.name])).count();
        let settings = if record.migrated.is_some() { "from the TOML files of their revision" } else { "recorded" };
        let name = record.name.trim_end_matches('/');
        let name = if name.is_empty() { "." } else { name };
        table.row(vec![name.to_owned(), runs.to_string(), settings.to_owned()]);
    }
    table
}

fn data(found: &Found) -> Table {
    let mut sets: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for run in &found.runs {
        *sets.entry((&run.row.dataset, &run.row.dataset_sha256)).or_default() += 1;
    }
    let mut table =
        Table::new([("data set", Align::Left), ("SHA-256 of the content", Align::Left), ("runs", Align::Right)]);
    for ((dataset, digest), runs) in sets {
        let digest = if digest.is_empty() { "not known".to_owned() } else { format!("`{digest}`") };
        table.row(vec![dataset.to_owned(), digest, runs.to_string()]);
    }
    table.caption("The data.")
}
