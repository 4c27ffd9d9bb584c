//! Where the numbers come from: machines and builds, records, data sets.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde_json::Value;

use super::folder::shown;
use super::search::{Found, Run};
use super::tables::revision;
use crate::table::{EMPTY, Table, text};

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
    const WORDS: [&str; 7] = ["machine", "system", "threads", "instruction set", "revision", "compiler", "build"];
    let mut kinds: BTreeMap<[String; 7], Vec<Option<String>>> = BTreeMap::new();
    for run in &found.runs {
        let date = recorded(run, "/date").map(|date| date.split('T').next().unwrap_or_default().to_owned());
        kinds.entry(kind(run)).or_default().push(date);
    }
    let kinds: Vec<_> = kinds.into_iter().collect();
    let mut columns = Table::of(&kinds);
    for (index, name) in WORDS.into_iter().enumerate() {
        columns = columns.left(name, |(kind, _)| kind[index].clone());
    }
    let date = |dates: &[Option<String>]| {
        let dates = || dates.iter().flatten();
        match (dates().min(), dates().max()) {
            (Some(first), Some(last)) if first != last => format!("{first} to {last}"),
            (date, _) => text(date),
        }
    };
    columns
        .left("date of the runs", |(_, dates)| date(dates))
        .right("runs", |(_, dates)| dates.len().to_string())
        .caption("A changed revision is one whose sources differed from the commit.")
        .without_empty_columns()
}

fn kind(run: &Run) -> [String; 7] {
    let row = &run.row;
    let or = |pointer: &str, cell: &str| recorded(run, pointer).unwrap_or_else(|| cell.to_owned());
    let kind = [
        or("/machine/cpu", &row.cpu),
        or("/machine/os", ""),
        or("/threads", &text(row.threads)),
        or("/isa", &row.isa),
        revision(&or("/build/revision", &row.revision), &or("/build/dirty", &row.dirty)),
        or("/build/rustc", ""),
        or("/build/profile", ""),
    ];
    kind.map(|text| if text.is_empty() { EMPTY.to_owned() } else { text })
}

/// A value of `env.json` as it is written.
fn recorded(run: &Run, pointer: &str) -> Option<String> {
    match run.folder.as_ref()?.environment.as_ref()?.pointer(pointer)? {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        other => Some(other.to_string()),
    }
}

fn records(found: &Found) -> Table {
    let runs = |record: &str| found.runs.iter().filter(|run| run.is_below(&[record])).count();
    let settings = |is_migrated| if is_migrated { "from the TOML files of their revision" } else { "recorded" };
    Table::of(&found.records)
        .left("record", |record| shown(&record.name))
        .right("runs", |record| runs(&record.name).to_string())
        .left("settings", |record| settings(record.is_migrated).to_owned())
        .caption("")
}

fn data(found: &Found) -> Table {
    let mut sets: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for run in &found.runs {
        *sets.entry((&run.row.dataset, &run.row.dataset_sha256)).or_default() += 1;
    }
    let digest = |digest: &str| if digest.is_empty() { "not known".to_owned() } else { format!("`{digest}`") };
    Table::of(&sets.into_iter().collect::<Vec<_>>())
        .left("data set", |((dataset, _), _)| (*dataset).to_owned())
        .left("SHA-256 of the content", |((_, of), _)| digest(of))
        .right("runs", |(_, runs)| runs.to_string())
        .caption("The data.")
}
