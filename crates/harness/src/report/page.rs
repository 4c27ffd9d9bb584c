//! The page: what stands where. First the paper's tables, then its figures, then what goes beyond; searches, single runs and
//! commands are folded.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::command;
use super::folder::Unfinished;
use super::part::{Part, Place};
use super::search::{Found, Run};
use super::{figures, origin, tables};
use crate::config::Config;
use crate::summary::Summary;
use crate::sweep::Definition;
use crate::table::{Table, text, void};

const STYLE: &str = include_str!("style.css");
/// Nothing is fetched and nothing runs, whatever might have slipped into the page.
const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

/// The sections, in their order: place, anchor, heading, what it is.
const SECTIONS: [(Place, &str, &str, &str); 5] = [
    (Place::Table, "tables", "The paper's tables", "Named experiments, measured on the test set."),
    (Place::Figure, "figures", "The paper's figures", "The error against p, and against the anti-Hebbian strength Δ."),
    (Place::Beyond, "beyond", "Beyond the paper", "The rank k, the number of hidden units, few labels, several tasks."),
    (Place::Own, "own", "Other experiments", "Experiments that have no name in this program."),
    (
        Place::Search,
        "searches",
        "Searches",
        "How settings were chosen, on a split of the training set unless it says test error.",
    ),
];

/// Writes the whole page.
///
/// # Errors
/// A plot cannot be drawn.
pub(super) fn page(title: &str, found: &Found, parts: &[Part<'_>]) -> anyhow::Result<String> {
    let title = format!("rivalry report: {title}");
    let has = |place| parts.iter().any(|part| part.place() == place);
    let sections = SECTIONS.into_iter().filter(|(place, ..)| has(*place));
    let drawn = sections.clone().map(|(place, id, heading, about)| {
        let own: Vec<&Part<'_>> = parts.iter().filter(|part| part.place() == place).collect();
        let content = own.iter().map(|part| self::part(part)).collect::<anyhow::Result<Vec<Markup>>>()?;
        Ok(html! {
            section id=(id) {
                h2 { (heading) }
                p { (about) }
                @if place == Place::Table { (tables::accuracy(parts).html()) }
                @for part in &content { (part) }
            }
        })
    });
    let drawn = drawn.collect::<anyhow::Result<Vec<Markup>>>()?;
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                (void("meta", &[("charset", "utf-8")]))
                (void("meta", &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")]))
                (void("meta", &[("http-equiv", "Content-Security-Policy"), ("content", POLICY)]))
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { (title) }
                    p { (counts(found)) }
                    nav aria-label="Contents" {
                        ul {
                            @for (_, id, heading, _) in sections { li { a href=(format!("#{id}")) { (heading) } } }
                            @if has_leftovers(found) { li { a href="#unfinished" { "Unfinished and unused" } } }
                            li { a href="#origin" { "Machines and data" } }
                        }
                    }
                }
                main {
                    @for section in &drawn { (section) }
                    (unfinished(found))
                    (origin::section(found))
                }
                footer { p { "Made by rivalry " (env!("CARGO_PKG_VERSION")) "." } }
            }
        }
    };
    // Characters that no XML may hold, from some damaged file.
    let printable = |c: char| match c {
        '\t' | '\n' => c,
        '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    Ok(page.into_string().chars().map(printable).collect())
}

/// `1 run`, `2 runs`.
fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

fn counts(found: &Found) -> String {
    let failed = found.runs.iter().filter(|run| run.row.has_no_result()).count();
    let mut counts = vec![count(found.runs.len(), "run")];
    if failed > 0 {
        counts.push(format!("{failed} of them failed"));
    }
    if !found.unfinished.is_empty() {
        counts.push(count(found.unfinished.len(), "unfinished run"));
    }
    if !found.set_aside.is_empty() {
        counts.push(format!("{} not used", count(found.set_aside.len(), "file")));
    }
    format!("{}.", counts.join(", "))
}

/// One experiment. A search is folded; what is in a table of the paper stands in the one table of its section.
fn part(part: &Part<'_>) -> anyhow::Result<Markup> {
    let plots = figures::plots(part)?;
    let content = html! {
        div.beside {
            (plots)
            @if part.place() != Place::Table { div { (tables::points(part).html()) } }
        }
        (fields(part))
        (runs(part))
        (repeat(part))
    };
    if part.place() != Place::Search {
        return Ok(html! { section { h3 { (part.heading()) } (content) } });
    }
    let best =
        part.summaries.iter().filter_map(|one| Some((one.error()?, one))).min_by(|a, b| a.0.mean.total_cmp(&b.0.mean));
    Ok(html! {
        details {
            summary {
                strong { (part.heading()) } ": " (count(part.summaries.len(), "point"))
                @if let Some((error, summary)) = best { ", best " (error.text()) " % (" (part.label(summary)) ")" }
            }
            (content)
        }
    })
}

