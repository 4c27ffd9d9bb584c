//! One table model with two writers: Markdown for documents and terminals, HTML for the report page.
//!
//! Cells are text. A cell that is written in backticks becomes code in both forms.

use maud::{Markup, PreEscaped, html};

/// What a cell without a value holds.
pub const EMPTY: &str = "–";

/// How a column is aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// A table: columns, rows as wide as the columns, and notes below them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    caption: String,
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
    /// The rows that HTML shades.
    failed: Vec<usize>,
    notes: Vec<String>,
}

/// A table while it is made column by column, each of which says something of every item.
pub(crate) struct Columns<'i, T> {
    items: &'i [T],
    table: Table,
}

impl<T> Columns<'_, T> {
    /// Adds a column of text.
    pub(crate) fn left(self, name: impl Into<String>, cell: impl Fn(&T) -> String) -> Self {
        self.column(name, Align::Left, cell)
    }

    /// Adds a column of numbers.
    pub(crate) fn right(self, name: impl Into<String>, cell: impl Fn(&T) -> String) -> Self {
        self.column(name, Align::Right, cell)
    }

    /// Adds a column; a cell without text is [`EMPTY`].
    pub(crate) fn column(mut self, name: impl Into<String>, align: Align, cell: impl Fn(&T) -> String) -> Self {
        self.table.columns.push((name.into(), align));
        for (row, item) in self.table.rows.iter_mut().zip(self.items) {
            let text = cell(item);
            row.push(if text.is_empty() { EMPTY.to_owned() } else { text });
        }
        self
    }

    /// The table, with the caption that the HTML form has.
    pub(crate) fn caption(self, caption: impl Into<String>) -> Table {
        self.table.caption(caption)
    }
}

impl Table {
    /// A table without rows.
    pub fn new<N: Into<String>>(columns: impl IntoIterator<Item = (N, Align)>) -> Self {
        let columns = columns.into_iter().map(|(name, align)| (name.into(), align)).collect();
        Self { caption: String::new(), columns, rows: Vec::new(), failed: Vec::new(), notes: Vec::new() }
    }

