//! One self-contained HTML page about the runs and tables of a folder: the paper's tables and figures, what goes beyond them,
//! searches, single runs, receptive fields, machines and commands. The same tables stand in documents.
//!
//! 1. `search` finds what is there; a row that stands in several files is one run.
//! 2. `part` puts the runs of one experiment together, as summaries over seeds.
//! 3. `tables` and `figures` are made of parts; `page` puts them where they belong, [`splice`] into a document.
//!
//! The page needs no network: pictures are data URIs, plots inline SVG, the style sheet is part of it, there is no script,
//! and its content security policy forbids the rest. The same files give the same bytes: there is no date of making in it.

mod command;
mod figures;
mod folder;
mod origin;
mod page;
mod part;
mod search;
pub(crate) mod splice;
mod tables;

use std::path::Path;

use part::{Place, parts};
use search::Found;
use splice::Marker;

use crate::error::failure;
use crate::plot::lines::Chart;
use crate::table::Table;

/// The name of the table of errors beside the published numbers.
const ACCURACY: &str = "accuracy";

/// Everything that a page is made of.
#[derive(Debug)]
pub(crate) struct Report {
    title: String,
    found: Found,
}

impl Report {
    /// Reads a folder and all below it.
    ///
    /// # Errors
    /// The folder cannot be read, or holds neither a run nor a table of results that can be used.
    pub(crate) fn read(folder: &Path) -> anyhow::Result<Self> {
        let found = Found::search(folder)?;
        // `.` and `..` have no name of their own.
        let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let title = whole.file_name().map_or_else(|| "results".to_owned(), |name| name.to_string_lossy().into_owned());
        Ok(Self { title, found })
    }

    /// Failed ones among them.
    pub(crate) fn runs(&self) -> usize {
        self.found.runs.len()
    }

    /// How many run folders have no result.
    pub(crate) fn unfinished(&self) -> usize {
        self.found.unfinished.len()
    }

    /// Files that are not used, each with the reason.
    pub(crate) fn set_aside(&self) -> impl Iterator<Item = (&str, &str)> {
        self.found.set_aside.iter().map(|(place, reason)| (place.as_str(), reason.as_str()))
    }

    /// The table that a marker of a document asks for, of the records that it names: `accuracy`, or the points of one
    /// experiment, under its own name or that of its records. `only` selects methods.
    ///
    /// # Errors
    /// The records hold no such table, or two runs of one seed disagree.
    pub(crate) fn table(&self, marker: &Marker<'_>) -> anyhow::Result<Table> {
        let Marker { name, records, only } = marker;
        let mut parts = parts(&self.found, |run| run.is_below(records))?;
        if let Some(method) = only.iter().find(|method| !parts.iter().any(|part| part.methods().contains(method))) {
            let message = format!("the records of the table `{name}` hold no row of the method `{method}`");
            return Err(failure(message, "`only` in a marker is followed by names of methods"));
        }
        parts.iter_mut().for_each(|part| part.summaries.retain(|summary| marker.shows(summary.setting("method"))));
        parts.retain(|part| !part.summaries.is_empty());
        let table = if *name == ACCURACY {
            tables::accuracy(&parts)
        } else {
            // `cifar10-readout-split` holds rows of the experiment `cifar10`.
            let is_name = records.iter().all(|record| {
                let what = record.split('/').next().unwrap_or_default();
                what.strip_prefix(name).is_some_and(|protocol| protocol.rfind('-') == Some(0))
            });
            let known: Vec<&str> = parts.iter().map(|part| part.experiment).collect();
            parts.retain(|part| part.experiment == *name || is_name);
            match &parts[..] {
                [part] => tables::points(part),
                [] => return Err(no_table(name, &known)),
                several => {
                    let known: Vec<String> = several.iter().map(part::Part::heading).collect();
                    let message = format!("the records of the table `{name}` hold several: {}", known.join(", "));
                    return Err(failure(message, "name fewer records in the marker"));
                }
            }
        };
        if table.is_empty() { Err(no_table(name, &[])) } else { Ok(table) }
    }

    /// The sweeps as pictures that stand alone: a name for the file, and an SVG.
    ///
    /// # Errors
    /// A plot cannot be drawn, or two runs of one seed disagree.
    pub(crate) fn pictures(&self) -> anyhow::Result<Vec<(String, String)>> {
        let (mut pictures, mut names) = (Vec::new(), Vec::<String>::new());
        for part in &parts(&self.found, |_| true)? {
            if [Place::Table, Place::Search].contains(&part.place()) {
                continue;
            }
            for (key, chart) in figures::sweeps(part) {
                // The name was read from a file, and is to be that of one.
                let plain = |c: char| if c.is_alphanumeric() || c == '-' { c } else { '_' };
                let name = format!("{}-{key}", part.experiment.chars().map(plain).collect::<String>());
                let earlier = names.iter().filter(|other| **other == name).count();
                let numbered = if earlier == 0 { name.clone() } else { format!("{name}-{}", earlier + 1) };
                // The caption of the page would not fit above the picture.
                pictures.push((numbered, Chart { title: String::new(), ..chart }.svg(true)?));
                names.push(name);
            }
        }
        Ok(pictures)
    }

    /// The page.
    ///
    /// # Errors
    /// A plot cannot be drawn, or two runs of one seed disagree.
    pub(crate) fn to_html(&self) -> anyhow::Result<String> {
        page::page(&self.title, &self.found, &parts(&self.found, |_| true)?)
    }
}

fn no_table(name: &str, known: &[&str]) -> anyhow::Error {
    let message = format!("the records of the table `{name}` hold no rows of it");
    let known = if known.is_empty() { String::new() } else { format!(" (they hold {})", known.join(", ")) };
    failure(message + &known, "a table is `accuracy` or the name of an experiment; the marker names its records")
}
