//! HTML that is escaped and nested by construction: the only ways to write are an element, whose end follows from where its
//! closure ends, a text, and a drawing that this program made itself.
//!
//! The result is also well-formed XML, so that the tests can read it with a strict parser. A templating library would do
//! the same with a macro language; for tables and figures this is all there is to it.

/// A page, or a part of one.
pub(super) struct Html {
    text: String,
}

impl Html {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Self { text: String::new() }
    }

    /// What was written.
    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// An element with attributes and content.
    pub(super) fn element(&mut self, name: &'static str, attributes: &[(&str, &str)], content: impl FnOnce(&mut Self)) {
        self.open(name, attributes);
        self.text.push('>');
        content(self);
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
    }

    /// An element on lines of its own, so that the source can be read too.
    pub(super) fn block(&mut self, name: &'static str, attributes: &[(&str, &str)], content: impl FnOnce(&mut Self)) {
        self.element(name, attributes, content);
        self.text.push('\n');
    }

    /// An element that holds a text and nothing else.
    pub(super) fn leaf(&mut self, name: &'static str, attributes: &[(&str, &str)], text: &str) {
        self.element(name, attributes, |html| html.text(text));
    }

    /// The same on a line of its own.
    pub(super) fn line(&mut self, name: &'static str, attributes: &[(&str, &str)], text: &str) {
        self.leaf(name, attributes, text);
        self.text.push('\n');
    }

    /// An element that cannot hold anything, such as `img`.
    pub(super) fn void(&mut self, name: &'static str, attributes: &[(&str, &str)]) {
        self.open(name, attributes);
        self.text.push_str("/>");
    }

    /// Text, escaped.
    pub(super) fn text(&mut self, text: &str) {
        self.text.push_str(&escape(text));
    }

    /// Markup of this program's own making, as it is: a drawing or the style sheet, never anything read from a file.
    pub(super) fn own_markup(&mut self, markup: &str) {
        self.text.push_str(markup);
    }

    fn open(&mut self, name: &'static str, attributes: &[(&str, &str)]) {
        self.text.push('<');
        self.text.push_str(name);
        for (attribute, value) in attributes {
            self.text.push_str(&format!(" {attribute}=\"{}\"", escape(value)));
        }
    }
}

/// Text that means itself in content and in a quoted attribute. Characters that no XML may hold become U+FFFD.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' | '\n' => escaped.push(character),
            _ => escaped.push(printable(character)),
        }
    }
    escaped
}

/// The character, or U+FFFD where it is one that no XML may hold.
pub(super) fn printable(character: char) -> char {
    match character {
        '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        _ if character.is_control() => '\u{fffd}',
        _ => character,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_attributes_are_escaped() {
        let mut html = Html::new();
        html.element("p", &[("title", "a\"><script>'&")], |html| {
            html.text("<script>alert('x')</script> & \u{0}\u{1b}")
        });
        assert_eq!(
            html.into_text(),
            "<p title=\"a&quot;&gt;&lt;script&gt;&#39;&amp;\">\
             &lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; \u{fffd}\u{fffd}</p>"
        );
    }

    #[test]
    fn elements_close_where_their_content_ends() {
        let mut html = Html::new();
        html.element("ul", &[], |html| {
            html.leaf("li", &[], "one");
            html.element("li", &[], |html| html.void("img", &[("alt", "")]));
        });
        html.line("p", &[], "end");
        assert_eq!(html.into_text(), "<ul><li>one</li><li><img alt=\"\"/></li></ul><p>end</p>\n");
    }

    #[test]
    fn lines_of_a_text_stay_lines() {
        assert_eq!(escape("a\tb\nc\r\u{ffff}é"), "a\tb\nc\u{fffd}\u{fffd}é");
    }
}
