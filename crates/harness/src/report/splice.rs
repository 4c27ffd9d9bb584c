//! Generated tables in a document.
//!
//! A marker names the table and the records that it is made from:
//!
//! ```text
//! <!-- results:begin accuracy from mnist-paper/2026-11-24-intel-xeon-avx512-856698c6448c cifar10-paper/… -->
//! whatever stands here is replaced
//! <!-- results:end -->
//! ```
//!
//! `only` and names behind the records select rows: of results by method, of benchmarks by name. Records are folders below
//! the folder of records. A marker without records is an error: the newest record need not be the one that the text around
//! the marker speaks of. Splicing twice changes nothing.

use std::path::Path;

use crate::error::{Failure, failure};
use crate::files;

/// What a marker asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marker<'a> {
    pub(crate) name: &'a str,
    /// The records, as the document names them; never none.
    pub(crate) records: Vec<&'a str>,
    /// The rows to show, behind the word `only`; all where there is none.
    pub(crate) only: Vec<&'a str>,
}

impl Marker<'_> {
    /// Whether the table shows the row of this name.
    pub(crate) fn shows(&self, row: &str) -> bool {
        self.only.is_empty() || self.only.contains(&row)
    }
}

/// Whether a document is written or only compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Replace the tables that differ.
    Write,
    /// Fail with exit code 3 where one differs, and write nothing.
    Check,
}

/// Renews the tables of one kind of marker (`results` or `bench`) in a document. `records` is the folder that holds the
/// records, `command` what renews the document, and `content` makes the text between two markers. Returns a line that says
/// what was done.
///
/// # Errors
/// The document cannot be read or written, has no marker of this kind, one without records or end, or one that names a record
/// that is not there; `content` fails; with [`Mode::Check`], a table differs from its records.
pub(crate) fn splice_file(
    document: &Path,
    kind: &str,
    records: &Path,
    mode: Mode,
    command: &str,
    content: impl Fn(&Marker<'_>) -> anyhow::Result<String>,
) -> anyhow::Result<String> {
    let place = document.display().to_string();
    let old = files::read_text("document", document)?;
    let (new, stale) = splice(&old, &place, kind, |marker| {
        if let Some(record) = marker.records.iter().find(|record| !records.join(record).is_dir()) {
            let (name, folder) = (marker.name, records.display());
            return Err(failure(
                format!(
                    "{place}: the table `{name}` names the record {record}, and there is no such folder in {folder}"
                ),
                format!("name a folder below {folder} in the line `<!-- {kind}:begin {name} from … -->`"),
            ));
        }
        content(marker)
    })?;
    if stale.is_empty() {
        return Ok(format!("{place} agrees with its records"));
    }
    let names = stale.join(", ");
    if mode == Mode::Check {
        let tables = if stale.len() == 1 { "the table" } else { "the tables" };
        let message = format!("{place} differs from its records in {tables} {names}");
        return Err(Failure::gate(message, format!("renew it: {command}")).into());
    }
    files::write(document, new.as_bytes())?;
    Ok(format!("{place}: renewed {names}"))
}

/// The document with every table renewed, and the names of those that differed.
fn splice(
    document: &str,
    place: &str,
    kind: &str,
    content: impl Fn(&Marker<'_>) -> anyhow::Result<String>,
) -> anyhow::Result<(String, Vec<String>)> {
    let (begin, end) = (format!("<!-- {kind}:begin"), format!("<!-- {kind}:end -->"));
    let hint = format!("a table stands between `{begin} NAME from RECORD… -->` and `{end}`");
    let refuse = |what: String| failure(format!("{place}: {what}"), &hint);
    let (mut result, mut stale, mut rest) = (String::with_capacity(document.len()), Vec::new(), document);
    while let Some(start) = rest.find(&begin) {
        let (before, from) = rest.split_at(start);
        let line = from.lines().next().unwrap_or_default();
        // A marker may be wrapped over several lines, as it may name many records.
        let Some((marker, below)) = from.split_once("-->") else {
            return Err(refuse(format!("the marker `{line}` is not closed by `-->`")));
        };
        let mut words = marker[begin.len()..].split_whitespace();
        let (name, from_word) = (words.next(), words.next());
        let records: Vec<&str> = words.by_ref().take_while(|word| *word != "only").collect();
        let (Some(name), Some("from"), false) = (name, from_word, records.is_empty()) else {
            return Err(refuse(format!("the marker `{line}` does not name a table and its records")));
        };
        let Some((old, after)) = below.split_once(&end).filter(|(old, _)| !old.contains(&begin)) else {
            return Err(refuse(format!("the table `{name}` has no end")));
        };
        let new = format!("\n{}", content(&Marker { name, records, only: words.collect() })?);
        if new != old {
            stale.push(name.to_owned());
        }
        result.push_str(&format!("{before}{marker}-->{new}{end}"));
        rest = after;
    }
    if result.is_empty() {
        return Err(refuse("it has no place for a table".to_owned()));
    }
    result.push_str(rest);
    Ok((result, stale))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "x\n<!-- bench:begin a from r/1 r/2 -->\nold\nold\n<!-- bench:end -->\ny\n\
        <!-- bench:begin b from\n     r/3 -->\nkept r/3\n<!-- bench:end -->\n<!-- results:begin c -->\nz";

    fn fill(document: &str) -> anyhow::Result<(String, Vec<String>)> {
        splice(document, "README.md", "bench", |marker| match marker.name {
            "a" => Ok(format!("new {}{}\n", marker.records.join("+"), marker.only.concat())),
            "b" => Ok(format!("kept {}\n", marker.records.join("+"))),
            name => Err(failure(format!("no table {name}"), "")),
        })
    }

    #[test]
    fn splicing_replaces_the_table_and_nothing_else_and_twice_is_once() {
        let (once, stale) = fill(DOCUMENT).unwrap();
        assert_eq!(once, DOCUMENT.replace("old\nold\n", "new r/1+r/2\n"));
        assert_eq!(stale, ["a"]);
        assert_eq!(fill(&once).unwrap(), (once, Vec::new()));
    }

    #[test]
    fn rows_behind_only_are_selected() {
        let (filled, _) = fill("<!-- bench:begin a from r/1 r/2 only x y -->\n<!-- bench:end -->").unwrap();
        assert!(filled.contains("\nnew r/1+r/2xy\n"), "{filled}");
        let marker = |only| Marker { name: "a", records: vec!["r"], only };
        assert!(marker(vec![]).shows("x") && marker(vec!["x"]).shows("x") && !marker(vec!["x"]).shows("y"));
    }

    #[test]
    fn bad_markers_are_refused() {
        for (document, expected) in [
            ("nothing", "README.md: it has no place for a table"),
            (
                "<!-- bench:begin a -->\n<!-- bench:end -->",
                "`<!-- bench:begin a -->` does not name a table and its records",
            ),
            ("<!-- bench:begin a from -->\n<!-- bench:end -->", "does not name a table and its records"),
            ("<!-- bench:begin a from r\n", "is not closed by `-->`"),
            ("<!-- bench:begin a from r -->\nold", "the table `a` has no end"),
            ("<!-- bench:begin a from r -->\n<!-- bench:begin b from r -->\n<!-- bench:end -->", "`a` has no end"),
            ("<!-- bench:begin d from r -->\n<!-- bench:end -->", "no table d"),
        ] {
            let error = fill(document).unwrap_err().to_string();
            assert!(error.contains(expected), "{document}: {error}");
        }
    }
}
