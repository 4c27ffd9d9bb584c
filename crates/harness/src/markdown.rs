//! Tables in Markdown, padded so that they read well as plain text too, and their place in a document.

use std::path::Path;

use crate::failure::failure;
use crate::run::files;

/// What stands in a cell that has no value, here and in pages.
pub const EMPTY: &str = "–";

/// A table with a name, by which a document asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The name.
    pub name: &'static str,
    /// The header; all columns but the first are numbers and stand to the right.
    pub header: Vec<&'static str>,
    /// The rows, as wide as the header.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// The table, a newline at the end of every line.
    pub fn text(&self) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.chain([self.header[column].chars().count(), 3]).max().unwrap_or(3)
        };
        let widths: Vec<usize> = (0..self.header.len()).map(width).collect();
        let line = |cells: &[&str]| {
            let padded = cells.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| match column {
                0 => format!(" {cell:<width$} "),
                _ => format!(" {cell:>width$} "),
            });
            format!("|{}|\n", padded.collect::<Vec<_>>().join("|"))
        };
        let rule = widths.iter().enumerate().map(|(column, &width)| match column {
            0 => "-".repeat(width + 2),
            _ => format!("{}:", "-".repeat(width + 1)),
        });
        let mut text = line(&self.header);
        text.push_str(&format!("|{}|\n", rule.collect::<Vec<_>>().join("|")));
        for row in &self.rows {
            text.push_str(&line(&row.iter().map(String::as_str).collect::<Vec<_>>()));
        }
        text
    }
}

/// Replaces what stands between `<!-- KIND:begin NAME -->` and `<!-- KIND:end -->` by what `content` gives for NAME. A place
/// whose table is not in this result is left as it is. Doing it twice changes nothing.
///
/// # Errors
/// No such place in the document, one that does not end, or one that asks for a table that does not exist at all.
pub fn splice(
    document: &str,
    place: &str,
    kind: &str,
    content: impl Fn(&str) -> anyhow::Result<Option<String>>,
) -> anyhow::Result<String> {
    let (begin, end) = (format!("<!-- {kind}:begin "), format!("<!-- {kind}:end -->"));
    let hint = format!("a place is a line `{begin}NAME -->` and below it a line `{end}`");
    let refuse = |found: &str| failure(format!("{place}: expected places for tables, found {found}"), &hint);
    let (mut result, mut rest) = (String::with_capacity(document.len()), document);
    let mut places = 0;
    while let Some(start) = rest.find(&begin) {
        let (before, from) = rest.split_at(start);
        let Some((line, below)) = from.split_once('\n') else { return Err(refuse("one without an end")) };
        let name = line[begin.len()..].trim_end().strip_suffix("-->").map(str::trim);
        let Some(name) = name else { return Err(refuse(&format!("`{}`", line.trim_end()))) };
        let Some((old, after)) = below.split_once(&end) else {
            return Err(refuse(&format!("`{name}` without an end")));
        };
        if old.contains(&begin) {
            return Err(refuse(&format!("`{name}` without an end")));
        }
        let new = content(name)?;
        result.push_str(&format!("{before}{line}\n{}{end}", new.as_deref().unwrap_or(old)));
        rest = after;
        places += 1;
    }
    if places == 0 {
        return Err(refuse("none"));
    }
    result.push_str(rest);
    Ok(result)
}

/// Replaces the places of one kind in a file, as [`splice`] does in a text; `names` are those of all tables of that kind.
/// Returns a line that says whether that changed anything.
///
/// # Errors
/// As [`splice`]; the file cannot be read or written.
pub fn splice_file(
    document: &Path,
    kind: &str,
    names: &[&str],
    content: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<String> {
    let place = document.display().to_string();
    let old = files::read_text("document", document)?;
    let new = splice(&old, &place, kind, |name| {
        if !names.contains(&name) {
            let message = format!("{place}: expected a table of {}, found `{name}`", names.join(", "));
            return Err(failure(message, format!("change the name in the line `<!-- {kind}:begin NAME -->`")));
        }
        Ok(content(name))
    })?;
    if new == old {
        return Ok(format!("{place} is as it should be"));
    }
    files::write(document, new.as_bytes())?;
    Ok(format!("{place}: tables replaced"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_padded_and_numbers_stand_to_the_right() {
        let table = Table {
            name: "t",
            header: vec!["name", "µs"],
            rows: vec![vec!["a".into(), "1.5".into()], vec!["longer".into(), "10.25".into()]],
        };
        let text = "| name   |    µs |\n|--------|------:|\n| a      |   1.5 |\n| longer | 10.25 |\n";
        assert_eq!(table.text(), text);
    }

    fn fill(document: &str) -> anyhow::Result<String> {
        splice(document, "README.md", "bench", |name| match name {
            "a" => Ok(Some("new\n".to_owned())),
            "later" => Ok(None),
            _ => Err(failure(format!("no table `{name}`"), "")),
        })
    }

    #[test]
    fn splicing_replaces_the_place_and_nothing_else_and_twice_is_once() {
        let document = "x\n<!-- bench:begin a -->\nold\nold\n<!-- bench:end -->\ny\n<!-- bench:begin later -->\nkept\n\
            <!-- bench:end -->\nz";
        let once = fill(document).unwrap();
        assert_eq!(once, document.replace("old\nold\n", "new\n"));
        assert_eq!(fill(&once).unwrap(), once);
    }

    #[test]
    fn places_that_are_not_as_they_should_be_are_refused() {
        for (document, expected) in [
            ("no place", "found none"),
            ("<!-- bench:begin a -->\nold", "`a` without an end"),
            ("<!-- bench:begin a -->\n<!-- bench:begin later -->\n<!-- bench:end -->", "`a` without an end"),
            ("<!-- bench:begin a\n<!-- bench:end -->", "`<!-- bench:begin a`"),
            ("<!-- bench:begin b -->\n<!-- bench:end -->", "no table `b`"),
        ] {
            let error = fill(document).unwrap_err().to_string();
            assert!(error.contains(expected), "{document}: {error}");
        }
    }
}
