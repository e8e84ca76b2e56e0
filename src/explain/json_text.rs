//! Hypotheses about a JSON body: its values were kept, and its octets were not.
//!
//! Takes a JSON text. Gives the same document as the usual serialisers write it: other white space, other escapes,
//! sorted keys, other spellings of numbers. Tokens that a style does not touch stay octet for octet as they are.

use std::fmt::Write as _;

use serde::de::IgnoredAny;

use super::bench::Hypothesis;
use super::cause::Cause;

/// Differences between what was signed and what arrived that are tried at once.
pub(super) const MOST_CHANGES: usize = 3;
/// Whole numbers of a body that are each tried as `1.0`.
const NUMBERS_TRIED: usize = 16;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// White space stays as it is.
    Keep,
    /// What stands after a comma and after a colon.
    Inline(&'static str, &'static str),
    /// A line for each value, indented by this.
    Indented(&'static str),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Text {
    Keep,
    /// No escape that JSON does not require.
    Raw,
    /// ASCII alone, as Python, PHP and Ruby write it.
    Ascii,
    /// ASCII alone, and no character that HTML has a use for, as .NET writes it.
    DotNet,
    /// `<`, `>` and `&` escaped, as Go writes them.
    Html,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Slashes {
    Keep,
    Escaped,
    Bare,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Numbers {
    Keep,
    /// 1.0 as 1, as JavaScript writes it.
    Short,
    /// 1 as 1.0.
    Float,
    /// The same, of one number alone.
    OneFloat(usize),
}

/// How a document is written.
#[derive(Clone, Copy)]
struct Style {
    layout: Layout,
    text: Text,
    slashes: Slashes,
    numbers: Numbers,
    sorted: bool,
    newline: bool,
}

const LAYOUTS: [Layout; 7] = [
    Layout::Keep,
    Layout::Inline("", ""),
    Layout::Inline(" ", " "),
    Layout::Indented("  "),
    Layout::Indented("    "),
    Layout::Indented("\t"),
    Layout::Inline("", " "),
];

/// The body in every other style with at most `most` changes, the least first.
pub(super) fn hypotheses(most: usize) -> Vec<Hypothesis> {
    let mut styles = Vec::new();
    for layout in LAYOUTS {
        for text in [Text::Keep, Text::Raw, Text::Ascii, Text::Html, Text::DotNet] {
            for slashes in [Slashes::Keep, Slashes::Escaped, Slashes::Bare] {
                for numbers in [Numbers::Keep, Numbers::Short, Numbers::Float] {
                    for (sorted, newline) in [(false, false), (true, false), (false, true), (true, true)] {
                        styles.push(Style { layout, text, slashes, numbers, sorted, newline });
                    }
                }
            }
        }
    }
    let keep = Style {
        layout: Layout::Keep,
        text: Text::Keep,
        slashes: Slashes::Keep,
        numbers: Numbers::Keep,
        sorted: false,
        newline: false,
    };
    styles.extend((0..NUMBERS_TRIED).map(|number| Style { numbers: Numbers::OneFloat(number), ..keep }));
    styles.retain(|style| style.is_sensible() && (1..=most).contains(&style.changes()));
    styles.sort_by_key(Style::changes);
    styles
        .into_iter()
        .map(|style| {
            let text = format!("the body is not written as it was signed: it was {}", style.describe());
            Hypothesis::body(Cause::BodyReserialised, text, move |body| style.write(body))
        })
        .collect()
}

impl Style {
    fn changes(&self) -> usize {
        let changed = [
            self.layout != Layout::Keep,
            self.text != Text::Keep,
            self.slashes != Slashes::Keep,
            self.numbers != Numbers::Keep,
            self.sorted,
            self.newline,
        ];
        changed.into_iter().filter(|changed| *changed).count()
    }

    /// Keys are sorted by what writes the whole anew, which leaves no white space as it was.
    fn is_sensible(&self) -> bool {
        self.layout != Layout::Keep || !(self.sorted || self.newline)
    }

    fn describe(&self) -> String {
        let mut parts = vec![match self.layout {
            Layout::Keep => "laid out as it is",
            Layout::Inline("", "") => "compact JSON",
            Layout::Inline("", _) => "JSON with a space after each colon",
            Layout::Inline(..) => "JSON with a space after each comma and colon (Python's default)",
            Layout::Indented("\t") => "JSON indented by tabs",
            Layout::Indented("  ") => "JSON indented by 2 spaces",
            Layout::Indented(_) => "JSON indented by 4 spaces",
        }];
        parts.extend(self.sorted.then_some("its keys sorted"));
        parts.extend(match self.text {
            Text::Keep => None,
            Text::Raw => Some("its characters as they are, without needless escapes"),
            Text::Ascii => Some("what is not ASCII as `\\u` escapes (Python's and PHP's default)"),
            Text::DotNet => {
                Some("what is not ASCII, and what HTML has a use for, as `\\u` escapes (.NET's default)")
            }
            Text::Html => Some("`<`, `>` and `&` as `\\u` escapes (Go's default)"),
        });
        parts.extend(match self.slashes {
            Slashes::Keep => None,
            Slashes::Escaped => Some("slashes escaped as `\\/` (PHP's default)"),
            Slashes::Bare => Some("slashes not escaped"),
        });
        parts.extend(match self.numbers {
            Numbers::Keep => None,
            Numbers::Short => Some("numbers in their shortest form, 1 and not 1.0"),
            Numbers::Float | Numbers::OneFloat(_) => Some("whole numbers as 1.0, not 1"),
        });
        parts.extend(self.newline.then_some("a newline at its end"));
        parts.join(", with ").replacen("laid out as it is, with ", "written with ", 1)
    }

    /// `body` in this style; nothing, if it is no JSON.
    fn write(&self, body: &[u8]) -> Option<Vec<u8>> {
        let text = std::str::from_utf8(body).ok()?;
        // Known to be well formed, and not deep, from here on.
        serde_json::from_str::<IgnoredAny>(text).ok()?;
        let mut writer = Writer { style: self, out: String::with_capacity(text.len()), numbers: 0 };
        match self.layout {
            Layout::Keep => writer.copy(text)?,
            _ => {
                let mut rest = text;
                let node = Node::read(&mut rest)?;
                writer.node(&node, 0)?;
            }
        }
        if self.newline {
            writer.out.push('\n');
        }
        Some(writer.out.into_bytes())
    }
}

/// A value, its scalars as they are written.
enum Node<'a> {
    Text(&'a str),
    Word(&'a str),
    Array(Vec<Node<'a>>),
    Object(Vec<(&'a str, Node<'a>)>),
}

/// Takes a text's content off the front of `rest`, which begins behind the opening quote.
fn take_text<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let mut escaped = false;
    let end = rest.bytes().position(|octet| {
        let ends = octet == b'"' && !escaped;
        escaped = octet == b'\\' && !escaped;
        ends
    })?;
    let text = &rest[..end];
    *rest = &rest[end + 1..];
    Some(text)
}

/// Takes a number or a literal off the front of `rest`.
fn take_word<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c))).unwrap_or(rest.len());
    let word = rest.get(..end).filter(|word| !word.is_empty())?;
    *rest = &rest[end..];
    Some(word)
}