/// The pictures of the runs that have one: the first is shown, the others are folded.
fn fields(part: &Part<'_>) -> Markup {
    let drawn: Vec<Markup> =
        part.all_runs().filter_map(|(summary, run)| figures::fields(&part.label(summary), run)).collect();
    let layers = part.all_runs().filter(|(_, run)| run.row.hidden.is_some());
    let without = layers.filter_map(|(_, run)| run.folder.as_ref().filter(|folder| folder.fields.is_none()));
    let missing: Vec<&str> = without.map(|folder| folder.name.as_str()).collect();
    html! {
        @if let Some((first, rest)) = drawn.split_first() {
            div.fields { (first) }
            p.note { (figures::FIELDS) }
            @if !rest.is_empty() {
                details {
                    summary { "Receptive fields of " (count(rest.len(), "other run")) }
                    div.fields { @for picture in rest { (picture) } }
                }
            }
        }
        @if !missing.is_empty() {
            p.note { "No picture in " (count(missing.len(), "run folder")) ": " (missing.join(", ")) "." }
        }
    }
}

fn runs(part: &Part<'_>) -> Markup {
    let matrix = |(summary, run): (&Summary<'_>, &Run)| {
        let name = format!("{}, seed {}", part.label(summary), run.row.seed);
        let caption = format!("{name}: samples of each true class by the class they were taken for.");
        Some(run.folder.as_ref()?.confusion.clone()?.caption(caption))
    };
    let matrices: Vec<Table> = part.all_runs().filter_map(matrix).collect();
    html! {
        details {
            summary { (count(part.all_runs().count(), "single run")) }
            (tables::runs(part).html())
            @for matrix in &matrices { (matrix.html()) }
        }
    }
}

/// The commands that repeat a part.
fn repeat(part: &Part<'_>) -> Markup {
    let is = |name: &str| name == part.experiment;
    let whole = Definition::names().any(is) && !Config::names().any(is);
    html! {
        details {
            summary { "How to repeat" }
            @if whole { p { "The whole sweep: " code { "rivalry sweep " (part.experiment) } } }
            dl.commands {
                @for summary in &part.summaries {
                    dt { (part.label(summary)) }
                    dd {
                        @match command_of(part, summary) {
                            Some(command) => code { (command) },
                            None => "The row does not hold every setting, and there is no run folder.",
                        }
                    }
                }
            }
        }
    }
}

fn command_of<'a>(part: &Part<'a>, summary: &Summary<'a>) -> Option<String> {
    // A failed run may lack settings that the others have.
    let mut runs: Vec<&Run> = part.runs(summary);
    runs.sort_by_key(|run| (run.row.has_no_result(), run.config().is_none(), run.row.seed));
    let first = runs.first()?;
    let command = match first.config() {
        Some(config) => command::of_config(config),
        None => command::of_row(&first.row)?,
    };
    let mut others: Vec<u64> = runs[1..].iter().map(|run| run.row.seed).collect();
    others.sort_unstable();
    let others = others.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    Some(if others.is_empty() { command } else { format!("{command}   # and --seed {others}") })
}

fn has_leftovers(found: &Found) -> bool {
    !found.unfinished.is_empty() || !found.set_aside.is_empty()
}

/// Runs without a result, and files that are not used.
fn unfinished(found: &Found) -> Markup {
    let setting = |run: &Unfinished, of: fn(&Config) -> String| text(run.config.as_ref().map(of));
    let runs = Table::of(&found.unfinished)
        .left("folder", |run| run.name.clone())
        .left("experiment", |run| setting(run, |config| config.experiment.clone()))
        .left("method", |run| setting(run, |config| config.method.to_string()))
        .left("seed", |run| setting(run, |config| config.seed.to_string()))
        .left("state", |run| run.progress.clone())
        .caption("Run folders without result.csv: still running, stopped, or failed.");
    let files = Table::of(&found.set_aside)
        .left("file", |(place, _)| place.clone())
        .left("why", |(_, reason)| reason.clone())
        .caption("Files that are not used.");
    html! {
        @if has_leftovers(found) {
            section id="unfinished" {
                h2 { "Unfinished and unused" }
                @if !runs.is_empty() { (runs.html()) }
                @if !files.is_empty() { (files.html()) }
            }
        }
    }
}