    /// A table with a row for every item.
    pub(crate) fn of<T>(items: &[T]) -> Columns<'_, T> {
        let mut table = Self::new([("", Align::Left); 0]);
        table.rows.resize(items.len(), Vec::new());
        Columns { items, table }
    }

    /// Sets the caption that the HTML form has. A document says what a table is in its own words.
    pub(crate) fn caption(mut self, caption: impl Into<String>) -> Self {
        self.caption = caption.into();
        self
    }

    /// Adds a row.
    ///
    /// # Panics
    /// The row is not as wide as the columns.
    pub fn row(&mut self, cells: Vec<String>) -> &mut Self {
        assert_eq!(cells.len(), self.columns.len(), "a row has a cell for every column");
        self.rows.push(cells);
        self
    }

    /// Adds a note below the rows, once.
    pub fn note(&mut self, note: impl Into<String>) -> &mut Self {
        let note = note.into();
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
        self
    }

    /// Marks the rows of failed runs, which HTML shades.
    pub(crate) fn mark_failed(mut self, rows: impl IntoIterator<Item = usize>) -> Self {
        self.failed.extend(rows);
        self
    }

    /// Whether it has no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows, for tests and for those who want a cell.
    pub fn rows(&self) -> &[Vec<String>] {
        &self.rows
    }

    /// Without the columns in which no row has a value.
    pub(crate) fn without_empty_columns(mut self) -> Self {
        for column in (0..self.columns.len()).rev() {
            if !self.rows.is_empty() && self.rows.iter().all(|row| row[column] == EMPTY) {
                self.columns.remove(column);
                self.rows.iter_mut().for_each(|row| drop(row.remove(column)));
            }
        }
        self
    }

    /// Markdown, padded so that it reads well as plain text; every line ends with a newline.
    pub fn markdown(&self) -> String {
        let header: Vec<String> = self.columns.iter().map(|(name, _)| escaped(name)).collect();
        let rows: Vec<Vec<String>> =
            self.rows.iter().map(|row| row.iter().map(|cell| escaped(cell)).collect()).collect();
        let width = |column: usize| {
            let cells = rows.iter().chain([&header]).map(|row| row[column].chars().count());
            cells.max().unwrap_or(0).max(3)
        };
        let widths: Vec<usize> = (0..header.len()).map(width).collect();
        let line = |cells: &[String]| {
            let padded = cells.iter().zip(&widths).zip(&self.columns).map(|((cell, &width), (_, align))| match align {
                Align::Left => format!(" {cell:<width$} "),
                Align::Right => format!(" {cell:>width$} "),
            });
            format!("|{}|\n", padded.collect::<Vec<_>>().join("|"))
        };
        let rule = self.columns.iter().zip(&widths).map(|((_, align), &width)| match align {
            Align::Left => "-".repeat(width + 2),
            Align::Right => format!("{}:", "-".repeat(width + 1)),
        });
        let mut text = line(&header);
        text.push_str(&format!("|{}|\n", rule.collect::<Vec<_>>().join("|")));
        rows.iter().for_each(|row| text.push_str(&line(row)));
        self.notes.iter().for_each(|note| text.push_str(&format!("\n{note}\n")));
        text
    }

    /// HTML, in a box that scrolls by itself where the table is too wide for the page.
    pub(crate) fn html(&self) -> Markup {
        let class = |align: Align| (align == Align::Right).then_some("number");
        // What scrolls must be reachable with the keyboard, and then needs a name.
        html! {
            div.wide role="region" tabindex="0" aria-label=(self.caption) {
                table {
                    @if !self.caption.is_empty() { caption { (inline(&self.caption)) } }
                    thead {
                        tr { @for (name, align) in &self.columns { th scope="col" class=[class(*align)] { (inline(name)) } } }
                    }
                    tbody {
                        @for (index, row) in self.rows.iter().enumerate() {
                            tr class=[self.failed.contains(&index).then_some("failed")] {
                                @for (column, (cell, (_, align))) in row.iter().zip(&self.columns).enumerate() {
                                    @if column == 0 && *align == Align::Left {
                                        th scope="row" { (inline(cell)) }
                                    } @else {
                                        td class=[class(*align)] { (inline(cell)) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
            @for note in &self.notes { p.note { (inline(note)) } }
        }
    }
}

/// The cell of a value that may be missing.
pub(crate) fn cell(value: Option<impl ToString>) -> String {
    value.map_or_else(|| EMPTY.to_owned(), |value| value.to_string())
}

/// The cell of a number with a fixed count of decimals; a number that is missing or not finite has none.
pub fn number(value: Option<f64>, decimals: usize) -> String {
    value.filter(|value| value.is_finite()).map_or(EMPTY.to_owned(), |value| format!("{value:.decimals$}"))
}

/// The text of a value that may be missing.
pub(crate) fn text(value: Option<impl ToString>) -> String {
    value.map_or(String::new(), |value| value.to_string())
}

/// A cell that does not break out of its row.
fn escaped(cell: &str) -> String {
    cell.replace('|', "\\|").replace(['\n', '\r'], " ")
}

/// Text in which what stands in backticks is code.
fn inline(text: &str) -> Markup {
    let pieces: Vec<&str> = text.split('`').collect();
    // An odd backtick is only a backtick.
    if pieces.len().is_multiple_of(2) {
        return html! { (text) };
    }
    html! {
        @for (index, piece) in pieces.iter().enumerate() {
            @if index % 2 == 1 { code { (piece) } } @else { (piece) }
        }
    }
}

/// An element without content, closed: a page is also well-formed XML, which maud's own void elements are not.
pub(crate) fn void(name: &str, attributes: &[(&str, &str)]) -> Markup {
    let escaped = |text: &str| html! { (text) }.into_string();
    let attributes: String = attributes.iter().map(|(name, value)| format!(" {name}=\"{}\"", escaped(value))).collect();
    PreEscaped(format!("<{name}{attributes}/>"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new([("name", Align::Left), ("µs", Align::Right)]).caption("Times");
        table.row(vec!["a|b".into(), "1.5".into()]).row(vec!["`longer`".into(), "10.25".into()]);
        table.note("Measured twice.").note("Measured twice.");
        table
    }

    #[test]
    fn markdown_is_padded_and_numbers_stand_to_the_right() {
        let text = "| name     |    µs |\n|----------|------:|\n| a\\|b     |   1.5 |\n| `longer` | 10.25 |\n\nMeasured twice.\n";
        assert_eq!(table().markdown(), text);
    }

    #[test]
    fn html_escapes_names_its_box_and_marks_numbers() {
        let mut table = table();
        table.row(vec!["<script>".into(), number(Some(f64::NAN), 2)]);
        let page = table.html().into_string();
        assert!(page.contains("aria-label=\"Times\"") && page.contains("<caption>Times</caption>"), "{page}");
        assert!(page.contains("<th scope=\"col\" class=\"number\">µs</th>"), "{page}");
        assert!(page.contains("<th scope=\"row\"><code>longer</code></th>"), "{page}");
        assert!(page.contains("&lt;script&gt;") && page.contains("<td class=\"number\">–</td>"), "{page}");
        assert!(page.ends_with("<p class=\"note\">Measured twice.</p>"), "{page}");
    }

    #[test]
    fn a_column_says_something_of_every_item_and_one_without_a_value_can_be_left_out() {
        let columns = Table::of(&[("x", 1), ("y", 0)]).left("a", |it| it.0.to_owned()).left("b", |_| String::new());
        let columns = columns.right("c", |it| text(Some(it.1).filter(|c| *c > 0)));
        let table = columns.caption("").mark_failed([1]);
        assert_eq!(table.rows(), [["x", EMPTY, "1"], ["y", EMPTY, EMPTY]]);
        let table = table.without_empty_columns();
        assert_eq!(table.rows(), [["x", "1"], ["y", EMPTY]]);
        let page = table.html().into_string();
        assert!(
            page.contains("<tr><th scope=\"row\">x") && page.contains("<tr class=\"failed\"><th scope=\"row\">y"),
            "{page}"
        );
    }

    #[test]
    #[should_panic(expected = "a cell for every column")]
    fn a_row_of_another_width_is_a_mistake() {
        table().row(vec![String::new()]);
    }
}