const WHITE_SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

impl<'a> Node<'a> {
    fn read(rest: &mut &'a str) -> Option<Self> {
        *rest = rest.trim_start_matches(WHITE_SPACE);
        match rest.chars().next()? {
            '"' => {
                *rest = &rest[1..];
                take_text(rest).map(Self::Text)
            }
            '[' => {
                let mut items = Vec::new();
                *rest = &rest[1..];
                while !is_closed(rest, ']') {
                    items.push(Self::read(rest)?);
                }
                Some(Self::Array(items))
            }
            '{' => {
                let mut entries = Vec::new();
                *rest = &rest[1..];
                while !is_closed(rest, '}') {
                    *rest = rest.strip_prefix('"')?;
                    let key = take_text(rest)?;
                    *rest = rest.trim_start_matches(WHITE_SPACE).strip_prefix(':')?;
                    entries.push((key, Self::read(rest)?));
                }
                Some(Self::Object(entries))
            }
            _ => take_word(rest).map(Self::Word),
        }
    }
}

/// Whether a list ends here. Takes its end, or the comma between two values, off.
fn is_closed(rest: &mut &str, end: char) -> bool {
    *rest = rest.trim_start_matches(WHITE_SPACE).trim_start_matches(',').trim_start_matches(WHITE_SPACE);
    match rest.strip_prefix(end) {
        Some(behind) => {
            *rest = behind;
            true
        }
        None => rest.is_empty(),
    }
}

struct Writer<'s> {
    style: &'s Style,
    out: String,
    /// Numbers written so far.
    numbers: usize,
}

