//! One self-contained HTML page about the runs and tables of a folder: tables beside the published numbers, curves, sweeps,
//! receptive fields, machines and commands.
//!
//! 1. `search` finds what is there; a row that stands in several files is one run.
//! 2. `group` puts runs of one setting together, over seeds; `sweep` finds settings that were varied.
//! 3. `page` writes it down through `html`, which escapes everything that was read from a file; `accuracy` makes the
//!    tables that a document may ask for, `figure` the charts of the page and of files.
//!
//! The page needs no network: pictures are data URIs, plots inline SVG, the style sheet is part of it, there is no script,
//! and its content security policy forbids the rest. The same files give the same bytes: there is no date of making in it.

mod accuracy;
mod command;
mod figure;
mod folder;
mod group;
mod html;
mod page;
mod search;
mod settings;
pub mod splice;
mod sweep;

use std::path::Path;

use search::Found;

use crate::config::Config;
use crate::markdown::Table;

/// Everything that a page is made of.
#[derive(Debug)]
pub struct Report {
    title: String,
    found: Found,
}

impl Report {
    /// Reads a folder and all below it.
    ///
    /// # Errors
    ///
    /// The folder cannot be read, or holds neither a run nor a table of results that can be used.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let found = Found::search(folder)?;
        // `.` and `..` have no name of their own.
        let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let title = whole.file_name().map_or_else(|| "results".to_owned(), |name| name.to_string_lossy().into_owned());
        Ok(Self { title, found })
    }

    /// How many runs have a row, failed ones among them.
    pub fn runs(&self) -> usize {
        self.found.runs.len()
    }

    /// How many run folders have no result.
    pub fn unfinished(&self) -> usize {
        self.found.unfinished.len()
    }

    /// Files that are not used, each with the reason.
    pub fn set_aside(&self) -> impl Iterator<Item = (&str, &str)> {
        self.found.set_aside.iter().map(|(place, reason)| (place.as_str(), reason.as_str()))
    }

    /// The errors of the named experiments on their test sets, beside the published numbers.
    pub fn accuracy(&self) -> Table {
        accuracy::table(&self.found)
    }

    /// The experiments and sweeps that there are runs of.
    pub fn experiments(&self) -> Vec<&str> {
        let mut names: Vec<&str> = group::parts(&self.found.runs).iter().map(|part| part.experiment).collect();
        names.dedup();
        names
    }

    /// The points of one of [`Report::experiments`].
    pub fn points(&self, experiment: &str) -> Option<Table> {
        accuracy::points(&self.found, experiment)
    }

    /// The sweeps as pictures that stand alone: a name for the file, and an SVG.
    ///
    /// # Errors
    ///
    /// A plot cannot be drawn.
    pub fn pictures(&self) -> anyhow::Result<Vec<(String, String)>> {
        let (mut pictures, mut names) = (Vec::new(), Vec::<String>::new());
        let tabled = |part: &group::Part<'_>| Config::names().any(|name| name == part.experiment);
        for part in group::parts(&self.found.runs).iter().filter(|part| !tabled(part)) {
            for (key, figure) in figure::sweeps(part) {
                // The name was read from a file, and is to be that of one.
                let plain = |c: char| if c.is_alphanumeric() || c == '-' { c } else { '_' };
                let name = format!("{}-{key}", part.experiment.chars().map(plain).collect::<String>());
                let earlier = names.iter().filter(|other| **other == name).count();
                let numbered = if earlier == 0 { name.clone() } else { format!("{name}-{}", earlier + 1) };
                pictures.push((numbered, figure.svg(true)?));
                names.push(name);
            }
        }
        Ok(pictures)
    }

    /// The page.
    ///
    /// # Errors
    ///
    /// A plot cannot be drawn.
    pub fn to_html(&self) -> anyhow::Result<String> {
        page::page(&self.title, &self.found)
    }
}
