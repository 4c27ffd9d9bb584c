//! The page: what stands where. Parts of it are in [`tables`], [`figures`] and [`origin`].

mod figures;
mod origin;
mod tables;

use super::group::{Part, parts};
use super::html::Html;
use super::search::Found;
use crate::markdown::EMPTY;

const STYLE: &str = include_str!("style.css");
/// Nothing is fetched and nothing runs, whatever might have slipped into the page.
const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

/// Writes the whole page.
pub(super) fn page(title: &str, found: &Found) -> anyhow::Result<String> {
    let parts = parts(&found.runs);
    let mut sections = Html::new();
    for (index, part) in parts.iter().enumerate() {
        let mut figures = Html::new();
        figures::curves(&mut figures, part)?;
        figures::sweeps(&mut figures, part)?;
        figures::convergence(&mut figures, part)?;
        let figures = figures.into_text();
        sections.block("section", &[("id", &format!("part-{index}"))], |html| {
            html.line("h2", &[], &heading(part));
            tables::summary(html, part);
            if !figures.is_empty() {
                html.block("div", &[("class", "figures")], |html| html.own_markup(&figures));
            }
            tables::rows(html, part);
            figures::fields(html, part);
        });
    }
    let title = format!("rivalry report: {title}");
    let mut html = Html::new();
    html.own_markup("<!DOCTYPE html>\n");
    html.block("html", &[("lang", "en")], |html| {
        html.block("head", &[], |html| head(html, &title));
        html.block("body", &[], |html| {
            html.block("header", &[], |html| {
                html.line("h1", &[], &title);
                contents(html, found, &parts);
            });
            html.block("main", &[], |html| {
                html.own_markup(&sections.into_text());
                unfinished(html, found);
                origin::section(html, found, &parts);
            });
            let made = format!("Made by rivalry {}.", env!("CARGO_PKG_VERSION"));
            html.block("footer", &[], |html| html.line("p", &[], &made));
        });
    });
    Ok(html.into_text())
}

fn head(html: &mut Html, title: &str) {
    html.void("meta", &[("charset", "utf-8")]);
    html.void("meta", &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")]);
    html.void("meta", &[("http-equiv", "Content-Security-Policy"), ("content", POLICY)]);
    html.line("title", &[], title);
    html.block("style", &[], |html| html.own_markup(STYLE));
}

fn heading(part: &Part<'_>) -> String {
    let mut heading = part.experiment.to_owned();
    if part.dataset != part.experiment {
        heading.push_str(&format!(", data set {}", part.dataset));
    }
    if !part.task.is_empty() && part.task != "class" {
        heading.push_str(&format!(", task {}", part.task));
    }
    heading
}

fn contents(html: &mut Html, found: &Found, parts: &[Part<'_>]) {
    let failed: usize = parts.iter().flat_map(|part| &part.groups).map(|group| group.failures().count()).sum();
    let mut counts = vec![count(found.runs.len(), "run")];
    if failed > 0 {
        counts.push(format!("{failed} of them failed"));
    }
    counts.push(count(found.unfinished.len(), "unfinished run"));
    if !found.set_aside.is_empty() {
        counts.push(format!("{} not used", count(found.set_aside.len(), "file")));
    }
    html.line("p", &[], &format!("{}.", counts.join(", ")));
    html.block("nav", &[("aria-label", "Contents")], |html| {
        html.block("ul", &[], |html| {
            for (index, part) in parts.iter().enumerate() {
                link(html, &format!("part-{index}"), &heading(part));
            }
            if !found.unfinished.is_empty() || !found.set_aside.is_empty() {
                link(html, "unfinished", "Unfinished and unused");
            }
            link(html, "origin", "Commands, machines, data");
        });
    });
}

fn link(html: &mut Html, id: &str, text: &str) {
    html.block("li", &[], |html| html.leaf("a", &[("href", &format!("#{id}"))], text));
}

/// `1 run`, `2 runs`.
fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// Runs without a result, and files that are not used.
fn unfinished(html: &mut Html, found: &Found) {
    if found.unfinished.is_empty() && found.set_aside.is_empty() {
        return;
    }
    html.block("section", &[("id", "unfinished")], |html| {
        html.line("h2", &[], "Unfinished and unused");
        if !found.unfinished.is_empty() {
            let caption = "Run folders without result.csv: still running, stopped, or failed.";
            tables::table(html, caption, &["folder", "experiment", "method", "seed", "state"], |html| {
                for run in &found.unfinished {
                    let known = run.experiment.as_ref();
                    let cell = |value: Option<String>| value.unwrap_or_else(|| EMPTY.to_owned());
                    html.block("tr", &[], |html| {
                        html.leaf("th", &[("scope", "row")], &run.name);
                        html.leaf("td", &[], &cell(known.map(|known| known.experiment.clone())));
                        html.leaf("td", &[], &cell(known.map(|known| known.method.to_string())));
                        html.leaf("td", &[], &cell(known.map(|known| known.seed.to_string())));
                        html.leaf("td", &[], &run.progress);
                    });
                }
            });
        }
        if !found.set_aside.is_empty() {
            tables::table(html, "Files that are not used.", &["file", "why"], |html| {
                for (place, reason) in &found.set_aside {
                    html.block("tr", &[("class", "bad")], |html| {
                        html.leaf("th", &[("scope", "row")], place);
                        html.leaf("td", &[], reason);
                    });
                }
            });
        }
    });
}