impl Writer<'_> {
    /// The document with its white space.
    fn copy(&mut self, text: &str) -> Option<()> {
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            match first {
                '"' => {
                    rest = &rest[1..];
                    let content = take_text(&mut rest)?;
                    self.text(content)?;
                }
                c if c.is_ascii_alphanumeric() || c == '-' => {
                    let word = take_word(&mut rest)?;
                    self.word(word);
                }
                c => {
                    self.out.push(c);
                    rest = &rest[c.len_utf8()..];
                }
            }
        }
        Some(())
    }

    fn node(&mut self, node: &Node<'_>, depth: usize) -> Option<()> {
        match node {
            Node::Text(text) => self.text(text)?,
            Node::Word(word) => self.word(word),
            Node::Array(items) => {
                self.out.push('[');
                for (index, item) in items.iter().enumerate() {
                    self.between(index, depth + 1);
                    self.node(item, depth + 1)?;
                }
                self.close(']', items.is_empty(), depth);
            }
            Node::Object(entries) => {
                let mut order: Vec<&(&str, Node<'_>)> = entries.iter().collect();
                if self.style.sorted {
                    order.sort_by_key(|(key, _)| *key);
                }
                self.out.push('{');
                for (index, (key, value)) in order.into_iter().enumerate() {
                    self.between(index, depth + 1);
                    self.text(key)?;
                    self.out.push(':');
                    self.out.push_str(match self.style.layout {
                        Layout::Keep => "",
                        Layout::Inline(_, colon) => colon,
                        Layout::Indented(_) => " ",
                    });
                    self.node(value, depth + 1)?;
                }
                self.close('}', entries.is_empty(), depth);
            }
        }
        Some(())
    }

    fn between(&mut self, index: usize, depth: usize) {
        if index > 0 {
            self.out.push(',');
        }
        match self.style.layout {
            Layout::Indented(_) => self.line(depth),
            Layout::Inline(comma, _) if index > 0 => self.out.push_str(comma),
            _ => {}
        }
    }

    fn line(&mut self, depth: usize) {
        if let Layout::Indented(indent) = self.style.layout {
            self.out.push('\n');
            (0..depth).for_each(|_| self.out.push_str(indent));
        }
    }

    fn close(&mut self, end: char, is_empty: bool, depth: usize) {
        if !is_empty {
            self.line(depth);
        }
        self.out.push(end);
    }

    fn word(&mut self, word: &str) {
        if !word.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
            self.out.push_str(word);
            return;
        }
        let number = self.numbers;
        self.numbers += 1;
        let is_whole = !word.contains(['.', 'e', 'E']);
        match (self.style.numbers, word.parse::<f64>()) {
            // What `{}` writes is the shortest text that is the number again, and never has an exponent.
            (Numbers::Short, Ok(value)) if !is_whole && value.abs() < 1e21 => {
                let _ = write!(self.out, "{value}");
            }
            (Numbers::Float, _) if is_whole => self.out.extend([word, ".0"]),
            (Numbers::OneFloat(one), _) if is_whole && one == number => self.out.extend([word, ".0"]),
            _ => self.out.push_str(word),
        }
    }

    fn text(&mut self, raw: &str) -> Option<()> {
        self.out.push('"');
        if self.style.text == Text::Keep {
            match self.style.slashes {
                Slashes::Keep => self.out.push_str(raw),
                Slashes::Bare => self.out.push_str(&raw.replace("\\/", "/")),
                Slashes::Escaped => self.out.push_str(&raw.replace("\\/", "/").replace('/', "\\/")),
            }
        } else {
            let decoded: String = serde_json::from_str(&format!("\"{raw}\"")).ok()?;
            decoded.chars().for_each(|c| self.character(c));
        }
        self.out.push('"');
        Some(())
    }

    fn character(&mut self, c: char) {
        let text = self.style.text;
        let for_html = matches!(c, '<' | '>' | '&') && matches!(text, Text::Html | Text::DotNet)
            || matches!(c, '\u{2028}' | '\u{2029}') && text == Text::Html
            || matches!(c, '"' | '\'' | '+' | '`') && text == Text::DotNet;
        let beyond = !c.is_ascii() && matches!(text, Text::Ascii | Text::DotNet);
        match c {
            _ if for_html || beyond => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = match text {
                        Text::DotNet => write!(self.out, "\\u{unit:04X}"),
                        _ => write!(self.out, "\\u{unit:04x}"),
                    };
                }
            }
            '"' => self.out.push_str("\\\""),
            '\\' => self.out.push_str("\\\\"),
            '/' if self.style.slashes == Slashes::Escaped => self.out.push_str("\\/"),
            '\n' => self.out.push_str("\\n"),
            '\r' => self.out.push_str("\\r"),
            '\t' => self.out.push_str("\\t"),
            '\u{8}' => self.out.push_str("\\b"),
            '\u{c}' => self.out.push_str("\\f"),
            c if u32::from(c) < 0x20 => {
                let _ = write!(self.out, "\\u{:04x}", u32::from(c));
            }
            c => self.out.push(c),
        }
    }
}

#[cfg(test)]
#[path = "json_text_tests.rs"]
mod tests;
