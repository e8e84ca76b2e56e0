//! YAML with positions.
//!
//! Takes the text of one YAML file. Gives a tree in which every key and value knows its line and column. It
//! keeps scalars as text, so that what a value is can be decided by the type that is asked for.

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::diagnostic::{Diagnostics, Path, Position};

/// The largest file that is read, in bytes. A configuration of ten thousand sources stays below it.
pub(super) const MAX_DOCUMENT_BYTES: usize = 4 * 1024 * 1024;

/// The deepest nesting that is read: more than the configuration can use, less than a stack can bear.
const MAX_DEPTH: usize = 32;

/// A value.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) at: Position,
    pub(super) kind: Kind,
    pub(super) struck_out: bool,
}

/// What a value is.
#[derive(Debug)]
pub(super) enum Kind {
    /// Text and whether it was written plain (unquoted), which lets it be a number, a boolean or null.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_at: Position,
    pub(super) value: Node,
}

impl Node {
    /// Marks the value at `path` as absent. False if there is no such value or it was struck out already.
    pub(super) fn strike_out(&mut self, path: &[String]) -> bool {
        let Some((segment, rest)) = path.split_first() else {
            return !std::mem::replace(&mut self.struck_out, true);
        };
        let child = match &mut self.kind {
            Kind::Map(entries) => {
                entries.iter_mut().find(|entry| entry.key == *segment).map(|entry| &mut entry.value)
            }
            Kind::List(items) => segment.parse::<usize>().ok().and_then(|i| items.get_mut(i)),
            Kind::Scalar { .. } => None,
        };
        child.is_some_and(|child| child.strike_out(rest))
    }
}

/// Parses `text`.
///
/// # Errors
/// One diagnostic in `faults` for what is not YAML, or is YAML that a configuration has no use for:
/// several documents, tags, anchors and aliases (an alias bomb is a few lines long), keys that are not
/// text, keys given twice.
pub(super) fn parse(text: &str, faults: &mut Diagnostics) -> Option<Node> {
    if text.len() > MAX_DOCUMENT_BYTES {
        faults.error(
            Position::START,
            Path::root(),
            format!("the file has {} bytes; at most {MAX_DOCUMENT_BYTES} are read", text.len()),
        );
        return None;
    }
    let mut builder = Builder { parser: Parser::new_from_str(text), faults };
    match builder.document() {
        Ok(root) => Some(root),
        Err((at, message)) => {
            faults.error(at, Path::root(), message);
            None
        }
    }
}

type BuildError = (Position, String);

struct Builder<'a, 'f> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    faults: &'f mut Diagnostics,
}

impl<'a> Builder<'a, '_> {
    fn next(&mut self) -> Result<(Event<'a>, Span), BuildError> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, span)),
            Some(Err(error)) => {
                Err((Position::of(error.marker()), format!("not valid YAML: {}", error.info())))
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn document(&mut self) -> Result<Node, BuildError> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::DocumentStart(_) if root.is_some() => {
                    return Err((
                        Position::of(&span.start),
                        "a second YAML document begins here; one file holds one configuration".into(),
                    ));
                }
                Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
                event => root = Some(self.node(event, span, &Path::root(), 0)?),
            }
        }
        Ok(root.unwrap_or(Node { at: Position::START, kind: Kind::Map(Vec::new()), struck_out: false }))
    }

    fn node(&mut self, event: Event<'a>, span: Span, path: &Path, depth: usize) -> Result<Node, BuildError> {
        let at = Position::of(&span.start);
        if depth > MAX_DEPTH {
            return Err((at, format!("nested more than {MAX_DEPTH} levels deep")));
        }
        let kind = match event {
            Event::Scalar(text, style, anchor, tag) => {
                refuse_anchor_and_tag(at, anchor, tag.is_some())?;
                Kind::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain }
            }
            Event::SequenceStart(anchor, tag) => {
                refuse_anchor_and_tag(at, anchor, tag.is_some())?;
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break Kind::List(items),
                        (event, span) => {
                            let path = path.index(items.len());
                            items.push(self.node(event, span, &path, depth + 1)?);
                        }
                    }
                }
            }
            Event::MappingStart(anchor, tag) => {
                refuse_anchor_and_tag(at, anchor, tag.is_some())?;
                Kind::Map(self.entries(path, depth)?)
            }
            Event::Alias(_) => {
                return Err((at, "YAML aliases are not supported; write the value out".into()));
            }
            other => return Err((at, format!("unexpected YAML event {other:?}"))),
        };
        Ok(Node { at, kind, struck_out: false })
    }

    fn entries(&mut self, path: &Path, depth: usize) -> Result<Vec<Entry>, BuildError> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let key_at = Position::of(&span.start);
            let key = match event {
                Event::MappingEnd => return Ok(entries),
                Event::Scalar(text, _, anchor, tag) => {
                    refuse_anchor_and_tag(key_at, anchor, tag.is_some())?;
                    text.into_owned()
                }
                _ => return Err((key_at, "a key must be text".into())),
            };
            let path = path.key(&key);
            let (event, span) = self.next()?;
            let value = self.node(event, span, &path, depth + 1)?;
            if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                let message =
                    format!("the key `{key}` is given twice; it stands first in line {}", first.key_at.line);
                self.faults.error(key_at, path, message);
            } else {
                entries.push(Entry { key, key_at, value });
            }
        }
    }
}

fn refuse_anchor_and_tag(at: Position, anchor: usize, tagged: bool) -> Result<(), BuildError> {
    if anchor != 0 {
        return Err((at, "YAML anchors are not supported; write the value out".into()));
    }
    if tagged {
        return Err((at, "YAML tags are not supported; write the value without one".into()));
    }
    Ok(())
}
